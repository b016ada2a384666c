"""The examples that a loss is asked about."""

import numpy as np
import torch

# Margins of the truth at which single examples are asked for: at one a loss
# that may be cut off is seen to be, the others are ordinary.
FAR = -30.0
NEAR = (-5, -3.5, -2.2, -1, -0.3, 0.4, 1.2, 2, 3, 4.5, 6, 9)
MARGINS = np.array([FAR, *NEAR])
FEW = np.array([-0.9, 0.5])  # where there are many labels


def usual_batch(task, labels, rng, examples=None, easy=False):
    """Return logits of ordinary size, and targets with every label.

    `labels` are the class indices in use, out of `labels.classes`. All
    examples of an easy batch are right: p_t is above one half.
    """
    classes = labels.classes
    n = examples or classes + 4
    if task == "multi-class":
        known = np.array(labels.used)
        targets = known[np.arange(n) % len(known)]
        rest = max(0, n - len(known))
        targets[n - rest :] = rng.choice(known, size=rest)
        targets = rng.permutation(targets)
        logits = rng.normal(0, 1.5, (n, classes)).clip(-4, 4)
        if easy:
            rest = np.logaddexp.reduce(logits, axis=1)
            logits[np.arange(n), targets] = rest + rng.uniform(0, 1, n)
        return logits, targets
    shape = (n,) if task == "binary" else (n, classes)
    targets = np.zeros(shape)
    targets[: 3 * n // 7] = 1
    targets = rng.permuted(targets, axis=0)
    logits = rng.normal(0, 1.5, shape).clip(-4, 4)
    return np.abs(logits) * (2 * targets - 1) if easy else logits, targets


def at_margins(task, labels, x_t, rng, truth=None):
    """Return examples whose truth has the margins `x_t` over the rest.

    Labels take turns unless `truth` says which.
    """
    n, classes = len(x_t), labels.classes
    if task == "multi-class":
        known = np.array(labels.used)
        targets = rng.permutation(known[np.arange(n) % len(known)])
        targets = targets if truth is None else np.full(n, truth)
        logits = rng.normal(size=(n, classes))
        rest = np.where(np.eye(classes)[targets] > 0, -np.inf, logits)
        rest = np.logaddexp.reduce(rest, axis=1)
        logits[np.arange(n), targets] = rest + x_t
        return logits, targets
    targets = rng.permutation(np.arange(n) % 2).astype(float)
    targets = targets if truth is None else np.full(n, truth, float)
    logits = x_t * (2 * targets - 1)
    if task == "multi-label":
        return np.repeat(logits[:, None], classes, 1), np.repeat(
            targets[:, None], classes, 1
        )
    return logits, targets


def singles(task, labels, rng):
    """Return examples to be asked about one at a time, and their margins.

    Each label at every one of `MARGINS`; where there are many labels, three
    of them, and the rest at a `FEW`. With several outputs a few more
    examples tell these apart.
    """
    parts = []
    known = labels.used if task == "multi-class" else (0, 1)
    for place, label in enumerate(known):
        x_t = MARGINS if place < 3 else FEW
        parts.append((*at_margins(task, labels, x_t, rng, label), x_t))
        if task == "multi-label":
            x_t = 1 - 2 * np.eye(labels.classes)
            y = np.full(x_t.shape, float(label))
            parts.append((x_t * (2 * y - 1), y, np.ones(len(x_t))))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def one_of_each(task, labels, x_t):
    """Return one example of each label, all at the same margin."""
    known = np.array(labels.used if task == "multi-class" else (0.0, 1.0))
    rng = np.random.default_rng(0)
    return at_margins(task, labels, np.full(len(known), x_t), rng, known)


def round_numbers(task, labels, usual):
    """Yield batches of one, two, then more examples; then hopeless ones.

    Each comes with its dtype, mostly the `usual` one.
    """
    for size, scale, dtype in (
        (1, 1, usual),
        (2, 1, usual),
        (labels.classes + 1, 1, usual),
        (1, 20, torch.float32),
        (1, 100, torch.float32),
    ):
        for start in (2, -2, 1, -1):
            many = min(3, len(labels.used)) if task == "multi-class" else 2
            for first in range(many):
                batch = _labelled(task, labels, size, start * scale, first)
                yield (*batch, dtype)


def _labelled(task, labels, size, start, first):
    """`size` examples: logits start, 0, ...; labels first, first + 1, ..."""
    known = labels.used if task == "multi-class" else (0, 1)
    if task == "multi-label":
        known = range(labels.classes)
    places = (first + np.arange(size)) % len(known)
    x = start * (1.0 - np.arange(size) % 3)
    if task == "binary":
        return x, places.astype(float)
    logits = np.zeros((size, labels.classes))
    logits[:, 0] = x
    if task == "multi-class":
        return logits, np.array(known)[places]
    targets = np.zeros((size, labels.classes))
    targets[np.arange(size), places] = 1
    return logits, targets
