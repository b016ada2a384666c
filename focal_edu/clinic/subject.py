"""What a loss answers, called in one form, asked once."""

from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from .batches import Labels
from .calls import Answer, Form, Refusal, ask, ask_each, fresh

HOPELESS = -500.0
MOST = 10  # labels of which each is asked about


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
        each example gets one that costs next to nothing.
        """
        if not self.in_need:
            return ask_each(self.loss, self.form, *batch, dtype)
        inside = torch.float64 if self.rtol < 1e-6 else torch.float32
        unit, answers = torch.finfo(dtype or inside).eps, []
        costless = -np.log(unit)  # p is not yet 1, nor 0 · log (1 − p) NaN
        for x, y in zip(*batch, strict=True):
            other = np.zeros_like(y)
            other.flat[0] = not np.any(y)  # one positive, of several labels
            sign = 2 * self.yes(other) - 1
            pair = np.stack([x, costless * sign])
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

    def broken_at(self, dtype):
        """At which margins, to ±100, it is first not finite; else ""."""

        def bad(margin):
            return self.each(self.margins(margin), dtype).bad

        found = []
        for sign in (-1, 1):
            far = next((x for x in (100, 20) if bad(sign * x)), None)
            if far:
                x_t = sign * bisect_left(
                    range(far), True, 1, key=lambda x: bad(sign * x) != ""
                )
                found.append(f"{bad(x_t)} at a margin of {x_t} and beyond")
        return "; ".join(found)

    @cached_property
    def others(self):
        """The gradients of all but two, these being hopeless, then easy."""
        logits, targets = self.batch
        easy = 6 * (2 * self.yes(targets[:2]) - 1)
        moved = (np.append(x, logits[2:], 0) for x in (-easy, easy))
        return [self.ask((x, targets)).gradient[2:] for x in moved]

    @measured
    def mixing(self):
        """How much of a gradient the logits of other examples change."""
        hopeless, easy = self.others
        most = max(np.abs(easy).max(), 1e-300)
        return np.abs(hopeless - easy).max() / most

    @property
    def mixes(self):
        """Whether they change it, by more than rounding."""
        return (self.mixing or 0) > 1e-6

    @cached_property
    def singles(self):
        """Single examples as (logits, targets, margins)."""
        return self.labels.singles(self.rng)

    @measured
    def alone(self):
        """The answers to `singles`."""
        return self.each(self.singles[:2])

    @cached_property
    def repeated(self):
        """What it says of two batches, and what of the same once more."""
        one, other, again = (answer.value for answer in self.answers)
        more = self.ask(self.batches[1]).value
        return np.append(one, other), np.append(again, more)

    @measured
    def is_steady(self):
        return close(*self.repeated, 1e-12)  # but for the order of a sum

    @measured
    def in_steps(self):
        """Whether logits that are all but the same give the very same."""
        logits, targets = self.batch
        beside = self.ask((logits * (1 + 1e-7), targets))
        return np.array_equal(beside.value, self.answer.value)

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
        near, far = (
            self.each(self.labels.against_one(x_t)).value
            for x_t in (HOPELESS / 2, HOPELESS)
        )
        slope = (near - far) / (HOPELESS / 2)
        good = np.isfinite(slope).all() and (slope > 0).all()
        gains = -HOPELESS - far / slope
        table = self.labels.table
        return (table(slope), table(gains)) if good else None

    @measured
    def shares(self):
        """How large gradients are in one batch, as a table of weights."""
        size = np.abs(self.ask(self.labels.one_of_each(-1.0)).gradient)
        size = size.sum(1) if self.task == "multi-class" else size
        good = np.isfinite(size).all() and size.any()
        return self.labels.table(size) if good else None


def close(a, b, rtol):
    """Return whether two arrays agree in shape and in every number."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    finite = np.abs(b[np.isfinite(b)])
    atol = rtol * 0.01 * finite.max(initial=0)
    return np.allclose(a, b, rtol, atol, equal_nan=True)
