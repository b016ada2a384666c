"""What a loss computes: the combination of rules that agrees with it.

Agreement means every value and every gradient on random data, call after
call; the fewest mistakes that agree are the answer, or there is none.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import torch

from .. import gradients, reference
from . import rules
from .calls import Answer, Form, Refusal, ask, ask_each, fresh
from .claims import REDUCTIONS
from .hopeless import hopeless
from .mistakes import Variant
from .variants import PARTS, RIGHT, VARIANTS, build

MOST = 3  # mistakes at once


def usual_batch(task, classes, rng, examples=None):
    """Return logits of ordinary size, and targets with every class."""
    n = examples or classes + 4
    if task == "multi-class":
        targets = np.arange(n) % classes
        targets[classes:] = rng.integers(classes, size=n - classes)
        logits = rng.normal(0, 1.5, (n, classes)).clip(-4, 4)
        return logits, rng.permutation(targets)
    shape = (n,) if task == "binary" else (n, classes)
    targets = np.zeros(shape)
    targets[: 3 * n // 7] = 1
    targets = rng.permuted(targets, axis=0)
    return rng.normal(0, 1.5, shape).clip(-4, 4), targets


def at_margins(task, classes, x_t, rng):
    """Return examples whose truth has the margins `x_t` over the rest."""
    n = len(x_t)
    if task == "multi-class":
        targets = rng.permutation(np.arange(n) % classes)
        logits = rng.normal(size=(n, classes))
        rest = np.where(np.eye(classes)[targets] > 0, -np.inf, logits)
        rest = np.logaddexp.reduce(rest, axis=1)
        logits[np.arange(n), targets] = rest + x_t
        return logits, targets
    targets = rng.permutation(np.arange(n) % 2).astype(float)
    logits = x_t * (2 * targets - 1)
    if task == "multi-label":
        return np.repeat(logits[:, None], classes, 1), np.repeat(
            targets[:, None], classes, 1
        )
    return logits, targets


def true_answer(claims, logits, targets, reduction=None):
    """Return value and gradient of the focal loss that is claimed.

    The elements and their slopes are the reference's; the average is the
    claimed one, or the first that it could be.
    """
    kind = "softmax" if claims.task == "multi-class" else "sigmoid"
    how = {"gamma": claims.gamma, "alpha": claims.alpha}
    loss = getattr(reference, f"{kind}_focal_loss")(logits, targets, **how)
    slope = getattr(gradients, f"{kind}_focal_gradient")(
        logits, targets, **how
    )
    elements = torch.tensor(loss, requires_grad=True)
    batch = rules.batch_of(torch.tensor(logits), torch.tensor(targets))
    truth = rules.Truth(None, None, batch.targets > 0)
    rule = RIGHT["reduction"][reduction or claims.reductions[0]]
    value = rule(elements, None, truth, batch)
    share = torch.autograd.grad(value.sum(), elements)[0].numpy()
    if share.ndim < slope.ndim:
        share = share[:, None]
    return Answer(value.detach().numpy(), share * slope, torch.float64)


@dataclass(frozen=True)
class Evidence:
    """What a loss said, call after call, on random batches.

    `rtol` is the agreement to ask for: less of a loss that computes in
    single precision, whatever it is given. Where a loss is random, or
    computes in half precision, its mistakes cannot be told apart.
    """

    form: Form
    batches: tuple
    answers: tuple
    classes: int
    rtol: float
    can_be_told: bool

    @property
    def is_number(self):
        return self.answers[0].value.ndim == 0

    @cached_property
    def tensors(self):
        """The first batch."""
        return tuple(torch.tensor(array) for array in self.batches[0])


def gather(loss, form, classes, seed):
    """Return the evidence of three calls, or raise `Refusal`."""
    rng = np.random.default_rng(seed)
    one, two = (usual_batch(form.task, classes, rng) for _ in range(2))
    copy, batches = fresh(loss, form.dtype), (one, two, one)
    answers = tuple(ask(copy, form, *batch) for batch in batches)
    if not answers[0].finite:
        raise Refusal("it is NaN or infinite on inputs of ordinary size")
    first = answers[0].gradient
    rtol, can_be_told = 1e-7, True
    for nudge, coarser in ((1e-11, 2e-4), (1e-5, 2e-2)):
        nudged = fresh(loss, form.dtype)
        nudged = ask(nudged, form, one[0] * (1 + nudge), one[1]).gradient
        if not np.array_equal(nudged, first):
            can_be_told = close(nudged, first, 100 * (nudge + rtol))
            break
        rtol, can_be_told = coarser, coarser < 1e-3
    return Evidence(form, batches, answers, classes, rtol, can_be_told)


def usual_match(evidence, claims, told, count):
    """Return (changes, reduction) that agree, with `count` changes."""
    if count and not evidence.can_be_told:
        return None
    for changes in recipes(claims, told, count):
        settled = any(change.part == "reduction" for change in changes)
        for reduction in claims.reductions[: 1 if settled else None]:
            if not settled and (reduction == "none") == evidence.is_number:
                continue
            if _agree(evidence, claims, changes, reduction, told.eps):
                return changes, None if settled else reduction
    return None


def recipes(claims, told, count):
    """Yield the combinations of `count` changes to the loss claimed.

    `told` is what hopeless examples told: an ε, weights that are used.
    """
    for first in [None, *_options("probability", claims, eps=told.eps)]:
        task = (first and first.reads_as) or claims.task
        options = [
            _options("factor", claims, task),
            _options("order", claims, task, weighted=bool(told.weights)),
            _options("alpha", claims, task),
            _options("reduction", claims) + _other_reductions(claims),
            told.weights,
        ]
        rest = count - (first is not None)
        for chosen in combinations(options, rest) if rest >= 0 else ():
            for changes in product(*chosen):
                parts = [change.part for change in changes]
                if len(set(parts)) < len(parts):
                    continue
                if _speaks_of_alpha(changes, claims, task):
                    yield (first, *changes)[first is None :]


def extreme_match(loss, form, claims, changes, rng):
    """Return the changes to add for extreme logits; None: none agree."""
    base = {change.part: change for change in changes}
    changes = [change for change in changes if change.part in PARTS]
    probabilities = [c for c in VARIANTS if c.part == "probability"]
    factors = [c for c in VARIANTS if c.part == "factor" and c.extreme]
    eps = hopeless(loss, form, claims).eps
    probabilities = [c for c in probabilities if c.extreme or (c.eps and eps)]
    tries = [
        [c for c in pair if c]
        for pair in product([None, *probabilities], [None, *factors])
        if not any(c and c.part in base for c in pair)
    ]
    cases = []
    ranges = [
        (8, 25, form.dtype),
        (20, 80, torch.float32),
        (110, 150, torch.float32),
    ]
    if eps:  # about the cut, where one way of cutting shows
        ranges.append((-np.log(eps) - 1, -np.log(eps) + 1, form.dtype))
    for low, high, dtype in ranges:
        x_t = rng.uniform(low, high, 6) * np.array([1, -1, 1, -1, 1, -1])
        batch = at_margins(form.task, claims.classes, x_t, rng)
        try:
            seen = ask_each(loss, form, *batch, dtype)
        except Refusal:
            return None
        cases.append((batch, dtype, seen))
    for extra in sorted(tries, key=len):
        made = made_loss((*changes, *extra), claims, claims.reduction, eps)
        if all(_agree_each(made, form.task, *case) for case in cases):
            return tuple(extra)
    return None


def made_loss(changes, claims, reduction, eps=None):
    """Return the loss that the changes make of what is claimed."""
    return build(
        *changes,
        task=claims.task,
        gamma=claims.gamma,
        alpha=claims.alpha,
        reduction=reduction or "mean",
        eps=eps,
    )


def close(a, b, rtol):
    """Return whether two arrays agree in shape and in every number."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    finite = np.abs(b[np.isfinite(b)])
    atol = rtol * 0.01 * finite.max(initial=0)
    return np.allclose(a, b, rtol, atol, equal_nan=True)


