"""The moving pictures of the lessons: Vega-Lite specifications, and the one
class that shows them."""

from .moving import MovingPicture

__all__ = ["MovingPicture"]
