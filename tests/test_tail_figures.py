"""What the figures of lessons 07 and 08 draw, by other routes."""

import numpy as np

from focal_edu import figures
from focal_edu.recorded import load


def curves(axes):
    return {line.get_label(): line.get_data() for line in axes.lines}


def test_reliability_at_gamma_adds_up():
    """Accuracy and confidence, weighted by bin, are the record's means."""
    for row in load("calibration")["rows"]:
        for way in ("as trained", "temperature"):
            confidence, accuracy, part = np.array(row["bins"][way]).T
            assert abs(part.sum() - 1) < 1e-3
            mean = np.mean(row[way]["accuracy"])
            assert abs((part * accuracy).sum() - mean) < 1e-3
            assert np.all((0 < confidence) & (confidence <= 1))


def test_calibration_by_gamma_has_a_dot_for_each_draw():
    rows = load("calibration")["rows"]
    for axes, regime in zip(
        figures.calibration_by_gamma(rows).axes,
        ("too long", "in time"),
        strict=True,
    ):
        drawn = np.concatenate([line.get_ydata() for line in axes.lines])
        recorded = [
            row[way]["ece"]
            for row in rows
            if row["regime"] == regime
            for way in ("as trained", "temperature")
        ]
        np.testing.assert_allclose(
            np.sort(drawn), np.sort(np.ravel(recorded))
        )


def test_outputs_and_truth_recovers_in_the_right_panel():
    eta = np.array([[0.9, 0.1], [0.5, 0.5]])
    v = np.array([[0.694213, 0.305787], [0.5, 0.5]])
    left, right = figures.outputs_and_truth(eta, v, gamma=2).axes
    x, y = curves(left)["as trained"]
    np.testing.assert_allclose((x, y), (eta[:, 0], v[:, 0]))
    x, y = curves(right)["the posterior behind"]
    np.testing.assert_allclose(y, x, atol=1e-5)


def test_entropy_bound():
    (axes,) = figures.entropy_bound(
        (1, 10), (0.4, 0.1), (0.9, 0.3), (0.5, 0.2), gamma=2
    ).axes
    np.testing.assert_allclose(curves(axes)["bound"][1], (-0.1, -0.1))
    np.testing.assert_allclose(curves(axes)["FL"][1], (0.4, 0.1))
