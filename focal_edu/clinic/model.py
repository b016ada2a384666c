"""What a loss is found to be: a variant for each part, numbers, weights."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from . import rules
from .names import RIGHT, BuiltLoss
from .names.order import unfocused
from .names.variant import Variant

SEARCHED = "probability", "factor"  # the parts that have numbers to fit


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

    def loss(self):
        """Return it as a callable."""
        table = torch.as_tensor(self.table)
        parts = {part: self.rule(part) for part in RIGHT}
        parts["factor"] = self.factors
        if self.alpha:
            return BuiltLoss(parts, self.gamma, tuple(table.tolist()))
        parts["alpha"] = lambda alpha, paper_s: table
        return BuiltLoss(parts, self.gamma, None)
