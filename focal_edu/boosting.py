"""Focal loss for boosted trees: LightGBM and XGBoost take it as it is."""

import numpy as np

from .gradients import sigmoid_focal_curvature, sigmoid_focal_gradient


def focal_objective(*, gamma=2.0, alpha=None, least=1e-6):
    """Return an objective: from targets and raw scores to two derivatives.

    ``objective(targets, scores)`` gives dFL/dx and the second derivative,
    not below `least`: focal loss is not convex where an example is very
    wrong, and trees divide by a sum of second derivatives. It fits
    ``lightgbm.LGBMClassifier(objective=...)`` and, with the same order of
    arguments, ``xgboost.XGBClassifier``. Parameters are those of
    `sigmoid_focal_loss`; both results are finite at any score.
    """
    focal = {"gamma": gamma, "alpha": alpha}

    def objective(targets, scores):
        targets = np.asarray(targets, float)
        gradient = sigmoid_focal_gradient(scores, targets, **focal)
        second = sigmoid_focal_curvature(scores, targets, **focal)
        return gradient, np.maximum(second, least)

    return objective
