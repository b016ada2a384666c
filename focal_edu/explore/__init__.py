"""The moving pictures of the lessons: Vega-Lite specifications, one a file,
and the one function that shows them."""

from .moving import MovingPicture, moving_picture, names, specification

__all__ = ["MovingPicture", "moving_picture", "names", "specification"]
