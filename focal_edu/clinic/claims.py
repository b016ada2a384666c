"""What a loss says of itself, what can be read off it, what it does."""

import functools
import inspect
import math
from dataclasses import dataclass, field
from itertools import product
from numbers import Real

import numpy as np
import torch

from ..arguments import check_alpha, check_class_alpha, check_gamma
from .calls import Refusal, ask, ask_each, fresh

GUESS = "guess"
TASKS = ("binary", "multi-class", "multi-label")
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
    fitted_gamma, fitted_alphas = _fit(loss, form, classes)
    read_gamma, read_alpha = _read_gamma(loss), _read_alpha(loss, form.task)
    read_reduction = _read(loss, "reduction")
    gammas = _choices(gamma, read_gamma, *fitted_gamma, 2.0)
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


def show(alpha):
    """Return α as text."""
    if isinstance(alpha, tuple):
        shown = [f"{value:g}" for value in alpha]
        if len(shown) > 10:
            shown = [*shown[:3], "...", shown[-1]]
        return "(" + ", ".join(shown) + ")"
    return "none" if alpha is None else f"{alpha:g}"


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


def _fit(loss, form, classes):
    """The γ and the α that two single examples of each class suggest."""
    classes = classes if form.task == "multi-class" else 2
    x_t = np.array([-1.5, 0.5])
    rows = [one_class(form.task, x_t, k, classes) for k in range(classes)]
    try:
        ratios = np.array(
            [ask_each(loss, form, *row).value for row in rows]
        ) / np.logaddexp(0, -x_t)
    except Refusal:
        return (), (None,)
    ratios = np.abs(ratios)
    if not (np.isfinite(ratios).all() and (ratios[-1] > 0).all()):
        return (), (None,)
    log_q = -np.logaddexp(0, x_t)
    slope = np.diff(np.log(ratios[-1])).item() / np.diff(log_q).item()
    gamma = abs(round(slope, 4)) if slope > -1e-6 else 0.0
    weights = ratios[:, 0] / np.exp(gamma * log_q[0])
    gammas = (_snapped(gamma), gamma) if slope > -1e-6 else ()
    alphas = _fitted_alphas(form.task, weights)
    if form.task == "multi-class":
        alphas += _hidden_weights(loss, form, classes)
    return gammas, alphas


def _hidden_weights(loss, form, classes):
    """The class weights that a whole batch of hopeless examples suggests.

    With one example of each class the gradients are as the weights, also
    where these are divided by their sum or taken into p_t.
    """
    rows = [
        one_class(form.task, np.array([-500.0]), k, classes)
        for k in range(classes)
    ]
    try:
        each = ask(
            fresh(loss, form.dtype),
            form,
            *(np.concatenate(part) for part in zip(*rows, strict=True)),
        )
    except Refusal:
        return ()
    size = np.abs(each.gradient).sum(1)
    if not (np.isfinite(size).all() and size.min() > 0):
        return ()
    one = ask_each(loss, form, *rows[0]).value.item() / 500
    if not one > 0:
        return ()
    weights = size / size[0] * one
    return (
        _fitted_alphas("multi-class", weights)[:1]
        + _fitted_alphas("multi-class", size / size.sum())[:1]
    )


def _snapped(gamma):
    """The two decimals that a γ was probably written with."""
    near = round(gamma, 2)
    return near if abs(near - gamma) < 2e-3 else gamma


def _rounded(weight):
    """The five decimals that a weight was probably written with."""
    near = round(weight, 5)
    return near if abs(near - weight) < 1e-6 else weight


def _fitted_alphas(task, weights):
    weights = [_rounded(float(weight)) for weight in weights]
    even = math.isclose(min(weights), max(weights), rel_tol=1e-4)
    if even:
        one = (weights[0],) if 0 < weights[0] < 1 else ()
        return (None, *one)
    if task == "multi-class":
        return (tuple(weights),)
    positives = weights[1]
    return (positives, None) if 0 <= positives <= 1 else (None,)


def one_class(task, x_t, label, classes):
    """Return logits of the given margins, and targets of one class."""
    targets = np.full(len(x_t), label)
    if task == "multi-class":
        logits = np.zeros((len(x_t), classes))
        logits[:, label] = x_t + math.log(classes - 1)
        return logits, targets
    logits = x_t * (2 * label - 1)
    if task == "multi-label":
        return logits[:, None], targets[:, None]
    return logits, targets
