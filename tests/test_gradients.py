"""Closed form against autograd, finite differences and 50 digits."""

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from hypothesis import given
from hypothesis import strategies as st
from test_reference import GAMMAS, LOGITS, VECTORS, close

from focal_edu import (
    cross_entropy,
    focal_loss,
    gradient_ratio,
    sigmoid_focal_gradient,
    sigmoid_focal_loss,
    softmax_focal_gradient,
    softmax_focal_loss,
)
from focal_edu.gradients import (
    gradient_crossing,
    gradient_peak,
    inflection,
    sigmoid_focal_curvature,
)
from focal_edu.reference import log_sigmoid

X = np.array([sign * x for x in LOGITS for sign in (1, -1)])


def derivative_table(column):
    """The published table that has this column."""
    return next(c for c in VECTORS["derivatives"] if column in c)


def exact_derivative(x_t, gamma, order):
    """Derivative of (1−p)^γ (−log p) by the logit: mpmath's own, at a
    precision that no cancellation reaches."""
    with mpmath.workdps(80 + int(abs(x_t))):

        def loss(x):
            p = 1 / (1 + mpmath.exp(-x))
            return -((1 - p) ** gamma) * mpmath.log(p)

        return mpmath.diff(loss, mpmath.mpf(x_t), order)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_closed_form_is_what_autograd_finds(gamma, y):
    targets = np.full_like(X, y)

    def loss(x):
        return sigmoid_focal_loss(x, targets, gamma=gamma, alpha=0.7)

    first = elementwise_grad(loss)
    np.testing.assert_allclose(
        first(X),
        sigmoid_focal_gradient(X, targets, gamma=gamma, alpha=0.7),
        rtol=1e-12,
        atol=1e-16,
    )
    np.testing.assert_allclose(
        elementwise_grad(first)(X),
        sigmoid_focal_curvature(X, targets, gamma=gamma, alpha=0.7),
        rtol=1e-9,
        atol=1e-14,
    )


@pytest.mark.parametrize("gamma", GAMMAS)
def test_closed_form_in_high_precision(gamma):
    for x in (0.0, 0.3, -2.0, 8.4, -16.7, 40.0, -88.0, 100.0):
        slope = sigmoid_focal_gradient(x, 1, gamma=gamma)
        bend = sigmoid_focal_curvature(x, 1, gamma=gamma)
        assert close(slope, exact_derivative(x, gamma, 1)), x
        assert close(bend, exact_derivative(x, gamma, 2), 1e-12), x


@given(x=st.floats(-8, 8), y=st.floats(0, 1), gamma=st.floats(0, 6))
def test_finite_differences(x, y, gamma):
    def loss(x):
        return sigmoid_focal_loss(x, y, gamma=gamma)

    difference = (loss(x + 1e-5) - loss(x - 1e-5)) / 2e-5
    slope = sigmoid_focal_gradient(x, y, gamma=gamma)
    assert slope == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("scale", [1, 30, 1e4])
def test_softmax_closed_form_is_what_autograd_finds(gamma, scale):
    draw = np.random.default_rng(2)
    z = scale * draw.normal(size=(6, 4))
    z[0] = 5.0
    indices = draw.integers(4, size=6)
    soft = draw.dirichlet(np.ones(4), size=6)
    for targets in (indices, soft):

        def total(z, targets=targets):
            loss = softmax_focal_loss(
                z, targets, gamma=gamma, alpha=[1, 2, 0.5, 0]
            )
            return anp.sum(loss)

        closed = softmax_focal_gradient(
            z, targets, gamma=gamma, alpha=[1, 2, 0.5, 0]
        )
        np.testing.assert_allclose(
            grad(total)(z), closed, rtol=1e-10, atol=1e-13
        )
        np.testing.assert_allclose(closed.sum(axis=1), 0, atol=1e-13)
        assert np.isfinite(
            grad(lambda z: anp.sum(grad(total)(z)[0]))(z)
        ).all()


