"""The focal loss of one class among others."""

import math
from itertools import repeat

import torch

from .margins import Margin, MarginGradient, class_margin, margin
from .pieces import (
    Pair,
    empty_like,
    in_pieces,
    save,
    saved,
    working,
)
from .sigmoid import Side, SigmoidGradient, product, side_of, sigmoid_focal

SMALL = 1e-18
"""Terms from here to 1 / SMALL keep all digits of a quotient of two sums."""

PIECE = 2**21
"""Elements of a piece: enough examples to occupy several threads."""


def softmax_focal(z, t, *, gamma, weight=1.0):
    """Return w f(m_t), with m_t the margin and f(x) = −(1−σ(x))^γ log σ(x).

    Parameters
    ----------
    z : tensor, shape (..., C, R), C >= 2
        Logits.
    t : integer tensor, shape (..., R)
        Class indices.
    gamma : float, >= 0
    weight : float, or tensor of the shape of `t`
        The factor w.

    Returns
    -------
    tensor, the shape of `t`; float32 where `z` is of half precision

    Notes
    -----
    Saved for backward on a CPU: the arguments and two numbers an example,
    or three where logits are far apart or far from 0.
    """
    if in_pieces(z, t):
        return _Softmax.apply(z, t, weight, gamma)[0]
    m = class_margin(z, t)
    return sigmoid_focal(m, gamma=gamma, positive=weight)


class _Softmax(Pair):
    """The loss, and what its gradient needs.

    With terms e_j in proportion to exp z_j, the gradient is −fall at the
    true class and scale × e_j at the others. Where terms are too small or
    too large for that, e_j is exp(z_j − top).
    """

    @staticmethod
    def forward(z, t, weight, gamma):
        def one_each():
            return empty_like(t, working(z.dtype))

        loss, fall, scale, top = (one_each() for _ in range(4))
        shifted = []
        pieces = _pieces(z, t, weight, loss, fall, scale, top)
        for z_, t_, weight_, loss_, fall_, scale_, top_ in pieces:
            terms = _terms(z_)
            low, high = (end.item() for end in torch.aminmax(terms))
            if SMALL <= low and high <= 1 / SMALL:
                side, others = _by_odds(terms, t_, gamma, weight_)
                shifted.append(False)
            else:
                m, highest, others = margin(z_, t_, 1)
                side = side_of(-m, gamma, weight_, 1.0)
                top_.copy_(highest)
                shifted.append(True)
            product(side.loss(gamma), loss_)
            product(side.slope(gamma), fall_)
            torch.div(fall_, others, out=scale_)
        return loss, fall, scale, top if any(shifted) else None, shifted

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, t, weight, ctx.gamma = inputs
        _, *kept, ctx.shifted = output
        ctx.mark_non_differentiable(*(k for k in kept if k is not None))
        ctx.set_materialize_grads(False)
        save(ctx, z, t, weight, *kept)

    @staticmethod
    def backward(ctx, g, *_):
        if g is None:
            return (None,) * 4
        z, t, weight, fall, scale, top = saved(ctx)
        if torch.is_grad_enabled() or not in_pieces(g):
            m, *rest = Margin.apply(z, t)
            g = SigmoidGradient.apply(
                g, m, None, weight, 1.0, None, ctx.gamma
            )
            return MarginGradient.apply(g, z, t, *rest), None, None, None
        gradient = empty_like(z, z.dtype)
        pieces = _pieces(z, t, g, fall, scale, top, gradient)
        for shifted, piece in zip(ctx.shifted, pieces, strict=True):
            z_, t_, g_, fall_, scale_, top_, gradient_ = piece
            out = gradient_ if z.dtype == g.dtype else None
            if shifted:
                e = torch.sub(z_, top_.unsqueeze(1), out=out).exp_()
            else:
                e = _terms(z_, out, rough=True)
            e.mul_((g_ * scale_).unsqueeze(1))
            e.scatter_(1, t_.unsqueeze(1), (-g_ * fall_).unsqueeze(1))
            if out is None:
                gradient_.copy_(e)
        return gradient, None, None, None


def _terms(z, out=None, rough=False):
    """Numbers in proportion to e^z: softmax where that is the quicker.

    Where `rough` will do, with a relative error of up to |z| units in the
    last place: two kernels of PyTorch's that take half the time of exp.
    """
    z = z.to(working(z.dtype))
    if z.ndim == 2 and z.shape[1] >= 64:
        return torch.softmax(z, 1, out=out)
    if rough:
        return torch.mul(z, math.log2(math.e), out=out).exp2_()
    return torch.exp(z, out=out)


def _by_odds(e, t, gamma, weight):
    """The truth, by the odds against it, and the sum of the other terms.

    The odds (1−p)/p keep their digits where p is near 0 and near 1.
    """
    t = t.unsqueeze(1)
    own = e.gather(1, t)
    others = e.scatter_(1, t, torch.zeros_like(own)).sum(1)
    odds = others / own.squeeze(1)
    ce = torch.log1p(odds)
    q = odds.div_(1 + odds)
    return Side(ce, q, None, q**gamma, weight, 1.0), others


def _pieces(z, *others):
    """Return matching views of (..., C, R) and (..., R) tensors, in pieces.

    Their class axis is 1, and where R is 1 it is the last. What is no
    tensor comes along as it is.
    """
    if not z.numel():
        return []
    *lead, classes, width = z.shape
    count = math.prod(lead)
    across = max(1, PIECE // classes)
    down = max(1, PIECE // (classes * width))

    def split(value):
        if not isinstance(value, torch.Tensor):
            return repeat(value)
        value = value.reshape(count, *value.shape[len(lead) :])
        if width == 1:
            return value.squeeze(-1).split(down)
        return [
            part
            for rows in value.split(down)
            for part in rows.split(across, -1)
        ]

    return zip(*map(split, (z, *others)), strict=False)
