"""The objective for boosted trees, tried with LightGBM."""

import lightgbm
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from focal_edu.boosting import focal_objective
from focal_edu.digits import rare_digit
from focal_edu.reference import sigmoid_focal_loss

X = np.array([-800.0, -40.0, -5.0, -0.5, 0.0, 2.0, 40.0, 800.0])


@pytest.mark.parametrize("target", (0, 1))
@pytest.mark.parametrize("gamma", (0, 0.5, 2))
def test_both_derivatives_are_finite_and_right(gamma, target):
    y = np.full(8, target)
    gradient, second = focal_objective(gamma=gamma)(y, X)
    assert np.isfinite(gradient).all() and np.isfinite(second).all()
    h = 1e-4
    below, at, above = (
        sigmoid_focal_loss(X + d, y, gamma=gamma) for d in (-h, 0, h)
    )
    near = abs(X) < 10
    slope = (above - below) / (2 * h)
    np.testing.assert_allclose(gradient[near], slope[near], atol=1e-7)
    bend = (above - 2 * at + below) / h**2
    expected = np.maximum(bend, 1e-6)
    np.testing.assert_allclose(second[near], expected[near], atol=1e-6)


def trained(objective, split):
    images, labels, test_images, _ = split
    model = lightgbm.LGBMClassifier(
        objective=objective,
        n_estimators=60,
        min_child_samples=3,
        min_child_weight=0,
        num_leaves=7,
        n_jobs=1,
        verbose=-1,
    )
    model.fit(images, labels.astype(int))
    return model.predict(test_images, raw_score=True)


def test_lightgbm_learns_by_it():
    split = rare_digit(0, seed=0)
    scores = trained(focal_objective(gamma=1), split)
    assert np.isfinite(scores).all()
    assert average_precision_score(split.test_labels, scores) > 0.8


def test_at_gamma_0_it_is_lightgbms_own_log_loss():
    split = rare_digit(0, seed=0)
    ours = trained(focal_objective(gamma=0), split)
    theirs = trained("binary", split)
    # theirs starts at the prior, ours at 0: the order is what is compared
    both = [
        average_precision_score(split.test_labels, s) for s in (ours, theirs)
    ]
    assert min(both) > 0.85 and abs(both[0] - both[1]) < 0.1
