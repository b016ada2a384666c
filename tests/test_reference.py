"""The reference losses against published values, 50-digit arithmetic and
the properties that define a focal loss."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focal_edu import (
    cross_entropy,
    focal_loss,
    sigmoid_focal_gradient,
    sigmoid_focal_loss,
    softmax_focal_gradient,
    softmax_focal_loss,
)

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
GAMMAS = (0, 0.1, 0.5, 0.9, 1, 1.5, 2, 5)
LOGITS = (0.0, 0.3, 2.0, 8.4, 16.7, 40.0, 88.0, 100.0, 745.0, 1e4)

logit = st.floats(-1e4, 1e4)
gamma_ = st.floats(0, 10)
probability = st.floats(1e-6, 1 - 1e-6)


def exact_sigmoid(x, y, gamma, alpha=None):
    """Equation 5 of the paper in 50 digits more than 1 − p cancels."""
    with mpmath.workdps(50 + int(abs(x) / 2.3)):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        a, b = (1, 1) if alpha is None else (alpha, 1 - mpmath.mpf(alpha))
        return -a * y * (1 - p) ** gamma * mpmath.log(p) - b * (
            1 - y
        ) * p**gamma * mpmath.log(1 - p)


def exact_softmax(z, t, gamma):
    with mpmath.workdps(50 + int((max(z) - min(z)) / 2.3)):
        powers = [mpmath.exp(mpmath.mpf(float(value))) for value in z]
        p = powers[t] / mpmath.fsum(powers)
        return -((1 - p) ** gamma) * mpmath.log(p)


def close(value, exact, tolerance=2e-13):
    """Within `tolerance`, relative; below 1e-300 both may round to 0."""
    return abs(value - exact) <= tolerance * abs(exact) + 1e-300


@pytest.mark.parametrize("case", VECTORS["binary"])
def test_published_binary_values(case):
    y, keys = np.array(case["y"]), {}
    keys["gamma"], keys["alpha"] = case.get("gamma", 2), case.get("alpha")
    if "p" in case:
        loss = focal_loss(case["p"], y, **keys)
    else:
        loss = sigmoid_focal_loss(case["logits"], y, **keys)
    if "per_element" in case:
        np.testing.assert_allclose(loss, case["per_element"], rtol=5e-9)
    if "mean" in case:
        assert loss.mean() == pytest.approx(case["mean"], abs=5e-6)
    if "sum_over_batch_size" in case:
        total = case["sum_over_batch_size"]
        assert loss.sum() / len(y) == pytest.approx(total, abs=5e-9)
        gradient = sigmoid_focal_gradient(case["logits"], y, **keys)
        np.testing.assert_allclose(
            gradient / len(y), case["grad_of_that"], atol=5e-9
        )


@pytest.mark.parametrize("case", VECTORS["multi_class"])
def test_published_multi_class_values(case):
    keys = {"gamma": case.get("gamma", 2), "alpha": case.get("alpha")}
    loss = softmax_focal_loss(case["logits"], case["y"], **keys)
    if "per_example" in case:
        np.testing.assert_allclose(loss, case["per_example"], rtol=2e-9)
    assert loss.mean() == pytest.approx(case["mean"], abs=5e-8)
    if "grad_of_mean" in case:
        gradient = softmax_focal_gradient(case["logits"], case["y"], **keys)
        np.testing.assert_allclose(
            gradient / len(loss), case["grad_of_mean"], atol=2e-6
        )


def test_the_seed_numbers():
    p, y = [0.9, 0.3, 0.3, 0.9], [1, 1, 0, 0]
    ce = [0.105360515658, 1.203972804326, 0.356674943939, 2.302585092994]
    fl = [0.00105360515658, 0.58994667411971]
    fl += [0.03210074495449, 1.86509392532518]
    np.testing.assert_allclose(cross_entropy(p, y), ce, rtol=1e-11)
    np.testing.assert_allclose(focal_loss(p, y), fl, rtol=5e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_sigmoid_loss_in_high_precision(gamma):
    for size in LOGITS:
        for x in (size, -size):
            for y in (0, 1):
                value = sigmoid_focal_loss(x, y, gamma=gamma, alpha=0.25)
                assert close(value, exact_sigmoid(x, y, gamma, 0.25)), (x, y)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_softmax_loss_in_high_precision(gamma):
    draw = np.random.default_rng(0)
    cases = [scale * draw.normal(size=3) for scale in (0.1, 1, 10, 100, 1e4)]
    for z in [*cases, np.zeros(3), np.array([40.0, 40.0, 0.0])]:
        for t in range(3):
            value = softmax_focal_loss(z, t, gamma=gamma)
            assert close(value, exact_softmax(z, t, gamma)), (z, t)


@given(x=logit, y=st.sampled_from([0.0, 1.0]), alpha=st.floats(0, 1))
def test_gamma_zero_is_weighted_cross_entropy(x, y, alpha):
    x_t, alpha_t = (x, alpha) if y else (-x, 1 - alpha)
    expected = alpha_t * np.logaddexp(0, -x_t)
    assert sigmoid_focal_loss(x, y, gamma=0, alpha=alpha) == pytest.approx(
        expected, rel=1e-12
    )


@given(p=probability, y=st.floats(0, 1), gamma=gamma_)
def test_probabilities_and_logits_agree(p, y, gamma):
    from_p = focal_loss(p, y, gamma=gamma)
    from_x = sigmoid_focal_loss(np.log(p) - np.log1p(-p), y, gamma=gamma)
    assert from_p == pytest.approx(from_x, rel=1e-8)


@given(p=probability, gamma=gamma_)
def test_ratio_to_cross_entropy_is_the_modulating_factor(p, gamma):
    fl, ce = focal_loss(p, 1, gamma=gamma), cross_entropy(p, 1)
    assert fl <= ce
    assert fl == pytest.approx((1 - p) ** gamma * ce, rel=1e-12)


@given(x=logit, y=st.sampled_from([0, 0.25, 0.5, 1]), gamma=gamma_)
def test_swapping_the_labels_swaps_the_sign_of_the_logit(x, y, gamma):
    one = sigmoid_focal_loss(x, y, gamma=gamma)
    assert one == pytest.approx(
        sigmoid_focal_loss(-x, 1 - y, gamma=gamma), rel=1e-9, abs=1e-300
    )


@given(x=logit, y=st.floats(0, 1), gamma=gamma_)
def test_soft_targets_are_linear(x, y, gamma):
    ends = [sigmoid_focal_loss(x, t, gamma=gamma) for t in (0, 1)]
    expected = (1 - y) * ends[0] + y * ends[1]
    assert sigmoid_focal_loss(x, y, gamma=gamma) == pytest.approx(expected)


@given(x=logit, gamma=gamma_)
def test_two_classes_are_one_sigmoid(x, gamma):
    softmax = softmax_focal_loss([0.0, x], 1, gamma=gamma)
    assert softmax == pytest.approx(sigmoid_focal_loss(x, 1, gamma=gamma))


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6), gamma_)
def test_shift_and_permutation_leave_softmax_alone(z, gamma):
    z = np.array(z)
    loss = softmax_focal_loss(z, 0, gamma=gamma)
    moved = softmax_focal_loss(z + 7, 0, gamma=gamma)
    turned = softmax_focal_loss(z[::-1], len(z) - 1, gamma=gamma)
    assert moved == pytest.approx(loss, rel=1e-9, abs=1e-12)
    assert turned == pytest.approx(loss, rel=1e-9, abs=1e-300)


def test_alpha_weights_positives_and_one_minus_alpha_negatives():
    for y, weight in ((1, 0.25), (0, 0.75)):
        plain = sigmoid_focal_loss(0.7, y)
        assert sigmoid_focal_loss(0.7, y, alpha=0.25) == weight * plain
    labels = sigmoid_focal_loss(
        [[1.0, -2.0, 3.0]], [[1, 0, 1]], alpha=[0.25, 0.9, 1]
    )
    plain = sigmoid_focal_loss([[1.0, -2.0, 3.0]], [[1, 0, 1]])
    np.testing.assert_allclose(labels, plain * [[0.25, 0.1, 1]])


def test_class_probabilities_mix_the_losses_of_the_classes():
    z, y = np.array([[1.0, 0.0, -2.0]]), np.array([[0.5, 0.2, 0.3]])
    alpha = [1.0, 2.0, 3.0]
    each = [softmax_focal_loss(z, [k], alpha=alpha)[0] for k in range(3)]
    assert softmax_focal_loss(z, y, alpha=alpha)[0] == pytest.approx(
        y[0] @ each
    )


def test_shapes_and_class_axis():
    draw = np.random.default_rng(1)
    z, t = draw.normal(size=(2, 3, 4, 5)), draw.integers(3, size=(2, 4, 5))
    loss = softmax_focal_loss(z, t)
    assert loss.shape == (2, 4, 5)
    assert loss[1, 2, 3] == softmax_focal_loss(z[1, :, 2, 3], t[1, 2, 3])
    assert softmax_focal_loss(np.zeros((0, 3)), np.zeros(0, int)).shape == (
        0,
    )
    assert sigmoid_focal_loss(np.zeros((2, 0)), np.zeros((2, 0))).size == 0
    assert np.ndim(sigmoid_focal_loss(0.5, True)) == 0


def test_inputs_are_left_alone():
    z, t = np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([1, 0])
    before = z.copy(), t.copy()
    softmax_focal_loss(z, t)
    sigmoid_focal_loss(z, np.eye(2))
    np.testing.assert_array_equal(z, before[0])
    np.testing.assert_array_equal(t, before[1])
