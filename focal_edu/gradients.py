"""The derivatives in closed form, and how they compare with cross entropy's.

Each is right up to rounding at every finite logit and every γ >= 0: the
modulating factor is an exponential, and no power γ − 1 or γ − 2 occurs.
"""

import autograd.numpy as np

from .reference import (
    _probabilities,
    log_sigmoid,
    margins,
    others_minus,
    sigmoid_arguments,
    softmax_arguments,
)
from .validate import check_gamma


def sigmoid_focal_gradient(logits, targets, *, gamma=2.0, alpha=None):
    """Return dFL/dx for each element of `sigmoid_focal_loss`.

    For y = 1, dFL/dx = (1−p)^γ (γ p log p − (1−p)); for y = 0 it is the
    same at −x with the sign turned; in between it is linear in y.

    Parameters and errors are those of `sigmoid_focal_loss`; so is the
    shape of what is returned. Lin et al. 2017, appendix B.
    """
    x, y, gamma, a, b = sigmoid_arguments(logits, targets, gamma, alpha)
    return a * y * _slope(x, gamma) - b * (1 - y) * _slope(-x, gamma)


def sigmoid_focal_curvature(logits, targets, *, gamma=2.0, alpha=None):
    """Return d²FL/dx² for each element of `sigmoid_focal_loss`.

    For y = 1, p (1−p)^γ ((1 + 2γ)(1−p) + γ (1 − p − γ p) log p); for y = 0
    it is the same at −x; in between it is linear in y. It is negative where
    FL is not convex.

    Parameters and errors are those of `sigmoid_focal_loss`.
    """
    x, y, gamma, a, b = sigmoid_arguments(logits, targets, gamma, alpha)
    return a * y * _curvature(x, gamma) + b * (1 - y) * _curvature(-x, gamma)


def softmax_focal_gradient(logits, targets, *, gamma=2.0, alpha=None):
    """Return dFL/dz for `softmax_focal_loss`, the shape of `logits`.

    With a = (1−p_t)^γ (γ p_t log p_t − (1−p_t)) and true class t,
    dFL/dz_t = a and dFL/dz_j = −a · softmax over the classes other than t.
    That is CE's gradient times the one number `gradient_ratio`.

    Parameters and errors are those of `softmax_focal_loss`.
    """
    z, y, gamma, alpha = softmax_arguments(logits, targets, gamma, alpha)
    a = alpha * y * _slope(margins(z), gamma)
    share = np.exp(others_minus(z) + margins(z)[..., None])
    gradient = a - np.sum(a[..., None] * share, axis=-2)
    return np.moveaxis(gradient, -1, 1 if gradient.ndim > 1 else 0)


def gradient_ratio(p_t, gamma):
    """Return g, the factor from cross entropy's gradient to focal loss's.

    g(p_t, γ) = (1−p_t)^γ − γ p_t (1−p_t)^(γ−1) log p_t, written below with
    no power γ − 1. The same g holds for sigmoid and softmax.

    Parameters
    ----------
    p_t : array_like
        Probability given to the truth, strictly between 0 and 1.
    gamma : float, finite and >= 0

    Returns
    -------
    ndarray, the shape of `p_t`

    Notes
    -----
    From dFL/dx = g · dCE/dx; Lin et al. 2017, appendix B.
    """
    p, gamma = _probabilities(p_t, "p_t"), check_gamma(gamma)
    return (1 - p) ** gamma * (1 - gamma * p * np.log(p) / (1 - p))


def gradient_crossing(gamma):
    """Return the p_t below which FL's gradient is larger than CE's.

    The root of g(p_t, γ) = 1 in (0, 1); 1/e at γ = 1. γ must be positive:
    at γ = 0 the two gradients are equal everywhere.
    """
    gamma = _positive(gamma)
    peak, _ = gradient_peak(gamma)
    return _bisect(lambda p: gradient_ratio(p, gamma) - 1, peak, 1.0)


def gradient_peak(gamma):
    """Return the p_t at which g(p_t, γ) is largest, and g there.

    The root of (γp − 1) log p − 2 (1−p), a factor of dg/dp; e⁻² at γ = 1,
    where g is 1 + e⁻². γ must be positive.
    """
    gamma = _positive(gamma)
    p = _bisect(lambda p: (gamma * p - 1) * np.log(p) - 2 * (1 - p), 0.0, 1.0)
    return p, float(gradient_ratio(p, gamma))


def inflection(gamma):
    """Return the logit of the truth below which FL is not convex.

    The root of d²FL/dx²; −2.79 at γ = 2. γ must be positive: cross entropy
    is convex everywhere.
    """
    gamma = _positive(gamma)
    p = _bisect(
        lambda p: -_bend(np.log(p), p, 1 - p, gamma), 0.0, 1 / (1 + gamma)
    )
    return float(np.log(p) - np.log(1 - p))


def _slope(x_t, gamma):
    """d/dx_t of (1−p_t)^γ (−log p_t), with p_t = σ(x_t)."""
    log_p, log_q = log_sigmoid(x_t), log_sigmoid(-x_t)
    p, q = np.exp(log_p), np.exp(log_q)
    return np.exp(gamma * log_q) * (gamma * p * log_p - q)


def _curvature(x_t, gamma):
    """d²/dx_t² of (1−p_t)^γ (−log p_t), with p_t = σ(x_t)."""
    log_p, log_q = log_sigmoid(x_t), log_sigmoid(-x_t)
    p, q = np.exp(log_p), np.exp(log_q)
    return p * np.exp(gamma * log_q) * _bend(log_p, p, q, gamma)


def _bend(log_p, p, q, gamma):
    """The factor of the curvature that changes sign."""
    return (1 + 2 * gamma) * q + gamma * (q - gamma * p) * log_p


def _positive(gamma):
    if check_gamma(gamma) == 0:
        raise ValueError("gamma must be > 0: at 0 focal loss is CE")
    return float(gamma)


def _bisect(f, low, high):
    """The root of `f`, positive at `low` and negative at `high`."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return middle
