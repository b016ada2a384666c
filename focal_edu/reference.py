"""The losses as the papers write them, in autograd's NumPy.

One function serves twice: called on arrays it is the NumPy reference, and
``autograd.grad`` differentiates it. First come the textbook forms, from
probabilities; then the stable forms, from logits, against which everything
else in the package is checked.

Each returns one number per element, or per example for softmax: reduce with
``.mean()`` or ``.sum()``. ``alpha=None`` means no weighting.
"""

import autograd.numpy as np
import numpy
from autograd.tracer import getval, isbox

from .validate import (
    check_alpha,
    check_class_alpha,
    check_gamma,
    refuse_tensor,
)


def cross_entropy(p, y):
    """Return the binary cross entropy of each element.

    CE = −y log p − (1−y) log(1−p)

    Parameters
    ----------
    p : array_like
        Probability of the positive class, strictly between 0 and 1.
    y : array_like, the shape of `p`
        1 for a positive, 0 for a negative; soft targets lie between.

    Returns
    -------
    ndarray, the shape of `p`, in nats

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    Lin et al. 2017, equation 1.
    """
    p, y = _probabilities(p), _targets("y", y)
    _same_shape("p", p, "y", y)
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def focal_loss(p, y, *, gamma=2.0, alpha=None):
    """Return the binary focal loss of each element, from probabilities.

    FL = −α y (1−p)^γ log p − (1−α) (1−y) p^γ log(1−p)

    Parameters
    ----------
    p, y : array_like
        As in `cross_entropy`.
    gamma : float, finite and >= 0
        The focusing parameter γ; 0 gives (weighted) cross entropy.
    alpha : float in [0, 1], optional
        Weight α of the positives; the negatives get 1 − α. None weights
        both by 1.

    Returns
    -------
    ndarray, the shape of `p`

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    Lin et al. 2017, equations 4 and 5. A probability that has rounded to 0
    or 1 has lost the digits that the loss needs: for that, use
    `sigmoid_focal_loss` with the logit.
    """
    p, y = _probabilities(p), _targets("y", y)
    _same_shape("p", p, "y", y)
    gamma, alpha = check_gamma(gamma), check_alpha(alpha)
    a, b = (1, 1) if alpha is None else (alpha, 1 - alpha)
    return -a * y * (1 - p) ** gamma * np.log(p) - b * (
        1 - y
    ) * p**gamma * np.log(1 - p)


def sigmoid_focal_loss(logits, targets, *, gamma=2.0, alpha=None):
    """Return the focal loss of each element, from logits, stably.

    With p = σ(x), FL = −α y (1−p)^γ log p − (1−α) (1−y) p^γ log(1−p).

    Parameters
    ----------
    logits : array_like
        Any finite numbers x.
    targets : array_like, the shape of `logits`
        y in [0, 1].
    gamma : float, finite and >= 0
    alpha : float in [0, 1] or a sequence of C such numbers, optional
        As in `focal_loss`. A sequence holds one α for each label of a
        multi-label problem; the labels are on axis 1, or axis 0 of a vector.

    Returns
    -------
    ndarray, the shape of `logits`

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    Both logarithms are a softplus, log p = −softplus(−x) and
    log(1−p) = −softplus(x), so (1−p)^γ = exp(−γ softplus(x)). Neither the
    loss nor any of its derivatives raises a number to a power that may have
    rounded to 0. Lin et al. 2017, equation 5.
    """
    x, y, gamma, a, b = sigmoid_arguments(logits, targets, gamma, alpha)
    return a * y * _focal(x, gamma) + b * (1 - y) * _focal(-x, gamma)


def softmax_focal_loss(logits, targets, *, gamma=2.0, alpha=None):
    """Return the multi-class focal loss of each example, stably.

    With p = softmax(z), FL = −α_t (1−p_t)^γ log p_t for a class index t,
    and FL = −Σ_k y_k α_k (1−p_k)^γ log p_k for class probabilities y.

    Parameters
    ----------
    logits : array_like, shape (C,), (N, C) or (N, C, d1, ...)
        Any finite numbers z, with C >= 2.
    targets : array_like
        Class indices, the shape of `logits` without its class axis; or
        class probabilities, the shape of `logits`.
    gamma : float, finite and >= 0
    alpha : sequence of C weights >= 0, optional

    Returns
    -------
    ndarray, the shape of `logits` without its class axis

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.

    Notes
    -----
    p_k is the sigmoid of one number, the margin
    m_k = z_k − log Σ_{j≠k} exp z_j, so the multi-class loss is the binary
    one at the margin of the true class.
    """
    z, y, gamma, alpha = softmax_arguments(logits, targets, gamma, alpha)
    return np.sum(alpha * y * _focal(margins(z), gamma), axis=-1)


