"""The relatives against their sources' formulas, at the values where they
become cross entropy, and their gradients."""

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd import elementwise_grad, grad

from focal_edu import relatives as r
from focal_edu.gradients import gradient_ratio
from focal_edu.reference import sigmoid_focal_loss, softmax_focal_loss

LOGITS = np.array([-7.5, -2.0, -0.3, 0.0, 0.4, 1.7, 6.0])
P = 1 / (1 + np.exp(-LOGITS))
SOFT = np.array([0.0, 0.2, 1.0, 0.5, 1.0, 0.0, 1.0])
HARD = (np.zeros(7), np.ones(7))
Z = np.array([[2.0, -1.0, 3.0, 0.5], [0.0, 1.0, -0.5, 4.0], [1, 1, 1, 1.0]])
T = np.array([2, 0, 3])
COUNTS = (100, 30, 5, 2)


def bce(p, y):
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def softmax_ce(z, t):
    return np.array(
        [np.log(np.exp(a - a[k]).sum()) for a, k in zip(z, t, strict=True)]
    )


# What each binary relative is, as its source writes it, from p.
SOURCES = {
    "FL*": (
        lambda x, y: r.focal_star(x, y, gamma=2, beta=1),
        lambda p, y: (
            bce(
                1
                / (1 + np.exp(-2 * np.log(p / (1 - p)) - np.where(y, 1, -1))),
                y,
            )
            / 2
        ),
    ),
    "ASL": (
        r.asymmetric_loss,
        lambda p, y: np.where(
            y == 1,
            -(1 - p) * np.log(p),
            -(np.maximum(p - 0.05, 0) ** 4)
            * np.log(1 - np.maximum(p - 0.05, 0)),
        ),
    ),
    "QFL": (
        r.quality_focal_loss,
        lambda p, y: np.abs(y - p) ** 2 * bce(p, y),
    ),
    "VFL": (
        r.varifocal_loss,
        lambda p, q: np.where(
            q > 0, q * bce(p, q), -0.75 * p**2 * np.log(1 - p)
        ),
    ),
    "Poly": (
        lambda x, y: r.poly_loss(x, y, epsilon=0.7),
        lambda p, y: bce(p, y) + 0.7 * np.where(y == 1, 1 - p, p),
    ),
    "Poly, focal": (
        lambda x, y: r.poly_loss(x, y, epsilon=-0.4, gamma=2),
        lambda p, y: (
            np.where(y == 1, 1 - p, p) ** 2
            * (bce(p, y) - 0.4 * np.where(y == 1, 1 - p, p))
        ),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_binary_relatives_are_their_sources(name):
    loss, source = SOURCES[name]
    for y in HARD:
        np.testing.assert_allclose(
            loss(LOGITS, y), source(P, y), rtol=1e-9, atol=1e-15
        )
    if name in ("QFL", "VFL"):
        np.testing.assert_allclose(
            loss(LOGITS, SOFT), source(P, SOFT), rtol=1e-9
        )


def test_focal_loss_is_the_series_that_poly_loss_starts_from():
    p, j = P[:, None], np.arange(1, 200_000)
    series = (((1 - p) ** (j + 2)) / j).sum(1)[1:]  # p near 0 is slow
    fl = r.poly_loss(LOGITS, np.ones(7), epsilon=0, gamma=2)
    np.testing.assert_allclose(fl[1:], series, rtol=1e-9)


CE_LIMITS = {
    "FL*": lambda x, y: r.focal_star(x, y, gamma=1, beta=0),
    "ASL": lambda x, y: r.asymmetric_loss(
        x, y, gamma_positive=0, gamma_negative=0, margin=0
    ),
    "QFL": lambda x, y: r.quality_focal_loss(x, y, beta=0),
    "VFL": lambda x, y: r.varifocal_loss(x, y, gamma=0, alpha=1),
    "Poly": lambda x, y: r.poly_loss(x, y, epsilon=0),
}


@pytest.mark.parametrize("name", CE_LIMITS)
def test_binary_limits_are_cross_entropy(name):
    for y in HARD:
        np.testing.assert_allclose(
            CE_LIMITS[name](LOGITS, y), bce(P, y), rtol=1e-9
        )


def test_multi_class_limits_are_cross_entropy():
    ce = softmax_ce(Z, T)
    weights = r.class_balanced_weights(COUNTS, beta=0)
    for loss in (
        r.dual_focal_loss(Z, T, gamma=0),
        r.logit_adjusted_loss(Z, T, COUNTS, tau=0),
        r.ldam_loss(Z, T, COUNTS, margin=0),
        softmax_focal_loss(Z, T, gamma=0, alpha=weights),
    ):
        np.testing.assert_allclose(loss, ce, rtol=1e-12)


def ratio(loss, y):
    return r.gradient_ratio_of(loss, LOGITS, np.full(7, float(y)))


def test_gradient_ratios_are_as_their_docstrings_say():
    p_star = 1 / (1 + np.exp(-(2 * LOGITS + 1)))
    found = ratio(r.focal_star, 1)
    np.testing.assert_allclose(found, (1 - p_star) / (1 - P), rtol=1e-9)
    g = gradient_ratio(P, 2)
    np.testing.assert_allclose(ratio(r.quality_focal_loss, 1), g)
    np.testing.assert_allclose(ratio(r.varifocal_loss, 1), 1)
    back = gradient_ratio(1 - P, 2)
    np.testing.assert_allclose(ratio(r.varifocal_loss, 0), 0.75 * back)
    found = ratio(r.asymmetric_loss, 1)
    np.testing.assert_allclose(found, gradient_ratio(P, 1))
    silent = ratio(r.asymmetric_loss, 0)[P < 0.05]
    np.testing.assert_array_equal(silent, 0)

    def poly(x, y):
        return r.poly_loss(x, y, epsilon=0.7, gamma=2)

    expected = g + 0.7 * 3 * P * (1 - P) ** 2
    np.testing.assert_allclose(ratio(poly, 1), expected)


@pytest.mark.parametrize("name", SOURCES)
def test_binary_slopes_beside_high_precision(name):
    """mpmath differentiates the source's formula, fifty digits."""
    sources = {
        "FL*": lambda p, y: (
            -mpmath.log(
                1 / (1 + mpmath.exp(-2 * mpmath.log(p / (1 - p)) - 1))
            )
            / 2
        ),
        "ASL": lambda p, y: -(1 - p) * mpmath.log(p),
        "QFL": lambda p, y: -((1 - p) ** 2) * mpmath.log(p),
        "VFL": lambda p, y: -mpmath.log(p),
        "Poly": lambda p, y: -mpmath.log(p) + 0.7 * (1 - p),
        "Poly, focal": lambda p, y: (
            (1 - p) ** 2 * (-mpmath.log(p) - 0.4 * (1 - p))
        ),
    }
    slope = elementwise_grad(lambda x: SOURCES[name][0](x, np.ones(7)))
    with mpmath.workdps(50):
        for x, found in zip(LOGITS, slope(LOGITS), strict=True):
            exact = mpmath.diff(
                lambda x: sources[name](1 / (1 + mpmath.exp(-x)), 1), x
            )
            assert found == pytest.approx(float(exact), rel=1e-9)


def test_negative_slopes_beside_finite_differences():
    for loss, _ in SOURCES.values():
        slope = elementwise_grad(lambda x, loss=loss: loss(x, 0 * x))
        h = 1e-5
        numeric = loss(LOGITS + h, HARD[0]) - loss(LOGITS - h, HARD[0])
        np.testing.assert_allclose(
            slope(LOGITS), numeric / (2 * h), rtol=1e-6, atol=1e-10
        )


@pytest.mark.parametrize("name", SOURCES)
def test_all_is_finite_far_out(name):
    x = np.array([-800.0, -40.0, 40.0, 800.0])
    for y in (np.zeros(4), np.ones(4)):
        loss = SOURCES[name][0]
        assert np.isfinite(loss(x, y)).all()
        slope = elementwise_grad(lambda x, y=y, loss=loss: loss(x, y))(x)
        assert np.isfinite(slope).all()


def test_dual_focal_loss():
    p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
    below = [p[0, 0], p[1, 2], 0]  # the largest below p_t, by eye
    p_t = p[range(3), T]
    expected = -((1 - p_t + below) ** 2) * np.log(p_t)
    found = r.dual_focal_loss(Z, T)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found >= softmax_focal_loss(Z, T)).all()
    far = grad(lambda z: anp.sum(r.dual_focal_loss(z, T[:1])))(900 * Z[:1])
    assert np.isfinite(far).all()


def test_effective_number_and_its_weights():
    """Cui et al.: β = 0.9999, n = 5000 and 50."""
    found = r.effective_number((5000, 50), 0.9999)
    np.testing.assert_allclose(found, [3934.845, 49.878], rtol=1e-5)
    # 1 + β + β² + … by hand
    assert r.effective_number((3,), 0.5)[0] == 1.75
    weights = r.class_balanced_weights((3, 1), beta=0.5)
    np.testing.assert_allclose(weights, [2 / 2.75 * 1, 2 / 2.75 * 1.75])
    near = r.class_balanced_weights(COUNTS, beta=1 - 1e-9)
    inverse = 1 / np.array(COUNTS)
    np.testing.assert_allclose(near, inverse / inverse.mean(), rtol=1e-5)


def test_logit_adjustment_is_a_shift_of_the_logits():
    prior = np.array(COUNTS) / 137
    shifted = np.exp(Z) * prior**2
    expected = -np.log(shifted[range(3), T] / shifted.sum(1))
    found = r.logit_adjusted_loss(Z, T, COUNTS, tau=2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ldam_is_the_authors_code():
    """m_k = n_k^−¼, scaled to a largest of m; cross entropy of s·(z−m)."""
    margins = np.array(COUNTS) ** -0.25
    margins *= 0.5 / margins.max()
    z = Z.copy()
    z[range(3), T] -= margins[T]
    found = r.ldam_loss(Z, T, COUNTS, margin=0.5, scale=30)
    expected = softmax_ce(30 * z, T)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: r.logit_adjusted_loss(z, T, COUNTS),
        lambda z: r.ldam_loss(z, T, COUNTS, margin=2),
        lambda z: r.dual_focal_loss(z, T),
    ],
)
def test_multi_class_slopes_beside_finite_differences(loss):
    z = Z + np.random.default_rng(0).normal(size=Z.shape)
    slope = grad(lambda z: anp.sum(loss(z)))(z)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-6
        numeric = (loss(z + step) - loss(z - step)).sum() / 2e-6
        assert slope[place] == pytest.approx(numeric, abs=1e-7)
    np.testing.assert_allclose(slope.sum(1), 0, atol=1e-12)


