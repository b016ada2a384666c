"""Examine a loss: which properties hold, and what it computes instead."""

from dataclasses import replace

import numpy as np
import torch

from . import rules
from .calls import Refusal, ask, targets_first
from .case import Case, smallest_example
from .claims import GUESS, check_claims, said, task_of
from .explain import first_match
from .match import close, extreme_match, true_answer
from .mistakes import Variant
from .properties import PROPERTIES
from .report import RISK, Finding, Report

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
EITHER_ORDER = (
    "it answers next to the same with its arguments exchanged, so that their "
    "order cannot be told: name them, as (probabilities, targets)"
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
    found, trouble = first_match(loss, task, given, seed)
    if not found:
        return Report("refused", trouble=trouble, title=title)
    evidence, claims, changes = found
    form = evidence.form
    mistakes = changes or ()
    if changes is not None:
        rng = np.random.default_rng(seed + 1)
        mistakes += extreme_match(loss, form, claims, changes, rng) or ()
        mistakes += (TAKES_PROBABILITIES,) * form.probabilities
        mistakes += (TAKES_TARGETS_FIRST,) * form.exchanged
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
        (EITHER_ORDER,) if _either_order(case) else (),
        title,
    )


def assert_conforms(loss, *, gamma, alpha, except_for=(), **claims):
    """Raise AssertionError, with the report, unless `loss` conforms.

    Parameters
    ----------
    loss, gamma, alpha, **claims
        As in `examine`. γ and α must be given: fitted ones would let cross
        entropy pass, as the focal loss with γ = 0.
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
    report = examine(loss, gamma=gamma, alpha=alpha, **claims)
    failing = set(report.failing) - set(except_for)
    unseen = report.mistakes and not report.failing
    if failing or unseen or report.verdict == "refused":
        raise AssertionError(f"{report}")


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


def _either_order(case):
    """Whether exchanged arguments change next to nothing, names unsaid."""
    form = replace(case.form, exchanged=not case.form.exchanged)
    if not form.probabilities or targets_first(case.loss) is not None:
        return False
    try:
        turned = ask(case.copy(), form, *case.batch)
    except Refusal:
        return False
    return close(turned.value, case.answer.value, 1e-5)


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
