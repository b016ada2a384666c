"""Networks trained too long on noisy digits, and how sure they are:
lesson 08."""

import torch
from sklearn.metrics import brier_score_loss, log_loss

from .calibration import expected_calibration_error
from .digits import noisy_digits
from .pytorch import softmax_focal_loss
from .training import Perceptrons, batches, side_by_side, train


def draws(seeds):
    """Return the `Parts` of many draws, side by side."""
    return side_by_side(noisy_digits(seed=seed) for seed in seeds)


def fit(part, seeds, *, gamma, rate, steps):
    """Train a network a draw, and yield (step, model) at each of `steps`."""
    model = Perceptrons(seeds, 64, hidden=64, outputs=10)

    def loss(logits, targets):
        return softmax_focal_loss(
            logits.flatten(0, 1),
            targets.flatten(),
            gamma=gamma,
            reduction="none",
        )

    stream = batches(*part, 50, seeds)
    for step in train(model, stream, loss, rate=rate, watch=steps):
        yield step, model


@torch.no_grad()
def logits(model, images):
    """Return the networks' logits in float64, (seeds, N, 10)."""
    return model(images).double().numpy()


def scores(p, labels):
    """Return accuracy, ECE, log loss and Brier score of probabilities."""
    right = p.argmax(-1) == labels
    return {
        "accuracy": float(right.mean()),
        "ece": expected_calibration_error(p.max(-1), right),
        "nll": float(log_loss(labels, p, labels=range(10))),
        "brier": float(brier_score_loss(labels, p, labels=range(10))),
    }
