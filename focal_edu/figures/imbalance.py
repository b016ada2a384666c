"""Many easy negatives, few positives: which of them carry the loss."""

import numpy as np

from ..reference import focal_loss, sigmoid_focal_loss
from .style import (
    BLACK,
    BLUE,
    GAMMA_LOOKS,
    ORANGE,
    SKY,
    VERMILION,
    lesson_figure,
)

# Share of the total loss carried by the hardest fifth, read off Figure 4 of
# Lin et al. 2017: γ, of positives, of negatives.
PAPER = ((0, 0.476, 0.367), (0.5, 0.523, 0.5), (1, 0.564, 0.714))
PAPER += ((2, 0.631, 0.99),)


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


@lesson_figure
def digit_sheet(figure, images, labels):
    """Return a sheet of digits: positives in the first row, then others."""
    figure.set_size_inches(8, 3.6)
    columns, rows = 10, 4
    positives, others = images[labels == 1], images[labels == 0]
    shown = np.concatenate(
        [positives[:columns], others[: columns * (rows - 1)]]
    )
    for index, image in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        if index < columns:
            for edge in axes.spines.values():
                edge.set(visible=True, color=ORANGE, linewidth=3)
    figure.suptitle(
        "The rare digit, framed, among the others", x=0.01, ha="left"
    )
    return (
        f"{len(shown)} small grey images of handwritten digits. The first "
        f"row, framed, shows {min(columns, len(positives))} eights; the rows "
        "below show other digits."
    )


@lesson_figure
def cumulative_loss(figure, x_t_positives, x_t_negatives):
    """Return the paper's Figure 4 for the logits x_t of the truth.

    Each panel sorts one class's examples by loss, easiest first, and adds
    up their share of the class's total, for γ = 0, ½, 1 and 2.
    """
    figure.set_size_inches(8, 4)
    panels = figure.subplots(1, 2, sharey=True)
    for side, (axes, x_t) in enumerate(
        zip(panels, (x_t_positives, x_t_negatives), strict=True)
    ):
        fraction = np.arange(1, len(x_t) + 1) / len(x_t)
        for gamma, *shares in PAPER:
            look = GAMMA_LOOKS[gamma]
            loss = sigmoid_focal_loss(x_t, np.ones_like(x_t), gamma=gamma)
            share = np.cumsum(np.sort(loss)) / loss.sum()
            axes.plot(fraction, share, label=f"γ = {gamma:g}", **look)
            paper = {"mfc": "white", "mec": look["color"], "ms": 9, "mew": 2}
            axes.plot(0.8, 1 - shares[side], "o", **paper)
        axes.plot([], [], "o", mfc="white", mec=BLACK, label="the paper")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        axes.set_xlabel("part of the examples, easiest first")
    panels[0].set(title="positives: spread over many")
    panels[0].set_ylabel("part of the total loss")
    panels[1].set(title="negatives: only the hardest count")
    panels[0].legend(frameon=False)
    return (
        "Cumulative share of the total loss against the share of examples, "
        "easiest first, for gamma 0, 0.5, 1 and 2. Left, positives: the "
        "four curves lie close. Right, negatives: the larger gamma, the "
        "longer the curve stays near zero. Hollow circles at 0.8 mark the "
        "paper's values."
    )
