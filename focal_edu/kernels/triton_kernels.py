"""Losses and slopes together on a GPU, in one pass over its memory.

A program of a kernel takes one block of numbers from memory into registers,
works out loss and slope there, and writes back what is wanted. Of the
formulas in `formulas`, one exponential, e = exp(−|x|), serves a truth with
logit |x| ("near", where the model is right) and one with −|x| ("far").
"""

from math import gcd

import torch
import triton
import triton.language as tl

BLOCK = 2048
"""Logits that one program of the sigmoid kernel takes."""

TILES = 8
"""Tiles, at most, in which a program of the softmax kernel keeps a row. A
tile is a power of 2 wide: the narrower, the fewer columns hold no class."""

WIDEST = 2**12
"""Classes of a tile, at most."""

IN_PLACE = True
"""Whether `times` spends its first argument."""


@triton.jit
def log1p_ratio(e, PRECISE: tl.constexpr):
    """log(1 + e) / e for e in [0, 1]: Chebyshev's polynomials.

    Of degree 8, within 4e-8, or of degree 4, within 7e-5.
    """
    if PRECISE:
        c = 0.00512610214 * e - 0.0290740647
        c = c * e + 0.0775160867
        c = c * e - 0.136022476
        c = c * e + 0.190768807
        c = c * e - 0.24835399
        c = c * e + 0.333181217
        c = c * e - 0.49999445
        return c * e + 0.999999966
    else:
        c = 0.0406634376 * e - 0.156029527
        c = c * e + 0.305399977
        c = c * e - 0.496788748
        return c * e + 0.999936822


@triton.jit
def exp(x, rate=1.0):
    """e^(rate × x); below float32's normal numbers it is 0."""
    return tl.exp2((1.4426950408889634 * rate) * x)


@triton.jit
def near_and_far(x, PRECISE: tl.constexpr):
    """p and −log p of the truths with logits |x| and −|x|.

    For the second p stands e, its ratio to the first.
    """
    size = tl.abs(x)
    e = exp(-size)
    root = tl.rsqrt(1 + e)  # cheaper than a division
    large = root * root
    near_ce = e * log1p_ratio(e, PRECISE)
    return large, near_ce, e, near_ce + size


@triton.jit
def power(q, rest, gamma, SQUARE: tl.constexpr):
    """q^γ, with rest = −log q."""
    if SQUARE:
        return q * q
    else:
        return exp(rest, -gamma)


@triton.jit
def sigmoid_kernel(
    X,  # logits
    Y,  # targets in [0, 1]; None stands for 1 everywhere
    A,  # weights of positives, one a label; None stands for the number a
    B,  # weights of negatives, likewise
    UP,  # multiplies loss and slope, one number or one each; or None
    LOSS,  # where losses go, one an element or one a block
    SLOPE,  # where slopes go; or None
    size,
    inner,  # how many neighbours share a label
    labels,
    gamma,
    a,
    b,
    UP_STEP: tl.constexpr,
    EACH: tl.constexpr,
    PRECISE: tl.constexpr,
    SQUARE: tl.constexpr,  # whether gamma is 2
    BLOCK: tl.constexpr,
):
    block = tl.program_id(0)
    first = block.to(tl.int64) * BLOCK
    at = tl.arange(0, BLOCK)
    inside = at < (size - first).to(tl.int32)
    # what lies outside is a truth beyond all doubt, whose loss is 0
    x = tl.load(X + first + at, mask=inside, other=-1e4).to(tl.float32)
    if A is not None:
        label = (first + at) // inner % labels
        a = tl.load(A + label)
        b = tl.load(B + label)
    if Y is None:
        x = tl.where(inside, x, 1e4)
        yes, no = a + 0 * x, 0 * x
    else:
        y = tl.load(Y + first + at, mask=inside, other=0).to(tl.float32)
        yes, no = a * y, b - b * y
    large, near_ce, e, far_ce = near_and_far(x, PRECISE)
    near = power(e * large, far_ce, gamma, SQUARE)
    far = power(large, near_ce, gamma, SQUARE)
    near *= tl.where(x < 0, no, yes)
    far *= tl.where(x < 0, yes, no)
    near_loss, far_loss = near * near_ce, far * far_ce
    loss = near_loss + far_loss
    slope = far - e * near + gamma * (e * far_loss - near_loss)
    slope *= tl.where(x < 0, -large, large)
    if UP is not None:
        up = tl.load(UP + (first + at) * UP_STEP, mask=inside, other=0)
        loss, slope = loss * up, slope * up
    if SLOPE is not None:
        tl.store(SLOPE + first + at, slope, mask=inside)
    if EACH:
        tl.store(LOSS + first + at, loss, mask=inside)
    else:
        tl.store(LOSS + block, tl.sum(loss))


