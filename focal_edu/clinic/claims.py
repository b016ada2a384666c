"""What a loss is held against: what is claimed, or what it says of itself."""

import functools
import inspect
from dataclasses import dataclass, field
from itertools import product
from numbers import Integral, Real

import numpy as np
import torch

from .. import gradients, reference
from ..validate import (
    TASKS,
    check_alpha,
    check_class_alpha,
    check_gamma,
    show,
)
from . import rules
from .calls import Answer, fresh
from .names import RIGHT

GUESS = "guess"
REDUCTIONS = ("mean", "sum", "none", "mean_positive")


@dataclass(frozen=True)
class Claims:
    """The focal loss that a loss is held against.

    `one_number` is the α of a multi-class loss that has one for C classes;
    `alpha` is then what it makes of it. `sigmoids` says that each class has
    one of its own. `source` says how each claim is known.
    """

    task: str
    gamma: float
    alpha: object
    reduction: str | None
    classes: int
    scale: float = 1.0
    one_number: float | None = None
    sigmoids: bool = False
    source: dict = field(default_factory=dict, compare=False)

    @property
    def alpha_kind(self):
        if self.alpha is None:
            return "none"
        return "weights" if isinstance(self.alpha, tuple) else "number"

    def answer(self, logits, targets):
        """Return value and gradient of this focal loss: the truth.

        The elements and their slopes are the reference's.
        """
        logits, targets = np.asarray(logits), np.asarray(targets)
        truth = targets > 0
        if self.sigmoids:
            targets = np.eye(self.classes)[targets]
            truth = targets > 0
        softmax = self.task == "multi-class" and not self.sigmoids
        kind = "softmax" if softmax else "sigmoid"
        how = {"gamma": self.gamma, "alpha": self.alpha}
        loss = getattr(reference, f"{kind}_focal_loss")
        slope = getattr(gradients, f"{kind}_focal_gradient")
        slope = self.scale * slope(logits, targets, **how)
        elements = torch.tensor(loss(logits, targets, **how) * self.scale)
        elements.requires_grad_()
        size = np.empty(len(targets)) if self.sigmoids else targets
        batch = rules.batch_of(torch.tensor(logits), torch.tensor(size))
        rule = RIGHT["reduction"][self.reduction or "mean"]
        truth = rules.Truth(None, None, torch.tensor(truth))
        value = rule(elements, None, truth, batch, None)
        share = torch.autograd.grad(value.sum(), elements)[0].numpy()
        if share.ndim < slope.ndim:
            share = share[:, None]
        return Answer(value.detach().numpy(), share * slope, torch.float64)

    def __str__(self):
        alpha = self.alpha if self.one_number is None else self.one_number
        shown = [self.task, f"γ = {self.gamma:g}", f"α = {show(alpha)}"]
        if self.scale != 1:
            shown.append(f"scale {self.scale:g}")
        if self.sigmoids:
            shown.append("a sigmoid for each class")
        if self.reduction:
            shown.append(f"reduction {self.reduction}")
        guessed = [k for k, how in self.source.items() if how != "given"]
        note = f" (not given: {', '.join(guessed)})" if guessed else ""
        return ", ".join(shown) + note


def check_claims(task, gamma, alpha, reduction):
    """Return the claims with α as None, number or tuple, or raise."""
    if task != GUESS and task not in TASKS:
        raise ValueError(f"task must be one of {TASKS}, got {task!r}")
    if reduction != GUESS and reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction must be one of {REDUCTIONS}, got {reduction!r}"
        )
    if reduction == "mean_positive" and task == "multi-class":
        raise ValueError(
            "reduction='mean_positive' needs positives and negatives: it is "
            "for binary and multi-label losses"
        )
    gamma = gamma if isinstance(gamma, str) else check_gamma(gamma)
    if gamma != GUESS and isinstance(gamma, str):
        raise TypeError(f"gamma must be a number, got {gamma!r}")
    return task, gamma, _alpha(alpha, task), reduction


