"""Forward and backward, next to each other: the formulas as autograd
functions, differentiable twice, on any device, inside ``torch.compile`` and
the transforms of ``torch.func``.
"""

import torch
from torch.autograd import Function

from . import formulas
from .formulas import working


def sigmoid_each(x, y=None, a=1.0, b=1.0, gamma=2.0):
    """Return a y f(x) + b (1−y) f(−x), with f the focal loss of a truth.

    Parameters
    ----------
    x : tensor
        Logits.
    y : tensor, the shape of `x`, optional
        In [0, 1]; None stands for 1 everywhere.
    a, b : float, or tensor that broadcasts to `x` and has as many axes
    gamma : float, >= 0

    Returns
    -------
    tensor, the shape of `x`; float32 where `x` is of half precision
    """
    return _Sigmoid.apply(x, y, a, b, gamma)


def softmax_each(z, t, alpha, gamma, ignored=None):
    """Return α_t f(m_t), with m_t the margin, of each example.

    Parameters
    ----------
    z : tensor, shape (C,), (N, C) or (N, C, d1, ...), C >= 2
        Logits.
    t : int64 tensor, the shape of `z` without C
        Class indices.
    alpha : float, or tensor of C weights
    gamma : float, >= 0
    ignored : int, optional
        A class index whose examples have loss 0.

    Returns
    -------
    tensor, the shape of `t`; float32 where `z` is of half precision
    """
    examples, truths, weight = _examples(z, t, alpha, ignored)
    m = class_margin(examples, truths)
    return sigmoid_each(m, None, weight, gamma=gamma).reshape(t.shape)