@triton.jit
def others(Z, at, classes, t, counts, TILES: tl.constexpr):
    """Logits of some classes in float32, in tiles; −inf if they do not count.

    They do not at the true class, outside, and in rows that are ignored.
    """
    tiles = ()
    for _ in tl.static_range(TILES):
        inside = counts[:, None] & (at < classes)
        z = tl.load(Z + at, mask=inside, other=-float("inf")).to(tl.float32)
        tiles += (tl.where(at == t[:, None], -float("inf"), z),)
        at += at.shape[1]
    return tiles


@triton.jit
def largest(tiles):
    """The largest logit of each row."""
    z = tiles[0]
    for k in tl.static_range(1, len(tiles)):
        z = tl.maximum(z, tiles[k])
    return tl.max(z, axis=1)


@triton.jit
def sum_exp(tiles, top):
    """The sum of e^(z − top) of each row."""
    e = exp(tiles[0] - top[:, None])
    for k in tl.static_range(1, len(tiles)):
        e += exp(tiles[k] - top[:, None])
    return tl.sum(e, axis=1)


@triton.jit
def store_shares(SLOPE, tiles, at, classes, there, top, share):
    """Write share × e^(z − top): 0 at the true class."""
    for k in tl.static_range(len(tiles)):
        slope = share[:, None] * exp(tiles[k] - top[:, None])
        tl.store(SLOPE + at, slope, mask=there[:, None] & (at < classes))
        at += at.shape[1]


@triton.jit
def softmax_kernel(
    Z,  # logits, one row an example
    T,  # class indices
    ALPHA,  # one weight a class; None stands for the number alpha
    UP,  # multiplies loss and slope, one number or one a row; or None
    LOSS,  # where losses go, one a row
    SLOPE,  # where slopes go, the shape of Z; or None
    rows,
    classes,  # in units of UNIT
    ignored,
    gamma,
    alpha,
    UP_STEP: tl.constexpr,
    UNIT: tl.constexpr,  # how many numbers may be moved together
    ROWS: tl.constexpr,
    CLASSES: tl.constexpr,  # of a tile
    TILES: tl.constexpr,  # of a row that a program holds at once
    WIDE: tl.constexpr,  # whether a row has more
):
    HELD: tl.constexpr = TILES * CLASSES
    classes *= UNIT
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    there = row < rows
    first = row.to(tl.int64) * classes
    t = tl.load(T + row, mask=there, other=0)
    counts = there & (t != ignored)
    known = counts & (t >= 0) & (t < classes)
    t = tl.where(known, t, 0).to(tl.int32)
    own = tl.load(Z + first + t, mask=known, other=float("nan"))
    Z += first[:, None]
    at = tl.arange(0, CLASSES)[None, :]
    # the largest of the other logits, and the sum of e^(z − largest)
    z = others(Z, at, classes, t, counts, TILES)
    top = tl.where(counts, largest(z), 0)
    total = sum_exp(z, top)
    if WIDE:
        for start in range(HELD, classes, HELD):
            more = others(Z, start + at, classes, t, counts, TILES)
            higher = tl.maximum(top, largest(more))
            total = total * exp(top - higher) + sum_exp(more, higher)
            top = higher
    # the margin m of the true class: p_t = σ(m)
    m = own.to(tl.float32) - top - tl.log(total)
    large, near_ce, e, far_ce = near_and_far(m, True)
    small = e * large
    p, q = tl.where(m < 0, small, large), tl.where(m < 0, large, small)
    ce = tl.where(m < 0, far_ce, near_ce)
    rest = tl.where(m < 0, near_ce, far_ce)
    weight = alpha + 0 * top
    if ALPHA is not None:
        weight = tl.load(ALPHA + t)
    if UP is not None:
        weight *= tl.load(UP + row * UP_STEP, mask=there, other=0)
    weight *= power(q, rest, gamma, False)
    tl.store(LOSS + row, tl.where(counts, weight * ce, 0), mask=there)
    if SLOPE is not None:
        OWN = SLOPE + first + t
        SLOPE += first[:, None]
        fall = weight * (q + gamma * p * ce)
        share = tl.where(counts, fall / total, 0)
        store_shares(SLOPE, z, at, classes, there, top, share)
        if WIDE:
            for start in range(HELD, classes, HELD):
                here = start + at
                z = others(Z, here, classes, t, counts, TILES)
                store_shares(SLOPE, z, here, classes, there, top, share)
        tl.debug_barrier()  # the true class comes after all
        tl.store(OWN, -fall, mask=counts)


