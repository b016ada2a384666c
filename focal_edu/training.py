"""Small networks trained side by side, and how losses are compared fairly.

Whatever could explain a difference between two losses (learning rate, steps,
γ, α) is chosen for each of them on the validation part: `tune`. What is left
is measured on the test part, in pairs: `paired_difference`.
"""

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import nn


class Perceptrons(nn.Module):
    """Networks of one hidden layer that never see each other.

    Parameters
    ----------
    seeds : sequence of int
        Each draws the first weights of one network.
    inputs, hidden, outputs : int
        Features of an example, hidden units, logits an example.
    copies : int
        Networks a seed, with the same first weights and the same inputs,
        to be trained by different losses.
    prior : float between 0 and 1, optional
        Starts the last bias at −log((1 − π) / π), so that p is near π at
        first: Lin et al. 2017, section 4.1. None starts it at 0.
    """

    def __init__(
        self, seeds, inputs, *, hidden=32, outputs=1, copies=1, prior=None
    ):
        super().__init__()
        draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        # the hidden units of all copies side by side: one product for all
        first = [torch.randn(inputs, hidden, generator=g) for g in draws]
        first = torch.stack(first).repeat(1, 1, copies) / math.sqrt(inputs)
        last = [torch.randn(hidden, outputs, generator=g) for g in draws]
        last = torch.stack(last)[:, None].repeat(1, copies, 1, 1)
        bias = 0.0 if prior is None else -math.log((1 - prior) / prior)
        self.hidden = nn.Parameter(first)
        self.hidden_bias = nn.Parameter(torch.zeros_like(first[:, :1]))
        self.last = nn.Parameter(last / math.sqrt(hidden))
        self.last_bias = nn.Parameter(torch.full_like(last[:, :, :1], bias))

    def forward(self, inputs):
        """Return logits: (seeds, N, inputs) or (N, inputs) -> (seeds, N).

        More copies than one have an axis before N, more outputs one after.
        """
        inputs = inputs.expand(len(self.hidden), -1, -1)
        hidden = torch.baddbmm(self.hidden_bias, inputs, self.hidden).relu()
        copies, units = self.last.shape[1:3]
        hidden = hidden.unflatten(2, (copies, units)).transpose(1, 2)
        logits = (hidden @ self.last + self.last_bias).squeeze(-1)
        return logits if copies > 1 else logits.squeeze(1)


def batches(inputs, targets, size, seeds):
    """Yield random batches for ever, one sequence of batches a seed.

    ``inputs`` (seeds, N, …) and ``targets`` (seeds, N) give pairs of shapes
    (seeds, size, …) and (seeds, size). Every example comes once an epoch;
    what is left of one that `size` does not divide is skipped.
    """
    draws = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    count = targets.shape[1]
    first = count * torch.arange(len(draws))[:, None]
    flat = inputs.flatten(0, 1), targets.flatten()
    while True:
        order = torch.stack(
            [torch.randperm(count, generator=g) for g in draws]
        )
        for places in order[:, : count - count % size].split(size, dim=1):
            rows = (first + places).flatten()
            x, y = (part.index_select(0, rows) for part in flat)
            yield x.unflatten(0, places.shape), y.view(places.shape)


ADAM = partial(torch.optim.Adam, fused=True)
SGD = partial(torch.optim.SGD, momentum=0.9, fused=True)


def train(model, batches, loss, *, rate, watch, optimizer=ADAM):
    """Train, and yield the number of steps each time it is in `watch`.

    ``loss(logits, targets)`` returns a tensor of any shape; training lowers
    its sum. Networks side by side share no weights, so each learns alone.
    """
    optimizer = optimizer(model.parameters(), lr=rate)
    for step, (inputs, targets) in enumerate(batches, start=1):
        optimizer.zero_grad()
        loss(model(inputs), targets).sum().backward()
        optimizer.step()
        if step in watch:
            yield step
        if step >= max(watch):
            return


class Parts(NamedTuple):
    """The three parts of a data set, each a pair (inputs, targets)."""

    train: tuple
    validation: tuple
    test: tuple


def side_by_side(draws):
    """Return one `Parts` of many data sets, for networks side by side.

    Each of `draws` is a triple of pairs of arrays; no example may be in two
    of its parts. Inputs become tensors (draws, N, features).
    """
    draws = [Parts(*draw) for draw in draws]
    for draw in draws:
        check_apart(draw)
    stacked = [
        [np.stack(arrays) for arrays in zip(*part, strict=True)]
        for part in zip(*draws, strict=True)
    ]
    return Parts(
        *((torch.tensor(x).float(), torch.tensor(y)) for x, y in stacked)
    )


