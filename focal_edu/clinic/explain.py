"""From numbers to names: what a model is beside what the loss claims."""

from dataclasses import dataclass, replace

import numpy as np

from . import weights
from .averages import fits, models
from .batches import Labels
from .calls import targets_first
from .claims import GUESS, SIGMOIDS, Claims, unset
from .names import named
from .names.inputs import TAKES
from .names.variant import SYMBOLS
from .said import read_from

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
        cost, model = _cost(self.names), self.model
        cost += bool(model and model.gamma == 0) / 20
        if self.subject.task == "multi-class" and model:
            apart = "negative" in model.numbers  # class 0 is, from the rest
            cost += (apart or model.reduction == "mean_positive") / 2
        return cost


def _cost(names):
    bare = sum(name.rule is None for name in names)
    alike = any(name.name in ALIKE for name in names)
    unnamed = any(name.name == weights.OTHERS for name in names)
    return len(names) + bare / 4 + alike / 10 + unnamed * 1.1


def explain(loss, groups, said):
    """Return the `Explanation` with the fewest names, or one without model.

    `groups` are lists of subjects, likeliest first; None if there are none.
    """
    best, likeliest = [], None
    for place, group in enumerate(groups):
        likeliest = likeliest or group[0]
        searches = [fits(subject) for subject in group]
        # an order of arguments that names deny: only as a plain exchange
        denied = group[0].form.exchanged and targets_first(loss) is False
        for depth in range(1 if denied else DEPTHS):
            # pairs of changes are many: only for the likeliest way of calling
            likely = len(group) if depth < 2 else place == 0
            for subject, search in zip(
                group[:likely], searches, strict=False
            ):
                known = read_from(loss, said, subject.task)
                found = _explanations(subject, known, said, next(search, []))
                best = sorted([*best, *found], key=lambda e: e.cost)[:1]
            if best:
                break
        if best and best[0].cost < 3.5:
            break
    if best or likeliest is None:
        return best[0] if best else None
    known = read_from(loss, said, likeliest.task)
    claims = _claims(likeliest, known)
    return Explanation(likeliest, None, claims, (), False)


def _explanations(subject, known, said, found):
    """Yield what agrees, from the fits of one depth."""
    if not subject.can_be_told:
        yield from _as_claimed(subject, known)
        return
    claimed = None
    if subject.task == "multi-label" and isinstance(known.alpha, tuple):
        claimed = weights.expected(subject, True, None, known.alpha)
    for fit in found:
        for model in models(subject, fit, claimed):
            yield _named(subject, model, known, said)


def _as_claimed(subject, known):
    """What cannot be told apart may still be what it claims to be."""
    if unset(known.gamma):
        return
    tried = [known.reduction]
    if unset(known.reduction):
        tried = ["mean", "sum"] if subject.is_number else ["none"]
    for reduction in tried:
        said = replace(known, reduction=reduction)
        claims = _claims(subject, said)
        true = claims.answer(*subject.batch).value
        seen = subject.answer.value
        if seen.shape == true.shape and np.allclose(seen, true, 0.03):
            yield Explanation(subject, None, claims, ())


def _named(subject, model, known, said):
    """The explanation of a model: what of it was not claimed."""
    options = []
    for gamma, factor_names, table, part in _unsmoothed(
        model, _readings(model, known.gamma)
    ):
        rest = replace(model, table=table)
        for alpha, names in weights.explanations(subject, rest, known):
            names = (*factor_names, *names)
            options.append((_cost(names), names, gamma, alpha, part))
    _, names, gamma, alpha, part = min(options, key=lambda option: option[0])
    form, first = _form(model, known, said, subject.form.one_hot)
    if model.detached:
        first += (named("p_t detached"),)
    first += tuple(filter(None, (model.order, model.alpha)))
    known = replace(known, gamma=gamma, alpha=alpha)
    average = getattr(model.reduction, "name", model.reduction)
    plain = unset(known.reduction) and average is model.reduction
    if plain or _of_all(form, average, known):
        known = replace(known, reduction=average)
    names = (*first, *names, *_reduction_names(model, known.reduction))
    if subject.form.takes != known.takes:
        names += (TAKES[subject.form.takes],)
    names += (TAKES["targets first"],) * subject.form.exchanged
    names += (TAKES["±1 as targets"],) * subject.form.signed
    claims = _claims(subject, known, names, form)
    claims = replace(claims, blend=part if form else 0.0)
    return Explanation(subject, model, claims, names)


