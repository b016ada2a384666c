"""One call, loss and gradient: the losses as people train with them.

Where tensors hold their own numbers, the slope is worked out along with the
loss, and the backward pass has next to nothing left to do. Elsewhere (in a
transform or ``torch.compile``, on other devices, and in the backward pass
of a backward pass) the `pairs` do the work.
"""

from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec

import torch
from torch.autograd import Function

from . import cpu, pairs

FUSED_ON_CUDA = (torch.float32, torch.bfloat16, torch.float16)
PAIRS = {
    "sigmoid": (pairs.sigmoid_each, pairs.sigmoid_gradient),
    "softmax": (pairs.softmax_each, pairs.softmax_gradient),
}


def sigmoid_focal(
    x,
    y=None,
    *,
    gamma,
    positive=1.0,
    negative=1.0,
    scale=1.0,
    each=False,
    hard=False,
    dtype=None,
):
    """Return a y f(x) + b (1−y) f(−x) of each element, or the scaled sum.

    Parameters
    ----------
    x, y, gamma, positive, negative
        As in `pairs.sigmoid_each`.
    scale : float, or tensor of one number
        Multiplies the sum.
    each : bool
        Whether the loss of each element is returned, or the sum.
    hard : bool
        Whether every y is known to be 0 or 1.
    dtype : torch.dtype, optional
        Of the result; by default float32 where `x` is of half precision.

    Returns
    -------
    tensor

    Notes
    -----
    Saved for backward: the arguments and the slope, one number of x's type
    an element. For float16, whose range is too small for a slope before a
    gradient scaler has multiplied it, the slope is computed in backward.
    """
    if not each and isinstance(scale, float):
        positive, negative, scale = positive * scale, negative * scale, None
    settings = x, y, positive, negative, gamma
    return _fused("sigmoid", settings, scale, each, dtype, hard=hard)


def softmax_focal(
    z,
    t,
    *,
    gamma,
    alpha=1.0,
    scale=1.0,
    each=False,
    ignored=None,
    dtype=None,
):
    """Return α_t f(m_t), m_t the margin, of each example, or the scaled sum.

    Parameters
    ----------
    z : tensor, shape (C,), (N, C) or (N, C, d1, ...), C >= 2
        Logits.
    t : int64 tensor, the shape of `z` without C
        Class indices.
    gamma : float, >= 0
    alpha : float, or tensor of C weights
    scale, each, dtype
        As in `sigmoid_focal`.
    ignored : int, optional
        A class index whose examples have loss 0.

    Returns
    -------
    tensor
    """
    if not each and isinstance(scale, float):
        alpha, scale = alpha * scale, None
    settings = z, t, alpha, gamma, ignored
    return _fused("softmax", settings, scale, each, dtype)


def _fused(name, settings, scale, each, dtype, **how):
    engine, (each_of, gradient) = engine_for(*settings), PAIRS[name]
    if engine is None:
        losses = each_of(*settings)
        losses = losses if each else _scaled(losses.sum(), scale)
    else:
        work = partial(getattr(engine, name), each=each, **how)
        parts = engine, work, gradient, _keeps_slope(settings[0])
        losses = _Fused.apply(*settings, None if each else scale, parts)
    return losses if dtype is None else losses.to(dtype)


class _Fused(Function):
    """The loss of an engine, and its slope along the first argument."""

    @staticmethod
    def forward(ctx, *arguments):
        *settings, scale, ctx.parts = arguments
        _, work, _, keep = ctx.parts
        loss, slope = work(*settings, up=scale, slope=keep)
        ctx.spent = False
        pairs.save(ctx, *settings, scale, slope)
        return loss

    @staticmethod
    def backward(ctx, g):
        *settings, scale, slope = pairs.saved(ctx)
        return _backward(ctx, g, settings, scale, slope), *(None,) * 6


def _backward(ctx, g, settings, scale, slope):
    """g times the slope: differentiable, kept, or worked out again."""
    engine, work, gradient, _ = ctx.parts
    if torch.is_grad_enabled() or not has_memory(g):
        return gradient(_scaled(g, scale), *settings)
    if slope is None or ctx.spent:
        return work(*settings, up=_scaled(g, scale), slope=True)[1]
    ctx.spent = engine.IN_PLACE
    if 0 < g.ndim < slope.ndim:
        g = g.unsqueeze(1)  # one for all classes
    return engine.times(slope, g)


def engine_for(*values):
    """Return the module that works these values, or None for the pairs."""
    tensors = [v for v in values if isinstance(v, torch.Tensor)]
    if torch.compiler.is_compiling() or not all(map(has_memory, tensors)):
        return None
    if tensors[0].is_cpu:
        return cpu
    if tensors[0].is_cuda and tensors[0].dtype in FUSED_ON_CUDA:
        return triton_engine()
    return None


@cache
def triton_engine():
    """Return the module of Triton kernels, or None without Triton."""
    if find_spec("triton") is None:
        return None
    return import_module(".triton_kernels", __package__)


def has_memory(tensor):
    """Return whether a tensor holds numbers itself, and wraps no other.

    Wrapped are those inside a ``torch.func`` transform, and gradients that
    ``torch.autograd.grad(is_grads_batched=True)`` batches.
    """
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return False
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True


def _keeps_slope(x):
    wanted = x.requires_grad and torch.is_grad_enabled()
    return wanted and x.dtype != torch.float16


def _scaled(value, scale):
    return value if scale is None else value * scale
