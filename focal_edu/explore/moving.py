"""A picture that moves without a kernel, wherever Vega-Lite is drawn."""

import json
from importlib.resources import files

VEGA_LITE = "application/vnd.vegalite.v5+json"
STYLE = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "background": "white",
    "config": {
        "axis": {"labelFontSize": 12, "titleFontSize": 13, "grid": True},
        "text": {"fontSize": 13},
        "title": {
            "anchor": "start",
            "fontSize": 14,
            "fontWeight": "normal",
            "lineHeight": 19,
        },
        "view": {"stroke": None},
    },
}


class MovingPicture:
    """A Vega-Lite v5 specification that stands with a still of itself.

    Parameters
    ----------
    specification : dict
        Vega-Lite v5, its data inline, its controls HTML inputs. What it
        does not say of looks is the lessons' style.
    still : LessonFigure
        The same picture at the controls' first values: what is shown where
        nothing draws Vega-Lite. Its alt text serves both.
    """

    def __init__(self, specification, still):
        description = {"description": still.alt}
        self.specification = STYLE | description | specification
        self.still = still

    def __repr__(self):
        return f"Moving picture: {self.still.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = self.still._repr_mimebundle_()
        data |= {VEGA_LITE: self.specification, "text/plain": repr(self)}
        return data, metadata


def moving_picture(name):
    """Return the moving picture of a name.

    Its specification is the file ``<name>.json`` beside this one; its still
    is the figure ``focal_edu.figures.<name>()``. A name that is not in
    `names` is a ValueError.
    """
    from .. import figures  # Matplotlib: only where a picture is asked for

    if name not in names():
        raise ValueError(f"name must be one of {names()}, got {name!r}")
    return MovingPicture(specification(name), getattr(figures, name)())


def specification(name):
    """Return the Vega-Lite specification of a name, as its file has it."""
    return json.loads(_here().joinpath(f"{name}.json").read_text("utf-8"))


def names():
    """Return the names of all moving pictures, sorted."""
    found = (file.name for file in _here().iterdir())
    return sorted(n[:-5] for n in found if n.endswith(".json"))


def _here():
    return files(__package__)