def log_sigmoid(x):
    """Return log σ(x) = −softplus(−x), exact to rounding at any `x`."""
    return -np.logaddexp(0.0, -x)


def margins(z):
    """Return m_k = z_k − log Σ_{j≠k} exp z_j over the last axis of `z`.

    p_k = softmax(z)_k = σ(m_k), and no digit is lost where p_k nears 1.
    """
    return -_logsumexp(others_minus(z))


def others_minus(z):
    """Return z_j − z_k at [..., k, j], and −inf where j = k."""
    differences = z[..., None, :] - z[..., :, None]
    return np.where(numpy.eye(z.shape[-1], dtype=bool), -np.inf, differences)


def sigmoid_arguments(logits, targets, gamma, alpha):
    """Return x, y, γ and the weights of positives and negatives."""
    x, y = _numbers("logits", logits), _targets("targets", targets)
    _same_shape("logits", x, "targets", y)
    axis = _class_axis(x)
    classes = x.shape[axis] if x.ndim else 0
    gamma, alpha = check_gamma(gamma), check_alpha(alpha, classes)
    if alpha is None:
        return x, y, gamma, 1, 1
    if isinstance(alpha, tuple):
        shape = [1] * x.ndim
        shape[axis] = classes
        alpha = numpy.reshape(alpha, shape)
    return x, y, gamma, alpha, 1 - alpha


def softmax_arguments(logits, targets, gamma, alpha):
    """Return z and one-hot y with classes last, γ and C weights."""
    z = _numbers("logits", logits, "softmax_focal_loss")
    refuse_tensor("targets", targets, "softmax_focal_loss")
    axis = _class_axis(z)
    if z.ndim == 0 or z.shape[axis] < 2:
        raise ValueError(
            "logits must hold at least two classes, on axis 1 (axis 0 of a "
            f"vector); got shape {z.shape}"
        )
    classes = z.shape[axis]
    y = _class_targets(targets, z, axis)
    alpha = check_class_alpha(alpha, classes)
    alpha = numpy.ones(classes) if alpha is None else numpy.array(alpha)
    return np.moveaxis(z, axis, -1), y, check_gamma(gamma), alpha


def _focal(x_t, gamma):
    """(1−p_t)^γ (−log p_t) with p_t = σ(x_t)."""
    return np.exp(gamma * log_sigmoid(-x_t)) * -log_sigmoid(x_t)


def _logsumexp(x):
    largest = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - largest), axis=-1)) + largest[..., 0]


def _class_axis(logits):
    return 1 if logits.ndim > 1 else 0


def _class_targets(targets, z, axis):
    """One-hot or soft targets, with the classes last."""
    given = numpy.asarray(getval(targets))
    classes = z.shape[axis]
    if given.shape == z.shape and given.dtype.kind == "f":
        return np.moveaxis(_targets("targets", targets), axis, -1)
    indices = z.shape[:axis] + z.shape[axis + 1 :]
    integer = given.dtype.kind in "iu"
    if not integer or given.shape != indices:
        raise (ValueError if integer else TypeError)(
            f"targets must be integer class indices of shape {indices}, or "
            f"floating class probabilities of shape {z.shape}; got "
            f"{given.dtype} of shape {given.shape}"
        )
    if given.size and not (0 <= given.min() and given.max() < classes):
        raise ValueError(
            f"targets must be class indices from 0 to {classes - 1}, got "
            f"{given.min()} to {given.max()}"
        )
    return numpy.eye(classes)[given]


def _numbers(name, value, instead="sigmoid_focal_loss"):
    """`value` as floats (a traced array as it is), all of them finite."""
    refuse_tensor(name, value, instead)
    array = numpy.asarray(getval(value))
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, got {array.dtype}")
    if not numpy.all(numpy.isfinite(array)):
        raise ValueError(f"{name} must be finite, got {array}")
    return value if isbox(value) else array.astype(numpy.float64)


def _probabilities(p, name="p"):
    array = getval(p := _numbers(name, p))
    if not numpy.all((array > 0) & (array < 1)):
        raise ValueError(
            f"{name} must lie strictly between 0 and 1 (from logits, use "
            f"sigmoid_focal_loss, which has no such limit); got {array}"
        )
    return p


def _targets(name, y):
    refuse_tensor(name, y, "sigmoid_focal_loss")
    if not isbox(y) and numpy.asarray(y).dtype == bool:
        y = numpy.asarray(y, numpy.float64)
    array = getval(y := _numbers(name, y))
    if not numpy.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1], got {array}")
    return y


def _same_shape(name, array, other_name, other):
    if array.shape != other.shape:
        raise ValueError(
            f"{other_name} must have the shape of {name}, {array.shape}, "
            f"got {other.shape}: nothing is broadcast"
        )
