"""A picture that moves without a kernel, wherever Vega-Lite is drawn."""

VEGA_LITE = "application/vnd.vegalite.v5+json"


class MovingPicture:
    """A Vega-Lite v5 specification that stands with a still of itself.

    Parameters
    ----------
    specification : dict
        Vega-Lite v5, its data inline, its controls HTML inputs.
    still : LessonFigure
        The same picture at the controls' first values: what is shown where
        nothing draws Vega-Lite. Its alt text serves both.
    """

    def __init__(self, specification, still):
        self.specification, self.still = specification, still

    def __repr__(self):
        return f"Moving picture: {self.still.alt}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = self.still._repr_mimebundle_()
        data |= {VEGA_LITE: self.specification, "text/plain": repr(self)}
        return data, metadata
