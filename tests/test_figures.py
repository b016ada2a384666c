"""What each figure draws equals what the reference says: nbval compares no
images, so a wrong curve would pass it."""

import base64

import numpy as np
import pytest

from focal_edu import figures
from focal_edu.gradients import inflection


def lines(axes):
    """The curves of some axes by label."""
    return {
        line.get_label(): np.array(line.get_data())
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def fl(p, gamma):
    return -((1 - p) ** gamma) * np.log(p)


def slope(p, gamma):
    """Size of dFL/dx, by the textbook formula."""
    return (1 - p) ** gamma * (1 - p - gamma * p * np.log(p))


def test_loss_curves():
    (axes,) = figures.loss_curves().axes
    drawn = lines(axes)
    assert list(drawn) == ["0", "0.5", "1", "2", "5"]
    for gamma, (p, loss) in drawn.items():
        np.testing.assert_allclose(loss, fl(p, float(gamma)), rtol=1e-12)


def test_focal_loss_in_one_figure():
    drawn = lines(figures.focal_loss_in_one_figure().axes[0])
    p, ce = drawn["0"]
    np.testing.assert_allclose(ce, -np.log(p), rtol=1e-12)
    np.testing.assert_allclose(drawn["2"][1], fl(p, 2), rtol=1e-12)


def test_loss_and_slope_share_their_axis():
    above, below = figures.loss_and_slope().axes
    for gamma in (0, 2):
        x, loss = lines(above)[str(gamma)]
        again, size = lines(below)[str(gamma)]
        np.testing.assert_array_equal(x, again)
        np.testing.assert_allclose(loss, fl(sigmoid(x), gamma), rtol=1e-9)
        np.testing.assert_allclose(size, slope(sigmoid(x), gamma), rtol=1e-9)


def test_gradient_ratio_curves():
    (axes,) = figures.gradient_ratio_curves().axes
    drawn = lines(axes)
    for gamma in (0.5, 1, 2, 5):
        p, g = drawn.pop(f"{gamma:g}")
        np.testing.assert_allclose(g, slope(p, gamma) / (1 - p), rtol=1e-12)
    assert not drawn
    points = [line for line in axes.lines if line.get_marker() in "o^"]
    assert len(points) == 8
    for point in points:
        if point.get_marker() == "o":
            assert point.get_ydata()[0] == 1


def test_two_gradients_compared():
    drawn = lines(figures.two_gradients_compared().axes[0])
    p, ratio = drawn["lost"]
    expected = slope(p, 2) / (1 - p) ** 3
    np.testing.assert_allclose(ratio, expected, rtol=1e-9)
    assert ratio.max() < 3


def test_curvature_curves():
    (axes,) = figures.curvature_curves().axes
    for gamma in (0, 2):
        x, bend = lines(axes)[str(gamma)]
        h = 1e-4
        numeric = (
            slope(sigmoid(x - h), gamma) - slope(sigmoid(x + h), gamma)
        ) / (2 * h)
        np.testing.assert_allclose(bend, numeric, atol=1e-7)
        if gamma:
            assert np.all((bend < 0) == (x < inflection(2)))


def test_two_valleys():
    (axes,) = figures.two_valleys().axes
    w, above = lines(axes)["total"]
    total = 240 * fl(sigmoid(w), 2) + fl(sigmoid(-60 * w), 2)
    np.testing.assert_allclose(above, total - total.min(), atol=1e-9)
    dots = [ln.get_xdata()[0] for ln in axes.lines if ln.get_marker() == "o"]
    np.testing.assert_allclose(dots, [0.043, 0.122], atol=5e-4)
    hill = above[(w > dots[0]) & (w < dots[1])].max()
    assert hill > 0.04


def test_who_holds_the_loss():
    (axes,) = figures.who_holds_the_loss().axes
    mistakes, easy = axes.patches[::2], axes.patches[1::2]
    mistake, others = -np.log(0.2), -100 * np.log(0.95)
    quiet = 0.8**2 * mistake, 0.05**2 * others
    expected = [
        a * one / (a * one + (1 - a) * many)
        for a, (one, many) in (
            (0.5, (mistake, others)),
            (0.99, (mistake, others)),
            (0.5, quiet),
            (0.25, quiet),
        )
    ]
    drawn = [bar.get_width() / 100 for bar in mistakes]
    np.testing.assert_allclose(drawn, expected, rtol=1e-9)
    for one, many in zip(mistakes, easy, strict=True):
        assert many.get_x() == one.get_width()
        assert one.get_width() + many.get_width() == pytest.approx(100)


def test_loss_of_one_in_a_hundred():
    axes = figures.loss_of_one_in_a_hundred().axes[0]
    drawn = lines(axes)
    dots = [ln.get_xdata()[0] for ln in axes.lines if ln.get_marker() == "o"]
    for (p, mean), gamma, alpha in zip(
        drawn.values(), (0, 2, 2), (0.5, 0.5, 0.25), strict=True
    ):
        loss = alpha * fl(p, gamma) + 99 * (1 - alpha) * fl(1 - p, gamma)
        np.testing.assert_allclose(mean, loss / loss.min(), rtol=1e-9)
    np.testing.assert_allclose(dots, [0.01, 0.1536, 0.1084], atol=1e-4)


def test_effective_number():
    drawn = lines(figures.effective_number().axes[0])
    n = drawn.pop("n")[0]
    for beta, (x, effective) in drawn.items():
        np.testing.assert_array_equal(x, n)
        geometric = [
            sum(float(beta) ** k for k in range(round(m))) for m in n[:60:20]
        ]
        np.testing.assert_allclose(effective[:60:20], geometric, rtol=0.05)
    assert len(drawn) == 4


def test_a_figure_shows_itself_with_its_alt_text():
    figure = figures.loss_curves()
    data, metadata = figure._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == figure.alt
    assert repr(figure) == data["text/plain"] == f"Figure: {figure.alt}"
