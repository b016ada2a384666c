"""Softmax as sigmoid: the margin of a class over all the others."""

import math

import torch

from .pieces import Pair, empty_like, in_pieces, piece_size, working


def class_margin(z, t):
    """Return m_t = z_t − log Σ_{j≠t} exp z_j, so that p_t = σ(m_t).

    Parameters
    ----------
    z : tensor, shape (..., C, R), C >= 2
        Logits.
    t : integer tensor, shape (..., R)
        Class indices.

    Returns
    -------
    tensor, the shape of `t`; float32 where `z` is of half precision

    Notes
    -----
    Saved for backward: the arguments and two numbers an example.
    z_t − logsumexp(z) is log p_t on paper; in floats it has lost its digits
    where p_t nears 1.
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


class _Margin(Pair):
    """The margin, and the largest and the scaled sum of the others."""

    @staticmethod
    def forward(z, t):
        if not in_pieces(z):
            return _margin(z, t)
        results = [empty_like(t, working(z.dtype)) for _ in range(3)]
        for logits, truth, *here in _rows(z, t, *results):
            parts = _margin(logits, truth, 1)
            for result, part in zip(here, parts, strict=True):
                result.copy_(part)
        return tuple(results)

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
        if not in_pieces(g, z):
            return _margin_gradient(z, t, g, top, total).to(z.dtype)
        gradient = empty_like(z, z.dtype)
        for *arguments, result in _rows(z, t, g, top, total, gradient):
            if z.dtype == g.dtype:
                _margin_gradient(*arguments, dim=1, out=result)
            else:
                result.copy_(_margin_gradient(*arguments, dim=1))
        return gradient

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:3])

    @staticmethod
    def backward(ctx, v):
        g, z, t = ctx.saved_tensors
        others = _others(z, t)
        share = torch.softmax(others, -2)
        # From the largest other class, v_j − Σ share v keeps its digits
        # where that share has rounded to 1.
        v = v.to(share.dtype)
        v = v - v.gather(-2, others.argmax(-2, keepdim=True))
        v = v - (share * v).sum(-2, keepdim=True)
        along_g = v.gather(-2, t.unsqueeze(-2)).squeeze(-2)
        along_z = -g.unsqueeze(-2) * share * v
        return along_g, along_z.to(z.dtype), None, None, None


def _margin(z, t, dim=-2):
    others = _others(z, t, dim)
    top = others.amax(dim)
    of_truth = z.gather(dim, t.unsqueeze(dim)).squeeze(dim)
    total = others.sub_(top.unsqueeze(dim)).exp_().sum(dim)
    return of_truth - top - total.log(), top, total


def _margin_gradient(z, t, g, top, total, dim=-2, out=None):
    share = torch.sub(z.to(top.dtype), top.unsqueeze(dim), out=out).exp_()
    share = torch.mul(share, (-g / total).unsqueeze(dim), out=out)
    return share.scatter_(dim, t.unsqueeze(dim), g.unsqueeze(dim))


def _others(z, t, dim=-2):
    """A copy of `z` in the working type, with −inf at the true class."""
    z = z.to(working(z.dtype))
    # PyTorch scatters a tensor four times as fast as a number
    nothing = z.new_full((), float("-inf")).expand_as(t).unsqueeze(dim)
    return z.scatter(dim, t.unsqueeze(dim), nothing)


def _rows(z, *others):
    """Matching views of (..., C, R) and (..., R) tensors, in pieces.

    Their class axis is 1, and where R is 1 it is the last.
    """
    *lead, classes, width = z.shape
    count = math.prod(lead)
    size = piece_size()
    across = max(1, size // classes)
    down = max(1, size // max(1, classes * width))
    flat = [
        tensor.reshape(count, *tensor.shape[len(lead) :])
        for tensor in (z, *others)
    ]
    if width == 1:
        flat = [tensor.squeeze(-1) for tensor in flat]
        return list(zip(*(t.split(down) for t in flat), strict=True))
    return [
        [
            tensor[start : start + down, ..., left : left + across]
            for tensor in flat
        ]
        for start in range(0, count, down)
        for left in range(0, width, across)
    ]
