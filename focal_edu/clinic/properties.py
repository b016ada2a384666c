"""What a focal loss must do, one property a function.

Each check takes a `Case` and returns whether the property holds (None: it
could not be tested) and a few words on what was seen.
"""

from dataclasses import replace

import numpy as np
import torch

from .calls import Refusal, ask, fresh, value_of
from .claims import with_gamma
from .match import close, true_answer
from .report import RISK
from .uses import (
    column_against_vector,
    ignored_targets_leave_no_trace,
    images_count_as_their_pixels,
    tensors_move_with_the_module,
)


def gamma_zero_is_cross_entropy(case):
    other = with_gamma(case.loss, 0.0)
    if other is None:
        return None, "γ cannot be set from outside"
    try:
        seen = ask(fresh(other, case.form.dtype), case.form, *case.batch)
    except Refusal as refusal:
        return None, f"with γ = 0 {refusal}"
    seen = seen.value
    true = true_answer(replace(case.claims, gamma=0.0), *case.batch).value
    return close(seen, true, case.rtol), _beside(seen, true)


def never_above_cross_entropy(case):
    batch = case.margins(-6, -3, -1, 0, 1, 3, 6)
    own, ce = case.own(batch), case.truth(batch, gamma=0.0)
    above = own - ce * (1 + 10 * case.rtol)
    i = int(np.argmax(above))
    holds = above[i] <= 0
    return holds, f"{own[i]:.3g} where cross entropy is {ce[i]:.3g}"


def ratio_is_the_modulating_factor(case):
    batch = case.margins(np.log(9), -np.log(9), 1.2, -0.7)
    ce = case.truth(batch, gamma=0.0)
    ratio, true = _quotient(case.own(batch), ce), case.truth(batch)
    true = _quotient(true, ce)
    return close(ratio, true, 10 * case.rtol), _worst(ratio, true, "is")


def labels_are_alike(case):
    logits, targets = case.margins(-2, 0.4, 1.5)
    if case.form.task == "multi-class":
        turned = np.roll(logits, 1, axis=1)
        other = turned, (targets + 1) % case.claims.classes
    else:
        other = -logits, 1 - targets
    first, second = (
        _quotient(
            case.own(b) * case.truth(b, alpha=None),
            case.truth(b),
        )
        for b in ((logits, targets), other)
    )
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return None, "a class has no weight"
    first, second = first[known], second[known]
    same = close(first, second, 10 * case.rtol)
    return same, _worst(first, second, "is", "with the label turned")


def gradient_is_the_closed_form(case):
    true = true_answer(case.claims, *case.batch).gradient
    seen = case.answer.gradient
    return close(seen, true, 10 * case.rtol), _worst(seen, true, "is")


def alpha_is_the_paper_s(case):
    batch = case.margins(0.0)
    measured = case.own(batch) / case.truth(batch, alpha=None)
    claimed = case.truth(batch) / case.truth(batch, alpha=None)
    seen = _weights(batch, measured)
    if case.claims.one_number is not None:
        number, classes = case.claims.one_number, case.claims.classes
        return False, f"one number, {number:g}, for {classes} classes: {seen}"
    return close(measured, claimed, 10 * case.rtol), seen


def average_is_the_one_claimed(case):
    value, true = case.answer.value, true_answer(case.claims, *case.batch)
    own, ideal = case.own(case.batch), case.truth(case.batch)
    if value.shape != true.value.shape:
        return False, f"shape {value.shape}, not {true.value.shape}"
    if value.shape:
        each = value if value.ndim == 1 else value.mean(1)
        return close(each, own, 10 * case.rtol), _worst(each, own, "is")
    ratio = _quotient(own, ideal)
    ratio = ratio[np.isfinite(ratio)]
    even = close(ratio, np.full_like(ratio, ratio[:1]), 10 * case.rtol)
    if not (ratio.size and even):
        return None, "its single examples differ from the focal loss"
    labels = case.batch[1].size // len(case.batch[1])
    divisor = _quotient(ideal.sum() * labels, value)
    expected = ideal.sum() * labels / true.value
    seen = f"the sum is divided by {divisor:.4g}, not {expected:.4g}"
    return close(divisor, expected, 10 * case.rtol), seen


def examples_do_not_mix(case):
    logits, targets = case.batch
    moved = logits.copy()
    moved[0] = moved[0][::-1] if moved.ndim > 1 else -moved[0]
    after = ask(case.copy(), case.form, moved, targets)
    same = close(case.answer.gradient[1:], after.gradient[1:], 10 * case.rtol)
    return same, "one example's logit changes the others' gradients"


def hard_examples_keep_their_slope(case):
    far, near = (case.each(case.margins(x)).gradient for x in (-30, -15))
    far, near = np.abs(far).sum(), np.abs(near).sum()
    if not near > 0:
        return False, "none of it left at p_t = 3e-7"
    ratio = far / near
    return bool(0.9 < ratio < 1.1), f"{ratio:.2g} of it left at p_t = 1e-13"


