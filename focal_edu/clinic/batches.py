"""The examples that a loss is asked about."""

import math

import numpy as np
import torch


def usual_batch(task, classes, rng, examples=None):
    """Return logits of ordinary size, and targets with every class."""
    n = examples or classes + 4
    if task == "multi-class":
        targets = np.arange(n) % classes
        targets[classes:] = rng.integers(classes, size=n - classes)
        logits = rng.normal(0, 1.5, (n, classes)).clip(-4, 4)
        return logits, rng.permutation(targets)
    shape = (n,) if task == "binary" else (n, classes)
    targets = np.zeros(shape)
    targets[: 3 * n // 7] = 1
    targets = rng.permuted(targets, axis=0)
    return rng.normal(0, 1.5, shape).clip(-4, 4), targets


def at_margins(task, classes, x_t, rng):
    """Return examples whose truth has the margins `x_t` over the rest."""
    n = len(x_t)
    if task == "multi-class":
        targets = rng.permutation(np.arange(n) % classes)
        logits = rng.normal(size=(n, classes))
        rest = np.where(np.eye(classes)[targets] > 0, -np.inf, logits)
        rest = np.logaddexp.reduce(rest, axis=1)
        logits[np.arange(n), targets] = rest + x_t
        return logits, targets
    targets = rng.permutation(np.arange(n) % 2).astype(float)
    logits = x_t * (2 * targets - 1)
    if task == "multi-label":
        return np.repeat(logits[:, None], classes, 1), np.repeat(
            targets[:, None], classes, 1
        )
    return logits, targets


def one_class(task, x_t, label, classes):
    """Return logits of the given margins, and targets of one class."""
    targets = np.full(len(x_t), label)
    if task == "multi-class":
        logits = np.zeros((len(x_t), classes))
        logits[:, label] = x_t + math.log(classes - 1)
        return logits, targets
    logits = x_t * (2 * label - 1)
    if task == "multi-label":
        return logits[:, None], targets[:, None]
    return logits, targets


def round_numbers(task, classes, usual):
    """Yield batches of one, two, then more examples; then hopeless ones.

    Each comes with its dtype, mostly the `usual` one.
    """
    for size, scale, dtype in (
        (1, 1, usual),
        (2, 1, usual),
        (classes + 1, 1, usual),
        (1, 20, torch.float32),
        (1, 100, torch.float32),
    ):
        for start in (2, -2, 1, -1):
            for first in range(classes if task == "multi-class" else 2):
                yield (
                    *_labelled(task, classes, size, start * scale, first),
                    dtype,
                )


def _labelled(task, classes, size, start, first):
    """`size` examples: logits start, 0, ...; labels first, first + 1, ..."""
    labels = (first + np.arange(size)) % (2 if task == "binary" else classes)
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