def test_logit_adjusted_slope_is_the_shifted_probability_minus_the_truth():
    slope = grad(lambda z: anp.sum(r.logit_adjusted_loss(z, T, COUNTS)))(Z)
    shifted = np.exp(Z) * np.array(COUNTS)
    p = shifted / shifted.sum(1, keepdims=True)
    np.testing.assert_allclose(slope, p - np.eye(4)[T], atol=1e-12)


def test_overlap_losses():
    logits = np.array([[3.0, -1.0, 0.2, -4.0]])
    y = np.array([[1.0, 1.0, 0.0, 0.0]])
    p = 1 / (1 + np.exp(-logits))
    hit, wrong, missed = (
        (p * y).sum(),
        (p * (1 - y)).sum(),
        ((1 - p) * y).sum(),
    )
    dice = 1 - 2 * hit / (p.sum() + y.sum())
    tversky = 1 - hit / (hit + 0.3 * wrong + 0.7 * missed)
    assert r.dice_loss(logits, y)[0] == pytest.approx(dice)
    assert r.tversky_loss(logits, y)[0] == pytest.approx(tversky)
    found = r.focal_tversky_loss(logits, y)[0]
    assert found == pytest.approx(tversky**0.75)
    found = r.focal_tversky_loss(logits, y, gamma=1)[0]
    assert found == pytest.approx(tversky)
    step = np.eye(4)[0] * 1e-6
    slope = grad(lambda x: anp.sum(r.dice_loss(x, y)))(logits)
    change = r.dice_loss(logits + step, y) - r.dice_loss(logits - step, y)
    assert slope[0, 0] == pytest.approx(change[0] / 2e-6, rel=1e-6)
    empty = grad(lambda x: anp.sum(r.dice_loss(x, 0 * y)))(logits)
    np.testing.assert_array_equal(empty, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: r.focal_star(LOGITS, SOFT, gamma=0), "gamma must"),
        (lambda: r.asymmetric_loss(LOGITS, SOFT, margin=-1), "margin must"),
        (lambda: r.effective_number((3, 0), 0.9), "counts must"),
        (lambda: r.effective_number((3, 1), 1), "beta must"),
        (lambda: r.logit_adjusted_loss(Z, T, (1, 2, 3)), "counts must"),
        (lambda: r.varifocal_loss(LOGITS, SOFT, alpha=-1), "alpha must"),
        (lambda: r.poly_loss(LOGITS, SOFT, gamma=-1), "gamma must"),
        (lambda: r.dice_loss(LOGITS, T), "targets must"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_soft_targets_are_linear_where_the_loss_is():
    for loss in (r.focal_star, r.poly_loss, r.asymmetric_loss):
        mixed = SOFT * loss(LOGITS, HARD[1]) + (1 - SOFT) * loss(
            LOGITS, HARD[0]
        )
        np.testing.assert_allclose(loss(LOGITS, SOFT), mixed, rtol=1e-12)
    fl = sigmoid_focal_loss(LOGITS, SOFT)
    assert abs(r.quality_focal_loss(LOGITS, SOFT) - fl).max() > 0.01
