"""Where a way of writing the loss breaks, over logit and γ."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle

from .style import BLACK, ORANGE, SKY, YELLOW, lesson_figure

LOGITS = (-1000, -89, -40, -17, -8.4, -3, 0, 3, 8.4, 17, 40, 89, 1000)
KINDS = (  # outcome, what it means, colour, hatch; worst last
    ("right", "right", "white", None),
    ("inaccurate", "wrong digits", SKY, ".."),
    ("zero", "0 where it is not 0", YELLOW, "//"),
    ("inf", "infinite", ORANGE, "xx"),
    ("nan", "not a number", BLACK, None),
)


@lesson_figure
def map_of_breaks(figure, forms, dtype):
    """Return a panel for each of the six `forms`, by name.

    Each cell shows the worst outcome of value and gradient, of either label,
    at a γ and a logit x_t of the truth. Forms take logits, targets and γ.
    """
    from ..accuracy import GAMMAS  # loads PyTorch: only this figure does

    figure.set_size_inches(9, 5.6)
    panels = figure.subplots(2, 3, sharex=True, sharey=True).flat
    seen = []
    for axes, (name, form) in zip(panels, forms.items(), strict=True):
        worst = worst_outcomes(form, dtype)
        colours = ListedColormap([kind[2] for kind in KINDS])
        axes.imshow(worst, cmap=colours, vmin=-0.5, vmax=4.5, aspect="auto")
        for number, (_, _, _, hatch) in enumerate(KINDS):
            for row, column in np.argwhere(worst == number):
                if hatch:
                    axes.add_patch(_hatched(column, row, hatch))
        if not worst.any():
            middle = (len(LOGITS) - 1) / 2, (len(GAMMAS) - 1) / 2
            axes.text(*middle, "all right", ha="center", va="center")
        axes.set_title(name, fontsize=12)
        axes.grid(False)
        axes.set_xticks(
            range(len(LOGITS)), [f"{x:g}" for x in LOGITS], rotation=90
        )
        axes.set_yticks(range(len(GAMMAS)), [f"{g:g}" for g in GAMMAS])
        met = [kind[1] for n, kind in enumerate(KINDS) if np.any(worst == n)]
        seen.append(f"{name}: {', '.join(met)}")
    for axes in figure.axes[3:]:
        axes.set_xlabel("logit of the truth")
    for axes in figure.axes[::3]:
        axes.set_ylabel("γ")
    figure.legend(
        handles=[
            Patch(facecolor=colour, hatch=hatch, edgecolor="grey", label=text)
            for _, text, colour, hatch in KINDS
        ],
        loc="outside lower center",
        ncols=5,
        frameon=False,
    )
    precision = str(dtype).removeprefix("torch.")
    return (
        f"Six panels in {precision}, one for each way of writing the loss: "
        "logit of the truth against gamma, coloured and hatched by what goes "
        f"wrong at worst. {'; '.join(seen)}."
    )


def _hatched(column, row, hatch):
    corner = column - 0.5, row - 0.5
    return Rectangle(
        corner,
        1,
        1,
        fill=False,
        hatch=hatch,
        edgecolor="#555555",
        linewidth=0,
    )


def worst_outcomes(form, dtype):
    """Return the number in `KINDS` of the worst outcome, at [γ, logit]."""
    from ..accuracy import GAMMAS, examine_sigmoid

    order = [kind[0] for kind in KINDS]
    worst = np.zeros((len(GAMMAS), len(LOGITS)), int)
    for check in examine_sigmoid(form, dtype, GAMMAS, LOGITS, 1):
        (x,) = check.logits
        x_t = x if check.target else -x
        column = np.argmin(np.abs(np.array(LOGITS) - x_t))
        here = GAMMAS.index(check.gamma), column
        worst[here] = max(worst[here], order.index(check.outcome))
    return worst
