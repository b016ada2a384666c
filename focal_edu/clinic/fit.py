"""From answers to numbers: γ, weights, ε, average, with a residual.

Single examples settle the probability, the factor and their numbers; whole
batches settle the order and the average. In any loss built of `rules` the
weights are linear, so that only the few other numbers are searched for.
"""

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import torch
from scipy.optimize import leastsq

from . import rules
from .calls import Refusal, ask
from .names import (
    CAPPED,
    FITTED,
    NEUTRAL,
    RIGHT,
    VARIANTS,
    BuiltLoss,
    Variant,
    named,
)
from .subject import close

MANY = 12  # outputs beyond which they are not told apart
INSIDE = named("weights inside p_t").rule
ENTROPY = named("cross entropy for p_t").rule


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


@dataclass(frozen=True)
class Model:
    """A fit, an order and an average: a whole loss."""

    fit: Fit
    order: Variant | None
    reduction: object  # a variant, or one of the names of reductions
    table: np.ndarray
    relative: bool = False  # the weights are known up to a factor
    overwritten: bool = False

    @property
    def normalised(self):
        return "factor" in _hidden(self.reduction)

    def loss(self, **parts):
        """Return it as a callable; `parts` are rules to exchange."""
        order = self.order.rule if self.order else rules.each_example
        made = {
            "probability": self.fit.rule("probability"),
            "factor": self.fit.factors,
            "order": order,
            "alpha": rules.measured,
            "reduction": _rule(self.reduction),
        }
        kept = SimpleNamespace(table=torch.tensor(self.table))
        if self.overwritten:
            made["alpha"] = named("alpha overwritten").rule
            kept.alpha = tuple(self.table.tolist())
        return BuiltLoss(made | parts, self.fit.gamma, kept)


# Single examples -----------------------------------------------------------


def fits(subject):
    """Yield lists of the `Fit`s of one, then of two changes, if any."""
    data = _Singles.of(subject)
    if data is None:
        return
    found = data.plainest()
    if not found and data.task == "multi-label":
        data.look_at_all_outputs_alike()
        found = data.plainest()
    yield found
    if any(fit.alone is rules.each_example for fit in found):
        return
    entropy = data.fit(None, None, ENTROPY)
    one = [entropy] if entropy else []
    probabilities, factors = data.options()
    one += [data.fit(p, None) for p in probabilities]
    one += [data.fit(None, f) for f in factors]
    yield [found for found in one if found]
    two = [*product(probabilities, factors)]
    yield [found for pair in two if (found := data.fit(*pair))]
    data.look_at_ordinary_margins()
    ordinary = [*product([None, *data.options()[0]], [None, *factors])]
    yield [found for pair in ordinary if (found := data.fit(*pair))]


