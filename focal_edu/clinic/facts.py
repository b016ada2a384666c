"""The table of facts: what was measured, each with its number."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch

from .calls import Refusal
from .model import in_words

STEP = 1e-4
P_T = np.linspace(0.02, 0.98, 25)
SHOWN = [2, 12, 22]  # the places of p_t = 0.1, 0.5 and 0.9


class Deviation(str):
    """What was measured, as text, where no focal loss has it."""


@dataclass(frozen=True)
class Profile:
    """Loss over cross entropy, and gradient over its, by p_t.

    Both map "positives" and "negatives", or "class 0" and so on, to pairs of
    rows: what was measured, and the paper's. A gradient that points the other
    way is negative.
    """

    p_t: np.ndarray
    loss: dict
    gradient: dict

    def apart(self, *kinds, at=slice(None)):
        """Return the labels for which loss or gradient is not the paper's."""

        def same(seen, true):
            return np.allclose(seen[at], true[at], 1e-3)

        return [
            name
            for name in self.loss
            if not all(same(*kind[name]) for kind in kinds)
        ]

    @property
    @np.errstate(all="ignore")
    def told(self):
        """Of each label loss over cross entropy, and its exponents, as text.

        A power of 1 − p_t has one exponent, whatever p_t is.
        """
        told = {}
        for name, (seen, _) in self.loss.items():
            ratio = seen[SHOWN]
            rise = np.diff(np.log(np.abs(ratio)))
            powers = rise / np.diff(np.log(1 - P_T[SHOWN]))
            powers = dict.fromkeys(f"{power:.3g}" for power in powers)
            if len(powers) > 1:
                powers = _steps(seen) or powers
            ratio = ", ".join(f"{r:.3g}" for r in ratio)
            told[name] = f"{ratio} at p_t = 0.1, 0.5, 0.9", (*powers,)
        return told

    def telling(self, facts):
        """Return the fact that is least the paper's, or None."""
        for name, said in facts:
            if isinstance(said, Deviation):
                return name, said
        told = self.told
        powers = [x for _, (x, *more) in told.values() if not more]
        if len(powers) == len(told):
            if len({*powers}) > 1:
                powers = map("{} for {}".format, powers, told)
                return "exponent γ", ", ".join(powers)
            if "p_t" in powers[0]:
                return "exponent γ", powers[0]
        for name in self.apart(self.loss, at=SHOWN):
            return f"loss / CE, {name}", told[name][0]


def _steps(seen):
    """Up to which p_t each exponent holds, as text, if they are few."""
    powers = np.diff(np.log(np.abs(seen))) / np.diff(np.log(1 - P_T))
    told, end, kept, last = [], 0, 0, None
    for power, run in groupby(f"{power:.3g}" for power in powers):
        many = len([*run])
        end += many
        if many > 1:  # else a step lies in between
            kept += many
            power = power if seen[end] else "no loss"
            step = "after a step " * (power == last)
            told.append(f"{step}{power} to p_t = {P_T[end]:.2g}")
            last = power
    steps = end - kept < len(told) in (2, 3, 4)
    return (", ".join(told),) * steps


def profile(subject, claims):
    """Return the `Profile` of a subject, or None where it refuses."""
    loss, gradient, x_t = {}, {}, np.log(P_T / (1 - P_T))
    names = {"positives": 1, "negatives": 0}
    if subject.task == "multi-class":
        names = {f"class {k}": k for k in subject.labels.used[:3]}
    for name, label in names.items():
        batch = subject.labels.at_margins(x_t, subject.rng, label)
        try:
            seen = subject.each(batch)
        except Refusal:
            return None
        true = claims.each(batch)
        ce = claims.each(batch, gamma=0.0, alpha=None, scale=1.0)
        loss[name] = seen.value / ce.value, true.value / ce.value
        gradient[name] = tuple(
            np.array([*map(_along, answer.gradient, ce.gradient)])
            for answer in (seen, true)
        )
    return Profile(P_T, loss, gradient)


def _along(own, true):
    """How long `own` is beside `true`; negative where it is against it."""
    sign = np.sign((own * true).sum()) or 1.0
    return sign * np.abs(own).sum() / np.abs(true).sum()


def measurements(explanation, profile):
    """Yield pairs of what was measured and the number, as text."""
    subject, model = explanation.subject, explanation.model
    yield "takes", f"{subject.form}"
    shape = subject.answer.value.shape
    yield "returns", f"{shape} numbers" if shape else "one number"
    told = profile.told if profile else {}
    if model:
        yield from _of_model(subject, model, told)
    else:
        for label, (ratio, powers) in told.items():
            yield f"loss / CE, {label}", ratio
            yield f"exponent, {label}", ", then ".join(powers)
    rest = [_own_derivative, _mixing]
    for measure in rest if model else [_raised, _decided, *rest, _in_a_batch]:
        with suppress(Refusal):
            yield from measure(subject)


