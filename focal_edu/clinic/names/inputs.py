"""What a loss takes: names that need no rule, since they are seen at once."""

from .variant import Variant

_TOLD = {
    "probabilities": (
        "the focal loss of probabilities: it wants σ(x) or softmax(z), no "
        "logits",
        "given logits it fails or is NaN; given probabilities it may be "
        "infinite or NaN once one of them rounds to 0 or 1",
        "mkocabas/focal-loss-keras#17",
    ),
    "log-probabilities": (
        "the focal loss of log p: it wants log_softmax(z) or logsigmoid(x), "
        "as NLLLoss does",
        "given logits it normalises nothing: the loss has no lower bound",
    ),
    "logits": (
        "the focal loss of logits, which it squashes itself",
        "given probabilities it squashes them again",
    ),
    "±1 as targets": (
        "the focal loss of targets -1 and 1, as of a support vector machine",
        "given targets 0 and 1 it learns nothing from negatives: their "
        "gradient is 0",
    ),
    "targets first": (
        "the focal loss if called as loss(targets, logits)",
        "called as PyTorch's losses are, it takes logits for targets",
    ),
}
TAKES = {
    what: Variant(f"takes {what}", "input", *told)
    for what, told in _TOLD.items()
}
