"""What focal loss trains a model to say, and how to read it."""

import numpy as np

from ..calibration import posterior, trained_output
from .style import BLACK, BLUE, GREY, VERMILION, lesson_figure

DIAGONAL = {"color": BLACK, "ls": "--", "lw": 1.3}


def _pairs(p):
    return np.stack([p, 1 - np.asarray(p)], axis=-1)


@lesson_figure
def trained_output_at_gamma(figure, gamma=2.0, alpha=0.5, v=0.69):
    """Return the map from a true probability to the trained output."""
    figure.set_size_inches(5, 4.6)
    axes = figure.add_subplot()
    outputs = np.linspace(0.002, 0.998, 499)
    weight = np.array([1 - alpha, alpha])

    def behind(v):
        """η of an output: the weights are part of what was trained."""
        eta = posterior(_pairs(v), gamma) * weight
        return eta[..., 0] / eta.sum(axis=-1)

    axes.plot((0, 1), (0, 1), **DIAGONAL)
    axes.plot(behind(outputs), outputs, color=BLUE, label="map")
    axes.plot(behind(v), v, "o", color=VERMILION, ms=8)
    axes.text(0.87, 0.93, "a probability", ha="right")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("η, true probability of the positive")
    axes.set_ylabel("v, what the model is trained to say")
    axes.set_title(
        f"γ = {gamma:.2f}, α = {alpha:.2f}: an output of {v:.2f} stands for "
        f"{behind(v):.3f}",
        fontsize=11,
        loc="left",
    )
    return (
        "What a model is trained to say against the true probability, with "
        f"the diagonal dashed. At gamma {gamma:g} the curve is flat in the "
        "middle and steep at both ends: above one half it lies below the "
        f"diagonal, under one half above it. An output of {v:g} stands for "
        f"{behind(v):.3f}. Controls change gamma, alpha and the output."
    )


@lesson_figure
def outputs_and_truth(figure, eta, outputs, gamma):
    """Return outputs, and the posterior behind them, against the truth.

    `eta` and `outputs` have shape (N, C); with two classes the first alone
    is drawn, and the map beside it.
    """
    figure.set_size_inches(8, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    shown = slice(0, 1) if eta.shape[1] == 2 else slice(None)
    if eta.shape[1] == 2:
        line = _pairs(np.linspace(0.01, 0.99, 99))
        panels[0].plot(
            line[:, 0], trained_output(line, gamma)[:, 0], color=BLUE
        )
    for axes, values, title, look in (
        (panels[0], outputs, "as trained", "o"),
        (panels[1], posterior(outputs, gamma), "the posterior behind", "s"),
    ):
        axes.plot((0, 1), (0, 1), **DIAGONAL)
        axes.plot(
            eta[:, shown].ravel(),
            values[:, shown].ravel(),
            look,
            color=VERMILION,
            mec="white",
            ms=7,
            label=title,
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="η, true probability")
        axes.set_title(title, fontsize=12)
    panels[0].set_ylabel("v, and what stands behind it")
    classes = (
        "two classes" if eta.shape[1] == 2 else f"{eta.shape[1]} classes"
    )
    return (
        f"Two panels over the true probability, {classes}, with the diagonal "
        f"dashed. Left, what was trained with gamma {gamma:g}: large "
        "probabilities come out too small and small ones too large. Right, "
        "the posterior recovered from it: the dots lie on the diagonal."
    )


@lesson_figure
def reliability_at_gamma(figure, gamma=0, way="as trained"):
    """Return accuracy over confidence, from the recorded networks."""
    from ..recorded import load

    shown = {"gamma": gamma, "regime": "too long", "way": way}
    rows = load("calibration")["rows"]
    row = next(row for row in rows if shown.items() <= row.items())
    confidence, accuracy, part = np.array(row["bins"]).T
    error = np.sum(part * np.abs(confidence - accuracy))
    figure.set_size_inches(5, 4.6)
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), **DIAGONAL)
    axes.vlines(confidence, accuracy, confidence, color=GREY, lw=2)
    axes.plot(confidence, accuracy, color=BLUE, lw=1.5)
    size = 30 + 700 * part
    look = {"color": BLUE, "zorder": 3, "clip_on": False}
    axes.scatter(confidence, accuracy, s=size, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set(xlabel="confidence: p of the class chosen", ylabel="accuracy")
    axes.set_title(
        f"γ = {gamma:g}, {way}: {error:.3f} off on average",
        fontsize=12,
        loc="left",
    )
    return (
        "Accuracy against confidence in ten bins, each dot as large as its "
        "part of the test images, with the diagonal dashed and a grey line "
        f"from each dot to it. At gamma {gamma:g}, {way}, the dots lie "
        f"{error:.3f} off the diagonal on average. Controls change gamma, "
        "and whether a temperature was fitted."
    )


@lesson_figure
def calibration_by_gamma(figure, rows):
    """Return the ECE of each draw by γ: as trained, and with temperature."""
    figure.set_size_inches(8, 4)
    panels = figure.subplots(1, 2, sharey=True)
    regimes = dict(zip(("too long", "in time"), panels, strict=True))
    looks = {
        "as trained": (VERMILION, "o", -0.12),
        "temperature": (BLUE, "s", 0.12),
    }
    for row in rows:
        if row["way"] in looks:
            colour, marker, aside = looks[row["way"]]
            regimes[row["regime"]].plot(
                np.full(len(row["ece"]), row["gamma"] + aside),
                row["ece"],
                marker,
                color=colour,
                ms=4,
                alpha=0.6,
                label=row["way"] if row["gamma"] == 0 else None,
            )
    for regime, axes in regimes.items():
        axes.set(xlabel="γ", xticks=range(6), ylim=(0, None))
        axes.set_title(f"trained {regime}", fontsize=12)
    panels[0].set_ylabel("ECE")
    panels[0].legend(frameon=False)
    return (
        "Expected calibration error against gamma, a dot for each draw. "
        "Left, networks trained too long: as trained it falls from about "
        "0.16 at gamma 0 to about 0.04 at gamma 5; after a temperature it "
        "is about 0.03 for every gamma. Right, trained in time: as trained "
        "it goes up and down with gamma, between about 0.04 and 0.08; after "
        "a temperature it is about 0.03 for every gamma."
    )


@lesson_figure
def entropy_bound(figure, steps, focal, ce, entropy, gamma):
    """Return the terms of FL ≥ CE − γ·H along training."""
    figure.set_size_inches(8, 3.9)
    axes = figure.add_subplot()
    bound = np.asarray(ce) - gamma * np.asarray(entropy)
    axes.plot(steps, ce, "--", color=BLACK, label="CE")
    axes.plot(steps, focal, color=BLUE, label="FL")
    axes.plot(steps, bound, "-.", color=VERMILION, label="bound")
    axes.plot(steps, entropy, ":", color=GREY, label="entropy")
    axes.set(xscale="log", xlabel="steps", ylabel="nats, mean over images")
    axes.legend(frameon=False)
    axes.set_title(f"Focal loss stays above CE − {gamma:g} · entropy")
    return (
        "Four curves over training steps on a logarithmic axis, means over "
        "training images: cross entropy, focal loss below it, the entropy "
        "of the outputs, and the bound, cross entropy less gamma times the "
        "entropy, which lies below focal loss everywhere."
    )
