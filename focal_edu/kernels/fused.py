"""One call, loss and gradient: the losses as people train with them.

Where tensors hold their own numbers, the slope is worked out along with the
loss, and the backward pass has next to nothing left to do. Elsewhere (in a
transform or ``torch.compile``, on other devices, and in the backward pass
of a backward pass) the `pairs` do the work.
"""

from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch.autograd import Function

from . import cpu, pairs
from .pairs import class_margins

FUSED_ON_CUDA = (torch.float32, torch.bfloat16, torch.float16)


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

    Returns
    -------
    tensor, in the type of `x`; where autocast is on and that is a half
    precision, in float32

    Notes
    -----
    Saved for backward: the arguments and the slope, one number of x's type
    an element. For float16, whose range is too small for a slope before a
    gradient scaler has multiplied it, the slope is computed in backward.
    """
    if not each and isinstance(scale, float):
        positive, negative, scale = positive * scale, negative * scale, None
    settings = y, positive, negative, gamma
    how = {"each": each, "hard": hard}
    return _fused("sigmoid", pairs.sigmoid_each, x, settings, scale, how)


def softmax_focal(
    z,
    t,
    *,
    gamma,
    alpha=1.0,
    scale=1.0,
    each=False,
    ignored=None,
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
    scale, each
        As in `sigmoid_focal`.
    ignored : int, optional
        A class index whose examples have loss 0.

    Returns
    -------
    tensor, of the type of that of `sigmoid_focal`
    """
    if not each and isinstance(scale, float):
        alpha, scale = alpha * scale, None
    settings, how = (t, alpha, gamma, ignored), {"each": each}
    return _fused("softmax", pairs.softmax_each, z, settings, scale, how)


def classes_focal(z, w, *, gamma, scale=1.0, each=False):
    """Return Σ_k w_k f(m_k), m_k the margin of class k, of each example, or
    the scaled sum.

    Parameters
    ----------
    z, w : tensors, shape (C,), (N, C) or (N, C, d1, ...), C >= 2
        Logits and weights.
    gamma, scale, each
        As in `sigmoid_focal`.

    Returns
    -------
    tensor, of the type of that of `sigmoid_focal`
    """
    weight = 1.0
    if not each and isinstance(scale, float):
        weight, scale = scale, None
    settings, how = (w, weight, gamma), {"each": each}
    return _fused("classes", _classes_each, z, settings, scale, how)


def _classes_each(z, w, a, gamma):
    examples = z.flatten(2) if z.ndim > 2 else z.unsqueeze(-1)
    losses = sigmoid_focal(
        class_margins(examples),
        gamma=gamma,
        positive=a * w.reshape(examples.shape),
        each=True,
    )
    return losses.sum(-2).reshape(z.select(min(1, z.ndim - 1), 0).shape)


def _fused(name, each_of, x, settings, scale, how):
    engine = engine_for(x, *settings)
    work = getattr(engine, name, None)
    if work is not None:
        job = _Job(engine, partial(work, **how), each_of, settings, scale)
        return _Fused.apply(x, job)
    losses = each_of(x, *settings)
    return _cast(losses if how["each"] else _scaled(losses.sum(), scale), x)


def _cast(losses, x):
    if losses.dtype == x.dtype or torch.is_autocast_enabled(x.device.type):
        return losses
    return losses.to(x.dtype)


class _Job(NamedTuple):
    """What an engine is to do with logits, and the pairs in its stead."""

    engine: object
    work: object
    each_of: object
    settings: tuple
    scale: object


class _Fused(Function):
    """The loss of an engine, and its slope along the logits."""

    @staticmethod
    def forward(ctx, x, job):
        # float16 holds no slope that is not scaled up yet
        keep = x.requires_grad and x.dtype != torch.float16
        scale = None if job.work.keywords["each"] else job.scale
        losses, slope = job.work(x, *job.settings, up=scale, slope=keep)
        ctx.job, ctx.spent = job, False
        others = [v for v in job.settings if isinstance(v, torch.Tensor)]
        ctx.save_for_backward(x, slope, *others)
        return _cast(losses, x)

    @staticmethod
    def backward(ctx, g):
        x, slope, *_ = ctx.saved_tensors
        return _slope(ctx, g, x, slope), None


def _slope(ctx, g, x, slope):
    """g times the slope: differentiable, kept, or worked out again."""
    engine, work, each_of, settings, scale = ctx.job
    if torch.is_grad_enabled() or not has_memory(g):
        return pairs.with_slope(each_of, _scaled(g, scale), x, *settings)[1]
    if slope is None or ctx.spent:
        return work(x, *settings, up=_scaled(g, scale), slope=True)[1]
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


def _scaled(value, scale):
    return value if scale is None else value * scale
