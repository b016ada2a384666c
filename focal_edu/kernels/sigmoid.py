"""The focal loss of a logit, with its slope and curvature."""

from typing import NamedTuple

import torch
from torch.nn import functional as F

from .pieces import (
    Pair,
    empty_like,
    in_pieces,
    piece_size,
    save,
    saved,
    working,
)


def sigmoid_focal(x, y=None, *, gamma, positive=1.0, negative=1.0):
    """Return a y f(x) + b (1−y) f(−x) with f(x) = −(1−σ(x))^γ log σ(x).

    Parameters
    ----------
    x : tensor
        Logits.
    y : tensor, the shape of `x`, optional
        In [0, 1]; None stands for 1 everywhere.
    gamma : float, >= 0
    positive, negative : float, or tensor that broadcasts to `x` and has
        as many axes
        The factors a and b.

    Returns
    -------
    tensor, the shape of `x`; float32 where `x` is of half precision

    Notes
    -----
    Saved for backward: the arguments and f′, one number of x's type an
    element. For float16, whose range is too small for f′ before a gradient
    scaler has multiplied it, f′ is computed in backward instead.
    """
    keep = x.requires_grad and torch.is_grad_enabled()
    keep = keep and x.dtype != torch.float16
    return _Sigmoid.apply(x, y, positive, negative, gamma, keep)[0]


class Side(NamedTuple):
    """What the formulas need to know of a truth with probability p."""

    ce: torch.Tensor  # −log p
    q: torch.Tensor  # 1 − p
    n: torch.Tensor  # minus the logit of the truth: q = σ(n)
    factor: torch.Tensor  # q^γ
    weight: torch.Tensor | float
    sign: torch.Tensor | float  # of −d(logit of the truth)/dx

    def loss(self, gamma):
        return self.factor, self.ce, self.weight

    def slope(self, gamma):
        slope = torch.add(self.q, (1 - self.q).mul_(self.ce), alpha=gamma)
        return slope, self.factor, self.sign, self.weight

    def curvature(self, gamma):
        bend = (1 + 2 * gamma) * self.q
        # σ(−n), where e^n may overflow and e^−n be all that is left of it
        p = torch.exp(-self.n.clamp(min=0)) * torch.sigmoid(self.n.abs())
        bend = bend - gamma * (self.q - gamma * p) * self.ce
        return bend, p, self.factor, self.weight


def _sides(x, y, a, b, gamma, look=False):
    """The truths that count at logits `x`: one for hard targets, or two.

    `look` says that vectors may be looked at: soft targets that are all 0
    or 1 cost half as much.
    """
    x = x.to(working(x.dtype))
    if y is None:
        return [side_of(-x, gamma, a, -1.0)]
    if hard := not y.is_floating_point():
        y = y.to(x.dtype)
    no = 1 - (y := y.to(x.dtype))
    if hard or (look and not torch.dot(y, no).item()):
        sign = no - y
        weight = 1.0 if _is_one(a) and _is_one(b) else a * y + b * no
        return [side_of(x * sign, gamma, weight, sign)]
    e = torch.exp(-x.abs())
    large = 1 / (1 + e)
    small, tail, low = large * e, torch.log1p(e), x < 0
    p, q = torch.where(low, small, large), torch.where(low, large, small)
    return [
        Side(tail - x.clamp(max=0), q, -x, q**gamma, a * y, -1.0),
        Side(tail + x.clamp(min=0), p, x, p**gamma, b * no, 1.0),
    ]


def side_of(n, gamma, weight, sign):
    """The truth whose logit is −n.

    softplus is log(1 + e^n) below its threshold and n above: at the usual
    threshold of 20 that loses digits of float64, at 40 it does not.
    """
    ce, q = F.softplus(n, threshold=40.0), torch.sigmoid(n)
    return Side(ce, q, n, q**gamma, weight, sign)


def _sigmoid(wanted, x, y, a, b, gamma):
    """The `wanted` ones of loss, slope and curvature, in new tensors.

    `wanted` maps the name of a method of `Side` to the dtype of the result.
    """
    if not in_pieces(x):
        sides = _sides(x, y, a, b, gamma)
        return [
            _total([getattr(side, name)(gamma) for side in sides]).to(dtype)
            for name, dtype in wanted.items()
        ]
    results = [empty_like(x, dtype) for dtype in wanted.values()]
    inputs = [_flat(tensor, x.shape) for tensor in (x, y, a, b)]
    flat = [result.view(-1) for result in results]

    size = piece_size()
    for start in range(0, x.numel(), size):
        here = slice(start, start + size)
        parts = [_part(tensor, here) for tensor in inputs]
        sides = _sides(*parts, gamma, look=True)
        for name, result in zip(wanted, flat, strict=True):
            terms = [getattr(side, name)(gamma) for side in sides]
            _total(terms, out=result[here])
    return results


def _total(terms, out=None):
    """The sum of one or two products."""
    first, *second = terms
    for term in second:
        return torch.add(product(first), product(term), out=out)
    return product(first, out)


def product(factors, out=None):
    """The product of factors, without those that are the number 1."""
    result, *rest = (f for f in factors if not _is_one(f))
    for factor in rest[:-1]:
        result = result * factor
    return torch.mul(result, rest[-1], out=out)


class _Sigmoid(Pair):
    @staticmethod
    def forward(x, y, a, b, gamma, keep_slope):
        wanted = {"loss": working(x.dtype)}
        if keep_slope:
            wanted["slope"] = x.dtype
        loss, *slope = _sigmoid(wanted, x, y, a, b, gamma)
        return loss, slope[0] if slope else None

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, a, b, ctx.gamma, _ = inputs
        slope = output[1]
        if slope is not None:
            ctx.mark_non_differentiable(slope)
        ctx.set_materialize_grads(False)
        save(ctx, x, y, a, b, slope)

    @staticmethod
    def backward(ctx, g, _):
        if g is None:
            return (None,) * 6
        g = SigmoidGradient.apply(g, *saved(ctx), ctx.gamma)
        return g, None, None, None, None, None


class SigmoidGradient(Pair):
    """g × slope, and its own derivatives."""

    @staticmethod
    def forward(g, x, y, a, b, slope, gamma):
        if slope is None:
            (slope,) = _sigmoid({"slope": g.dtype}, x, y, a, b, gamma)
        if not in_pieces(g, x):
            return (g * slope).to(x.dtype)
        return torch.mul(g, slope, out=empty_like(x, x.dtype))

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.gamma = inputs
        save(ctx, *tensors)

    @staticmethod
    def backward(ctx, v):
        g, x, y, a, b, slope = saved(ctx)
        v = v.to(g.dtype)
        along_g = SigmoidGradient.apply(v, x, y, a, b, slope, ctx.gamma)
        sides = _sides(x, y, a, b, ctx.gamma)
        curvature = _total([side.curvature(ctx.gamma) for side in sides])
        along_x = (v * g * curvature).to(x.dtype)
        return along_g.to(g.dtype), along_x, None, None, None, None, None


def _flat(value, shape):
    if not isinstance(value, torch.Tensor):
        return value
    return value.expand(shape).reshape(-1)


def _part(value, here):
    return value[here] if isinstance(value, torch.Tensor) else value


def _is_one(value):
    return isinstance(value, float) and value == 1
