"""Which of the ways to round, to cut off or to raise a power shows only at
extreme logits."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import torch

from . import batches, rules
from .calls import Refusal, ask_each
from .names import VARIANTS

SIGNS = np.array([1, -1, 1, -1, 1, -1])


def extreme_names(explanation):
    """Return the names with those to add, or to exchange, far out."""
    model, subject = explanation.model, explanation.subject
    if model is None or model.overwritten or model.normalised:
        return explanation.names
    tries = _tries(model.fit, subject.task)
    ranges = [
        (8, 25, subject.form.dtype),
        (20, 80, torch.float32),
        (110, 150, torch.float32),
    ]
    if "eps" in model.fit.numbers and model.fit.probability:
        # about the cut, where one way of cutting shows
        cut = -np.log(model.fit.numbers["eps"])
        ranges.append((cut - 1, cut + 1, subject.form.dtype))
    rng, cases = np.random.default_rng(subject.seed + 1), []
    for low, high, dtype in ranges:
        batch = batches.at_margins(
            subject.task,
            subject.labels,
            rng.uniform(low, high, len(SIGNS)) * SIGNS,
            rng,
        )
        try:
            cases.append((batch, dtype, subject.each(batch, dtype)))
        except Refusal:
            return explanation.names
    for extra in tries:
        parts = {v.part: _with_numbers(v, model.fit) for v in extra}
        made = model.loss(**parts)
        if all(_agree(made, subject, *case) for case in cases):
            return _exchanged(explanation.names, extra)
    return explanation.names


def _tries(fit, task):
    """Combinations of extreme variants that may stand beside a fit."""
    own = [v for v in VARIANTS if v.extreme and task in v.tasks]
    cut = fit.probability and fit.probability.rule is rules.clipped
    probabilities = [
        v
        for v in own
        if v.part == "probability"
        and bool(v.numbers) == bool(cut)
        and (cut or not fit.probability)
    ]
    factors = [v for v in own if v.part == "factor"]
    factors = [] if fit.factor or fit.detached else factors
    pairs = product([None, *probabilities], [None, *factors])
    return sorted(([v for v in pair if v] for pair in pairs), key=len)


def _with_numbers(variant, fit):
    return partial(
        variant.rule, **{name: fit.numbers[name] for name in variant.numbers}
    )


def _exchanged(names, extra):
    """The names with `extra`; clipping the other way takes its place."""
    for variant in extra:
        if not variant.numbers:
            names = (*names, variant)
            continue
        names = tuple(
            replace(variant, detail=name.detail)
            if name.rule is rules.clipped
            else name
            for name in names
        )
    return names


def _agree(made, subject, batch, dtype, seen):
    ours = ask_each(made, subject.plain, *batch, dtype)
    rtol = 1e-3 if dtype == torch.float64 else 1e-2
    return all(
        np.array_equal(np.isfinite(a), np.isfinite(b))
        and np.allclose(a[np.isfinite(a)], b[np.isfinite(b)], rtol, 1e-6)
        for a, b in (
            (_by_row(seen.value), _by_row(ours.value)),
            (_by_row(seen.gradient), _by_row(ours.gradient)),
        )
    )


def _by_row(array):
    """An example with any number that is not finite is not finite."""
    rows = array.reshape(len(array), -1)
    bad = ~np.isfinite(rows).all(axis=1, keepdims=True)
    return np.where(bad, np.nan, rows)
