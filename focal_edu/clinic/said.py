"""What a claim may be, and what a loss says of itself."""

import inspect
import math
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product
from numbers import Real

import torch

from ..validate import (
    TASKS,
    check_alpha,
    check_choice,
    check_class_alpha,
    check_gamma,
    check_integer,
)
from .calls import INPUTS, fresh, parameters
from .claims import GUESS, HELD, Claims, unset
from .names import REDUCTIONS, VARIANTS

NEVER_GUESSED = "takes", "scale", "seed"
AVERAGES = *REDUCTIONS, *(v.name for v in VARIANTS if v.part == "reduction")
READ = "task", "gamma", "reduction", "smoothing", "ignore_index"
# The attributes, or parameters with a default, that say it, and what says
# nothing: α = 1 is often none, PyTorch ignores −100 unasked.
WRITTEN = {
    "task": ("task_type",),
    "alpha": ("alpha", "weight"),
    "smoothing": ("label_smoothing",),
    "classes": ("num_classes", "num_class", "classes", "n_classes"),
}
UNSAID = {"alpha": (None, 1, ()), "ignore_index": (None, -100)}
USUAL = {"smoothing": 0.0, "ignore_index": None}
MOST = 1000  # classes: their batch is quadratic in them


def checked(weights, divisor, **claims):
    """Return the `Claims` with every number as a float, or raise.

    Two weights are an α and a scale, a divisor is a scale of the sum.
    """
    for name, claim in claims.items():
        if name in NEVER_GUESSED or not unset(claim):
            claims[name] = _checked(name, claim, claims["task"])
    said = Claims(**claims)
    if weights is not None:
        if said.made("alpha"):
            raise ValueError("weights and alpha must not both be given")
        numbers = hasattr(weights, "__len__") and len(weights) == 2
        if not (numbers and all(isinstance(w, Real) for w in weights)):
            raise ValueError(
                "weights must be two numbers, of positives and of negatives, "
                f"got {weights!r}: those of classes are given as alpha"
            )
        positive, negative = (_positive("weights", w) for w in weights)
        whole = positive + negative
        said = replace(said, alpha=positive / whole, scale=said.scale * whole)
    if divisor is not None:
        if said.reduction not in (GUESS, "sum"):
            raise ValueError(
                "reduction must be 'sum' beside a divisor, got "
                f"{said.reduction!r}"
            )
        scale = said.scale / _positive("divisor", divisor)
        said = replace(said, reduction="sum", scale=scale)
    return replace(said, given=tuple(filter(said.made, HELD)))


def may_be_for(task, said):
    """Return whether a loss for the task may be what is said of it."""
    try:
        unset(said.alpha) or _checked("alpha", said.alpha, task)
    except (TypeError, ValueError):
        return False
    return said.task in (GUESS, task)


def read_from(loss, said, task=None):
    """Return the claims, completed by what the loss says of itself.

    Of α once a `task` is given, which decides what an α may be.
    """
    names = READ if task is None else ("alpha",)
    unsaid = [name for name in names if not said.made(name)]
    return replace(said, **{n: _own(loss, n, task) for n in unsaid})


def with_gamma(loss, gamma):
    """Return the loss with another γ, or None where it cannot be set."""
    settable = isinstance(getattr(loss, "gamma", None), Real)
    other = fresh(loss) if settable else loss
    if other is not loss:
        with suppress(Exception):
            other.gamma = gamma
            return other
    elif "gamma" in parameters(loss):
        return partial(loss, gamma=gamma)
    return None


def numbers_of_classes(loss, alpha):
    """Return C as α or the loss has it; else 3, then others to try."""
    for known in (alpha, _own(loss, "alpha", "multi-class")):
        if isinstance(known, tuple):
            return (len(known),)
    known = _own(loss, "classes")
    if unset(known) or known > MOST:
        return 3, 2, *range(4, 21)
    return (known,)


def _within(allowed, holds, name, number):
    """The number as a float, if it holds what is allowed."""
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, got {number!r}")
    if not holds(number):
        raise ValueError(f"{name} must {allowed}, got {number}")
    return float(number)


_positive = partial(_within, "be finite and > 0", lambda x: 0 < x < math.inf)
_share = partial(_within, "lie in [0, 1)", lambda x: 0 <= x < 1)


def _index(target):
    return target if target is None else check_integer("ignore_index", target)


# What a claim may be, whoever makes it.
CHECKS = {
    "task": partial(check_choice, "task", choices=TASKS),
    "gamma": check_gamma,
    "reduction": partial(check_choice, "reduction", choices=AVERAGES),
    "takes": partial(check_choice, "takes", choices=tuple(INPUTS)),
    "scale": partial(_positive, "scale"),
    "smoothing": partial(_share, "smoothing"),
    "ignore_index": _index,
    "seed": partial(check_integer, "seed", smallest=0),
    "classes": partial(check_integer, "classes", smallest=2),
}


def _checked(name, value, task):
    """The value of a claim, as a loss for the task may have it; or raise."""
    if name != "alpha":
        return CHECKS[name](value)
    if task == "binary":
        return check_alpha(value)
    one = task == "multi-label" or isinstance(value, Real)
    return (check_alpha if one else check_class_alpha)(value, None)


def _own(loss, claim, task=None):
    """What the loss says of a claim; if nothing to be used, what is usual.

    A module in it may have its α. A sequence of one number is that number.
    """
    parts = [loss]
    if claim == "alpha" and isinstance(loss, torch.nn.Module):
        parts += loss.children()
    for part, name in product(parts, WRITTEN.get(claim, (claim,))):
        try:
            value = _attribute(part, name)
            if isinstance(value, torch.Tensor):
                value = value.tolist()
            if isinstance(value, list | tuple) and len(value) == 1:
                (value,) = value
            value = _checked(claim, value, task)
        except Exception:
            continue
        if value not in UNSAID.get(claim, ()):
            return value
    return USUAL.get(claim, GUESS)


def _attribute(loss, name):
    """An attribute of the loss, or a default of its signature."""
    owner = getattr(loss, "__self__", loss)
    if hasattr(owner, name):
        return getattr(owner, name)
    default = getattr(parameters(loss).get(name), "default", None)
    return None if default is inspect.Parameter.empty else default
