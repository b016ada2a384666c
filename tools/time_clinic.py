"""How many seconds one examination takes, for losses of each kind.

    PYTHONPATH=. python tools/time_clinic.py

Each is examined once unseen, then three times; the least counts.
"""

from time import process_time

import torch

from focal_edu import FocalLoss
from focal_edu.clinic import build, examine

TEN, EIGHTY = ([k / n for k in range(1, n + 1)] for n in (10, 80))


def dice(logits, targets):
    """No focal loss: examples share one numerator and one denominator."""
    p = logits.sigmoid()
    return 1 - 2 * (p * targets).sum() / (p.sum() + targets.sum())


def capped(logits, targets):
    """A focal loss that no example may raise above 2."""
    return build(reduction="none")(logits, targets).clamp(max=2).mean()


def unsure(logits, targets):
    """The lowest probability is in the factor, whosever it is."""
    p = logits.softmax(1)
    own = p.gather(1, targets[:, None]).squeeze(1)
    return -((1 - p.amin(1)) ** 2 * own.log()).mean()


class Unsure(torch.nn.Module):
    """`unsure` for a number of classes, which it says."""

    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, logits, targets):
        return unsure(logits, targets)


def right(task, classes=None):
    return FocalLoss(task_type=task, num_classes=classes)


def wrong(task, alpha):
    return build("p_t detached", task=task, alpha=alpha)


BINARY, CLASSES = {"task": "binary"}, {"task": "multi-class"}
SUBJECTS = {
    "binary, right": (right("binary"), BINARY),
    "binary, right, no task": (build(alpha=0.25), {}),
    "binary, wrong": (wrong("binary", 0.25), {"alpha": 0.25} | BINARY),
    "binary, wrong, no task": (wrong("binary", 0.25), {}),
    "binary, no name": (capped, BINARY),
    "binary, no name, no task": (dice, {}),
    "10 classes, right": (right("multi-class", 10), {}),
    "10 classes, wrong": (wrong("multi-class", TEN), {"alpha": TEN}),
    "10 classes, no name": (Unsure(10), CLASSES),
    "80 classes, right": (right("multi-class", 80), {}),
    "80 classes, wrong": (wrong("multi-class", EIGHTY), {"alpha": EIGHTY}),
    "80 classes, no name": (Unsure(80), CLASSES),
}


def seconds(loss, claims, times=3):
    """Return the least processor time of one examination."""
    examine(loss, **claims)
    took = []
    for _ in range(times):
        start = process_time()
        examine(loss, **claims)
        took.append(process_time() - start)
    return min(took)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, subject in SUBJECTS.items():
        print(f"{name:<26}{seconds(*subject):>6.2f} s", flush=True)
