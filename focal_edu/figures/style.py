"""What every figure of the lessons shares: colours, type and alt text."""

from base64 import b64encode
from functools import wraps
from io import BytesIO

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for colour-blind readers; never used alone:
# each curve has a line style or a direct label as well.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#767676"

# How a curve of each γ looks, in every figure.
GAMMA_LOOKS = {
    0: {"color": BLACK, "linestyle": "--"},
    0.5: {"color": VERMILION, "linestyle": (0, (8, 2))},
    1: {"color": PURPLE, "linestyle": "-."},
    2: {"color": BLUE, "linestyle": "-"},
    5: {"color": GREEN, "linestyle": ":"},
}

STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "grid.alpha": 0.25,
    "lines.linewidth": 2.2,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
}
PAGE_DPI = 96  # as a page shows it; many figures of one notebook keep to it


class LessonFigure(Figure):
    """A figure that shows itself as a PNG with its alt text.

    It belongs to no pyplot state: what a function returns is all there is.
    """

    alt = ""

    def __repr__(self):
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        picture = BytesIO()
        # savefig would lay it all out twice
        FigureCanvasAgg(self).print_png(picture)
        shown = {
            "alt": self.alt,
            "width": round(PAGE_DPI * self.get_figwidth()),
        }
        return (
            {
                "image/png": b64encode(picture.getvalue()).decode(),
                "text/plain": repr(self),
            },
            {"image/png": shown},
        )


def lesson_figure(draw):
    """Return `draw` made to draw in the lessons' style.

    `draw` is handed a new `LessonFigure` as its first argument, draws on it
    and returns its alt text; its caller gets the figure.
    """

    @wraps(draw)
    def figure(*args, **kwargs):
        with rc_context(STYLE):
            result = LessonFigure(dpi=1.5 * PAGE_DPI)
            result.alt = draw(result, *args, **kwargs)
            return result

    del figure.__wrapped__
    return figure


def label_line(axes, x, y, text, colour):
    """Write `text` on a curve, at a point of it, in the curve's colour."""
    axes.text(
        x,
        y,
        text,
        color=colour,
        fontweight="bold",
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
