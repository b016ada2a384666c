"""Focal loss for PyTorch: a module for three tasks, and two functions.

The meaning of α, the shapes and the reductions are settled here. The
arithmetic is in `kernels`, the checks of tensors are in `validate_tensors`.
"""

import sys

import torch
from torch import nn

from .kernels import classes_focal, sigmoid_focal, softmax_focal
from .validate import (
    TASKS,
    check_alpha,
    check_choice,
    check_class_alpha,
    check_gamma,
    check_integer,
    show,
)
from .validate_tensors import (
    check_class_target,
    check_logits,
    check_soft_target,
    class_axis,
    may_look,
)

REDUCTIONS = ("none", "mean", "sum", "mean_positive")


def sigmoid_focal_loss(
    input,
    target,
    *,
    gamma=2.0,
    alpha=None,
    reduction="mean",
    check_values=None,
):
    """Return the focal loss of a binary or a multi-label problem.

    With p = σ(x), FL = −α y (1−p)^γ log p − (1−α) (1−y) p^γ log(1−p).

    Parameters
    ----------
    input : tensor of any shape
        Logits x, of a floating type.
    target : tensor, the shape of `input`
        y in [0, 1]; floating, integer or boolean. No gradient goes to it.
    gamma : float, finite and >= 0
        The focusing parameter γ; 0 gives (weighted) cross entropy.
    alpha : float in [0, 1], or a sequence of C of them, optional
        Weight α of the positives; the negatives get 1 − α. None weights
        both by 1. A sequence holds one α for each label of a multi-label
        problem; labels stand on axis 1, or axis 0 of a vector.
    reduction : "none", "mean", "sum" or "mean_positive"
        "mean" divides the sum by the number of elements; "mean_positive"
        by the number of targets above 0.5, or by 1 where there is none.
    check_values : bool, optional
        Whether to look for targets outside [0, 1]. None looks on a CPU
        only, since elsewhere the call would wait for the device; there a
        target out of range gives a loss without meaning.

    Returns
    -------
    tensor, a scalar, or for "none" the shape of `input`
        In nats, in the type of `input`; where autocast is on and that is
        a half precision, in float32. 0 if there is nothing to average.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    Lin et al. 2017, equation 5; by section 4.1 the loss is divided by the
    number of anchors assigned to an object, which is "mean_positive". A
    soft target counts as positive above 0.5, so that label smoothing
    changes no count.
    """
    gamma = check_gamma(gamma)
    check_choice("reduction", reduction, REDUCTIONS)
    check_logits(input)
    hard = check_soft_target(input, target, check_values)
    alpha = _alpha(alpha, input, check_alpha, 1.0)
    alpha = _beside(alpha, input)
    a, b = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    count = input.numel()
    if reduction == "mean_positive":
        count = (target > 0.5).sum()
    return sigmoid_focal(
        input,
        target,
        gamma=gamma,
        positive=a,
        negative=b,
        scale=_scale(reduction, count, input),
        each=reduction == "none",
        hard=hard,
    )


def softmax_focal_loss(
    input,
    target,
    *,
    gamma=2.0,
    alpha=None,
    reduction="mean",
    ignore_index=-100,
    check_values=None,
):
    """Return the focal loss of a multi-class problem.

    With p = softmax(z), FL = −α_t (1−p_t)^γ log p_t for a class index t,
    and FL = −Σ_k y_k α_k (1−p_k)^γ log p_k for class probabilities y.

    Parameters
    ----------
    input : tensor, shape (C,), (N, C) or (N, C, d1, ...)
        Logits z of C >= 2 classes, of a floating type.
    target : tensor
        Class indices, the shape of `input` without its class axis; or
        class probabilities in [0, 1], floating, the shape of `input`.
        No gradient goes to it.
    gamma : float, finite and >= 0
        The focusing parameter γ; 0 gives (weighted) cross entropy.
    alpha : sequence of C weights >= 0, optional
    reduction : "none", "mean" or "sum"
        "mean" divides the sum by the number of examples not ignored, and
        neither by C nor by the sum of the weights.
    ignore_index : int
        A class index that marks an example as ignored: its loss is 0.
    check_values : bool, optional
        Whether to look for targets out of range. None looks on a CPU only,
        since elsewhere the call would wait for the device; there a class
        index out of range gives NaN, or PyTorch's device-side assertion.

    Returns
    -------
    tensor, a scalar, or for "none" the shape of `input` without C
        In nats, in the type of `input`; where autocast is on and that is
        a half precision, in float32. 0 if there is nothing to average.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    Lin et al. 2017, section 3.2, with softmax in place of the sigmoid.
    """
    gamma = check_gamma(gamma)
    check_choice("reduction", reduction, REDUCTIONS[:3])
    check_logits(input)
    soft, ignored = check_class_target(
        input, target, ignore_index, check_values
    )
    alpha = _alpha(alpha, input, check_class_alpha, sys.float_info.max)
    each = reduction == "none"
    if soft:
        # every class against all others, weighted by its probability
        count = input.numel() // input.shape[class_axis(input)]
        return classes_focal(
            input,
            target if alpha is None else target * _beside(alpha, input),
            gamma=gamma,
            scale=_scale(reduction, count, input),
            each=each,
        )
    t, count = target, target.numel()
    if t.dtype != torch.int64:
        t = t.long()
    if ignored is not None:
        count = (t != ignored).sum()
    return softmax_focal(
        input,
        t,
        gamma=gamma,
        alpha=1.0 if alpha is None else alpha,
        scale=_scale(reduction, count, input),
        each=each,
        ignored=ignored,
    )


