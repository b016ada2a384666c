"""What training with each loss leads to: the figures of lesson 05.

A mean stands with its standard error over digits.
"""

import csv

import numpy as np
from matplotlib.patheffects import withStroke

from ..explore import specification
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PAGE_DPI,
    PURPLE,
    VERMILION,
    lesson_figure,
)

PENS = (
    {"color": BLUE, "ls": "-", "marker": "s"},
    {"color": GREEN, "ls": ":", "marker": "^"},
    {"color": PURPLE, "ls": "-.", "marker": "D"},
    {"color": BLACK, "ls": "--", "marker": "o"},
)


@lesson_figure
def boundaries(figure, k=3):
    """Return the moving picture `boundaries` at one of its positions."""
    spec = specification("boundaries")
    data = {name: _rows(text) for name, text in spec["datasets"].items()}
    figure.set_size_inches(8.1, 4.4)
    figure.set_dpi(84)
    grid = figure.add_gridspec(2, 2, height_ratios=(5, 3))
    points = _columns(data["points"], "x", "y", "positive")
    truth = _columns(data["truth"], "x", "y")
    names = ("cross entropy", "focal loss")
    looks = ({"color": BLACK, "ls": (0, (3, 1.5))}, {"color": BLUE})
    panels = [figure.add_subplot(grid[0, column]) for column in (0, 1)]
    below = [figure.add_subplot(grid[1, column]) for column in (0, 1)]
    for axes, name, look in zip(panels, names, looks, strict=True):
        rare = points[2] == 1
        axes.plot(*points[:2, ~rare], ".", color=GREY, ms=2, alpha=0.6)
        axes.plot(*truth, ":", color=GREEN, label="truth")
        axes.plot(*points[:2, rare], "^", color=VERMILION, ms=7)
        here = [
            row
            for row in data["boundaries"]
            if row["loss"] == name and row["k"] == k
        ]
        for piece in sorted({row["piece"] for row in here}):
            line = [row for row in here if row["piece"] == piece]
            axes.plot(*_columns(line, "x", "y"), **look, label=name)
        axes.set(xlim=(-3.6, 4.4), ylim=(-3.6, 4.4))
        axes.set(xlabel="first feature", ylabel="second feature")
        axes.text(-3.4, -3.3, name, color=look["color"], weight="bold")
        curve = [row for row in data["curves"] if row["loss"] == name]
        for axes, value in zip(below, ("relative", "ap"), strict=True):
            at, height = _columns(curve, "k", value)
            axes.plot(at, height, marker="o", ms=5, **look, label=name)
    steps = [row["steps"] for row in curve]
    best = data["best"][0]["ap"]
    for axes in below:
        axes.axvline(k, color=GREY, lw=1)
        axes.set_xticks(range(0, len(steps), 2), steps[::2])
        axes.set_xlabel("training steps")
    below[0].set(yscale="log", ylabel="loss / first")
    below[0].set_yticks((0.1, 0.2, 0.5, 1), (0.1, 0.2, 0.5, 1))
    below[0].minorticks_off()
    below[1].axhline(best, color=GREEN, ls=":")
    label = {"color": GREEN, "ha": "right", "weight": "bold"}
    below[1].text(9, best + 0.02, "the truth's own AP", **label)
    below[1].set(ylabel="AP, new points", ylim=(0, 0.75))
    panels[0].set_title(
        f"After {steps[k]} steps: each line encloses what its loss calls "
        "positive\nTriangles: the 10 positives. Dotted: the line of whoever "
        "knows the truth"
    )
    return (
        "Two scatter plots of the same 1000 negatives and 10 positives, "
        f"after {steps[k]} steps of training. A solid line encloses what "
        "focal loss calls positive, a dashed one what cross entropy does, "
        "and a dotted circle what the known truth does. Below, over the "
        "steps, each loss as a part of its first value, which falls, and "
        "average precision on new points: both curves rise and level off "
        f"below the truth's own, {best}. A control goes through the recorded "
        "steps."
    )


@lesson_figure
def training_curves(figure, curves):
    """Return loss and AP over the steps, a line a loss, a band of seeds.

    `curves` maps a name to {"steps": (k,), "loss": (k, seeds), "ap": (k,
    seeds)}; each loss is drawn as a part of its first value.
    """
    figure.set_size_inches(8, 3.8)
    figure.set_dpi(PAGE_DPI)
    panels = figure.subplots(1, 2)
    pens = (PENS[-1], *PENS)
    for (name, curve), pen in zip(curves.items(), pens, strict=False):
        relative = curve["loss"] / curve["loss"][0].mean()
        for axes, values in zip(panels, (relative, curve["ap"]), strict=True):
            middle = values.mean(axis=1)
            axes.plot(curve["steps"], middle, ms=5, label=name, **pen)
            spread = values.std(axis=1, ddof=1)
            axes.fill_between(
                curve["steps"],
                middle - spread,
                middle + spread,
                color=pen["color"],
                alpha=0.12,
                lw=0,
            )
    for axes in panels:
        axes.set(xscale="log", xlabel="training steps")
        axes.set_xticks(curve["steps"][::2], curve["steps"][::2])
        axes.minorticks_off()
    panels[0].set(yscale="log", ylabel="training loss / its first value")
    panels[0].set_title("Each loss falls its own way")
    panels[1].set(ylabel="AP on held-out images")
    panels[1].set_title("The ranking is what counts")
    panels[1].legend(frameon=False, loc="upper left")
    return (
        "Two panels over training steps, for "
        + " and ".join(curves)
        + ", each with a band of one standard deviation over seeds. Left, "
        "the training loss as a part of its first value, falling. Right, "
        "average precision on held-out images at one per cent positives, "
        "rising and levelling off."
    )


