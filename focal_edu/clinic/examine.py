"""Examine a loss: measure it, name what was measured, list what fails."""

from dataclasses import replace

import numpy as np
import torch

from .calls import Refusal, targets_first
from .claims import GUESS, unset
from .example import smallest_example
from .explain import explain
from .extremes import far_out
from .facts import measured_effect, measurements, profile
from .forms import subjects
from .names import VARIANTS
from .properties import PROPERTIES
from .report import FAILS, SLOPE, Finding, Report
from .said import checked, read_from
from .subject import close

EITHER_ORDER = (
    "it answers next to the same with its arguments exchanged, so that their "
    "order cannot be told: name them, as (probabilities, targets)"
)
TWO_LOGITS = "a binary loss of two logits: a softmax of two classes"
MUTED = "a class whose weight is 0 is not learned from"
COMPILED = "examined as it was before torch.compile"
# What torch.compile keeps of a module, and of a function.
BEFORE_COMPILE = "_orig_mod", "_torchdynamo_orig_callable"
COARSE = (
    "it computes in half precision whatever it is given, so that only two or "
    "three digits of its answers can be told apart"
)


def examine(
    loss,
    *,
    task=GUESS,
    gamma=GUESS,
    alpha=GUESS,
    reduction=GUESS,
    takes="logits",
    weights=None,
    scale=1.0,
    divisor=None,
    smoothing=GUESS,
    ignore_index=GUESS,
    seed=0,
):
    """Return a `Report` on any loss of (logits, targets).

    Parameters
    ----------
    loss : callable
        Takes logits and targets as PyTorch tensors. It is called on small
        random batches, on a copy where it can be copied.
    task : "binary", "multi-class" or "multi-label", optional
        "multi-class" claims a softmax; with one number as α, which no
        softmax has, a sigmoid for each class will do.
    gamma, alpha, reduction : optional
        What the loss claims to be, with the meanings they have in
        `focal_edu.FocalLoss`. What is not given is read from the loss's
        attributes and defaults, or else measured. The reduction may also
        be the name of one in `VARIANTS`.
    takes : "logits", "probabilities" or "log-probabilities", optional
        What the loss takes. Where it takes probabilities, breaking once they
        have rounded to 0 or 1 counts as a risk, not as a failure.
    weights : (float, float), optional
        The weights of positives and of negatives, in place of α.
    scale : float, optional
        What the whole loss is multiplied by.
    divisor : float, optional
        A constant that the sum is divided by.
    smoothing : float, optional
        The share of label smoothing; if not given, that of an attribute
        ``label_smoothing``.
    ignore_index : int or None, optional
        The target that must leave no trace; if not given, the loss's
        attribute.
    seed : int, optional
        For the random batches, and for what the loss draws itself.

    Returns
    -------
    Report
        It shows as a table in a notebook, as text elsewhere.

    Raises
    ------
    TypeError, ValueError
        For a claim that no focal loss can have, or a loss that is not
        callable. Whatever the loss itself raises stands in the report.
    """
    if not callable(loss):
        raise TypeError(
            "loss must be a callable of (logits, targets), got "
            f"{type(loss).__name__}"
        )
    said = checked(
        weights,
        divisor,
        task=task,
        gamma=gamma,
        alpha=alpha,
        reduction=reduction,
        takes=takes,
        scale=scale,
        smoothing=smoothing,
        ignore_index=ignore_index,
        seed=seed,
    )
    with np.errstate(all="ignore"), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # a loss may draw
        return _report(loss, said)


