"""Focal loss and its rivals on a rare digit, each with the best settings
that it can get.

All images are split once, into a pool and two halves. A run is a digit and
a seed, which draws a training set from the pool. Settings are chosen on one
half, by some seeds, and judged on the other half, by other seeds; then the
halves change places.
"""

from functools import partial
from itertools import product

import numpy as np
import torch
from sklearn import config_context
from sklearn.metrics import average_precision_score

from .clinic import build
from .digits import rare_digit_runs
from .pytorch import sigmoid_focal_loss
from .training import (
    SGD,
    TOLERANCE,
    Parts,
    Perceptrons,
    batches,
    every,
    prevalence_weights,
    train,
    tune,
)

PREVALENCE = 0.01  # of positives, in training and where AP is measured
SIZE = 64  # images in a batch
HIDDEN = 16
RATES = (0.01, 0.03, 0.1, 0.3)
STEPS = (100, 200, 400, 800, 1600, 3200, 6400)

# What is tried for each loss, beside rate and steps. With α = 0.5 both
# classes weigh alike. A "level" is the p at which a negative's factor is α.
# Hard mining learns from the `keep` images of a batch with the largest loss;
# oversampling makes a `share` of it positive.
GAMMAS = (1, 2, 5, 8, 12, 16)
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
RIVALS = {
    "CE": {"gamma": (0,), "alpha": (0.5,)},
    "CE, best α": {"gamma": (0,), "alpha": (0.01, 0.1, 0.25, 0.5, 0.75, 0.9)},
    "FL, tuned": {"gamma": GAMMAS, "level": LEVELS},
    "FL, the paper's pair": {"gamma": (2,), "alpha": (0.25,)},
    "hard mining": {"gamma": (0,), "keep": (1, 2, 4, 8)},
    "oversampling": {"gamma": (0,), "share": (0.01, 0.02, 0.05, 0.1, 0.25)},
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

    A setting is a dict with "gamma" and, where it has them, "alpha" or
    "level" (α = level^γ), "keep", or "mistake", the name of a variant in
    the clinic. All is divided by α, so that a positive weighs 1, and by the
    size of the batch, of whatever part is kept: one rate then means about
    the same to all. Settings that share γ, keep and mistake are computed at
    one stroke.
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
            alphas = [alpha_of(settings[place]) for place in places]
            if mistake is None:
                each = sigmoid_focal_loss(
                    *pair, gamma=gamma, alpha=alphas, reduction="none"
                )
                size = each.shape[-1]
                if keep is not None:
                    each = each.topk(keep, dim=-1).values
                each = each.sum(dim=-1) / size
            else:
                wrong = build(mistake, gamma=gamma, alpha=alphas[0])
                each = torch.vmap(torch.vmap(wrong))(*pair)
            total = total + (each / each.new_tensor(alphas)).sum(dim=1)
        return total

    return loss


def alpha_of(setting):
    """Return α: its own, level^γ, or 1/2."""
    if "level" in setting:
        return setting["level"] ** setting["gamma"]
    return setting.get("alpha", 0.5)


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
        As in `loss_of`.
    rates, steps : sequences of numbers, rising
        Every rate is tried; the networks answer at every number of steps.
    prior : float or None
        What an untrained network says of every image.
    optimizer : callable
        As in `train`.
    each : callable
        `map`, or that of a pool of processes, which then share the work.
    together : int
        How many digits one process trains side by side.
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
        optimizer=SGD,
        each=map,
        together=10,
        **data,
    ):
        self.digits, self.settings = list(digits), settings
        self.rates, self.steps = rates, steps
        runs = list(product(self.digits, seeds))
        images, labels, halves = rare_digit_runs(runs, **data)
        self.parts = (images.reshape(-1, 64), labels), *halves
        self.work = partial(
            trained, seeds=seeds, prior=prior, optimizer=optimizer, data=data
        )
        self.each, self.together = each, together
        self.seen = {}
        self.train((settings, rates, steps))

    def train(self, *asked):
        """Train networks of all runs, to be chosen from and judged.

        Each of `asked` is settings, rates and steps; what was trained for
        as many steps before is not trained again.
        """
        wanted = {}
        for settings, rates, steps in asked:
            for setting, rate in product(map(_key, settings), rates):
                if any(
                    (0, rate, step, "ap", setting) not in self.seen
                    for step in steps
                ):
                    wanted.setdefault((setting, rate), set()).update(steps)
        alike = {}  # networks that one process trains side by side
        for (setting, rate), steps in wanted.items():
            kind = tuple(sorted(steps)), rate, "share" in dict(setting)
            alike.setdefault(kind, []).append(setting)
        many = self.together
        jobs = [
            ([*map(dict, settings)], rate, steps, self.digits[first:][:many])
            for (steps, rate, _), settings in alike.items()
            for first in range(0, len(self.digits), many)
        ]
        jobs.sort(key=lambda job: (job[2][-1], len(job[0])), reverse=True)
        found = self.each(self.work, *zip(*jobs, strict=True)) if jobs else ()
        seen = {}
        for (settings, rate, *_), verdicts in zip(jobs, found, strict=True):
            for (half, step, name), values in verdicts.items():
                for setting, value in zip(settings, values, strict=True):
                    key = half, rate, step, name, _key(setting)
                    seen.setdefault(key, []).append(value)
        self.seen |= seen

    def tune(self, half, *, rates=None, steps=None, **grid):
        """Return what `tune` finds on a half, by the mean AP of all runs."""
        parts = Parts(
            self.parts[0], self.parts[1 + half], self.parts[2 - half]
        )

        def trial(train, validation, rate, **setting):
            return {
                step: self._seen(half, rate, step, setting).mean()
                for step in steps or self.steps
                if (half, rate, step, "ap", _key(setting)) in self.seen
            }

        grid = {"rate": rates or self.rates} | grid
        return tune(trial, parts, tolerance=TOLERANCE, **grid)

    def settle(self, grids, *, times=3):
        """Return what each half chooses in each grid: {name: two `Tuned`}.

        Where a choice has the most steps, twice as many are tried; where it
        has the lowest or highest rate, one beyond. For both halves, at what
        they chose and the neighbours of that, and so often at most.
        """
        tried = {name: (self.rates, self.steps) for name in grids}
        for left in reversed(range(times + 1)):
            tuned = {
                name: [
                    self.tune(half, rates=rates, steps=steps, **grids[name])
                    for half in (0, 1)
                ]
                for name, (rates, steps) in tried.items()
            }
            wider = {n: widened(*tried[n], tuned[n]) for n in grids}
            if wider == tried or not left:
                return tuned
            asked = []
            for name, (rates, steps) in wider.items():
                near = near_by({"rate": rates} | grids[name], tuned[name])
                rates = near.pop("rate")
                asked.append((every(near), rates, steps))
            self.train(*asked)
            tried = wider

    def judge(self, half, best):
        """Return what the row `best` of a `tune` does on a half.

        A dict of arrays (digits, seeds), as `verdict` names them.
        """
        place = half, best["rate"], best["steps"], setting_of(best)
        return {
            name: self._seen(*place, name)
            for name in ("ap", "found", "alarms")
        }

    def _seen(self, half, rate, step, setting, name="ap"):
        return np.concatenate(
            self.seen[half, rate, step, name, _key(setting)]
        )


