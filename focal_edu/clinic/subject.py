"""A loss on the table: how it is called, and what it answers, asked once."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product

import numpy as np
import torch

from . import batches
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
from .claims import GUESS, unset
from .said import can_have, numbers_of_classes

NUDGES = ((1e-11, 2e-4), (1e-5, 2e-2))
STEP = 1e-7
HOPELESS = -500.0
MOST = 10  # labels of which each is asked about
NOT_FINITE = "it is NaN or infinite on inputs of ordinary size"
FLAT_MAP = (
    "its gradient is 0 on maps of one place, as if its softmax went along "
    "another axis than the classes"
)
COMPANION = 40.0  # the margin of an example that costs nothing


@dataclass(frozen=True)
class Labels:
    """How many classes there are, and which indices targets may hold."""

    classes: int
    used: tuple

    @classmethod
    def of(cls, classes, ignored=None):
        return cls(classes, tuple(k for k in range(classes) if k != ignored))

    def by_class(self, numbers):
        """Numbers of the indices in use as one a class; 1 for the rest."""
        every = np.ones(self.classes)
        every[list(self.used)] = numbers
        return every


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
    rtol: float
    can_be_told: bool

    @property
    def task(self):
        return self.form.task

    @property
    def plain(self):
        """How a loss of ours is called for the same task."""
        return Form.of(self.task)

    @property
    def is_number(self):
        return self.answers[0].value.ndim == 0

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
        known = 2 if self.task != "multi-class" else len(self.labels.used)
        many = np.repeat(np.array(x_t, float), min(known, MOST))
        return batches.at_margins(self.task, self.labels, many, self.rng)

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
        return cache(
            lambda dtype: "; ".join(
                filter(
                    None, (self._first_bad(sign, dtype) for sign in (-1, 1))
                )
            )
        )

    def _first_bad(self, sign, dtype):
        def bad(size):
            return self.each(self.margins(sign * size), dtype).bad

        high = next((size for size in (100, 20) if bad(size)), None)
        if high is None:
            return ""
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if bad(middle) else (middle, high)
        return f"{bad(high)} at a margin of {sign * high} and beyond"

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
        return batches.singles(self.task, self.labels, self.rng)

    @cached_property
    def alone(self):
        """The answers to `singles`; None where the loss refuses one."""
        try:
            return self.each(self.singles[:2])
        except Refusal:
            return None

    @cached_property
    def in_need(self):
        """Which labels are infinite or NaN where they are alone.

        Of classes, class 0 is the negative, as it is in `rules`.
        """
        if self.task == "multi-class" and self.labels.used[:2] != (0, 1):
            return ()
        rows = batches.one_of_each(self.task, self.labels, 1.0)
        both = [part[:2] for part in rows]
        try:
            value = ask_each(self.loss, self.form, *both).value
            together = np.abs(self.ask(both).value.sum())
        except Refusal:
            return ()
        negative, positive = np.nan_to_num(np.abs(value), nan=np.inf)
        if np.isinf([negative, positive]).all():
            return 0, 1
        alone = np.isinf(negative) or negative > 1000 * together > 0
        return (0,) if alone else ()

    @cached_property
    def hopeless_weights(self):
        """Loss over cross entropy where p_t = 0, as a table of weights.

        With several outputs, each in turn, all others being right.
        """
        rows = batches.one_of_each(self.task, self.labels, HOPELESS)
        if self.task == "multi-label":
            x_t = np.where(np.eye(self.labels.classes), HOPELESS, 40.0)
            both = np.concatenate((-x_t, x_t))
            rows = both, np.repeat(rows[1], len(x_t), 0)
        try:
            value = self.each(rows).value / -HOPELESS
        except Refusal:
            return None
        good = np.isfinite(value).all() and (value > 0).all()
        return self.table(value) if good else None

    @cached_property
    def shifts(self):
        """What each class has added to its logit beyond class 0, or None.

        Where class 0 is far above the truth, cross entropy grows linearly.
        """
        if self.task != "multi-class" or self.labels.used[0] != 0:
            return None
        others = self.labels.used[1:]
        logits = np.zeros((2 * len(others), self.labels.classes))
        logits[:, 0] = np.repeat([-HOPELESS, -2 * HOPELESS], len(others))
        try:
            value = self.each((logits, np.tile(others, 2))).value
        except Refusal:
            return None
        near, far = value.reshape(2, -1)
        shift = HOPELESS * (near / (far - near) - 1)
        good = np.isfinite(shift).all() and np.abs(shift).max() > 1e-6
        return np.append(0.0, shift) if good else None

    @cached_property
    def shares(self):
        """How large gradients are in one batch, as a table of weights."""
        rows = batches.one_of_each(self.task, self.labels, -1.0)
        try:
            size = np.abs(self.ask(rows).gradient)
        except Refusal:
            return None
        size = size.sum(1) if self.task == "multi-class" else size
        good = np.isfinite(size).all() and size.any()
        return self.table(size) if good else None


def meet(loss, form, labels, seed):
    """Return the `Subject`, or raise `Refusal` where it does not answer."""
    rng = np.random.default_rng(seed)
    usual = partial(batches.usual_batch, form.task, labels, rng)
    for other, easy in (
        (labels.classes + 7, False),
        (None, False),  # it may be of one size only,
        (labels.classes + 7, True),  # or of no number where p_t is small
    ):
        one, two = usual(easy=easy), usual(other, easy=easy)
        copy, asked = fresh(loss, form.dtype), (one, two, one)
        try:
            answers = tuple(ask(copy, form, *batch) for batch in asked)
        except Refusal as refusal:
            refused = refusal
            continue
        flat = form.map and not answers[0].gradient.any()
        if not (answers[0].bad or flat):
            break
        refused = Refusal(FLAT_MAP if flat else NOT_FINITE)
    else:
        raise refused
    if form.one_hot and _takes_indices(loss, form, one, labels.classes):
        raise Refusal("it takes each target for the index of a class")
    if form.task != "multi-class" and _wants_signs(
        loss, form, one, answers[0]
    ):
        raise Refusal("it learns nothing from negatives of target 0")
    first = answers[0].gradient
    rtol, can_be_told = 1e-7, True
    for nudge, coarser in NUDGES:
        nudged = fresh(loss, form.dtype)
        nudged = ask(nudged, form, one[0] * (1 + nudge), one[1]).gradient
        moved = np.count_nonzero(nudged != first)
        if moved > 0.5 * np.count_nonzero(first) and (
            rtol > 1e-7 or _smooth(loss, form, one, answers[0])
        ):
            can_be_told = close(nudged, first, 100 * (nudge + rtol))
            break
        rtol, can_be_told = coarser, coarser < 1e-3
    return Subject(
        loss, form, labels, seed, asked, answers, rtol, can_be_told
    )


def _takes_indices(loss, form, batch, classes):
    """Whether it answers to one index an example, and to no other class."""
    column = replace(form, one_hot=False, column=True, integer=True)
    answered = []
    for targets in (batch[1], np.full_like(batch[1], classes)):
        with suppress(Refusal):
            ask(fresh(loss, form.dtype), column, batch[0], targets)
            answered.append(targets is batch[1])
    return answered == [True]


def _wants_signs(loss, form, batch, answer):
    """Whether a target of 0 has a cost that no logit changes."""
    if answer.gradient[batch[1] == 0].any():
        return False
    negatives = ask(fresh(loss, form.dtype), form, batch[0], 0 * batch[1])
    return 0 < np.abs(negatives.value).sum() < np.inf


def _smooth(loss, form, batch, middle):
    """Whether answers beside `middle` show no steps of single precision."""
    x, y = batch
    low, high = (
        ask(fresh(loss, form.dtype), form, x * (1 + step), y)
        for step in (-STEP, STEP)
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
    claimed = said.takes == logarithms
    orders = sorted((False, True), reverse=bool(targets_first(loss)))
    ways = [(exchanged, usual, set()) for exchanged in orders]
    settled = set()  # tasks that logarithms are not tried for
    ways.insert(0 if claimed else 2, (False, [logarithms], settled))
    for exchanged, inputs, but in ways:
        found, why = _answering(loss, said, inputs, exchanged, but)
        if inputs is usual and not exchanged:
            trouble += why
            settled |= {s.task for s in found if _normalises(s)}
        yield from filter(None, _one_label_first(found))


def _normalises(subject):
    """Whether other logits than the true one's count, or there are none."""
    gradient, targets = subject.answer.gradient, subject.batch[1]
    others = np.count_nonzero(gradient) > targets.size
    return not subject.form.probabilities and (
        others or subject.task != "multi-class"
    )


