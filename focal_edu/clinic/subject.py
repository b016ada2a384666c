"""A loss on the table: how it is called, and what it answers, asked once."""

import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import product

import numpy as np
import torch

from ..validate import TASKS
from .batches import Labels
from .calls import (
    FLAT,
    INPUTS,
    MAPS,
    Answer,
    Form,
    Refusal,
    ask,
    ask_each,
    fresh,
    targets_first,
)
from .said import may_be_for, numbers_of_classes

NUDGES = ((1e-11, 2e-4), (1e-5, 2e-2))
STEP = 1e-7
HOPELESS = -500.0
MOST = 10  # labels of which each is asked about
COMPANION = 40.0  # the margin of an example that costs nothing


def measured(measure):
    """A property, measured once; None where the loss refuses."""

    @cached_property
    def known(self):
        with suppress(Refusal):
            return measure(self)

    return known


@dataclass(frozen=True)
class Subject:
    """A loss, one form of calling it, and its answers.

    `batches` holds three: two of different sizes and the first again, which
    one copy of the loss was asked in turn. `rtol` is the agreement to ask
    for: less of a loss that computes in single precision, whatever it is
    given. Where a loss is random, or computes in half precision, its
    mistakes cannot be told apart.
    """

    loss: object
    form: object
    labels: Labels
    seed: int
    batches: tuple
    answers: tuple
    rtol: float = 1e-7
    can_be_told: bool = True

    @property
    def task(self):
        return self.form.task

    @property
    def plain(self):
        """How a loss of ours is called for the same task."""
        return Form.of(self.task)

    @property
    def is_number(self):
        return self.answer.value.ndim == 0

    @property
    def rng(self):
        return np.random.default_rng(self.seed)

    @property
    def batch(self):
        return self.batches[0]

    @property
    def answer(self):
        return self.answers[0]

    def copy(self, dtype=None):
        return fresh(self.loss, dtype or self.form.dtype)

    def ask(self, batch, dtype=None):
        """The answer to the batch."""
        return ask(self.copy(dtype), self.form, *batch, dtype)

    def each(self, batch, dtype=None):
        """The answer to each example, a batch of its own.

        Where a loss is infinite without a positive, or without a negative,
        each example gets one that costs nothing.
        """
        if self.in_need:
            return self._accompanied(batch, dtype)
        return ask_each(self.loss, self.form, *batch, dtype)

    def _accompanied(self, batch, dtype):
        answers = []
        for x, y in zip(*batch, strict=True):
            other = np.zeros_like(y)
            other.flat[0] = not np.any(y)  # one positive, of several labels
            sign = 2 * self.yes(other) - 1
            pair = np.stack([x, COMPANION * sign])
            both = slice(None if np.any(y) in self.in_need else 1)
            asked = pair[both], np.stack([y, other])[both]
            answer = self.ask(asked, dtype)
            answers.append((answer.value.sum(), answer.gradient[0]))
        return Answer(*map(np.array, zip(*answers, strict=True)))

    def yes(self, targets):
        """The targets as 1 and 0, one-hot if of classes."""
        if self.task != "multi-class":
            return targets
        return np.eye(self.labels.classes)[targets]

    def margins(self, *x_t):
        """Examples at these margins, each with every label as the truth."""
        each = min(len(self.labels.known), MOST)
        many = np.repeat(np.array(x_t, float), each)
        return self.labels.at_margins(many, self.rng)

    def table(self, numbers):
        """Numbers of each label, in the shape of a model's weights."""
        if self.task == "multi-class":
            return self.labels.by_class(numbers)
        return numbers.reshape(2, -1)

    def inputs(self, batch):
        """The logits as a leaf, and what the loss is called with."""
        leaf = torch.tensor(batch[0], dtype=self.form.dtype)
        leaf.requires_grad_()
        return leaf, self.form.tensors(leaf.clone(), batch[1])

    @cached_property
    def broken_at(self):
        """Of a dtype: at which margins, to ±100, it is first not finite."""
        return cache(self._broken_at)

    def _broken_at(self, dtype):
        found = (self._first_bad(sign, dtype) for sign in (-1, 1))
        return "; ".join(filter(None, found))

    def _first_bad(self, sign, dtype):
        def bad(size):
            return self.each(self.margins(sign * size), dtype).bad

        far = next((size for size in (100, 20) if bad(size)), None)
        if far is None:
            return ""
        fails = bisect_left(range(far), True, 1, key=lambda x: bad(x) != "")
        return f"{bad(fails)} at a margin of {sign * fails} and beyond"

    @cached_property
    def moved(self):
        """The batch with two examples made hopeless, then easy; answers."""
        logits, targets = self.batch
        easy = 6 * (2 * self.yes(targets[:2]) - 1)
        both = [(np.append(x, logits[2:], 0), targets) for x in (-easy, easy)]
        return [(batch, self.ask(batch)) for batch in both]

    @cached_property
    def singles(self):
        """Single examples as (logits, targets, margins)."""
        return self.labels.singles(self.rng)

    @measured
    def alone(self):
        """The answers to `singles`."""
        return self.each(self.singles[:2])

    @measured
    def in_need(self):
        """Which labels are infinite or NaN where they are alone.

        Of classes, class 0 is the negative, as it is in `rules`.
        """
        if self.labels.known[:2] != (0, 1):
            return ()
        both = [part[:2] for part in self.labels.one_of_each(1.0)]
        value = ask_each(self.loss, self.form, *both).value
        together = np.abs(self.ask(both).value.sum())
        negative, positive = np.nan_to_num(np.abs(value), nan=np.inf)
        if np.isinf([negative, positive]).all():
            return 0, 1
        alone = np.isinf(negative) or negative > 1000 * together > 0
        return (0,) if alone else ()

    @measured
    def hopeless(self):
        """What weighs cross entropy where p_t is 0, and what margins gain."""

        def value(x_t):
            rows = self.labels.one_of_each(x_t)
            if self.task == "multi-class":
                first, second, *_ = self.labels.used
                above = np.where(rows[1] == first, second, first)
                rows = -x_t * np.eye(self.labels.classes)[above], rows[1]
            elif self.task == "multi-label":  # each in turn, others right
                one = np.where(np.eye(self.labels.classes), x_t, COMPANION)
                both = np.concatenate((-one, one))
                rows = both, np.repeat(rows[1], len(one), 0)
            return self.each(rows).value

        near, far = map(value, (HOPELESS / 2, HOPELESS))
        slope = (near - far) / (HOPELESS / 2)
        good = np.isfinite(slope).all() and (slope > 0).all()
        gains = -HOPELESS - far / slope
        return (self.table(slope), self.table(gains)) if good else None

    @measured
    def shares(self):
        """How large gradients are in one batch, as a table of weights."""
        size = np.abs(self.ask(self.labels.one_of_each(-1.0)).gradient)
        size = size.sum(1) if self.task == "multi-class" else size
        good = np.isfinite(size).all() and size.any()
        return self.table(size) if good else None


