"""Which call, which claims and which mistakes explain what a loss answers."""

from dataclasses import replace

import torch

from .calls import EXCHANGED, FORMS, Refusal
from .claims import GUESS, can_have, candidates, number_of_classes, said, show
from .hopeless import hopeless
from .match import MOST, gather, usual_match
from .mistakes import Variant


def first_match(loss, task, given, seed):
    """Return (evidence, claims, changes), and why calls were refused.

    The changes are None where nothing explains the answers, and the whole
    is None where there were no answers.

    Several labels are tried where one is not explained, and the other
    order of arguments where nothing is.
    """
    answers, trouble = _forms_it_answers(loss, task, given[1], seed, FORMS)
    one_label = any(item.form.task == "binary" for item in answers)
    many = [i for i in answers if one_label and i.form.task == "multi-label"]
    likely = [i for i in answers if all(i is not other for other in many)]
    first = None
    for evidence in (likely, many, None):
        if evidence is None:
            evidence, _ = _forms_it_answers(
                loss, task, given[1], seed, EXCHANGED
            )
        found = _best_match(loss, evidence, given) if evidence else None
        if found and found[2] is not None:
            return found, trouble
        first = first or (found if evidence is likely else None)
    return first, trouble


def _forms_it_answers(loss, task, alpha, seed, forms):
    """Evidence on each form of call that answers; why others do not."""
    found, trouble = {}, {}
    classes = number_of_classes(loss, alpha)
    for form in forms:
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
            manners = item.form.probabilities + item.form.exchanged
            left = count - manners - len(false)
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
