"""The names: what a loss may compute in one place of the focal loss.

A name is one entry, in the module of its part: the rule that computes it,
what it computes, what that does to training, where it was seen (a GitHub
issue or pull request by its number), and what must be measured before it is
tried. The numbers in a rule's signature are fitted, starting from the
defaults; `build` makes losses of the rules, with the numbers as they stand.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

from .. import rules
from . import alpha, factor, order, probability, reduction
from .variant import TABLE

PARTS = tuple(
    module.__name__.rpartition(".")[2]
    for module in (probability, factor, order, alpha, reduction)
)
VARIANTS = tuple(sorted(TABLE, key=lambda v: PARTS.index(v.part)))
RIGHT = {
    "probability": rules.stable,
    "factor": rules.focal,
    "order": rules.each_example,
    "alpha": rules.paired,
    "reduction": {
        "mean": rules.mean,
        "sum": rules.total,
        "none": rules.unreduced,
        "mean_positive": rules.mean_positive,
    },
}
REDUCTIONS = tuple(RIGHT["reduction"])


def named(name):
    """Return the variant of that name."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    names = ", ".join(sorted(variant.name for variant in VARIANTS))
    raise ValueError(f"no variant is called {name!r}; there are {names}")


def variants_of(part, task):
    """Return the names of one part that a loss for this task may have."""
    return [v for v in VARIANTS if v.part == part and task in v.tasks]


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
    changes = [named(c) if isinstance(c, str) else c for c in changes]
    for one, other in combinations(changes, 2):
        if one.part == other.part:
            raise ValueError(
                f"changes must be one for each part, got {one.name!r} and "
                f"{other.name!r}, both of the {one.part}"
            )
    parts = RIGHT | {"reduction": RIGHT["reduction"][reduction]}
    for change in changes:
        own = {
            name: value if numbers.get(name) is None else numbers[name]
            for name, value in change.numbers.items()
        }
        parts[change.part] = replace(change, numbers=own).with_numbers
    alpha = tuple(alpha) if hasattr(alpha, "__len__") else alpha
    return BuiltLoss(parts, gamma, alpha)


@dataclass
class BuiltLoss:
    """A loss put together from five rules."""

    parts: dict
    focusing: float
    balance: object

    def __call__(self, logits, targets):
        batch = rules.batch_of(logits, targets)
        truth = self.parts["probability"](batch)
        table = rules.table_of(
            self.balance,
            batch.classes,
            batch.multi_class,
            rules.by_class(truth, batch),
        )
        table = self.parts["alpha"](self.balance, table)
        weights = rules.of_table(table, truth, batch)
        if self.parts["alpha"] is alpha.overwritten:
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
