"""The smallest example that tells a loss from what it is held against."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from .calls import Refusal, ask
from .report import apart

FAR = (0.02, 1e-5)  # relative differences that are worth showing, in turn


@dataclass(frozen=True)
class Example:
    """Numbers to check by hand."""

    logits: list
    targets: list
    what: str
    right: object
    seen: object

    def __str__(self):
        seen, right = apart(self.seen, self.right, "f", range(4, 9))
        return (
            f"logits {self.logits}, targets {self.targets}: {self.what} "
            f"{seen}, focal loss {right}"
        )


def smallest_example(subject, claims):
    """Return the first `Example` that differs, shortest first, or None."""
    for far, (*batch, dtype) in product(FAR, [*_round_batches(subject)]):
        copy = subject.copy(dtype)
        try:
            seen = ask(copy, subject.form, *batch, dtype)
            again = ask(copy, subject.form, *batch, dtype)
        except Refusal:
            continue
        true = claims.ask(batch)
        for what, a, b in (
            ("loss", seen.value, true.value),
            ("gradient", seen.gradient, true.gradient),
            ("second call's loss", again.value, true.value),
        ):
            same = a.size == b.size and np.allclose(
                a.ravel(), b.ravel(), far, far * 1e-3
            )
            if not same:
                logits, targets = (array.tolist() for array in batch)
                return Example(logits, targets, what, _plain(b), _plain(a))
    return None


def _round_batches(subject):
    """Yield batches of one, two, then more examples; then hopeless ones.

    Each comes with its dtype. Logits are start, 0 and −start in turn.
    """
    classes, usual = subject.labels.classes, subject.form.dtype
    several = subject.task == "multi-label"
    known = np.array(range(classes) if several else subject.labels.known)
    sizes = (
        (1, 1, usual),
        (2, 1, usual),
        (classes + 1, 1, usual),
        (1, 20, torch.float32),
        (1, 100, torch.float32),
    )
    for (size, scale, dtype), start, first in product(
        sizes, (2, -2, 1, -1), range(min(3, len(known)))
    ):
        places = np.arange(size)
        logits = np.zeros((size, classes))
        logits[:, 0] = start * scale * (1.0 - places % 3)
        targets = known[(first + places) % len(known)]
        if subject.task == "binary":
            logits = logits[:, 0]
        if several:
            targets = np.eye(classes)[targets]
        yield logits, targets, dtype


def _plain(array):
    """A list, or the only number there is."""
    rounded = array.round(8)
    return rounded.item() if array.size == 1 else rounded.tolist()
