"""Losses and slopes together on a CPU, on pieces that stay in its cache.

The odds against a truth, q/p = e^n, say all that is wanted of it, at half
the price, so long as e^n stays in its range: a piece where it does not is
worked again by the `pairs`, right at any logit.

The same lines work tensors and, where a batch is small, NumPy's arrays,
whose operations take a third of the time to begin: `xp` is torch or NumPy.
"""

import math
from functools import partial
from itertools import repeat

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

from . import pairs
from .formulas import Truth, working

SHARE = 2**16
"""Logits of one thread's share of a piece; of several classes four times as
many, since there are fewer arrays of that size."""

SMALL = 2**14
"""Logits of a batch that is small."""

NEAR = 1e-18, 1e18
"""Sums of exponentials whose ratios single precision holds."""

IN_PLACE = False
"""Whether `times` spends its first argument."""


def sigmoid(x, y, a, b, gamma, *, up, slope, each=False, hard=False):
    """Return the loss a y f(x) + b (1−y) f(−x), and its slope along x.

    Parameters
    ----------
    x, y : tensors
        Logits and targets; y = None stands for 1 everywhere.
    a, b : floats, or tensors that broadcast to x
    gamma : float
    up : tensor or None
        Multiplies the slope: one number, or one each.
    slope : bool
        Whether the slope is wanted; else None comes in its place.
    each : bool
        Whether the loss is each element's, or the sum.
    hard : bool
        Whether every y is known to be 0 or 1.
    """
    work = partial(_sigmoid, gamma=gamma, hard=hard or y is None)
    again = partial(pairs.sigmoid_each, gamma=gamma)
    pieces = partial(_flat_pieces, x.shape)
    small = x.numel() <= SMALL and x.ndim > 0
    shape = x.shape if each else None
    values = x, y, a, b, up
    return _work(work, again, pieces, small, values, shape, slope)


def softmax(z, t, alpha, gamma, ignored, *, up, slope, each=False):
    """Return the loss α_t f(m_t), m_t the margin, and its slope along z.

    Parameters
    ----------
    z, t, alpha, gamma, ignored
        As in `pairs.softmax_each`.
    up, slope, each
        As in `sigmoid`.
    """

    def again(z, t, weight):
        return weight * pairs.softmax_each(z, t, 1.0, gamma, ignored)

    weight = alpha
    if isinstance(alpha, torch.Tensor):
        weight = alpha[t if ignored is None else t.where(t != ignored, 0)]
    small = 0 < z.numel() <= SMALL and z.ndim == 2
    work = _softmax_of_arrays if small else _softmax
    work = partial(work, gamma=gamma, ignored=ignored)
    shape = t.shape if each else None
    values = z, t, weight, up
    return _work(work, again, _class_pieces, small, values, shape, slope)


def classes(z, w, a, gamma, *, up, slope, each=False):
    """Return the loss a Σ_k w_k f(m_k), and its slope along z.

    Parameters
    ----------
    z, w, a, gamma
        As in `fused.classes_focal`; `a` is a number that multiplies w.
    up, slope, each
        As in `sigmoid`.
    """
    work = partial(_classes, gamma=gamma)
    small = 0 < z.numel() <= SMALL and 1 < z.ndim < 4
    shape = z.select(min(1, z.ndim - 1), 0).shape if each else None
    values = z, w, a, up
    return _work(work, None, _class_pieces, small, values, shape, slope)


def _work(work, again, pieces, small, values, shape, slope):
    """Work a batch: `small`, by NumPy, or in pieces that may need the pairs.

    Losses are wanted of each, in a `shape`, or their sum.
    """
    x, each = values[0], shape is not None
    if small:
        total, losses, slopes = work(*map(_array, values), each, slope)
        if math.isfinite(total) or again is None:
            losses = torch.from_numpy(losses if each else np.asarray(total))
            slopes = torch.from_numpy(slopes).to(x.dtype) if slope else None
            return losses, slopes
    total, dtype = 0.0, working(x.dtype)
    losses = each and x.new_empty(shape, dtype=dtype)
    slopes = slope and x.new_empty(x.shape)
    for piece in pieces(*values, losses, slopes):
        part = math.nan
        if not small:
            part = work(piece[0].to(dtype), *piece[1:])[0].item()
        if again and not math.isfinite(part):
            part = _by_pairs(again, *piece)
        total += part
    if not each:
        losses = x.new_full((), total, dtype=dtype)
    return losses, slopes if slope else None


