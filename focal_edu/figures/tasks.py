"""Three tasks: what p_t is in each, and the least that can win."""

import numpy as np

from ..gradients import gradient_crossing, gradient_ratio
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, lesson_figure


@lesson_figure
def three_tasks(figure, logits=(2, -1, 3), truths=(1, 0, 1)):
    """Return what p_t is in each task, as the solid part of a column.

    Binary: one column for the first logit. Multi-class: one column that the
    softmax shares out, its truth the last class. Multi-label: a column for
    each logit.
    """
    figure.set_size_inches(8, 3.8)
    panels = figure.subplots(
        1, 3, sharey=True, gridspec_kw={"width_ratios": (1, 1, 2.4)}
    )
    p = 1 / (1 + np.exp(-np.array(logits)))
    shared = np.exp(logits) / np.sum(np.exp(logits))
    classes = [f"class {k}" for k in range(len(shared))]
    _column(panels[0], 0, (1 - p[0], p[0]), 1, ("no", "yes"))
    _column(panels[1], 0, shared, len(shared) - 1, classes)
    for at, (one, truth) in enumerate(zip(p, truths, strict=True)):
        _column(panels[2], at, (1 - one, one), truth, ("no", "yes"))
    panels[0].set(title="binary", xticks=[0], xticklabels=["positive?"])
    panels[1].set(
        title="multi-class", xticks=[0], xticklabels=["which class?"]
    )
    panels[2].set(title="multi-label", xticks=range(len(p)))
    panels[2].set_xticklabels([f"{k} in it?" for k in range(len(p))])
    panels[0].set(ylabel="probability", ylim=(0, 1))
    for axes in panels:
        axes.grid(False)
    return (
        "Columns of height 1. Binary: one column, split between no and yes. "
        "Multi-class: one column, shared among three classes. Multi-label: "
        "three columns, each split between no and yes. In every column the "
        "part given to the truth is solid blue and labelled p_t: "
        f"{p[0]:.2f} in the binary one, {shared[-1]:.2f} in the multi-class "
        "one, and one number for each column of the multi-label one."
    )


def _column(axes, at, parts, truth, names):
    """One column of probabilities, the truth's part solid."""
    floor = 0
    for number, (part, name) in enumerate(zip(parts, names, strict=True)):
        look = {"facecolor": "white", "edgecolor": GREY, "hatch": "//"}
        if true := number == truth:
            look = {"facecolor": BLUE, "edgecolor": BLACK}
        axes.bar(at, part, 0.7, floor, **look, label="p_t" if true else name)
        if part > 0.08:
            axes.text(
                at,
                floor + part / 2,
                f"{name}\np_t = {part:.2f}" if true else name,
                color="white" if true else BLACK,
                ha="center",
                va="center",
                bbox=None if true else {"fc": "white", "ec": "none"},
            )
        floor += part


@lesson_figure
def digit_pair_sheet(figure, images, labels):
    """Return eight canvases of two digits, each under its two labels."""
    figure.set_size_inches(8, 3)
    for index, (image, label) in enumerate(
        zip(images[:8], labels[:8], strict=True)
    ):
        axes = figure.add_subplot(2, 4, index + 1)
        axes.imshow(image.reshape(8, 16), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        names = " and ".join(str(digit) for digit in np.flatnonzero(label))
        axes.set_title(names, loc="center")
    return (
        "Eight small grey canvases, each with two different handwritten "
        "digits side by side and the two digits named above it."
    )


@lesson_figure
def winning_can_be_hard(figure, gamma=2):
    """Return the gradient ratio, and the smallest p_t that can win."""
    figure.set_size_inches(8, 4)
    axes = figure.add_subplot()
    p_t = np.linspace(0.002, 0.998, 499)
    ratio = gradient_ratio(p_t, gamma)
    axes.plot(p_t, ratio, color=BLUE, label="ratio")
    axes.axhline(1, color=BLACK, linestyle="--", linewidth=1.2)
    crossing = gradient_crossing(gamma)
    axes.axvspan(0, crossing, color=ORANGE, alpha=0.18, linewidth=0)
    axes.text(crossing / 2, 0.1, "louder\nthan CE", ha="center")
    for classes, colour in ((2, VERMILION), (4, GREEN), (10, BLACK)):
        at = 1 / classes
        height = gradient_ratio(at, gamma)
        axes.plot(at, height, "o", color=colour, ms=8, label=f"C = {classes}")
        axes.annotate(
            f"C = {classes}: p_t just above {at:g} can win",
            (at, height),
            (at + 0.06, height + 0.12),
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour},
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.5), xlabel="p_t")
    axes.set_ylabel("FL's gradient / CE's gradient")
    axes.set_title("With many classes a correct example can be amplified")
    return (
        f"The gradient ratio at gamma {gamma:g} over p_t, above 1 in the "
        f"shaded part left of {crossing:.4f}. Dots mark p_t = 1/2, 1/4 and "
        "1/10, the least that can win among 2, 4 and 10 classes: the first "
        "lies below 1, the other two above it."
    )
