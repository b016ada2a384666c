"""What the arguments of a focal loss may be, and the errors for those that
are not: shared by the NumPy reference and the PyTorch module."""

import math
import sys
from numbers import Integral, Real

TASKS = ("binary", "multi-class", "multi-label")


def refuse_tensor(name, value, instead):
    """Refuse a PyTorch tensor, and say which function takes it."""
    torch = sys.modules.get("torch")
    if torch and isinstance(value, torch.Tensor):
        raise TypeError(
            f"{name} must not be a tensor: this function is NumPy's. Use "
            f"focal_edu.pytorch.{instead}, or give it "
            f"{name}.detach().numpy()"
        )


def check_gamma(gamma):
    """Return γ as a float, or raise an error that says what it may be."""
    if type(gamma) is float and 0 <= gamma < math.inf:
        return gamma
    if isinstance(gamma, bool) or not isinstance(gamma, Real):
        raise TypeError(f"gamma must be a number, got {type(gamma).__name__}")
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma must be finite and >= 0, got {gamma}")
    return float(gamma)


def check_alpha(alpha, classes=0):
    """Return a binary or multi-label α as None, a float or a tuple.

    A number in [0, 1] weights positives by α and negatives by 1 − α. A
    sequence holds one such number for each of the ``classes`` labels: of
    any length if ``classes=None``, and at 0 no sequence is allowed.
    """
    if alpha is None:
        return None
    if _is_number(alpha):
        values, result = [alpha], float(alpha)
    elif classes == 0:
        raise TypeError(
            "alpha must be None or one number in [0, 1], "
            f"got {type(alpha).__name__}"
        )
    else:
        values = result = _weights(alpha, classes)
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(
                "alpha must lie in [0, 1]: positives are weighted by alpha, "
                f"negatives by 1 - alpha; got {value}"
            )
    return result


def check_class_alpha(alpha, classes):
    """Return a multi-class α as None or a tuple of ``classes`` weights.

    ``classes=None`` means that their number is not known yet.
    """
    if alpha is None:
        return None
    if _is_number(alpha):
        same = [alpha] * (classes or 3)
        first = [round(1 - alpha, 12), *same[1:]]
        perhaps = f"{show(same)} (all alike: only rescales the loss)"
        if first != same:
            perhaps += f" or {show(first)} (class 0 is the background)"
        raise ValueError(
            f"alpha={alpha} is one number for {classes or 'many'} classes, "
            "which has no agreed meaning. Give one weight for each class, "
            f"perhaps {perhaps}"
        )
    values = _weights(alpha, classes)
    for value in values:
        if not 0 <= value < math.inf:
            raise ValueError(
                "alpha must hold finite weights >= 0, one for each class; "
                f"got {value}"
            )
    return values


def check_integer(name, value, smallest=None):
    """Return `value`, or raise an error that says what it may be."""
    if type(value) is int and smallest is None:
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be an integer, got {type(value).__name__}"
        )
    if smallest is not None and value < smallest:
        raise ValueError(f"{name} must be >= {smallest}, got {value}")
    return value


def check_choice(name, value, choices):
    """Return `value`, or say which names the argument may be."""
    if isinstance(value, str) and value in choices:
        return value
    allowed = f"one of {', '.join(map(repr, choices))}"
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be {allowed}, got {type(value).__name__}"
        )
    raise ValueError(f"{name} must be {allowed}, got {value!r}")


def show(value):
    """Return None, a number or numbers as text; of many, not the middle."""
    if value is None:
        return "none"
    if _is_number(value):
        return f"{value:g}"
    shown = [f"{number:g}" for number in value]
    if len(shown) > 10:
        shown = [*shown[:3], "...", shown[-1]]
    left, right = "()" if isinstance(value, tuple) else "[]"
    return left + ", ".join(shown) + right


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _weights(alpha, classes):
    """The numbers in a list, tuple, array or tensor of ``classes``."""
    values = alpha.tolist() if hasattr(alpha, "tolist") else alpha
    if not isinstance(values, list | tuple) or not all(
        _is_number(value) for value in values
    ):
        raise TypeError(
            "alpha must be None, a number or a one-dimensional sequence of "
            f"numbers, got {alpha!r}"
        )
    if classes is not None and len(values) != classes:
        raise ValueError(
            f"alpha must hold one weight for each of the {classes} classes, "
            f"got {len(values)}"
        )
    return tuple(float(value) for value in values)