def _by_pairs(each_of, *piece):
    """Work a piece at any logit."""
    *values, up, losses, slopes = piece
    with torch.no_grad(), saved_tensors_hooks(_kept, _kept):
        if slopes is False:
            found = each_of(*values)
        else:
            found, slope = pairs.with_slope(each_of, up, *values)
            slopes.copy_(slope)
    if losses is not False:
        losses.copy_(found)
    return found.sum().item()


def _kept(tensor):
    return tensor


# The works take arrays or tensors. `losses` and `slopes` are where these go,
# or whether they are wanted; they come back beside the sum of the losses.


@np.errstate(all="ignore")
def _sigmoid(x, y, a, b, up, losses, slopes, gamma, hard):
    xp, out = _library(x), _place(slopes)
    y = y if y is None else _like(y, x)
    if y is None:
        sign, n, weight = -1.0, -x, a
    elif hard:
        sign = y * -2
        sign += 1
        n, weight = x * sign, a
        if not isinstance(a, float) or a != b:
            weight = b - b * y
            weight += a * y
    else:  # both truths, one of logit x, the other of logit −x
        n, weight = xp.stack([-x, x]), xp.stack([a * y, b - b * y])
    truth = _of_odds(xp.exp(n, out=n), gamma, weight)
    if losses is not False:
        each = truth.factor * truth.ce
        losses = _put(each if hard else each.sum(0), losses)
    total = _dot(truth)
    if slopes is not False:
        fall = _fall(truth, gamma, up)
        if hard:
            slopes = xp.multiply(fall, sign, out=out)
        else:
            slopes = xp.subtract(fall[1], fall[0], out=out)
    return total, losses, slopes


def _softmax(z, t, weight, up, losses, slopes, gamma, ignored):
    """Tensors, (n, C) or (n, C, r)."""
    here, weight = t.unsqueeze(1), _beside(weight)
    if ignored is not None:
        kept = here != ignored
        here, weight = here * kept, kept.to(z.dtype) * weight
    out = _place(slopes)
    at_home = out is not None and out.dtype == z.dtype
    e = torch.exp(z, out=out if at_home else None)
    odds = z.gather(1, here).exp_()
    # a 0 as a tensor is scattered faster than 0.0
    nothing = torch.zeros((), dtype=z.dtype).expand_as(here)
    total = e.scatter_(1, here, nothing).sum(1, keepdim=True)
    if not (_near(odds) and _near(total)):
        return torch.tensor(torch.nan), losses, slopes
    truth = _of_odds(total / odds, gamma, weight)
    loss = _dot(truth)
    if losses is not False:
        losses = _put((truth.factor * truth.ce).squeeze(1), losses)
    if slopes is not False:
        fall = _fall(truth, gamma, _beside(up))
        e.mul_(fall / total).scatter_(1, here, fall.neg_())
        slopes = e if at_home else _put(e, slopes)
    return loss, losses, slopes


@np.errstate(all="ignore")
def _softmax_of_arrays(z, t, weight, up, losses, slopes, gamma, ignored):
    """Arrays, (n, C)."""
    if ignored is not None:
        kept = t != ignored
        t = t * kept
        weight = weight * kept.astype(z.dtype)
    n, count = z.shape
    at = np.arange(0, n * count, count)
    at += t
    e = z - z.take(at)[:, None]
    np.exp(e, out=e)
    e.put(at, np.finfo(e.dtype).tiny)  # next to nothing
    total = e.sum(1)
    truth = _of_odds(total.copy(), gamma, weight)
    loss = _dot(truth)
    if losses:
        losses = truth.factor * truth.ce
    if slopes:
        fall = _fall(truth, gamma, up)
        e *= (fall / total)[:, None]
        e.put(at, -fall)
        slopes = e
    return loss, losses, slopes


