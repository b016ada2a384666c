"""The moving pictures of lessons 07 and 08: Vega draws what the package's
own functions say."""

import numpy as np
import pytest
from test_explore import close, column, pictures
from vega import drawn

from focal_edu.calibration import posterior, trained_output
from focal_edu.explore import specification
from focal_edu.figures.relatives import LOSSES, of_truth
from focal_edu.recorded import load

CHOICES = specification("two_relatives")["params"][0]["bind"]["options"]


def test_both_menus_offer_every_relative():
    one, other, _ = specification("two_relatives")["params"]
    assert one["bind"]["options"] == other["bind"]["options"] == CHOICES
    assert list(LOSSES) == CHOICES


@pytest.mark.parametrize("positive", (1, 0))
def test_two_relatives(positive):
    settings = [
        {"one": one, "other": other, "positive": positive}
        for one, other in zip(CHOICES, CHOICES[1:] + CHOICES[:1], strict=True)
    ]
    shown = drawn(specification("two_relatives"), *settings)
    for at, seen in zip(settings, shown, strict=True):
        for who in ("one", "other"):
            rows = seen[f"loss_of_{who}"]
            p_t = column(rows, "p_t")
            apart = abs(p_t - 0.5) > 1e-9  # where dual focal loss jumps
            loss, ratio = of_truth(at[who], p_t, bool(positive))
            found = column(rows, f"loss_{who}")
            close(found[apart], loss[apart], rtol=1e-6)
            found = column(seen[f"ratio_of_{who}"], f"ratio_{who}")
            close(found[apart], ratio[apart], rtol=1e-6)
            assert at[who] in seen["title"][0]
        kind = "positive" if positive else "negative"
        assert f"for a {kind}: the loss" in seen["title"][1]


def test_trained_output_at_gamma():
    for at, seen in pictures(
        "trained_output_at_gamma",
        gamma=(0, 0.5, 2, 5),
        alpha=(0.25, 0.5),
        v=(0.2, 0.69),
    ):
        alpha = (at["alpha"], 1 - at["alpha"])
        eta = column(seen["map"], "eta")
        inside = (eta > 1e-4) & (eta < 1 - 1e-4)
        pairs = np.stack([eta, 1 - eta], axis=-1)[inside]
        v = trained_output(pairs, at["gamma"], alpha=alpha)[:, 0]
        close(column(seen["map"], "v")[inside], v, rtol=1e-6)
        (dot,) = seen["dot"]
        assert f"stands for {dot['eta']:.3f}" in seen["title"][0]
        if at["alpha"] == 0.5:
            back = posterior((at["v"], 1 - at["v"]), at["gamma"])[0]
            close(dot["eta"], back)


def test_reliability_at_gamma_draws_the_record():
    rows = {
        (row["gamma"], row["way"]): row["bins"]
        for row in load("calibration")["rows"]
        if row["regime"] == "too long"
    }
    for at, seen in pictures(
        "reliability_at_gamma",
        gamma=range(6),
        way=("as trained", "temperature"),
    ):
        confidence, accuracy, part = np.array(rows[at["gamma"], at["way"]]).T
        close(column(seen["dots"], "confidence"), confidence)
        close(column(seen["dots"], "accuracy"), accuracy)
        off = (part * abs(confidence - accuracy)).sum()
        assert f"{off:.3f} off on average" in seen["title"][0]
