"""What the figures of lessons 07 and 08 draw, by other routes."""

import numpy as np

from focal_edu import figures
from focal_edu.recorded import load


def curves(axes):
    return {line.get_label(): line.get_data() for line in axes.lines}


def test_reliability_at_gamma_adds_up():
    """Accuracy and confidence, weighted by bin, are the record's means."""
    for row in load("calibration")["rows"]:
        confidence, accuracy, part = np.array(row["bins"]).T
        assert abs(part.sum() - 1) < 1e-3
        mean = np.mean(row["accuracy"])
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
            row["ece"]
            for row in rows
            if row["regime"] == regime
            and row["way"] in ("as trained", "temperature")
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


def test_who_moves_the_tail_draws_each_draw_and_the_mean():
    rows = load("long_tail")["rows"]
    figure = figures.who_moves_the_tail(rows, imbalance=50)
    by_name = {
        r["recipe"]: np.array(r["accuracy"])
        for r in rows
        if r["factor"] == 50
    }
    for axes, classes in zip(
        figure.axes, ((0, 3), (3, 7), (7, 10)), strict=True
    ):
        names = [n for n in by_name if n != "CE"]
        dots = [line for line in axes.lines if len(line.get_xdata()) == 20]
        for name, line in zip(names, dots, strict=True):
            apart = (by_name[name] - by_name["CE"])[:, slice(*classes)]
            np.testing.assert_allclose(line.get_xdata(), apart.mean(1))


def test_rarity_is_not_difficulty_draws_the_record():
    rows = load("long_tail")["rows"]
    (row,) = (r for r in rows if (r["factor"], r["recipe"]) == (50, "FL"))
    train, test = figures.rarity_is_not_difficulty(rows, imbalance=50).axes
    np.testing.assert_array_equal(curves(train)["FL"][1], row["p_t_train"])
    np.testing.assert_array_equal(curves(test)["FL"][1], row["p_t_test"])
    assert min(row["p_t_train"]) > 0.99 and row["p_t_test"][9] < 0.5
