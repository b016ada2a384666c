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

LOW = 8.0
"""How far below 0 an unshifted example may be as a whole: farther down the
smallest of its slopes lose their digits."""

PRODUCT = 2**18
"""Multiplications that a product of matrices does on one thread."""

FEW = 2**12
"""Examples whose own numbers NumPy works faster; logits shifted unasked."""

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
    truth = _truth(_exp(n, out=n), gamma, weight)
    losses = truth.factor * truth.ce
    if not slope:
        return losses, None
    return losses, xp.multiply(_fall(truth, gamma), sign, out=out)


def soft(x, y, a, b, gamma, slope, out=None):
    """a y f(x) + b (1−y) f(−x)."""
    xp, y = _library(x), _like(y, x)
    weight = 1 - y
    weight *= b
    no = _truth(_exp(x, out=out), gamma, weight)
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

    Few logits are shifted, so that the true one is 0; many if they must be.
    """
    if isinstance(t, torch.Tensor) and t.numel() <= FEW:
        t, weight = array(t), array(weight)
    if ignored is not None:
        kept = t != ignored
        t, weight = t * kept, _like(kept, z) * weight
    at = _places(t, z.shape)
    own = _take(z, at)
    few = math.prod(z.shape) <= FEW
    shift = shift or few or not _within(own, -NEAR, NEAR)
    e = _exp(z - _beside(own, z) if shift else z, out=out)
    own = _take(e, at)
    _put(e, at, 0 * own)
    total = _sums(e, at)
    if shift:
        total += _tiny(total)
    elif not (
        _within(total, math.exp(-NEAR), math.exp(NEAR))
        and _within(total + own, math.exp(-LOW), math.inf)
    ):
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
    at = _places(_likeliest(z), z.shape)
    z, w = z - _beside(_take(z, at), z), _like(w, z)
    if _library(z) is np and z.size * z.shape[1] <= PRODUCT:
        return _few_classes(z, w, a, at, gamma, slope)
    return _many_classes(z, w, a, at, gamma, slope, out)


def _few_classes(z, w, a, at, gamma, slope):
    """Every class by its odds: the sum of all others, over its own part.

    Logits `z` are 0 in the likeliest classes, which stand `at` some places.
    """
    p = _exp(z)
    q = _others(p)
    q += _tiny(q)
    ce = np.log1p(q.take(at))[:, None] - z
    total = p + q
    p /= total
    q /= total
    factor = _power(q, gamma)
    factor *= w
    factor *= a
    losses = _sums(factor * ce, at)
    if not slope:
        return losses, None
    fall = _fall(Truth(ce, p, q, factor), gamma)
    q = np.divide(fall, q, out=q)
    p *= _others(q)
    p -= fall
    return losses, p


def _others(values):
    """Sums over all classes but each, (n, C) or (n, C, r)."""
    all_but_own = _all_but_own(values.shape[1], values.dtype)
    if values.ndim == 2:
        return values @ all_but_own
    return all_but_own @ values


@lru_cache(maxsize=8)
def _all_but_own(count, dtype):
    return 1 - np.eye(count, dtype=dtype)


def _many_classes(z, w, a, at, gamma, slope, out):
    """The likeliest class by its odds, and every other by its p.

    That p is no more than 1/2, so that 1 − p keeps its digits.
    """
    p = _exp(z)
    none = 0 * _take(p, at)
    _put(p, at, none)
    odds = _sums(p, at)
    odds += _tiny(odds)
    top = _truth(odds, gamma, a * _like(_take(w, at), odds))
    p *= _beside(top.p, p)
    q = 1 - p
    ce = _library(z).subtract(_beside(top.ce, z), z, out=z)
    h = w * (q if gamma == 2 else q ** (gamma - 1))  # the factor over q
    _put(h, at, none)
    losses = h * q
    losses *= ce
    losses = top.factor * top.ce + a * _sums(losses, at)
    if not slope:
        return losses, None
    # along z_k the slope is s_k − p_k Σ_j s_j, where s_j is FL′ / q_j
    s = _plus_product(q, p, ce, gamma, out=ce)
    s = _product(s, h, -a, out=s)
    rest = _sums(s, at)
    fall = _fall(top, gamma)
    less = _beside(fall / top.q - rest, p)  # minus that sum
    slopes = _plus_product(s, p, less, 1, out=p if out is None else out)
    _put(slopes, at, -top.p * rest - fall)
    return losses, slopes


def _truth(odds, gamma, weight):
    """`formulas.truth` by the odds, in whose place comes q; its factor is
    weighted."""
    xp, q = _library(odds), odds
    ce, p = xp.log1p(odds), odds + 1
    p = p.reciprocal_() if xp is torch else np.divide(1, p, out=p)
    q *= p
    factor = _power(q, gamma)
    if not isinstance(weight, float) or weight != 1:
        factor *= weight
    return Truth(ce, p, q, factor)


def _exp(x, out=None):
    """e^x, as of an x whose last digit is off: a power of 2, at which all
    are quick."""
    xp = _library(x)
    n = xp.multiply(x, LOG2_E, out=out)
    return xp.exp2(n, out=n)


def _power(q, gamma):
    """q^γ; NumPy is slow to see that a square is one."""
    return q * q if gamma == 2 else q**gamma


def _fall(truth, gamma):
    """Minus the slope along the logit of the truth, in the place of ce."""
    ce, p, q, factor = truth
    fall = _plus_product(q, p, ce, gamma, out=ce)
    fall *= factor
    return fall


def _plus_product(x, y, z, factor, out):
    """x + factor y z."""
    if isinstance(out, torch.Tensor):
        return torch.addcmul(x, y, z, value=factor, out=out)
    out = _product(y, z, factor, out)
    out += x
    return out


def _product(y, z, factor, out):
    """factor y z."""
    if isinstance(out, torch.Tensor):
        return _plus_product(out.new_zeros(()), y, z, factor, out)
    out = np.multiply(y, z, out=out)
    if factor != 1:
        out *= factor
    return out


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
    if values.ndim == 2 and values.size <= 2**13:
        return values.dot(_ones(values.shape[1], values.dtype))
    return np.einsum("nc...->n...", values)


@lru_cache(maxsize=8)
def _ones(count, dtype):
    return np.ones(count, dtype)


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
