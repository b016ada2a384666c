"""A loss beside the focal loss it is held against; the smallest example
that tells them apart."""

from dataclasses import dataclass, replace

import numpy as np

from . import batches
from .calls import Refusal, ask, ask_each
from .report import RISK

FAR = (0.02, 1e-5)  # relative differences that are worth showing, in turn


@dataclass(frozen=True)
class Case:
    """A subject and the claims that it is held against."""

    subject: object
    claims: object

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
        if value.ndim == 1:
            return value
        many = self.subject.task == "multi-label"
        return value.mean(1) if many else value.sum(1)

    def own(self, batch):
        """What the loss gives each example: a mean over its labels.

        The average that it claims is undone.
        """
        value = self.subject.each(batch).value
        if self.claims.reduction in ("none", "mean", "sum"):
            many = self.subject.task == "multi-label"
            summed = many and self.claims.reduction != "mean"
            return value / batch[1].shape[1] if summed else value
        whole = ask_each(self.claims.loss, self.subject.plain, *batch).value
        return value * self.truth(batch) / np.where(whole == 0, 1, whole)

    def slope(self, batch):
        """The focal loss's gradient for each example alone."""
        many = self.subject.task == "multi-label"
        labels = batch[1].shape[1] if many else 1
        claims = replace(self.claims, reduction="sum")
        return claims.answer(*batch).gradient / labels


@dataclass(frozen=True)
class Example:
    """Numbers to check by hand."""

    logits: list
    targets: list
    what: str
    right: object
    seen: object

    def __str__(self):
        seen, right = _apart(self.seen, self.right)
        return (
            f"logits {self.logits}, targets {self.targets}: {self.what} "
            f"{seen}, focal loss {right}"
        )


def smallest_example(case):
    """Return the first `Example` that differs, shortest first, or None."""
    return next(filter(None, (_first(case, far) for far in FAR)), None)


def _first(case, far):
    subject = case.subject
    for logits, targets, dtype in batches.round_numbers(
        subject.task, subject.labels, subject.form.dtype
    ):
        copy = subject.copy(dtype)
        try:
            seen = ask(copy, subject.form, logits, targets, dtype)
            again = ask(copy, subject.form, logits, targets, dtype)
        except Refusal:
            continue
        true = case.claims.answer(logits, targets)
        for what, a, b in (
            ("loss", seen.value, true.value),
            ("gradient", seen.gradient, true.gradient),
            ("second call's loss", again.value, true.value),
        ):
            if a.size != b.size or _differ(a.ravel(), b.ravel(), far):
                return Example(
                    logits.tolist(),
                    targets.tolist(),
                    what,
                    _plain(b),
                    _plain(a),
                )
    return None


def _differ(a, b, far):
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) > far * np.maximum(np.abs(b), 1e-3)
    return bool((off | ~np.isfinite(a)).any())


def _plain(array):
    """A list, or the only number there is."""
    rounded = array.round(8)
    return rounded.item() if array.size == 1 else rounded.tolist()


def _apart(one, other):
    """Both as text, with as many digits as their difference needs."""
    for digits in range(4, 9):
        shown = _text(one, digits), _text(other, digits)
        if shown[0] != shown[1]:
            break
    return shown


def _text(value, digits):
    if isinstance(value, list):
        return "[" + ", ".join(_text(v, digits) for v in value) + "]"
    return f"{value:.{digits}f}"