def meet(loss, form, labels, seed):
    """Return the `Subject`, or raise `Refusal` where it does not answer."""
    subject = _answered(loss, form, labels, seed)
    if form.one_hot and _takes_indices(subject):
        raise Refusal("it takes each target for the index of a class")
    _hear_targets(subject)
    rtol, can_be_told = _precision(subject)
    return replace(subject, rtol=rtol, can_be_told=can_be_told)


def _answered(loss, form, labels, seed):
    """The subject, with the first batches that it answers as it should."""
    rng = np.random.default_rng(seed)
    for other, easy in (
        (labels.classes + 7, False),
        (None, False),  # it may be of one size only,
        (labels.classes + 7, True),  # or of no number where p_t is small
    ):
        one = labels.usual(rng, easy=easy)
        asked = one, labels.usual(rng, other, easy), one
        copy = fresh(loss, form.dtype)
        try:
            answers = tuple(ask(copy, form, *batch) for batch in asked)
            if not answers[0].gradient.any():
                of = "maps of one place" if form.map else "ordinary inputs"
                raise Refusal(
                    f"its gradient is 0 on {of}, as if its softmax went "
                    "along another axis than the classes"
                )
            if answers[0].bad:
                raise Refusal(
                    "it is NaN or infinite on inputs of ordinary size"
                )
        except Refusal as refusal:
            refused = refusal
        else:
            return Subject(loss, form, labels, seed, asked, answers)
    raise refused


def _takes_indices(subject):
    """Whether it answers to one index an example, and to no other class."""
    form = replace(subject.form, one_hot=False, column=True, integer=True)
    column, (logits, targets) = replace(subject, form=form), subject.batch
    answered = []
    for asked in (targets, np.full_like(targets, subject.labels.classes)):
        with suppress(Refusal):
            column.ask((logits, asked))
            answered.append(asked is targets)
    return answered == [True]


