"""Probabilities back from what focal loss trains: by search, by other
libraries and by values that papers give."""

import numpy as np
import pytest
import torch
import torchmetrics
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from focal_edu.calibration import (
    expected_calibration_error,
    fit_temperature,
    posterior,
    scaled,
    trained_output,
)
from focal_edu.recorded import load


def pairs(p):
    return np.stack([p, 1 - np.asarray(p)], axis=-1)


def focal_risk(eta, v, gamma, alpha=1):
    return -(alpha * eta * (1 - v) ** gamma * np.log(v)).sum()


@pytest.mark.parametrize("gamma", (0.5, 1, 2, 5))
def test_the_trained_output_is_the_least_risk_that_a_search_finds(gamma):
    eta = np.array([0.62, 0.25, 0.1, 0.03])

    def risk(z):
        v = np.exp(z - z.max())
        return focal_risk(eta, v / v.sum(), gamma)

    z = minimize(risk, np.zeros(4), options={"gtol": 1e-9}).x
    v = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(trained_output(eta, gamma), v, rtol=1e-4)
    np.testing.assert_allclose(posterior(v, gamma), eta, rtol=1e-4)


@pytest.mark.parametrize("gamma", (0, 0.3, 1, 2, 7))
@pytest.mark.parametrize("classes", (2, 3, 100))
def test_there_and_back(gamma, classes):
    draw = np.random.default_rng(classes)
    eta = draw.dirichlet(np.full(classes, 0.7), 20).clip(1e-12)
    eta /= eta.sum(-1, keepdims=True)
    v = trained_output(eta, gamma)
    np.testing.assert_allclose(v.sum(-1), 1, rtol=1e-9)
    np.testing.assert_allclose(posterior(v, gamma), eta, rtol=1e-6)
    if gamma == 0:
        np.testing.assert_allclose(v, eta, rtol=1e-9)
    order = np.argsort(eta, axis=-1)
    assert (np.diff(np.take_along_axis(v, order, -1)) >= 0).all()


def test_known_values():
    """Charoenphakdee et al. 2021, and α's shift of the cut."""
    assert trained_output(pairs(0.9), 2)[0] == pytest.approx(0.694213, 1e-6)
    assert trained_output(pairs(0.01), 2)[0] == pytest.approx(0.1536, 1e-3)
    weighted = trained_output(pairs([0.01, 0.75]), 2, alpha=(0.25, 0.75))
    np.testing.assert_allclose(weighted[:, 0], [0.10838, 0.5], rtol=1e-4)
    eta = np.full(1000, 0.9 / 999)
    eta[0] = 0.1
    assert trained_output(eta, 2)[0] == pytest.approx(0.1185, 1e-3)


def noisy_classifier(count=4000, classes=5, seed=0):
    """Over-confident logits: labels are drawn from softmax(z / 2.5)."""
    draw = np.random.default_rng(seed)
    z = draw.normal(0, 3, (count, classes))
    p = scaled(z, 2.5)
    labels = (p.cumsum(1) < draw.random((count, 1))).sum(1)
    return z, labels


@pytest.mark.parametrize("bins", (10, 15))
def test_ece_is_torchmetrics(bins):
    z, labels = noisy_classifier()
    p = scaled(z, 1)
    ours = expected_calibration_error(
        p.max(1), p.argmax(1) == labels, bins=bins
    )
    theirs = torchmetrics.functional.calibration_error(
        torch.tensor(p),
        torch.tensor(labels),
        task="multiclass",
        num_classes=5,
        n_bins=bins,
    )
    assert ours == pytest.approx(theirs.item(), abs=1e-6)
    assert ours > 0.1


def test_ece_by_hand():
    confidence = (0.95, 0.95, 0.55, 1.0)
    found = expected_calibration_error(confidence, (1, 0, 1, 1), bins=10)
    # the last bin: 2.9 − 2 of three, 0.9; the other: 0.45
    assert found == pytest.approx((0.9 + 0.45) / 4)


class Logits(ClassifierMixin, BaseEstimator):
    """An estimator whose features are its logits."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(1)]


def test_the_temperature_is_scikit_learns():
    z, labels = noisy_classifier()
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Logits().fit(z, labels)), method="temperature"
    ).fit(z, labels)
    found = fit_temperature(z, labels)
    expected = theirs.predict_proba(z[:50])
    np.testing.assert_allclose(scaled(z[:50], found), expected, atol=1e-4)
    assert found == pytest.approx(2.5, rel=0.05)


def test_focal_temperature_scaling_finds_both_parts():
    """Labels drawn from the posterior of softmax(z / 1.6) at γ = 2."""
    draw = np.random.default_rng(1)
    z = draw.normal(0, 2, (20_000, 4))
    eta = scaled(z, 1.6, gamma=2)
    labels = (eta.cumsum(1) < draw.random((len(z), 1))).sum(1)
    assert fit_temperature(z, labels, gamma=2) == pytest.approx(1.6, rel=0.05)
    np.testing.assert_allclose(eta, posterior(scaled(z, 1.6), 2))


def test_far_out_logits_stay_finite():
    for gamma in (0, 2):
        assert np.isfinite(scaled([[900.0, -900, 0]], 1, gamma=gamma)).all()


def test_in_time_each_way_has_the_rate_and_steps_of_its_own_best():
    for row in load("calibration")["rows"]:
        for name, scores in row.get("grid", {}).items():
            assert str(row[name]) == max(scores, key=scores.get)


def test_bad_arguments_are_named():
    for eta in ([0.5, 0.6], [1.0, 0.0]):
        with pytest.raises(ValueError, match="eta must"):
            trained_output(eta, 2)
    with pytest.raises(ValueError, match="p_t must"):
        posterior([1.0, 0.0], 2)
    with pytest.raises(ValueError, match="gamma must"):
        trained_output([0.5, 0.5], -1)
