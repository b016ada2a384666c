"""What explains single examples: variants, their numbers, the weights.

In any loss built of `rules` the weights are linear, so that only the few
other numbers are searched for, by least squares.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from scipy.optimize import leastsq

from . import rules
from .names import RIGHT
from .names.variant import Variant

MANY = 12  # outputs beyond which they are not told apart
STALLED = 0.2  # a search that gains less than this has no exact end


@dataclass(frozen=True)
class Fit:
    """What single examples say: variants, their numbers, the weights.

    `table` has a weight for each class, or two rows, of negatives and
    positives, with one for each output. `residual` is the largest relative
    gap that rounding does not explain, and `detached` says that the
    gradient takes the factor for a constant.
    """

    probability: Variant | None
    factor: Variant | None
    alone: callable
    gamma: float
    numbers: dict
    table: np.ndarray
    residual: float
    detached: bool = False

    @property
    def pairs(self):
        """Whether weights are by label, not by class."""
        return self.table.ndim == 2

    def rule(self, part):
        """The rule of the probability or the factor, with its numbers."""
        variant = getattr(self, part)
        if variant is None:
            return RIGHT[part]
        own = {name: self.numbers[name] for name in variant.numbers}
        return partial(variant.rule, **own)

    def factors(self, truth, gamma):
        factor = self.rule("factor")(truth, gamma=gamma)
        return factor.detach() if self.detached else factor

    def elements(self, truth, weights):
        """The loss of each element."""
        factor = partial(self.factors, gamma=self.gamma)
        return self.alone(truth, weights, factor, lambda each: each)


def as_written(number):
    """Return numbers with the five decimals they probably had, if close."""
    number = np.asarray(number, float)
    near = number.round(5)
    return np.where(np.abs(near - number) < 2e-7, near, number)


class Search:
    """How far off the best weights leave a draft, for given numbers."""

    def __init__(self, data, draft, known, fixed):
        self.draft, self.fixed = draft, fixed
        rows = torch.tensor(known)
        whole = data.batch
        self.batch = whole._replace(
            logits=whole.logits[rows], targets=whole.targets[rows]
        )
        self.value, self.allowed = data.value[known], data.allowed[known]
        self.apart = not data.uniform and whole.classes <= MANY
        self.truths, self.seen = {}, {}
        self.index, self.size = self._index(self._truth(draft))
        self.given = torch.ones(())
        if fixed is not None:
            self.given = torch.tensor(fixed)[self.index]

    def least(self, starts):
        """The draft with the numbers that leave next to nothing, or None.

        Sought from the best of the starts: γ, then the variants' numbers.
        """
        starts = [self._coded(start) for start in starts]
        best = min(starts, key=lambda start: (self._off(start) ** 2).sum())
        numbers = leastsq(
            self._off, best, full_output=True, ftol=STALLED, maxfev=200
        )[0]
        far = max(map(abs, numbers)) > 100
        if far or np.abs(self._off(numbers)).max() > 1:
            return None
        return self._with(numbers)

    def _off(self, numbers):
        asked = tuple(numbers)
        if asked not in self.seen:
            self.seen[asked] = self.weights(self._with(numbers))[1]
        return self.seen[asked]

    def _truth(self, fit):
        """What the probability gives, computed once for its numbers."""
        own = fit.rule("probability")
        asked = tuple(getattr(own, "keywords", {}).values())
        if asked not in self.truths:
            self.truths[asked] = own(self.batch)
        return self.truths[asked]

    def _coded(self, start):
        """The numbers to search among: log ε in place of ε."""
        own = zip(self.draft.numbers, start[1:], strict=True)
        own = [math.log(max(x, 1e-300)) if k == "eps" else x for k, x in own]
        return [start[0], *own]

    def _with(self, coded):
        """The draft with these numbers."""
        own = {
            name: math.exp(min(x, 0.0)) if name == "eps" else float(x)
            for name, x in zip(self.draft.numbers, coded[1:], strict=True)
        }
        return replace(self.draft, gamma=float(coded[0]), numbers=own)

    @torch.no_grad()
    def weights(self, fit):
        """The weights that fit best, and how far off the values then are."""
        elements = fit.elements(self._truth(fit), self.given).numpy()
        with np.errstate(all="ignore"):
            table, ratio = self._solved(elements)
            far = np.where(ratio > 0, np.log(np.abs(ratio)), ratio - 1)
            off = np.nan_to_num(far / self.allowed, nan=1e9, neginf=-1e9)
        table = table if self.fixed is None else table * self.fixed
        return self._as_table(table), off

    def _solved(self, elements):
        """The weights, and the whole over what the loss gave, row by row."""
        if elements.ndim == 1:  # a weight has rows of its own
            part = elements / self.value
            scaled = part / self.allowed
            index = self.index.numpy()
            table, norm = (
                np.bincount(index, scaled * other, self.size)
                for other in (1 / self.allowed, scaled)
            )
            table /= np.where(norm > 0, norm, 1)
            return table, table[index] * part
        rows = len(elements)
        sums = torch.zeros(rows, self.size, dtype=torch.float64)
        sums.scatter_add_(
            1, self.index.reshape(rows, -1), torch.tensor(elements)
        )
        part = sums.numpy() / self.value[:, None]
        scaled, table = part / self.allowed[:, None], np.zeros(self.size)
        if not np.isfinite(scaled).all():
            return table, np.full(rows, np.nan)
        column = np.abs(scaled).max(0)
        used = column > 0
        solved = np.linalg.lstsq(
            scaled[:, used] / column[used], 1 / self.allowed, rcond=None
        )[0]
        table[used] = solved / column[used]
        return table, part @ table

    def neat(self, found):
        """The numbers as they were probably written, if those do as well."""
        short = {k: _short(k, x) for k, x in found.numbers.items()}
        gamma = round(abs(found.gamma), 2) + 0.0
        for numbers in (short, found.numbers):
            neat = replace(found, gamma=gamma, numbers=numbers)
            table, off = self.weights(neat)
            if np.abs(off).max() < 1:
                return replace(neat, table=as_written(table))
        return replace(found, gamma=max(found.gamma, 0.0))

    def _index(self, truth):
        """Which weight each element has, and how many weights there are."""
        classes = self.batch.classes
        if rules.by_class(truth, self.batch):
            index = self.batch.targets
            if truth.log_p.ndim == 2:
                index = index[:, None].expand_as(truth.log_p)
            return index, classes
        index = truth.positive.long().expand_as(truth.log_p)
        if index.ndim == 2 and classes > 1 and self.apart:
            return index * classes + torch.arange(classes), 2 * classes
        return index, 2

    def _as_table(self, weights):
        classes = self.batch.classes
        if not self.batch.multi_class:
            return weights.reshape(2, -1)
        if len(weights) == classes:
            return weights
        negative, positive = weights.reshape(2, -1)
        asked = np.isin(np.arange(len(weights)), self.index)[-len(positive) :]
        if asked.any():  # a sigmoid that is never positive is as the others
            positive = np.where(asked, positive, positive[asked].mean())
        return np.stack([negative, positive])


def draft_of(probability, factor, alone=rules.each_example):
    numbers = {
        name: number
        for variant in (probability, factor)
        if variant
        for name, number in variant.numbers.items()
    }
    return Fit(probability, factor, alone, 2.0, numbers, None, math.inf)


def _short(name, number):
    """The two digits that a number was probably written with."""
    if name != "eps" and abs(number) < 1e-6:
        return 0.0
    short = float(f"{number:.1e}")
    return short if abs(short - number) < 0.01 * abs(number) else number
