"""The formulas by the odds e^n against a truth, n minus its logit.

They say all that is wanted of it, p = 1/(1 + e^n) and q = e^n p, at half
the price, so long as e^n stays in its range. Where it does not, the loss is
not finite, and must be worked in float64, or by the `pairs`.

The same lines work tensors and NumPy's arrays: `xp` is torch or NumPy. Each
function returns the losses, and their slope along the logits, or None
unless `slope`.
"""

import math
from functools import lru_cache

import numpy as np
import torch

from .formulas import Truth

NEAR = 40.0
"""How far from 0 are logits whose odds single precision holds unshifted."""

PRODUCT = 2**18
"""Multiplications that a product of matrices does on one thread."""

FEW = 2**12
"""Examples for whose own numbers NumPy is quicker, beside tensors too."""

LOG2_E = math.log2(math.e)


def hard(x, y, a, b, gamma, slope, out=None):
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
    losses = truth.factor * truth.ce
    if not slope:
        return losses, None
    return losses, xp.multiply(_fall(truth, gamma), sign, out=out)


def soft(x, y, a, b, gamma, slope, out=None):
    """a y f(x) + b (1−y) f(−x)."""
    xp, y = _library(x), _like(y, x)
    weight = 1 - y
    weight *= b
    no = _truth(xp.exp(x, out=out), gamma, weight)
    ce = no.p / no.q
    ce = xp.log1p(ce, out=ce)
    factor = a * y
    factor *= _power(no.p, gamma)
    yes = Truth(ce, no.q, no.p, factor)
    losses = yes.factor * yes.ce
    losses += no.factor * no.ce
    if not slope:
        return losses, None
    slopes = xp.subtract(_fall(no, gamma), _fall(yes, gamma), out=out)
    return losses, slopes


def softmax(z, t, weight, ignored, gamma, slope, out=None, shift=False):
    """w f(m_t) of (n, C) or (n, C, r) logits; w a number or one each.

    Tensors are shifted, so that the true logit is 0, only where they must.
    """
    if math.prod(t.shape) <= FEW:
        t, weight = array(t), array(weight)
    if ignored is not None:
        kept = t != ignored
        t, weight = t * kept, _like(kept, z) * weight
    at = _places(t, z.shape)
    own = _take(z, at)
    shift = shift or _library(z) is np or not _within(own, -NEAR, NEAR)
    m = z - _beside(own, z) if shift else z
    e = _exp(m, out=out)
    own = _take(e, at)
    _put(e, at, 0 * own)
    total = _sums(e, at)
    if shift:
        total += _tiny(total)
    elif not _within(total, math.exp(-NEAR), math.exp(NEAR)):
        return softmax(z, t, weight, None, gamma, slope, out, shift=True)
    truth = _truth(total / own, gamma, weight)
    losses = truth.factor * truth.ce
    if not slope:
        return losses, None
    fall = _fall(truth, gamma)
    e *= _beside(fall / total, e)
    _put(e, at, -fall)
    return losses, e


def classes(z, w, a, gamma, slope, out=None):
    """a Σ_k w_k f(m_k), every class against all others; at any logit."""
    xp = _library(z)
    at = _places(_likeliest(z), z.shape)
    z = z - _beside(_take(z, at), z)
    few = xp is np and z.size * z.shape[1] <= PRODUCT
    ce, p, q = _few_classes(z, at) if few else _many_classes(z, at)
    factor = _power(q, gamma)
    factor *= _like(w, z)
    factor *= a
    losses = _sums(factor * ce, at)
    if not slope:
        return losses, None
    fall = _fall(Truth(ce, p, q, factor), gamma)
    if few:
        return losses, p * _others(fall / q) - fall
    # the slopes are p_k Σ_j s_j − s_k, s = fall / q; p_k Σ_j≠k s_j − q_k s_k
    # for the likeliest class, where p_k is near 1
    s = fall
    s /= q
    own, own_p, own_q = (_take(values, at) for values in (s, p, q))
    _put(s, at, 0 * own)
    lower = _sums(s, at)
    p *= _beside(lower + own, p)
    slopes = xp.subtract(p, s, out=out)
    _put(slopes, at, own_p * lower - own_q * own)
    return losses, slopes