def can_have(task, alpha):
    """Return whether a loss for this task can have the α given."""
    try:
        _alpha(alpha, task)
    except (TypeError, ValueError):
        return False
    return task != "binary" or not isinstance(alpha, tuple)


def said(loss, task, given):
    """Return γ, α and reduction as given, else as the loss has them."""
    gamma, alpha, reduction = given
    gamma = _read_gamma(loss) if gamma == GUESS else gamma
    if isinstance(alpha, str):
        alpha = _read_alpha(loss, task)
    if reduction == GUESS:
        read = _read(loss, "reduction")
        known = isinstance(read, str) and read in REDUCTIONS
        reduction = read if known else GUESS
    return gamma, alpha, reduction


def with_gamma(loss, gamma):
    """Return the loss with another γ, or None where it cannot be set."""
    if isinstance(getattr(loss, "gamma", None), Real):
        other = fresh(loss)
        try:
            other.gamma = gamma
        except Exception:
            return None
        return None if other is loss else other
    return (
        functools.partial(loss, gamma=gamma)
        if "gamma" in _parameters(loss)
        else None
    )


def task_of(loss, task):
    """Return the task given, or the one that the loss says it is for."""
    read = _read(loss, "task_type")
    known = isinstance(read, str) and read in TASKS
    return read if task == GUESS and known else task


def numbers_of_classes(loss, alpha):
    """Return C as α or the loss has it; else 3, then others to try."""
    if isinstance(alpha, tuple):
        return (len(alpha),)
    read = _read_alpha(loss, "multi-class")
    if isinstance(read, tuple):
        return (len(read),)
    for name in ("num_classes", "num_class", "classes", "n_classes"):
        value = _read(loss, name)
        if isinstance(value, int) and 2 <= value <= 1000:
            return (value,)
    return 3, 2, *range(4, 21)


def ignore_index(loss):
    """Return the target that the loss says it ignores, or None."""
    value = _read(loss, "ignore_index")
    is_index = isinstance(value, Integral) and not isinstance(value, bool)
    return int(value) if is_index else None


def ignored_class(loss, classes):
    """Return the ignored target if it is one of the class indices."""
    index = ignore_index(loss)
    inside = index is not None and 0 <= index < classes
    return index if inside and classes > 2 else None


def _alpha(alpha, task):
    if isinstance(alpha, str) and alpha == GUESS:
        return GUESS
    if task in (GUESS, "multi-class") and not isinstance(alpha, Real):
        size = len(alpha) if hasattr(alpha, "__len__") else 0
        return check_class_alpha(alpha, size)
    size = len(alpha) if hasattr(alpha, "__len__") else None
    return check_alpha(alpha, size)


def _parameters(loss):
    try:
        return inspect.signature(loss).parameters
    except (TypeError, ValueError):
        return {}


def _read(loss, name):
    """An attribute of the loss, or a default of its signature."""
    owner = getattr(loss, "__self__", loss)
    if hasattr(owner, name):
        return getattr(owner, name)
    default = getattr(_parameters(loss).get(name), "default", None)
    return None if default is inspect.Parameter.empty else default


def _read_gamma(loss):
    gamma = _read(loss, "gamma")
    try:
        return check_gamma(gamma)
    except (TypeError, ValueError):
        return GUESS


def _read_alpha(loss, task):
    """The α that a loss, or a module in it, carries.

    None, −1 and 1, by which many mean "no α", say nothing; a sequence of
    one number is that number.
    """
    is_module = isinstance(loss, torch.nn.Module)
    parts = [loss, *(loss.children() if is_module else ())]
    for part, name in product(parts, ("alpha", "weight")):
        value = _read(part, name)
        if isinstance(value, torch.Tensor):
            value = value.tolist()
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if value is None or (
            isinstance(value, Real) and (value < 0 or value == 1)
        ):
            continue
        try:
            alpha = _alpha(value, task)
        except (TypeError, ValueError):
            continue
        if task != "binary" or not isinstance(alpha, tuple):
            return alpha
    return GUESS
