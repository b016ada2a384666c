"""Three tasks: what a digit pair looks like, and what p_t can win with."""

import numpy as np

from ..gradients import gradient_crossing, gradient_ratio
from .style import BLACK, BLUE, GREEN, ORANGE, VERMILION, lesson_figure


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
