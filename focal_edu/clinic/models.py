"""What whole batches say: the order, the average, the size of weights."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import torch
from scipy.optimize import leastsq

from . import batches, rules, singles
from .calls import Refusal, ask
from .fit import MANY, Fit, as_written, draft_of
from .names import RIGHT, BuiltLoss, named, variants_of
from .names.variant import FITTED, Variant
from .singles import INSIDE
from .subject import close


@dataclass(frozen=True)
class Model:
    """A fit, an order and an average: a whole loss."""

    fit: Fit
    order: Variant | None
    reduction: object  # a variant, or one of the names of reductions
    table: np.ndarray
    relative: bool = False  # the weights are known up to a factor
    overwritten: bool = False
    of_batches: bool = False  # single examples do not show it

    @property
    def normalised(self):
        return "factor" in _hidden(self.reduction)

    def loss(self, **parts):
        """Return it as a callable; `parts` are rules to exchange."""
        order = self.order.rule if self.order else rules.each_example
        made = {
            "probability": self.fit.rule("probability"),
            "factor": self.fit.factors,
            "order": order,
            "alpha": rules.measured,
            "reduction": _rule(self.reduction),
        }
        kept = SimpleNamespace(table=torch.tensor(self.table))
        if self.overwritten:
            made["alpha"] = named("alpha overwritten").rule
            kept.alpha = tuple(self.table.tolist())
        return BuiltLoss(made | parts, self.fit.gamma, kept)


def fits(subject):
    """Yield lists of `Fit`s, of whole batches where single examples are 0."""
    alone = subject.alone
    if alone is not None and not (np.abs(alone.value) < 1e-6).all():
        yield from singles.fits(subject)
    elif subject.is_number:
        yield [*_fits_of_a_batch(subject)]


def _fits_of_a_batch(subject):
    """Yield what explains the first batch: one label's weight is one number.

    Divided by nothing, and by the number of examples.
    """
    shape = (2, 1)
    probabilities = [None]
    if subject.task == "multi-class":
        shape = subject.labels.classes
        probabilities += [named("softmax over the batch")]
    whole = subject.batch, subject.answer
    for probability, detached in product(probabilities, (False, True)):
        draft = replace(
            draft_of(probability, None),
            table=np.ones(shape),
            residual=0.0,
            detached=detached,
        )
        gamma = _searched(partial(_gap, draft, *whole), subject.rtol * 10)
        found = replace(draft, gamma=gamma)
        table, ours, theirs = _weights_in(found, *whole)
        if close(ours, theirs, 100 * subject.rtol):
            for many in (1, subject.batch[1].size):
                yield replace(found, table=as_written(table * many))


def _gap(draft, batch, answer, gamma):
    """How far off the best weights leave the draft, with another γ."""
    draft = replace(draft, gamma=abs(float(gamma[0])))
    _, ours, theirs = _weights_in(draft, batch, answer)
    return (ours - theirs) / np.abs(theirs).max()


def _searched(gap, rtol):
    """The γ that leaves no gap, as it was probably written."""
    found = leastsq(gap, [2.0], full_output=True, maxfev=30)[0][0]
    gamma = round(abs(float(found)), 2)
    return gamma if np.abs(gap([gamma])).max() < rtol else abs(float(found))


def models(subject, fit, expected=None):
    """Return the `Model`s that agree with every answer to whole batches.

    `expected` are the weights of the outputs that were claimed, if any.
    """
    orders = [
        order
        for order in variants_of("order", subject.task)
        if order.alone is fit.alone and order.match == FITTED
    ]
    if fit.alone is rules.each_example:
        orders = [None, named("modulated after reduction"), *orders]
    averaged = [
        model
        for reduction in _reductions(subject)
        if (model := _averaged(subject, fit, reduction, expected))
    ]
    tried = [
        replace(model, order=order)
        for order, model in product(orders, averaged)
        if not (model.normalised and order)
    ]
    found = [model for model in tried if agrees(subject, model)]
    if not found and not fit.pairs:
        plain = Model(fit, None, "none", fit.table, overwritten=True)
        tried = [replace(plain, reduction=r) for r in _reductions(subject)]
        found = [model for model in tried if agrees(subject, model)]
    return found or _batch_by_batch(subject, fit)


def _reductions(subject):
    others = variants_of("reduction", subject.task)
    is_map = [v for v in others if v.name == "a map over classes"]
    if not subject.is_number:
        return ["none", *is_map]
    return [
        "mean",
        "sum",
        "mean_positive",
        *(v for v in others if v not in is_map),
    ]


def _columns(subject, fit, table, expected):
    """The weights of outputs that were looked at together, over their mean.

    Those claimed if they have the same mean, else as gradients have it.
    """
    if expected is not None and expected.shape[1] > 1:
        mean = expected.mean(1, keepdims=True)
        if np.allclose(mean, table, 1e-6):
            return expected / mean
    inside = fit.alone is INSIDE
    part = subject.hopeless_weights if inside else subject.shares
    return 1.0 if part is None else part / part.mean(1, keepdims=True)


def _averaged(subject, fit, reduction, expected):
    """The model, with weights as they are before the average is taken."""
    relative = "weights" in _hidden(reduction)
    if relative:
        table = _relative_weights(subject, fit)
        if table is None:
            return None
    else:
        table = fit.table / _share(subject, fit, reduction)
        if subject.task == "multi-label" and table.shape[1] == 1:
            table = table * _columns(subject, fit, table, expected)
    model = Model(fit, None, reduction, table, relative)
    if model.normalised:
        return _with_hidden_gamma(subject, model) if fit.gamma == 0 else None
    return model


def _share(subject, fit, reduction):
    """The part of a single example's loss that its average leaves.

    By label, or by class: each in one example, averaged and summed.
    """
    rows = batches.one_of_each(subject.task, subject.labels, 0.0)
    rows = [*zip(*map(torch.tensor, rows), strict=True)]
    plain = fit if fit.pairs else replace(fit, probability=None)
    part, whole = (
        [made(x[None], y[None]).sum().item() for x, y in rows]
        for made in (
            Model(plain, None, how, np.ones_like(fit.table)).loss()
            for how in (reduction, "sum")
        )
    )
    left = np.array(part) / whole
    if fit.pairs:
        return left.mean() if subject.task == "multi-class" else left[:, None]
    shares = np.ones(len(fit.table))
    shares[list(subject.labels.used)] = left
    return shares


def _hidden(reduction):
    return getattr(reduction, "hides", ())


def _rule(reduction):
    if isinstance(reduction, str):
        return RIGHT["reduction"][reduction]
    return reduction.rule


def _relative_weights(subject, fit):
    """Weights that a single example hides, from a batch with each label."""
    shares = subject.shares
    if shares is None or not (shares > 0).any():
        return None
    if fit.pairs:
        table = shares.reshape(2, -1) if shares.ndim == 1 else shares
        if subject.task == "multi-class" or table.shape[1] > MANY:
            return None
        return table / table.sum(0)
    table = np.zeros(subject.labels.classes)
    table[list(subject.labels.used)] = shares.sum(1)
    return table / table.sum()


def _with_hidden_gamma(subject, model):
    """The model with the γ that only whole batches show."""
    batch = subject.batch

    @torch.no_grad()
    def gap(gamma):
        made = replace(model, fit=replace(model.fit, gamma=float(gamma[0])))
        value = made.loss()(*map(torch.tensor, batch)).item()
        return [value / (subject.answer.value.item() or 1.0) - 1]

    gamma = _searched(gap, subject.rtol * 10)
    return replace(model, fit=replace(model.fit, gamma=gamma))


def _batch_by_batch(subject, fit):
    """The model whose divisor, or whose weights, each batch sets anew."""
    if not subject.is_number or fit.alone is not rules.each_example:
        return []
    batches = [*zip(subject.batches, subject.answers, strict=True)][:2]
    found = []
    for batch in batches:
        table, ours, theirs = _weights_in(fit, *batch)
        if not (table.any() and close(ours, theirs, 100 * subject.rtol)):
            return []
        found.append(table)
    shares = [table / table.sum() for table in found]
    if close(*shares, subject.rtol * 1000):
        if not close(fit.table / fit.table.sum(), shares[0], 1e-3):
            fit = replace(fit, table=found[0])
        return [_with_another_divisor(subject, fit, found)]
    counts = [np.unique(b[1], return_counts=True)[1] for b in subject.batches]
    told = [
        f"{tuple(own.ravel().round(4).tolist())} for {count.tolist()} of each"
        for own, count in zip(shares, counts, strict=False)
    ]
    average = Variant(
        "weights set by the batch",
        "reduction",
        "weights that each batch's own targets set: how many it has of each "
        "label",
        "the same example counts for more or less with its neighbours; no "
        "fixed α does that",
        detail="shares of the labels, in order, are " + " and ".join(told),
        rule=rules.mean,
    )
    plain = Model(fit, None, average, np.ones_like(fit.table))
    return [replace(plain, of_batches=True)]


def _with_another_divisor(subject, fit, found):
    """The model of a sum over a number that no rule gives."""
    seen = [float(fit.table.sum() / table.sum()) for table in found]
    counts = [
        f"{d:.4g} for {int((b[1] > 0).sum())} positives of {b[1].size}"
        for d, b in zip(seen, subject.batches, strict=False)
    ]
    reduction = Variant(
        "another divisor",
        "reduction",
        "the sum divided by a number of its own",
        "the size of loss and gradient is not the one you tune for",
        detail=", ".join(counts),
        rule=lambda elements, *rest: elements.sum() / seen[0],
    )
    return Model(fit, None, reduction, fit.table)


def _weights_in(fit, batch, answer):
    """The weights of labels in a batch's sum; what they give, and what is.

    In the shape of the fit's table; 0 for labels that the batch lacks.
    """
    logits, targets = map(torch.tensor, batch)
    leaf = logits.requires_grad_()
    asked = rules.batch_of(leaf, targets)
    truth = fit.rule("probability")(asked)
    table = torch.ones(fit.table.shape, dtype=leaf.dtype)
    table.requires_grad_()
    weights = rules.measured(SimpleNamespace(table=table), truth, asked)
    whole = fit.elements(truth, weights).sum()
    (sums,) = torch.autograd.grad(whole, table, create_graph=True)
    slopes = torch.stack(
        [
            torch.autograd.grad(part, leaf, retain_graph=True)[0].ravel()
            for part in sums.ravel()
        ]
    )
    ours = np.column_stack([sums.detach().numpy().ravel(), slopes.numpy()])
    theirs = np.append(answer.value, answer.gradient)
    ours, theirs = map(_or_zero, (ours, theirs))
    found = np.linalg.lstsq(ours.T, theirs, rcond=None)[0]
    return found.reshape(fit.table.shape), found @ ours, theirs


_or_zero = partial(np.nan_to_num, posinf=0.0, neginf=0.0)


def agrees(subject, model):
    """Whether the loss said, call after call, what the model says."""
    made, form = model.loss(), subject.plain
    for batch, theirs in zip(subject.batches, subject.answers, strict=True):
        try:
            ours = ask(made, form, *batch)
        except Refusal:
            return False
        if not close(theirs.value, ours.value, subject.rtol):
            return False
        if not close(theirs.gradient, ours.gradient, subject.rtol * 10):
            return False
    return True
