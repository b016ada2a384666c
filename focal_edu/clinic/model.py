"""A loss as a variant for each part, numbers, weights; and such a loss."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from ..validate import show
from . import rules
from .names import RIGHT, named
from .names.alpha import overwritten
from .names.order import unfocused
from .names.variant import Variant

SEARCHED = "probability", "factor"  # the parts that have numbers to fit
SINGLE = 1e-6
"""The agreement to ask for where all that is known is in float32."""
LESS = 5
"""How much coarser it is where a constant is, or several are searched for."""


@dataclass(frozen=True)
class Model:
    """A whole loss, None for each part that is the paper's.

    `table` has a weight for each class, or two rows, of negatives and
    positives, with one for each output. `reduction` is a variant or one of
    the names of reductions. `residual` is the largest relative gap that
    rounding does not explain, `detached` says that the gradient takes the
    factor for a constant.
    """

    probability: Variant | None = None
    factor: Variant | None = None
    order: Variant | None = None
    alpha: Variant | None = None
    reduction: object = "sum"
    gamma: float = 2.0
    table: np.ndarray | None = None
    residual: float = 0.0
    detached: bool = False

    @property
    def pairs(self):
        """Whether weights are by label, not by class."""
        return self.table.ndim == 2

    @property
    def alone(self):
        """The rule of the order, as one example shows it."""
        return self.order.alone if self.order else rules.each_example

    @property
    def focused(self):
        """Whether one example alone shows the factor."""
        return self.alone is not unfocused

    @property
    def relative(self):
        """Whether the weights are known but for a factor."""
        parts = self.order, self.reduction
        return any(getattr(part, "relative", False) for part in parts)

    def rtol(self, usual):
        """Return the agreement to ask for, where `usual` is that of others.

        Of targets smoothed in float32 1 − y keeps fewer digits than y, and
        a sum of weights in float32 fewer than they.
        """
        told = f"{self.probability}; {self.reduction}"
        if "clamped targets" in told:
            return max(usual, SINGLE)
        coarse = "smoothing" in told or "over the weights" in told
        return usual * LESS if coarse else usual

    @property
    def numbers(self):
        """The numbers of the variants, γ apart, by name."""
        parts = (getattr(self, part) for part in SEARCHED)
        return {
            k: x for part in parts if part for k, x in part.numbers.items()
        }

    def given(self, gamma, numbers):
        """Return the model with these numbers in place of its own."""
        parts = {}
        for part in SEARCHED:
            if variant := getattr(self, part):
                own = {name: numbers[name] for name in variant.numbers}
                parts[part] = replace(variant, numbers=own)
        return replace(self, gamma=gamma, **parts)

    def rule(self, part):
        """Return what computes a part, its numbers included."""
        variant = getattr(self, part)
        if isinstance(variant, Variant):
            return variant.with_numbers
        return RIGHT[part] if variant is None else RIGHT[part][variant]

    def factors(self, truth, gamma):
        factor = self.rule("factor")(truth, gamma=gamma)
        return factor.detach() if self.detached else factor

    def loss(self, alpha=None):
        """Return it as a callable, of an α where it has no table."""
        parts = {part: self.rule(part) for part in RIGHT}
        parts["factor"] = self.factors
        if self.table is not None:
            table = torch.as_tensor(self.table)
            if self.alpha:
                alpha = tuple(table.tolist())
            else:
                parts["alpha"] = lambda alpha, paper_s: table
        return BuiltLoss(parts, self.gamma, alpha)


def in_words(table):
    """Weights of classes as a list, those by label as told apart."""
    if table.ndim == 1:
        return show(tuple(table))
    negative, positive = (
        show(tuple(row)) if np.ptp(row) > 1e-6 else f"{row[0]:.6g}"
        for row in table + 0.0
    )
    return f"{positive} for positives, {negative} for negatives"


@dataclass
class BuiltLoss:
    """A loss put together from five rules."""

    parts: dict
    focusing: float
    balance: object

    def __call__(self, logits, targets):
        batch = rules.batch_of(logits, targets)
        truth = self.parts["probability"](batch)
        by_class = rules.by_class(truth, batch)
        table = rules.table_of(
            self.balance, batch.classes, batch.multi_class, by_class
        )
        table = self.parts["alpha"](self.balance, table)
        weights = rules.of_table(table, truth, batch)
        if self.parts["alpha"] is overwritten:
            self.balance = tuple(weights.tolist())
        factor = partial(self.parts["factor"], gamma=self.focusing)
        return self.parts["order"](
            truth,
            weights,
            factor,
            lambda elements: self.parts["reduction"](
                elements, weights, truth, batch, factor
            ),
        )


def build(
    *changes,
    task="binary",
    gamma=2.0,
    alpha=None,
    reduction="mean",
    **numbers,
):
    """Return the loss that `changes` make of the focal loss.

    Parameters
    ----------
    *changes : str or Variant
        None of them: the focal loss itself. At most one for each part.
    task : "binary", "multi-class" or "multi-label"
    gamma, alpha, reduction
        As in `focal_edu.FocalLoss`; class weights may be any sequence.
    **numbers : float, optional
        For the variants that have some, as `eps`; None takes theirs.

    Returns
    -------
    callable of (logits, targets), differentiable PyTorch tensors
    """
    given = {k: x for k, x in numbers.items() if x is not None}
    parts = {"reduction": reduction}
    for change in changes:
        variant = named(change) if isinstance(change, str) else change
        other = parts.get(variant.part)
        if isinstance(other, Variant):
            raise ValueError(
                f"changes must be one for each part, got {other.name!r} and "
                f"{variant.name!r}, both of the {other.part}"
            )
        own = {k: given.get(k, x) for k, x in variant.numbers.items()}
        parts[variant.part] = replace(variant, numbers=own)
    alpha = tuple(alpha) if hasattr(alpha, "__len__") else alpha
    return Model(gamma=gamma, **parts).loss(alpha)
