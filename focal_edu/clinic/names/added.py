"""What may be added to a focal loss: any function of some sums over a batch.

A rule returns those sums, some of them one for each output.
"""

from .variant import Variant


def squared_error(p, y, x):
    return (((p - y) ** 2).sum(),)


def absolute_error(p, y, x):
    return ((p - y).abs().sum(),)


def overlap(p, y, x):
    return (p * y).sum(0), p.sum(0), (p**2).sum(0)


def entropy(p, y, x):
    return (p * p.log()).sum(), ((1 - p) * (1 - p).log()).sum()


def squared_logits(p, y, x):
    return ((x**2).sum(),)


AND = "the focal loss and "
FADES = (
    "its gradient fades on hopeless examples, and outlasts focal loss's on "
    "easy ones"
)
_TOLD = {
    squared_error: (
        "squared error added",
        "a multiple of Σ (p − y)²",
        FADES,
    ),
    absolute_error: (
        "absolute error added",
        "a multiple of Σ |p − y|",
        FADES,
    ),
    overlap: (
        "a Dice-like term added",
        "a function of Σ p y, Σ p and Σ p² over the batch, as Dice, Tversky "
        "and Jaccard losses are",
        "examples move each other's gradients; on easy ones, where focusing "
        "leaves little, the term decides",
        "MONAI, DiceFocalLoss",
    ),
    entropy: (
        "an entropy term added",
        "multiples of Σ p log p, and of Σ (1 − p) log (1 − p) of sigmoids",
        "outputs are drawn to certainty, or away from it, whatever the label",
        "Pereyra et al. 2017, arXiv:1701.06548",
    ),
    squared_logits: (
        "squared logits added",
        "a multiple of Σ x²",
        "logits are drawn to 0, and on easy examples nothing pulls back",
    ),
}
TERMS = tuple(
    Variant(name, "added", AND + computes, *told, rule=rule)
    for rule, (name, computes, *told) in _TOLD.items()
)