def _hear_targets(subject):
    """Raise `Refusal` where targets teach nothing, or those of 0 do not."""
    (logits, targets), slope = subject.batch, subject.answer.gradient
    first = np.full_like(targets, subject.labels.known[0])
    try:
        same = subject.ask((logits, first))
    except Refusal:  # one label alone is not enough for it
        return
    if close(slope, same.gradient, 1e-5):
        raise Refusal("its targets do not change its gradient")
    if subject.task != "multi-class" and not slope[targets == 0].any():
        if 0 < np.abs(same.value).sum() < np.inf:  # which no logit changes
            raise Refusal("it learns nothing from negatives of target 0")


def _precision(subject):
    """The agreement to ask for, and whether that tells mistakes apart."""
    logits, targets = subject.batch
    first, rtol = subject.answer.gradient, subject.rtol
    for nudge, coarser in NUDGES:
        nudged = subject.ask((logits * (1 + nudge), targets)).gradient
        moved = np.count_nonzero(nudged != first)
        if moved > 0.5 * np.count_nonzero(first) and (
            rtol > 1e-7 or _smooth(subject)
        ):
            return rtol, close(nudged, first, 100 * (nudge + rtol))
        rtol = coarser
    return rtol, False


def _smooth(subject):
    """Whether answers beside the first show no steps of single precision."""
    (logits, targets), middle = subject.batch, subject.answer
    low, high = (
        subject.ask((logits * (1 + step), targets)) for step in (-STEP, STEP)
    )
    return all(
        np.abs(b - 2 * a + c).max() <= 1e-10 * np.abs(a).max()
        for a, b, c in (
            (middle.value, low.value, high.value),
            (middle.gradient, low.gradient, high.gradient),
        )
    )


def close(a, b, rtol):
    """Return whether two arrays agree in shape and in every number."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    finite = np.abs(b[np.isfinite(b)])
    atol = rtol * 0.01 * finite.max(initial=0)
    return np.allclose(a, b, rtol, atol, equal_nan=True)


def subjects(loss, said, trouble):
    """Yield groups of subjects, likeliest first; `trouble` gets why not.

    Several labels are tried where one is not explained, and the other
    order of arguments where nothing is, or first where names ask for it.
    Logarithms of probabilities come first if claimed, and else last.
    """
    *usual, logarithms = INPUTS
    tasks = {task for task in TASKS if may_be_for(task, said)}
    rest = set(tasks)  # that logarithms are tried for
    orders = sorted((False, True), reverse=bool(targets_first(loss)))
    ways = [(usual, exchanged, tasks) for exchanged in orders]
    claimed = said.takes == logarithms
    ways.insert(0 if claimed else 2, ([logarithms], False, rest))
    for inputs, exchanged, asked in ways:
        found, why = _answering(loss, said, asked, inputs, exchanged)
        if inputs is usual and not exchanged:
            trouble += why
            rest -= {s.task for s in found if _normalises(s)}
        one = any(s.task == "binary" for s in found)
        later = [s for s in found if one and s.task == "multi-label"]
        first = [s for s in found if not (one and s.task == "multi-label")]
        yield from filter(None, (first, later))


def _normalises(subject):
    """Whether other logits than the true one's count, or there are none."""
    gradient, targets = subject.answer.gradient, subject.batch[1]
    others = np.count_nonzero(gradient) > targets.size
    return not subject.form.probabilities and (
        others or subject.task != "multi-class"
    )


def _answering(loss, said, tasks, inputs, exchanged):
    """A subject for each form of call that answers; why others do not."""
    found, refused = {}, {}
    first, *_ = sizes = numbers_of_classes(loss, said.alpha)
    for shapes, classes in product((FLAT, MAPS), sizes):
        ways = product(inputs, shapes, (torch.float64, torch.float32))
        for takes, form, dtype in ways:
            task = form.task
            usual = form.integer == (task == "multi-class")
            if (
                (task, takes) in found
                or task not in tasks
                or (classes != first and (task == "binary" or not usual))
            ):
                continue
            how = {"takes": takes, "exchanged": exchanged, "dtype": dtype}
            form = replace(form, **how)
            ignored = said.ignore_index if classes > 2 else None
            labels = Labels(task, classes, ignored)
            try:
                found[task, takes] = meet(loss, form, labels, said.seed)
            except Refusal as refusal:
                but_for_sizes = re.sub(r"[\d ,]+", " ", f"{refusal}")
                refused.setdefault(but_for_sizes, (form, refusal))
        hinted = any(refusal.hint for _, refusal in refused.values())
        if found or hinted:  # at what to examine instead, of whatever size
            break
    told = [why for why in refused.values() if not why[1].raised]
    why = [f"{form}: {refusal}" for form, refusal in told or refused.values()]
    found = sorted(found.values(), key=lambda s: s.form.takes != said.takes)
    return found, why
