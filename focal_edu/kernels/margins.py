"""Softmax as sigmoid: the margin of a class over all the others."""

import torch

from .pieces import Pair, working


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
    return Margin.apply(z, t)[0]


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


class Margin(Pair):
    """The margin, and the largest and the scaled sum of the others."""

    @staticmethod
    def forward(z, t):
        return margin(z, t)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, top, total = output
        ctx.mark_non_differentiable(top, total)
        ctx.save_for_backward(*inputs, top, total)

    @staticmethod
    def backward(ctx, g, *_):
        return MarginGradient.apply(g, *ctx.saved_tensors), None


class MarginGradient(Pair):
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


def margin(z, t, dim=-2):
    """Return the margin, and the largest and the scaled sum of the others."""
    others = _others(z, t, dim)
    top = others.amax(dim)
    of_truth = z.gather(dim, t.unsqueeze(dim)).squeeze(dim)
    total = others.sub_(top.unsqueeze(dim)).exp_().sum(dim)
    return of_truth - top - total.log(), top, total


def _others(z, t, dim=-2):
    """A copy of `z` in the working type, with −inf at the true class."""
    z = z.to(working(z.dtype))
    # PyTorch scatters a tensor four times as fast as a number
    nothing = z.new_full((), float("-inf")).expand_as(t).unsqueeze(dim)
    return z.scatter(dim, t.unsqueeze(dim), nothing)
