"""A long tail: who moves it, and what focal loss can see of it."""

import numpy as np

from ..relatives import effective_number as effective
from .style import BLACK, BLUE, GREEN, PURPLE, VERMILION, lesson_figure

GROUPS = {
    "head, 3 classes": slice(0, 3),
    "middle, 4 classes": slice(3, 7),
    "tail, 3 classes": slice(7, 10),
}


def accuracies(rows, imbalance):
    """Return accuracies of each recipe, (draws, 10 classes)."""
    return {
        row["recipe"]: np.array(row["accuracy"])
        for row in rows
        if row["factor"] == imbalance
    }


@lesson_figure
def who_moves_the_tail(figure, rows, imbalance):
    """Return each recipe's accuracy minus cross entropy's, a dot a draw."""
    figure.set_size_inches(8, 4.8)
    found = accuracies(rows, imbalance)
    ce = found.pop("CE")
    panels = figure.subplots(1, 3, sharey=True)
    names = list(found)
    for axes, (group, classes) in zip(panels, GROUPS.items(), strict=True):
        axes.axvline(0, color=BLACK, ls="--", lw=1.2)
        for row, name in enumerate(names):
            apart = (found[name] - ce)[:, classes].mean(axis=1)
            spread = np.linspace(-0.25, 0.25, len(apart))
            focal = name.startswith("FL")
            colour = VERMILION if focal else BLUE
            axes.plot(
                apart, row + spread, "o", ms=3, color=colour, alpha=0.45
            )
            error = apart.std(ddof=1) / np.sqrt(len(apart))
            axes.errorbar(
                apart.mean(),
                row,
                xerr=2 * error,
                fmt="D" if focal else "s",
                color=colour,
                ms=7,
                mec="white",
                capsize=3,
                label=name,
            )
        axes.set_title(group, fontsize=11)
        axes.locator_params(axis="x", nbins=3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[1].set_xlabel("accuracy minus cross entropy's")
    figure.suptitle(
        f"Imbalance {imbalance}: shifting logits moves the tail, focal loss "
        "does not",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    return (
        f"Three panels, head, middle and tail, at imbalance {imbalance}. For "
        "each recipe a row of dots, one a draw, shows its accuracy minus "
        "cross entropy's, with the mean and two standard errors. Focal loss "
        "stays at zero in all three; weights, oversampling and LDAM move the "
        "tail to the right; logit adjustment, in training or after it, moves "
        "it furthest and costs a little of the head."
    )


@lesson_figure
def rarity_is_not_difficulty(figure, rows, imbalance):
    """Return mean p_t of training and of test images, a class."""
    figure.set_size_inches(8, 3.9)
    panels = figure.subplots(1, 2, sharey=True)
    by_name = {r["recipe"]: r for r in rows if r["factor"] == imbalance}
    looks = (
        ("CE", BLACK, "--", "o"),
        ("FL", VERMILION, "-", "D"),
        ("logit adjustment", BLUE, "-.", "s"),
    )
    for axes, part in zip(panels, ("train", "test"), strict=True):
        for name, colour, style, marker in looks:
            values = by_name[name][f"p_t_{part}"]
            axes.plot(
                range(10),
                values,
                style,
                color=colour,
                marker=marker,
                ms=6,
                label=name,
            )
        axes.set(xlabel="class, from the largest to the smallest")
        axes.set(xticks=range(10), ylim=(0, 1.03))
    panels[0].set_title("images it was trained on", fontsize=11)
    panels[1].set_title("test images", fontsize=11)
    panels[0].set_ylabel("mean p_t")
    panels[0].legend(frameon=False, loc="lower left")
    figure.suptitle(
        "At the end of training the rare classes are as easy as the others",
        x=0.01,
        ha="left",
        fontsize=13,
    )
    return (
        f"Mean p_t by class at imbalance {imbalance}, for cross entropy, "
        "focal loss and logit adjustment. Left, training images: all near 1 "
        "for every class. Right, test images: near 1 for the largest, "
        "falling steeply for the smallest; logit adjustment falls least."
    )


@lesson_figure
def effective_number(figure):
    """Return (1 − β^n) / (1 − β) over n for four β."""
    figure.set_size_inches(8, 4)
    axes = figure.add_subplot()
    n = np.geomspace(1, 1e5, 101)
    axes.plot(n, n, "--", color=BLACK, label="n")
    for beta, colour, style in (
        (0.9, VERMILION, "-"),
        (0.99, PURPLE, "-."),
        (0.999, GREEN, ":"),
        (0.9999, BLUE, "-"),
    ):
        curve = effective(n, beta)
        axes.plot(n, curve, style, color=colour, label=f"{beta:g}")
        axes.text(
            n[-1] * 1.1, curve[-1], f"β = {beta:g}", color=colour, va="center"
        )
    axes.text(n[-1] * 1.1, n[-1], "n", va="center")
    axes.set(xscale="log", yscale="log", xlim=(1, n[-1] * 6))
    axes.set(xlabel="n, examples of a class", ylabel="effective number")
    axes.set_title("The effective number levels off at 1 / (1 − β)")
    return (
        "Effective number against the number of examples, both axes "
        "logarithmic. The curves for beta 0.9, 0.99, 0.999 and 0.9999 "
        "follow the diagonal at first and level off at 10, 100, 1000 and "
        "10000."
    )


@lesson_figure
def masks_beside(figure, canvas, truth, predicted, names):
    """Return a canvas, the true masks and each loss's masks as colours."""
    figure.set_size_inches(8, 1.5 * (len(names) + 1) / 2 + 0.8)
    shown = [("canvas", canvas.reshape(8, 16)), ("truth", truth)]
    shown += list(zip(names, predicted, strict=True))
    rows = -(-len(shown) // 3)
    for place, (name, picture) in enumerate(shown, 1):
        axes = figure.add_subplot(rows, 3, place)
        axes.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, fontsize=11)
    figure.suptitle(
        "The ink of one digit, as each loss finds it", x=0.01, ha="left"
    )
    return (
        "Small grey pictures: a canvas of two digits, the ink of one of "
        f"them, and what networks trained with {', '.join(names)} mark as "
        "that digit's ink."
    )
