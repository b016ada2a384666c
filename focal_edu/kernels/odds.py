"""The formulas by the odds e^n against a truth, n minus its logit.

They say all that is wanted of it, p = 1/(1 + e^n) and q = e^n p, at half
the price, so long as e^n stays in its range. Where it does not, the losses
are not finite, and the `pairs` must work the batch.

The same lines work tensors and NumPy's arrays: `xp` is torch or NumPy. Each
function returns the losses, or their sum unless `each`, and their slope
along the logits, or None unless `slope`.
"""

import math

import numpy as np
import torch

from .formulas import Truth

NEAR = 1e-18, 1e18
"""Sums of exponentials whose ratios single precision holds."""

LOG2_E = math.log2(math.e)


def hard(x, y, a, b, gamma, each, slope, out=None):
    """a f(x) where y is 1, or None; b f(−x) where it is 0."""
    xp = _library(x)
    if y is None:
        sign, weight = -1.0, a
    else:
        y = _like(y, x)
        sign, weight = y * -2, a
        sign += 1
        if not isinstance(a, float) or a != b:
            weight = b - b * y
            weight += a * y
    n = x * sign
    truth = _truth(xp.exp(n, out=n), gamma, weight)
    losses = _loss(truth, each)
    if not slope:
        return losses, None
    return losses, xp.multiply(_fall(truth, gamma), sign, out=out)


def soft(x, y, a, b, gamma, each, slope, out=None):
    """a y f(x) + b (1−y) f(−x)."""
    xp, y = _library(x), _like(y, x)
    weight = 1 - y
    weight *= b
    no = _truth(xp.exp(x, out=out), gamma, weight)
    ce = no.p / no.q
    ce = xp.log1p(ce, out=ce)
    factor = a * y
    factor *= no.p**gamma
    yes = Truth(ce, no.q, no.p, factor)
    losses = _loss(yes, each) + _loss(no, each)
    if not slope:
        return losses, None
    slopes = xp.subtract(_fall(no, gamma), _fall(yes, gamma), out=out)
    return losses, slopes


def softmax(z, t, weight, ignored, gamma, each, slope, out=None):
    """w f(m_t) of (n, C) or (n, C, r) logits; w a number or one each."""
    xp = _library(z)
    if ignored is not None:
        kept = t != ignored
        t, weight = t * kept, _like(kept, z) * weight
    at = _places(t, z.shape, xp)
    if xp is np:
        z = z - z.take(at)[:, None]
    e = _exp(z, out=out)
    own = e.take(at)
    _put(e, at, own * 0)
    total = _sums(e)
    if xp is np:
        total += np.finfo(total.dtype).tiny
    elif not (_near(own) and _near(total)):
        return torch.tensor(torch.nan), None
    truth = _truth(total / own, gamma, weight)
    losses = _loss(truth, each)
    if not slope:
        return losses, None
    fall = _fall(truth, gamma)
    e *= (fall / total)[:, None]
    _put(e, at, -fall)
    return losses, e


def classes(z, w, a, gamma, each, slope, out=None):
    """a Σ_k w_k f(m_k), every class against all others, right at any logit.

    A sum over all classes but one is a difference of sums, but for the
    likeliest class, whose own part would take all digits.
    """
    xp = _library(z)
    at = _places(_likeliest(z), z.shape, xp)
    z = z - z.take(at)[:, None]
    p = _exp(z)
    _put(p, at, 0 * p.take(at))
    rest = _sums(p) + xp.finfo(z.dtype).tiny
    share = 1 / (rest + 1)
    p *= share[:, None]
    _put(p, at, share)
    q = 1 - p
    _put(q, at, rest * share)
    ce = xp.subtract(xp.log1p(rest)[:, None], z, out=z)
    factor = q**gamma
    factor *= _like(w, z)
    losses = factor * ce
    losses = a * (_sums(losses) if each else losses.sum())
    if not slope:
        return losses, None
    # the slopes are p_k Σ_j s_j − s_k, s = fall / q; p_k Σ_j≠k s_j − q_k s_k
    # for the likeliest class, where p_k is near 1
    s = _fall(Truth(ce, p, q, factor), gamma)
    s /= q
    own = s.take(at)
    _put(s, at, 0 * own)
    lower = _sums(s)
    p *= (a * (lower + own))[:, None]
    s *= a
    slopes = xp.subtract(p, s, out=out)
    _put(slopes, at, a * share * (lower - rest * own))
    return losses, slopes


def _truth(odds, gamma, weight):
    """`formulas.truth` by the odds, in whose place comes q; its factor is
    weighted."""
    xp, q = _library(odds), odds
    ce, p = xp.log1p(odds), odds + 1
    p = xp.reciprocal(p, out=p)
    q *= p
    factor = q**gamma
    if not isinstance(weight, float) or weight != 1:
        factor *= weight
    return Truth(ce, p, q, factor)


def _exp(x, out=None):
    """e^x, as of an x whose last digit is off: of tensors a power of 2, at
    which no processor is slow."""
    if isinstance(x, torch.Tensor):
        return torch.mul(x, LOG2_E, out=out).exp2_()
    return np.exp(x, out=out)


def _sums(values):
    """Sums over the classes, which NumPy's `sum` is slow to begin."""
    if isinstance(values, torch.Tensor):
        return values.sum(1)
    return np.einsum("nc...->n...", values)


def _loss(truth, each):
    losses = truth.factor * truth.ce
    return losses if each else losses.sum()


def _fall(truth, gamma):
    """Minus the slope along the logit of the truth, in the place of ce."""
    ce, p, q, factor = truth
    fall = ce
    if isinstance(ce, torch.Tensor):
        torch.addcmul(q, p, ce, value=gamma, out=fall)
    else:
        fall *= p
        fall *= gamma
        fall += q
    fall *= factor
    return fall


def _likeliest(z):
    """The class of the highest logit, which NumPy finds several times as
    fast."""
    if isinstance(z, torch.Tensor):
        return torch.from_numpy(z.numpy(force=True).argmax(1))
    return z.argmax(1)


def _places(t, shape, xp):
    """Where the true classes stand, of logits one by one."""
    n, count, *others = shape
    if not others:
        return t + xp.arange(0, n * count, count)
    (r,) = others
    corners = xp.arange(0, n * count * r, count * r)[:, None]
    return t * r + (corners + xp.arange(r))


def _put(values, at, new):
    put = values.put_ if isinstance(values, torch.Tensor) else values.put
    put(at, new)


def _near(sums):
    low, high = torch.aminmax(sums)
    return NEAR[0] <= low.item() and high.item() <= NEAR[1]


def _library(values):
    return torch if isinstance(values, torch.Tensor) else np


def _like(values, x):
    """Values in the type of x."""
    if values.dtype == x.dtype:
        return values
    if isinstance(values, torch.Tensor):
        return values.to(x.dtype)
    return values.astype(x.dtype)
