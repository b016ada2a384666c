"""The moving pictures: Vega draws what the reference says, at every setting
of the controls, and the still is the picture as it opens."""

import math

import numpy as np
import pytest
from vega import drawn

from focal_edu.explore import (
    MovingPicture,
    moving_picture,
    names,
    specification,
)
from focal_edu.gradients import (
    gradient_crossing,
    gradient_peak,
    gradient_ratio,
    sigmoid_focal_gradient,
)
from focal_edu.reference import focal_loss, sigmoid_focal_loss

GAMMAS = (0, 0.5, 1, 2, 5)


def column(rows, field):
    return np.array([row[field] for row in rows], float)


def grid(**values):
    """Every combination of the controls' values."""
    settings = [{}]
    for name, several in values.items():
        settings = [s | {name: v} for s in settings for v in several]
    return settings


def pictures(name, **values):
    """(setting, what is drawn) for every combination of values."""
    settings = grid(**values)
    return zip(settings, drawn(specification(name), *settings), strict=True)


def close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", names())
def test_the_still_is_the_picture_as_it_opens(name):
    picture = moving_picture(name)
    (opened,) = drawn(picture.specification)
    title = picture.still.axes[0].get_title(loc="left")
    assert title.splitlines() == opened["title"]
    assert opened["empty"] == 0


@pytest.mark.parametrize("name", names())
def test_every_control_is_labelled_and_opens_within_its_range(name):
    controls = [p for p in specification(name)["params"] if "bind" in p]
    assert controls
    for control in controls:
        bind = control["bind"]
        assert bind["name"].strip()
        if bind["input"] == "range":
            steps = (control["value"] - bind["min"]) / bind["step"]
            assert math.isclose(steps, round(steps), abs_tol=1e-9)
            assert bind["min"] <= control["value"] <= bind["max"]
        else:
            assert control["value"] in bind["options"]


def test_a_moving_picture_shows_itself_with_its_still_and_alt_text():
    picture = moving_picture("batch_share")
    data, metadata = picture._repr_mimebundle_()
    shown = data["application/vnd.vegalite.v5+json"]
    assert shown["description"] == metadata["image/png"]["alt"]
    assert specification("batch_share").items() <= shown.items()
    assert "image/png" in data and "94.7 per cent" in data["text/plain"]
    assert isinstance(picture, MovingPicture)
    with pytest.raises(ValueError, match=r"name must be one of.*'share'"):
        moving_picture("share")


def test_loss_at_gamma():
    for at, seen in pictures(
        "loss_at_gamma", gamma=GAMMAS, example=(0.1, 0.9)
    ):
        p_t = column(seen["focal_loss"], "p_t")
        ones = np.ones_like(p_t)
        assert len(p_t) == 99
        close(column(seen["cross_entropy"], "ce"), -np.log(p_t))
        expected = focal_loss(p_t, ones, gamma=at["gamma"])
        close(column(seen["focal_loss"], "fl"), expected)
        (ce,), (fl,) = seen["example_ce"], seen["example_fl"]
        loss = focal_loss(at["example"], 1, gamma=at["gamma"])
        close([fl["p_t"], fl["fl"]], [at["example"], loss])
        assert f"focal loss {loss:.5f}" in seen["title"][1]
        assert f"cross entropy {ce['ce']:.5f}" in seen["title"][0]
        times = ce["ce"] / fl["fl"]
        assert f" {times:,.2f} times lower" in seen["title"][1]


def test_batch_share():
    for at, seen in pictures("batch_share", gamma=GAMMAS, n=(10, 100, 1000)):
        for row, gamma in zip(
            seen["hard_example"], (0, at["gamma"]), strict=True
        ):
            hard = focal_loss(0.1, 1, gamma=gamma)
            share = hard / (hard + at["n"] * focal_loss(0.9, 1, gamma=gamma))
            close(row["share"], share)
            assert row["label"].endswith(f" {100 * share:.1f} %")
        assert f"carries {100 * share:.1f} % of" in seen["title"][1]


def test_ratio_at_gamma():
    for at, seen in pictures("ratio_at_gamma", gamma=(0.25, 0.5, 1, 2, 5)):
        gamma = at["gamma"]
        p_t = column(seen["ratio"], "p_t")
        close(column(seen["ratio"], "g"), gradient_ratio(p_t, gamma))
        (peak,), (crossing,) = seen["peak"], seen["crossing"]
        p, top = gradient_peak(gamma)
        assert abs(peak["p_t"] - p) <= 0.001
        close(peak["g"], top, rtol=1e-4)
        assert f"peak {top:.3f} at" in peak["label"]
        assert abs(crossing["at"] - gradient_crossing(gamma)) < 1e-5


