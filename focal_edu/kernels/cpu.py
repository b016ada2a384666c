"""Losses and slopes together on a CPU, by the odds.

A small batch is worked by NumPy, whose operations take a third of the time
to begin, and on one thread less time in all; a large one in pieces that stay
in the cache.
"""

import math
import sys
from functools import cache, partial
from itertools import repeat
from time import perf_counter

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

from . import odds, pairs
from .formulas import working

SHARE = 2**18
"""Logits of one thread's share of a piece; twice as many where there are
fewer arrays of that size."""

QUICK = (
    torch.backends.cpu.get_cpu_capability() == "AVX512"
    and sys.platform == "linux"
)
"""Whether NumPy's powers and logarithms come in vectors."""

SMALL = 2**16 if QUICK else 2**11
"""Elements of a batch that NumPy works, on one thread."""

ALONE = 2**15
"""Elements of a piece for one of several threads: as many as PyTorch, too,
takes one for."""

LATE = 0.01
"""Seconds that no piece takes unless its threads wait for one another: on a
crowded machine, for one that is not running."""

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
    work = odds.hard if hard or y is None else odds.soft
    work = partial(work, gamma=gamma, slope=slope)
    again = partial(pairs.sigmoid_each, gamma=gamma)
    values, size, small = (x, y, a, b), piece_size(), SMALL
    if QUICK and torch.get_num_threads() == 1:
        size = small = SHARE // 2
    return _work(
        work, again, values, up, each, x.shape, flat_cut, size, small
    )


def softmax(z, t, alpha, gamma, ignored, *, up, slope, each=False):
    """Return the loss α_t f(m_t), m_t the margin, and its slope along z.

    Parameters
    ----------
    z, t, alpha, gamma, ignored
        As in `pairs.softmax_each`.
    up, slope, each
        As in `sigmoid`.
    """
    work = partial(odds.softmax, ignored=ignored, gamma=gamma, slope=slope)

    def again(z, t, weight):
        return weight * pairs.softmax_each(z, t, 1.0, gamma, ignored)

    weight = alpha
    if isinstance(alpha, torch.Tensor):
        weight = alpha[t if ignored is None else t.where(t != ignored, 0)]
    values, size = (z, t, weight), 2 * piece_size()
    return _rows(work, again, values, up, each, t.shape, size)


def classes(z, w, a, gamma, *, up, slope, each=False):
    """Return the loss a Σ_k w_k f(m_k), and its slope along z.

    Parameters
    ----------
    z, w, a, gamma
        As in `fused.classes_focal`; `a` is a number that multiplies w.
    up, slope, each
        As in `sigmoid`.
    """
    work = partial(odds.classes, gamma=gamma, slope=slope)
    shape = z.shape[:1] + z.shape[2:] if z.ndim > 1 else ()
    return _rows(work, None, (z, w, a), up, each, shape, piece_size())


def _rows(work, again, values, up, each, shape, size):
    """Work examples of several classes; each loss has a place in `shape`."""
    z = values[0]
    rows = *values, up
    if z.ndim != 2:
        rows = [_as_rows(v, z.ndim) for v in rows]
    *values, up = rows
    n, _, *others = values[0].shape
    places = (n, *others)
    found = _work(
        work, again, values, up, each, places, _row_cut, size, SMALL
    )
    if z.ndim == 2:
        return found
    losses, slopes = found
    losses = losses.reshape(shape) if each else losses
    return losses, slopes if slopes is None else slopes.reshape(z.shape)


def _as_rows(value, ndim):
    """(n, C) or (n, C, r) of logits with `ndim` axes, (n) or (n, r) of what
    has no axis of classes."""
    if not isinstance(value, torch.Tensor) or value.ndim < ndim - 1:
        return value
    if ndim == 1:
        return value[None]
    return value.flatten(2 if value.ndim == ndim else 1)


def _work(work, again, values, up, each, shape, cut, size, small):
    """The losses, which have a `shape`, or their sum; up × the slopes.

    In pieces of a `size`, those up to a `small` one by NumPy.
    """
    x = values[0]
    _keep_freed_memory()
    if 0 < x.numel() <= size:
        losses, slopes, total = _piece(work, again, values, up, small)
        return _tensor(losses if each else total), slopes
    losses = slopes = None
    if each:
        losses = x.new_empty(shape, dtype=working(x.dtype))
    if work.keywords["slope"]:
        slopes = x.new_empty(x.shape)
    total = 0.0
    for late, piece in in_turn(cut, size, *values, up, losses, slopes):
        *own, up_, to_losses, to_slopes = piece
        out = to_slopes if x.dtype == working(x.dtype) else None
        most = ALONE if late and QUICK else small
        found, along, part = _piece(work, again, own, up_, most, out)
        if each:
            to_losses.copy_(_tensor(found))
        if slopes is not None and along.data_ptr() != to_slopes.data_ptr():
            to_slopes.copy_(along)
        total += float(part)
    if losses is None:
        losses = x.new_full((), total, dtype=working(x.dtype))
    return losses, slopes