def test_softmax_gradient_keeps_the_class_axis():
    z = np.random.default_rng(3).normal(size=(2, 3, 5))
    t = np.array([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    gradient = softmax_focal_gradient(z, t)
    assert gradient.shape == z.shape
    np.testing.assert_allclose(
        gradient[1, :, 4], softmax_focal_gradient(z[1, :, 4], t[1, 4])
    )


def test_naive_power_gives_nan_where_ours_does_not():
    def naive(x):
        p = 1 / (1 + anp.exp(-x))
        return -((1 - p) ** 0.5) * anp.log(p)

    with np.errstate(all="ignore"):
        assert np.isnan(grad(naive)(40.0))
    assert np.isfinite(sigmoid_focal_gradient(40.0, 1, gamma=0.5))
    ours = grad(lambda x: sigmoid_focal_loss(x, 1, gamma=0.5))
    assert ours(40.0) == pytest.approx(
        float(exact_derivative(40.0, 0.5, 1)), rel=1e-12
    )


@given(p=st.floats(1e-5, 1 - 1e-5), gamma=st.floats(0, 10))
def test_ratio_of_the_gradients(p, gamma):
    fl = grad(lambda p: focal_loss(p, 1, gamma=gamma))(p)
    ce = grad(lambda p: cross_entropy(p, 1))(p)
    assert gradient_ratio(p, gamma) == pytest.approx(fl / ce, rel=1e-7)


def test_published_derivative_table():
    ratios = derivative_table("C")
    for classes, g in zip(ratios["C"], ratios["g"], strict=True):
        assert gradient_ratio(1 / classes, 2) == pytest.approx(g, rel=5e-8)
    crossing = derivative_table("p_t")
    for gamma, p in zip(crossing["gamma"], crossing["p_t"], strict=True):
        assert gradient_crossing(gamma) == pytest.approx(p, abs=1e-11)
    peak = derivative_table("at_p_t")
    for gamma, *p_and_g in zip(
        peak["gamma"], peak["at_p_t"], peak["g"], strict=True
    ):
        assert gradient_peak(gamma) == pytest.approx(p_and_g, rel=1e-9)
    steepest = derivative_table("x_t")
    for gamma, slope, x in zip(
        steepest["gamma"], steepest["value"], steepest["x_t"], strict=True
    ):
        assert inflection(gamma) == pytest.approx(x, abs=5e-9)
        assert -sigmoid_focal_gradient(x, 1, gamma=gamma) == pytest.approx(
            slope, rel=1e-9
        )


def test_gamma_one_in_closed_form():
    assert gradient_crossing(1) == pytest.approx(np.exp(-1), rel=1e-14)
    at, g = gradient_peak(1)
    assert at == pytest.approx(np.exp(-2), rel=1e-12)
    assert g == pytest.approx(1 + np.exp(-2), rel=1e-14)


@given(gamma=st.floats(0.01, 50))
def test_crossing_peak_and_inflection_are_where_they_claim(gamma):
    crossing, (at, g) = gradient_crossing(gamma), gradient_peak(gamma)
    assert gradient_ratio(crossing, gamma) == pytest.approx(1)
    assert at < crossing and g > 1
    for p in (0.99 * at, min(1.01 * at, 0.999)):
        assert gradient_ratio(p, gamma) <= g
    turn = inflection(gamma)
    assert sigmoid_focal_curvature(turn - 0.1, 1, gamma=gamma) < 0
    assert sigmoid_focal_curvature(turn + 0.1, 1, gamma=gamma) > 0


def test_the_seed_gradients_with_respect_to_the_weights():
    w = np.array([0.5, 0.16, 0.67, 0.68])
    hard = np.array([-0.8, -2.5, -0.6, -0.58])
    easy = np.array([2, 6.25, 1.5, 1.47])

    def weights(features, gamma):
        def loss(w):
            p = anp.exp(log_sigmoid(anp.dot(w, features)))
            return focal_loss(p, 1, gamma=gamma)

        return grad(loss)(w)

    expected = {
        (0, "hard"): [0.665211707, 2.078786585, 0.498908780, 0.482278488],
        (2, "hard"): [0.791881054, 2.474628295, 0.593910791, 0.574113764],
        (0, "easy"): [
            -0.0358102828,
            -0.1119071338,
            -0.0268577121,
            -0.0263205579,
        ],
        (2, "easy"): [
            -3.42348959e-5,
            -1.06984050e-4,
            -2.56761719e-5,
            -2.51626485e-5,
        ],
    }
    for (gamma, name), digits in expected.items():
        features = {"hard": hard, "easy": easy}[name]
        np.testing.assert_allclose(
            weights(features, gamma), digits, rtol=5e-9
        )
        closed = sigmoid_focal_gradient(w @ features, 1, gamma=gamma)
        np.testing.assert_allclose(closed * features, digits, rtol=5e-9)