class _Singles:
    """The answers to single examples, and how well rules explain them."""

    def __init__(self, subject, answers):
        self.subject = subject
        logits, targets, self.x_t = subject.singles
        self.batch = rules.batch_of(
            torch.tensor(logits), torch.tensor(targets)
        )
        self.value, self.slope = answers.value, answers.gradient
        with np.errstate(over="ignore"):
            small = np.minimum(
                1 / (1 + np.exp(-self.x_t)), 1 / (1 + np.exp(self.x_t))
            )
        unit = 1.1e-16 if subject.rtol < 1e-6 else 6e-8
        size = np.nan_to_num(np.abs(self.value), posinf=1.0)
        small = np.minimum(small, np.cbrt(size)) + 1e-300
        self.allowed = subject.rtol + np.minimum(0.05, 20 * unit / small)
        self.known = np.isfinite(self.value) & (size > 1e-30)
        self.uniform = False

    @classmethod
    def of(cls, subject):
        """None where the loss has nothing to say of single examples."""
        answers = subject.accompanied
        if answers is None:
            return None
        data = cls(subject, answers)
        return data if data.known.sum() > 8 else None

    @property
    def task(self):
        return self.subject.task

    def options(self):
        """The probabilities and factors to try: those of this task.

        A loss that has a floor or a ceiling is of another kind than one
        that grows as the margin does.
        """
        shown = [
            v
            for v in VARIANTS
            if self.task in v.tasks and v.match in (FITTED, CAPPED)
        ]
        if self.subject.form.probabilities:  # squashed twice by us, not by it
            shown = [v for v in shown if "squashed" not in v.name]
        return (
            [
                v
                for v in shown
                if v.part == "probability"
                and (v.match == CAPPED) == self.flat
            ],
            [v for v in shown if v.part == "factor"],
        )

    @property
    def flat(self):
        """Whether the loss has stopped growing with the margin far out."""
        far = self.value[(self.x_t == -30) & self.known]
        less = self.value[(self.x_t == -20) & self.known]
        same = far.size == less.size > 0
        near = (self.known & (self.x_t == -5)).any()
        return bool(same and near and (far / less < 1.4).all())

    def look_at_all_outputs_alike(self):
        """Leave out what tells outputs apart: they may not add up."""
        self.known &= np.ptp(self.batch.logits.numpy(), axis=1) == 0
        self.uniform = True

    def look_at_ordinary_margins(self):
        """Leave out what may have been cut off, or rounded."""
        self.known &= np.abs(self.x_t) < 8

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
        """Return the `Fit` of these variants, or None."""
        own = [v for v in (probability, factor) if v]
        starts = {k: x for v in own for k, x in v.numbers.items()}
        draft = Fit(
            probability, factor, alone, 2.0, starts, np.ones(1), math.inf
        )
        residuals = partial(self._residuals, draft, fixed)
        known = self.known
        if alone is ENTROPY:
            self.known = known & (self.x_t > -0.5)  # CE below 1
        else:  # where p_t + ε exceeds 1, the loss changes its sign
            signs = np.sign(self.value)
            self.known = known & (signs == np.median(signs[known]))
        if self.known.sum() < 4:
            self.known = known
            return None
        for start in self._starts(starts):
            found = leastsq(
                residuals, start, full_output=True, maxfev=40 * len(start)
            )[0]
            with np.errstate(all="ignore"):
                table, off = self._weights(_with(draft, found), fixed)
            worst = float(np.abs(off).max())
            if worst < 1:
                break
        self.known, draft = known, _with(draft, found)
        if not worst < 1 or max(map(abs, found)) > 100:
            return None
        draft = replace(draft, table=self._as_table(table), residual=worst)
        draft = self._neat(draft, fixed)
        neutral = [NEUTRAL.get(k, 0.0) == x for k, x in draft.numbers.items()]
        if neutral and all(neutral):  # another variant explains as much
            return None
        return self._with_slope(draft)

    def _starts(self, numbers):
        """Where to begin: at the slope of loss over CE between two points."""
        ratio = np.abs(self.value / np.logaddexp(0, -self.x_t))
        near = [ratio[self.known & (self.x_t == x)] for x in (-0.3, 3.0)]
        slope = 2.0
        if near[0].size and near[1].size:
            steepness = np.logaddexp(0, 3.0) - np.logaddexp(0, -0.3)
            slope = np.log(near[0][-1] / near[1][-1]) / steepness
        coded = {k: _coded(k, x) for k, x in numbers.items()}
        if self.flat and "eps" in coded:  # what is left far out says which
            far, near = (
                np.abs(self.value[self.known & (self.x_t == x)])
                for x in (-30, -5)
            )
            coded["eps"] = -5 * float(far[-1] / near[-1])
        yield [float(np.clip(slope, 0, 12)), *coded.values()]
        if "scale" in coded:
            coded |= {"scale": (slope + 1) / 3, "shift": 0.0}
            yield [2.0, *coded.values()]
        elif len(coded) < 2:
            yield [2.0, *coded.values()]
            yield [4.0, *coded.values()]

    def _neat(self, draft, fixed):
        """The numbers as they were probably written, if those do as well."""
        short = {k: _short(k, x) for k, x in draft.numbers.items()}
        gamma = round(abs(draft.gamma), 2) + 0.0
        for how in ({"gamma": gamma, "numbers": short}, {"gamma": gamma}):
            neat = replace(draft, **how)
            with np.errstate(all="ignore"):
                table, residuals = self._weights(neat, fixed)
            if np.abs(residuals).max() < 1:
                table = np.where(
                    np.abs(table - table.round(5)) < 2e-7,
                    table.round(5),
                    table,
                )
                return replace(neat, table=self._as_table(table))
        return replace(draft, gamma=max(draft.gamma, 0.0))

    def _with_slope(self, fit):
        """With `detached` as the gradients have it."""
        near = self.known & (np.abs(self.x_t) < 8)
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
        batch = self.batch._replace(logits=leaf)
        truth = fit.rule("probability")(batch)
        table = torch.tensor(fit.table)
        weights = rules.measured(
            SimpleNamespace(table=table), truth, self.batch
        )
        elements = fit.alone(
            truth,
            weights,
            partial(fit.factors, gamma=fit.gamma),
            lambda each: each,
        )
        (slope,) = torch.autograd.grad(elements.sum(), leaf)
        return slope.numpy()

    @torch.no_grad()
    def _residuals(self, draft, fixed, numbers):
        with np.errstate(all="ignore"):
            return self._weights(_with(draft, numbers), fixed)[1]

    @torch.no_grad()
    def _weights(self, fit, fixed):
        """The weights that fit best, and how far off the values then are."""
        truth = fit.rule("probability")(self.batch)
        index, size = self._index(truth)
        given = torch.ones(())
        if fixed is not None:
            given = torch.tensor(fixed)[index]
        elements = fit.alone(
            truth,
            given,
            partial(fit.factors, gamma=fit.gamma),
            lambda each: each,
        )
        rows = len(self.value)
        sums = torch.zeros(rows, size, dtype=torch.float64)
        sums.scatter_add_(
            1, index.reshape(rows, -1), elements.reshape(rows, -1)
        )
        known = self.known
        scale = 1 / (self.value * self.allowed)[known]
        sums = sums.numpy()[known] * scale[:, None]
        if not np.isfinite(sums).all():
            return np.ones(size), np.full(known.sum(), 1e9)
        wanted = 1 / self.allowed[known]
        column = np.abs(sums).max(0)
        used = column > 0
        table = np.zeros(size)
        solved = np.linalg.lstsq(
            sums[:, used] / column[used], wanted, rcond=None
        )[0]
        table[used] = solved / column[used]
        ratio = sums @ table / wanted
        gap = np.where(
            ratio > 0, np.log(np.maximum(ratio, 1e-300)), ratio - 1
        )
        residuals = gap * wanted
        return table if fixed is None else table * fixed, residuals

    def _index(self, truth):
        """Which weight each element has, and how many weights there are."""
        classes = self.batch.classes
        by_class = self.batch.multi_class and truth.positive.shape[-1:] != (
            classes,
        )
        if by_class:
            index = self.batch.targets
            if truth.log_p.ndim == 2:
                index = index[:, None].expand_as(truth.log_p)
            return index, classes
        index = truth.positive.long()
        if truth.positive.shape != truth.log_p.shape:
            index = index.expand_as(truth.log_p)
        if index.ndim == 2 and 1 < classes <= MANY and not self.uniform:
            return index * classes + torch.arange(classes), 2 * classes
        return index, 2

    def _as_table(self, weights):
        if self.batch.multi_class and len(weights) == self.batch.classes:
            return weights
        return weights.reshape(2, -1)


