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
    GAMMA_LOOKS,
    GREY,
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
    for gamma in (0, 2):
        look = GAMMA_LOOKS[gamma]
        loss = sigmoid_focal_loss(LOGITS, POSITIVE, gamma=gamma)
        slope = -sigmoid_focal_gradient(LOGITS, POSITIVE, gamma=gamma)
        above.plot(LOGITS, loss, label=f"{gamma}", **look)
        below.plot(LOGITS, slope, label=f"{gamma}", **look)
    p = gradient_crossing(2)
    crossing = np.log(p / (1 - p))
    for axes in (above, below):
        axes.axvline(crossing, color=GREY, ls=":")
    above.text(-2.6, 3.3, "cross entropy", color=BLACK, weight="bold")
    above.text(-5, 2.2, "focal loss, γ = 2", color=BLUE, weight="bold")
    label_line(below, 1.2, 0.4, "cross entropy", BLACK)
    below.text(-5.9, 1.15, "focal loss, γ = 2", color=BLUE, weight="bold")
    below.text(crossing + 0.1, 1.12, f"p_t = {p:.4f}")
    above.set_ylabel("loss (nats)")
    below.set(
        ylim=(-0.05, 1.3),
        ylabel="size of slope",
        xlabel="x_t, logit of the truth",
    )
    above.set_title(
        "The loss is never larger than CE; left of the line, its slope is"
    )
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
    p_t = np.append(np.linspace(0.002, 0.998, 250), 1 - 1e-9)
    axes.axhline(1, color=BLACK, ls="--")
    label_at = {0.5: 0.80, 1: 0.66, 2: 0.52, 5: 0.34}
    for gamma, at in label_at.items():
        look = GAMMA_LOOKS[gamma]
        colour, height = look["color"], gradient_ratio(at, gamma)
        ratio = gradient_ratio(p_t, gamma)
        axes.plot(p_t, ratio, label=f"{gamma:g}", **look)
        label_line(axes, at, height, f"γ = {gamma:g}", colour)
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
    """Return g divided by the popular (1−p_t)^γ, over p_t, at γ = 2."""
    figure.set_size_inches(8, 3.8)
    axes = figure.add_subplot()
    p_t = np.linspace(0.002, 0.998, 250)
    lost = gradient_ratio(p_t, 2) / (1 - p_t) ** 2
    axes.plot(p_t, lost, color=BLUE, label="lost")
    axes.axhline(3, color=GREY, ls=":")
    axes.text(0.02, 3.05, "1 + γ = 3")
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set(ylabel="g / (1−p_t)²", ylim=(0.9, 3.3))
    axes.set_title(
        "Detached, the factor makes the gradient up to 1 + γ times too small"
    )
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
    for gamma in (0, 2):
        bend = sigmoid_focal_curvature(LOGITS, POSITIVE, gamma=gamma)
        axes.plot(LOGITS, bend, label=f"{gamma}", **GAMMA_LOOKS[gamma])
    turn = inflection(2)
    axes.axhline(0, color=GREY, lw=1)
    axes.axvspan(LOGITS[0], turn, color=VERMILION, alpha=0.12, lw=0)
    axes.axvline(turn, color=GREY, ls=":")
    axes.text(-5.9, 0.24, f"not convex\nbelow x_t = {turn:.2f}")
    label_line(axes, 2.0, 0.105, "cross entropy", BLACK)
    axes.text(0.2, 0.42, "focal loss, γ = 2", color=BLUE, weight="bold")
    axes.set(xlabel="x_t, logit of the truth", xlim=(-6, 4))
    axes.set_ylabel("curvature")
    axes.set_title("Focal loss is not convex where an example is very wrong")
    return (
        "Second derivative over the logit of the truth. Cross entropy's is "
        "positive everywhere. That of focal loss with gamma 2 is negative "
        f"left of x_t = {turn:.2f}, the shaded part, and positive right of "
        "it."
    )


@lesson_figure
def two_valleys(figure):
    """Return a sum of focal losses over one weight w, above its lowest.

    240 positives have the logit w, one has −60 w; γ = 2.
    """
    figure.set_size_inches(8, 3.8)
    axes = figure.add_subplot()
    w = np.linspace(0.02, 0.2, 1801)
    truth = np.ones_like(w)
    many = 240 * sigmoid_focal_loss(w, truth)
    total = many + sigmoid_focal_loss(-60 * w, truth)
    axes.plot(w, total - total.min(), color=BLUE, label="total")
    falls = np.diff(total) < 0
    for at in np.flatnonzero(falls[:-1] & ~falls[1:]) + 1:
        height = total[at] - total.min()
        axes.plot(w[at], height, "o", color=BLUE, ms=9)
        axes.text(w[at], height - 0.01, f"{w[at]:.3f}", ha="right", va="top")
    turn = inflection(2)
    axes.axvline(-turn / 60, color=GREY, ls=":")
    axes.text(
        -turn / 60 + 0.002, 0.14, f"right of this line −60 w < {turn:.2f}"
    )
    axes.set(xlim=(0.02, 0.2), ylim=(-0.03, 0.16), xlabel="weight w")
    axes.set_ylabel("total loss above\nits lowest (nats)")
    axes.set_title("A sum of focal losses can have two valleys")
    return (
        "The total focal loss of 240 positives with logit w and one with "
        "logit -60 w, over w. It falls to a valley at w = 0.043, rises to a "
        "low hill, falls to a second and slightly deeper valley at 0.122, "
        "and rises again."
    )