TOLERANCE = 0.002  # of a score that creeps on for as long as one trains


class Tuned(NamedTuple):
    """What `tune` tried: settings, number of steps and score of each row."""

    rows: list
    tolerance: float = 0.0

    @property
    def best(self):
        """The row with the highest score, or fewer steps that do as well.

        Of its settings, at any rate, the fewest steps are taken that come
        within the tolerance of that score. A NaN is below all others.
        """
        top = max(self.rows, key=_score)
        free = {"rate": None, "steps": None, "score": None}
        enough = [
            row
            for row in self.rows
            if row | free == top | free
            and _score(row) >= _score(top) - self.tolerance
        ]
        return min(enough, key=lambda row: (row["steps"], -_score(row)))

    def profile(self, name):
        """Return the best score that each value of one setting reached."""
        values = sorted({row[name] for row in self.rows})
        return {
            value: max(_score(r) for r in self.rows if r[name] == value)
            for value in values
        }

    @property
    def at_edge(self):
        """Names of the settings whose best value ends its grid.

        Such a grid is too narrow: what lies beyond may be better.
        """
        ends = {}
        for name in self.best:
            if name != "score" and len(self.profile(name)) > 1:
                ends[name] = min(self.profile(name)), max(self.profile(name))
        return [name for name in ends if self.best[name] in ends[name]]

    def __str__(self):
        """The grid: under each value the best score that it reached.

        What was not chosen, for want of a second value, is left out.
        """
        lines = []
        for name in self.best:
            profile = self.profile(name)
            if name == "score" or len(profile) == 1:
                continue
            marks = ["*" if v == self.best[name] else "" for v in profile]
            tried = [f"{v:g}{m}" for v, m in zip(profile, marks, strict=True)]
            lines += [f"{name:<8}" + "".join(f"{v:>8}" for v in tried)]
            scores = (f"{score:8.3f}" for score in profile.values())
            lines += [f"{'score':<8}" + "".join(scores)]
        return "\n".join(lines)


def tune(trial, parts, *, tolerance=0.0, **grid):
    """Try every combination of `grid` and return the scores.

    Parameters
    ----------
    trial : callable
        ``trial(train, validation, **settings)`` trains on the one part and
        returns its scores on the other, larger is better, as a dict from
        the number of steps, rising, to the score. It is never given the
        test part.
    parts : Parts
    tolerance : float
        A score this far below the best will do, for the sake of fewer steps.
    **grid : sequence of values for each setting, rising

    Returns
    -------
    Tuned

    Raises
    ------
    ValueError
        If one example is in two of the parts: then the choice has seen it.
    """
    check_apart(parts)
    rows = []
    for settings in every(grid):
        scores = trial(parts.train, parts.validation, **settings)
        rows += [
            settings | {"steps": steps, "score": float(score)}
            for steps, score in scores.items()
        ]
    return Tuned(rows, tolerance)


def every(grid):
    """Return the settings of a grid, a dict each."""
    return [
        dict(zip(grid, values, strict=True))
        for values in product(*grid.values())
    ]


def check_apart(parts):
    """Raise a ValueError if any example is in two of the three parts."""
    seen = {}
    for name, (inputs, _) in zip(Parts._fields, parts, strict=True):
        for example in np.asarray(inputs):
            place = seen.setdefault(example.tobytes(), name)
            if place != name:
                raise ValueError(
                    f"an example of {place} is in {name} as well: whoever "
                    "chooses by one of them has seen the other"
                )


class Difference(NamedTuple):
    """A mean difference, its standard error, and over how many pairs."""

    mean: float
    error: float
    pairs: int

    def __str__(self):
        return f"{self.mean:+.3f} ± {self.error:.3f}"


def paired_difference(these, those):
    """Return the mean of ``these − those`` and its standard error.

    One number a unit in each. The error is right as far as the units are
    independent: data sets rather than seeds that share one.
    """
    these, those = np.asarray(these, float), np.asarray(those, float)
    if these.shape != those.shape or these.ndim != 1 or len(these) < 2:
        raise ValueError(
            "these and those must be two or more numbers each, in pairs, "
            f"got shapes {these.shape} and {those.shape}"
        )
    apart = these - those
    error = apart.std(ddof=1) / math.sqrt(len(apart))
    return Difference(float(apart.mean()), float(error), len(apart))


def prevalence_weights(labels, prevalence):
    """Return `sample_weight` for metrics as if positives were that rare."""
    labels = np.asarray(labels)
    share = labels.mean()
    return np.where(
        labels == 1, prevalence / share, (1 - prevalence) / (1 - share)
    )


def _score(row):
    return -math.inf if math.isnan(row["score"]) else row["score"]