def with_slope(each_of, g, x, *settings):
    """Return the losses of `each_of`, and g times their slope along `x`:
    differentiable where gradients are wanted.

    `g` is one number or one each, or None for 1.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if again else x.detach().requires_grad_()
        losses = each_of(x, *settings)
    g = torch.ones_like(losses) if g is None else g.expand(losses.shape)
    (slope,) = torch.autograd.grad(losses, x, g, create_graph=again)
    return losses, slope


def _examples(z, t, alpha, ignored):
    """(..., C, R) logits, (..., R) classes, and the weight of each example.

    An ignored example has class 0, zeros for logits and no weight.
    """
    z = z.flatten(2) if z.ndim > 2 else z.unsqueeze(-1)
    t = t.reshape(z.shape[:-2] + z.shape[-1:])
    if ignored is None:
        return z, t, alpha if isinstance(alpha, float) else alpha[t]
    kept = t != ignored
    t, z = t.where(kept, 0), z.where(kept.unsqueeze(-2), 0)
    kept = kept.to(working(z.dtype))
    return z, t, kept * (alpha if isinstance(alpha, float) else alpha[t])


def class_margin(z, t):
    """Return the margin m_t of each example, so that p_t = σ(m_t).

    Parameters
    ----------
    z : tensor, shape (..., C, R), C >= 2
        Logits.
    t : integer tensor, shape (..., R)
        Class indices.

    Returns
    -------
    tensor, the shape of `t`; float32 where `z` is of half precision
    """
    return _Margin.apply(z, t)[0]


def class_margins(z):
    """Return the margin of every class, the shape of `z`, (..., C, R).

    Σ_{j≠k} exp z_j is the whole sum less one term, which loses no digit
    unless that term is the largest; that class is summed on its own.
    """
    z = z.to(working(z.dtype))
    top = z.argmax(-2, keepdim=True)
    highest = z.detach().gather(-2, top)
    e = torch.exp(z - highest)
    is_top = torch.zeros_like(z, dtype=torch.bool).scatter(-2, top, True)
    rest = (e.sum(-2, keepdim=True) - e).masked_fill(is_top, 1.0)
    of_top = class_margin(z, top.squeeze(-2)).unsqueeze(-2)
    return torch.where(is_top, of_top, z - highest - torch.log(rest))


class Pair(Function):
    """A function whose arguments all carry the axis of a `vmap`."""

    @classmethod
    def vmap(cls, info, in_dims, *arguments):
        moved = [
            argument
            if not isinstance(argument, torch.Tensor)
            else argument.expand(info.batch_size, *argument.shape)
            if dim is None
            else argument.movedim(dim, 0)
            for argument, dim in zip(arguments, in_dims, strict=True)
        ]
        results = cls.apply(*moved)
        if isinstance(results, torch.Tensor):
            return results, 0
        return results, (0,) * len(results)


class _Sigmoid(Pair):
    @staticmethod
    def forward(x, y, a, b, gamma):
        return sum(
            weight * formulas.loss(truth)
            for truth, _, weight in _sides(x, y, a, b, gamma)
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        save(ctx, *inputs)

    @staticmethod
    def backward(ctx, g):
        return _SigmoidGradient.apply(g, *saved(ctx)), *(None,) * 4


class _SigmoidGradient(Pair):
    """g times the slope along x, and its own derivatives."""

    @staticmethod
    def forward(g, x, y, a, b, gamma):
        slopes = [
            sign * weight * formulas.slope(truth, gamma)
            for truth, sign, weight in _sides(x, y, a, b, gamma)
        ]
        return (g * sum(slopes)).to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        save(ctx, *inputs)

    @staticmethod
    def backward(ctx, v):
        g, x, *others = saved(ctx)
        v = v.to(g.dtype)
        along_g = _SigmoidGradient.apply(v, x, *others)
        bends = [
            weight * formulas.curvature(truth, others[-1])
            for truth, _, weight in _sides(x, *others)
        ]
        along_x = (v * g * sum(bends)).to(x.dtype)
        return along_g.to(g.dtype), along_x, *(None,) * 4


def _sides(x, y, a, b, gamma):
    """The truths that count: each with d(−n)/dx and its weight."""
    x = x.to(working(x.dtype))
    if y is None:
        return [(formulas.truth(-x, gamma), 1.0, a)]
    y, soft = y.to(x.dtype), y.is_floating_point()
    if not soft:
        sign, weight = 2 * y - 1, a * y + b * (1 - y)
        return [(formulas.truth(-sign * x, gamma), sign, weight)]
    yes, no = formulas.truth(-x, gamma), formulas.truth(x, gamma)
    return [(yes, 1.0, a * y), (no, -1.0, b * (1 - y))]


class _Margin(Pair):
    """The margin, and the largest and the scaled sum of the others."""

    @staticmethod
    def forward(z, t):
        parts = formulas.margin(z.to(working(z.dtype)), t, -2)
        return tuple(part.squeeze(-2) for part in parts)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, top, total = output
        ctx.mark_non_differentiable(top, total)
        ctx.save_for_backward(*inputs, top, total)

    @staticmethod
    def backward(ctx, g, *_):
        return _MarginGradient.apply(g, *ctx.saved_tensors), None


class _MarginGradient(Pair):
    """g × (1 at the true class, minus its share of the others elsewhere)."""

    @staticmethod
    def forward(g, z, t, top, total):
        share = (z.to(top.dtype) - top.unsqueeze(-2)).exp_()
        share = share * (-g / total).unsqueeze(-2)
        here = t.unsqueeze(-2)
        return share.scatter(-2, here, g.unsqueeze(-2)).to(z.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:3])

    @staticmethod
    def backward(ctx, v):
        g, z, t = ctx.saved_tensors
        others = formulas.without(z.to(working(z.dtype)), t, -2)
        share = torch.softmax(others, -2)
        # From the largest other class, v_j − Σ share v keeps its digits
        # where that share has rounded to 1.
        v = v.to(share.dtype)
        v = v - v.gather(-2, others.argmax(-2, keepdim=True))
        v = v - (share * v).sum(-2, keepdim=True)
        along_g = v.gather(-2, t.unsqueeze(-2)).squeeze(-2)
        along_z = -g.unsqueeze(-2) * share * v
        return along_g, along_z.to(z.dtype), None, None, None


def save(ctx, *values):
    """Save tensors for backward, and keep what are none as they are."""
    ctx.save_for_backward(
        *(v if isinstance(v, torch.Tensor) else None for v in values)
    )
    ctx.others = [None if isinstance(v, torch.Tensor) else v for v in values]


def saved(ctx):
    """Return what `save` was given, in its order."""
    return [
        other if tensor is None else tensor
        for tensor, other in zip(ctx.saved_tensors, ctx.others, strict=True)
    ]