def _coded(name, number):
    return math.log(number) if name == "eps" else number


def _with(fit, numbers):
    """The fit with other numbers: γ first, then those of its variants."""
    own = {
        name: math.exp(min(x, 0.0)) if name == "eps" else float(x)
        for name, x in zip(fit.numbers, numbers[1:], strict=True)
    }
    return replace(fit, gamma=float(numbers[0]), numbers=own)


def _short(name, number):
    """The two digits that a number was probably written with."""
    if name != "eps" and abs(number) < 1e-6:
        return 0.0
    short = float(f"{number:.1e}")
    return short if abs(short - number) < 0.01 * abs(number) else number


# Whole batches -------------------------------------------------------------


def models(subject, fit, expected=None):
    """Return the `Model`s that agree with every answer to whole batches.

    `expected` are the weights of the outputs that were claimed, if any.
    """
    orders = [
        v
        for v in VARIANTS
        if v.part == "order"
        and v.alone is fit.alone
        and v.match == FITTED
        and subject.task in v.tasks
    ]
    if fit.alone is rules.each_example:
        orders = [None, named("modulated after reduction"), *orders]
    found = []
    for order, reduction in product(orders, _reductions(subject)):
        model = _model(subject, fit, order, reduction, expected)
        if model and agrees(subject, model):
            found.append(model)
    if not found and not fit.pairs:
        model = Model(fit, None, _reductions(subject)[0], fit.table)
        changing = replace(model, overwritten=True)
        for reduction in _reductions(subject)[:3]:
            changing = replace(changing, reduction=reduction)
            if agrees(subject, changing):
                return [changing]
    return found or _with_another_divisor(subject, fit)