def _of_model(subject, model, told):
    numbers = {k: f"{number:.4g}" for k, number in model.numbers.items()}
    negative = numbers.pop("negative", None)
    used = slice(None) if model.pairs else [*subject.labels.used]
    yield "weights", in_words(model.table[used])
    if model.factor and not negative:
        for label, (_, powers) in told.items():
            if len(powers) == 1:
                yield f"exponent, {label}", *powers
    else:
        gamma = f"{model.gamma:.6g}"
        more = f" for positives, {negative} for negatives"
        yield "exponent γ", gamma + more if negative else gamma
    yield from numbers.items()
    yield "average", getattr(model.reduction, "name", model.reduction)
    yield "residual", f"{model.residual:.0e} of each value"


def _raised(subject):
    """Which logit each target raises, where it is not its own."""
    if subject.task != "multi-class":
        return
    logits, targets = subject.labels.one_of_each(0.0)
    slope = subject.each((logits, targets)).gradient
    raised = slope.argmin(1)
    one = (slope < 0).sum(1) == 1
    if one.all() and (raised != targets).any():
        pairs = zip(targets[:8], raised, strict=False)
        told = ", ".join(f"{k} for target {t}" for t, k in pairs)
        yield "the logit that is raised", Deviation(told)


def _decided(subject):
    """Whether p_t alone decides, for a class with other logits."""
    if subject.task != "multi-class":
        return
    rng, labels = np.random.default_rng(subject.seed + 2), subject.labels
    spreads = []
    for x_t in (0.3, -0.3, -np.log(labels.classes)):  # right, or not
        for label in labels.used[:3]:
            many = labels.at_margins(np.full(4, x_t), rng, label)
            value = subject.each(many).value
            spreads.append(np.ptp(value) / np.abs(value).max())
    spread = max(filter(np.isfinite, spreads), default=None)  # of no zeros
    if spread is not None:
        varies = Deviation(f"no: it varies by {spread:.1%}")
        yield "p_t alone decides", "yes" if spread < 1e-5 else varies
    logits, targets = subject.batch
    value = subject.ask((logits + 1, targets)).value
    same = np.allclose(value, subject.answer.value, 1e-5)
    yield "1 added to all logits", "no change" if same else "another loss"


def _own_derivative(subject):
    """The gradient beside a difference quotient of the value, some way up."""
    if subject.form.dtype != torch.float64 or subject.rtol >= 1e-6:
        return
    (logits, targets), slope = subject.batch, subject.answer.gradient
    way = slope * subject.rng.uniform(size=slope.shape)
    step = STEP / np.abs(way).max()
    up, down = (
        subject.ask((logits + by * way, targets)).value.sum()
        for by in (step, -step)
    )
    ratio = (slope * way).sum() * 2 * step / (up - down)
    apart = f"apart by a factor of {ratio:.4g} on a batch of {len(targets)}"
    word = "equal" if abs(ratio - 1) < 1e-4 else Deviation(apart)
    yield "gradient and its own value's derivative", word


def _mixing(subject):
    gap = subject.mixing
    if gap is not None:
        mixed = Deviation(f"up to {gap:.2g} of a gradient")
        yield (
            "one example's effect on the others",
            mixed if subject.mixes else "none",
        )


def _in_a_batch(subject):
    """How large each gradient is in a batch, beside that of it alone."""
    seen, alone = (
        np.abs(answer.gradient).reshape(len(answer.gradient), -1).sum(1)
        for answer in (subject.answer, subject.each(subject.batch))
    )
    part = seen / alone
    if np.ptp(part) > 1e-3 * part.max():
        least, most = part.min(), part.max()
        said = f"{least:.3g} to {most:.3g} of that of each example alone"
        yield "gradient in a batch", Deviation(said)


def measured_effect(subject, claims, profile):
    """How its gradient compares with focal loss's: hard, easy, a batch.

    Negative where it points the other way.
    """
    if profile is None:
        return ""
    seen, true = np.sum([*profile.gradient.values()], axis=0)
    shown = [
        f"{seen[at] / true[at]:.3g} at p_t = {P_T[at]:.1g}"
        for at in SHOWN[::2]
    ]
    true = claims.ask(subject.batch).gradient
    ratio = _along(subject.answer.gradient, true)
    shown.append(f"{ratio:.3g} on a batch of {len(true)}")
    return "its gradient over focal loss's: " + ", ".join(shown)
