"""The examples that a loss is asked about."""

import numpy as np

# Margins of the truth at which single examples are asked for: at one a loss
# that may be cut off is seen to be, the others are ordinary.
FAR = -30.0
NEAR = (-5, -3.5, -2.2, -1, -0.3, 0.4, 1.2, 2, 3, 4.5, 6, 9)
MARGINS = np.array([FAR, *NEAR])
FEW = np.array([-0.9, 0.5])  # where there are many labels


def usual_batch(task, labels, rng, examples=None, easy=False):
    """Return logits of ordinary size, and targets with every label.

    `labels` are the class indices in use, out of `labels.classes`. Of a
    number of `examples` that is given few are positive. All examples of an
    easy batch are right: p_t is above one half.
    """
    classes = labels.classes
    n = examples or classes + 4
    if task == "multi-class":
        known = np.array(labels.used)
        more = rng.choice(known, size=n - len(known))
        targets = rng.permutation(np.append(known, more))
        logits = rng.normal(0, 1.5, (n, classes)).clip(-4, 4)
        if easy:
            rest = np.logaddexp.reduce(logits, axis=1)
            logits[np.arange(n), targets] = rest + rng.uniform(0, 1, n)
        return logits, targets
    shape = (n,) if task == "binary" else (n, classes)
    targets = np.zeros(shape)
    targets[: -(-n // 12) if examples else 3 * n // 7] = 1
    targets = rng.permuted(targets, axis=0)
    logits = rng.normal(0, 1.5, shape).clip(-4, 4)
    return np.abs(logits) * (2 * targets - 1) if easy else logits, targets


def at_margins(task, labels, x_t, rng, truth=None):
    """Return examples whose truth has the margins `x_t` over the rest.

    Labels take turns unless `truth` says which.
    """
    n, classes = len(x_t), labels.classes
    known = np.array(labels.used if task == "multi-class" else (0.0, 1.0))
    targets = rng.permutation(known[np.arange(n) % len(known)])
    if truth is not None:
        targets = np.full(n, truth, known.dtype)
    if task == "binary":
        return x_t * (2 * targets - 1), targets
    if task == "multi-label":
        targets = np.repeat(targets[:, None], classes, 1)
        return x_t[:, None] * (2 * targets - 1), targets
    logits = rng.normal(size=(n, classes))
    others = np.where(np.eye(classes)[targets] > 0, -np.inf, logits)
    rest = np.logaddexp.reduce(others, axis=1)
    logits[np.arange(n), targets] = rest + x_t
    return logits, targets


def singles(task, labels, rng):
    """Return examples to be asked about one at a time, and their margins.

    Each label at every one of `MARGINS`; where there are many labels, three
    of them, and the rest at a `FEW`. Of classes, two once more at some
    margins, with other logits of the rest.
    """
    parts = []
    known = labels.used if task == "multi-class" else (0, 1)
    for place, label in enumerate(known):
        x_t = MARGINS if place < 3 else FEW
        parts.append((*at_margins(task, labels, x_t, rng, label), x_t))
    for label in known[:2] if task == "multi-class" else ():
        again = MARGINS[4:7:2]
        parts.append((*at_margins(task, labels, again, rng, label), again))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def one_of_each(task, labels, x_t):
    """Return one example of each label, all at the same margin."""
    known = np.array(labels.used if task == "multi-class" else (0.0, 1.0))
    rng = np.random.default_rng(0)
    return at_margins(task, labels, np.full(len(known), x_t), rng, known)
