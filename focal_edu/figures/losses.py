"""Cross entropy and focal loss against the probability of the truth."""

import numpy as np

from ..reference import focal_loss
from .style import (
    BLACK,
    BLUE,
    GAMMA_LOOKS,
    GREY,
    label_line,
    lesson_figure,
)

P_T = np.linspace(0.01, 0.99, 99)
RIGHT = 0.5  # above it an answer is right; Figure 1 of the paper: p_t > .5


@lesson_figure
def focal_loss_in_one_figure(figure):
    """Return CE and FL (γ = 2) over p_t, right answers shaded."""
    figure.set_size_inches(8, 4.2)
    axes = figure.add_subplot()
    axes.axvspan(RIGHT, 1, color=BLUE, alpha=0.08, lw=0)
    for gamma in (0, 2):
        _draw_loss(axes, gamma, **GAMMA_LOOKS[gamma])
    label_line(axes, 0.36, 1.02, "cross entropy (γ = 0)", BLACK)
    label_line(axes, 0.30, 0.59, "focal loss (γ = 2)", BLUE)
    axes.text(0.75, 2.0, "right answers:\nlittle loss left", ha="center")
    axes.text(0.07, 3.5, "the hardest examples:\nnearly the same loss")
    _p_t_axis(axes)
    axes.set_ylim(0, 4.7)
    axes.set_title("Focal loss turns down what the model already gets right")
    return (
        "Two falling curves over p_t, the probability given to the truth. "
        "Cross entropy and focal loss with gamma 2 start together near "
        "p_t = 0; focal loss lies below everywhere. Over the shaded half, "
        "p_t above 0.5, where the answer is right, it is close to zero and "
        "cross entropy is not."
    )


@lesson_figure
def loss_curves(figure):
    """Return FL over p_t for γ = 0, ½, 1, 2, 5: the paper's Figure 1."""
    figure.set_size_inches(8, 4.4)
    axes = figure.add_subplot()
    axes.axvspan(RIGHT, 1, color=GREY, alpha=0.12, lw=0)
    axes.text(0.78, 1.5, "well-classified\nexamples", ha="center")
    label_at = {0: 0.56, 0.5: 0.445, 1: 0.34, 2: 0.235, 5: 0.13}
    for gamma, p_t in label_at.items():
        look = GAMMA_LOOKS[gamma]
        _draw_loss(axes, gamma, **look)
        height = focal_loss(p_t, 1, gamma=gamma)
        label_line(axes, p_t, height, f"γ = {gamma:g}", look["color"])
    _p_t_axis(axes)
    axes.set_ylim(0, 4.7)
    axes.set_title("The larger γ, the sooner an example counts as learned")
    return (
        "Focal loss over p_t for gamma 0, 0.5, 1, 2 and 5. All curves fall "
        "from the same height at the left to zero at the right; the larger "
        "gamma, the lower the curve everywhere between. The half with p_t "
        "above 0.5 is shaded."
    )


def _draw_loss(axes, gamma, **look):
    loss = focal_loss(P_T, np.ones_like(P_T), gamma=gamma)
    axes.plot(P_T, loss, label=f"{gamma:g}", **look)


def _p_t_axis(axes):
    axes.set(xlabel="p_t, probability given to the truth", xlim=(0, 1))
    axes.set_ylabel("loss (nats)")