def widened(rates, steps, tuned):
    """Return rates and steps, with one more where a choice is at an end.

    Of rates every second is ten times as high.
    """
    chosen = [{t.best[name] for t in tuned} for name in ("rate", "steps")]
    low = (rates[1] / 10,) if rates[0] in chosen[0] else ()
    high = (rates[-2] * 10,) if rates[-1] in chosen[0] else ()
    more = (2 * steps[-1],) if steps[-1] in chosen[1] else ()
    return (*low, *rates, *high), (*steps, *more)


def near_by(grid, tuned):
    """Return the part of a grid that was chosen, and its neighbours."""
    near = {}
    for name, values in grid.items():
        places = {values.index(t.best[name]) for t in tuned}
        near[name] = [
            value
            for place, value in enumerate(values)
            if places & {place - 1, place, place + 1}
        ]
    return near


def trained(settings, rate, steps, digits, *, seeds, prior, optimizer, data):
    """Return the `verdict` on networks, a run and a setting each.

    Maps (half, steps, name) to an array (settings, digits, seeds).
    """
    runs = list(product(digits, seeds))
    numbers = [100 * digit + seed for digit, seed in runs]
    *known, halves = rare_digit_runs(runs, **data)
    known = [torch.tensor(part, dtype=torch.float32) for part in known]
    count, loss = len(settings), loss_of(settings)
    if shares := [s["share"] for s in settings if "share" in s]:
        each, copies = np.repeat(numbers, count), 1
        stream = oversampled(*known, SIZE, numbers, shares)
    else:
        each, copies = numbers, count
        stream = batches(*known, SIZE, numbers)
    model = Perceptrons(each, 64, hidden=HIDDEN, copies=copies, prior=prior)
    found = {}
    how = {"rate": rate, "watch": steps, "optimizer": optimizer}
    for step in train(model, stream, loss, **how):
        for half, (images, labels) in enumerate(halves):
            with torch.no_grad():
                logits = model(torch.tensor(images, dtype=torch.float32))
            logits = logits.view(len(digits), len(seeds), count, -1).numpy()
            truth = labels == np.array(digits)[:, None]
            for name, values in verdict(logits, truth).items():
                found[half, step, name] = np.moveaxis(values, 2, 0)
    return found


