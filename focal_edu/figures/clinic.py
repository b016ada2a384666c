"""What known mistakes do: to the slope, to hopeless examples, to training.

The losses drawn are PyTorch callables that the caller hands over.
"""

import numpy as np

from .style import (
    BLACK,
    BLUE,
    GREEN,
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
def measured_profile(figure, profile):
    """Return a loss's measured profile and gradient beside the paper's.

    `profile` is that of a `clinic.Report`. Dots are measured, lines are the
    focal loss that the loss is held against.
    """
    figure.set_size_inches(8, 4.2)
    panels = figure.subplots(1, 2, sharex=True)
    titles = "loss / cross entropy", "gradient / cross entropy's"
    for axes, rows, title in zip(
        panels, (profile.loss, profile.gradient), titles, strict=True
    ):
        for (name, (seen, true)), (colour, style), marker in zip(
            rows.items(), PENS, "os", strict=False
        ):
            axes.plot(profile.p_t, true, style, color=colour)
            axes.plot(
                profile.p_t, seen, marker, color=colour, label=name, ms=5
            )
        axes.set(xlabel="p_t, probability given to the truth", title=title)
    panels[1].legend()
    told = " and ".join(profile.apart(profile.loss, profile.gradient))
    leaves = (
        f"leave the paper's lines for {told}"
        if told
        else "lie on the paper's lines"
    )
    figure.suptitle(f"The measured dots {leaves}", x=0.01, ha="left")
    return (
        "Two panels over p_t: loss over cross entropy, and gradient over "
        "cross entropy's. Dots are measured, lines are the paper's, for "
        f"{' and '.join(profile.loss)}. The dots {leaves}."
    )


def _each(loss, logits, targets, single=False):
    """Value and gradient of each example, asked one at a time."""
    import torch

    from ..clinic.calls import Form, ask_each

    dtype = torch.float32 if single else torch.float64
    return ask_each(loss, Form("binary"), logits, targets, dtype)
