"""What a loss says of itself, what can be read off it, what it does."""

import functools
import inspect
from dataclasses import dataclass, field
from itertools import product
from numbers import Real

import torch

from ..validate import (
    TASKS,
    check_alpha,
    check_class_alpha,
    check_gamma,
    show,
)
from .calls import fresh
from .fit import fitted

GUESS = "guess"
REDUCTIONS = ("mean", "sum", "none", "mean_positive")


@dataclass(frozen=True)
class Claims:
    """The focal loss that a loss is held against.

    `one_number` is the α of a multi-class loss that has one for C classes;
    `alpha` is then what it makes of it. `source` says how each is known.
    """

    task: str
    gamma: float
    alpha: object
    reduction: str | None
    classes: int
    one_number: float | None = None
    source: dict = field(default_factory=dict, compare=False)

    @property
    def alpha_kind(self):
        if self.alpha is None:
            return "none"
        return "weights" if isinstance(self.alpha, tuple) else "number"

    @property
    def reductions(self):
        """The claimed reduction, or all that it could be."""
        if self.reduction:
            return (self.reduction,)
        return REDUCTIONS[: 3 if self.task == "multi-class" else 4]

    def __str__(self):
        alpha = self.alpha if self.one_number is None else self.one_number
        shown = [self.task, f"γ = {self.gamma:g}", f"α = {show(alpha)}"]
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


def candidates(loss, form, given, classes):
    """Yield the claims to try, likeliest first."""
    gamma, alpha, reduction = given
    fitted_gammas, fitted_alphas = fitted(loss, form, classes)
    read_gamma, read_alpha = _read_gamma(loss), _read_alpha(loss, form.task)
    read_reduction = _read(loss, "reduction")
    gammas = _choices(gamma, read_gamma, *fitted_gammas, 2.0)
    alphas = _choices(alpha, read_alpha, *fitted_alphas)
    if reduction == GUESS:
        known = read_reduction in REDUCTIONS
        reduction = (read_reduction, "read") if known else (None, "fitted")
    else:
        reduction = (reduction, "given")
    for a, a_how in alphas:
        for g, g_how in gammas:
            size = len(a) if isinstance(a, tuple) else classes
            how = {"gamma": g_how, "alpha": a_how, "reduction": reduction[1]}
            yield Claims(form.task, g, a, reduction[0], size, None, how)


def said(loss, form, given):
    """Return γ and α as given or, where not given, as the loss has them."""
    gamma, alpha, _ = given
    gamma = _read_gamma(loss) if gamma == GUESS else gamma
    unsaid = isinstance(alpha, str)
    return gamma, _read_alpha(loss, form.task) if unsaid else alpha


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
    return read if task == GUESS and read in TASKS else task


def numbers_of_classes(loss, alpha):
    """Return C as α or the loss has it; else 3, then others to try."""
    if isinstance(alpha, tuple):
        return (len(alpha),)
    read = _read_alpha(loss, "multi-class")
    if isinstance(read, tuple):
        return (len(read),)
    for name in ("num_classes", "num_class", "classes", "n_classes"):
        value = _read(loss, name)
        if isinstance(value, int) and 2 <= value <= 100:
            return (value,)
    return 3, 2, *range(4, 21)


def _alpha(alpha, task):
    if isinstance(alpha, str) and alpha == GUESS:
        return GUESS
    if task in (GUESS, "multi-class") and not isinstance(alpha, Real):
        size = len(alpha) if hasattr(alpha, "__len__") else 0
        return check_class_alpha(alpha, size)
    size = len(alpha) if hasattr(alpha, "__len__") else None
    return check_alpha(alpha, size)


def _choices(given, *others):
    """The given value, or each other one that there is, once."""
    if not (isinstance(given, str) and given == GUESS):
        return [(given, "given")]
    seen = []
    for value, how in zip(others, ["read"] + ["fitted"] * 9, strict=False):
        known = value is not GUESS and value not in [v for v, _ in seen]
        if known:
            seen.append((value, how))
    return seen


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

    None, −1 and 1, by which many mean "no α", say nothing.
    """
    is_module = isinstance(loss, torch.nn.Module)
    parts = [loss, *(loss.children() if is_module else ())]
    for part, name in product(parts, ("alpha", "weight")):
        value = _read(part, name)
        if isinstance(value, torch.Tensor):
            value = value.tolist()
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
