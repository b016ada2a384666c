"""What is claimed of a loss, and what a loss says of itself."""

import inspect
from dataclasses import dataclass, replace
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
from .calls import fresh
from .names import REDUCTIONS, VARIANTS

GUESS = "guess"
HELD = "gamma", "alpha", "reduction"  # what every focal loss has
NEVER_GUESSED = "takes", "scale", "seed"
INPUTS = "logits", "probabilities"
AVERAGES = [v.name for v in VARIANTS if v.part == "reduction"]
AVERAGES = *REDUCTIONS, *AVERAGES


@dataclass(frozen=True)
class Said:
    """The claims that `examine` takes, `GUESS` for those that are not made.

    `given` names those of γ, α and reduction that the caller makes.
    """

    task: str
    gamma: object
    alpha: object
    reduction: str
    takes: str
    scale: float
    smoothing: object
    ignore_index: object
    seed: int
    given: tuple = ()

    def made(self, name):
        """Whether a claim was made, one way or the other."""
        return not unset(getattr(self, name))

    @property
    def probabilities(self):
        """Whether the loss is said to take probabilities, not logits."""
        return self.takes == "probabilities"


def unset(claim):
    """Return whether a claim was not made."""
    return isinstance(claim, str) and claim == GUESS


def checked(said, weights, divisor):
    """Return the claims with every number as a float, or raise.

    Two weights are an α and a scale, a divisor is a scale of the sum.
    """
    made = {
        name: check(getattr(said, name))
        for name, check in CHECKS.items()
        if said.made(name) or name in NEVER_GUESSED
    }
    said = replace(said, **made)
    alpha, reduction, scale = said.alpha, said.reduction, said.scale
    if weights is not None:
        if said.made("alpha"):
            raise ValueError("weights and alpha must not both be given")
        if not hasattr(weights, "__len__") or len(weights) != 2:
            raise ValueError(
                "weights must be two numbers, of positives and of negatives, "
                f"got {weights!r}: those of classes are given as alpha"
            )
        positive, negative = (_positive("weights", w) for w in weights)
        alpha = positive / (positive + negative)
        scale *= positive + negative
    if divisor is not None:
        if reduction not in (GUESS, "sum"):
            raise ValueError(
                f"reduction must be 'sum' beside a divisor, got {reduction!r}"
            )
        reduction, scale = "sum", scale / _positive("divisor", divisor)
    if reduction == "mean_positive" and said.task == "multi-class":
        raise ValueError(
            "reduction='mean_positive' needs positives and negatives: it is "
            "for binary and multi-label losses"
        )
    alpha = _alpha(alpha, said.task)
    said = replace(said, alpha=alpha, reduction=reduction, scale=scale)
    return replace(said, given=tuple(filter(said.made, HELD)))


def can_have(task, alpha):
    """Return whether a loss for this task can have the α given."""
    try:
        alpha = _alpha(alpha, task)
    except (TypeError, ValueError):
        return False
    return task != "binary" or not isinstance(alpha, tuple)


def read_from(loss, task, said):
    """Return `said`, completed by what the loss has of its own."""
    names = "gamma", "reduction", "smoothing"
    found = {name: _own(loss, name) for name in names}
    found["alpha"] = _read_alpha(loss, task)
    found["ignore_index"] = ignore_index(loss, said)
    own = {k: v for k, v in found.items() if not said.made(k)}
    return replace(said, **own)


def with_gamma(loss, gamma):
    """Return the loss with another γ, or None where it cannot be set."""
    if isinstance(getattr(loss, "gamma", None), Real):
        other = fresh(loss)
        try:
            other.gamma = gamma
        except Exception:
            return None
        return None if other is loss else other
    if "gamma" in _parameters(loss):
        return partial(loss, gamma=gamma)
    return None


def task_of(loss, said):
    """Return the task claimed, or the one that the loss says it is for."""
    return said.task if said.made("task") else _own(loss, "task")


def numbers_of_classes(loss, alpha):
    """Return C as α or the loss has it; else 3, then others to try."""
    for known in (alpha, _read_alpha(loss, "multi-class")):
        if isinstance(known, tuple):
            return (len(known),)
    for name in ("num_classes", "num_class", "classes", "n_classes"):
        value = _read(loss, name)
        if isinstance(value, int) and 2 <= value <= 1000:
            return (value,)
    return 3, 2, *range(4, 21)


def ignore_index(loss, said):
    """Return the ignored target, None for none, or `GUESS` if unsaid.

    An attribute that is −100, as PyTorch has it by default, says nothing.
    """
    if said.made("ignore_index"):
        return said.ignore_index
    own = _own(loss, "ignore_index")
    return GUESS if own in (None, -100) else own


def _number(name, number):
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, got {number!r}")
    return float(number)


def _positive(name, number):
    number = _number(name, number)
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} must be finite and > 0, got {number}")
    return number


def _share(smoothing):
    share = _number("smoothing", smoothing)
    if not 0 <= share < 1:
        raise ValueError(f"smoothing must lie in [0, 1), got {share}")
    return share


def _index(target):
    if target is None:
        return None
    return int(check_integer("ignore_index", target))


# What a claim may be, whoever makes it.
CHECKS = {
    "task": partial(check_choice, "task", choices=TASKS),
    "gamma": check_gamma,
    "reduction": partial(check_choice, "reduction", choices=AVERAGES),
    "takes": partial(check_choice, "takes", choices=INPUTS),
    "scale": partial(_positive, "scale"),
    "smoothing": _share,
    "ignore_index": _index,
    "seed": partial(check_integer, "seed", smallest=0),
}


def _alpha(alpha, task):
    if unset(alpha):
        return GUESS
    size = len(alpha) if hasattr(alpha, "__len__") else None
    if task in (GUESS, "multi-class") and not isinstance(alpha, Real):
        return check_class_alpha(alpha, size or 0)
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


def _own(loss, claim):
    """What the loss says of a claim, `GUESS` for nothing to be used."""
    names = {"task": "task_type", "smoothing": "label_smoothing"}
    try:
        return CHECKS[claim](_read(loss, names.get(claim, claim)))
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
        if can_have(task, value):
            return _alpha(value, task)
    return GUESS
