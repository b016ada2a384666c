"""The names: what a loss may compute in one place of the focal loss.

A name is one entry, in the module of its part: the rule that computes it,
what it computes, what that does to training, where it was seen (a GitHub
issue or pull request by its number), and what must be measured before it is
tried. The numbers in a rule's signature are fitted, starting from the
defaults.
"""

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


def variants_of(part, task, match=None):
    """Return the names of one part that a loss for this task may have.

    Those with one `match`, if it is given.
    """
    found = [v for v in VARIANTS if v.part == part and task in v.tasks]
    return [v for v in found if match in (None, v.match)]
