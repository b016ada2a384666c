"""The smallest example that tells a loss from the focal loss."""

from dataclasses import dataclass

import numpy as np
import torch

from .calls import Refusal, ask
from .match import true_answer

FAR = 0.02  # relative difference that is worth showing


@dataclass(frozen=True)
class Example:
    """Numbers to check by hand."""

    logits: list
    targets: list
    what: str
    right: object
    seen: object

    def __str__(self):
        return (
            f"logits {self.logits}, targets {self.targets}: {self.what} "
            f"{_text(self.seen)}, focal loss {_text(self.right)}"
        )


def smallest_example(case):
    """Return the first `Example` that differs, shortest first, or None."""
    for logits, targets, dtype in _round_numbers(case):
        copy = case.copy(dtype)
        try:
            seen = ask(copy, case.form, logits, targets, dtype)
            again = ask(copy, case.form, logits, targets, dtype)
        except Refusal:
            continue
        true = true_answer(case.claims, logits, targets)
        for what, a, b in (
            ("loss", seen.value, true.value),
            ("gradient", seen.gradient, true.gradient),
            ("second call's loss", again.value, true.value),
        ):
            if a.size != b.size or _differ(a.ravel(), b.ravel()):
                return Example(
                    logits.tolist(),
                    targets.tolist(),
                    what,
                    _plain(b),
                    _plain(a),
                )
    return None


def _round_numbers(case):
    """Batches of one, two, then more examples; then hopeless ones."""
    task, classes = case.form.task, case.claims.classes
    for size, scale, dtype in (
        (1, 1, case.form.dtype),
        (2, 1, case.form.dtype),
        (classes + 1, 1, case.form.dtype),
        (1, 20, torch.float32),
        (1, 100, torch.float32),
    ):
        for start in (2, -2, 1, -1):
            for first in range(classes if task == "multi-class" else 2):
                yield (
                    *_batch(task, classes, size, start * scale, first),
                    dtype,
                )


def _batch(task, classes, size, start, first):
    """`size` examples: logits start, 0, ...; labels first, first + 1, ..."""
    labels = (first + np.arange(size)) % (classes if _many(task) else 2)
    x = start * (1.0 - np.arange(size) % 3)
    if task == "binary":
        return x, labels.astype(float)
    logits = np.zeros((size, classes))
    logits[:, 0] = x
    if task == "multi-class":
        return logits, labels
    targets = np.zeros((size, classes))
    targets[np.arange(size), labels] = 1
    return logits, targets


def _many(task):
    return task != "binary"


def _differ(a, b):
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) > FAR * np.maximum(np.abs(b), 1e-3)
    return bool((off | ~np.isfinite(a)).any())


def _plain(array):
    """Rounded numbers: a list, or the only number there is."""
    rounded = array.round(4)
    return rounded.item() if array.size == 1 else rounded.tolist()


def _text(value):
    if isinstance(value, list):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    return f"{value:.4f}"
