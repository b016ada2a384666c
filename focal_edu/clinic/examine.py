"""Examine a loss: which properties hold, and what it computes instead."""

from dataclasses import replace

import numpy as np
import torch

from . import rules
from .calls import FORMS, Refusal
from .case import Case
from .claims import (
    GUESS,
    can_have,
    candidates,
    check_claims,
    number_of_classes,
    said,
    show,
    task_of,
)
from .example import smallest_example
from .hopeless import hopeless
from .match import (
    MOST,
    extreme_match,
    gather,
    true_answer,
    usual_match,
)
from .mistakes import Variant
from .properties import PROPERTIES
from .report import RISK, Finding, Report

TAKES_PROBABILITIES = Variant(
    "takes probabilities",
    "input",
    None,
    "the focal loss of probabilities: it wants σ(x) or softmax(z), no logits",
    "given logits it fails or is NaN; given probabilities it is infinite or "
    "NaN as soon as one rounds to 0 or 1",
    ("mkocabas/focal-loss-keras#17",),
)


def examine(
    loss,
    *,
    task=GUESS,
    gamma=GUESS,
    alpha=GUESS,
    reduction=GUESS,
    seed=0,
):
    """Return a `Report` on any loss of (logits, targets).

    Parameters
    ----------
    loss : callable
        Takes logits and targets as PyTorch tensors. It is called on small
        random batches, on a copy where it can be copied.
    task : "binary", "multi-class" or "multi-label", optional
    gamma, alpha, reduction : optional
        What the loss claims to be, with the meanings they have in
        `focal_edu.FocalLoss`. What is not given is read from the loss's
        attributes and defaults, else fitted to what it answers.
    seed : int, optional
        Of the random batches.

    Returns
    -------
    Report
        A table in a notebook, text elsewhere.

    Raises
    ------
    TypeError, ValueError
        A claim that no focal loss can have, or a loss that is no callable.
        Whatever the loss itself raises stands in the report.
    """
    if not callable(loss):
        raise TypeError(
            "loss must be a callable of (logits, targets), got "
            f"{type(loss).__name__}"
        )
    task, *given = check_claims(task, gamma, alpha, reduction)
    title = getattr(loss, "__name__", type(loss).__name__).strip("<>")
    task = task_of(loss, task)
    evidence, trouble = _forms_it_answers(loss, task, given[1], seed)
    if not evidence:
        return Report("refused", trouble=trouble, title=title)
    evidence, claims, changes = _best_match(loss, evidence, given)
    form = evidence.form
    mistakes = changes or ()
    if changes is not None:
        rng = np.random.default_rng(seed + 1)
        mistakes += extreme_match(loss, form, claims, changes, rng) or ()
    if form.probabilities:
        mistakes = (*mistakes, TAKES_PROBABILITIES)
    claims = _as_claimed(claims, said(loss, form, given), mistakes)
    case = Case(loss, form, claims, evidence.rtol, seed)
    findings = tuple(_findings(case))
    verdict = _verdict(changes, mistakes, findings)
    different = verdict != "right"
    return Report(
        verdict,
        claims,
        form,
        mistakes,
        findings,
        smallest_example(case) if different else None,
        _measured_effect(case) if verdict == "unknown" else "",
        title=title,
    )


def assert_conforms(loss, *, except_for=(), **claims):
    """Raise AssertionError, with the report, unless `loss` conforms.

    Parameters
    ----------
    loss, **claims
        As in `examine`.
    except_for : sequence of str, optional
        Names of properties that may fail, as the report writes them.

    Notes
    -----
    For a test of your own project::

        def test_our_loss():
            assert_conforms(our_loss, task="binary", gamma=2, alpha=0.25)
    """
    unknown = set(except_for) - set(PROPERTIES)
    if unknown:
        raise ValueError(
            f"except_for names no property: {sorted(unknown)}; there are "
            f"{list(PROPERTIES)}"
        )
    report = examine(loss, **claims)
    failing = set(report.failing) - set(except_for)
    if failing or report.verdict == "refused":
        raise AssertionError(f"{report}")


