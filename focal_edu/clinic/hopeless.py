"""What a hopeless example tells of a loss: its weight, and any cut-off ε.

Where p_t is nearly 0 the factor is 1, so that the loss is the weight times
cross entropy, whatever γ and wherever the weight stands.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from . import rules
from .calls import Refusal, ask_each
from .claims import one_class
from .mistakes import Variant

FAR = -50.0  # the margin of the truth


@dataclass(frozen=True)
class Hopeless:
    """The ε at which the loss is cut off, if it is; changes of weight."""

    eps: float | None = None
    weights: tuple = ()


def hopeless(loss, form, claims):
    """Return the `Hopeless` of a loss, empty where it does not answer."""
    classes = claims.classes if form.task == "multi-class" else 2
    try:
        far, even = (
            np.array(
                [
                    ask_each(
                        loss, form, *one_class(form.task, x_t, k, classes)
                    ).value.item()
                    for k in range(classes)
                ]
            )
            for x_t in (np.array([FAR]), np.zeros(1))
        )
    except Refusal:
        return Hopeless()
    eps = [
        _cutoff(*pair, claims.gamma) for pair in zip(far, even, strict=True)
    ]
    found = next((value for value in eps if value), None)
    weights = [far / -FAR]
    if found:  # the far end says nothing of weights
        weights.append(even / (0.5**claims.gamma * np.log(2)))
    return Hopeless(
        found, tuple(v for w in weights for v in _other_weights(claims, w))
    )


def _cutoff(far, even, gamma):
    """The ε that explains the loss of a hopeless example, or None."""
    ratio = even / (0.5**gamma * np.log(2))
    if not (np.isfinite(far) and ratio > 0 and far > 0):
        return None
    eps = 0.0
    for _ in range(20):
        eps = min(np.exp(-far / ratio / (1 - eps) ** gamma), 0.5)
    short = float(f"{eps:.0e}")  # as it was probably written
    eps = short if abs(short - eps) < 0.08 * eps else float(eps)
    return eps if 1e-20 < eps < 0.1 else None


def _other_weights(claims, weights):
    """Yield changes to the weights claimed: all larger, or positives'."""
    if claims.alpha_kind not in _KINDS[claims.task]:
        return
    if claims.task == "multi-class":
        claimed = claims.alpha if claims.alpha_kind != "none" else 1.0
    else:
        alpha = claims.alpha
        claimed = 1.0 if alpha is None else np.array([1 - alpha, alpha])
    if not np.all(claimed):
        return
    ratio = weights / np.asarray(claimed)
    larger = ratio[0] > 1.001
    other = larger or (claims.alpha is not None and 0 < ratio[0] < 0.999)
    if np.allclose(ratio, ratio[0], rtol=1e-6) and other:
        yield Variant(
            f"scaled by {ratio[0]:.4g}",
            "alpha",
            partial(rules.scaled, by=float(ratio[0])),
            f"{ratio[0]:.4g} times the focal loss",
            "the learning rate changes, and nothing else does",
        )
    elif (
        claims.task != "multi-class"
        and claims.alpha is None
        and abs(ratio[0] - 1) < 1e-6 < abs(ratio[1] - 1)
        and ratio[1] > 0
    ):
        yield Variant(
            f"pos_weight is {ratio[1]:.4g}",
            "alpha",
            partial(rules.positives_times, by=float(ratio[1])),
            f"{ratio[1]:.4g} for positives, 1 for negatives",
            "the balance is set by another number than α",
        )


_KINDS = {
    "binary": ("none", "number"),
    "multi-label": ("none", "number"),
    "multi-class": ("none", "weights"),
}
