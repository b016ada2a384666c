"""From a table of weights to an α, and names for what α does not explain."""

from dataclasses import replace

import numpy as np

from ..validate import show
from . import rules
from .claims import unset
from .fit import as_written
from .model import in_words
from .names import named, variants_of
from .names.alpha import alike
from .names.variant import Variant

OTHERS = "other weights"
TOGETHER = (
    "weights and losses crossed",
    "modulated after reduction, then weighted",
    "modulated after reduction, over the batch",
)


def explanations(subject, model, said):
    """Yield pairs of an α to claim and names for what differs from it."""
    pairs, alpha = model.pairs, said.alpha
    used = slice(None) if pairs else list(subject.labels.used)
    table = model.table[used] + 0.0
    together = pairs and model.order and model.order.name in TOGETHER
    tried = list(_guesses(subject, model, table))
    if unset(alpha):  # a label that costs nothing is no α, unless claimed
        tried = [pair for pair in tried if pair[0] not in (0, 1)]
        tried += [(None, rule) for rule in _rules(subject, model, None)]
        tried += _guess_in_the_power(model, table)
    else:
        if _kind(alpha) != "weights":
            tried = [pair for pair in tried if _kind(pair[0]) != "weights"]
        of_it = [(alpha, rule) for rule in _rules(subject, model, alpha)]
        of_it += [(alpha, _in_the_power(model.gamma))]
        tried = of_it + tried
    for value, variant in tried:
        own = expected(subject, pairs, variant, value)[used] * said.scale
        seen = table
        if together:
            own, seen = (t.mean(1, keepdims=True) for t in (own, seen))
        names = _left_over(subject, model, seen, own, variant)
        if names is None:
            continue
        if not unset(alpha) and value != alpha:
            value, names = alpha, (claim("alpha", value, alpha), *names)
        yield value, names
    yield (None if unset(alpha) else alpha), (_others(table),)


def expected(subject, pairs, variant, alpha):
    """Return the weights that a variant, or else the paper, makes of α."""
    classes, by_class = subject.labels.classes, not pairs
    multi_class = subject.task == "multi-class"
    table = rules.table_of(alpha, classes, multi_class, by_class)
    rule = variant.rule if variant else rules.paired
    return rule(alpha, table).numpy()


def claim(name, value, wanted, rule=None):
    """Return the name of a setting that is not the one claimed."""
    value, wanted = (
        said if isinstance(said, str) else show(said)
        for said in (value, wanted)
    )
    return Variant(
        f"{name} is {value}",
        "claim",
        f"the focal loss of another {name}: not {wanted}",
        "what you tune for is not what is in use",
        rule=rule,
    )


def _kind(alpha):
    if alpha is None:
        return "none"
    return "weights" if isinstance(alpha, tuple) else "number"


def _rules(subject, model, alpha):
    """What an α may be made of: the paper's rule first."""
    one_for_many = _kind(alpha) == "number" and not model.pairs
    one_for_many &= subject.labels.classes > 2
    if not one_for_many:
        yield None
    half = one_for_many and alpha == 0.5  # where all rules are one
    for variant in variants_of("alpha", subject.task):
        if _kind(alpha) in variant.alpha:
            if variant.rule is alike or not half:
                yield variant


def _guesses(subject, model, table):
    """The α that the weights themselves suggest."""
    yield None, None
    size = np.abs(table)
    first, even = float(size.flat[0]), np.ptp(size) < 1e-6 * size.max()
    if even:
        if model.pairs and abs(first - 0.5) < 1e-6:
            yield 0.5, None
        divisor = _divisor(first, model)
        written = 0.01 <= first < 1 and abs(first - round(first, 3)) < 1e-6
        if written and not divisor and not model.relative:
            name = "both" if model.pairs else "every class"
            own = replace(named(f"alpha to {name}"), detail=f"{first:.4g}")
            yield float(as_written(first)), own
    elif model.pairs:
        alpha = tuple(as_written(size[1] / size.sum(0)).tolist())
        yield (alpha[0] if np.ptp(alpha) < 1e-6 else alpha), None
    else:
        every = subject.labels.table(size)
        yield tuple(as_written(every).tolist()), None