class FocalLoss(nn.Module):
    """Focal loss of logits and targets, for one of three tasks.

    Parameters
    ----------
    gamma : float, finite and >= 0
        The focusing parameter γ; 0 gives (weighted) cross entropy.
    alpha : None, number or sequence
        Binary: one number in [0, 1], the weight of positives; negatives
        get 1 − α. Multi-label: such a number, or one for each label.
        Multi-class: one weight >= 0 for each class. A sequence becomes a
        buffer, so it follows the module to its device and into its state;
        a list takes PyTorch's default type, a tensor keeps its own.
    reduction : "none", "mean", "sum" or "mean_positive"
        As in `sigmoid_focal_loss` and `softmax_focal_loss`.
    task_type : "binary", "multi-class" or "multi-label"
        A sigmoid for each example, a softmax over its classes, or a
        sigmoid for each of its labels.
    num_classes : int, optional
        If given, the input must have as many classes or labels.
    ignore_index : int
        Multi-class: as in `softmax_focal_loss`.
    check_values : bool, optional
        Whether to look for targets out of range; None looks on a CPU only.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    ``loss(input, target)`` takes what `sigmoid_focal_loss` (binary and
    multi-label) or `softmax_focal_loss` (multi-class) takes. Lin et al.
    2017.
    """

    def __init__(
        self,
        gamma=2.0,
        alpha=None,
        reduction="mean",
        task_type="binary",
        num_classes=None,
        ignore_index=-100,
        check_values=None,
    ):
        super().__init__()
        self.gamma = check_gamma(gamma)
        self.task_type = check_choice("task_type", task_type, TASKS)
        multi_class = task_type == "multi-class"
        allowed = REDUCTIONS[:3] if multi_class else REDUCTIONS
        self.reduction = check_choice("reduction", reduction, allowed)
        if task_type == "binary" and num_classes is not None:
            raise ValueError(
                "num_classes must be None in a binary task: every logit is "
                f"an example; got {num_classes!r}"
            )
        if num_classes is not None:
            check_integer("num_classes", num_classes, 2 if multi_class else 1)
        self.num_classes, self.check_values = num_classes, check_values
        self.ignore_index = check_integer("ignore_index", ignore_index)
        if ignore_index != -100 and not multi_class:
            raise ValueError(
                "ignore_index must be left alone unless the task is "
                f"'multi-class', got {ignore_index} for {task_type!r}"
            )
        check = check_class_alpha if multi_class else check_alpha
        classes = 0 if task_type == "binary" else num_classes
        checked = check(alpha, classes)
        if isinstance(checked, tuple):
            alpha = torch.as_tensor(alpha).detach().clone()
            if not alpha.is_floating_point():
                alpha = alpha.to(torch.get_default_dtype())
            self.register_buffer("alpha", alpha)
        else:
            self.alpha = checked

    def forward(self, input, target):
        """Return the loss of logits `input` for `target`."""
        check_logits(input)
        axis = class_axis(input)
        if self.num_classes is not None and (
            input.ndim == 0 or input.shape[axis] != self.num_classes
        ):
            raise ValueError(
                f"input must hold num_classes={self.num_classes} logits on "
                f"axis {axis}, got shape {tuple(input.shape)}"
            )
        settings = {
            "gamma": self.gamma,
            "alpha": self.alpha,
            "reduction": self.reduction,
            "check_values": self.check_values,
        }
        if self.task_type == "multi-class":
            settings["ignore_index"] = self.ignore_index
            return softmax_focal_loss(input, target, **settings)
        return sigmoid_focal_loss(input, target, **settings)

    def extra_repr(self):
        """Return the configuration, for `repr`."""
        alpha = self.alpha
        if isinstance(alpha, torch.Tensor):
            alpha = show(alpha.tolist())
        text = (
            f"gamma={self.gamma:g}, alpha={alpha}, "
            f"reduction={self.reduction!r}, task_type={self.task_type!r}"
        )
        if self.num_classes is not None:
            text += f", num_classes={self.num_classes}"
        if self.task_type == "multi-class":
            text += f", ignore_index={self.ignore_index}"
        return text


def _scale(reduction, count, input):
    """What the sum of losses is multiplied by: a number, or a tensor."""
    if not reduction.startswith("mean"):
        return 1.0
    if not isinstance(count, torch.Tensor) or may_look(count):
        return 1 / max(1, int(count))
    dtype = torch.promote_types(input.dtype, torch.float32)
    return 1 / count.clamp(min=1).to(dtype)


def _alpha(alpha, input, check, most):
    """None, a number, or a tensor of one weight a class."""
    if alpha is None:
        return None
    classes = input.shape[class_axis(input)] if input.ndim else 0
    if not isinstance(alpha, torch.Tensor) or (
        may_look(alpha) and not _in_range(alpha, classes, most)
    ):
        checked = check(alpha, classes)
        if not isinstance(checked, tuple):
            return checked
    elif alpha.shape != (classes,):
        raise ValueError(
            f"alpha must hold one weight for each of the {classes} classes, "
            f"got shape {tuple(alpha.shape)}"
        )
    dtype = torch.promote_types(input.dtype, torch.float32)
    return torch.as_tensor(alpha, dtype=dtype, device=input.device)


def _in_range(alpha, classes, most):
    """Whether there is no need to look at the weights one by one."""
    if alpha.shape != (classes,) or not alpha.is_floating_point():
        return False
    low, high = torch.aminmax(alpha)
    return 0 <= low.item() and high.item() <= most


def _beside(alpha, input):
    """The weights, one a class, on the class axis of `input`."""
    if not isinstance(alpha, torch.Tensor):
        return alpha
    return alpha.reshape([-1, *[1] * (input.ndim - 2)])
