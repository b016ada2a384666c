"""The examples that a loss is asked about."""

from dataclasses import dataclass

import numpy as np

# Margins of the truth at which single examples are asked for: at one a loss
# that may be cut off is seen to be, the others are ordinary.
FAR = -30.0
NEAR = (-5, -3.5, -2.2, -1, -0.3, 0.4, 1.2, 2, 3, 4.5, 6, 9)
MARGINS = np.array([FAR, *NEAR])
FEW = np.array([-0.9, 0.5])  # where there are many labels
COSTLESS = 40.0


@dataclass(frozen=True)
class Labels:
    """What the targets of a task may hold, and batches of it.

    There are `classes` classes, or as many outputs of a multi-label loss.
    Targets never hold the `ignored` class.
    """

    task: str
    classes: int
    ignored: int | None = None

    @property
    def used(self):
        """The class indices that targets may hold."""
        return tuple(k for k in range(self.classes) if k != self.ignored)

    @property
    def known(self):
        """The labels: class indices, or 0 and 1."""
        return self.used if self.task == "multi-class" else (0.0, 1.0)

    def table(self, numbers):
        """Numbers of the labels in use as weights; 1 for other classes."""
        if self.task != "multi-class":
            return numbers.reshape(2, -1)
        every = np.ones(self.classes)
        every[list(self.used)] = numbers
        return every

    def usual(self, rng, examples=None, easy=False):
        """Return logits of ordinary size, and targets with every label.

        Of a number of `examples` that is given few are positive, or of
        another class than the first. All examples of an easy batch are
        right: p_t is above one half.
        """
        classes = self.classes
        n = examples or classes + 4
        if self.task == "multi-class":
            some = self.known[:1] if examples else self.known
            more = rng.choice(some, size=n - len(self.known))
            targets = rng.permutation(np.append(self.known, more))
            logits = rng.normal(0, 1.5, (n, classes)).clip(-4, 4)
            if easy:
                rest = np.logaddexp.reduce(logits, axis=1)
                logits[np.arange(n), targets] = rest + rng.uniform(0, 1, n)
            return logits, targets
        shape = (n,) if self.task == "binary" else (n, classes)
        targets = np.zeros(shape)
        targets[: -(-n // 12) if examples else 3 * n // 7] = 1
        targets = rng.permuted(targets, axis=0)
        logits = rng.normal(0, 1.5, shape).clip(-4, 4)
        return np.abs(logits) * (2 * targets - 1) if easy else logits, targets

    def at_margins(self, x_t, rng, truth=None):
        """Return examples whose truth has the margins `x_t` over the rest.

        Labels take turns unless `truth` says which.
        """
        n, classes, known = len(x_t), self.classes, np.array(self.known)
        targets = rng.permutation(known[np.arange(n) % len(known)])
        if truth is not None:
            targets = np.full(n, truth, known.dtype)
        if self.task == "binary":
            return x_t * (2 * targets - 1), targets
        if self.task == "multi-label":
            targets = np.repeat(targets[:, None], classes, 1)
            return x_t[:, None] * (2 * targets - 1), targets
        logits = rng.normal(size=(n, classes))
        others = np.where(np.eye(classes)[targets] > 0, -np.inf, logits)
        rest = np.logaddexp.reduce(others, axis=1)
        logits[np.arange(n), targets] = rest + x_t
        return logits, targets

    def one_of_each(self, x_t):
        """Return one example of each label, all at the same margin."""
        margins = np.full(len(self.known), x_t)
        return self.at_margins(margins, np.random.default_rng(0), self.known)

    def against_one(self, x_t):
        """Return examples of each label, at this margin over one other.

        Of several outputs each in turn, beside others that cost nothing.
        """
        logits, targets = self.one_of_each(x_t)
        if self.task == "multi-class":
            first, second, *_ = self.used
            above = np.where(targets == first, second, first)
            logits = -x_t * np.eye(self.classes)[above]
        elif self.task == "multi-label":
            one = np.where(np.eye(self.classes), x_t, COSTLESS)
            logits = np.concatenate((-one, one))
            targets = np.repeat(targets, len(one), 0)
        return logits, targets

    def singles(self, rng):
        """Return examples to be asked about one at a time, and their margins.

        Each label at every one of `MARGINS`; where there are many labels,
        three of them, and the rest at a `FEW`. Of classes, two once more at
        some margins, with other logits of the rest.
        """
        asked = [(label, MARGINS) for label in self.known[:3]]
        asked += [(label, FEW) for label in self.known[3:]]
        if self.task == "multi-class":
            asked += [(label, MARGINS[4:7:2]) for label in self.known[:2]]
        parts = [
            (*self.at_margins(x_t, rng, label), x_t) for label, x_t in asked
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]
