"""What tensors the PyTorch losses may be given, and what is said when they
are given others.

Shapes and types are always checked. Values are looked at on a CPU, where a
look is cheap; on an accelerator only if asked, since the call would wait
for the device; and never in a call that is compiled, or in a tensor that a
``torch.func`` transform has wrapped.
"""

import numpy as np
import torch

from .kernels.cpu import flat_cut, in_turn, piece_size
from .kernels.fused import has_memory
from .kernels.odds import array
from .validate import check_integer

FOR_INDICES = (
    "; class indices are for task_type='multi-class', or softmax_focal_loss"
)


def check_logits(input):
    """Refuse what is not a floating tensor."""
    if not isinstance(input, torch.Tensor):
        raise TypeError(f"input must be a tensor, got {type(input).__name__}")
    if not input.is_floating_point():
        raise TypeError(
            f"input must hold logits of a floating type, got {input.dtype}"
        )


def _check_target(input, target):
    if not isinstance(target, torch.Tensor):
        raise TypeError(
            f"target must be a tensor, got {type(target).__name__}"
        )
    if target.is_complex():
        raise TypeError(f"target must be real, got {target.dtype}")
    if target.device != input.device:
        raise ValueError(
            f"target must be on the device of input, {input.device}, got "
            f"{target.device}"
        )
    if target.requires_grad:
        raise ValueError(
            "target must not require a gradient: none goes to it; detach it"
        )


def check_soft_target(input, target, check_values=None):
    """Return whether targets are known to be 0 or 1, if they are valid.

    They must have the shape of `input`, and lie in [0, 1].
    """
    _check_target(input, target)
    if target.shape != input.shape:
        axis = class_axis(input)
        several = input.ndim and input.shape[axis] > 1
        perhaps = several and target.shape == without(input.shape, axis)
        raise ValueError(
            f"target must have the shape of input, {tuple(input.shape)}, "
            f"got {tuple(target.shape)}: nothing is broadcast"
            f"{FOR_INDICES if perhaps else ''}"
        )
    if target.dtype == torch.bool or not target.numel():
        return True
    if not may_look(target, check_values):
        return False
    if _all_hard(target):
        return True
    _check_range(target)
    return False


def _check_range(target):
    low, high = (end.item() for end in torch.aminmax(target))
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"target must lie in [0, 1], got values from {low} to {high}"
        )


def _all_hard(y):
    size = piece_size()
    if y.numel() <= size:
        numbers = array(y)
        hard = (numbers == 0) | (numbers == 1)
        return np.count_nonzero(hard) == hard.size
    return all(_all_hard(part) for _, (part,) in in_turn(flat_cut, size, y))


def check_class_target(input, target, ignore_index, check_values=None):
    """Return whether `target` holds class probabilities, if it is valid,
    and which index may occur that marks an example as ignored.
    """
    check_integer("ignore_index", ignore_index)
    axis = class_axis(input)
    if input.ndim == 0 or input.shape[axis] < 2:
        raise ValueError(
            "input must hold at least two classes, on axis 1 (axis 0 of a "
            f"vector); got shape {tuple(input.shape)}"
        )
    _check_target(input, target)
    if target.is_floating_point() and target.shape == input.shape:
        if may_look(target, check_values) and target.numel():
            _check_range(target)
        return True, None
    indices = without(input.shape, axis)
    floating = target.is_floating_point() or target.dtype == torch.bool
    if floating or target.shape != indices:
        got = f"got {target.dtype} of shape {tuple(target.shape)}"
        if target.shape == input.shape:
            got = (
                f"got {target.dtype} of that shape: use target.float(), or "
                f"class indices, target.int().argmax({axis})"
            )
        raise (TypeError if floating else ValueError)(
            f"target must hold integer class indices of shape "
            f"{tuple(indices)}, or class probabilities of shape "
            f"{tuple(input.shape)}; {got}"
        )
    if not may_look(target, check_values) or not target.numel():
        return False, ignore_index
    classes = input.shape[axis]
    low, high = (end.item() for end in torch.aminmax(target))
    if 0 <= low and high < classes:
        return False, ignore_index if low <= ignore_index <= high else None
    kept = target[target.long() != ignore_index]
    if kept.numel() and not (0 <= kept.min() and kept.max() < classes):
        raise ValueError(
            f"target must hold class indices from 0 to {classes - 1} "
            f"or ignore_index={ignore_index}, got values from "
            f"{kept.min()} to {kept.max()}"
        )
    return False, ignore_index


def may_look(tensor, check_values=None):
    """Return whether the values of a tensor may decide what happens next."""
    wanted = tensor.is_cpu if check_values is None else check_values
    return wanted and not torch.compiler.is_compiling() and has_memory(tensor)


def class_axis(input):
    """Return the axis of classes or labels."""
    return 1 if input.ndim > 1 else 0


def without(shape, axis):
    """Return the shape less one axis."""
    return shape[:axis] + shape[axis + 1 :]
