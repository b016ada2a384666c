"""The relatives of focal loss, two at a time."""

import autograd.numpy as np

from .. import relatives
from ..reference import sigmoid_focal_loss
from .style import BLUE, VERMILION, lesson_figure


def _two_classes(loss):
    """A loss over two classes as one of a single logit."""

    def of_one_logit(x, y):
        logits = np.stack([0 * x, x], axis=-1)
        return loss(logits, np.asarray(y, int))

    return of_one_logit


# Binary losses of (logit, target); positives are the rare class.
LOSSES = {
    "cross entropy": lambda x, y: sigmoid_focal_loss(x, y, gamma=0),
    "focal loss, γ = 2": sigmoid_focal_loss,
    "FL*, γ = 2, β = 1": relatives.focal_star,
    "asymmetric loss": relatives.asymmetric_loss,
    "varifocal loss": relatives.varifocal_loss,
    "PolyLoss, ε = 1": relatives.poly_loss,
    "dual focal loss, γ = 2": _two_classes(relatives.dual_focal_loss),
    "LDAM, margin 2": _two_classes(
        lambda z, t: relatives.ldam_loss(z, t, (1, 1), margin=2)
    ),
    "logit adjustment, 1 in 100": _two_classes(
        lambda z, t: relatives.logit_adjusted_loss(z, t, (99, 1))
    ),
}


def of_truth(name, p_t, positive=True):
    """Return a relative's loss and gradient ratio at each p_t."""
    sign = 1 if positive else -1
    x = sign * (np.log(p_t) - np.log1p(-p_t))
    y = np.full(p_t.shape, float(positive))
    loss = LOSSES[name]
    return loss(x, y), relatives.gradient_ratio_of(loss, x, y)


@lesson_figure
def two_relatives(
    figure, one="focal loss, γ = 2", other="logit adjustment, 1 in 100"
):
    """Return loss and gradient ratio of two relatives over p_t."""
    figure.set_size_inches(8, 3.8)
    p_t = np.linspace(0.005, 0.995, 199)
    panels = figure.subplots(1, 2)
    for name, colour, style in ((one, BLUE, "-"), (other, VERMILION, "--")):
        for axes, values in zip(panels, of_truth(name, p_t), strict=True):
            axes.plot(p_t, values, style, color=colour, label=name)
    left, right = panels
    for axes in panels:
        axes.set(xlim=(0, 1), xlabel="p_t, probability given to the truth")
    left.set(ylim=(0, 6), ylabel="loss (nats)")
    right.set(ylim=(0, 3), ylabel="gradient / CE's gradient")
    left.set_title(
        f"{one} (solid) and {other} (dashed)\nfor a positive: the loss, "
        "left, and its gradient over cross entropy's, right"
    )
    return (
        f"Two panels over p_t for a positive, the rare class: {one}, solid, "
        f"and {other}, dashed. Left the loss; right the gradient divided by "
        "cross entropy's. Focal loss falls below 1 where p_t passes 0.3; "
        "logit adjustment rises from 1 towards 99 as p_t nears 1. Controls "
        "choose both losses and the class."
    )
