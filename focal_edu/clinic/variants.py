"""The losses that the known mistakes make, alone or together.

A mistake replaces one of the five right choices of `rules`. Mistakes
combine: a loss may detach p_t *and* give α to class 0.
"""

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from types import SimpleNamespace

from . import orders, rules
from .balance import IN_THE_BATCH
from .mistakes import IN_THE_EXAMPLE, Variant

PARTS = ("probability", "factor", "order", "alpha", "reduction")
VARIANTS = (*IN_THE_EXAMPLE, *IN_THE_BATCH)

RIGHT = {
    "probability": rules.stable,
    "factor": rules.focal,
    "order": orders.each_example,
    "alpha": rules.paired,
    "reduction": {
        "none": rules.unreduced,
        "mean": rules.mean,
        "sum": rules.total,
        "mean_positive": rules.mean_positive,
    },
}


def right(part, task, reduction="mean"):
    """Return the rule that leaves the loss as the paper writes it."""
    rule = RIGHT[part]
    rule = rule[reduction] if part == "reduction" else rule
    return Variant("", part, rule, "", "")


def named(name):
    """Return the variant of that name."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    names = ", ".join(sorted(variant.name for variant in VARIANTS))
    raise ValueError(f"no variant is called {name!r}; there are {names}")


def build(
    *changes, task="binary", gamma=2.0, alpha=None, reduction="mean", eps=None
):
    """Return the loss that `changes` make of the focal loss.

    Parameters
    ----------
    *changes : str or Variant
        None of them: the focal loss itself. At most one for each part.
    task : "binary", "multi-class" or "multi-label"
    gamma, alpha, reduction
        As in `focal_edu.FocalLoss`; class weights may be any sequence.
    eps : float, optional
        For the variants that have one; None takes theirs.

    Returns
    -------
    callable of (logits, targets), differentiable PyTorch tensors
    """
    changes = [named(c) if isinstance(c, str) else c for c in changes]
    for one, other in combinations(changes, 2):
        if one.part == other.part:
            raise ValueError(
                f"changes must be one for each part, got {one.name!r} and "
                f"{other.name!r}, both of the {one.part}"
            )
    parts = {part: right(part, task, reduction).rule for part in PARTS}
    parts |= {change.part: change.rule for change in changes}
    shifts = [change.eps for change in changes if change.eps]
    if shifts:
        parts["probability"] = partial(
            parts["probability"], eps=eps or shifts[0]
        )
    alpha = tuple(alpha) if hasattr(alpha, "__len__") else alpha
    return BuiltLoss(parts, gamma, SimpleNamespace(alpha=alpha))


@dataclass
class BuiltLoss:
    """A loss put together from five rules."""

    parts: dict
    focusing: float
    kept: SimpleNamespace

    def __call__(self, logits, targets):
        batch = rules.batch_of(logits, targets)
        return self.given(self.parts["probability"](batch), batch)

    def given(self, truth, batch):
        """Return the loss where the probabilities are known."""
        weights = self.parts["alpha"](self.kept, truth, batch)
        return self.parts["order"](
            truth,
            weights,
            partial(self.parts["factor"], gamma=self.focusing),
            lambda elements: self.parts["reduction"](
                elements, weights, truth, batch
            ),
        )