def _one_label_first(found):
    """Those of several labels apart, if some are of one."""
    one_label = any(item.task == "binary" for item in found)
    groups = [], []
    for item in found:
        groups[one_label and item.task == "multi-label"].append(item)
    return groups


def _answering(loss, said, inputs, exchanged, but):
    """A subject for each form of call that answers; why others do not."""
    found, trouble = {}, {}
    index = said.ignore_index
    sizes = enumerate(numbers_of_classes(loss, said.alpha))
    for shapes, (place, classes) in product((FLAT, MAPS), sizes):
        ignored = index if classes > 2 and not unset(index) else None
        labels = Labels.of(classes, ignored)
        ways = product(inputs, shapes, (torch.float64, torch.float32))
        for takes, form, dtype in ways:
            task = form.task
            usual = form.integer == (task == "multi-class")
            if (
                (task, takes) in found
                or task in but
                or said.task not in (GUESS, task)
                or not can_have(task, said.alpha)
                or (place and (task == "binary" or not usual))
            ):
                continue
            how = {"takes": takes, "exchanged": exchanged, "dtype": dtype}
            form = replace(form, **how)
            try:
                found[task, takes] = meet(loss, form, labels, said.seed)
            except Refusal as refusal:
                but_for_sizes = re.sub(r"[\d ,]+", " ", f"{refusal}")
                trouble.setdefault(but_for_sizes, f"{form}: {refusal}")
        hinted = any("examine" in line for line in trouble.values())
        if found or hinted:  # at what to examine instead, of whatever size
            break
    told = [line for line in trouble.values() if "it raised" not in line]
    first = sorted(found.values(), key=lambda s: s.form.takes != said.takes)
    return first, told or [*trouble.values()]