def _in_the_power(gamma):
    """The name of an α that stands inside the power, as (α (1 − p_t))^γ."""
    return replace(
        named("alpha applied twice"),
        name="alpha inside the power",
        computes="(α (1 − p_t))^γ: α^γ in place of α",
        rule=lambda alpha, table: table**gamma,
    )


def _guess_in_the_power(model, table):
    """The α that two weights suggest, if both were raised to γ."""
    gamma = model.gamma
    if not model.pairs or gamma in (0, 1) or np.ptp(table) < 1e-6:
        return
    own = np.abs(table) ** (1 / gamma)
    if np.allclose(own.sum(0), 1):
        alpha = tuple(as_written(own[1]).tolist())
        alpha = alpha[0] if np.ptp(alpha) < 1e-6 else alpha
        yield alpha, _in_the_power(gamma)


def _left_over(subject, model, table, own, variant):
    """Names for a variant and the ratio left; None where there are none."""
    table, own = np.broadcast_arrays(table, own)
    rtol = max(1e-6, 100 * subject.rtol)
    if ((own == 0) != (np.abs(table) < 1e-12)).any() or not own.any():
        return None
    rows = np.atleast_2d(table / own)  # not finite where both are 0
    rows = [row[np.isfinite(row)] for row in rows if np.isfinite(row).any()]
    first, last = rows[0][0], rows[-1][0]
    uneven = any(np.ptp(row) > rtol * np.abs(row).max() for row in rows)
    boost, scale = last / first, 1.0 if model.relative else abs(first)
    if uneven or boost < 0:
        return None
    lost = named("minus sign lost") if first < 0 else None
    names = tuple(filter(None, (variant, lost)))
    if abs(boost - 1) > rtol:
        if variant:
            return None
        names += (_pos_weight(boost, model),)
    if abs(scale - 1) > rtol:
        names += (_scaled(scale, model),)
    return names


def _divisor(weight, model):
    """The constant that a sum was divided by, to get this weight, or None."""
    summed = f"{model.reduction}".endswith(("sum", "summed over examples"))
    number = round(1 / weight, 2)
    short = number % 1 == 0 or _off(weight, 3) > 1e-7
    known = summed and short and abs(number * weight - 1) < 1e-6
    return number if known and weight < 1 else None


def _off(number, digits):
    return abs(number - round(number, digits))


def _scaled(ratio, model):
    detail, base = "", ratio ** (1 / (model.gamma or 1))
    if divisor := _divisor(ratio, model):
        detail = f"the sum over a constant {divisor:g}, not a mean"
    elif np.isclose(of := np.exp(1 / ratio), (2, 10), 1e-6).any():
        detail = f"as of logarithms to base {of:.0f}"
    elif base > 0.005 and _off(base, 2) < 1e-7 < _off(ratio, 3):
        detail = f"as of ({base:.2g} (1 - p_t))^γ"
    elif model.pairs and np.ptp(model.table[:, 0]) > 1e-6:
        detail = _both(model.table)
    return Variant(
        f"scaled by {ratio:.4g}",
        "alpha",
        "the focal loss times a constant",
        "the learning rate changes, and nothing else does",
        detail=detail,
    )


def _pos_weight(boost, model):
    return Variant(
        f"pos_weight is {boost:.4g}",
        "alpha",
        f"{boost:.4g} for positives, beside any α",
        "the balance is set by another number than α",
        detail=_both(model.table),
    )


def _both(table):
    negative, positive = np.abs(table[:, 0])
    whole = negative + positive
    return (
        f"weights {positive:.4g} for positives and {negative:.4g} for "
        f"negatives: alpha {positive / whole:.4g}, scaled by {whole:.4g}"
    )


def _others(table):
    even = table.ndim == 2 and np.ptp(table, 1).max() < 1e-5
    even = even and table.min() >= 0
    others = Variant(
        OTHERS,
        "alpha",
        "weights that no α gives",
        "the balance is set by other numbers than α",
        detail=_both(table) if even else in_words(table),
    )
    if table.shape[1:] > (1,) and np.allclose(table.sum(0), 1, 1e-4):
        own = tuple(table[1])
        name = f"alpha is {show(own)}, of each output"
        return replace(others, name=name, detail="")
    return others
