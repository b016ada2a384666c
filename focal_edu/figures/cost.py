"""What a loss costs: time over the size of a batch."""

from math import prod, sqrt

from matplotlib.ticker import NullLocator

from .style import BLACK, BLUE, ORANGE, lesson_figure

LOOKS = {
    "usual": {"color": ORANGE, "linestyle": "--", "marker": "s"},
    "cross entropy": {"color": BLACK, "linestyle": ":", "marker": "o"},
}


@lesson_figure
def time_over_size(figure, panels):
    """Return the time of losses in units of ours, over the logits of a batch.

    `panels` maps a title to the rows of a benchmark; all of one task.
    """
    figure.set_size_inches(9, 4)
    said = {title: [] for title in panels}
    for axes, (title, rows) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        ours = {r.shape: r.microseconds for r in rows if r.loss == "ours"}
        axes.axhline(1, color=BLUE, lw=2.2)
        look = {"color": BLUE, "weight": "bold", "ha": "center", "va": "top"}
        middle = sqrt(prod(min(ours)) * prod(max(ours)))
        axes.text(middle, 0.95, "ours", **look)
        for name, look in LOOKS.items():
            line = [r for r in rows if r.loss == name]
            if line:
                sizes = [prod(r.shape) for r in line]
                ratios = [r.microseconds / ours[r.shape] for r in line]
                axes.plot(sizes, ratios, label=name, **look)
                said[title].append(
                    f"{name} {ratios[0]:.1f} for the smallest batch and "
                    f"{ratios[-1]:.1f} for the largest"
                )
        axes.set(xscale="log", yscale="log", title=title)
        axes.set(xlabel="logits in a batch", yticks=(0.25, 0.5, 1, 2, 5, 10))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.legend(loc="upper left")
    figure.axes[0].set_ylabel("time / time of ours")
    return (
        "Time of losses in units of ours, over the logits of a batch, both "
        "axes logarithmic. "
        + " ".join(f"{t}: {', '.join(lines)}." for t, lines in said.items())
    )
