"""The table of facts: what was measured, each with its number."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..validate import show
from . import batches
from .calls import Refusal
from .subject import first_bad

STEP = 1e-4
P_T = np.linspace(0.02, 0.98, 25)


@dataclass(frozen=True)
class Profile:
    """Loss over cross entropy, and gradient over its, by p_t.

    `labels` maps "positives" and "negatives", or "class 0" and so on, to
    pairs of rows: what was measured, and the paper's.
    """

    p_t: np.ndarray
    loss: dict
    gradient: dict


def profile(case):
    """Return the `Profile` of a case, or None where it refuses."""
    subject = case.subject
    entropy = replace(case.claims, gamma=0.0, alpha=None, scale=1.0)
    bare = replace(case, claims=entropy)
    x_t, loss, gradient = np.log(P_T / (1 - P_T)), {}, {}
    for label, name in _labels(subject):
        batch = batches.at_margins(
            subject.task, subject.labels, x_t, subject.rng, label
        )
        try:
            answer = subject.each(batch)
        except Refusal:
            return None
        ce = bare.truth(batch)
        loss[name] = case.own(batch) / ce, case.truth(batch) / ce
        slope, whole = _size(case.slope(batch)), _size(answer.gradient)
        plain = _size(bare.slope(batch))
        gradient[name] = whole / plain, slope / plain
    return Profile(P_T, loss, gradient)


def _labels(subject):
    if subject.task != "multi-class":
        return (1, "positives"), (0, "negatives")
    return tuple((k, f"class {k}") for k in subject.labels.used[:3])


def _size(gradient):
    return np.abs(gradient).reshape(len(gradient), -1).sum(1)


def measurements(explanation):
    """Return pairs of what was measured and the number, as text."""
    subject, model = explanation.subject, explanation.model
    facts = [("takes", f"{subject.form}"), ("returns", _returns(subject))]
    if model:
        facts += _of_model(subject, model)
    else:
        facts += _without_model(subject)
    facts += _own_derivative(subject)
    facts += _mixing(subject)
    facts += _extremes(subject)
    return tuple(facts)


def _returns(subject):
    shape = subject.answer.value.shape
    return "one number" if shape == () else f"{shape} numbers"


def _of_model(subject, model):
    fit = model.fit
    yield "weights", _weights(subject, model)
    if fit.factor and "negative" not in fit.numbers:
        yield from _exponents(subject)
    elif fit.factor:
        negative = fit.numbers["negative"]
        shown = f"{fit.gamma:.6g} for positives, {negative:.4g} for negatives"
        yield "exponent γ", shown
    else:
        yield "exponent γ", f"{fit.gamma:.6g}"
    for name, number in fit.numbers.items():
        if name != "negative":
            yield name, f"{number:.4g}"
    name = getattr(model.reduction, "name", model.reduction)
    yield "average", name
    yield "residual", f"{fit.residual * subject.rtol:.0e} of each value"


def _weights(subject, model):
    table = model.table
    if model.fit.pairs:
        negative, positive = (
            show(tuple(row)) if len(row) > 1 else f"{row[0]:.6g}"
            for row in table
        )
        return f"{positive} for positives, {negative} for negatives"
    return show(tuple(table[list(subject.labels.used)]))


def _exponents(subject, ratios=False):
    """Yield what loss over cross entropy says of each label's exponent."""
    x_t = np.log(np.array([0.1, 0.5, 0.9]) / np.array([0.9, 0.5, 0.1]))
    for label, name in _labels(subject):
        batch = batches.at_margins(
            subject.task, subject.labels, x_t, subject.rng, label
        )
        try:
            value = subject.each(batch).value
        except Refusal:
            return
        ratio = value / np.logaddexp(0, -x_t)
        if subject.task == "multi-label":
            ratio = ratio / subject.labels.classes
        if ratios:
            shown = ", ".join(f"{r:.3g}" for r in ratio)
            yield f"loss / CE, {name}", f"{shown} at p_t = 0.1, 0.5, 0.9"
        powers = np.log(np.abs(ratio[1:] / ratio[:-1]))
        powers = powers / np.diff(-np.logaddexp(0, x_t))
        shown = dict.fromkeys(f"{power:.3g}" for power in powers)
        yield f"exponent, {name}", ", then ".join(shown)


def _without_model(subject):
    """The profile at three p_t, and what decides it."""
    yield from _exponents(subject, ratios=True)
    if subject.task == "multi-class":
        rng = np.random.default_rng(subject.seed + 2)
        many = batches.at_margins(
            subject.task,
            subject.labels,
            np.full(4, 0.3),
            rng,
            subject.labels.used[0],
        )
        try:
            value = subject.each(many).value
        except Refusal:
            return
        spread = np.ptp(value) / max(np.abs(value).max(), 1e-300)
        known = "yes" if spread < 1e-5 else f"no: it varies by {spread:.1%}"
        yield "p_t alone decides", known


def _own_derivative(subject):
    """The gradient beside a difference quotient of the value."""
    logits, targets = subject.margins(-1.5, 0.3, 1.5)
    flat = subject.form.dtype == torch.float64 and subject.rtol < 1e-6
    if not flat:
        return
    try:
        slope = subject.each((logits, targets)).gradient
        rng = np.random.default_rng(subject.seed)
        way = rng.normal(size=logits.shape)
        up = subject.each((logits + STEP * way, targets)).value
        down = subject.each((logits - STEP * way, targets)).value
    except Refusal:
        return
    along = (slope * way).reshape(len(slope), -1).sum(1)
    own = (up - down) / (2 * STEP)
    gap = np.abs(along - own).max() / max(np.abs(own).max(), 1e-300)
    word = "equal" if gap < 1e-4 else f"apart by {gap:.2g} of it"
    if not np.isfinite(gap):
        bad = "value" if np.isfinite(along).all() else "gradient"
        word = f"not compared: the {bad} of one example is not finite"
    yield "gradient and its own value's derivative", word


def _mixing(subject):
    try:
        after = subject.moved[1].gradient[1:]
    except Refusal:
        return
    before = subject.answer.gradient[1:]
    gap = np.abs(after - before).max() / max(np.abs(before).max(), 1e-300)
    word = "none" if gap < 1e-6 else f"up to {gap:.2g} of a gradient"
    yield "one example's effect on the others", word


def _extremes(subject):
    """The first margins at which value or gradient is not finite."""
    for dtype, name in ((torch.float32, "float32"), (torch.float16, "half")):
        told = []
        for sign in (-1, 1):
            try:
                found = first_bad(subject, sign, dtype)
            except Refusal:
                found = "refused"
            if found:
                told.append(found)
        yield f"finite in {name}", "; ".join(told) or "to ±100"


def measured_effect(case):
    """How its gradient compares with focal loss's: hard, easy, a batch.

    Negative where it points the other way.
    """
    shown = []
    for x_t, p_t in ((-np.log(9), 0.1), (np.log(9), 0.9)):
        batch = case.subject.margins(x_t)
        try:
            own = case.subject.each(batch).gradient
        except Refusal:
            return ""
        ratio = _along(own, case.slope(batch))
        shown.append(f"{ratio:.3g} times at p_t = {p_t}")
    true = case.claims.answer(*case.subject.batch).gradient
    ratio = _along(case.subject.answer.gradient, true)
    shown.append(f"{ratio:.3g} times on a batch of {len(true)}")
    return "its gradient is focal loss's " + ", ".join(shown)


def _along(own, true):
    """How long `own` is beside `true`; negative where it is against it."""
    sign = np.sign((own * true).sum()) or 1.0
    return sign * np.abs(own).sum() / np.abs(true).sum()
