"""Single examples: what a loss looks like there, and what explains it.

What is seen far out and under other labels says beforehand which rules to
try.
"""

import math
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch

from . import batches, rules
from .fit import MANY, Search, draft_of
from .names import named, variants_of
from .names.variant import CAPPED, FITTED

INSIDE = named("weights inside p_t").rule
ENTROPY = named("cross entropy for p_t").rule


class Looks(NamedTuple):
    """What one sees of a loss before anything is fitted.

    `flat`: has it stopped growing far out, label by label? `decided`: does
    p_t alone decide, so far as one label's examples of the same p_t can
    tell? `alike`: do labels differ by a weight only?
    """

    flat: tuple
    decided: bool
    alike: bool


def fits(subject):
    """Yield lists of the `Fit`s of one, then of two changes, if any."""
    if subject.alone is None:
        return
    data = _Singles(subject)
    if data.known.sum() <= 8:  # it has nothing to say of single examples
        return
    found = data.plainest()
    if not found and data.task == "multi-label":
        data.look_at_all_outputs_alike()
        found = data.plainest()
    yield found
    if any(fit.alone is rules.each_example for fit in found):
        return
    entropy = data.fit(None, None, ENTROPY)
    probabilities, factors = data.options()
    one = [(p, None) for p in probabilities] + [(None, f) for f in factors]
    yield [entropy] * bool(entropy) + data.of_its_kind(one)
    yield data.of_its_kind(product(probabilities, factors))
    if any(data.own_looks.flat):
        data.look_at_ordinary_margins()
        both = product([None, *probabilities], [None, *factors])
        yield data.of_its_kind(both)


