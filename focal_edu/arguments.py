"""What the arguments of a focal loss may be, and what is said when they
are not: shared by the NumPy reference and the PyTorch module."""

import math
from numbers import Real


def check_gamma(gamma):
    """Return γ as a float, or say why it is no focusing parameter."""
    if isinstance(gamma, bool) or not isinstance(gamma, Real):
        raise TypeError(f"gamma must be a number, got {type(gamma).__name__}")
    if not (math.isfinite(gamma) and gamma >= 0):
        raise ValueError(f"gamma must be finite and >= 0, got {gamma}")
    return float(gamma)


def check_alpha(alpha, classes=None):
    """Return a binary or multi-label α as None, a float or a tuple.

    A number in [0, 1] weights positives by α and negatives by 1 − α. A
    sequence holds one such number for each of the ``classes`` labels;
    ``classes=None`` means that no sequence is allowed.
    """
    if alpha is None:
        return None
    if _is_number(alpha):
        values, result = [alpha], float(alpha)
    elif classes is None:
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
    """Return a multi-class α as None or a tuple of ``classes`` weights."""
    if alpha is None:
        return None
    if _is_number(alpha):
        same = [alpha] * classes
        first = [round(1 - alpha, 12)] + [alpha] * (classes - 1)
        raise ValueError(
            f"alpha={alpha} is one number for {classes} classes, which has "
            "no agreed meaning. Give one weight a class: perhaps "
            f"{_show(same)} (all alike: only rescales the loss) or "
            f"{_show(first)} (class 0 is the background)"
        )
    values = _weights(alpha, classes)
    for value in values:
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(
                "alpha must hold finite weights >= 0, one a class; "
                f"got {value}"
            )
    return values


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
    if len(values) != classes:
        raise ValueError(
            f"alpha must hold one weight for each of the {classes} classes, "
            f"got {len(values)}"
        )
    return tuple(float(value) for value in values)


def _show(values):
    shown = [f"{value:g}" for value in values]
    if len(shown) > 5:
        shown = [*shown[:3], "...", shown[-1]]
    return "[" + ", ".join(shown) + "]"
