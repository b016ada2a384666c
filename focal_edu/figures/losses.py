"""Cross entropy and focal loss against the probability of the truth."""

import numpy as np

from ..reference import focal_loss
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

P_T = np.linspace(0.01, 0.99, 99)


@lesson_figure
def focal_loss_in_one_figure(figure):
    """Return CE and FL (γ = 2) over p_t, easy examples shaded."""
    figure.set_size_inches(8, 4.2)
    axes = figure.add_subplot()
    axes.axvspan(0.6, 1, color=BLUE, alpha=0.08, lw=0)
    _draw_loss(axes, 0, BLACK, "--")
    _draw_loss(axes, 2, BLUE, "-")
    label_line(axes, 0.36, 1.02, "cross entropy (γ = 0)", BLACK)
    label_line(axes, 0.30, 0.59, "focal loss (γ = 2)", BLUE)
    axes.text(0.8, 2.0, "easy examples:\nfocal loss goes quiet", ha="center")
    axes.text(0.2, 3.6, "hard examples:\nnearly the same loss")
    _p_t_axis(axes)
    axes.set_ylim(0, 4.7)
    axes.set_title("Focal loss is cross entropy, quieter on the easy part")
    return (
        "Two falling curves over p_t, the probability given to the truth. "
        "Cross entropy and focal loss with gamma 2 start together near "
        "p_t = 0; focal loss lies below everywhere and is nearly flat at "
        "zero for easy examples, p_t above 0.6, where cross entropy is not."
    )


@lesson_figure
def loss_curves(figure):
    """Return FL over p_t for γ = 0, ½, 1, 2, 5: the paper's Figure 1."""
    figure.set_size_inches(8, 4.4)
    axes = figure.add_subplot()
    axes.axvspan(0.6, 1, color=GREY, alpha=0.12, lw=0)
    axes.text(0.8, 1.5, "well-classified\nexamples", ha="center")
    for gamma, colour, style, p_t in (
        (0, BLACK, "--", 0.56),
        (0.5, VERMILION, "-", 0.445),
        (1, PURPLE, "-.", 0.34),
        (2, BLUE, "-", 0.235),
        (5, GREEN, ":", 0.13),
    ):
        _draw_loss(axes, gamma, colour, style)
        height = focal_loss(p_t, 1, gamma=gamma)
        label_line(axes, p_t, height, f"γ = {gamma:g}", colour)
    _p_t_axis(axes)
    axes.set_ylim(0, 4.7)
    axes.set_title("The larger γ, the sooner an example counts as learned")
    return (
        "Focal loss over p_t for gamma 0, 0.5, 1, 2 and 5. All curves fall "
        "from the same height at the left to zero at the right; the larger "
        "gamma, the lower the curve everywhere between."
    )


@lesson_figure
def loss_beside_cross_entropy(figure, gamma):
    """Return CE and FL at one γ; small, to be redrawn by a slider."""
    figure.set_size_inches(8, 3.8)
    figure.sharpness = 1
    figure.set_layout_engine("none")  # it costs a second drawing
    axes = figure.add_axes((0.08, 0.15, 0.9, 0.75))
    _draw_loss(axes, 0, BLACK, "--")
    _draw_loss(axes, gamma, BLUE, "-")
    _p_t_axis(axes)
    axes.set_ylim(0, 4.7)
    times = 10**gamma
    axes.set_title(f"γ = {gamma:g}: {times:,.3g} times below CE at p_t = 0.9")
    return (
        f"Cross entropy, dashed, and focal loss at gamma {gamma:g}, solid, "
        "over p_t. Focal loss lies on or below cross entropy everywhere; at "
        f"p_t = 0.9 it is {times:,.3g} times smaller."
    )


def _draw_loss(axes, gamma, colour, style):
    loss = focal_loss(P_T, np.ones_like(P_T), gamma=gamma)
    axes.plot(P_T, loss, style, color=colour, label=f"{gamma:g}")


def _p_t_axis(axes):
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set_ylabel("loss (nats)")
