"""Which of the ways to round, to cut off or to raise a power shows only at
extreme logits."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import torch

from . import batches, rules
from .calls import Refusal, ask_each
from .names import named, variants_of
from .names.variant import EXTREME

FARTHEST = (110, 150)
ROUNDED = named("log of a rounded probability")
SIGNS = np.array([1, -1, 1, -1, 1, -1])


def extreme_names(explanation):
    """Return the names with those to add, or to exchange, far out."""
    model, subject = explanation.model, explanation.subject
    names = explanation.names
    if model is None or (
        model.overwritten or model.normalised or model.of_batches
    ):
        return names
    usual, numbers = subject.form.dtype, model.fit.numbers
    rng = np.random.default_rng(subject.seed + 1)

    def case(low, high, dtype):
        x_t = rng.uniform(low, high, len(SIGNS)) * SIGNS
        batch = batches.at_margins(subject.task, subject.labels, x_t, rng)
        return batch, dtype, subject.each(batch, dtype)

    try:
        cases = [case(8, 25, usual)]
        cases += [case(*far, torch.float32) for far in ((20, 80), FARTHEST)]
        if not model.fit.probability:
            numbers = numbers | {"eps": _floor(model, subject, *cases[-1])}
        if 0 < numbers.get("eps", 0) < 1e-2:
            # about the cut, where one way of cutting shows
            cut = -np.log(numbers["eps"])
            cases.append(case(cut - 1, cut + 1, usual))
    except Refusal:
        return names
    for extra in _tries(model.fit, subject.task):
        parts = {v.part: _with_numbers(v, numbers) for v in extra}
        made = model.loss(**parts)
        if all(_agree(made, subject, *case) for case in cases):
            names = _exchanged(names, extra, numbers)
            break
    if explanation.claims.probabilities:  # the rounding is not the loss's
        names = tuple(name for name in names if name != ROUNDED)
    return names


def _tries(fit, task):
    """Combinations of extreme variants that may stand beside a fit."""
    own = variants_of("probability", task)
    if not fit.probability:  # an ε may be too small to show before
        small = [v for v in own if v.numbers.keys() == {"eps"}]
        own = [v for v in own if v.match == EXTREME and not v.numbers]
        own += [v for v in small if v.match != EXTREME]
    elif fit.probability.name == "p_t clipped":
        own = [v for v in own if v.match == EXTREME and v.numbers]
    else:
        own = []
    factors = [v for v in variants_of("factor", task) if v.match == EXTREME]
    factors = [] if fit.factor or fit.detached else factors
    pairs = product([None, *own], [None, *factors])
    return sorted(([v for v in pair if v] for pair in pairs), key=len)


def _with_numbers(variant, numbers):
    return partial(variant.rule, **{k: numbers[k] for k in variant.numbers})


def _floor(model, subject, batch, dtype, seen):
    """The ε that would cap the loss where it was capped."""
    ours = ask_each(model.loss(), subject.plain, *batch, dtype).value
    right = rules.stable(rules.batch_of(*map(torch.tensor, batch)))
    margin = -right.log_p.reshape(len(ours), -1).mean(1).numpy()
    far = margin > FARTHEST[0] / 2
    capped = np.median((seen.value / ours * margin)[far])
    return float(np.exp(-capped)) if np.isfinite(capped) else 0.0


def _exchanged(names, extra, numbers):
    """The names with `extra`; clipping the other way takes its place."""
    for variant in extra:
        cut = [name for name in names if name.name == "p_t clipped"]
        if variant.numbers and cut:
            variant = replace(variant, detail=cut[0].detail)
            names = tuple(variant if name in cut else name for name in names)
            continue
        if variant.numbers:
            variant = replace(variant, detail=f"ε = {numbers['eps']:.3g}")
        names = (*names, variant)
    return names


def _agree(made, subject, batch, dtype, seen):
    ours = ask_each(made, subject.plain, *batch, dtype)
    rtol = 1e-3 if dtype == torch.float64 else 1e-2
    pairs = (seen.value, ours.value), (seen.gradient, ours.gradient)
    return all(
        np.allclose(*map(_by_row, pair), rtol, 1e-6, equal_nan=True)
        for pair in pairs
    )


def _by_row(array):
    """Rows, one an example; all NaN where a number is not finite."""
    rows = array.reshape(len(array), -1)
    good = np.isfinite(rows).all(axis=1, keepdims=True)
    return np.where(good, rows, np.nan)
