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
    Nothing is saved for backward but the arguments. z_t − logsumexp(z) is
    log p_t on paper; in floats it has lost its digits where p_t nears 1.
    """
    return _Margin.apply(z, t)


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
    @staticmethod
    def forward(z, t):
        if not in_pieces(z):
            return _margin(z, t)
        margin = empty_like(t, working(z.dtype))
        for logits, truth, result in _rows(z, t, margin):
            result.copy_(_margin(logits, truth, 1))
        return margin

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return _MarginGradient.apply(g, *ctx.saved_tensors), None


class _MarginGradient(Pair):
    """g × (1 at the true class, minus its share of the others elsewhere)."""

    @staticmethod
    def forward(g, z, t):
        if not in_pieces(g, z):
            return _margin_gradient(g, z, t).to(z.dtype)
        gradient = empty_like(z, z.dtype)
        for logits, truth, of_margin, result in _rows(z, t, g, gradient):
            result.copy_(_margin_gradient(of_margin, logits, truth, 1))
        return gradient

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

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
        return along_g, along_z.to(z.dtype), None


def _margin(z, t, dim=-2):
    others = _others(z, t, dim)
    top = others.amax(dim)
    of_truth = z.gather(dim, t.unsqueeze(dim)).squeeze(dim)
    total = others.sub_(top.unsqueeze(dim)).exp_().sum(dim)
    return (of_truth - top).sub_(total.log_())


def _margin_gradient(g, z, t, dim=-2):
    g = g.unsqueeze(dim)
    others = _others(z, t, dim)
    share = others.sub_(others.amax(dim, keepdim=True)).exp_()
    scale = -g / share.sum(dim, keepdim=True)
    return (share * scale).scatter(dim, t.unsqueeze(dim), g)


def _others(z, t, dim=-2):
    """A copy of `z` in the working type, with −inf at the true class."""
    z = z.to(working(z.dtype))
    return z.scatter(dim, t.unsqueeze(dim), float("-inf"))


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
