"""The numbers that a loss's answers suggest: its γ, α, ε and scale.

Where p_t is nearly 0 the factor is 1, so that a hopeless example's loss is
its weight times cross entropy, whatever γ and wherever the weight stands.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import rules
from .batches import one_class
from .calls import Refusal, ask, ask_each, fresh
from .mistakes import Variant

FAR = -50.0  # the margin of the truth
KINDS = {
    "binary": ("none", "number"),
    "multi-label": ("none", "number"),
    "multi-class": ("none", "weights"),
}


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
    if claims.alpha_kind not in KINDS[claims.task]:
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


def fitted(loss, form, classes):
    """Return the γ and the α that single examples of each class suggest."""
    classes = classes if form.task == "multi-class" else 2
    x_t = np.array([-1.5, 0.5])
    rows = [one_class(form.task, x_t, k, classes) for k in range(classes)]
    try:
        ratios = np.array(
            [ask_each(loss, form, *row).value for row in rows]
        ) / np.logaddexp(0, -x_t)
    except Refusal:
        return (), (None,)
    ratios = np.abs(ratios)
    if not (np.isfinite(ratios).all() and (ratios[-1] > 0).all()):
        return (), (None,)
    log_q = -np.logaddexp(0, x_t)
    slope = np.diff(np.log(ratios[-1])).item() / np.diff(log_q).item()
    gamma = abs(round(slope, 4)) if slope > -1e-6 else 0.0
    weights = ratios[:, 0] / np.exp(gamma * log_q[0])
    gammas = (_snapped(gamma), gamma) if slope > -1e-6 else ()
    alphas = _fitted_alphas(form.task, weights)
    if form.task == "multi-class":
        alphas += _hidden_weights(loss, form, classes)
    return gammas, alphas


def _hidden_weights(loss, form, classes):
    """The class weights that a whole batch of hopeless examples suggests.

    With one example of each class the gradients are as the weights, also
    where these are divided by their sum or taken into p_t.
    """
    rows = [
        one_class(form.task, np.array([-500.0]), k, classes)
        for k in range(classes)
    ]
    try:
        each = ask(
            fresh(loss, form.dtype),
            form,
            *(np.concatenate(part) for part in zip(*rows, strict=True)),
        )
        one = ask_each(loss, form, *rows[0]).value.item() / 500
    except Refusal:
        return ()
    size = np.abs(each.gradient).sum(1)
    if not (np.isfinite(size).all() and size.min() > 0 and one > 0):
        return ()
    weights = size / size[0] * one
    return (
        _fitted_alphas("multi-class", weights)[:1]
        + _fitted_alphas("multi-class", size / size.sum())[:1]
    )


def _snapped(gamma):
    """The two decimals that a γ was probably written with."""
    near = round(gamma, 2)
    return near if abs(near - gamma) < 2e-3 else gamma


def _rounded(weight):
    """The five decimals that a weight was probably written with."""
    near = round(weight, 5)
    return near if abs(near - weight) < 1e-6 else weight


def _fitted_alphas(task, weights):
    weights = [_rounded(float(weight)) for weight in weights]
    even = math.isclose(min(weights), max(weights), rel_tol=1e-4)
    if even:
        one = (weights[0],) if 0 < weights[0] < 1 else ()
        return (None, *one)
    if task == "multi-class":
        return (tuple(weights),)
    positives = weights[1]
    return (positives, None) if 0 <= positives <= 1 else (None,)
