"""What a loss takes: names that need no rule, since they are seen at once."""

from .variant import Variant

TAKES_PROBABILITIES = Variant(
    "takes probabilities",
    "input",
    "the focal loss of probabilities: it wants σ(x) or softmax(z), no logits",
    "given logits it fails or is NaN; given probabilities it may be "
    "infinite or NaN once one of them rounds to 0 or 1",
    "mkocabas/focal-loss-keras#17",
)
TAKES_LOGITS = Variant(
    "takes logits",
    "input",
    "the focal loss of logits, which it squashes itself",
    "given probabilities it squashes them again",
)
TAKES_TARGETS_FIRST = Variant(
    "takes targets first",
    "input",
    "the focal loss if called as loss(targets, logits)",
    "called as PyTorch's losses are, it takes logits for targets",
)
