"""Recipes against a long tail, all tuned and measured alike: lesson 07."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from .digits import long_tail
from .pytorch import softmax_focal_loss
from .relatives import class_balanced_weights
from .training import Perceptrons, batches, side_by_side, train

STEPS = (50, 100, 200, 400, 800)
RATES = (0.001, 0.003, 0.01, 0.03)
GAMMAS = (0.5, 1, 2, 4)
BETAS = (0.9, 0.97, 0.99, 0.999)
TAUS = (0.5, 1, 1.5, 2, 3)


def focal(logits, targets, counts, *, gamma, alpha=None):
    """Focal loss; γ = 0 is cross entropy, α a weight for each class."""
    return softmax_focal_loss(
        logits, targets, gamma=gamma, alpha=alpha, reduction="none"
    )


def weighted(logits, targets, counts, *, gamma=0.0):
    """Focal loss with weights 1/n."""
    alpha = np.mean(counts) / counts
    return focal(logits, targets, counts, gamma=gamma, alpha=alpha)


def effective(logits, targets, counts, *, beta):
    """Cross entropy, weighted by the effective number."""
    alpha = class_balanced_weights(counts, beta=beta)
    return focal(logits, targets, counts, gamma=0.0, alpha=alpha)


def logit_adjusted(logits, targets, counts, *, tau):
    """Cross entropy of z + τ log π."""
    shifted = logits + tau * _log_prior(counts)
    return F.cross_entropy(shifted, targets, reduction="none")


def ldam(logits, targets, counts, *, margin):
    """Cross entropy with m (n_min / n)^¼ off the true logit."""
    delta = margin * (counts.min() / torch.tensor(counts)).float() ** 0.25
    shifted = logits - F.one_hot(targets, len(counts)) * delta
    return F.cross_entropy(shifted, targets, reduction="none")


class Recipe(NamedTuple):
    """A loss with its grid, and what is done before or after training."""

    loss: callable
    grid: dict = {}  # noqa: RUF012
    oversampled: bool = False
    shifted_after: bool = False  # predicts by z − τ log π


cross_entropy = partial(focal, gamma=0.0)
RECIPES = {
    "CE": Recipe(cross_entropy),
    "FL": Recipe(focal, {"gamma": GAMMAS}),
    "weights 1/n": Recipe(weighted),
    "weights, effective n": Recipe(
        effective, {"beta": (0.9, 0.97, 0.99, 0.999)}
    ),
    "FL, weights 1/n": Recipe(weighted, {"gamma": GAMMAS}),
    "oversampling": Recipe(cross_entropy, oversampled=True),
    "LDAM": Recipe(ldam, {"margin": (2, 4, 8, 16)}),
    "logit adjustment": Recipe(logit_adjusted, {"tau": TAUS}),
    "CE, shifted after": Recipe(
        lambda *a, tau: cross_entropy(*a), {"tau": TAUS}, shifted_after=True
    ),
}


def draws(factor, seeds):
    """Return the `Parts` of many draws, side by side."""
    return side_by_side(long_tail(factor, seed=seed) for seed in seeds)


def fit(name, part, seeds, *, rate, steps=STEPS, **settings):
    """Train a network a draw, and yield (step, predict) at each of `steps`.

    ``predict(images)`` are logits, (seeds, N, 10).
    """
    recipe = RECIPES[name]
    counts = part[1][0].bincount().numpy()
    shift = settings["tau"] if recipe.shifted_after else 0.0
    model = Perceptrons(seeds, 64, hidden=64, outputs=10)

    def loss(logits, targets):
        logits, targets = logits.flatten(0, 1), targets.flatten()
        return recipe.loss(logits, targets, counts, **settings)

    @torch.no_grad()
    def predict(images):
        return model(images) - shift * _log_prior(counts)

    part = _oversampled(*part) if recipe.oversampled else part
    stream = batches(*part, 64, seeds)
    for step in train(model, stream, loss, rate=rate, watch=steps):
        yield step, predict


def accuracies(logits, labels):
    """Return the accuracy of each network on each class, (seeds, 10)."""
    right = (logits.argmax(-1) == labels).float()
    return torch.stack(
        [right[:, labels[0] == k].mean(1) for k in labels[0].unique()], 1
    )


def mean_p_t(logits, labels):
    """Return the mean probability of the truth, a class, (seeds, 10)."""
    p_t = logits.softmax(-1).gather(-1, labels[..., None])[..., 0]
    return torch.stack(
        [p_t[:, labels[0] == k].mean(1) for k in labels[0].unique()], 1
    )


def trial(name, seeds):
    """Return what `tune` calls for a recipe: balanced accuracy by steps."""

    def balanced_accuracy(train, validation, **settings):
        images, labels = validation
        return {
            step: accuracies(predict(images), labels).mean()
            for step, predict in fit(name, train, seeds, **settings)
        }

    return balanced_accuracy


def _oversampled(images, labels):
    """Repeat each class's examples until all classes are as large."""
    counts = labels[0].bincount()
    rows = torch.cat(
        [
            (labels[0] == k).nonzero()[:, 0].repeat(100)[: max(counts)]
            for k in range(len(counts))
        ]
    )
    return images[:, rows], labels[:, rows]


def _log_prior(counts):
    return torch.tensor(counts / counts.sum()).float().log()
