"""Losses and slopes together on a GPU, in one pass over its memory.

A program of a kernel takes one block of numbers from memory into registers,
works out loss and slope there, and writes back what is wanted. Of the
formulas in `formulas`, one exponential, e = exp(−|x|), serves a truth with
logit |x| ("near", where the model is right) and one with −|x| ("far").
"""

import torch
import triton
import triton.language as tl

BLOCK = 2048
"""Logits that one program of the sigmoid kernel takes."""

WIDEST = 2**15
"""Classes that one program of the softmax kernel keeps in registers."""

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
def exp(x):
    """e^x; below float32's normal numbers it is 0."""
    return tl.exp2(1.4426950408889634 * x)


@triton.jit
def near_and_far(x, PRECISE: tl.constexpr):
    """p and −log p of the truths with logits |x| and −|x|."""
    size = tl.abs(x)
    e = exp(-size)
    root = tl.rsqrt(1 + e)  # cheaper than a division
    large = root * root
    near_ce = e * log1p_ratio(e, PRECISE)
    return large, near_ce, e * large, near_ce + size  # large + small = 1


@triton.jit
def factor_and_fall(p, ce, q, rest, gamma):
    """q^γ, with rest = −log q; and minus the slope over it."""
    return exp(-gamma * rest), q + gamma * p * ce


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
    large, near_ce, small, far_ce = near_and_far(x, PRECISE)
    near, near_fall = factor_and_fall(large, near_ce, small, far_ce, gamma)
    far, far_fall = factor_and_fall(small, far_ce, large, near_ce, gamma)
    near *= tl.where(x < 0, no, yes)
    far *= tl.where(x < 0, yes, no)
    loss = near * near_ce + far * far_ce
    slope = far * far_fall - near * near_fall
    slope = tl.where(x < 0, -slope, slope)
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
def others(Z, at, classes, t, counts):
    """Logits of some classes in float32; −inf where they do not count.

    They do not at the true class, outside, and in rows that are ignored.
    """
    inside = counts[:, None] & (at < classes)
    z = tl.load(Z + at, mask=inside, other=-float("inf")).to(tl.float32)
    return tl.where(at == t[:, None], -float("inf"), z)


@triton.jit
def store_shares(SLOPE, z, at, classes, there, top, share):
    """Write share × e^(z − top): 0 at the true class."""
    slope = share[:, None] * exp(z - top[:, None])
    tl.store(SLOPE + at, slope, mask=there[:, None] & (at < classes))


@triton.jit
def softmax_kernel(
    Z,  # logits, one row an example
    T,  # class indices
    ALPHA,  # one weight a class; None stands for the number alpha
    UP,  # multiplies loss and slope, one number or one a row; or None
    LOSS,  # where losses go, one a row
    SLOPE,  # where slopes go, the shape of Z; or None
    rows,
    classes,
    ignored,
    gamma,
    alpha,
    UP_STEP: tl.constexpr,
    ROWS: tl.constexpr,
    CLASSES: tl.constexpr,  # of a row that a program holds at once
    WIDE: tl.constexpr,  # whether a row has more
):
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
    z = others(Z, at, classes, t, counts)
    top = tl.where(counts, tl.max(z, axis=1), 0)
    total = tl.sum(exp(z - top[:, None]), axis=1)
    if WIDE:
        for start in range(CLASSES, classes, CLASSES):
            more = others(Z, start + at, classes, t, counts)
            higher = tl.maximum(top, tl.max(more, axis=1))
            total *= exp(top - higher)
            total += tl.sum(exp(more - higher[:, None]), axis=1)
            top = higher
    # the margin m of the true class: p_t = σ(m)
    m = own.to(tl.float32) - top - tl.log(total)
    large, near_ce, small, far_ce = near_and_far(m, True)
    p, q = tl.where(m < 0, small, large), tl.where(m < 0, large, small)
    ce = tl.where(m < 0, far_ce, near_ce)
    rest = tl.where(m < 0, near_ce, far_ce)
    factor, fall = factor_and_fall(p, ce, q, rest, gamma)
    weight = alpha + 0 * top
    if ALPHA is not None:
        weight = tl.load(ALPHA + t)
    if UP is not None:
        weight *= tl.load(UP + row * UP_STEP, mask=there, other=0)
    weight *= factor
    tl.store(LOSS + row, tl.where(counts, weight * ce, 0), mask=there)
    if SLOPE is not None:
        OWN = SLOPE + first + t
        SLOPE += first[:, None]
        fall *= weight
        share = tl.where(counts, fall / total, 0)
        store_shares(SLOPE, z, at, classes, there, top, share)
        if WIDE:
            for start in range(CLASSES, classes, CLASSES):
                here = start + at
                z = others(Z, here, classes, t, counts)
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
    width = min(WIDEST, triton.next_power_of_2(classes))
    losses = z.new_empty(examples, dtype=torch.float32)
    together = max(1, min(32, 1024 // width))
    if examples:
        with torch.cuda.device_of(z):
            softmax_kernel[(triton.cdiv(examples, together),)](
                rows,
                t.contiguous(),
                alpha if isinstance(alpha, torch.Tensor) else None,
                up,
                losses,
                slopes,
                examples,
                classes,
                -(2**62) if ignored is None else ignored,
                gamma,
                1.0 if isinstance(alpha, torch.Tensor) else alpha,
                UP_STEP=int(up is not None and up.ndim > 0),
                ROWS=together,
                CLASSES=width,
                WIDE=width < classes,
                num_warps=max(1, width // 1024),
            )
    if slope and z.ndim > 2:
        slopes = slopes.movedim(-1, 1)
    return losses.view(t.shape) if each else _total(losses), slopes


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