def _forms_it_answers(loss, task, alpha, seed):
    """Evidence on each form of call that answers; why others do not."""
    found, trouble = {}, {}
    classes = number_of_classes(loss, alpha)
    for form in FORMS:
        if task not in (GUESS, form.task) or not can_have(form.task, alpha):
            continue
        for dtype in (torch.float64, torch.float32):
            form = replace(form, dtype=dtype)
            try:
                evidence = gather(loss, form, classes, seed)
            except Refusal as refusal:
                trouble.setdefault(f"{refusal}", f"{form}: {refusal}")
            else:
                found.setdefault((form.task, form.probabilities), evidence)
                break
    return list(found.values()), tuple(trouble.values())


def _best_match(loss, evidence, given):
    """The evidence, claims and changes that agree: the fewest changes.

    Where none agrees, the likeliest evidence and claims, and None.
    """
    tries = [
        (item, claims, hopeless(loss, item.form, claims))
        for item in evidence
        for claims in _all_claims(loss, item.form, given)
    ]
    for count in range(MOST + 1):
        for item, claims, told in tries:
            false = _false_claims(claims, said(loss, item.form, given))
            left = count - item.form.probabilities - len(false)
            found = usual_match(item, claims, told, left)
            if found:
                changes, reduction = found
                reduction = claims.reduction or reduction
                claims = replace(claims, reduction=reduction)
                return item, claims, (*false, *changes)
    return (*tries[0][:2], None)


def _all_claims(loss, form, given):
    """What was claimed, filled in; then what it does where that is false."""
    classes = number_of_classes(loss, given[1])
    likely = list(candidates(loss, form, given, classes))
    fitted = candidates(loss, form, (GUESS, GUESS, given[2]), classes)
    one_number = likely[0].alpha_kind == "number"
    return likely + [
        claims
        for claims in fitted
        if claims not in likely
        and not (one_number and claims.alpha_kind == "weights")
    ]


def _false_claims(claims, said):
    """A mistake for each γ and α that was said and that it does not use."""
    return tuple(
        Variant(
            f"{name} is {show(getattr(claims, name))}",
            "claim",
            None,
            f"the focal loss of another {name}: not {show(value)}",
            "you tune a number that is not the one in use",
        )
        for name, value in zip(("gamma", "alpha"), said, strict=True)
        if value != GUESS and value != getattr(claims, name)
    )


def _as_claimed(claims, said, mistakes):
    """The claims to hold the loss against: what was said, where it was.

    One number for C classes becomes the class weights it stands for.
    """
    gamma, alpha = said
    gamma = claims.gamma if gamma == GUESS else gamma
    alpha = claims.alpha if alpha == GUESS else alpha
    claims = replace(claims, gamma=gamma, alpha=alpha)
    if claims.task != "multi-class" or claims.alpha_kind != "number":
        return claims
    rule = next((m.rule for m in mistakes if m.part == "alpha"), None)
    targets = torch.arange(claims.classes)
    truth = rules.Truth(torch.zeros(claims.classes), None, targets > 0)
    weights = (rule or rules.alike)(claims, truth, None)
    alpha = tuple(weights.double().tolist())
    return replace(claims, alpha=alpha, one_number=claims.alpha)


def _findings(case):
    for name, check in PROPERTIES.items():
        try:
            holds, seen = check(case)
        except Refusal as refusal:
            holds, seen = False, f"{refusal}"
        known = holds is None or holds == RISK
        yield Finding(name, holds if known else bool(holds), seen)


def _verdict(changes, mistakes, findings):
    if mistakes:
        return "known"
    if changes is None:
        return "unknown"
    failing = any(finding.holds is False for finding in findings)
    return "right formula" if failing else "right"


def _measured_effect(case):
    """How its gradient compares with focal loss's: hard, easy, a batch.

    Negative where it points the other way.
    """
    shown = []
    for x_t, p_t in ((-np.log(9), 0.1), (np.log(9), 0.9)):
        batch = case.margins(x_t)
        try:
            own = case.each(batch).gradient
        except Refusal:
            return ""
        ratio = _along(own, case.slope(batch))
        shown.append(f"{ratio:.3g} times at p_t = {p_t}")
    true = true_answer(case.claims, *case.batch).gradient
    ratio = _along(case.answer.gradient, true)
    shown.append(f"{ratio:.3g} times on a batch of {len(true)}")
    return "its gradient is focal loss's " + ", ".join(shown)


def _along(own, true):
    """How long `own` is beside `true`; negative where it is against it."""
    sign = np.sign((own * true).sum()) or 1.0
    return sign * np.abs(own).sum() / np.abs(true).sum()
