"""Lesson 06's figures and moving pictures draw what they are given."""

import numpy as np
from vega import drawn

from focal_edu import figures
from focal_edu.explore.detection import threshold_slider, training_maps

RNG = np.random.default_rng(0)
STEPS = [0, 10, 40]
MAPS = RNG.uniform(0, 1, (2, 3, 4, 5))
IMAGE = RNG.uniform(0, 1, (10, 10))
BOXES = np.array([[1.0, 1, 4, 6]])
FOUND = (
    np.array([[1.0, 1, 4, 5], [6, 6, 9, 9], [2, 2, 5, 6]]),
    np.array([0.8, 0.4, 0.0]),
    np.array([3, 5, 3]),
)
RIGHT = np.array([True, False, False])


def test_scene_and_anchors():
    anchors = np.array([[0.0, 0, 4, 4], [2, 2, 6, 6], [4, 4, 8, 8]])
    figure = figures.scene_and_anchors(
        IMAGE, BOXES, np.array([7]), anchors, np.array([7, -1, -2])
    )
    left, right = figure.axes
    assert left.texts[0].get_text() == "7"
    dots = {c.get_label(): c.get_offsets() for c in right.collections}
    assert dots["positive"].tolist() == [[2, 2]]
    assert dots["background"].tolist() == [[4, 4]]
    assert dots["ignored"].tolist() == [[6, 6]]
    assert right.get_title(loc="left") == "1 positive anchors, 1 negative"


def test_learning_curves():
    curves = {"CE": [[4, 9], [5, 1]], "FL": [[3, 8], [2, 7]]}
    yes, no = figures.learning_curves([0, 10], curves).axes
    assert [list(line.get_ydata()) for line in yes.lines] == [[4, 5], [3, 2]]
    assert [list(line.get_ydata()) for line in no.lines] == [[9, 1], [8, 7]]


def bars(axes):
    """Means and errors of all error bars, in the order drawn."""
    for container in axes.containers:
        line, _, (stems,) = container.lines
        yield (
            np.array(line.get_data(), float).T,
            [np.ptp(s, 0).max() / 2 for s in stems.get_segments() if len(s)],
        )


def test_losses_compared_draws_paired_differences():
    results = {"CE": [0.1, 0.3], "FL": [0.2, 0.5]}
    (axes,) = figures.losses_compared(results, "CE").axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["FL"]
    seeds = [list(x.get_xdata()) for x in axes.lines if x.get_alpha()]
    np.testing.assert_allclose(seeds, [[0.1, 0.2]])
    ((mean, error),) = bars(axes)
    np.testing.assert_allclose(mean, [[0.15, 0]])
    np.testing.assert_allclose(error, [0.05])


def test_gap_against_imbalance_draws_paired_differences():
    results = {
        "CE": [[10, 30], [20, 20], [0, 20]],
        "FL": [[20, 50], [20, 30], [40, 40]],
        "at 800": [[np.nan] * 2, [np.nan] * 2, [11, 33]],
    }
    figure = figures.gap_against_imbalance([40, 200, 800], results, "CE")
    (means, errors), (mark, error) = bars(figure.axes[0])
    np.testing.assert_allclose(means[:, 1], [15, 5, 30])
    np.testing.assert_allclose(errors, [5, 5, 10])
    np.testing.assert_allclose(mark[:, 1], [np.nan, np.nan, 12])
    np.testing.assert_allclose(error, [1])
    assert "FL +15.0 ± 5.0, " in figure.alt
    assert "at 800 not measured, not measured, +12.0 ± 1.0" in figure.alt


def test_crops_stand_under_their_texts():
    figure = figures.crops(list(MAPS[0]), ["a", "b", "c"], "Three")
    for axes, image, text in zip(figure.axes, MAPS[0], "abc", strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
        assert axes.get_title() == text


def test_the_score_maps_follow_the_slider():
    picture = training_maps(STEPS, *MAPS)
    for drawing in picture.specification["hconcat"]:
        colours = drawing["encoding"]["color"]["scale"]
        assert (colours["domain"][0], colours["range"][0]) == (0, "white")
    settings = [{"shown": row} for row in range(3)]
    for row, shown in enumerate(drawn(picture.specification, *settings)):
        assert shown["title"] == [f"after {STEPS[row]} steps"]
        for name, maps in zip(("ce", "fl"), MAPS, strict=True):
            places = {(c["y"], c["x"]): c[name] for c in shown[name]}
            assert len(places) == 20
            for (y, x), per_cent in places.items():
                p = maps[row, int(y), int(x)]
                assert per_cent == min(99, round(100 * p))
    still = picture.still.axes
    np.testing.assert_array_equal(still[0].images[0].get_array(), MAPS[0, 1])
    np.testing.assert_array_equal(still[1].images[0].get_array(), MAPS[1, 1])


def test_the_threshold_slider_counts_what_it_shows():
    picture = threshold_slider(IMAGE, BOXES, FOUND, RIGHT)
    settings = [{"threshold": t} for t in (0.25, 0.5, 0.9)]
    shown = drawn(picture.specification, *settings)
    said = [s["counts"][0]["said"] for s in shown]
    assert said == [
        "p at least 0.25. boxes: 2, right: 1",
        "p at least 0.5. boxes: 1, right: 1",
        "p at least 0.9. boxes: 0, right: 0",
    ]
    boxes = [[box["left"] for box in s.get("detections", [])] for s in shown]
    assert boxes == [[1, 6], [1], []]
    for pixel in shown[0]["scene"]:
        value = IMAGE[int(pixel["top"]), int(pixel["left"])]
        assert pixel["ink"] == round(9 * value)
    title = picture.still.axes[0].get_title(loc="left")
    assert title == said[0]
