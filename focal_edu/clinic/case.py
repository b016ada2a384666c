"""One loss on the table: how it is called and what it is held against."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from .calls import Form, ask, ask_each, fresh
from .claims import Claims
from .match import at_margins, true_answer, usual_batch


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
