"""What single examples say: the variants that explain them, with numbers.

In any loss built of `rules` the weights are linear, so that only the few
other numbers are searched for, by least squares.
"""

import math
import re
from dataclasses import replace
from functools import cache, cached_property, partial
from itertools import product

import numpy as np
import torch
from scipy.optimize import leastsq

from . import batches, rules
from .model import SINGLE, Model, in_words
from .names import named, probability, variants_of
from .names.variant import ALONE, FITTED

MANY = 100  # sigmoids of classes beyond which they weigh the same
SLACK = 20  # for what is beside another answer
STALLED = 0.2  # a search that gains less than this has no exact end
OTHER_STARTS = {  # of numbers that a search does not lead to from anywhere
    "alpha": (0.5, 0.75),
    "threshold": (0.15, 0.35, 0.65, 0.85),
    "epsilon": (-1.0,),
    "prior": (-4.0, -2.0, 2.0, 4.0),
    "scale": (-1.0,),
}
OF_LOGITS = re.compile("squashed|log forgotten")
INSIDE = named("weights inside p_t")
SMOOTHED = named("label smoothing, p_t read back")
ENTROPY = named("cross entropy for p_t")
NORMALISED = named("divided by the sum of the factors")


def fits(subject):
    """Yield lists of the `Model`s with no change, one, then two, if any."""
    data = _Singles(subject)
    if data.known.sum() <= 8:  # it has nothing to say of single examples
        return
    found = data.plainest()
    yield found
    if any(model.order is None for model in found):
        return
    squashed = subject.form.probabilities  # by us, who may take the log, too
    probabilities, factors = (
        [
            variant
            for variant in variants_of(part, data.task)
            if variant.match in (FITTED, ALONE)
            and not (squashed and OF_LOGITS.match(variant.name))
        ]
        for part in ("probability", "factor")
    )
    if data.task != "multi-class":
        probabilities += [*data.one_sided(probabilities)]
    one = [(change,) for change in (ENTROPY, *probabilities, *factors)]
    two = [
        (probability, factor)
        for probability, factor in product(probabilities, factors)
        if probability.match == FITTED
        and (factor.match == FITTED or not probability.numbers)
    ]
    # that examples mix is a change of its own
    for several in (one,) if subject.mixes else (one, two):
        drafts = map(_draft, filter(data.may_be, several))
        yield [*filter(None, map(data.fit, drafts))]


def _draft(changes):
    """The model that these variants make."""
    return Model(**{variant.part: variant for variant in changes})


