"""What a loss costs: time beside time, memory beside memory."""

import numpy as np

from .style import BLUE, GREY, ORANGE, lesson_figure


@lesson_figure
def cost_of_losses(figure, rows, where):
    """Return bars of time and of memory saved, for the rows of one task.

    `rows` are a benchmark's; `where` says on what machine. Those that save
    nothing because they are no losses are grey.
    """
    figure.set_size_inches(9, 3.8)
    left, right = figure.subplots(1, 2, sharey=True)
    names = [row.loss for row in rows]
    places = np.arange(len(rows))
    colours = [
        GREY
        if row.saved is None
        else BLUE
        if row.loss.startswith("ours")
        else ORANGE
        for row in rows
    ]
    hatches = ["" if colour == BLUE else "//" for colour in colours]
    times = [row.milliseconds / rows[0].milliseconds for row in rows]
    saved = [row.saved or 0 for row in rows]
    for axes, values in ((left, times), (right, saved)):
        axes.barh(
            places, values, color=colours, hatch=hatches, edgecolor="white"
        )
        for place, value in zip(places, values, strict=True):
            if axes is left or rows[place].saved is not None:
                axes.text(value, place, f" {value:.2f}", va="center")
        axes.set_xlim(0, 1.25 * max(values))
        axes.grid(axis="y", visible=False)
    left.set_yticks(places, names)
    left.invert_yaxis()
    left.set(title=f"Time, {where}", xlabel="time / time of ours")
    right.set(title="Saved for backward", xlabel="sizes of the logits")
    return (
        f"Two panels of horizontal bars, {where}. Left, time in units of "
        "ours: the compiled ones are the shortest of the losses. Right, "
        "memory saved for backward: ours saves one size of the logits, "
        "torchvision several."
    )