def _of_all(form, average, known):
    """Whether it is the mean of all C sigmoids, and no other is claimed."""
    sigmoids = form and form.name.startswith(SIGMOIDS)
    unsaid = known.reduction in (GUESS, "mean")
    return sigmoids and unsaid and average == "mean over classes too"


def _form(model, known, said, one_hot):
    """A probability to claim, or the names of those that nobody claimed.

    Sigmoids of one-hot targets are a multi-label loss.
    """
    found, wanted = model.probability, known.smoothing
    wanted = 0.0 if unset(wanted) else wanted
    name = found.name if found else ""
    one_number = isinstance(known.alpha, float)  # which no softmax has
    softmax = one_hot or not (unset(said.task) or one_number)
    if name.startswith(SIGMOIDS) and not softmax:
        return found, ()
    smooth = named("label smoothing of the targets")
    smooth = replace(smooth, numbers={"share": wanted})
    if "smoothing" in name:
        share = found.numbers["share"]
        if np.isclose(share, wanted, 1e-3):
            return replace(found, numbers=smooth.numbers), ()
    names = (with_detail(found),) if found else ()
    if "smoothing" in name and not model.pairs:
        others = found.numbers["share"] * (1 - 1 / len(model.table))
        told = f"{names[0].detail}, or {others:.1g} over the other classes"
        if np.isclose(float(f"{others:.1g}"), others, 1e-3):
            names = (replace(names[0], detail=told),)
    if not wanted:
        return None, names
    if "smoothing" not in name:
        names += (weights.claim("smoothing", 0.0, wanted),)
    return smooth, names


def _readings(model, said_gamma):
    """Yield γ to claim, names of the factor, and the weights then left."""
    gamma, table = model.gamma, model.table
    wanted = gamma if unset(said_gamma) else said_gamma
    wrong = ()
    if not np.isclose(gamma, wanted, rtol=1e-3, atol=1e-3):
        wrong = (weights.claim("gamma", gamma, wanted),)
    if model.factor:
        if "negative" in model.factor.numbers:  # both are told in its detail
            wrong = ()
        yield wanted, (with_detail(model.factor, gamma), *wrong), table
        return
    if gamma == 0 and wanted > 0:
        yield wanted, (named("cross entropy"),), table
    if gamma == 1 and wanted not in (0, 1):
        yield wanted, (named("gamma multiplied"),), table / wanted
    yield wanted, wrong, table


def _unsmoothed(model, readings):
    """Yield them, first with the α of which smoothed labels make theirs.

    Last comes the part of the other label's weight in it.
    """
    known = (
        model.probability and "p_t of the smoothed" in model.probability.name
    )
    for gamma, names, table in readings:
        if known and model.pairs:
            part = model.numbers["share"] / 2
            mixed = table - part * table.sum(0)
            yield gamma, names, mixed / (1 - 2 * part), part
        yield gamma, names, table, 0.0


def with_detail(variant, gamma=None):
    """Return the variant with its numbers, as they were measured, told."""
    numbers = variant.numbers
    shown = {
        name: f"{SYMBOLS.get(name, name)} = {number:.3g}"
        for name, number in numbers.items()
    }
    if "negative" in shown:
        shown["negative"] = f"{gamma:.3g} and {numbers['negative']:.3g}"
    if "eps" in shown and "clipped" in variant.name:
        logit = np.log(1 / numbers["eps"] - 1)
        shown["eps"] += f", a logit of ±{logit:.3g}"
    return replace(
        variant, detail=", ".join(shown.values()) or variant.detail
    )


def _reduction_names(model, wanted):
    found = model.reduction
    if wanted in (found, getattr(found, "name", None)):
        return ()
    if not isinstance(found, str):
        return (found,)
    rule = model.rule("reduction")
    return (weights.claim("reduction", found, wanted, rule),)


def _claims(subject, known, names=(), form=None):
    """The claims to hold the loss against."""
    claims = known.settled(subject, form)
    one = claims.alpha is not None and not isinstance(claims.alpha, tuple)
    if subject.task != "multi-class" or claims.sigmoids or not one:
        return claims
    # one number for C classes becomes the weights it stands for
    rule = next((n for n in names if n.part == "alpha" and n.rule), None)
    rule = rule or named("alpha to every class")
    every = Labels(subject.task, claims.classes)
    every = replace(subject, labels=every)
    alpha = weights.expected(every, False, rule, claims.alpha)
    alpha = tuple(alpha.tolist())
    return replace(claims, alpha=alpha, one_number=claims.alpha)