@lesson_figure
def difference_dots(
    figure, differences, *, title, what="AP minus CE's", frame=None
):
    """Return a row a name: each digit's difference, and their mean.

    `differences` maps a name to an array (digits, seeds), or (digits,).
    Small strokes are seeds; each figure 0 to 9 stands at its digit's mean,
    above another that it would touch; the diamond is the mean of all digits,
    with its standard error. A `frame` ends the axis on the left and on the
    right.
    """
    figure.set_size_inches(8, min(4.3, 0.7 * len(differences) + 1.2))
    figure.set_dpi(PAGE_DPI)
    axes = figure.add_subplot()
    axes.axvline(0, color=GREY, lw=1.5)
    rows = {k: np.asarray(v, float) for k, v in differences.items()}
    if frame is None:
        every = np.concatenate([[0], *(v.ravel() for v in rows.values())])
        frame = every.min(), every.max()
        margin = 0.05 * (frame[1] - frame[0])
        frame = frame[0] - margin, frame[1] + margin
    axes.set(xlabel=what, title=title, xlim=frame)
    axes.set_yticks(range(len(rows)), list(rows))
    figure.draw_without_rendering()  # now the axis has its length
    points = 72 / figure.dpi * axes.get_window_extent().width
    points /= frame[1] - frame[0]
    above, ticks = 0.0, []
    for name, values in rows.items():
        seeds = values.ravel() if values.ndim == 2 else []
        values = values.mean(axis=1) if values.ndim == 2 else values
        lanes = _lanes(points * values)
        low = above + lanes.max() + 1
        ticks.append(low + 0.5)
        axes.plot(
            seeds,
            np.full(len(seeds), low + 1.7),
            "|",
            color=GREY,
            ms=9,
            mew=0.8,
            alpha=0.35,
            label=f"{name}, seeds" if len(seeds) else None,
        )
        for digit, lane in enumerate(lanes):
            mark = {"marker": f"${digit}$", "ms": 8, "color": BLUE}
            mark["path_effects"] = [withStroke(linewidth=2, foreground="w")]
            axes.plot(values[digit], low - lane, **mark)
        error = values.std(ddof=1) / np.sqrt(len(values))
        axes.errorbar(
            values.mean(),
            low + 1,
            xerr=error,
            fmt="D",
            ms=7,
            capsize=4,
            color=VERMILION,
            label=name,
        )
        above = low + (1.9 if len(seeds) else 1.5)
    axes.set_yticks(ticks, list(rows))
    axes.set_ylim(above + 0.6, 0)
    return (
        "For each of "
        + ", ".join(differences)
        + ": a figure 0 to 9 at each digit's difference, small strokes for "
        "single seeds where there are several, and a diamond at the mean of "
        "all digits with its standard error. Right of the line is better."
    )


@lesson_figure
def lever_curves(figure, lines, *, lever, title, what="AP minus CE's"):
    """Return the mean difference over a lever, a line a name.

    `lines` maps a name to a dict from the lever's value to an array
    (digits,); values that are strings are drawn at equal distances.
    """
    figure.set_size_inches(8, 3.8)
    figure.set_dpi(PAGE_DPI)
    axes = figure.add_subplot()
    axes.axhline(0, color=GREY, lw=1.5)
    for (name, line), pen in zip(lines.items(), PENS, strict=False):
        values = np.array(list(line.values()))
        error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
        at = list(line)
        axes.errorbar(
            at, values.mean(axis=1), error, capsize=4, ms=7, label=name, **pen
        )
    axes.set(xlabel=lever, ylabel=what, title=title)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return (
        f"{what} over {lever}, with its standard error over ten digits, a "
        "line for each of " + ", ".join(lines) + "."
    )


def _lanes(points, apart=7.5):
    """The lowest lane of each place, in points, in which it touches none."""
    lanes, ends = np.empty(len(points), int), []
    for place in np.argsort(points):
        free = [n for n, x in enumerate(ends) if points[place] - x >= apart]
        lanes[place] = free[0] if free else len(ends)
        ends[lanes[place] : lanes[place] + 1] = [points[place]]
    return lanes


def _rows(text):
    """The rows of a CSV text, numbers where they are numbers."""
    rows = csv.DictReader(text.splitlines())
    return [{k: _number(value) for k, value in row.items()} for row in rows]


def _number(text):
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) else number


def _columns(rows, *names):
    return np.array([[row[name] for name in names] for row in rows]).T
