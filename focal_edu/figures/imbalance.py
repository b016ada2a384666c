"""Many easy negatives, few positives: which of them carry the loss."""

import numpy as np

from ..reference import focal_loss
from .style import (
    BLUE,
    GAMMA_LOOKS,
    SKY,
    VERMILION,
    lesson_figure,
)


@lesson_figure
def who_holds_the_loss(figure):
    """Return shares of the loss: one mistake, a hundred easy negatives.

    The mistake has p_t = 0.2, each negative p_t = 0.95.
    """
    figure.set_size_inches(8, 3)
    axes = figure.add_subplot()
    names = []
    for row, (gamma, alpha) in enumerate(
        ((0, None), (0, 0.99), (2, None), (2, 0.25))
    ):
        mistake = focal_loss(0.2, 1, gamma=gamma, alpha=alpha)
        easy = 100 * focal_loss(0.05, 0, gamma=gamma, alpha=alpha)
        share = 100 * mistake / (mistake + easy)
        axes.barh(row, share, color=BLUE)
        axes.barh(row, 100 - share, left=share, color=SKY, hatch="//")
        axes.text(
            share / 2, row, f"{share:.1f} %", color="white", va="center"
        )
        loss = "CE" if gamma == 0 else f"γ = {gamma}"
        names.append(loss if alpha is None else f"{loss}, α = {alpha}")
    axes.set_yticks(range(4), names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="per cent of the total loss")
    axes.grid(False)
    axes.set_title("One mistake (solid) against a hundred easy negatives")
    return (
        "Four horizontal bars that each add up to 100 per cent of a loss. "
        "The mistake's part, solid, is about a quarter under cross entropy "
        "and nearly all under alpha 0.99, under gamma 2, and under gamma 2 "
        "with alpha 0.25; the hundred easy negatives' part is hatched."
    )


@lesson_figure
def loss_of_one_in_a_hundred(figure):
    """Return the mean loss over p, where one example in 100 is positive."""
    figure.set_size_inches(8, 4)
    axes = figure.add_subplot()
    p = np.geomspace(0.001, 0.9, 9001)
    for gamma, alpha, side, label_at, name in (
        (0, None, "center", (0.0011, 1.35), "cross entropy"),
        (2, None, "left", (0.012, 2.7), "γ = 2"),
        (2, 0.25, "right", (0.0021, 2.0), "γ = 2, α = 0.25"),
    ):
        look = dict(GAMMA_LOOKS[gamma])
        if alpha:
            look |= {"color": VERMILION, "linestyle": "-."}
        mean = sum(
            part * focal_loss(p, np.full_like(p, y), gamma=gamma, alpha=alpha)
            for y, part in ((1, 0.01), (0, 0.99))
        )
        lowest = mean.argmin()
        axes.plot(p, mean / mean[lowest], label=name, **look)
        axes.plot(p[lowest], 1, "o", color=look["color"], ms=9)
        axes.text(p[lowest], 0.85, f"{p[lowest]:.3f}", ha=side)
        axes.text(*label_at, name, color=look["color"], weight="bold")
    axes.set(xscale="log", ylim=(0.75, 3), xlim=(0.001, 0.9))
    axes.set_xticks([0.001, 0.01, 0.1, 0.5], ["0.001", "0.01", "0.1", "0.5"])
    axes.set_xlabel("p, given to all hundred examples")
    axes.set_ylabel("mean loss / its lowest")
    axes.set_title("Only cross entropy is lowest at the truth, 1 in 100")
    return (
        "Mean loss over p, each curve divided by its lowest value, where one "
        "of a hundred examples that look alike is a positive. Cross entropy "
        "is lowest at p = 0.010, focal loss with gamma 2 at 0.154, and with "
        "alpha 0.25 at 0.108."
    )
