"""Recipes against a long tail, all tuned and measured alike: lesson 07."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from .digits import long_tail
from .pytorch import softmax_focal_loss
from .relatives import class_balanced_weights
from .training import Perceptrons, batches, every, side_by_side, train

STEPS = tuple(25 * 2**k for k in range(10))  # to 12 800
# Rates, and how much sooner each is done than the lowest.
RATES = {0.0005: 1, 0.002: 2, 0.008: 4, 0.03: 8, 0.1: 16}
TOLERANCE = 0.005  # of a score, which soon changes slowly, up or down
GAMMAS = (0.1, 0.25, 0.5, 1, 2)  # at 0 it is cross entropy
BETAS = (0.99, 0.999, 0.9999)  # at 1 the weights are 1/n
MARGINS = (16, 32, 64, 128, 256, 512)
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
    "weights, effective n": Recipe(effective, {"beta": BETAS}),
    "FL, weights 1/n": Recipe(weighted, {"gamma": GAMMAS}),
    "oversampling": Recipe(cross_entropy, oversampled=True),
    "LDAM": Recipe(ldam, {"margin": MARGINS}),
    "logit adjustment": Recipe(logit_adjusted, {"tau": TAUS}),
    "CE, shifted after": Recipe(
        lambda *a, tau: cross_entropy(*a),
        {"tau": (*TAUS, 4, 6)},
        shifted_after=True,
    ),
}


def draws(factor, seeds):
    """Return the `Parts` of many draws, side by side."""
    return side_by_side(long_tail(factor, seed=seed) for seed in seeds)


def fit(name, part, seeds, *, rate, steps, **grid):
    """Yield (step, predict) at `steps`: a network a draw and setting.

    ``predict(images)`` are logits: (seeds, N, 10) a setting.
    """
    recipe, settings = RECIPES[name], every(grid)
    counts = part[1][0].bincount().numpy()
    copies = 1 if recipe.shifted_after else len(settings)
    model = Perceptrons(seeds, 64, hidden=64, outputs=10, copies=copies)

    def loss(logits, targets):
        known = targets.flatten(), counts
        each = zip(_apart(logits, copies), settings, strict=False)
        return sum(recipe.loss(z, *known, **s).sum() for z, s in each)

    @torch.no_grad()
    def predict(images):
        logits = _apart(model(images), copies).unflatten(1, (len(seeds), -1))
        shifts = _shifts(settings, counts) if recipe.shifted_after else 0.0
        return (logits - shifts).squeeze(0)

    part = _oversampled(*part) if recipe.oversampled else part
    stream = batches(*part, 64, seeds)
    for step in train(model, stream, loss, rate=rate, watch=steps):
        yield step, predict


def accuracies(logits, labels):
    """Return the accuracy of each network on each class, (…, seeds, 10)."""
    return _by_class((logits.argmax(-1) == labels).float(), labels)


def mean_p_t(logits, labels):
    """Return the mean probability of the truth, a class, (seeds, 10)."""
    p_t = logits.softmax(-1).gather(-1, labels[..., None])[..., 0]
    return _by_class(p_t, labels)


def trial(name, seeds, longest):
    """Return what `tune` calls for a recipe: balanced accuracy by steps.

    The lowest rate is tried for as many as `longest` steps. The first call
    at a rate trains all settings of the recipe's grid.
    """
    grid, seen = RECIPES[name].grid, {}

    def trained(part, validation, rate):
        images, labels = validation
        steps = [s for s in STEPS if s <= longest / RATES[rate]]
        for step, predict in fit(
            name, part, seeds, rate=rate, steps=steps, **grid
        ):
            found = accuracies(predict(images), labels)
            yield step, found.view(-1, len(seeds) * 10).mean(1)

    def balanced_accuracy(part, validation, rate, **setting):
        if rate not in seen:
            seen[rate] = dict(trained(part, validation, rate))
        place = every(grid).index(setting)
        return {step: found[place] for step, found in seen[rate].items()}

    return balanced_accuracy


def _apart(logits, copies):
    """(seeds, copies, N, 10) or (seeds, N, 10) -> (copies, seeds · N, 10)."""
    logits = logits.view(len(logits), copies, -1, 10)
    return logits.transpose(0, 1).flatten(1, 2)


def _shifts(settings, counts):
    taus = torch.tensor([float(setting["tau"]) for setting in settings])
    return taus[:, None, None, None] * _log_prior(counts)


def _by_class(values, labels):
    return torch.stack(
        [values[..., labels[0] == k].mean(-1) for k in labels[0].unique()], -1
    )


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
