"""Which pixels are the ink of one digit: focal loss and overlap losses, in
lesson 07."""

import torch

from .digits import digit_masks
from .pytorch import sigmoid_focal_loss
from .training import Perceptrons, batches, side_by_side, train

STEPS = (50, 100, 200, 400, 800, 1600, 3200)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
ALPHAS = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
GAMMAS = (0.5, 1, 2, 4)


def cross_entropy(logits, masks, *, alpha=None):
    """Mean over the pixels of each network's batch; α for the ink."""
    return focal(logits, masks, gamma=0.0, alpha=alpha)


def focal(logits, masks, *, gamma=2.0, alpha=None):
    """The same of the focal loss."""
    loss = sigmoid_focal_loss(
        logits, masks, gamma=gamma, alpha=alpha, reduction="none"
    )
    return loss.mean((1, 2))


def dice(logits, masks):
    """1 − 2 Σ p y / (Σ p + Σ y), over all pixels of a network's batch."""
    p = logits.sigmoid()
    both = (p * masks).sum((1, 2))
    return 1 - 2 * both / (p.sum((1, 2)) + masks.sum((1, 2)))


def dice_each(logits, masks):
    """The mean of the Dice loss of each canvas; 1 where none has ink."""
    p = logits.sigmoid()
    both = (p * masks).sum(2)
    each = 1 - 2 * both / (p.sum(2) + masks.sum(2))
    return each.mean(1)


def focal_and_dice(logits, masks, *, weight, **settings):
    """Dice, and `weight` times the focal loss."""
    return dice(logits, masks) + weight * focal(logits, masks, **settings)


RECIPES = {
    "CE": (cross_entropy, {}),
    "CE, α": (cross_entropy, {"alpha": (*ALPHAS, 0.99)}),
    "FL, α and γ": (focal, {"alpha": ALPHAS, "gamma": GAMMAS}),
    "Dice": (dice, {}),
    "Dice, canvas by canvas": (dice_each, {}),
    "FL + Dice": (
        focal_and_dice,
        {"weight": (10, 30, 100), "alpha": ALPHAS[:4], "gamma": GAMMAS[1:]},
    ),
}


def draws(seeds):
    """Return `Parts`, side by side: seed s looks for digit s modulo 10."""
    return side_by_side(digit_masks(s % 10, seed=s) for s in seeds)


def fit(name, part, seeds, *, rate, steps=STEPS, **settings):
    """Train a network a draw, and yield (step, model) at each of `steps`."""
    loss, _ = RECIPES[name]
    model = Perceptrons(seeds, 128, hidden=64, outputs=128, prior=0.03)
    canvases, masks = part
    rows = torch.arange(masks.shape[1]).expand(len(seeds), -1)
    each = torch.arange(len(seeds))[:, None]
    stream = (
        (x, masks[each, picked])
        for x, picked in batches(canvases, rows, 50, seeds)
    )

    def total(logits, masks):
        return loss(logits, masks.float(), **settings)

    for step in train(model, stream, total, rate=rate, watch=steps):
        yield step, model


@torch.no_grad()
def overlap(model, canvases, masks, *, cut=0.5):
    """Return the Dice score of p > `cut`, all canvases at once, a network."""
    found = (model(canvases).sigmoid() > cut).double()
    both = (found * masks).sum((1, 2))
    return 2 * both / (found.sum((1, 2)) + masks.sum((1, 2)))
