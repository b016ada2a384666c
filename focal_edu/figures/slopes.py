"""Slopes and curvature: what focal loss does to the gradient."""

import numpy as np

from ..gradients import (
    gradient_crossing,
    gradient_peak,
    gradient_ratio,
    inflection,
    sigmoid_focal_curvature,
    sigmoid_focal_gradient,
)
from ..reference import sigmoid_focal_loss
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    label_line,
    lesson_figure,
)

LOGITS = np.linspace(-6, 4, 201)
POSITIVE = np.ones_like(LOGITS)


@lesson_figure
def loss_and_slope(figure):
    """Return loss above and size of slope below, CE and FL, over x_t."""
    figure.set_size_inches(8, 5.6)
    above, below = figure.subplots(2, 1, sharex=True)
    for gamma, colour, style in ((0, BLACK, "--"), (2, BLUE, "-")):
        loss = sigmoid_focal_loss(LOGITS, POSITIVE, gamma=gamma)
        slope = -sigmoid_focal_gradient(LOGITS, POSITIVE, gamma=gamma)
        above.plot(LOGITS, loss, style, color=colour, label=f"{gamma}")
        below.plot(LOGITS, slope, style, color=colour, label=f"{gamma}")
    p = gradient_crossing(2)
    crossing = np.log(p / (1 - p))
    for axes in (above, below):
        axes.axvline(crossing, color=GREY, ls=":")
    above.text(-2.6, 3.3, "cross entropy", color=BLACK, weight="bold")
    above.text(-5, 2.2, "focal loss, γ = 2", color=BLUE, weight="bold")
    label_line(below, 1.2, 0.4, "cross entropy", BLACK)
    label_line(below, -2.9, 1.13, "focal loss, γ = 2", BLUE)
    below.text(crossing + 0.1, 0.04, f"p_t = {p:.4f}", color="#505050")
    above.set_ylabel("loss (nats)")
    below.set(
        ylim=(-0.05, 1.3),
        ylabel="size of slope",
        xlabel="x_t, logit of the truth",
    )
    above.set_title("The loss is never larger than CE; the slope is, left")
    return (
        "Two panels over the logit of the truth. Above, the loss: focal loss "
        "lies below cross entropy everywhere. Below, the size of the slope: "
        "focal loss is steeper than cross entropy left of the dotted line at "
        f"p_t = {p:.4f}, and much flatter to its right."
    )


@lesson_figure
def gradient_ratio_curves(figure):
    """Return g(p_t, γ) for γ = ½, 1, 2, 5, with crossings and peaks."""
    figure.set_size_inches(8, 4.4)
    axes = figure.add_subplot()
    p_t = np.linspace(0.002, 0.998, 250)
    axes.axhline(1, color=BLACK, ls="--")
    for gamma, colour, style, at in (
        (0.5, VERMILION, "-", 0.80),
        (1, PURPLE, "-.", 0.66),
        (2, BLUE, "-", 0.52),
        (5, GREEN, ":", 0.34),
    ):
        ratio = gradient_ratio(p_t, gamma)
        axes.plot(p_t, ratio, style, color=colour, label=f"{gamma:g}")
        label_line(
            axes, at, gradient_ratio(at, gamma), f"γ = {gamma:g}", colour
        )
        axes.plot(*gradient_peak(gamma), "^", color=colour, ms=8)
        axes.plot(gradient_crossing(gamma), 1, "o", color=colour, ms=8)
    axes.text(0.98, 1.03, "cross entropy", ha="right")
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set(ylabel="g = FL's gradient / CE's gradient", ylim=(0, 1.5))
    axes.set_title("Below a crossing, focal loss makes the gradient larger")
    return (
        "The gradient ratio g over p_t for gamma 0.5, 1, 2 and 5. Each curve "
        "starts at 1, rises to a peak (triangle), falls through 1 at its "
        "crossing (circle) and reaches 0 at p_t = 1. The larger gamma, the "
        "higher the peak and the further left peak and crossing lie."
    )


@lesson_figure
def two_gradients_compared(figure):
    """Return g and the popular (1−p_t)^γ, as shares of each other, γ = 2."""
    figure.set_size_inches(8, 3.8)
    axes = figure.add_subplot()
    p_t = np.linspace(0.002, 0.998, 250)
    lost = gradient_ratio(p_t, 2) / (1 - p_t) ** 2
    axes.plot(p_t, lost, color=BLUE, label="lost")
    axes.axhline(3, color=GREY, ls=":")
    axes.text(0.02, 3.05, "1 + γ = 3")
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set(ylabel="g / (1−p_t)²", ylim=(0.9, 3.3))
    axes.set_title("Treating the factor as a constant loses up to 1 + γ")
    return (
        "The true gradient ratio divided by the popular (1 - p_t) squared, "
        "over p_t. It starts at 1 for the hardest examples and rises to 3 "
        "for the easiest: the popular formula is too small by up to 1 + "
        "gamma."
    )


@lesson_figure
def curvature_curves(figure):
    """Return the second derivative of CE and FL over x_t."""
    figure.set_size_inches(8, 3.8)
    axes = figure.add_subplot()
    for gamma, colour, style in ((0, BLACK, "--"), (2, BLUE, "-")):
        bend = sigmoid_focal_curvature(LOGITS, POSITIVE, gamma=gamma)
        axes.plot(LOGITS, bend, style, color=colour, label=f"{gamma}")
    turn = inflection(2)
    axes.axhline(0, color=GREY, lw=1)
    axes.axvspan(LOGITS[0], turn, color=VERMILION, alpha=0.12, lw=0)
    axes.axvline(turn, color=GREY, ls=":")
    axes.text(-5.9, 0.24, f"not convex\nbelow x_t = {turn:.2f}")
    label_line(axes, 2.0, 0.105, "cross entropy", BLACK)
    label_line(axes, -0.9, 0.41, "focal loss, γ = 2", BLUE)
    axes.set(xlabel="x_t, logit of the truth", xlim=(-6, 4))
    axes.set_ylabel("curvature")
    axes.set_title("Focal loss is not convex where an example is very wrong")
    return (
        "Second derivative over the logit of the truth. Cross entropy's is "
        "positive everywhere. That of focal loss with gamma 2 is negative "
        f"left of x_t = {turn:.2f}, the shaded part, and positive right of "
        "it."
    )