def _reductions(subject):
    wanted = [
        v
        for v in VARIANTS
        if v.part == "reduction" and subject.task in v.tasks
    ]
    is_map = [v for v in wanted if v.name == "a map over classes"]
    if not subject.is_number:
        return ["none", *is_map]
    kept = [v for v in wanted if v not in is_map]
    return ["mean", "sum", "mean_positive", *kept]


def _columns(subject, fit, table, expected):
    """The weights of outputs that were looked at together, over their mean.

    Those claimed if they have the same mean, else as gradients have it.
    """
    if expected is not None and expected.shape[1] > 1:
        mean = expected.mean(1, keepdims=True)
        if np.allclose(mean, table, 1e-6):
            return expected / mean
    inside = fit.alone is INSIDE
    part = subject.hopeless_weights if inside else subject.shares
    return 1.0 if part is None else part / part.mean(1, keepdims=True)


def _model(subject, fit, order, reduction, expected=None):
    """The model, with weights as they are before the average is taken."""
    table, relative = fit.table, False
    if "weights" in _hidden(reduction):
        table, relative = _relative_weights(subject, fit), True
        if table is None:
            return None
    else:
        table = table / _share(subject, fit, reduction)
        if subject.task == "multi-label" and table.shape[1] == 1:
            table = table * _columns(subject, fit, table, expected)
    model = Model(fit, order, reduction, table, relative)
    if model.normalised:
        hidden = fit.gamma == 0 and order is None
        return _with_hidden_gamma(subject, model) if hidden else None
    return model


def _share(subject, fit, reduction):
    """The part of an element's loss that is left of a single example's.

    By label, or by class: what the reduction makes of an example of ones.
    """
    classes, rule = subject.labels.classes, _rule(reduction)
    by_label = fit.pairs
    shape = (1, classes) if subject.task == "multi-label" else (1,)
    shares = []
    for label in (0.0, 1.0) if by_label else range(classes):
        targets = torch.full(shape, label)
        ones, positive = torch.ones(shape).double(), targets > 0
        if subject.task == "multi-class":
            targets = targets.long()
        if by_label and subject.task == "multi-class":
            ones = torch.ones(1, classes).double()
            positive = torch.arange(classes)[None] == targets[:, None]
        truth = rules.Truth(ones, ones, positive)
        batch = rules.Batch(ones, targets, classes, by_label)
        left = rule(ones, ones, truth, batch, lambda _, ones=ones: ones)
        shares.append(float(left.sum() / ones.numel()))
    return np.array(shares)[:, None] if by_label else np.array(shares)


