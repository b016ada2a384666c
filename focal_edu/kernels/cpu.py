"""Losses and slopes together on a CPU, on pieces that stay in its cache.

Where no exponential leaves its range, the odds against the truth say all
that is wanted of it, at half the price: `by_odds`. A piece that turns out to
hold other logits is worked again by `formulas`, right at any logit. Small
batches are worked by those alone: there each operation costs the same.
"""

import math
from functools import partial
from itertools import repeat

import torch

from . import formulas
from .formulas import Truth, working

SHARE = 2**16
"""Logits of one thread's share of a piece; softmax takes four times that,
since it makes one array of that size where the sigmoid makes six."""

SMALL = 2**14
"""Logits of a batch that is small."""

NEAR = 1e-18, 1e7
"""Sums of exponentials that keep all digits of what is made of them."""

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
    work = partial(_sigmoid, gamma=gamma, slope=slope, hard=hard)
    values = x, y, a, b, up
    losses = torch.empty(x.shape, dtype=working(x.dtype)) if each else None
    if x.numel() <= piece_size():
        total, slopes = work(*values, losses, None)
    else:
        slopes = torch.empty(x.shape, dtype=x.dtype) if slope else None
        pieces = _flat_pieces(x.shape, *values, losses, slopes)
        total = sum(work(*piece)[0].item() for piece in pieces)
        total = torch.tensor(total, dtype=working(x.dtype))
    return losses if each else total, slopes


def _sigmoid(x, y, a, b, up, losses, slopes, *, gamma, slope, hard):
    """The summed loss of one piece, and its slope."""
    dtype, given = working(x.dtype), x.dtype
    x, y = x.to(dtype), None if y is None else y.to(dtype)
    if hard or y is None:
        small = x.numel() <= SMALL
        sides = _one_side(
            x, y, a, b, gamma, formulas.truth if small else by_odds
        )
        total = _sum(sides)
        if not small and not math.isfinite(total.item()):
            sides = _one_side(x, y, a, b, gamma, formulas.truth)
            total = _sum(sides)
    else:
        yes, no = formulas.both(x, gamma)
        sides = (_weighted(yes, a * y), -1.0), (_weighted(no, b - b * y), 1.0)
        total = _sum(sides)
    if losses is not None:
        losses.copy_(sum(formulas.loss(truth) for truth, _ in sides))
    if not slope:
        return total, None
    *others, (truth, sign) = sides
    sign = sign if up is None else sign * up
    fall = torch.mul(_fall(truth, gamma), sign, out=slopes)
    for truth, sign in others:
        fall += _fall(truth, gamma).mul_(sign if up is None else sign * up)
    return total, fall.to(given)


def softmax(z, t, alpha, gamma, ignored, *, up, slope, each=False):
    """Return the loss α_t f(m_t), m_t the margin, and its slope along z.

    Parameters
    ----------
    z, t, alpha, gamma, ignored
        As in `pairs.softmax_each`.
    up, slope, each
        As in `sigmoid`.
    """
    work = partial(_softmax, alpha=alpha, gamma=gamma, ignored=ignored)
    losses = torch.empty(t.shape, dtype=working(z.dtype)) if each else None
    if 0 < z.numel() <= 4 * piece_size() and 1 < z.ndim < 4:
        total, slopes = work(z, t, up, losses, slope)
    else:
        slopes = torch.empty(z.shape, dtype=z.dtype) if slope else None
        pieces = _class_pieces(z, t, up, losses, slopes)
        total = sum(work(*piece)[0].item() for piece in pieces)
        total = torch.tensor(total, dtype=working(z.dtype))
    return losses if each else total, slopes