class _Singles:
    """The answers to single examples, and how well models explain them."""

    def __init__(self, subject):
        self.subject, self.task = subject, subject.task
        logits, targets, self.x_t = subject.singles
        self.batch = rules.batch_of(
            torch.tensor(logits), torch.tensor(targets)
        )
        answers = subject.alone
        self.value, self.slope = answers.value, answers.gradient
        size = np.nan_to_num(np.abs(self.value), posinf=1.0)
        self.size = size
        self.allowed = cache(self._allowed)
        self.known = np.isfinite(self.value) & (size > 1e-30)
        self.known &= self.x_t > batches.FAR
        self.label = targets.reshape(len(targets), -1)[:, 0]
        self.broken = self._broken(self.value)
        self.broken_by = cache(self._broken_by)

    def _allowed(self, rtol):
        """The relative gap that rounding explains, of each example."""
        unit = 1.1e-16 if rtol < SINGLE else 6e-8
        small = 1 / (1 + np.exp(np.abs(self.x_t)))
        small = np.minimum(small, np.cbrt(self.size)) + 1e-300
        return rtol + np.minimum(0.05, 20 * unit / small)

    @cached_property
    def outputs(self):
        """The weights of several outputs, but for one factor a label."""
        shares = self.subject.shares
        if self.task != "multi-label" or shares is None:
            return None
        return np.nan_to_num(shares / shares.mean(1, keepdims=True), nan=1)

    def may_be(self, changes):
        """Whether these variants break what the loss breaks, and no more.

        Of classes, the numbers of a variant may mend what it breaks; else
        they would make it none.
        """
        firm = self.task != "multi-class"
        broken = zip(*map(self.broken_by, changes), strict=True)
        for own, theirs in zip(self.broken, broken, strict=True):
            surely = [
                there and (firm or not variant.numbers)
                for there, variant in zip(theirs, changes, strict=True)
            ]
            if (not any(theirs)) if own else any(surely):
                return False
        return True

    @torch.no_grad()
    def _broken_by(self, variant):
        """What a variant breaks, all weights being 1."""
        draft = _draft([variant])
        truth = draft.rule("probability")(self.batch)
        factor = partial(draft.factors, gamma=draft.gamma)
        own = draft.alone(truth, torch.ones(()), factor, torch.clone)
        return self._broken(own.reshape(len(own), -1).sum(1).numpy())

    def _broken(self, value):
        """Whether more than p_t decides, and more than a weight by label.

        Seen beside the first example at the same margin.
        """
        slack = self.allowed(self.subject.rtol)
        x_t, label, size, slack = (
            array[self.known]
            for array in (self.x_t, self.label, np.abs(value), slack)
        )
        _, first, place = np.unique(
            x_t, return_index=True, return_inverse=True
        )
        like = first[place]
        gap = np.log(size / size[like])
        slack = SLACK * (slack + slack[like])
        by_others = by_more = False
        for one, other in {*zip(label, label[like], strict=True)}:
            rows = (label == one) & (label[like] == other)
            low, high = (gap - slack)[rows], (gap + slack)[rows]
            differ = not low.max() <= high.min()
            by_others |= differ and one == other
            by_more |= differ
        return by_others, by_more

    def one_sided(self, variants):
        """Yield those that smooth one label, where the other is plain."""
        for label, name in enumerate(("negatives", "positives")):
            if not self.fit(Model(), rows=self.label != label):
                continue
            for variant in variants:
                if "share" in variant.numbers:
                    rule = partial(
                        probability.of_one_label, variant.rule, label
                    )
                    own = {"numbers": {f"share of {name}": 0.1}}
                    yield replace(variant, rule=rule, match=ALONE, **own)

    def plainest(self):
        """The models that change neither probability nor factor."""
        plain = self.fit(Model())
        if plain and plain.gamma:
            return [plain]
        found = [plain, self.fit(Model(order=NORMALISED))]
        if self.subject.hopeless is not None:
            found += [*self._read_back(), *self._moved()]
        return [*filter(None, found)]

    def _read_back(self):
        """Yield those with p_t of a weighted, perhaps smoothed, entropy."""
        weights = torch.tensor(self.subject.hopeless[0])
        each = weights.shape[-1] if weights.ndim == 2 else 1  # in a mean
        few = len(weights) if len(weights) <= 10 else 0  # of many one for all
        tables = [weights] + [weights.sum(-1, keepdim=True)] * (each > 1)
        for weights, share in product(tables, ({}, {"share": 0.1})):
            rule = partial(probability.read_back_of, weights=weights)
            numbers = {f"{k}": each for k in range(few)} | share
            back = replace(SMOOTHED, rule=rule, numbers=numbers)
            if found := self.fit(Model(back), by_output=False):
                break
        else:
            return
        own = dict(found.numbers)
        share = own.pop("share", 0.0)
        inside = (np.array([*own.values()] or 1.0) * weights.numpy().T).T
        if np.allclose(inside, 1) or not found.gamma:
            return  # smoothed at most, as is searched for
        own = {"weights": torch.tensor(inside), "share": share}
        back = replace(back, rule=partial(probability.over_weights, **own))
        back = replace(back, numbers={"share": share}) if share else None
        whole = replace(found, probability=back, order=INSIDE)
        yield replace(whole, table=inside * found.table)
        if min(np.ptp(found.table), np.ptp(inside)) > 1e-6:  # else 1 − p_t^w
            rule = partial(probability.read_back_of, **own)
            more = f", smoothed by {share:.3g}" * bool(share)
            back = replace(INSIDE, rule=rule, detail=in_words(inside) + more)
            yield replace(found, probability=back)

    def _moved(self):
        """Yield those with margins by label, or priors of classes, if any.

        Weights within p_t are slopes over the scale of the logits.
        """
        weights, gains = self.subject.hopeless
        opposite = np.allclose(gains[0], -gains[1])
        if np.ptp(gains) < 1e-6 or (opposite and gains.ndim == 2):
            return  # or a prior, which is searched for
        rule = partial(probability.with_margins, gains=torch.tensor(gains))
        moved = named("logits scaled or shifted")
        own = {"scale": weights.sum() / len(weights)}
        told = f"m = {in_words(-gains)}"
        if opposite:
            gains = np.append(0.0, gains[1:])
            rule = partial(probability.with_prior, prior=torch.tensor(gains))
            told = "b = " + ", ".join(f"{b:.3g}" for b in gains[:8])
            moved, own = named("logits shifted by a prior"), {}
        moved = replace(moved, rule=rule, numbers=own, detail=told)
        yield (plain := self.fit(Model(moved)))
        if plain or opposite:
            return
        slopes = torch.tensor(weights)
        rule = partial(
            probability.with_margins_read_back,
            gains=torch.tensor(gains),
            slopes=slopes,
        )
        found = self.fit(Model(replace(SMOOTHED, rule=rule, numbers=own)))
        if found and np.allclose(found.table, 1):
            inside = weights / found.numbers["scale"]
            moved = replace(moved, numbers=found.numbers)
            yield replace(
                found, probability=moved, order=INSIDE, table=inside
            )

    def fit(self, draft, by_output=True, rows=True):
        """Return the draft with its numbers and weights, or None."""
        known = self.known & rows
        fixed = self.outputs if by_output else None
        if draft.order is ENTROPY:
            known = known & (self.x_t > -0.5)  # CE below 1
        elif draft.order is NORMALISED:  # a small ε beside the factor is none
            known = known & (self.x_t < 0)
        else:  # where p_t + ε exceeds 1, the loss changes its sign
            most = np.sign(self.value[known].sum())
            known = known & (np.sign(self.value) == most)
        if known.sum() < 4:
            return None
        few = known & np.isin(self.x_t, batches.NEAR)
        few = few if few.sum() > 8 else known
        starts = [*self._starts(draft.numbers)]
        found = Search(self, draft, few, fixed).least(starts)
        if found is None:
            return None
        whole = Search(self, draft, known, fixed)
        table, off = whole.solved(found)
        worst = float(np.abs(off).max())
        if not worst < 1:
            return None
        found = replace(found, table=table, residual=worst * whole.rtol)
        return self._with_slope(whole.neat(found), known)

    def _starts(self, numbers):
        """Where to begin: at the slope of loss over CE between two points."""
        ratio = np.abs(self.value / np.logaddexp(0, -self.x_t))
        near = [ratio[self.known & (self.x_t == x)] for x in (-0.3, 3.0)]
        slope = 2.0
        if near[0].size and near[1].size:
            steepness = np.logaddexp(0, 3.0) - np.logaddexp(0, -0.3)
            slope = np.log(near[0][-1] / near[1][-1]) / steepness
        slope = float(np.clip(slope, 0.5, 12))  # never 0
        numbers = dict(numbers)
        yield [slope, *numbers.values()]
        for place in (-3.5, -5) if "eps" in numbers else ():
            numbers["eps"] = self._floor(place) or numbers["eps"]
            yield [slope, *numbers.values()]
        free = self.x_t[self.value == 0]
        if "margin" in numbers and free.size:  # p was below it there
            numbers["margin"] = 1 / (1 + math.exp(free.min() - 0.3))
            yield [slope, *numbers.values()]
        if "shift" in numbers:
            numbers |= {"scale": (slope + 1) / 3, "shift": 0.0}
            yield [2.0, *numbers.values()]
        elif len(numbers) < 2 or "0" in numbers:
            yield [2.0, *numbers.values()]
            yield [4.0, *numbers.values()]
        others = dict(OTHER_STARTS)
        if self.subject.hopeless is not None:  # weights times the scale
            slopes = self.subject.hopeless[0]
            others["scale"] += slopes.min(), slopes.max()
            if "0" in numbers:  # the same weights twice
                once = slopes.reshape(len(slopes), -1)[:, 0] ** -0.5
                own = {f"{k}": w for k, w in enumerate(once)}
                yield [2.0, *(numbers | own).values()]
        for name in numbers.keys() & others.keys():
            for start in others[name]:
                yield [2.0, *(numbers | {name: start}).values()]

    def _floor(self, place):
        """The ε at whose logarithm the loss stays far out; 0 if it grows."""
        far, near = (
            np.abs(self.value[self.x_t == x]) for x in (batches.FAR, place)
        )
        stays = far[-1] < 4 * near[-1]
        return math.exp(place * far[-1] / near[-1]) if stays else 0.0

    def _with_slope(self, model, known):
        """With `detached` as the gradients have it."""
        seen = self.slope[known]
        allowed = self.allowed(model.rtol(self.subject.rtol))[known]
        for detached in (False, True):
            model = replace(model, detached=detached)
            leaf = self.batch.logits.clone().requires_grad_()
            value = model.loss()(leaf, self.batch.targets)
            slope = torch.autograd.grad(value, leaf)[0].numpy()[known]
            size = np.abs(slope).reshape(len(slope), -1).max(1)
            gap = np.abs(slope - seen).reshape(len(slope), -1).max(1)
            if (gap <= (1e-9 + 100 * allowed) * size).all():
                return model
        return replace(model, detached=False)


