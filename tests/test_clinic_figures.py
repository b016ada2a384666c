"""What the figures of lesson 11 draw equals what the formulas say."""

import numpy as np

from focal_edu import figures
from focal_edu.clinic import build, examine


def lines(axes):
    return {
        line.get_label(): np.array(line.get_data())
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


def test_gradient_multipliers():
    names = ("p_t detached", "wrong negative branch", "gamma multiplied")
    losses = {"focal loss": build(reduction="sum")}
    losses |= {name: build(name, reduction="sum") for name in names}
    figure = figures.gradient_multipliers(losses, dict.fromkeys(losses, 0.5))
    drawn = lines(figure.axes[0])
    p = drawn["focal loss"][0]
    log_p = np.log(p)
    expected = {
        "focal loss": (1 - p) ** 2 - 2 * p * (1 - p) * log_p,
        "p_t detached": (1 - p) ** 2,
        "wrong negative branch": 1 - p - p * log_p,
        "gamma multiplied": 2 * (1 - p - p * log_p),
    }
    assert set(drawn) == set(expected)
    for name, (x, ratio) in drawn.items():
        np.testing.assert_array_equal(x, p)
        np.testing.assert_allclose(ratio, expected[name], rtol=1e-9)


def test_hopeless_examples():
    losses = {"stable": build()}
    for name in ("p_t clipped", "log of a rounded probability"):
        losses[name] = build(name)
    figure = figures.hopeless_examples(
        losses, {"stable": -60, "p_t clipped": -70}
    )
    drawn = lines(figure.axes[0])
    x, stable = drawn["stable"]
    ce, p_t = np.logaddexp(0, -x), 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(stable, (1 - p_t) ** 2 * ce, rtol=1e-5)
    clipped = drawn["p_t clipped"][1]
    np.testing.assert_allclose(clipped[x < -17], 16.118, atol=2e-3)
    rounded = drawn["log of a rounded probability"][1]
    assert np.isinf(rounded[x < -104]).all()
    assert np.isfinite(rounded[x > -87]).all()
    (cross,) = (m for m in figure.axes[0].lines if m.get_marker() == "x")
    assert -105 < cross.get_xdata()[0] < -87


def test_measured_profile():
    def loss(x, y, gamma=2, alpha=0.25):
        p = x.sigmoid()
        positive = (1 - p) ** gamma * y * p.log()
        return -alpha * (positive + p * (1 - y) * (1 - p).log()).mean()

    profile = examine(loss).profile
    figure = figures.measured_profile(profile)
    for axes, slope in zip(figure.axes, (False, True), strict=True):
        drawn = lines(axes)
        p = drawn["positives"][0]
        q, log = 1 - p, np.log(p)
        positive = q**2 - 2 * p * q * log if slope else q**2
        negative = q - p * log if slope else q
        for name, seen in (("positives", positive), ("negatives", negative)):
            np.testing.assert_allclose(drawn[name][1], 0.25 * seen, rtol=1e-6)
    leaves = "dots leave the paper's lines for negatives"
    assert leaves in figure.alt and leaves in figure.get_suptitle()
    right = figures.measured_profile(examine(build(alpha=0.25)).profile)
    assert "lie on the paper's lines" in right.get_suptitle()
