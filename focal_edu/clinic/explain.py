"""From numbers to names: what a model is beside what the loss claims."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch

from . import rules
from .calls import Refusal, ask_each, targets_first
from .claims import GUESS, Claims, said, show
from .fit import FLOOR, _plain, fits, models, over_the_batch
from .names import RIGHT, VARIANTS, Variant, named

TAKES_PROBABILITIES = Variant(
    "takes probabilities",
    "input",
    None,
    "the focal loss of probabilities: it wants σ(x) or softmax(z), no logits",
    "given logits it fails or is NaN; given probabilities it may be "
    "infinite or NaN once one of them rounds to 0 or 1",
    ("mkocabas/focal-loss-keras#17",),
)
TAKES_TARGETS_FIRST = Variant(
    "takes targets first",
    "input",
    None,
    "the focal loss if called as loss(targets, logits)",
    "called as PyTorch's losses are, it takes logits for targets",
)


@dataclass(frozen=True)
class Explanation:
    """A model, the claims it is held against, and names for the rest.

    The model is None where the numbers explain only part of the answers.
    """

    subject: object
    model: object
    claims: Claims
    names: tuple
    form_note: str = ""
    agrees: bool = True


def explain(loss, groups, given, claimed_task):
    """Return the `Explanation` with the fewest names, or one without model.

    `groups` are lists of subjects, likeliest first; `given` are γ, α and
    reduction as they were claimed.
    """
    best = None
    for place, group in enumerate(groups):
        # pairs of changes are many: only for the likeliest way of calling
        first = group[: place == 0]
        for depth, wanted in enumerate((group, group, first, first)):
            for subject in wanted:
                found = _explanations(subject, given, claimed_task, depth)
                best = min([best, *found], key=_count)
            if best:
                break
        if _count(best) < 3.5:
            return best
    if best:
        return best
    subject = groups[0][0]
    claims = _one_number(_claims(subject, given, None, None, None), ())
    return Explanation(subject, None, claims, (), agrees=False)


def _count(explanation):
    """How much there is to explain; a known name before a bare number."""
    if explanation is None:
        return 99
    bare = [name for name in explanation.names if name.rule is None]
    alike = any(name.rule is rules.alike for name in explanation.names)
    return len(explanation.names) + len(bare) / 4 + alike / 10


def _explanations(subject, given, claimed_task, depth):
    """Yield what agrees, from fits of `depth` changes."""
    known = said(subject.loss, subject.task, given)
    if not subject.can_be_told:
        yield from _as_claimed(subject, given, known)
        return
    for found in _fits(subject)[depth : depth + 1]:
        for fit in found:
            claimed = None
            if fit.pairs and isinstance(known[1], tuple):
                pairs = SimpleNamespace(fit=fit)
                claimed = _expected(subject, pairs, rules.paired, known[1])
            for model in models(subject, fit, claimed):
                yield _named(subject, model, known, given, claimed_task)
    if depth == 1 and subject.task == "multi-class":
        yield from _hidden_softmax(subject, known, given, claimed_task)


def _fits(subject):
    """The lists of `fits`, each made once and only if asked for."""
    made = vars(subject).get("_fits")
    if made is None:
        made = _Lazily(fits(subject))
        vars(subject)["_fits"] = made
    return made


class _Lazily:
    def __init__(self, source):
        self.source, self.made = source, []

    def __getitem__(self, wanted):
        while len(self.made) < wanted.stop:
            try:
                self.made.append(next(self.source))
            except StopIteration:
                break
        return self.made[wanted]


def _as_claimed(subject, given, known):
    """What cannot be told apart may still be what it claims to be."""
    gamma, alpha, reduction = known
    if GUESS in (gamma, reduction if isinstance(reduction, str) else ""):
        if gamma == GUESS:
            return
    claims = _claims(subject, given, known, gamma, alpha)
    claims = _one_number(claims, ())
    wanted = [claims.reduction]
    if reduction == GUESS:
        wanted = ["mean", "sum"] if subject.is_number else ["none"]
    for name in wanted:
        true = replace(claims, reduction=name)
        value = true.answer(*subject.batch).value
        seen = subject.answer.value
        if seen.shape == value.shape and np.allclose(seen, value, 0.03):
            yield Explanation(subject, None, _one_number(true, ()), ())
            return


def _hidden_softmax(subject, known, given, claimed_task):
    """Softmax over the batch, of which single examples say nothing."""
    if subject.alone is None or np.abs(subject.alone.value).max() > 1e-6:
        return
    gamma, alpha, _ = known
    gamma = 2.0 if gamma == GUESS else gamma
    classes = subject.labels.classes
    tables = [np.ones(classes)]
    if isinstance(alpha, tuple):
        tables.append(np.array(alpha))
    model = over_the_batch(subject, gamma, tables)
    if model:
        yield _named(subject, model, known, given, claimed_task)


# Names ---------------------------------------------------------------------


def _named(subject, model, known, given, claimed_task):
    """The explanation of a model: what of it was not claimed."""
    options = []
    for gamma, factor_names, table in _readings(model, known[0]):
        rest = replace(model, table=table)
        for alpha, alpha_names in _weights(subject, rest, known):
            names = (*factor_names, *alpha_names)
            bare = [name for name in names if name.rule is None]
            cost = len(names) + len(bare) / 4
            options.append((cost, names, gamma, alpha))
    _, names, gamma, alpha = min(options, key=lambda option: option[0])
    fit, sigmoids = model.fit, model.fit.probability
    sigmoids = bool(sigmoids) and sigmoids.rule is rules.one_against_rest
    as_form = sigmoids and claimed_task == GUESS
    first = []
    if fit.probability and not as_form:
        first.append(_with_detail(fit.probability, fit))
    if fit.detached:
        first.append(named("p_t detached"))
    if model.order:
        first.append(model.order)
    if model.overwritten:
        first.append(named("alpha overwritten"))
    names = (*first, *names, *_reduction_names(model, known[2]))
    names += _manners(subject)
    claims = _claims(subject, given, known, gamma, alpha, model)
    claims = replace(claims, sigmoids=as_form)
    note = (
        "a sigmoid for each class, one against the rest: the paper's form "
        "for detectors"
        if as_form
        else ""
    )
    one = _one_number(claims, names)
    return Explanation(subject, model, one, names, note)


def _readings(model, said_gamma):
    """Yield γ to claim, names of the factor, and the weights then left."""
    fit, table = model.fit, model.table
    wanted = fit.gamma if said_gamma == GUESS else said_gamma
    wrong = _claim("gamma", fit.gamma, wanted)
    if np.isclose(fit.gamma, wanted, rtol=1e-3, atol=1e-3):
        wrong = ()
    if fit.factor:
        if "negative" in fit.numbers:  # both are told in its detail
            wrong = ()
        yield wanted, (_with_detail(fit.factor, fit), *wrong), table
        return
    if fit.gamma == 0 and wanted > 0:
        yield wanted, (named("cross entropy"),), table
    if fit.gamma == 1 and wanted not in (0, 1):
        yield wanted, (named("gamma multiplied"),), table / wanted
    yield wanted, wrong, table


def _with_detail(variant, fit):
    """The variant with its numbers as they were measured."""
    shown = {
        name: f"{_symbol(name)} = {fit.numbers[name]:.3g}"
        for name in variant.numbers
    }
    if "negative" in shown:
        other = fit.numbers["negative"]
        shown["negative"] = f"{fit.gamma:.3g} and {other:.3g}"
    if variant.rule is rules.clipped:
        eps = fit.numbers["eps"]
        shown["eps"] += f", a logit of ±{np.log(1 / eps - 1):.3g}"
    return replace(variant, detail=", ".join(shown.values()))


def _symbol(name):
    return {"eps": "ε", "epsilon": "ε", "beta": "β", "margin": "m"}.get(
        name, name
    )


def _claim(name, value, wanted):
    return (
        Variant(
            f"{name} is {show(value)}",
            "claim",
            None,
            f"the focal loss of another {name}: not {show(wanted)}",
            "you tune a number that is not the one in use",
        ),
    )


def _reduction_names(model, wanted):
    found = model.reduction
    if not isinstance(found, str):
        return (found,)
    if wanted in (GUESS, found):
        return ()
    return (
        Variant(
            f"reduction is {found}",
            "reduction",
            RIGHT["reduction"][found],
            f"reduction {found}, not {wanted}",
            "the size of loss and gradient is not the one you tune for",
        ),
    )


def _manners(subject):
    form = subject.form
    return (TAKES_PROBABILITIES,) * form.probabilities + (
        TAKES_TARGETS_FIRST,
    ) * form.exchanged


# Weights -------------------------------------------------------------------


def _weights(subject, model, known):
    """Yield pairs of an α to claim and names for what differs from it."""
    alpha = known[1]
    unsaid = isinstance(alpha, str)
    used = list(subject.labels.used)
    table = model.table if model.fit.pairs else model.table[used]
    table = np.broadcast_to(table, np.shape(table)) + 0.0
    rtol = max(1e-6, 100 * subject.rtol)
    if not table.any():
        yield (None if unsaid else alpha), ()
        return
    if unsaid:
        yield from _unsaid(subject, model, table, rtol)
        return
    order = model.order.rule if model.order else None
    for variant, expected in _expectations(subject, model, alpha):
        together = order in (rules.crossed_weights, rules.weighted_last)
        if together and model.fit.pairs:
            expected = expected.mean(1, keepdims=True)
            table = table.mean(1, keepdims=True)
        names = (variant,) if variant else ()
        ratio = _ratio(table, expected, rtol)
        if ratio is None:
            continue
        if model.relative or abs(ratio - 1) < rtol:
            yield alpha, names
        else:
            yield alpha, (*names, *_scaled(ratio, model))
    if model.fit.pairs:
        expected = next(_expectations(subject, model, alpha))[1]
        own, right = table / expected[0], expected / expected[0]
        boost = own[1] / right[1]
        if np.ptp(boost) < rtol and np.allclose(own[0], 1, rtol):
            yield alpha, (_pos_weight(boost[0], table),)
    for other, names in _unsaid(subject, model, table, rtol):
        if isinstance(other, tuple) and not isinstance(alpha, tuple):
            continue
        if names and model.fit.pairs and table.shape[1] == 1:
            continue
        yield alpha, (*_claim("alpha", other, alpha), *names)
    yield alpha, _other_weights(table)


def _unsaid(subject, model, table, rtol):
    """Yield the α that the weights suggest, and what is then left over."""
    if not model.fit.pairs:
        first = float(table.flat[0])
        if np.ptp(table) < rtol * abs(first):
            yield from _even(first, model, "alpha to every class", rtol)
            return
        every = np.ones(subject.labels.classes)
        every[list(subject.labels.used)] = table
        if (every >= 0).all():
            yield tuple(_rounded(w) for w in every), ()
        else:
            yield (
                tuple(_rounded(w) for w in -every),
                (named("minus sign lost"),),
            )
        return
    if model.relative:
        table = table / table.sum(0)
    negative, positive = table
    sums = negative + positive
    if np.ptp(table) < rtol * np.abs(table).max():
        relative = 1.0 if model.relative else float(table.flat[0])
        yield from _even(relative, model, "alpha to both", rtol)
        return
    sign = np.sign(sums.sum())
    lost = (named("minus sign lost"),) if sign < 0 else ()
    even = np.ptp(sums) < rtol * np.abs(sums).max()
    alike = np.ptp(positive) < rtol and np.ptp(negative) < rtol
    if np.allclose(np.abs(negative), 1, rtol) and alike:
        if not np.isclose(abs(sums[0]), 1):
            boost = _pos_weight(positive[0] / negative[0], table)
            yield None, (boost, *lost)
    if even and (positive / sums <= 1).all() and (positive / sums >= 0).all():
        scale = float(sums[0])
        alpha = tuple(_rounded(a) for a in positive / sums)
        alpha = alpha[0] if alike else alpha
        same = np.isclose(abs(scale), 1, rtol) or model.relative
        yield alpha, lost + (() if same else _scaled(abs(scale), model))
        return
    yield None, _other_weights(table)


def _even(weight, model, name, rtol):
    lost = (named("minus sign lost"),) if weight < 0 else ()
    weight = abs(weight)
    if abs(weight - 1) < rtol or model.relative:
        yield None, lost
    elif weight < 1 and not (model.reduction == "sum" and _whole(weight)):
        yield _rounded(weight), (named(name), *lost)
    else:
        yield None, (*_scaled(weight, model), *lost)


def _expectations(subject, model, alpha):
    """Yield each rule's weights for the α said, the right rule's first."""
    kind = "none" if alpha is None else "number"
    kind = "weights" if isinstance(alpha, tuple) else kind
    one_for_many = subject.task == "multi-class" and kind == "number"
    sigmoids = model.fit.pairs and subject.task == "multi-class"
    if not one_for_many or sigmoids:
        yield None, _expected(subject, model, rules.paired, alpha)
    for variant in VARIANTS:
        if (
            variant.part == "alpha"
            and variant.rule is not rules.overwritten
            and subject.task in variant.tasks
            and kind in variant.alpha
        ):
            yield (
                variant,
                _expected(subject, model, variant.rule, alpha),
            )


def _expected(subject, model, rule, alpha):
    """The table of weights that a rule makes of an α."""
    kept, classes = SimpleNamespace(alpha=alpha), subject.labels.classes
    multi_class = subject.task == "multi-class"
    if model.fit.pairs:
        columns = 1 if subject.task == "binary" else classes
        positive = torch.tensor([[False], [True]]).expand(2, columns)
        targets = positive.double()
        if multi_class:
            targets = torch.zeros(2, dtype=torch.long)
    else:
        targets = torch.tensor(subject.labels.used)
        positive = targets > 0
    log_p = torch.zeros(positive.shape, dtype=torch.float64)
    batch = rules.Batch(log_p, targets, classes, multi_class)
    truth = rules.Truth(log_p, log_p, positive)
    return rule(kept, truth, batch).numpy()


def _ratio(table, expected, rtol):
    """`table` over `expected` if that is one number, else None."""
    table, expected = np.broadcast_arrays(table, expected)
    at_zero = (expected == 0) != (np.abs(table) < 1e-12)
    if at_zero.any() or not expected.any():
        return None
    ratio = (table[expected != 0] / expected[expected != 0]).ravel()
    even = np.ptp(ratio) <= rtol * np.abs(ratio).max()
    return float(ratio[0]) if even else None


def _whole(weight):
    return abs(1 / weight - round(1 / weight)) < 1e-6 * abs(1 / weight)


def _scaled(ratio, model):
    """The names of a scale: a sign, a number, a divisor."""
    names = ()
    if ratio < 0:
        names, ratio = (named("minus sign lost"),), -ratio
    if abs(ratio - 1) < 1e-6:
        return names
    divisor = ""
    if model.reduction == "sum" and _whole(ratio) and ratio < 1:
        divisor = f"the sum over a constant {round(1 / ratio)}, not a mean"
    elif model.fit.pairs and np.ptp(model.table[:, 0]) > 1e-6:
        divisor = _both(model.table)
    return (
        *names,
        Variant(
            f"scaled by {ratio:.4g}",
            "alpha",
            None,
            f"{ratio:.4g} times the focal loss",
            "the learning rate changes, and nothing else does",
            detail=divisor,
        ),
    )


def _pos_weight(boost, table):
    return Variant(
        f"pos_weight is {boost:.4g}",
        "alpha",
        None,
        f"{boost:.4g} for positives, beside the weights claimed",
        "the balance is set by another number than α",
        detail=_both(table),
    )


def _both(table):
    negative, positive = np.abs(table[:, 0])
    whole = negative + positive
    return (
        f"weights {positive:.4g} for positives and {negative:.4g} for "
        f"negatives: alpha {positive / whole:.4g}, scaled by {whole:.4g}"
    )


def _other_weights(table):
    shown = ", ".join(show(tuple(row)) for row in np.atleast_2d(table))
    if table.ndim == 2 and table.shape[1] == 1:
        shown = _both(table)
    return (
        Variant(
            "other weights",
            "alpha",
            None,
            "weights that no α gives",
            "the balance is set by other numbers than α",
            detail=shown,
        ),
    )


def _rounded(weight):
    """The five decimals that a weight was probably written with."""
    near = round(float(weight), 5)
    return near if abs(near - weight) < 1e-7 else float(weight)


# Claims --------------------------------------------------------------------


def _claims(subject, given, known, gamma, alpha, model=None):
    """The claims to hold the loss against, and how each is known."""
    if known is None:
        known = said(subject.loss, subject.task, given)
        gamma = 2.0 if known[0] == GUESS else known[0]
        alpha = None if isinstance(known[1], str) else known[1]
    how = {}
    for name, one, read in zip(
        ("gamma", "alpha", "reduction"), given, known, strict=True
    ):
        how[name] = "read" if not _unset(read) else "fitted"
        how[name] = how[name] if _unset(one) else "given"
    reduction = known[2]
    if reduction == GUESS:
        found = model.reduction if model else None
        usual = "mean" if subject.is_number else "none"
        reduction = found if isinstance(found, str) else usual
    alpha = None if isinstance(alpha, str) else alpha
    return Claims(
        subject.task,
        float(gamma),
        alpha,
        reduction,
        subject.labels.classes,
        source=how,
    )


def _unset(value):
    return isinstance(value, str) and value == GUESS


def _one_number(claims, names):
    """One number for C classes becomes the weights it stands for."""
    if claims.task != "multi-class" or claims.alpha_kind != "number":
        return claims
    if claims.sigmoids:
        return claims
    rule = next((n.rule for n in names if n.part == "alpha" and n.rule), None)
    targets = torch.arange(claims.classes)
    truth = rules.Truth(torch.zeros(claims.classes), None, targets > 0)
    kept = SimpleNamespace(alpha=claims.alpha)
    weights = (rule or rules.alike)(
        kept, truth, SimpleNamespace(multi_class=True, targets=targets)
    )
    alpha = tuple(weights.double().tolist())
    return replace(claims, alpha=alpha, one_number=claims.alpha)


# Extreme logits ------------------------------------------------------------


def extreme_names(explanation):
    """Return the variants to add, or to exchange, at extreme logits."""
    model, subject = explanation.model, explanation.subject
    if model is None or model.overwritten or model.normalised:
        return explanation.names
    fit, task = model.fit, subject.task
    floor = fit.probability and "eps" in fit.numbers
    own = [v for v in VARIANTS if v.extreme and task in v.tasks]
    probabilities = [v for v in own if v.part == "probability"]
    if floor and fit.probability.rule is not rules.clipped:
        probabilities = []
    elif fit.probability:
        probabilities = [v for v in probabilities if floor and v.numbers]
    else:
        probabilities = [v for v in probabilities if not v.numbers]
    factors = [v for v in own if v.part == "factor"]
    factors = [] if fit.factor or fit.detached else factors
    tries = [
        [v for v in pair if v]
        for p in [None, *probabilities]
        for pair in ((p, f) for f in [None, *factors])
    ]
    ranges = [
        (8, 25, subject.form.dtype),
        (20, 80, torch.float32),
        (110, 150, torch.float32),
    ]
    if floor:  # about the cut, where one way of cutting shows
        cut = -np.log(fit.numbers["eps"])
        ranges.append((cut - 1, cut + 1, subject.form.dtype))
    rng, cases = np.random.default_rng(subject.seed + 1), []
    for low, high, dtype in ranges:
        x_t = rng.uniform(low, high, 6) * np.array([1, -1, 1, -1, 1, -1])
        batch = _batch(subject, x_t, rng)
        try:
            cases.append((batch, dtype, subject.each(batch, dtype)))
        except Refusal:
            return explanation.names
    for extra in sorted(tries, key=len):
        made = _made(model, extra, fit)
        if all(_agree_each(made, subject, *case) for case in cases):
            return _exchanged(explanation.names, extra, fit)
    return explanation.names


def _batch(subject, x_t, rng):
    from .batches import at_margins

    return at_margins(subject.task, subject.labels, x_t, rng)


def _made(model, extra, fit):
    from functools import partial

    parts = {}
    for variant in extra:
        own = {k: fit.numbers[k] for k in variant.numbers}
        parts[variant.part] = partial(variant.rule, **own)
    return model.loss(**parts)


def _exchanged(names, extra, fit):
    """The names with `extra`; clipping the other way takes its place."""
    for variant in extra:
        if variant.numbers:
            names = tuple(
                replace(variant, detail=name.detail)
                if name.rule is rules.clipped
                else name
                for name in names
            )
        else:
            names = (*names, variant)
    return names


def _agree_each(made, subject, batch, dtype, seen):
    ours = ask_each(made, _plain(subject), *batch, dtype)
    rtol = 1e-3 if dtype == torch.float64 else 1e-2
    return all(
        np.array_equal(np.isfinite(a), np.isfinite(b))
        and np.allclose(a[np.isfinite(a)], b[np.isfinite(b)], rtol, 1e-6)
        for a, b in (
            (_by_row(seen.value), _by_row(ours.value)),
            (_by_row(seen.gradient), _by_row(ours.gradient)),
        )
    )


def _by_row(array):
    """An example with any number that is not finite is not finite."""
    rows = array.reshape(len(array), -1)
    bad = ~np.isfinite(rows).all(axis=1, keepdims=True)
    return np.where(bad, np.nan, rows)


__all__ = [
    "FLOOR",
    "Explanation",
    "explain",
    "extreme_names",
    "targets_first",
]