def verdict(logits, truth):
    """Return how networks rank a half, and what p > 0.5 finds there.

    Logits (digits, seeds, settings, N) and truth (digits, N) give arrays
    (digits, seeds, settings): AP at 1 % positives, and the percentages of
    positives and of negatives that are called positive.
    """
    logits = np.nan_to_num(logits)  # of a network that has diverged
    truth = np.broadcast_to(truth[:, None, None], logits.shape)
    called = logits > 0
    with config_context(skip_parameter_validation=True):
        ap = [
            average_precision_score(
                t, x, sample_weight=prevalence_weights(t, PREVALENCE)
            )
            for t, x in zip(*map(_flat, (truth, logits)), strict=True)
        ]
    return {
        "ap": np.reshape(ap, logits.shape[:-1]),
        "found": 100 * (called & truth).sum(-1) / truth.sum(-1),
        "alarms": 100 * (called & ~truth).sum(-1) / (~truth).sum(-1),
    }


def settings_of(grids):
    """Return the settings of several grids, each once."""
    return distinct(setting for grid in grids for setting in every(grid))


def judge_anew(digits, seeds, chosen, **about):
    """Return how new networks do by the settings that were chosen.

    `chosen` maps a name to two `Tuned`, one a half. Each name gets two
    verdicts of `Contest.judge`, a half each, by the other half's choice.
    All else is as in `Contest`.
    """
    choices = [tuned.best for pair in chosen.values() for tuned in pair]
    contests = {}
    for rate in {best["rate"] for best in choices}:
        here = [best for best in choices if best["rate"] == rate]
        contests[rate] = Contest(
            digits,
            seeds,
            distinct(map(setting_of, here)),
            rates=(rate,),
            steps=sorted({best["steps"] for best in here}),
            together=5,
            **about,
        )
    return {
        name: [
            contests[tuned.best["rate"]].judge(half, tuned.best)
            for half, tuned in enumerate(pair[::-1])
        ]
        for name, pair in chosen.items()
    }


def setting_of(row):
    """Return a row of a `Tuned` without rate, steps and score."""
    rest = ("rate", "steps", "score")
    return {name: v for name, v in row.items() if name not in rest}


def distinct(settings):
    """Return the settings, each once."""
    return list({_key(setting): setting for setting in settings}.values())


def _key(setting):
    return frozenset(setting.items())


def _flat(rows):
    return rows.reshape(-1, rows.shape[-1])
