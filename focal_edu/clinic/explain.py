"""From numbers to names: what a model is beside what the loss claims."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from . import rules, weights
from .added import added
from .averages import fits, models
from .calls import Refusal, targets_first
from .claims import GUESS, SIGMOIDS, Claims, unset
from .names import named
from .names.inputs import TAKES
from .names.reduction import OF_EXAMPLES, SET_BY_THE_BATCH
from .names.variant import SYMBOLS
from .said import read_from
from .subject import close

ALIKE = ("alpha to both", "alpha to every class")
DEPTHS = 3  # as `fits` has them


@dataclass(frozen=True)
class Explanation:
    """A model, the claims it is held against, and names for the rest.

    The model is None where the numbers explain only part of the answers.
    """

    subject: object
    model: object
    claims: Claims
    names: tuple
    agrees: bool = True

    @property
    def cost(self):
        """How much there is to explain; a known name before a number.

        A focal loss before a cross entropy, as which FL* can be read.
        """
        names, model = self.names, self.model
        bare = sum(name.rule is None for name in names)
        alike = any(name.name in ALIKE for name in names)
        unnamed = any(name.name == weights.OTHERS for name in names)
        cost = len(names) + bare / 4 + alike / 10 + unnamed * 1.1
        cost += bool(model and model.gamma == 0) / 20
        if self.subject.task == "multi-class" and model:
            apart = "negative" in model.numbers  # class 0 is, from the rest
            cost += (apart or model.reduction == "mean_positive") / 2
        return cost


def explain(loss, groups, said):
    """Return the `Explanation` with the fewest names, or one without model.

    `groups` are lists of subjects, likeliest first; None if there are none.
    """
    best = likeliest = None
    met = []
    for place, group in enumerate(groups):
        met += group
        likeliest = likeliest or group[0]
        searches = [(subject, fits(subject)) for subject in group]
        # only plainly: an order that names deny; several labels, after one
        denied = group[0].form.exchanged and targets_first(loss) is False
        several = group[0].task == "multi-label" and unset(said.task)
        for depth in range(1 if denied or (place and several) else DEPTHS):
            # pairs of changes are many: only for the likeliest way of calling
            likely = len(group) if depth < 2 else place == 0
            for subject, search in searches[:likely]:
                known = read_from(loss, said, subject.task)
                found = _explanations(subject, known, next(search, []))
                found = [best, *found] if best else found
                best = min(found, key=lambda e: e.cost, default=None)
            if best:
                break
        if best and best.cost < 3.5:
            break
    if best is None or best.subject.is_steady:  # as if by a few examples
        changing = [subject for subject in met if not subject.is_steady]
        likeliest, *_ = *changing, likeliest
        best = None if changing else best
    if best or likeliest is None:
        return best
    likely, known = likeliest.form, read_from(loss, said, likeliest.task)
    for subject in [] if changing else met:
        form = subject.form
        alike = (form.takes, form.exchanged) == (
            likely.takes,
            likely.exchanged,
        )
        if alike and (found := added(subject)):
            return _beside(
                subject, *found, read_from(loss, said, subject.task)
            )
    return Explanation(likeliest, None, _claims(likeliest, known), (), False)


def _beside(subject, gamma, term, known):
    """The explanation of a focal loss to which a term is added."""
    names = (term,)
    if gamma is not None and unset(known.gamma):
        known = replace(known, gamma=gamma)
    elif gamma is not None and not np.isclose(gamma, known.gamma):
        names += (weights.claim("gamma", gamma, known.gamma),)
    return Explanation(subject, None, _claims(subject, known), names, False)


def _explanations(subject, known, found):
    """Yield what agrees, from the fits of one depth."""
    if not subject.can_be_told:
        yield from _as_claimed(subject, known)
        return
    claimed = None
    if subject.task == "multi-label" and isinstance(known.alpha, tuple):
        claimed = weights.expected(subject, True, None, known.alpha)
    for fit in found:
        for model in models(subject, fit, claimed):
            yield from _named(subject, model, known)


def _as_claimed(subject, known):
    """What cannot be told apart may still be what it claims, or the usual."""
    tried = [known.reduction]
    if unset(known.reduction):
        tried = ["mean", "sum"] if subject.is_number else ["none"]
    for reduction in tried:
        claims = _claims(subject, replace(known, reduction=reduction))
        pairs = [(subject.answer.value, claims.ask(subject.batch).value)]
        with suppress(Refusal):  # each, if it may be asked about alone
            own = subject.each(subject.batch).value
            pairs += [(own, claims.each(subject.batch).value)]
        if all(close(seen, true, 0.03) for seen, true in pairs):
            yield Explanation(subject, None, claims, ())


def _named(subject, model, known):
    """Yield explanations of a model: what of it was not claimed."""
    gamma = model.gamma if unset(known.gamma) else known.gamma
    form, first = _form(subject, model, known)
    known = replace(known, form=form, gamma=gamma)
    reduction, last = _average(model, known)
    if model.detached:
        first += (named("p_t detached"),)
    first += tuple(filter(None, (model.order, model.alpha)))
    asked = subject.form
    taken = {
        asked.takes: asked.takes != known.takes,
        "targets first": asked.exchanged,
        "±1 as targets": asked.signed,
    }
    last += tuple(TAKES[what] for what, told in taken.items() if told)
    known = replace(known, reduction=reduction)
    weighed = SET_BY_THE_BATCH.name not in [name.name for name in last]
    for factor, rest in _readings(model, gamma):
        for own, part in _unsmoothed(rest):
            blend = part if form else 0.0
            for alpha, names in weights.explanations(subject, own, known):
                names = names if weighed else ()
                names = (*first, *factor, *names, *last)
                claims = replace(known, alpha=alpha, blend=blend)
                claims = _claims(subject, claims, names)
                yield Explanation(subject, model, claims, names)


def _form(subject, model, known):
    """A probability to claim, or the names of those that nobody claimed.

    Sigmoids of one-hot targets are a multi-label loss.
    """
    found, wanted = model.probability, known.smoothing
    name = found.name if found else ""
    one_number = isinstance(known.alpha, float)  # which no softmax has
    any_form = unset(known.task) or one_number
    if name.startswith(SIGMOIDS) and any_form and not subject.form.one_hot:
        return found, ()
    names = (with_detail(found),) if found else ()
    claimed = named("label smoothing of the targets") if wanted else None
    if "smoothing" in name:
        share = found.numbers.get("share", np.nan)
        if np.isclose(share, wanted, 1e-3):
            return replace(named(name), numbers={"share": wanted}), ()
        others = 0 if model.pairs else share * (1 - 1 / len(model.table))
        if others and np.isclose(float(f"{others:.1g}"), others, 1e-3):
            told = (
                f"{names[0].detail}, or {others:.1g} over the other classes"
            )
            names = (replace(names[0], detail=told),)
    elif wanted:
        names += (weights.claim("smoothing", 0.0, wanted),)
    return claimed and replace(claimed, numbers={"share": wanted}), names


def _average(model, known):
    """A reduction to claim, and the name of one that nobody claimed.

    The mean of all C sigmoids is one of sigmoids, if no other is claimed; a
    divisor by positives may count examples that have one.
    """
    found, wanted = model.reduction, known.reduction
    if isinstance(found, str):
        if wanted in (GUESS, found):
            return found, ()
        rule = model.rule("reduction")
        return wanted, (weights.claim("reduction", found, wanted, rule),)
    of_all = known.sigmoids and found.name == "mean over classes too"
    fits_claim = wanted == found.name or (
        of_all and wanted in (GUESS, "mean")
    )
    if fits_claim or (wanted, found.name) == ("mean_positive", OF_EXAMPLES):
        return found.name, ()
    return wanted, (found,)


def _readings(model, wanted):
    """Yield names of the factor, and the model with the weights then left."""
    gamma, told = model.gamma, ()
    if not np.isclose(gamma, wanted, rtol=1e-3, atol=1e-3):
        told = (weights.claim("gamma", gamma, wanted),)
    if model.factor:
        if "negative" in model.factor.numbers:  # both are told in its detail
            told = ()
        told = with_detail(model.factor, gamma), *told
    elif gamma == 0 and wanted > 0:
        yield (named("cross entropy"),), model
    elif gamma == 1 and wanted not in (0, 1):
        rest = replace(model, table=model.table / wanted)
        yield (named("gamma multiplied"),), rest
    yield told, model


def _unsmoothed(model):
    """Yield the model, and the part of the other label's weight in its own.

    First with the α of which smoothed labels make theirs.
    """
    both = "p_t of the smoothed" in f"{model.probability}" and model.pairs
    if both and (share := model.numbers.get("share")):
        part, table = share / 2, model.table
        own = (table - part * table.sum(0)) / (1 - 2 * part)
        yield replace(model, table=own), part
    yield model, 0.0


def with_detail(variant, gamma=None):
    """Return the variant with its numbers, as they were measured, told."""
    numbers = variant.numbers
    shown = {
        name: f"{SYMBOLS.get(name, name)} = {number:.3g}"
        for name, number in numbers.items()
    }
    if numbers.get("scale") == -1:
        shown["scale"] += ", as of flipped targets"
    if "negative" in shown:
        shown["negative"] = f"{gamma:.3g} and {numbers['negative']:.3g}"
    if "eps" in shown and "clipped" in variant.name:
        logit = np.log(1 / numbers["eps"] - 1)
        shown["eps"] += f", a logit of ±{logit:.3g}"
    told = filter(None, (*shown.values(), variant.detail))
    return replace(variant, detail=", ".join(told))


def _claims(subject, known, names=()):
    """The claims to hold the loss against; what nobody claims is usual."""
    usual = {
        "task": subject.task,
        "gamma": 2.0,
        "alpha": None,
        "reduction": "mean" if subject.is_number else "none",
    }
    usual = {k: v for k, v in usual.items() if not known.made(k)}
    claims = replace(known, classes=subject.labels.classes, **usual)
    one = claims.alpha is not None and not isinstance(claims.alpha, tuple)
    if subject.task != "multi-class" or claims.sigmoids or not one:
        return claims
    # one number for C classes becomes the weights it stands for
    table = rules.table_of(claims.alpha, claims.classes, True, by_class=True)
    if claims.classes == 2:  # as of one sigmoid
        return replace(claims, alpha=tuple(table.tolist()))
    rule = next((n for n in names if n.part == "alpha" and n.rule), None)
    rule = rule or named("alpha to every class")
    alpha = tuple(rule.rule(claims.alpha, table).tolist())
    return replace(claims, alpha=alpha, one_number=claims.alpha)
