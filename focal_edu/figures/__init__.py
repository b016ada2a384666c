"""The figures of the lessons, one function a figure.

Each returns its figure, which shows itself and carries its alt text.
"""

from .breaking import map_of_breaks
from .calibration import (
    calibration_by_gamma,
    entropy_bound,
    outputs_and_truth,
    reliability_at_gamma,
    trained_output_at_gamma,
)
from .clinic import (
    gradient_multipliers,
    hopeless_examples,
    measured_profile,
)
from .cost import time_over_size
from .detection import (
    crops,
    detections_at,
    gap_against_imbalance,
    learning_curves,
    losses_compared,
    scene_and_anchors,
    score_maps,
)
from .imbalance import (
    loss_of_one_in_a_hundred,
    who_holds_the_loss,
)
from .losses import focal_loss_in_one_figure, loss_curves
from .relatives import two_relatives
from .slopes import (
    curvature_curves,
    gradient_ratio_curves,
    loss_and_slope,
    two_gradients_compared,
    two_valleys,
)
from .stills import (
    batch_share,
    first_loss,
    float_map,
    loss_at_gamma,
    loss_over_logit,
    ratio_at_gamma,
    winning_p_t,
)
from .tail import (
    effective_number,
    masks_beside,
    rarity_is_not_difficulty,
    who_moves_the_tail,
)
from .tasks import digit_pair_sheet, three_tasks, winning_can_be_hard
from .training import (
    boundaries,
    difference_dots,
    lever_curves,
    training_curves,
)

__all__ = [
    "batch_share",
    "boundaries",
    "calibration_by_gamma",
    "crops",
    "curvature_curves",
    "detections_at",
    "difference_dots",
    "digit_pair_sheet",
    "effective_number",
    "entropy_bound",
    "first_loss",
    "float_map",
    "focal_loss_in_one_figure",
    "gap_against_imbalance",
    "gradient_multipliers",
    "gradient_ratio_curves",
    "hopeless_examples",
    "learning_curves",
    "lever_curves",
    "loss_and_slope",
    "loss_at_gamma",
    "loss_curves",
    "loss_of_one_in_a_hundred",
    "loss_over_logit",
    "losses_compared",
    "map_of_breaks",
    "masks_beside",
    "measured_profile",
    "outputs_and_truth",
    "rarity_is_not_difficulty",
    "ratio_at_gamma",
    "reliability_at_gamma",
    "scene_and_anchors",
    "score_maps",
    "three_tasks",
    "time_over_size",
    "trained_output_at_gamma",
    "training_curves",
    "two_gradients_compared",
    "two_relatives",
    "two_valleys",
    "who_holds_the_loss",
    "who_moves_the_tail",
    "winning_can_be_hard",
    "winning_p_t",
]
