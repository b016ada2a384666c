"""The figures of the lessons, one function a figure.

Each returns its figure, which shows itself and carries its alt text.
"""

from .breaking import map_of_breaks
from .clinic import (
    gradient_multipliers,
    hopeless_examples,
    training_differences,
)
from .cost import cost_of_losses
from .imbalance import cumulative_loss, digit_sheet, effective_number
from .losses import (
    focal_loss_in_one_figure,
    loss_beside_cross_entropy,
    loss_curves,
)
from .slopes import (
    curvature_curves,
    gradient_ratio_curves,
    loss_and_slope,
    two_gradients_compared,
)
from .tasks import digit_pair_sheet, winning_can_be_hard

__all__ = [
    "cost_of_losses",
    "cumulative_loss",
    "curvature_curves",
    "digit_pair_sheet",
    "digit_sheet",
    "effective_number",
    "focal_loss_in_one_figure",
    "gradient_multipliers",
    "gradient_ratio_curves",
    "hopeless_examples",
    "loss_and_slope",
    "loss_beside_cross_entropy",
    "loss_curves",
    "map_of_breaks",
    "training_differences",
    "two_gradients_compared",
    "winning_can_be_hard",
]