@triton.jit
def times_kernel(SLOPE, UP, size, BLOCK: tl.constexpr):
    up = tl.load(UP)
    if up != 1:  # as it mostly is not: then nothing is moved
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        slope = tl.load(SLOPE + at, mask=at < size)
        tl.store(SLOPE + at, slope * up, mask=at < size)


def sigmoid(x, y, a, b, gamma, *, up, slope, each=False, hard=False):
    """Return the loss a y f(x) + b (1−y) f(−x), and its slope along x.

    As `cpu.sigmoid`; a tensor `a` holds one weight a label or an element,
    and `up` multiplies the loss as well.
    """
    x, size = x.contiguous(), x.numel()
    y, up = _readable(y), _readable(up)
    blocks = triton.cdiv(size, BLOCK)
    losses = x.new_empty(x.shape if each else blocks, dtype=torch.float32)
    slopes = torch.empty_like(x) if slope else None
    weights, labels, inner = (None, None), 1, 1
    if isinstance(a, torch.Tensor):
        weights, labels = (a.contiguous(), a.contiguous()), a.numel()
        if y is not None:
            weights = a.contiguous(), b.contiguous()
        inner = 1 if labels == size else x[:1].numel() // max(1, labels)
        a = b = 1.0
    if size:
        with torch.cuda.device_of(x):
            sigmoid_kernel[(blocks,)](
                x,
                y,
                *weights,
                up,
                losses,
                slopes,
                size,
                inner,
                labels,
                gamma,
                a,
                b,
                UP_STEP=int(up is not None and up.ndim > 0),
                EACH=each,
                PRECISE=x.dtype == torch.float32,
                SQUARE=gamma == 2,
                BLOCK=BLOCK,
                num_warps=4,
            )
    return losses if each else _total(losses), slopes


def softmax(z, t, alpha, gamma, ignored, *, up, slope, each=False):
    """Return the loss α_t f(m_t), m_t the margin, and its slope along z.

    As `cpu.softmax`; `up` multiplies the loss as well.
    """
    moved = z.movedim(1, -1) if z.ndim > 2 else z  # classes last
    rows, up = moved.contiguous(), _readable(up)
    slopes = torch.empty_like(rows) if slope else None
    classes, examples = z.shape[1 if z.ndim > 1 else 0], t.numel()
    losses = z.new_empty(examples, dtype=torch.float32)
    cut = tiling(classes)
    if examples:
        with torch.cuda.device_of(z):
            softmax_kernel[(triton.cdiv(examples, cut["ROWS"]),)](
                rows,
                t.contiguous(),
                alpha if isinstance(alpha, torch.Tensor) else None,
                up,
                losses,
                slopes,
                examples,
                classes // cut["UNIT"],
                -(2**62) if ignored is None else ignored,
                gamma,
                1.0 if isinstance(alpha, torch.Tensor) else alpha,
                UP_STEP=int(up is not None and up.ndim > 0),
                **cut,
            )
    if slope and z.ndim > 2:
        slopes = slopes.movedim(-1, 1)
    return losses.view(t.shape) if each else _total(losses), slopes


def tiling(classes):
    """Return how the softmax kernel cuts rows of so many classes.

    Each thread holds four or eight numbers of a tile.
    """
    width = min(WIDEST, triton.next_power_of_2(triton.cdiv(classes, TILES)))
    tiles = triton.cdiv(classes, width)
    wide = tiles > TILES
    return {
        "UNIT": gcd(classes, 16),
        "ROWS": max(1, 128 // width),
        "CLASSES": width,
        "TILES": TILES // 2 if wide else tiles,  # beside as many to come
        "WIDE": wide,
        "num_warps": min(16, max(1, width // 128)),
    }


def times(slope, g):
    """Return slope × g, in the place of slope."""
    if g.ndim:
        return slope.mul_(g)
    with torch.cuda.device_of(slope):
        blocks = triton.cdiv(slope.numel(), 2**15)
        times_kernel[(blocks,)](
            slope, g, slope.numel(), BLOCK=2**15, num_warps=8
        )
    return slope


def _readable(values):
    """A tensor's numbers side by side, in a type that a kernel reads."""
    if values is None:
        return None
    boolean = values.dtype == torch.bool
    return (values.to(torch.uint8) if boolean else values).contiguous()


def _total(losses):
    return losses.view(()) if losses.numel() == 1 else losses.sum()
