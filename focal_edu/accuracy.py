"""What a loss gives, and what it should give, at extreme logits.

The truth comes from the definition alone, in arithmetic of 80 digits and
more. Its derivatives are central differences with a step of 1e-20, in as
many digits as leave 40 of them right.
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import mpmath
import torch

GAMMAS = (0, 0.1, 0.5, 0.9, 1, 1.5, 2, 5)
SIZES = (0, 0.1, 0.5, 1, 2, 3, 4, 5, 6.3, 7, 8.4, 10, 11, 14, 16.7, 18, 20)
SIZES += (25, 30, 37, 40, 50, 60, 75, 88, 89, 100, 200, 500, 710, 1000, 1e4)
LOGITS = tuple(sorted({sign * size for sign in (-1, 1) for size in SIZES}))
QUANTITIES = ("value", "gradient", "second derivative")
PATTERNS = ((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, -1), (1, 0.5, 0.25))
TOLERANCES = {  # relative; half a unit in the last place of half precision
    torch.float64: 2e-13,
    torch.float32: 1e-5,
    torch.bfloat16: 2**-8 * 1.02,
    torch.float16: 2**-11 * 1.02,
}


class Check(NamedTuple):
    """One number that a loss gave, and what it should have been."""

    quantity: str
    gamma: float
    logits: tuple
    target: int
    given: float
    true: float
    outcome: str  # "right", "inaccurate", "zero", "inf" or "nan"


def examine_sigmoid(loss, dtype, gammas=GAMMAS, logits=LOGITS, order=2):
    """Return a list of `Check` of the values and derivatives of a loss.

    Parameters
    ----------
    loss : function
        ``loss(logits, targets, gamma)``, per element, without weights.
    dtype : torch floating type
        Second derivatives are checked in float32 and float64 only.
    gammas, logits : sequences of floats
    order : int from 0 to 2
        The highest derivative to check.

    Returns
    -------
    list of `Check`, one for each γ, logit, target 0 or 1, and quantity

    Raises
    ------
    ValueError
        If the loss returns anything but a value for each element.
    """
    x = torch.tensor([x for x in logits for _ in range(2)], dtype=dtype)
    y = torch.tensor([0, 1] * len(logits), dtype=dtype)
    if dtype.itemsize < 4:
        order = min(order, 1)
    checks = []
    for gamma in gammas:
        given = _derivatives(lambda x, g=gamma: loss(x, y, g), x, order)
        for i, (logit, t) in enumerate(zip(x.tolist(), y.tolist(), strict=1)):
            true = sigmoid_truth(logit if t else -logit, gamma)
            signed = true[0], true[1] if t else -true[1], true[2]
            about = gamma, (logit,), int(t)
            for quantity, values, right in zip(
                QUANTITIES, given, signed, strict=False
            ):
                pair = values[i].item(), right
                checks.append(_check(quantity, *about, *pair, dtype))
    return checks


def examine_softmax(loss, dtype, gammas=GAMMAS, sizes=SIZES):
    """Return a list of `Check` of the values and gradients of a loss.

    As `examine_sigmoid`, for three classes: ``loss(logits, targets, gamma)``
    takes (N, 3) logits and N class indices. The logits are `PATTERNS`, ties
    among them, times each of `sizes`.
    """
    checks = []
    rows = [[s * v for v in pattern] for pattern in PATTERNS for s in sizes]
    rows = torch.tensor(rows, dtype=dtype).unique(dim=0)
    z = rows.repeat_interleave(3, 0)
    t = torch.arange(3).repeat(len(rows))
    for gamma in gammas:
        given = _derivatives(lambda z, g=gamma: loss(z, t, g), z, 1)
        for i, (row, k) in enumerate(zip(z.tolist(), t.tolist(), strict=1)):
            value, gradient = softmax_truth(tuple(row), k, gamma)
            about = gamma, tuple(row), k
            pair = given[0][i].item(), value
            checks.append(_check("value", *about, *pair, dtype))
            for j in range(3):
                pair = given[1][i, j].item(), gradient[j]
                checks.append(_check("gradient", *about, *pair, dtype))
    return checks


def outcomes(checks):
    """Return how many checks came out in which way, as a Counter."""
    return Counter(check.outcome for check in checks)


@lru_cache(None)
def sigmoid_truth(x_t, gamma):
    """Return FL and its first and second derivative at the truth's logit."""

    def loss(x):
        odds = mpmath.exp(-x)
        return (odds / (1 + odds)) ** gamma * mpmath.log1p(odds)

    with mpmath.workdps(_digits(x_t)):
        x, step = mpmath.mpf(x_t), mpmath.mpf("1e-20")
        below, here, above = loss(x - step), loss(x), loss(x + step)
        slope = (above - below) / (2 * step)
        return here, slope, (above - 2 * here + below) / step**2


@lru_cache(None)
def softmax_truth(z, t, gamma):
    """Return FL and its gradient at the logits `z` of the true class `t`."""

    def loss(z):
        own = mpmath.exp(z[t])
        odds = (mpmath.fsum(map(mpmath.exp, z)) - own) / own
        return (odds / (1 + odds)) ** gamma * mpmath.log1p(odds)

    def moved(j, step):
        return [x + step if k == j else x for k, x in enumerate(z)]

    with mpmath.workdps(_digits(max(z) - min(z))):
        z, h = [mpmath.mpf(x) for x in z], mpmath.mpf("1e-20")
        pairs = [(loss(moved(j, h)), loss(moved(j, -h))) for j in range(3)]
        return loss(z), [(up - down) / (2 * h) for up, down in pairs]


def _digits(size):
    """Digits that leave 40 to a derivative that is e^−size of its loss."""
    return 80 + round(min(abs(size), 800) / 2)


def _derivatives(loss, x, order):
    """The value at `x` and `order` derivatives, as far as there are any."""
    x = x.clone().requires_grad_()
    results = [loss(x)]
    if results[0].shape != x.shape[:1]:
        raise ValueError(
            f"loss must return a value for each element, shape ({len(x)},), "
            f"got shape {tuple(results[0].shape)}: no mean, no sum"
        )
    for _ in range(order):
        if not results[-1].requires_grad:
            results.append(torch.zeros_like(x))
            continue
        (gradient,) = torch.autograd.grad(
            results[-1].sum(), x, create_graph=len(results) < order
        )
        results.append(gradient)
    return [result.detach() for result in results]


def _check(quantity, gamma, logits, target, given, true, dtype):
    limits = torch.finfo(dtype)
    least = 2**-25 if dtype == torch.float16 else limits.tiny
    slack = TOLERANCES[dtype] * abs(true) + least * 1.02
    overflow = abs(true) > limits.max
    if given != given:
        outcome = "nan"
    elif abs(given) == float("inf"):
        outcome = "right" if overflow else "inf"
    elif overflow or abs(given - true) <= slack:
        outcome = "right"
    else:
        outcome = "inaccurate" if given else "zero"
    return Check(quantity, gamma, logits, target, given, float(true), outcome)
