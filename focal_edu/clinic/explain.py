"""Which call, which claims and which mistakes explain what a loss answers."""

import re
from dataclasses import replace

import torch

from .calls import EXCHANGED, FORMS, Refusal, targets_first
from .claims import (
    GUESS,
    can_have,
    candidates,
    numbers_of_classes,
    said,
    show,
)
from .fit import hopeless
from .match import MOST, gather, usual_match
from .mistakes import Variant


def first_match(loss, task, given, seed):
    """Return (evidence, claims, changes), and why calls were refused.

    The changes are None where nothing explains the answers, and the whole
    is None where there were no answers.

    Several labels are tried where one is not explained, and the other
    order of arguments where nothing is, or first where names ask for it.
    """
    usual, trouble = _forms_it_answers(loss, task, given[1], seed, FORMS)
    turned, _ = _forms_it_answers(loss, task, given[1], seed, EXCHANGED)
    one_label = any(item.form.task == "binary" for item in usual)
    many = [i for i in usual if one_label and i.form.task == "multi-label"]
    likely = [i for i in usual if all(i is not other for other in many)]
    turned_first = turned and targets_first(loss)
    groups = [_tries(loss, group, given) for group in (likely, many, turned)]
    if turned_first:
        groups = groups[::-1]
    # what one label does not explain, several rarely do at the third change
    for counts, wanted in ((range(MOST), groups), ((MOST,), groups[::2])):
        for tries in wanted:
            found = _fewest_changes(loss, tries, given, counts)
            if found:
                return found, trouble
    if not (likely or turned_first):
        return None, trouble
    return (*groups[0][0][:2], None), trouble


def _forms_it_answers(loss, task, alpha, seed, forms):
    """Evidence on each form of call that answers; why others do not."""
    found, trouble = {}, {}
    for classes in numbers_of_classes(loss, alpha):
        for form in forms:
            if task not in (GUESS, form.task) or not can_have(
                form.task, alpha
            ):
                continue
            _try_form(loss, form, classes, seed, found, trouble)
        forms = [f for f in forms if f.task == "multi-class" and f.integer]
        if found:
            break
    told = sorted(trouble.values(), key=lambda line: "it raised" in line)
    return list(found.values()), tuple(told)


def _try_form(loss, form, classes, seed, found, trouble):
    """Add what the loss answers to `found`, or why not to `trouble`."""
    for dtype in (torch.float64, torch.float32):
        form = replace(form, dtype=dtype)
        if (form.task, form.probabilities) in found:
            return
        try:
            found[form.task, form.probabilities] = gather(
                loss, form, classes, seed
            )
        except Refusal as refusal:
            but_for_sizes = re.sub(r"[\d ,]+", " ", f"{refusal}")
            trouble.setdefault(but_for_sizes, f"{form}: {refusal}")


def _tries(loss, evidence, given):
    """Each form of call with each claim, and what hopeless examples tell."""
    return [
        (item, claims, hopeless(loss, item.form, claims))
        for item in evidence
        for claims in _all_claims(loss, item, given)
    ]


def _fewest_changes(loss, tries, given, counts):
    """The evidence, claims and changes that agree, the fewest changes."""
    unasked = not targets_first(loss)
    for count in counts:
        for item, claims, told in tries:
            false = _false_claims(claims, said(loss, item.form, given))
            manners = item.form.probabilities + (
                item.form.exchanged and unasked
            )
            left = count - manners - len(false)
            found = usual_match(item, claims, told, left)
            if found:
                changes, reduction = found
                reduction = claims.reduction or reduction
                claims = replace(claims, reduction=reduction)
                return item, claims, (*false, *changes)
    return None


def _all_claims(loss, evidence, given):
    """What was claimed, filled in; then what it does where that is false."""
    form, classes = evidence.form, evidence.classes
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