class _Singles:
    """The answers to single examples, and how well rules explain them."""

    def __init__(self, subject):
        self.subject = subject
        logits, targets, self.x_t = subject.singles
        self.batch = rules.batch_of(
            torch.tensor(logits), torch.tensor(targets)
        )
        answers = subject.alone
        self.value, self.slope = answers.value, answers.gradient
        small = 1 / (1 + np.exp(np.abs(self.x_t)))
        unit = 1.1e-16 if subject.rtol < 1e-6 else 6e-8
        size = np.nan_to_num(np.abs(self.value), posinf=1.0)
        small = np.minimum(small, np.cbrt(size)) + 1e-300
        self.allowed = subject.rtol + np.minimum(0.05, 20 * unit / small)
        self.known = np.isfinite(self.value) & (size > 1e-30)
        self.uniform = False
        label = targets.reshape(len(targets), -1)[:, 0].copy()
        if self.task == "multi-label":  # with all outputs alike
            label[np.ptp(logits, axis=1) > 0] = -1
        self.same = (label == label[0]) & (self.x_t == batches.AGAIN)
        self.rows = np.array(
            [
                np.flatnonzero(label == own)[: len(batches.MARGINS)]
                for own in np.unique(label[label >= 0])[:3]
            ]
        )
        self.own_looks = self.looks(self.value)

    @property
    def task(self):
        return self.subject.task

    def options(self):
        """The probabilities and factors of this task."""
        by_us = "squashed" if self.subject.form.probabilities else "?"
        return tuple(
            [
                v
                for v in variants_of(part, self.task)
                if v.match in (FITTED, CAPPED) and by_us not in v.name
            ]
            for part in ("probability", "factor")
        )

    def look_at_all_outputs_alike(self):
        """Leave out what tells outputs apart: they may not add up."""
        self.known &= np.ptp(self.batch.logits.numpy(), axis=1) == 0
        self.uniform = True
        self.own_looks = self.looks(self.value)

    def look_at_ordinary_margins(self):
        """Leave out what may have been cut off, or rounded."""
        self.known &= np.abs(self.x_t) < 8
        self.own_looks = self.looks(self.value)

    def of_its_kind(self, pairs):
        """The fits of those pairs that look as the loss does."""
        found = []
        for pair in pairs:
            draft = draft_of(*pair)
            with torch.no_grad():
                each = draft.elements(
                    draft.rule("probability")(self.batch), torch.ones(())
                )
            each = each.reshape(len(self.value), -1).sum(1).numpy()
            looks = self.looks(each)
            if not self.own_looks.decided:  # other logits blur what is flat
                looks = looks._replace(flat=self.own_looks.flat)
            if "scale" in draft.numbers:  # p_t decides if that is 1
                looks = looks._replace(decided=self.own_looks.decided)
            if looks == self.own_looks:
                found.append(self.fit(*pair))
        return [fit for fit in found if fit]

    def looks(self, value):
        """Return the `Looks` of these values."""
        size = np.where(self.known & (value != 0), np.abs(value), np.nan)
        by_margin, allowed = np.log(size[self.rows]), self.allowed[self.rows]
        used = np.isfinite(by_margin).any(1)
        if not used.any():
            return Looks((), True, True)
        by_margin, allowed = by_margin[used], allowed[used]
        far, less, here = (
            by_margin[:, batches.MARGINS == x]
            for x in (-30, -20, batches.AGAIN)
        )
        flat = tuple((far - less < math.log(1.4)).ravel().tolist())
        again, loose = np.log(size[self.same]), self.allowed[self.same]
        decided = not np.ptp(again) > 2 * loose.max()
        off = by_margin - here
        off = np.abs(off - off[0]) > 3 * (allowed + allowed[0])
        return Looks(flat, decided, not (decided and off.any()))

    def plainest(self):
        """The fits that change neither probability nor factor."""
        both = self.fit(None, None), *self.inside()
        return [found for found in both if found]

    def inside(self):
        """Yield the `Fit`s with weights inside p_t, where there are some."""
        weights = self.subject.hopeless_weights
        if weights is None or np.allclose(weights, 1, rtol=1e-6):
            return
        classes, order = self.batch.classes, INSIDE
        if self.task == "binary":
            yield self.fit(None, None, order, weights)
        elif self.task == "multi-class":
            own = np.ones(classes)
            own[list(self.subject.labels.used)] = weights
            yield self.fit(None, None, order, own)
        elif self.uniform:
            yield self.fit(None, None, order, weights.sum(1))
        elif classes <= MANY:
            for times in (classes, 1, np.array([[1], [classes]])):
                own = (weights * times).ravel()
                yield self.fit(None, None, order, own)

    def fit(self, probability, factor, alone=rules.each_example, fixed=None):
        """Return the `Fit` of these variants, or None.

        `fixed` are the weights, where they are known but for a factor.
        """
        known = self.known
        if alone is ENTROPY:
            known = known & (self.x_t > -0.5)  # CE below 1
        else:  # where p_t + ε exceeds 1, the loss changes its sign
            signs = np.sign(self.value)
            known = known & (signs == np.median(signs[known]))
        if known.sum() < 4:
            return None
        draft = draft_of(probability, factor, alone)
        few = np.isin(np.arange(len(known)), self.rows) & known
        search = whole = Search(self, draft, known, fixed)
        if self.batch.classes > MANY and few.sum() > 8:
            search = Search(self, draft, few, fixed)
        found = search.least([*self._starts(draft.numbers)])
        if found is None:
            return None
        table, off = whole.weights(found)
        worst = float(np.abs(off).max())
        if not worst < 1:
            return None
        found = replace(found, table=table, residual=worst)
        return self._with_slope(whole.neat(found), known)

    def _starts(self, numbers):
        """Where to begin: at the slope of loss over CE between two points."""
        ratio = np.abs(self.value / np.logaddexp(0, -self.x_t))
        near = [ratio[self.known & (self.x_t == x)] for x in (-0.3, 3.0)]
        slope = 2.0
        if near[0].size and near[1].size:
            steepness = np.logaddexp(0, 3.0) - np.logaddexp(0, -0.3)
            slope = np.log(near[0][-1] / near[1][-1]) / steepness
        numbers = dict(numbers)
        if any(self.own_looks.flat) and "eps" in numbers:  # it stays at log ε
            far, near = (
                np.abs(self.value[self.known & (self.x_t == x)])
                for x in (-30, -5)
            )
            if far.size and near.size:
                numbers["eps"] = math.exp(-5 * far[-1] / near[-1])
        yield [float(np.clip(slope, 0.5, 12)), *numbers.values()]  # never 0
        if "scale" in numbers:
            numbers |= {"scale": (slope + 1) / 3, "shift": 0.0}
            yield [2.0, *numbers.values()]
        elif len(numbers) < 2:
            yield [2.0, *numbers.values()]
            yield [4.0, *numbers.values()]
        if "epsilon" in numbers:  # what PolyLoss has for detectors
            yield [2.0, *(numbers | {"epsilon": -1.0}).values()]

    def _with_slope(self, fit, known):
        """With `detached` as the gradients have it."""
        near = known & (np.abs(self.x_t) < 8)
        for detached in (False, True):
            fit = replace(fit, detached=detached)
            slope = self._slopes(fit)[near]
            seen = self.slope[near]
            size = np.abs(slope).reshape(len(slope), -1).max(1)
            gap = np.abs(slope - seen).reshape(len(slope), -1).max(1)
            if (gap <= (1e-9 + 100 * self.allowed[near]) * size).all():
                return fit
        return replace(fit, detached=False)

    def _slopes(self, fit):
        leaf = self.batch.logits.clone().requires_grad_()
        truth = fit.rule("probability")(self.batch._replace(logits=leaf))
        kept = SimpleNamespace(table=torch.tensor(fit.table))
        weights = rules.measured(kept, truth, self.batch)
        elements = fit.elements(truth, weights)
        (slope,) = torch.autograd.grad(elements.sum(), leaf)
        return slope.numpy()
