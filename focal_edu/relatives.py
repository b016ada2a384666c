"""The neighbours of focal loss, in one vocabulary, each a few lines.

Every loss takes logits first and targets second, and returns one number for
each element, each example or, for Dice and Tversky, each set. Nothing is
clipped, and ``autograd`` differentiates all of them. CE is cross entropy;
"ratio" is what the loss multiplies its gradient by, at hard targets.
"""

import autograd.numpy as np
import numpy
from autograd import elementwise_grad

from .reference import (
    log_sigmoid,
    margins,
    sigmoid_arguments,
    sigmoid_focal_loss,
    softmax_arguments,
)
from .validate import check_gamma


def gradient_ratio_of(loss, logits, targets):
    """Return a binary loss's gradient over cross entropy's, by autograd.

    ``loss(logits, targets)`` gives a number for each element, as this does.
    """
    x, y, *_ = sigmoid_arguments(logits, targets, 0, None)
    slope = elementwise_grad(lambda x: loss(x, y))
    ce = elementwise_grad(lambda x: sigmoid_focal_loss(x, y, gamma=0))
    return slope(x) / ce(x)


# Per element: sigmoids.


def focal_star(logits, targets, *, gamma=2.0, beta=1.0):
    """Return FL* = −log σ(γ x_t + β) / γ of each element.

    It is a steeper, shifted cross entropy; at γ = 1 and β = 0 it is CE.
    Ratio: (1 − p*) / (1 − p_t), with p* = σ(γ x_t + β).
    Lin et al. 2017, appendix A.
    """
    x, y, *_ = sigmoid_arguments(logits, targets, 0, None)
    gamma = _above_zero("gamma", gamma)
    positive = -log_sigmoid(gamma * x + beta)
    negative = -log_sigmoid(-gamma * x + beta)
    return (y * positive + (1 - y) * negative) / gamma


def asymmetric_loss(
    logits, targets, *, gamma_positive=1.0, gamma_negative=4.0, margin=0.05
):
    """Return ASL: a γ for each side, and negatives let go below a margin.

    L₊ = −(1−p)^γ₊ log p and L₋ = −p_m^γ₋ log(1 − p_m), where
    p_m = max(p − m, 0). At γ₊ = γ₋ = m = 0 it is CE. Ratio of
    positives: g(p_t, γ₊); of negatives 0 where p ≤ m.
    Ridnik et al. 2021, arXiv:2009.14119.
    """
    x, y, *_ = sigmoid_arguments(logits, targets, 0, None)
    margin, focus = _at_least_zero("margin", margin), gamma_negative
    positive = sigmoid_focal_loss(x, np.ones_like(y), gamma=gamma_positive)
    if margin:
        log_rest = np.logaddexp(log_sigmoid(-x), np.log(margin))
        kept = log_rest < 0  # where p > m
        log_rest = np.where(kept, log_rest, -1.0)
        negative = -((1 - np.exp(log_rest)) ** check_gamma(focus)) * log_rest
        negative = np.where(kept, negative, 0.0)
    else:
        negative = sigmoid_focal_loss(x, np.zeros_like(y), gamma=focus)
    return y * positive + (1 - y) * negative


def quality_focal_loss(logits, quality, *, beta=2.0):
    """Return QFL = |y − p|^β · CE(p, y), for soft targets y.

    With y in {0, 1} it is focal loss with γ = β, with ratio g(p_t, β); at
    β = 0 it is CE. At p = y it is zero, and for β > 1 its slope too.
    Li et al. 2020, arXiv:2006.04388.
    """
    x, y, *_ = sigmoid_arguments(logits, quality, 0, None)
    ce, beta = sigmoid_focal_loss(x, y, gamma=0), check_gamma(beta)
    p, rest = np.exp(log_sigmoid(x)), np.exp(log_sigmoid(-x))
    gap = np.abs(y * rest - (1 - y) * p)  # |y − p|, exact at both ends
    return gap**beta * ce if beta else ce


def varifocal_loss(logits, quality, *, gamma=2.0, alpha=0.75):
    """Return VFL: q · CE(p, q) where q > 0, and α p^γ · CE(p, 0) where q = 0.

    Only negatives are focused; a positive counts by its quality q. At γ = 0
    and α = 1 it is the CE of hard targets. Ratio of positives with
    q = 1: 1; of negatives α g(p_t, γ).
    Zhang et al. 2021, arXiv:2008.13367.
    """
    x, q, *_ = sigmoid_arguments(logits, quality, 0, None)
    alpha = _at_least_zero("alpha", alpha)
    positive = q * sigmoid_focal_loss(x, q, gamma=0)
    negative = alpha * sigmoid_focal_loss(x, 0 * q, gamma=gamma)
    return np.where(q > 0, positive, negative)


def poly_loss(logits, targets, *, epsilon=1.0, gamma=0.0):
    """Return FL + ε (1 − p_t)^(γ+1) of each element: Poly-1.

    FL = Σ_j (1−p_t)^(j+γ) / j, j from 1; ε moves the first coefficient. At
    γ = 0 and ε = 0 it is CE. Ratio: g(p_t, γ) + ε (γ+1) p_t (1−p_t)^γ.
    Leng et al. 2022, arXiv:2204.12511, section 4.
    """
    x, y, gamma, *_ = sigmoid_arguments(logits, targets, gamma, None)
    fl = sigmoid_focal_loss(x, y, gamma=gamma)
    positive = np.exp((gamma + 1) * log_sigmoid(-x))
    negative = np.exp((gamma + 1) * log_sigmoid(x))
    return fl + epsilon * (y * positive + (1 - y) * negative)


# Per example: softmax over C classes.


