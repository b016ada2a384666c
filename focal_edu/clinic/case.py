"""A loss beside the focal loss it is held against; the smallest example
that tells them apart."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from . import batches
from .calls import Refusal, ask, ask_each
from .report import RISK, apart

FAR = (0.02, 1e-5)  # relative differences that are worth showing, in turn


@dataclass(frozen=True)
class Case:
    """A subject and the claims that it is held against."""

    subject: object
    claims: object

    @property
    def outputs(self):
        """How many elements of the loss an example has."""
        many = self.subject.task == "multi-label"
        return self.claims.classes if many else 1

    @property
    def broken_far_out(self):
        """What it is to break at extreme logits.

        No failure of a loss of probabilities, which have rounded there.
        """
        return RISK if self.claims.probabilities else False

    def truth(self, batch, **changes):
        """The focal loss of each example; `changes` to what is claimed."""
        claims = replace(self.claims, reduction="none", **changes)
        value = claims.answer(*batch).value
        return value.reshape(len(value), -1).sum(1) / self.outputs

    def own(self, batch):
        """What the loss gives each example: a mean over its labels.

        The average that it claims is undone.
        """
        value = self.subject.each(batch).value
        if self.claims.reduction == "mean":
            return value
        if self.claims.reduction in ("none", "sum"):
            return value / self.outputs
        whole = ask_each(self.claims.loss, self.subject.plain, *batch).value
        return value * self.truth(batch) / np.where(whole == 0, 1, whole)

    def slope(self, batch):
        """The focal loss's gradient for each example alone."""
        claims = replace(self.claims, reduction="sum")
        return claims.answer(*batch).gradient / self.outputs


@dataclass(frozen=True)
class Example:
    """Numbers to check by hand."""

    logits: list
    targets: list
    what: str
    right: object
    seen: object

    def __str__(self):
        seen, right = apart(self.seen, self.right, "f", range(4, 9))
        return (
            f"logits {self.logits}, targets {self.targets}: {self.what} "
            f"{seen}, focal loss {right}"
        )


def smallest_example(case):
    """Return the first `Example` that differs, shortest first, or None."""
    subject = case.subject
    for far, (*batch, dtype) in product(
        FAR,
        batches.round_numbers(
            subject.task, subject.labels, subject.form.dtype
        ),
    ):
        copy = subject.copy(dtype)
        try:
            seen = ask(copy, subject.form, *batch, dtype)
            again = ask(copy, subject.form, *batch, dtype)
        except Refusal:
            continue
        true = case.claims.answer(*batch)
        for what, a, b in (
            ("loss", seen.value, true.value),
            ("gradient", seen.gradient, true.gradient),
            ("second call's loss", again.value, true.value),
        ):
            same = a.size == b.size and np.allclose(
                a.ravel(), b.ravel(), far, far * 1e-3
            )
            if not same:
                logits, targets = (array.tolist() for array in batch)
                return Example(logits, targets, what, _plain(b), _plain(a))
    return None


def _plain(array):
    """A list, or the only number there is."""
    rounded = array.round(8)
    return rounded.item() if array.size == 1 else rounded.tolist()