def _piece(work, again, values, up, small, out=None):
    """The loss of each; up × the slopes, in x's type; and the sum."""
    x = values[0]
    if x.ndim and x.numel() <= small:
        own, out = map(odds.array, values), odds.array(out)
    else:
        own = x.to(working(x.dtype)), *values[1:]
    with np.errstate(all="ignore"):
        losses, slopes = work(*own, out=out)
    slopes, total = _tensor(slopes), losses.sum()
    if again and not math.isfinite(total):
        _work_beyond(work, again, values, losses, slopes)
        total = losses.sum()
    if slopes is not None:
        if up is not None:
            slopes = slopes * (up[:, None] if 0 < up.ndim < x.ndim else up)
        if slopes.dtype != x.dtype:
            slopes = slopes.to(x.dtype)
    return losses, slopes, total


def _work_beyond(work, again, values, losses, slopes):
    """Work alone, in place, what the odds could not: with the range of
    float64, and if that is not enough by the pairs."""
    losses, slopes = odds.array(losses), odds.array(slopes)

    def by_odds(x, *others):
        with np.errstate(all="ignore"):
            return work(x.astype(np.float64), *others)

    def by_pairs(*values):
        x, *others = (
            torch.from_numpy(v) if isinstance(v, np.ndarray) else v
            for v in values
        )
        with torch.no_grad(), saved_tensors_hooks(_kept, _kept):
            if slopes is None:
                return again(x, *others), None
            return pairs.with_slope(again, None, x, *others)

    def some(at, *values):
        return [v[at] if isinstance(v, np.ndarray) else v for v in values]

    def beside(value):
        """What belongs to each loss, at the same place."""
        if not isinstance(value, (torch.Tensor, np.ndarray)):
            return value
        value = odds.array(value)
        if value.ndim > losses.ndim:
            return np.moveaxis(value, 1, -1)
        if value.shape == losses.shape:
            return value
        return np.broadcast_to(value, losses.shape)

    at = ~np.isfinite(losses)
    at = at.nonzero() if at.ndim else at
    values = some(at, *map(beside, values))
    found, along = by_odds(*values)
    at_last = ~np.isfinite(found)
    if at_last.any():
        found[at_last], last = by_pairs(*some(at_last, *values))
        if slopes is not None:
            along[at_last] = last
    losses[at] = found
    if slopes is not None:
        beside(slopes)[at] = along


@cache
def _keep_freed_memory():
    """Have what a call frees kept for the next one.

    On Linux the C library gives freed memory back to the system, which must
    clear each page of it anew, once it is twice the largest block that was
    ever freed. So one is freed, once; none of it is used.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)  # from 32 on none counts


def _tensor(values):
    if values is None or isinstance(values, torch.Tensor):
        return values
    return torch.from_numpy(np.asarray(values))


def _kept(tensor):
    return tensor


def times(slope, g):
    """Return slope × g; slope itself where g is 1, as it mostly is."""
    if g.ndim == 0 and g.item() == 1:
        return slope
    return (slope * g).to(slope.dtype)


def piece_size():
    """Return the elements of one piece: every thread's share in its cache."""
    return SHARE * torch.get_num_threads()


def in_turn(cut, size, *values):
    """Yield pieces of a `size`, or those for one thread once these were
    late; before each, which of them it is."""
    late = False
    for piece in cut(size, *values):
        if late:
            for part in cut(ALONE, *piece):
                yield True, part
        else:
            start = perf_counter()
            yield False, piece
            late = perf_counter() - start > LATE


def flat_cut(size, x, *values):
    """Yield matching pieces of tensors that broadcast to x, flat.

    What is no tensor, or one of a single number, comes along as it is.
    """

    def split(value):
        if not isinstance(value, torch.Tensor) or not value.ndim:
            return repeat(value)
        return value.expand(x.shape).reshape(-1).split(size)

    return zip(*map(split, (x, *values)), strict=False)


def _row_cut(size, z, *values):
    """Yield matching pieces: (n, C) and (n,), or (n, C, r) and (n, r)."""
    if not z.numel():
        return []
    across = max(1, size // z.shape[1])
    down = max(1, across // math.prod(z.shape[2:]))

    def split(value):
        if not isinstance(value, torch.Tensor) or not value.ndim:
            return repeat(value)
        rows = value.split(down)
        if z.ndim == 2:
            return rows
        return [part for row in rows for part in row.split(across, -1)]

    return zip(*map(split, (z, *values)), strict=False)