def _report(whole, said):
    loss = whole
    for kept in BEFORE_COMPILE:
        loss = getattr(loss, kept, loss)
    said = read_from(loss, said)
    title = getattr(loss, "__name__", type(loss).__name__).strip("<>")
    trouble = []
    found = _found(loss, said, trouble)
    if found is None:
        return Report("refused", trouble=tuple(trouble), title=title)
    found = far_out(found)
    subject, claims = found.subject, found.claims
    names, shape = found.names, profile(subject, claims)
    findings = tuple(_findings(subject, claims))
    verdict = _verdict(found.agrees, names, findings)
    muted = isinstance(claims.alpha, tuple) and 0 in claims.alpha
    muted = muted and "alpha" not in claims.given
    notes = {
        MUTED: muted and claims.task == "multi-class",
        claims.form and claims.form.computes: claims.form,
        EITHER_ORDER: _either_order(subject),
        COMPILED: whole is not loss,
        TWO_LOGITS: said.task == "binary" != claims.task,
        COARSE: not subject.can_be_told and subject.in_steps,
    }
    right = verdict == "right"
    told = found.model is None and not right
    return Report(
        verdict,
        claims=claims,
        form=subject.form,
        mistakes=names,
        explained=_explained(found),
        findings=findings,
        example=None if right else smallest_example(subject, claims),
        effect=measured_effect(subject, claims, shape) if told else "",
        trouble=tuple(note for note, holds in notes.items() if holds),
        title=title,
        facts=tuple(measurements(found, shape)),
        profile=shape,
    )


def _found(loss, said, trouble):
    """What explains the loss; of one that is claimed to be binary, and would
    mix its examples, what does as a loss of two logits."""
    found = explain(loss, subjects(loss, said, trouble), said)
    mixes = found is None or found.subject.mixes
    if said.task != "binary" or not mixes or (found and found.agrees):
        return found
    two = replace(said, task="multi-class", classes=2)
    groups = subjects(loss, two, [])
    groups = ([s for s in some if s.form.integer] for some in groups)
    again = explain(loss, filter(None, groups), two)
    return again if again and (again.agrees or not found) else found


def assert_conforms(
    loss, *, gamma, alpha=GUESS, weights=None, except_for=(), **claims
):
    """Raise AssertionError, with the report, unless `loss` conforms.

    Parameters
    ----------
    loss, gamma, alpha, weights, **claims
        As in `examine`. γ, and α or two weights, must be given: measured
        ones would let cross entropy pass, as the focal loss with γ = 0.
    except_for : sequence of str, optional
        What may fail, by its name in the report: properties and mistakes.

    Notes
    -----
    For a test of your own project::

        def test_our_loss():
            assert_conforms(our_loss, task="binary", gamma=2, alpha=0.25)
    """
    known = [*PROPERTIES, *(variant.name for variant in VARIANTS)]
    unknown = set(except_for) - set(known)
    if unknown:
        raise ValueError(
            f"except_for names nothing: {sorted(unknown)}; there are {known}"
        )
    if unset(alpha) and weights is None:
        raise TypeError("alpha, or weights, must be given: None is no weight")
    claims |= {"gamma": gamma, "alpha": alpha, "weights": weights}
    report = examine(loss, **claims)
    wrong = set(report.failing or report.names) - set(except_for)
    if wrong or report.verdict == "refused":
        raise AssertionError(f"{report}")


def _findings(subject, claims):
    for name, check in PROPERTIES.items():
        try:
            yield Finding(name, *check(subject, claims))
        except Refusal as refusal:
            yield Finding(name, False, f"{refusal}")


def _explained(found):
    """Of the properties that may fail beside any name, what the model fails.

    Only a slope that is lost does not show in a name's own words.
    """
    if found.model is None or not found.names:
        return ()
    made = found.model.loss()
    made = replace(found.subject, loss=made, form=found.subject.plain)
    return (SLOPE,) * (PROPERTIES[SLOPE](made, found.claims)[0] is False)


def _verdict(agrees, names, findings):
    if names:
        return "known"
    if not agrees:
        return "unknown"
    failing = any(finding.holds in FAILS for finding in findings)
    return "right formula" if failing else "right"


def _either_order(subject):
    """Whether exchanged arguments change next to nothing, names unsaid."""
    form = replace(subject.form, exchanged=not subject.form.exchanged)
    if not form.probabilities or targets_first(subject.loss) is not None:
        return False
    try:
        turned = replace(subject, form=form).ask(subject.batch)
    except Refusal:
        return False
    return close(turned.value, subject.answer.value, 1e-5)