@np.errstate(all="ignore")
def _classes(z, w, a, up, losses, slopes, gamma):
    """Every class against all others; right at any logit.

    Of a sum over all classes but one, what the highest logit adds is kept
    apart from what those below it add: so no digit is lost.
    """
    xp, w = _library(z), _like(w, z)
    z = z - _beside(xp.amax(z, 1))
    below = xp.sign(z)
    below *= -1

    def sums(values):
        part = values * below
        lower = _beside(part.sum(1))
        part *= -1
        part += values
        return lower, _beside(part.sum(1))

    e = xp.exp(z)
    lower, high = sums(e)
    ce = xp.subtract(xp.log1p(lower + (high - 1)), z, out=z)
    q = high - e
    q += lower
    q /= lower + high
    q += xp.finfo(q.dtype).tiny
    p = e
    p /= lower + high
    factor = q**gamma
    factor *= w
    factor *= a
    truth = Truth(ce, p, q, factor)
    loss = _dot(truth)
    if losses is not False:
        losses = _put((factor * ce).sum(1), losses)
    if slopes is not False:
        fall = _fall(truth, gamma, _beside(up))
        share = xp.divide(fall, q, out=q)
        lower, high = sums(share)
        share *= -1
        share += high
        share += lower
        p *= share
        slopes = xp.subtract(p, fall, out=_place(slopes))
    return loss, losses, slopes


def times(slope, g):
    """Return slope × g; slope itself where g is 1, as it mostly is."""
    if g.ndim == 0 and g.item() == 1:
        return slope
    return (slope * g).to(slope.dtype)


def _of_odds(odds, gamma, weight):
    """`formulas.truth(n, gamma)` by the odds e^n, in the place of q; its
    factor is weighted."""
    xp = _library(odds)
    ce, p = xp.log1p(odds), odds + 1
    q = odds
    p = xp.reciprocal(p, out=p)
    q *= p
    factor = q**gamma
    if not isinstance(weight, float) or weight != 1:
        factor *= weight
    return Truth(ce, p, q, factor)


def _dot(truth):
    return truth.factor.reshape(-1).dot(truth.ce.reshape(-1))


def _fall(truth, gamma, up):
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
    if up is not None:
        fall *= up
    return fall


def _library(values):
    return torch if isinstance(values, torch.Tensor) else np


def _array(value):
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_floating_point():
        value = value.to(working(value.dtype))
    return value.numpy(force=True)


def _like(values, x):
    """Values in the type of x."""
    if values.dtype == x.dtype:
        return values
    if isinstance(values, torch.Tensor):
        return values.to(x.dtype)
    return values.astype(x.dtype)


def _beside(values):
    """One value an example, beside its classes."""
    if values is None or isinstance(values, float) or not values.ndim:
        return values
    return values[:, None]


def _place(out):
    """Where results go, or None for a place of their own."""
    return None if isinstance(out, bool) else out


def _put(values, out):
    if isinstance(out, bool):
        return values
    return out.copy_(values)


def _near(sums):
    low, high = torch.aminmax(sums)
    return NEAR[0] <= low.item() and high.item() <= NEAR[1]


def piece_size():
    """Return the elements of one piece: every thread's share in its cache."""
    return SHARE * torch.get_num_threads()


def _flat_pieces(shape, *values):
    """Yield matching pieces of tensors that broadcast to `shape`, flat.

    What is no tensor, or one of a single number, comes along as it is.
    """
    size = piece_size()
    if shape and math.prod(shape) <= size:
        return [values]

    def split(value):
        if not isinstance(value, torch.Tensor) or value.ndim < bool(shape):
            return repeat(value)
        return value.expand(shape).reshape(-1).split(size)

    return zip(*map(split, values), strict=False)


def _class_pieces(z, *values):
    """Yield matching pieces: (n, C) and (n,), or (n, C, r) and (n, r)."""
    size = 4 * piece_size()
    if not z.numel():
        return []
    if 1 < z.ndim < 4 and z.numel() <= size:
        return [(z, *values)]
    tensors = [
        v if not isinstance(v, torch.Tensor) else v[None] if z.ndim < 2 else v
        for v in (z, *values)
    ]
    z = tensors[0]
    across = max(1, size // z.shape[1])
    down = max(1, across // math.prod(z.shape[2:]))

    def split(value):
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            return repeat(value)
        if z.ndim == 2:
            return value.split(down)
        rows = value.flatten(2 if value.ndim == z.ndim else 1).split(down)
        return [part for row in rows for part in row.split(across, -1)]

    return zip(*map(split, tensors), strict=False)