def _options(part, claims, task=None, eps=None, weighted=False):
    """The mistakes in one part that this task and this α can show.

    A loss that is `weighted`, though no α is claimed, shows more of them.
    """
    kinds = {claims.alpha_kind, "number" if weighted else claims.alpha_kind}
    return [
        v
        for v in VARIANTS
        if v.part == part
        and not v.extreme
        and (task or claims.task) in v.tasks
        and kinds & set(v.alpha)
        and (v.eps is None or eps)
    ]


def _other_reductions(claims):
    others = set(REDUCTIONS) - set(claims.reductions)
    if claims.task == "multi-class":
        others -= {"mean_positive"}
    return [
        Variant(
            f"reduction is {name}",
            "reduction",
            RIGHT["reduction"][name],
            f"reduction {name}, not {claims.reduction}",
            "the size of loss and gradient is not the one you tune for",
        )
        for name in REDUCTIONS
        if claims.reduction and name in others
    ]


def _speaks_of_alpha(changes, claims, task):
    """One number for C classes has no right meaning to fall back on."""
    if task != "multi-class" or claims.alpha_kind != "number":
        return True
    return any(change.part == "alpha" for change in changes)


def _agree(evidence, claims, changes, reduction, eps):
    """Whether the loss said what the changes make of the focal loss."""
    if changes and not _first_value_agrees(
        evidence, made_loss(changes, claims, reduction, eps)
    ):
        return False
    made = made_loss(changes, claims, reduction, eps)
    form = Form(claims.task, integer=claims.task == "multi-class")
    said = zip(evidence.batches, evidence.answers, strict=True)
    for (logits, targets), theirs in said:
        try:
            ours = (
                ask(made, form, logits, targets)
                if changes
                else true_answer(claims, logits, targets, reduction)
            )
        except Refusal:
            return False
        if not close(theirs.value, ours.value, evidence.rtol):
            return False
        if not close(theirs.gradient, ours.gradient, evidence.rtol * 10):
            return False
    return True


@torch.no_grad()
def _first_value_agrees(evidence, made):
    """The quick test that nearly every wrong combination fails."""
    value, theirs = made(*evidence.tensors).numpy(), evidence.answers[0].value
    if value.shape != theirs.shape:
        return False
    gap = np.abs(value - theirs).max()
    return bool(gap <= 2 * evidence.rtol * np.abs(theirs).max())


def _agree_each(made, task, batch, dtype, seen):
    form = Form(task, integer=task == "multi-class")
    ours = ask_each(made, form, *batch, dtype)
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