def finite_in_single_precision(case, loss=None):
    for x_t in (-100, -20, 20, 100):
        answer = case.each(case.margins(x_t), torch.float32, loss)
        for what in ("value", "gradient"):
            wrong = getattr(answer, what)
            wrong = wrong[~np.isfinite(wrong)]
            if wrong.size:
                return False, f"{what} {wrong[0]:g} at a margin of {x_t}"
    return True, ""


def finite_at_gamma_one_half(case):
    other = with_gamma(case.loss, 0.5)
    if other is None and case.claims.gamma != 0.5:
        return None, "γ cannot be set from outside"
    try:
        holds, seen = finite_in_single_precision(case, other)
    except Refusal as refusal:
        return None, f"with γ = 0.5 {refusal}"
    if not holds and case.claims.gamma >= 1:
        return RISK, f"{seen}, should you ever set γ below 1"
    return holds, seen


def second_derivative_is_finite(case):
    leaf, given = case.inputs(case.margins(-30, -2, 0, 2, 30))
    value = value_of(case.copy(), *given)
    try:
        (first,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), leaf)
    except RuntimeError as error:
        return False, str(error).splitlines()[0][:80]
    return bool(second.isfinite().all()), "it is not finite"


def same_answer_twice(case):
    copy = case.copy()
    first = ask(copy, case.form, *case.batch)
    ask(copy, case.form, *case.margins(0.0, 1.0, -1.0))
    again = ask(copy, case.form, *case.batch)
    same = np.array_equal(first.value, again.value, equal_nan=True)
    return bool(same), _beside(again.value, first.value, "then")


def inputs_are_untouched(case):
    _, given = case.inputs(case.batch)
    before = [tensor.detach().clone() for tensor in given]
    value_of(case.copy(), *given)
    names = ("logits", "targets")[:: -1 if case.form.exchanged else 1]
    changed = [
        name
        for name, a, b in zip(names, before, given, strict=True)
        if not torch.equal(a, b.detach())
    ]
    return not changed, f"it writes to its {' and '.join(changed)}"


def half_precision_works(case):
    for dtype in (torch.bfloat16, torch.float16):
        try:
            answer = ask(case.copy(dtype), case.form, *case.batch, dtype)
        except Refusal as refusal:
            return False, f"{dtype}: {refusal}"
        if not close(answer.value, case.answer.value, 0.1):
            return False, f"{dtype}: " + _beside(
                answer.value, case.answer.value
            )
    return True, ""


def _quotient(value, weight):
    """value / weight, and NaN where nothing is weighted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, value / weight, np.nan)


def _beside(seen, true, word="for"):
    if np.size(seen) != 1 or np.size(true) != 1:
        return _worst(seen, true, "is")
    return f"{float(np.sum(seen)):.4g} {word} {float(np.sum(true)):.4g}"


def _worst(seen, true, verb, ending=""):
    """The number that is furthest off, beside the one it should be."""
    seen, true = np.ravel(seen), np.ravel(true)
    if seen.shape != true.shape:
        return f"{seen.size} numbers, not {true.size}"
    i = int(np.argmax(np.nan_to_num(np.abs(seen - true), nan=np.inf)))
    return f"{seen[i]:.3g} where it {verb} {true[i]:.3g} {ending}".strip()


def _weights(batch, measured):
    """The weight of each class as it was measured."""
    targets = batch[1] if batch[1].ndim == 1 else batch[1][:, 0]
    seen = {int(t): measured[targets == t][0] for t in sorted(set(targets))}
    if (len(seen) == 2 and batch[0].ndim == 1) or batch[1].ndim == 2:
        return f"positives get {seen[1]:.3g}, negatives {seen[0]:.3g}"
    return "classes get " + ", ".join(f"{w:.3g}" for w in seen.values())


PROPERTIES = {
    "γ = 0 gives cross entropy": gamma_zero_is_cross_entropy,
    "never above cross entropy": never_above_cross_entropy,
    "FL / CE is (1 − p_t)^γ": ratio_is_the_modulating_factor,
    "labels are treated alike": labels_are_alike,
    "gradient is the closed form": gradient_is_the_closed_form,
    "α goes where it should": alpha_is_the_paper_s,
    "average is the one claimed": average_is_the_one_claimed,
    "examples do not mix": examples_do_not_mix,
    "hard examples keep their slope": hard_examples_keep_their_slope,
    "finite at ±100 in float32": finite_in_single_precision,
    "finite at γ = 0.5 in float32": finite_at_gamma_one_half,
    "second derivative is finite": second_derivative_is_finite,
    "same answer twice": same_answer_twice,
    "inputs are untouched": inputs_are_untouched,
    "half precision works": half_precision_works,
    "(N, 1) against (N,) is caught": column_against_vector,
    "images count as their pixels": images_count_as_their_pixels,
    "ignored targets leave no trace": ignored_targets_leave_no_trace,
    "its tensors move with the module": tensors_move_with_the_module,
}