def _many_classes(z, at):
    """ce, p and q of every class against the others, z of the likeliest 0.

    A sum over all classes but one is a difference of sums, but for the
    likeliest class, whose own part would take all digits.
    """
    p = _exp(z)
    _put(p, at, 0 * _take(p, at))
    rest = _sums(p, at)
    rest += _tiny(rest)
    share = 1 / (rest + 1)
    p *= _beside(share, p)
    _put(p, at, share)
    q = 1 - p
    _put(q, at, rest * share)
    ce = _beside(_library(rest).log1p(rest), z)
    return _library(z).subtract(ce, z, out=z), p, q


def _few_classes(z, at):
    """As `_many_classes`, with the sums over all but one as they are."""
    p = np.exp(z)
    rest = _others(p) + _tiny(p)
    ce = np.log1p(rest.take(at))[:, None] - z
    total = p + rest
    p /= total
    return ce, p, rest / total


def _others(values):
    """Sums over all classes but each, (n, C) or (n, C, r)."""
    all_but_own = _all_but_own(values.shape[1], values.dtype)
    if values.ndim == 2:
        return values @ all_but_own
    return all_but_own @ values


@lru_cache(maxsize=8)
def _all_but_own(count, dtype):
    return 1 - np.eye(count, dtype=dtype)


def _truth(odds, gamma, weight):
    """`formulas.truth` by the odds, in whose place comes q; its factor is
    weighted."""
    xp, q = _library(odds), odds
    ce, p = xp.log1p(odds), odds + 1
    p = xp.reciprocal(p, out=p)
    q *= p
    factor = _power(q, gamma)
    if not isinstance(weight, float) or weight != 1:
        factor *= weight
    return Truth(ce, p, q, factor)


def _exp(x, out=None):
    """e^x, as of an x whose last digit is off: of tensors a power of 2, at
    which no processor is slow."""
    if isinstance(x, torch.Tensor):
        return torch.mul(x, LOG2_E, out=out).exp2_()
    return np.exp(x, out=out)


def _power(q, gamma):
    """q^γ; NumPy is slow to see that a square is one."""
    return q * q if gamma == 2 else q**gamma


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


def array(value):
    """Return a tensor's own numbers, of a half precision those in float32."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.dtype in (torch.bfloat16, torch.float16):
        value = value.float()
    return value.numpy(force=True)


def _likeliest(z):
    """The class of the highest logit, which NumPy finds several times as
    fast."""
    found = array(z).argmax(1)
    few = found.size <= FEW or not isinstance(z, torch.Tensor)
    return found if few else torch.from_numpy(found)


def _places(t, shape):
    """Where the true classes stand, of logits one by one."""
    xp = _library(t)
    n, count, *others = shape
    if not others:
        return t + xp.arange(0, n * count, count)
    (r,) = others
    corners = xp.arange(0, n * count * r, count * r)[:, None]
    return t * r + (corners + xp.arange(r))


def _take(values, at):
    if isinstance(at, torch.Tensor):
        return values.take(at)
    return array(values).take(at)


def _put(values, at, new):
    if isinstance(at, torch.Tensor):
        values.put_(at, new)
    else:
        array(values).put(at, new)


def _sums(values, at):
    """Sums over the classes, of the kind of what is taken `at` places."""
    if isinstance(values, torch.Tensor):
        sums = values.sum(1)
        return sums if isinstance(at, torch.Tensor) else array(sums)
    if len(values) > 64:
        return np.einsum("nc...->n...", values)
    return np.add.reduce(values, 1)


def _beside(values, wide):
    """Values of the examples, beside what is of their classes."""
    if isinstance(wide, torch.Tensor):
        values = torch.as_tensor(values)
    return values[:, None]


def _within(values, low, high):
    if isinstance(values, torch.Tensor):
        least, most = torch.aminmax(values)
    else:
        least, most = values.min(), values.max()
    return low <= least and most <= high


def _tiny(values):
    return _library(values).finfo(values.dtype).tiny


def _library(values):
    return torch if isinstance(values, torch.Tensor) else np


def _like(values, x):
    """Values in the type of x."""
    if values.dtype == x.dtype:
        return values
    if isinstance(values, torch.Tensor):
        return values.to(x.dtype)
    return values.astype(x.dtype)
