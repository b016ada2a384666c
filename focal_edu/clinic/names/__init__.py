"""The names: what a loss may compute in one place of the focal loss.

A name is one entry, in the module of its part: the rule that computes it,
what it computes, what that does to training, where it was seen (a GitHub
issue or pull request by its number), and what must be measured before it is
tried. The numbers in a rule's signature are fitted, starting from the
defaults; `build` uses them as they stand.
"""

from .build import REDUCTIONS, RIGHT, VARIANTS, BuiltLoss, build, named
from .variant import (
    CAPPED,
    EXTREME,
    FITTED,
    SYMBOLS,
    Variant,
)

__all__ = [
    "CAPPED",
    "EXTREME",
    "FITTED",
    "REDUCTIONS",
    "RIGHT",
    "SYMBOLS",
    "VARIANTS",
    "BuiltLoss",
    "Variant",
    "build",
    "named",
]