def dual_focal_loss(logits, targets, *, gamma=2.0):
    """Return −(1 − p_t + p_j)^γ log p_t, one number for each example.

    p_j is the largest probability below p_t, 0 where there is none. It is
    never smaller than focal loss, and the same where p_t is the smallest.
    At γ = 0 it is CE. Tao et al. 2023, arXiv:2305.13665.
    """
    z, y, gamma, _ = softmax_arguments(logits, targets, gamma, None)
    margin = np.sum(y * margins(z), axis=-1)
    log_p, rest = log_sigmoid(margin), np.exp(log_sigmoid(-margin))
    p = np.exp(log_sigmoid(margins(z)))
    lower = p < np.exp(log_p)[..., None]
    return -((rest + np.max(np.where(lower, p, 0.0), axis=-1)) ** gamma) * (
        log_p
    )


def effective_number(counts, beta):
    """Return (1 − β^n) / (1 − β) of each count n; n itself as β nears 1.

    Cui et al. 2019, arXiv:1901.05555.
    """
    counts = _counts(counts)
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie in [0, 1), got {beta}")
    return (1 - beta**counts) / (1 - beta)


def class_balanced_weights(counts, *, beta=0.999):
    """Return one weight a class, 1 / effective number, with mean 1.

    They are the `alpha` of `softmax_focal_loss`. At β = 0 all are 1; as β
    nears 1 they become proportional to 1 / n. Ratio: g(p_t, γ) times the
    weight. Cui et al. 2019, arXiv:1901.05555.
    """
    weights = 1 / effective_number(counts, beta)
    return weights / weights.mean()


def logit_adjusted_loss(logits, targets, counts, *, tau=1.0):
    """Return the cross entropy of z + τ log π, one number for each example.

    π_k = n_k / Σ n. To predict, use the logits themselves, without the
    shift. At τ = 0 it is CE. Ratio: (1 − p'_t) / (1 − p_t)
    for the true logit, p' = softmax(z + τ log π).
    Menon et al. 2021, arXiv:2007.07314.
    """
    z, y, *_ = softmax_arguments(logits, targets, 0, None)
    counts = _counts(counts, z.shape[-1])
    z = z + tau * np.log(counts / counts.sum())
    return -np.sum(y * log_sigmoid(margins(z)), axis=-1)


def ldam_loss(logits, targets, counts, *, margin=0.5, scale=1.0):
    """Return the cross entropy of s (z − Δ_t at the true class).

    Δ_k = m (n_min / n_k)^¼: the rarer a class, the further its logit must
    be ahead. At m = 0 and s = 1 it is CE. The authors put it on
    cosines, with m = 0.5 and s = 30. Ratio: s (1 − p'_t) / (1 − p_t).
    Cao et al. 2019, arXiv:1906.07413.
    """
    z, y, *_ = softmax_arguments(logits, targets, 0, None)
    counts = _counts(counts, z.shape[-1])
    delta = _at_least_zero("margin", margin) * (counts.min() / counts) ** 0.25
    z = _above_zero("scale", scale) * (z - y * delta)
    return -np.sum(y * log_sigmoid(margins(z)), axis=-1)


# Per set: overlap. The last axis holds the elements of a set.


def dice_loss(logits, targets):
    """Return 1 − 2 Σ p y / (Σ p + Σ y), one number for each set.

    Not a sum over elements: the gradient at one of them depends on all.
    Milletari et al. 2016, arXiv:1606.04797, without the squares.
    """
    return tversky_loss(logits, targets, alpha=0.5, beta=0.5)


def tversky_loss(logits, targets, *, alpha=0.3, beta=0.7):
    """Return 1 − TP / (TP + α FP + β FN), one number for each set.

    TP = Σ p y, FP = Σ p (1−y), FN = Σ (1−p) y; α = β = ½ is Dice. A set
    without a positive costs 1 whatever is predicted, with slope zero.
    Salehi et al. 2017, arXiv:1706.05721.
    """
    return 1 - _tversky_index(logits, targets, alpha, beta)


def focal_tversky_loss(logits, targets, *, alpha=0.3, beta=0.7, gamma=4 / 3):
    """Return (1 − TI)^(1/γ), TI the index of `tversky_loss`.

    At γ = 1 it is Tversky. Its γ works the other way: sets with little left
    to gain keep a *larger* slope. Abraham and Khan 2018, arXiv:1810.07842.
    """
    index = _tversky_index(logits, targets, alpha, beta)
    return (1 - index) ** (1 / _above_zero("gamma", gamma))


def _tversky_index(logits, targets, alpha, beta):
    x, y, *_ = sigmoid_arguments(logits, targets, 0, None)
    alpha = _at_least_zero("alpha", alpha)
    beta = _at_least_zero("beta", beta)
    p, rest = np.exp(log_sigmoid(x)), np.exp(log_sigmoid(-x))
    hit = np.sum(p * y, axis=-1)
    wrong = alpha * np.sum(p * (1 - y), axis=-1)
    missed = beta * np.sum(rest * y, axis=-1)
    return hit / (hit + wrong + missed)


def _counts(counts, classes=None):
    counts = numpy.asarray(counts, dtype=float)
    if counts.ndim != 1 or classes not in (None, len(counts)):
        raise ValueError(
            f"counts must be one number for each of the {classes or 'C'} "
            f"classes, got shape {counts.shape}"
        )
    if not numpy.all(counts > 0):
        raise ValueError(f"counts must be positive, got {counts}")
    return counts


def _at_least_zero(name, value):
    if not 0 <= value < numpy.inf:
        raise ValueError(f"{name} must be finite and >= 0, got {value}")
    return value


def _above_zero(name, value):
    if not 0 < value < numpy.inf:
        raise ValueError(f"{name} must be finite and > 0, got {value}")
    return value