def _hidden(reduction):
    return getattr(reduction, "hides", ())


def _rule(reduction):
    if isinstance(reduction, str):
        return RIGHT["reduction"][reduction]
    return reduction.rule


def _relative_weights(subject, fit):
    """Weights that a single example hides, from a batch with each label."""
    shares = subject.shares
    if shares is None or not (shares > 0).any():
        return None
    if fit.pairs:
        table = shares.reshape(2, -1) if shares.ndim == 1 else shares
        if subject.task == "multi-class" or table.shape[1] > MANY:
            return None
        return table / table.sum(0)
    table = np.zeros(subject.labels.classes)
    table[list(subject.labels.used)] = shares.sum(1)
    return table / table.sum()


def _with_hidden_gamma(subject, model):
    """The model with the γ that only whole batches show."""
    batch = subject.batch

    @torch.no_grad()
    def gap(gamma):
        made = replace(model, fit=replace(model.fit, gamma=float(gamma[0])))
        value = made.loss()(*map(torch.tensor, batch)).item()
        return [value / (subject.answer.value.item() or 1.0) - 1]

    found = leastsq(gap, [2.0], full_output=True, maxfev=30)[0][0]
    gamma = round(abs(found), 2)
    gamma = gamma if abs(gap([gamma])[0]) < subject.rtol * 10 else found
    return replace(model, fit=replace(model.fit, gamma=gamma))


def _with_another_divisor(subject, fit):
    """The model of a sum over a number that no rule gives, batch by batch."""
    if not subject.is_number:
        return []
    total = Model(fit, None, "sum", fit.table)
    form, seen = subject.plain, []
    for batch, answer in zip(subject.batches, subject.answers, strict=True):
        ours = ask(total.loss(), form, *batch)
        divisor = float(ours.value / answer.value)
        slope = answer.gradient * divisor
        if not close(slope, ours.gradient, subject.rtol * 100):
            return []
        if not 1e-6 < abs(divisor) < 1e9:
            return []
        seen.append(divisor)
    counts = [
        f"{d:.4g} for {int((b[1] > 0).sum())} positives of {b[1].size}"
        for d, b in zip(seen[:2], subject.batches, strict=False)
    ]
    reduction = Variant(
        "another divisor",
        "reduction",
        lambda elements, *rest: elements.sum() / seen[0],
        "the sum divided by a number of its own",
        "the size of loss and gradient is not the one you tune for",
        detail=", ".join(counts),
    )
    return [Model(fit, None, reduction, fit.table)]


def agrees(subject, model):
    """Whether the loss said, call after call, what the model says."""
    made, form = model.loss(), subject.plain
    for batch, theirs in zip(subject.batches, subject.answers, strict=True):
        try:
            ours = ask(made, form, *batch)
        except Refusal:
            return False
        if not close(theirs.value, ours.value, subject.rtol):
            return False
        if not close(theirs.gradient, ours.gradient, subject.rtol * 10):
            return False
    return True


def over_the_batch(subject, gamma, alpha):
    """Return the `Model` of a softmax along axis 0, where singles give 0."""
    if subject.alone is None or np.abs(subject.alone.value).max() > 1e-6:
        return None
    tables = [np.ones(subject.labels.classes)]
    tables += [np.array(alpha)] if isinstance(alpha, tuple) else []
    variant = named("softmax over the batch")
    for table, reduction, detached in product(
        tables, _reductions(subject), (False, True)
    ):
        fit = Fit(variant, None, rules.each_example, gamma, {}, table, 0.0)
        fit = replace(fit, detached=detached)
        model = _model(subject, fit, None, reduction)
        if model and agrees(subject, model):
            return model
    return None
