"""Focal loss and its rivals on a rare digit, each with the best settings
that it can get.

All images are split once, into a pool and two halves. A run is a digit and
a seed, which draws a training set from the pool. Settings are chosen on one
half, by some seeds, and judged on the other half, by other seeds; then the
halves change places.
"""

from itertools import product

import numpy as np
import torch
from sklearn import config_context
from sklearn.metrics import average_precision_score

from .clinic import build
from .digits import rare_digit_runs
from .pytorch import sigmoid_focal_loss
from .training import (
    Parts,
    Perceptrons,
    batches,
    prevalence_weights,
    train,
    tune,
)

PREVALENCE = 0.01  # of positives, in training and where AP is measured
SIZE = 64  # images in a batch
HIDDEN = 16
RATES = (0.0005, 0.0015, 0.005, 0.015)
STEPS = (100, 200, 400, 800, 1600)

# What is tried for each loss, beside rate and steps. With α = 0.5 both
# classes weigh alike. Hard mining learns from the `keep` images of a batch
# with the largest loss; oversampling makes a `share` of it positive.
GAMMAS = (0.5, 1, 2, 3, 5)
ALPHAS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
RIVALS = {
    "CE": {"gamma": (0,), "alpha": (0.5,)},
    "CE, best α": {"gamma": (0,), "alpha": ALPHAS},
    "FL, tuned": {"gamma": GAMMAS, "alpha": ALPHAS[:5]},
    "FL, the paper's pair": {"gamma": (2,), "alpha": (0.25,)},
    "hard mining": {"gamma": (0,), "keep": (1, 2, 4, 8, 16)},
    "oversampling": {
        "gamma": (0,),
        "share": (0.02, 0.05, 0.1, 0.25, 0.5, 0.8),
    },
}

MISTAKES = (
    "p_t detached",
    "modulated after reduction",
    "wrong negative branch",
    "alpha to both",
    "p_t clipped",
    "squashed twice",
)


def loss_of(settings):
    """Return one loss for all settings: (runs, settings, N) -> (runs,).

    Targets are (runs, N) where all settings see the same batch.

    A setting is a dict with "gamma" and, where it has them, "alpha", "keep",
    or "mistake", the name of a variant in the clinic. Settings that share
    these but for α are computed at one stroke.
    """
    groups = {}
    for place, setting in enumerate(settings):
        key = (setting.get(k) for k in ("gamma", "keep", "mistake"))
        groups.setdefault(tuple(key), []).append(place)

    def loss(logits, targets):
        logits = logits.view(len(targets), len(settings), -1)
        targets = targets.view(len(targets), -1, logits.shape[-1])
        targets = targets.expand_as(logits)
        total = 0
        for (gamma, keep, mistake), places in groups.items():
            pair = logits[:, places], targets[:, places]
            alphas = [settings[place].get("alpha", 0.5) for place in places]
            if mistake is None:
                each = sigmoid_focal_loss(
                    *pair, gamma=gamma, alpha=alphas, reduction="none"
                )
                if keep is not None:
                    each = each.topk(keep, dim=-1).values
                each = each.mean(dim=-1)
            else:
                wrong = build(mistake, gamma=gamma, alpha=alphas[0])
                each = torch.vmap(torch.vmap(wrong))(*pair)
            total = total + each.sum(dim=1)
        return total

    return loss


def oversampled(inputs, targets, size, seeds, shares):
    """Yield batches of which each of `shares` is positive, drawn again.

    (runs, N, …) gives inputs (runs · shares, size, …) and targets (runs,
    shares, size). One draw serves all shares: what is positive at one of
    them is so at every larger one.
    """
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    order = targets.argsort(dim=1, descending=True)[:, None]
    positives = targets.sum(dim=1)[:, None, None]
    negatives = targets.shape[1] - positives
    order = order.expand(-1, len(shares), -1)
    shares = torch.tensor(shares)[:, None]
    each = torch.arange(len(draws))[:, None, None]
    while True:
        u, v = torch.stack(
            [torch.rand(2, 1, size, generator=draw) for draw in draws], dim=1
        )
        place = torch.where(
            u < shares, v * positives, positives + v * negatives
        )
        rows = order.gather(2, place.long())
        yield inputs[each, rows].flatten(0, 1), targets[each, rows]


