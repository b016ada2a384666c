"""What a loss costs: time over the size of a batch."""

from math import prod

from matplotlib.ticker import NullLocator

from .style import BLACK, BLUE, GREEN, ORANGE, lesson_figure

LOOKS = {
    "usual": {"color": ORANGE, "linestyle": "--", "marker": "s"},
    "torchvision, compiled": {"color": GREEN, "ls": "-.", "marker": "^"},
    "cross entropy": {"color": BLACK, "linestyle": ":", "marker": "o"},
}


@lesson_figure
def time_over_size(figure, panels):
    """Return the time of losses in units of ours, over the logits of a batch.

    `panels` maps a title to the rows of a benchmark; all of one task.
    """
    figure.set_size_inches(9, 4)
    for axes, (title, rows) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0],
        panels.items(),
        strict=True,
    ):
        ours = {r.shape: r.microseconds for r in rows if r.loss == "ours"}
        axes.axhline(1, color=BLUE, lw=2.2)
        look = {"color": BLUE, "weight": "bold", "ha": "right", "va": "top"}
        axes.text(prod(max(ours)), 0.95, "ours", **look)
        for name, look in LOOKS.items():
            line = [r for r in rows if r.loss == name]
            if line:
                axes.plot(
                    [prod(r.shape) for r in line],
                    [r.microseconds / ours[r.shape] for r in line],
                    label=name,
                    **look,
                )
        axes.set(xscale="log", yscale="log", title=title)
        axes.set(
            xlabel="logits in a batch", yticks=(0.25, 0.5, 1, 2, 5, 10, 30)
        )
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.legend(loc="upper left")
    figure.axes[0].set_ylabel("time / time of ours")
    return (
        "Time of losses in units of ours, over the logits of a batch, both "
        "axes logarithmic, a panel each for "
        + " and ".join(panels)
        + ". The usual focal loss is near 1 for small batches and several "
        "times as slow for large ones; cross entropy, which computes less, "
        "is quicker for small batches."
    )
