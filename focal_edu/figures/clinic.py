"""What known mistakes do: to the slope, to hopeless examples, to training.

The losses drawn are PyTorch callables that the caller hands over.
"""

import numpy as np

from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    label_line,
    lesson_figure,
)

PENS = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, ":"),
    (PURPLE, "-."),
    (ORANGE, "-"),
)
P_T = np.linspace(0.02, 0.98, 97)
MARGINS = np.linspace(-110, 0, 221)


@lesson_figure
def gradient_multipliers(figure, losses, places):
    """Return |dL/dx| / |dCE/dx| of negatives over p_t, a curve a loss.

    `losses` maps names to binary losses; `places` the names to the p_t at
    which each curve is labelled.
    """
    figure.set_size_inches(8, 4.6)
    axes = figure.add_subplot()
    axes.axhline(1, color=BLACK, lw=1)
    axes.text(0.99, 1.04, "cross entropy", ha="right")
    x_t = np.log(P_T / (1 - P_T))
    for (name, loss), (colour, style) in zip(
        losses.items(), PENS, strict=False
    ):
        slope = _each(loss, -x_t, np.zeros_like(x_t)).gradient
        ratio = np.abs(slope) / (1 - P_T)
        axes.plot(P_T, ratio, style, color=colour, label=name)
        at = np.argmin(np.abs(P_T - places[name]))
        label_line(axes, P_T[at], ratio[at], name, colour)
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set(ylabel="gradient / cross entropy's", ylim=(0, 2.4))
    axes.set_title("Each mistake weighs easy and hard negatives differently")
    return (
        "The gradient of a negative example, as a multiple of cross "
        "entropy's, over p_t: " + ", ".join(losses) + ". Focal loss rises "
        "above 1 for hard examples and falls to nearly 0 for easy ones; the "
        "other curves lie above or below it."
    )


@lesson_figure
def hopeless_examples(figure, losses, places):
    """Return the float32 loss of positives over very negative logits.

    `places` maps the names to the logits at which curves are labelled. A
    cross marks the last finite loss.
    """
    figure.set_size_inches(8, 4.2)
    axes = figure.add_subplot()
    for index, (name, loss) in enumerate(losses.items()):
        colour, style = PENS[index]
        broad = {} if index else {"lw": 6, "alpha": 0.35}
        ones = np.ones_like(MARGINS)
        value = _each(loss, MARGINS, ones, single=True).value
        axes.plot(MARGINS, value, style, color=colour, label=name, **broad)
        first = np.flatnonzero(np.isfinite(value))[0]
        if first:
            at, text = first, f"{name}:\ninfinite left of here"
            axes.plot(MARGINS[at], value[at], "x", color=colour, ms=11)
            axes.text(-80, 93, text, color=colour, weight="bold")
        else:
            at = np.argmin(np.abs(MARGINS - places[name]))
            label_line(axes, MARGINS[at], value[at], name, colour)
    axes.set(xlabel="logit of a positive", ylabel="loss (nats)")
    axes.set(xlim=(-112, 0), ylim=(0, 115))
    axes.set_title("The worse the example, the more the writing matters")
    return (
        "The loss of a positive over its logit, from minus 110 to 0, in "
        "single precision: " + ", ".join(losses) + ". The stable form is a "
        "straight line; the clipped one is flat, so its slope is zero; the "
        "one from rounded probabilities stops where it becomes infinite."
    )


@lesson_figure
def training_differences(figure, differences):
    """Return a dot for each seed: how much AP each variant loses or gains.

    `differences` maps a name to one array of differences for each
    optimiser, itself a mapping from the optimiser's name.
    """
    figure.set_size_inches(8, 0.62 * len(differences) + 1.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    names = list(differences)
    optimisers = list(differences[names[0]])
    for axes, optimiser, (colour, _) in zip(
        panels, optimisers, PENS, strict=False
    ):
        axes.axvline(0, color=GREY, lw=1.5)
        for row, name in enumerate(names):
            dots = differences[name][optimiser]
            axes.plot(
                dots,
                np.full(len(dots), row),
                "o",
                color=colour,
                alpha=0.6,
                label=name,
            )
        axes.set_title(optimiser)
        axes.set_xlabel("AP minus that of focal loss")
    figure.suptitle(
        "Small losses of AP, small gains: it depends on the optimiser",
        x=0.01,
        ha="left",
    )
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    return (
        "A dot for each of the seeds: average precision of a variant minus "
        "that of focal loss on the same seed, under "
        + " and under ".join(optimisers)
        + ". Rows: "
        + ", ".join(names)
        + ". Dots left of the line rank worse than focal loss."
    )


def _each(loss, logits, targets, single=False):
    """Value and gradient of each example, asked one at a time."""
    import torch

    from ..clinic.calls import Form, ask_each

    dtype = torch.float32 if single else torch.float64
    return ask_each(loss, Form("binary"), logits, targets, dtype)