class Search:
    """How far off the best weights leave a draft, for given numbers."""

    def __init__(self, data, draft, known, fixed):
        self.draft = draft
        rows = torch.tensor(known)
        whole = data.batch
        self.batch = whole._replace(
            logits=whole.logits[rows], targets=whole.targets[rows]
        )
        self.value = data.value[known]
        self.rtol = draft.rtol(data.subject.rtol)
        self.allowed = data.allowed(self.rtol)[known]
        self.truth = cache(
            lambda part: Model(part).rule("probability")(self.batch)
        )
        truth, classes = self.truth(draft.probability), whole.classes
        self.shape = (
            2,
            classes if whole.multi_class and classes <= MANY else 1,
        )
        if rules.by_class(truth, self.batch):
            self.shape = (classes,)
        places = np.arange(np.prod(self.shape)).reshape(self.shape)
        self.fixed = np.ones(self.shape) if fixed is None else fixed
        self.given, place = (
            rules.of_table(torch.tensor(table), truth, self.batch)
            for table in (self.fixed, places)
        )
        self.place = place.long().expand_as(truth.log_p).numpy()
        self.asked = np.isin(places, self.place)

    def least(self, starts):
        """The draft with the numbers that leave next to nothing, or None.

        Sought from the best of the starts: γ, then the variants' numbers.
        A margin has an edge on the way: from each of them.
        """

        @cache
        def off(*numbers):
            return self.solved(self._with(numbers))[1]

        starts = [self._coded(start) for start in starts]
        starts.sort(key=lambda start: (off(*start) ** 2).sum())
        for start in starts[: None if "margin" in self.draft.numbers else 1]:
            numbers = leastsq(
                lambda numbers: off(*numbers),
                start,
                full_output=True,
                ftol=STALLED,
                maxfev=200,
            )[0]
            found = self._with(numbers)
            near = max(map(abs, numbers)) < 100
            near &= found.numbers.get("eps", 0) < 0.5  # else all but 1 − p_t
            near &= all(
                1e-3 < x < (0.98 if k == "share" else 0.49)
                for k, x in found.numbers.items()
                if "share" in k
            )
            if near and np.abs(off(*numbers)).max() < 1:
                return found
        return None

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
        return self.draft.given(float(coded[0]), own)

    @torch.no_grad()
    def solved(self, model):
        """The table of weights that fit best, and how far off that leaves it.

        A sigmoid that is never positive weighs as the others; where each
        class has a term and none is negative, both rows are one.
        """
        factor = partial(model.factors, gamma=model.gamma)
        truth = self.truth(model.probability)
        elements = model.alone(truth, self.given, factor, torch.clone)
        with np.errstate(all="ignore"):
            part = self._sums(elements.numpy()) / self.value[:, None]
            table, ratio = self._least_squares(part)
            far = np.where(ratio > 0, np.log(np.abs(ratio)), ratio - 1)
            off = np.nan_to_num(far / self.allowed, nan=1e9, neginf=-1e9)
        table = table.reshape(self.shape)
        if len(self.shape) == 2 and self.asked[1].any():
            asked = self.asked[1]
            table[1] = np.where(asked, table[1], table[1][asked].mean())
            if self.batch.multi_class and not self.asked[0].any():
                table[0] = table[1]
        return table * self.fixed, off

    def _sums(self, elements):
        """The elements of each weight, row by row."""
        rows, size = len(elements), self.asked.size
        place = np.arange(rows) * size + self.place.T
        sums = np.bincount(place.ravel(), elements.T.ravel(), rows * size)
        return sums.reshape(rows, size)

    def _least_squares(self, part):
        """The weights, and the whole over what the loss gave."""
        scaled = part / self.allowed[:, None]
        if not np.isfinite(scaled).all():
            return np.zeros(part.shape[1]), np.full(len(part), np.nan)
        size = np.abs(scaled).max(0) + (scaled == 0).all(0)
        even = scaled / size
        table = np.linalg.lstsq(even, 1 / self.allowed, rcond=None)[0] / size
        return table, part @ table

    def neat(self, found):
        """The numbers as they were probably written, if those do as well.

        A factor that does not help is none.
        """
        gamma = round(abs(found.gamma), 2) + 0.0
        plain = replace(found, factor=None, gamma=gamma)
        found = plain if np.abs(self.solved(plain)[1]).max() < 1 else found
        short = {k: _short(k, x) for k, x in found.numbers.items()}
        for numbers in (short, found.numbers):
            neat = found.given(gamma, numbers)
            table, off = self.solved(neat)
            if np.abs(off).max() < 1:
                return replace(neat, table=as_written(table))
        return replace(found, gamma=max(found.gamma, 0.0))


def as_written(number):
    """Return numbers with the five decimals they probably had, if close."""
    number = np.asarray(number, float)
    near = number.round(5)
    return np.where(np.abs(near - number) < 2e-7, near, number)


def _short(name, number):
    """The two digits that a number was probably written with."""
    if name != "eps" and abs(number) < 1e-6:
        return 0.0
    short = float(f"{number:.1e}")
    return short if abs(short - number) < 0.01 * abs(number) else number