def test_loss_over_logit():
    for at, seen in pictures(
        "loss_over_logit", gamma=GAMMAS, alpha=(0, 0.25, 1), x=(-2, 3)
    ):
        focal = {"gamma": at["gamma"], "alpha": at["alpha"]}
        for y, name in ((1, "positive"), (0, "negative")):
            x = np.append(column(seen[f"{name}_loss"], "logit"), at["x"])
            y = np.full(x.shape, y)
            loss = sigmoid_focal_loss(x, y, **focal)
            slope = sigmoid_focal_gradient(x, y, **focal)
            drawn_loss = column(seen[f"{name}_loss"], f"{name}_loss")
            drawn_slope = column(seen[f"{name}_slope"], f"{name}_slope")
            close(drawn_loss, loss[:-1])
            assert drawn_loss.max() < 6.2  # below the words, at 6.5
            close(drawn_slope, slope[:-1])
            said = f"a {name} loses {loss[-1]:.4f}, slope {slope[-1]:.4f}"
            title = seen["title"][1 if name == "positive" else 2]
            assert (
                said.replace("-", "−").replace("−0.0000", "0.0000") in title
            )


def test_first_loss():
    for at, seen in pictures(
        "first_loss", bias=(-8, -4.6, 0), gamma=GAMMAS, alpha=(0.05, 0.75)
    ):
        focal = {"gamma": at["gamma"], "alpha": at["alpha"]}
        b = np.append(column(seen["positive"], "b"), at["bias"])
        positive = sigmoid_focal_loss(b, np.ones_like(b), **focal)
        negatives = 1e5 * sigmoid_focal_loss(b, np.zeros_like(b), **focal)
        close(column(seen["positive"], "positive"), positive[:-1])
        close(column(seen["negatives"], "negatives"), negatives[:-1])
        assert negatives.max() < 1e5  # below the words, at 3e5
        digits = ".4f" if negatives[-1] < 10 else ",.1f"
        assert seen["title"][1].endswith(f" {negatives[-1]:{digits}}")
        assert seen["title"][2] == f"one positive {positive[-1]:.4f}"


def test_winning_p_t():
    for at, seen in pictures("winning_p_t", C=(2, 10, 100), gamma=GAMMAS):
        p_t = column(seen["ratio"], "p_t")
        close(column(seen["ratio"], "g"), gradient_ratio(p_t, at["gamma"]))
        (dot,) = seen["least_that_wins"]
        ratio = gradient_ratio(1 / at["C"], at["gamma"])
        close([dot["p_t"], dot["g"]], [1 / at["C"], ratio])
        assert f"gradient is {ratio:.3f} times" in seen["title"][1]


@pytest.mark.parametrize(
    ("bits", "dtype"), [(11, "float16"), (24, "float32"), (53, "float64")]
)
def test_float_map_rounds_as_the_format_does(bits, dtype):
    ((_, seen),) = pictures("float_map", bits=(bits,))
    x = column(seen["stable"], "logit")
    close(column(seen["stable"], "stable"), np.logaddexp(0, x))
    sigmoid = 1 / (1 + np.exp(-x.astype(dtype)))
    kept = (1 - sigmoid).astype(float)
    # an exponential or a tie that rounds the other way: one unit, at times
    off = np.abs(column(seen["stable"], "kept") - kept) * 2.0**bits
    assert off.max() <= 2 and np.mean(off > 0) < 0.1
    infinite = column(seen["infinite"], "logit")
    np.testing.assert_array_equal(infinite, x[(kept == 0) & (x % 1 == 0)])


def test_float_map_knows_bfloat16():
    torch = pytest.importorskip("torch")
    ((_, seen),) = pictures("float_map", bits=(8,))
    x = torch.tensor(column(seen["stable"], "logit"), dtype=torch.bfloat16)
    kept = (1 - 1 / (1 + torch.exp(-x))).double().numpy()
    off = np.abs(column(seen["stable"], "kept") - kept) * 2.0**8
    assert off.max() <= 2 and np.mean(off > 0) < 0.1
