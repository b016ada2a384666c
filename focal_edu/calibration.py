"""From what focal loss trains a model to say, back to probabilities.

Only what the kept libraries lack. Curves, Brier score and log loss are
scikit-learn's (`calibration_curve`, `brier_score_loss`, `log_loss`); a
temperature is one of the methods of its `CalibratedClassifierCV`.
"""

import numpy as np

from .gradients import gradient_ratio
from .validate import check_gamma


def posterior(v, gamma):
    """Return the class probabilities η behind a focal-trained output v.

    η_k = h(v_k) / Σ_j h(v_j), with h(v) = v / g(v, γ).

    Parameters
    ----------
    v : array_like, shape (..., C)
        Softmax outputs, strictly between 0 and 1. For a sigmoid, stack v
        and 1 − v.
    gamma : float, finite and >= 0

    Returns
    -------
    ndarray, the shape of `v`, that sums to 1 over the last axis

    Notes
    -----
    Where Σ η_k FL(v_k) is least, η_k g(v_k) / v_k is the same for all k.
    Charoenphakdee et al. 2021, arXiv:2011.09172.
    """
    h = np.asarray(v) / gradient_ratio(v, gamma)
    return h / h.sum(axis=-1, keepdims=True)


def trained_output(eta, gamma, *, alpha=None):
    """Return what least expected focal loss makes of probabilities η.

    The inverse of `posterior`, by bisection: it has no closed form.

    Parameters
    ----------
    eta : array_like, shape (..., C)
        Class probabilities, positive, summing to 1 over the last axis.
    gamma : float, finite and >= 0
    alpha : sequence of C weights > 0, optional

    Returns
    -------
    ndarray, the shape of `eta`
    """
    eta, gamma = np.asarray(eta, float), check_gamma(gamma)
    if not np.all(eta > 0) or not np.allclose(eta.sum(axis=-1), 1):
        raise ValueError(
            f"eta must be positive and sum to 1 over the last axis, got {eta}"
        )
    weighted = eta if alpha is None else eta * np.asarray(alpha, float)

    def outputs(scale):
        """v with log h(v) = scale + log η."""
        return _rising_root(_log_h(gamma), scale + np.log(weighted), 0, 1)

    def total(scale):
        return outputs(scale).sum(axis=-1, keepdims=True)

    ones = np.ones((*eta.shape[:-1], 1))
    return outputs(_rising_root(total, ones, -50, 50))


def _log_h(gamma):
    def log_h(v):
        v = np.clip(v, 1e-300, 1 - 1e-16)
        return np.log(v) - np.log(gradient_ratio(v, gamma))

    return log_h


def _rising_root(f, value, low, high):
    """Where the rising f reaches `value`, between two numbers, by halving."""
    low, high = (np.full(value.shape, float(end)) for end in (low, high))
    for _ in range(60):
        middle = (low + high) / 2
        below = f(middle) < value
        low, high = (
            np.where(below, middle, low),
            np.where(below, high, middle),
        )
    return (low + high) / 2


def expected_calibration_error(confidence, right, *, bins=15):
    """Return the ECE: how far confidence lies from accuracy on average.

    Σ_b |mean right − mean confidence| · share of the bin, over equal bins
    of the confidence. Guo et al. 2017, arXiv:1706.04599, equation 3.

    Parameters
    ----------
    confidence : array_like
        Probability of the class that was chosen.
    right : array_like of bool
        Whether it is the true class.
    bins : int
    """
    confidence = np.asarray(confidence, float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    apart = np.bincount(place, np.asarray(right) - confidence, bins)
    return float(np.abs(apart).sum() / len(confidence))


def fit_temperature(log_p, targets, *, gamma=0.0):
    """Return the T in [1/20, 20] at which the log loss is least.

    Probabilities are softmax(z / T) and, at γ > 0, the `posterior` of that:
    focal temperature scaling. Guo et al. 2017, arXiv:1706.04599; Komisarenko
    and Kull 2024, arXiv:2408.11598.

    Parameters
    ----------
    log_p : array_like, shape (N, C)
        Logits, or logarithms of probabilities.
    targets : array_like of int, shape (N,)
    gamma : float, finite and >= 0
    """
    from scipy.optimize import minimize_scalar  # a browser does without

    targets = np.asarray(targets)[:, None]

    def log_loss(log_t):
        p = scaled(log_p, np.exp(log_t), gamma=gamma)
        return -np.log(np.take_along_axis(p, targets, -1)).mean()

    span = np.log(20)
    return float(np.exp(minimize_scalar(log_loss, bounds=(-span, span)).x))


def scaled(log_p, temperature, *, gamma=0.0):
    """Return softmax(z / T), and at γ > 0 its `posterior`."""
    z = np.asarray(log_p, float) / temperature
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    if gamma == 0:
        return p
    return posterior(np.clip(p, 1e-300, 1 - 1e-16), gamma)
