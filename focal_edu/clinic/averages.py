"""What whole batches say: the order, the average, the size of weights."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import torch
from scipy.optimize import leastsq

from .calls import Refusal, ask
from .fit import as_written
from .fit import fits as fits_of_singles
from .model import Model
from .names import REDUCTIONS, named, variants_of
from .names.reduction import DIVIDED, HARDEST, SET_BY_THE_BATCH
from .names.variant import FITTED, UNREDUCED
from .said import numbers_of_classes
from .subject import close

OVERWRITTEN = named("alpha overwritten")


def fits(subject):
    """Yield lists of models, of a whole batch where single examples are 0."""
    alone = subject.alone
    if alone is not None and not (np.abs(alone.value) < 1e-6).all():
        yield from fits_of_singles(subject)
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

    def gap(model):
        _, ours, theirs, _ = _weights_in(model, *whole)
        return (ours - theirs) / np.abs(theirs).max()

    for probability, detached in product(probabilities, (False, True)):
        draft = Model(probability, table=np.ones(shape), detached=detached)
        found = with_gamma(subject, draft, gap)
        table, ours, theirs, _ = _weights_in(found, *whole)
        if close(ours, theirs, 100 * subject.rtol):
            for many in (1, len(subject.batch[1])):
                yield replace(found, table=as_written(table * many))


def with_gamma(subject, model, gap, start=2.0):
    """The model with the γ that leaves no gap, as it was probably written."""

    def off(gamma):
        return gap(replace(model, gamma=abs(float(gamma[0]))))

    found = leastsq(off, [start], full_output=True, maxfev=30)[0]
    gamma = round(abs(float(found[0])), 2)
    if np.abs(off([gamma])).max() >= 10 * subject.rtol:
        gamma = abs(float(found[0]))
    return replace(model, gamma=gamma)


def models(subject, fit, claimed=None):
    """Return the models, of whole batches, that agree with every answer.

    `fit` is what single examples say, `claimed` are weights of several
    outputs: where these mix, their gradients do not tell their weights.
    """
    found = _agreeing(subject, fit)
    if not found and claimed is not None:
        outputs = claimed / claimed.mean(1, keepdims=True)
        table = fit.table.mean(1, keepdims=True) * outputs
        found = _agreeing(subject, replace(fit, table=table))
    return found or _batch_by_batch(subject, fit)


def _agreeing(subject, fit):
    orders = [
        order
        for order in variants_of("order", subject.task, FITTED)
        if order.alone is fit.alone
    ]
    if fit.order is None:
        orders = [None, named("modulated after reduction"), *orders]
    averaged = [
        _before_averaging(subject, replace(fit, reduction=reduction))
        for reduction in _reductions(subject)
    ]
    tried = [
        model
        for order, plain in product(orders, averaged)
        for model in _in_order(subject, plain, order)
    ]
    if fit.order is None and not fit.pairs:
        tried += [replace(model, alpha=OVERWRITTEN) for model in averaged]
    found = [model for model in tried if agrees(subject, model)]
    if len(found) > 1:  # a number may be C, or a constant
        return [m for m in found if _agrees_with_more(subject, m)] or found
    return found


def _agrees_with_more(subject, model):
    """Whether it agrees on more classes, if it has no number of its own.

    The first batch has them, its targets none; they weigh as the last does.
    """
    known = numbers_of_classes(subject.loss, None)
    if len(known) == 1 or subject.task == "binary":
        return True
    (logits, targets), wider = subject.batch, ((0, 0), (0, 2))
    if subject.task == "multi-label":
        targets = np.pad(targets, wider)
    more = np.pad(logits, wider), targets
    last = model.table.shape[-1] - 1
    table = model.table[..., np.minimum(np.arange(more[0].shape[1]), last)]
    try:
        seen = subject.ask(more).value
        ours = ask(replace(model, table=table).loss(), subject.plain, *more)
    except Refusal:
        return True
    return close(seen, ours.value, 1e-3)


def _reductions(subject):
    match = FITTED if subject.is_number else UNREDUCED
    usual = [r for r in REDUCTIONS if (r != "none") == subject.is_number]
    return usual + variants_of("reduction", subject.task, match)


def _in_order(subject, model, order):
    """Yield the model, with what one example does not show of it."""
    model, shares = replace(model, order=order), subject.shares
    if model.relative:
        if shares is None or shares.shape != model.table.shape:
            return
        if np.ptp(shares) < 1e-6 * shares.max():  # as without them
            return
        model = replace(model, table=shares / shares.sum(0))
    if model.focused:
        yield model
        return
    batch = [*map(torch.tensor, subject.batch)]
    seen = subject.answer.value.item() or 1.0

    def gap(tried):
        return [tried.loss()(*batch).item() / seen - 1]

    model = with_gamma(subject, model, gap)  # which only batches show
    yield from (replace(model, detached=which) for which in (False, True))


def _before_averaging(subject, model):
    """The model with the weights of single examples before their average.

    What that leaves of them is measured by label, or by class: each in one
    example, averaged and summed.
    """
    rows = map(torch.tensor, subject.labels.one_of_each(0.0))
    rows = [(x[None], y[None]) for x, y in zip(*rows, strict=True)]
    alone = {"order": None} if model.focused else {"gamma": 0.0}
    even = replace(model, table=np.ones_like(model.table), **alone)
    if not model.pairs:
        even = replace(even, probability=None)
    whole = replace(even, order=None, reduction="sum")
    part, whole = (
        np.array([made(*row).sum().item() for row in rows])
        for made in (even.loss(), whole.loss())
    )
    left = part / whole
    by_label = model.pairs and subject.task == "multi-class"
    left = left.mean() if by_label else subject.labels.table(left)
    return replace(model, table=model.table / left)


def _batch_by_batch(subject, fit):
    """The model whose divisor, or whose weights, each batch sets anew.

    Of all its examples, or of the hardest. Weights but for a divisor are
    whole: as α and 1 − α, or else 1 for each.
    """
    if not subject.is_number or fit.order:
        return []
    batches = [*zip(subject.batches, subject.answers, strict=True)][:2]
    found, counts = [], []
    for batch in batches:
        table, ours, theirs, counted = _weights_in(fit, *batch)
        if not (table.any() and close(ours, theirs, 100 * subject.rtol)):
            return []
        seen = np.abs(table) > 1e-9 * np.abs(table).max()
        scale = table[seen].sum() / fit.table[seen].sum()
        unseen = 0 if counted.all() else scale * fit.table
        found.append(np.where(seen, table, unseen))
        counts.append(counted)
    first, other = shares = [table / table.sum() for table in found]
    targets = [batch[1] for batch, _ in batches]
    whole, average = np.ones_like(first), SET_BY_THE_BATCH
    numbers = [np.unique(y, return_counts=True)[1] for y in targets]
    way = -1 if fit.pairs else 1  # positives first
    told = [
        f"{tuple(own.ravel()[::way].round(4).tolist())} for "
        f"{n[::way].tolist()} of each"
        for own, n in zip(shares, numbers, strict=True)
    ]
    both = zip(found, numbers, strict=True)
    sums = [table.ravel() * n for table, n in both if table.size == n.size]
    if sums and np.ptp(sums) < 1e-6 * np.max(sums):
        told = ["each label's sum over its own number", *told]
    if close(first, other, subject.rtol * 1000):
        average, parts = DIVIDED, np.nan_to_num(first / first.sum(0))
        whole = parts if np.ptp(parts) > 1e-6 else whole
        divisors = [whole.sum() / table.sum() for table in found]
        mean = close(divisors, [y.size for y in targets], 1e-6)
        if mean and all(counted.all() for counted in counts):
            return [replace(fit, reduction="mean", table=whole)]
        average = replace(average, rule=partial(_over, divisor=divisors[0]))
        classes = subject.task == "multi-class"
        of = "targets above 0" if classes else "positive"
        told = [
            f"{divisor:.4g} for {int((y > 0).sum())} of {y.size} {of}"
            for divisor, y in zip(divisors, targets, strict=True)
        ]
        if close(divisors, [y.size**2 for y in targets], 1e-6):
            told = ["by the number of targets twice", *told]
    average = replace(average, detail=", ".join(told))
    if not all(counted.all() for counted in counts):
        alone = subject.alone
        if not subject.is_steady or alone is None or not alone.value.all():
            return []  # drawn by chance, or it costs nothing alone either
        kept = ", ".join(f"{int(c.sum())} of {c.numel()}" for c in counts)
        told = f"{kept} count; {average.name}: {average.detail}"
        average = replace(HARDEST, rule=average.rule, detail=told)
    return [replace(fit, reduction=average, table=whole)]


def _over(elements, *rest, divisor):
    return elements.sum() / divisor


def _weights_in(fit, batch, answer):
    """The weights of labels in a batch's sum; what they give, and what is.

    In the shape of the fit's table; 0 for labels of which none counts. Last
    comes what does: of each label the hardest, but those without gradient.
    """
    logits, targets = map(torch.tensor, batch)
    leaf = logits.requires_grad_()
    plain = replace(fit, reduction="sum").loss()(leaf, targets)
    (slope,) = torch.autograd.grad(plain, leaf)
    moved, may = torch.tensor(answer.gradient) != 0, slope != 0
    if moved.shape != targets.shape:
        moved, may = moved.any(1), may.any(1)
    counted = moved | ~may
    table = torch.ones(fit.table.shape, dtype=leaf.dtype)
    table.requires_grad_()

    def hardest(elements, *rest):
        each = elements.reshape(*targets.shape, -1).sum(-1)
        return sum(
            each[targets == y].topk(int(counted[targets == y].sum()))[0].sum()
            for y in targets.unique()
        )

    summed = replace(
        fit, table=table, reduction=replace(HARDEST, rule=hardest)
    )
    whole = summed.loss()(leaf, targets)
    (sums,) = torch.autograd.grad(whole, table, create_graph=True)
    sums = sums.ravel()
    each = torch.eye(len(sums), dtype=leaf.dtype)
    slopes = torch.autograd.grad(sums, leaf, each, is_grads_batched=True)[0]
    ours = np.column_stack([sums.detach(), slopes.flatten(1)])
    theirs = np.append(answer.value, answer.gradient)
    ours, theirs = (
        np.nan_to_num(array, posinf=0.0, neginf=0.0)
        for array in (ours, theirs)
    )
    found = np.linalg.lstsq(ours.T, theirs, rcond=None)[0]
    return found.reshape(fit.table.shape), found @ ours, theirs, counted


def agrees(subject, model):
    """Whether the loss said, call after call, what the model says."""
    made, rtol = model.loss(), model.rtol(subject.rtol)
    for batch, theirs in zip(subject.batches, subject.answers, strict=True):
        try:
            ours = ask(made, subject.plain, *batch)
        except Refusal:
            return False
        same = close(theirs.value, ours.value, rtol)
        if not (same and close(theirs.gradient, ours.gradient, rtol * 10)):
            return False
    return True