class Contest:
    """Networks trained, one a run and a setting, at several rates.

    Parameters
    ----------
    digits, seeds : sequences of int
        Every digit with every seed is a run.
    settings : list of dicts
        As in `loss_of`. "share" is for all of them or for none.
    rates, steps : sequences of numbers
        Every rate is tried; the networks answer at every number of steps.
    prior : float or None
        What an untrained network says of every image.
    **data
        As in `rare_digit_runs`.
    """

    def __init__(
        self,
        digits,
        seeds,
        settings,
        *,
        rates=RATES,
        steps=STEPS,
        prior=PREVALENCE,
        **data,
    ):
        runs = [(digit, seed) for digit in digits for seed in seeds]
        self.digits, self.seeds, self.settings = digits, seeds, settings
        self.rates, self.steps = rates, steps
        images, labels, self.halves = rare_digit_runs(runs, **data)
        self.training = images, labels
        self.logits, self.known = {}, {}
        for rate in rates:
            self._train(rate, prior)

    def _train(self, rate, prior):
        numbers = [100 * d + s for d in self.digits for s in self.seeds]
        parts = [torch.tensor(p, dtype=torch.float32) for p in self.training]
        count, loss = len(self.settings), loss_of(self.settings)
        if shares := [s["share"] for s in self.settings if "share" in s]:
            each, copies = np.repeat(numbers, count), 1
            stream = oversampled(*parts, SIZE, numbers, shares)
        else:
            each, copies = numbers, count
            stream = batches(*parts, SIZE, numbers)
        model = Perceptrons(
            each, 64, hidden=HIDDEN, copies=copies, prior=prior
        )
        shape = len(self.digits), len(self.seeds), count, -1
        for step in train(model, stream, loss, rate=rate, watch=self.steps):
            for half, (images, _) in enumerate(self.halves):
                images = torch.tensor(images, dtype=torch.float32)
                with torch.no_grad():
                    answers = model(images).view(shape).numpy()
                self.logits[half, rate, step] = answers

    def precision(self, half, setting, rate, step):
        """Return AP at 1 % positives on a half: (digits, seeds)."""
        place = self.settings.index(setting)
        key = half, place, rate, step
        if key not in self.known:
            logits = self.logits[half, rate, step][:, :, place]
            with config_context(skip_parameter_validation=True):
                self.known[key] = np.array(
                    [
                        [_precision(self._labels(half, d), x) for x in seeds]
                        for d, seeds in zip(self.digits, logits, strict=True)
                    ]
                )
        return self.known[key]

    def tune(self, half, digits=None, **grid):
        """Return what `tune` finds on a half, over all digits or some."""
        some = [self.digits.index(d) for d in digits or self.digits]
        parts = Parts(
            (self.training[0].reshape(-1, 64), self.training[1]),
            *(self.halves[h] for h in (half, 1 - half)),
        )

        def trial(train, validation, rate, **setting):
            return {
                step: self.precision(half, setting, rate, step)[some].mean()
                for step in self.steps
            }

        return tune(trial, parts, rate=self.rates, **grid)

    def judge(self, half, best):
        """Return what the row `best` of a `tune` does on a half.

        Arrays (digits, seeds): AP at 1 % positives, and the percentages of
        positives and of negatives with p > 0.5.
        """
        where = half, best["rate"], best["steps"]
        setting = setting_of(best)
        logits = self.logits[where][:, :, self.settings.index(setting)]
        truth = np.stack([self._labels(half, d) for d in self.digits])
        called, truth = logits > 0, truth[:, None]
        return {
            "ap": self.precision(half, setting, *where[1:]),
            "found": 100 * (called & truth).sum(2) / truth.sum(2),
            "alarms": 100 * (called & ~truth).sum(2) / (~truth).sum(2),
        }

    def _labels(self, half, digit):
        return self.halves[half][1] == digit


def _precision(labels, logits):
    weights = prevalence_weights(labels, PREVALENCE)
    return average_precision_score(labels, logits, sample_weight=weights)


def every(grid):
    """Return the settings of a grid, a dict each."""
    return [
        dict(zip(grid, values, strict=True))
        for values in product(*grid.values())
    ]


def judge_anew(digits, seeds, chosen):
    """Return how new networks do by the settings that were chosen.

    `chosen` maps a name to two `Tuned`, one a half. Each name gets two
    verdicts of `Contest.judge`, a half each, by the other half's choice.
    """
    needed = {}
    for pair in chosen.values():
        for best in (tuned.best for tuned in pair):
            group = needed.setdefault((best["rate"], "share" in best), [])
            group.append(best)
    contests = {
        key: Contest(
            digits,
            seeds,
            list({str(s): s for s in map(setting_of, group)}.values()),
            rates=key[:1],
            steps=tuple(sorted({best["steps"] for best in group})),
        )
        for key, group in needed.items()
    }
    return {
        name: [
            contests[best["rate"], "share" in best].judge(half, best)
            for half, best in enumerate(t.best for t in pair[::-1])
        ]
        for name, pair in chosen.items()
    }


def setting_of(row):
    """Return a row of a `Tuned` without rate, steps and score."""
    rest = ("rate", "steps", "score")
    return {name: v for name, v in row.items() if name not in rest}