def _softmax(z, t, up, losses, slopes, *, alpha, gamma, ignored):
    """The summed loss of one piece, (n, C) or (n, C, r), and its slope.

    `slopes` is where that goes, or whether it is wanted.
    """
    dtype, given = working(z.dtype), z.dtype
    z, here, weight = z.to(dtype), t.unsqueeze(1), alpha
    if ignored is not None:
        kept = here != ignored
        here, z = here.where(kept, 0), z.where(kept, 0)
    if isinstance(alpha, torch.Tensor):
        weight = alpha[here]
    if ignored is not None:
        weight = weight * kept.to(dtype)
    at_home = isinstance(slopes, torch.Tensor) and slopes.dtype == dtype
    own, total = z.gather(1, here), None
    if z.numel() > SMALL:
        e = torch.exp(z, out=slopes if at_home else None)
        odds = own.exp()
        # a 0 as a tensor is scattered faster than 0.0
        nothing = torch.zeros((), dtype=dtype).expand_as(here)
        total = e.scatter_(1, here, nothing).sum(1, keepdim=True)
        if _near(odds) and _near(total):
            truth = _of_odds(total / odds, gamma)
        else:
            total = None
    if total is None:
        top, total, e = formulas.others(z, here.squeeze(1), 1)
        truth = formulas.truth((top - own).add_(total.log()), gamma)
        at_home = False
    truth = _weighted(truth, weight)
    loss = _sum([(truth, 1.0)])
    if losses is not None:
        losses.copy_(formulas.loss(truth).squeeze(1))
    if slopes is None or slopes is False:
        return loss, None
    fall = _fall(truth, gamma)
    if up is not None:
        fall *= up if up.ndim == 0 else up.unsqueeze(1)
    e.mul_(fall / total).scatter_(1, here, fall.neg_())
    if slopes is True:
        return loss, e.to(given)
    return loss, e if at_home else slopes.copy_(e)


def times(slope, g):
    """Return slope × g; slope itself where g is 1, as it mostly is."""
    if g.ndim == 0 and g.item() == 1:
        return slope
    return (slope * g).to(slope.dtype)


def by_odds(n, gamma):
    """Return `formulas.truth(n, gamma)` by the odds q/p = e^n; n is lost."""
    return _of_odds(n.exp_(), gamma)


def _of_odds(odds, gamma):
    ce, whole = torch.log1p(odds), 1 + odds
    q = odds.div_(whole)
    return Truth(ce, q, torch.pow(q, gamma, out=whole))


def _one_side(x, y, a, b, gamma, truth):
    """The truth by hard targets, weighted, and d(n)/dx."""
    if y is None:
        n, sign, weight = -x, -1.0, a
    else:
        sign = torch.rsub(y, 1, alpha=2)
        n, weight = x * sign, a
        if isinstance(a, torch.Tensor):  # (a − b) y + b loses a tiny a
            weight = b - b * y + a * y
        elif a != b:
            weight = torch.rsub(y, b, alpha=b).add_(y, alpha=a)
    return ((_weighted(truth(n, gamma), weight), sign),)


def _weighted(truth, weight):
    if isinstance(weight, torch.Tensor) or weight != 1:
        truth.factor.mul_(weight)
    return truth


def _sum(sides):
    """The sum of the losses."""
    first, *second = (
        torch.dot(truth.factor, truth.ce)
        if truth.ce.ndim == 1
        else (truth.factor * truth.ce).sum()
        for truth, _ in sides
    )
    return first + second[0] if second else first


def _fall(truth, gamma):
    """Minus the slope along the logit of the truth; `truth` is lost."""
    p = torch.rsub(truth.q, 1)
    return torch.addcmul(truth.q, p, truth.ce, value=gamma).mul_(truth.factor)


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

    def split(value):
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            return repeat(value)
        return value.expand(shape).reshape(-1).split(size)

    return zip(*map(split, values), strict=False)


def _class_pieces(z, *values):
    """Yield matching pieces: (n, C) and (n,), or (n, C, r) and (n, r)."""
    if not z.numel():
        return ()
    tensors = [
        v if not isinstance(v, torch.Tensor) else v[None] if z.ndim < 2 else v
        for v in (z, *values)
    ]
    z = tensors[0]
    across = max(1, 4 * piece_size() // z.shape[1])
    down = max(1, across // math.prod(z.shape[2:]))

    def split(value):
        if not isinstance(value, torch.Tensor) or value.ndim == 0:
            return repeat(value)
        if z.ndim == 2:
            return value.split(down)
        rows = value.flatten(2 if value.ndim == z.ndim else 1).split(down)
        return [part for row in rows for part in row.split(across, -1)]

    return zip(*map(split, tensors), strict=False)
