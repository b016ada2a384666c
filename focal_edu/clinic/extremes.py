"""Which of the ways to round, to cut off or to raise a power shows only at
extreme logits."""

from dataclasses import replace
from itertools import product

import numpy as np
import torch

from . import rules
from .calls import Refusal, ask_each
from .explain import with_detail
from .names import variants_of
from .names.variant import EXTREME

FARTHEST = (110, 150)
UNIT = torch.finfo(torch.float32).eps  # a smaller ε is lost in rounding
SIGNS = np.array([1, -1, 1, -1, 1, -1])


def far_out(explanation):
    """Return the explanation with what shows only at extreme logits."""
    model, subject = explanation.model, explanation.subject
    if model is None:
        return explanation
    usual, rng = subject.form.dtype, np.random.default_rng(subject.seed + 1)

    def case(low, high, dtype):
        x_t = rng.uniform(low, high, len(SIGNS)) * SIGNS
        batch = subject.labels.at_margins(x_t, rng)
        return batch, dtype, subject.each(batch, dtype)

    try:
        cases = [case(8, 25, usual)]
        cases += [case(*far, torch.float32) for far in ((20, 80), FARTHEST)]
        cut = {} if model.probability else _cut(model, subject, *cases[-1])
        if cut:  # about it one way of cutting shows
            at = -np.log(cut["eps"][0])
            cases.append(case(at - 1, at + 1, usual))
        # where exp overflows, and no probability has rounded to 0
        cases.append(case(90, 99, torch.float32))
    except Refusal:
        return explanation
    for extra in _tries(model, subject.task, cut):
        made = replace(model, **extra)
        if all(_agree(made, subject, *case) for case in cases):
            more = extra.values()
            if subject.form.probabilities:  # it is we who round
                least = UNIT if explanation.claims.probabilities else 0
                more = [v for v in more if v.numbers.get("eps", 0) > least]
            names = (*explanation.names, *map(with_detail, more))
            return replace(explanation, model=made, names=names)
    return explanation


def _tries(model, task, cut):
    """What may stand beside a model, by part, the least of it first."""
    factors = variants_of("factor", task, EXTREME)
    probabilities = variants_of("probability", task, EXTREME)
    probabilities += [  # where a cut may be too far out to show before
        replace(variant, numbers={name: number})
        for variant in variants_of("probability", task)
        for name in variant.numbers.keys() & cut.keys()
        for number in cut[name]
    ]
    if model.probability:
        probabilities = []
    known = model.factor or model.detached or not model.focused
    if known or model.gamma >= 1:  # where a power is as good as another
        factors = []
    pairs = product([None, *probabilities], [None, *factors])
    tries = [{v.part: v for v in pair if v} for pair in pairs]
    return sorted(tries, key=len)


def _cut(model, subject, batch, dtype, seen):
    """Where p_t, or the logits, would be cut off if the loss was capped.

    The small ε, without and with the factor cut off too, and the limit that
    would do it; empty if it was not.
    """
    ours = ask_each(model.loss(), subject.plain, *batch, dtype).value
    asked = rules.batch_of(*map(torch.tensor, batch))
    x_t, own = (
        part.reshape(len(ours), -1).mean(1).numpy()
        for part in (
            rules.margin(asked),
            rules.of_the_truth(asked.logits, asked),
        )
    )
    far = x_t < -FARTHEST[0] / 2
    capped = (seen.value / ours * -x_t)[far]
    eps = float(np.exp(-np.median(capped)))
    limit = round(float(np.median(capped - (own - x_t)[far])), 2)
    if not 0 < eps < 1e-2:
        return {}
    both = eps ** (1 / (1 - eps) ** model.gamma)
    return {"eps": (eps, both), "limit": (limit,)}


def _agree(model, subject, batch, dtype, seen):
    ours = ask_each(model.loss(), subject.plain, *batch, dtype)
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
