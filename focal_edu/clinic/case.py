"""One loss on the table, and the smallest example that tells it apart."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from .batches import at_margins, round_numbers, usual_batch
from .calls import Form, Refusal, ask, ask_each, fresh
from .claims import Claims
from .match import true_answer

FAR = 0.02  # relative difference that is worth showing


@dataclass(frozen=True)
class Case:
    """A loss, how it is called, what it is held against."""

    loss: object
    form: Form
    claims: Claims
    rtol: float
    seed: int

    @property
    def rng(self):
        return np.random.default_rng(self.seed)

    @cached_property
    def batch(self):
        return usual_batch(self.form.task, self.claims.classes, self.rng)

    @cached_property
    def answer(self):
        return ask(self.copy(), self.form, *self.batch)

    def margins(self, *x_t):
        """Examples at these margins, each with every class as the truth."""
        classes = 2 if self.form.task == "binary" else self.claims.classes
        many = np.repeat(np.array(x_t, float), max(2, classes))
        return at_margins(self.form.task, self.claims.classes, many, self.rng)

    def copy(self, dtype=None):
        return fresh(self.loss, dtype or self.form.dtype)

    def inputs(self, batch):
        """The logits as a leaf, and what the loss is called with."""
        leaf = torch.tensor(batch[0], dtype=self.form.dtype)
        leaf.requires_grad_()
        return leaf, self.form.tensors(leaf.clone(), batch[1])

    def each(self, batch, dtype=None, loss=None):
        return ask_each(loss or self.loss, self.form, *batch, dtype)

    def truth(self, batch, **changes):
        """The focal loss of each example; `changes` to what is claimed."""
        claims = replace(self.claims, reduction="none", **changes)
        value = true_answer(claims, *batch).value
        return value if value.ndim == 1 else value.mean(1)

    def own(self, batch):
        """What the loss gives each example: a mean over its labels."""
        value = self.each(batch).value
        if self.form.task != "multi-label":
            return value
        labels = batch[1].shape[1]
        divisor = {
            "mean": labels,
            "mean_positive": np.maximum(1, batch[1].sum(1)),
        }.get(self.claims.reductions[0], 1)
        return value * divisor / labels

    def slope(self, batch):
        """The focal loss's gradient for each example alone."""
        labels = batch[1].shape[1] if self.form.task == "multi-label" else 1
        claims = replace(self.claims, reduction="sum")
        return true_answer(claims, *batch).gradient / labels


@dataclass(frozen=True)
class Example:
    """Numbers to check by hand."""

    logits: list
    targets: list
    what: str
    right: object
    seen: object

    def __str__(self):
        return (
            f"logits {self.logits}, targets {self.targets}: {self.what} "
            f"{_text(self.seen)}, focal loss {_text(self.right)}"
        )


def smallest_example(case):
    """Return the first `Example` that differs, shortest first, or None."""
    for logits, targets, dtype in round_numbers(
        case.form.task, case.claims.classes, case.form.dtype
    ):
        copy = case.copy(dtype)
        try:
            seen = ask(copy, case.form, logits, targets, dtype)
            again = ask(copy, case.form, logits, targets, dtype)
        except Refusal:
            continue
        true = true_answer(case.claims, logits, targets)
        for what, a, b in (
            ("loss", seen.value, true.value),
            ("gradient", seen.gradient, true.gradient),
            ("second call's loss", again.value, true.value),
        ):
            if a.size != b.size or _differ(a.ravel(), b.ravel()):
                return Example(
                    logits.tolist(),
                    targets.tolist(),
                    what,
                    _plain(b),
                    _plain(a),
                )
    return None


def _differ(a, b):
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) > FAR * np.maximum(np.abs(b), 1e-3)
    return bool((off | ~np.isfinite(a)).any())


def _plain(array):
    """Rounded numbers: a list, or the only number there is."""
    rounded = array.round(4)
    return rounded.item() if array.size == 1 else rounded.tolist()


def _text(value):
    if isinstance(value, list):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    return f"{value:.4f}"
