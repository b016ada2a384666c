"""What a focal loss must do, one property a function.

Each check takes a `Case` and returns whether the property holds (None: it
could not be tested; `UNTESTED`: nor could it, though it was claimed; `RISK`:
it fails only in a use that was not claimed) and a few words on what was seen.
"""

from dataclasses import replace

import numpy as np
import torch

from .batches import usual_batch
from .calls import Refusal, ask, fresh, in_one_line, value_of
from .report import RISK, UNTESTED, apart
from .said import with_gamma
from .subject import close, first_bad


def gamma_zero_is_cross_entropy(case):
    other = with_gamma(case.subject.loss, 0.0)
    if other is None:
        return None, "γ cannot be set from outside"
    try:
        seen = ask(
            fresh(other, case.subject.form.dtype),
            case.subject.form,
            *case.subject.batch,
        )
    except Refusal as refusal:
        return None, f"with γ = 0 {refusal}"
    seen = seen.value
    true = replace(case.claims, gamma=0.0).answer(*case.subject.batch).value
    return close(seen, true, case.subject.rtol), _beside(seen, true)


def never_above_cross_entropy(case):
    batch = case.subject.margins(-6, -3, -1, 0, 1, 3, 6)
    own, ce = case.own(batch), case.truth(batch, gamma=0.0)
    above = own - ce * (1 + 10 * case.subject.rtol)
    i = int(np.argmax(above))
    holds = above[i] <= 0
    return holds, f"{own[i]:.3g} where cross entropy is {ce[i]:.3g}"


def ratio_is_the_modulating_factor(case):
    x_t = np.log(9), -np.log(9), 1.2, -0.7
    batch = case.subject.margins(*x_t)
    ce = case.truth(batch, gamma=0.0)
    ratio = _quotient(case.own(batch), ce)
    true = _quotient(case.truth(batch), ce)
    worst = np.argmax(np.nan_to_num(np.abs(ratio - true), nan=np.inf))
    p_t = 1 / (1 + np.exp(-x_t[int(worst) * len(x_t) // len(ratio)]))
    where = f" at p_t = {p_t:.2g}, without weights"
    same = close(ratio, true, 10 * case.subject.rtol)
    return same, _worst(ratio, true) + where


def labels_are_alike(case):
    if len(case.subject.labels.used) < case.claims.classes:
        return None, "a class is ignored"
    logits, targets = case.subject.margins(-2, 0.4, 1.5)
    if case.subject.form.task == "multi-class":
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
    same = close(first, second, 10 * case.subject.rtol)
    return same, _worst(first, second, "; with the label turned")


def gradient_is_the_closed_form(case):
    true = case.claims.answer(*case.subject.batch).gradient
    seen = case.subject.answer.gradient
    return close(seen, true, 10 * case.subject.rtol), _worst(seen, true)


def alpha_is_the_paper_s(case):
    batch = case.subject.margins(0.0)
    measured = case.own(batch) / case.truth(batch, alpha=None)
    claimed = case.truth(batch) / case.truth(batch, alpha=None)
    seen = _weights(batch, measured)
    if case.claims.one_number is not None:
        number, classes = case.claims.one_number, case.claims.classes
        return False, f"one number, {number:g}, for {classes} classes: {seen}"
    easier = case.subject.margins(1.5)
    again = case.own(easier) / case.truth(easier, alpha=None)
    if not close(measured, again, 1e-3):
        return None, "loss / CE is not a weight times (1 − p_t)^γ"
    same = close(measured, claimed, 10 * case.subject.rtol)
    beside = f"{seen}; {_worst(measured, claimed)}"
    return same, seen if same else beside


def average_is_the_one_claimed(case):
    value, true = (
        case.subject.answer.value,
        case.claims.answer(*case.subject.batch),
    )
    own, ideal = case.own(case.subject.batch), case.truth(case.subject.batch)
    if value.shape != true.value.shape:
        return False, f"shape {value.shape}, not {true.value.shape}"
    if value.shape:
        each = value if value.ndim == 1 else value.mean(1)
        return close(each, own, 10 * case.subject.rtol), _worst(each, own)
    ratio = _quotient(own, ideal)
    ratio = ratio[np.isfinite(ratio)]
    even = close(
        ratio, np.full_like(ratio, ratio[:1]), 10 * case.subject.rtol
    )
    if not (ratio.size and even and value.any()):
        return None, "its single examples differ from the focal loss"
    labels = (
        1 if case.claims.sigmoids else case.subject.batch[1].size // len(own)
    )
    whole = ratio[0] * ideal.sum() * labels
    divisor, expected = whole / value, ideal.sum() * labels / true.value
    seen = "the sum is divided by {}, not {}".format(
        *apart(divisor, expected)
    )
    return close(divisor, expected, 10 * case.subject.rtol), seen


def examples_do_not_mix(case):
    moved, after = case.subject.moved
    claimed = [
        case.claims.answer(*batch).gradient[1:]
        for batch in (case.subject.batch, moved)
    ]
    if not close(*claimed, 1e-6):
        return None, "the average claimed mixes them"
    same = close(
        case.subject.answer.gradient[1:],
        after.gradient[1:],
        10 * case.subject.rtol,
    )
    return same, "one example's logit changes the others' gradients"


def hard_examples_keep_their_slope(case):
    far, near = (
        case.subject.each(case.subject.margins(x)).gradient
        for x in (-30, -15)
    )
    far, near = np.abs(far).sum(), np.abs(near).sum()
    if not near > 0:
        return False, "none of it left at p_t = 3e-7"
    ratio = far / near
    if 0.9 < ratio < 1.1:
        return True, ""
    return case.broken_far_out, f"{ratio:.2g} of it left at p_t = 1e-13"


def finite_in_single_precision(case):
    for sign in (-1, 1):
        bad = first_bad(case.subject, sign, torch.float32)
        if bad:
            return case.broken_far_out, bad
    return True, ""


def finite_at_gamma_one_half(case):
    other = with_gamma(case.subject.loss, 0.5)
    if other is None and case.claims.gamma != 0.5:
        return None, "γ cannot be set from outside"
    other = replace(case.subject, loss=other or case.subject.loss)
    try:
        holds, seen = finite_in_single_precision(replace(case, subject=other))
    except Refusal as refusal:
        return None, f"with γ = 0.5 {refusal}"
    if holds is False and not 0 < case.claims.gamma < 1:
        return RISK, f"{seen}, should you ever set γ below 1"
    return holds, seen


def second_derivative_is_finite(case):
    leaf, given = case.subject.inputs(case.subject.margins(-30, -2, 0, 2, 30))
    value = value_of(case.subject.copy(), *given)
    try:
        (first,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), leaf)
    except RuntimeError as error:
        return False, in_one_line(error)
    return bool(second.isfinite().all()), "it is not finite"


def same_answer_twice(case):
    copy = case.subject.copy()
    first = ask(copy, case.subject.form, *case.subject.batch)
    ask(copy, case.subject.form, *case.subject.margins(0.0, 1.0, -1.0))
    again = ask(copy, case.subject.form, *case.subject.batch)
    same = np.array_equal(first.value, again.value, equal_nan=True)
    return bool(same), _beside(again.value, first.value, ", then")


def inputs_are_untouched(case):
    _, given = case.subject.inputs(case.subject.batch)
    before = [tensor.detach().clone() for tensor in given]
    value_of(case.subject.copy(), *given)
    names = ("logits", "targets")[:: -1 if case.subject.form.exchanged else 1]
    changed = [
        name
        for name, a, b in zip(names, before, given, strict=True)
        if not torch.equal(a, b.detach())
    ]
    return not changed, f"it writes to its {' and '.join(changed)}"


def half_precision_works(case):
    for dtype in (torch.bfloat16, torch.float16):
        try:
            answer = case.subject.ask(case.subject.batch, dtype)
            far = case.subject.each(case.subject.margins(-9, 9), dtype)
        except Refusal as refusal:
            return False, f"{dtype}: {refusal}"
        if not close(answer.value, case.subject.answer.value, 0.1):
            return False, f"{dtype}: " + _beside(
                answer.value, case.subject.answer.value
            )
        for what in ("value", "gradient"):
            wrong = getattr(far, what)
            wrong = wrong[~np.isfinite(wrong)]
            if wrong.size:
                bad = case.broken_far_out
                return bad, f"{dtype}: {what} {wrong[0]:g} at a logit of 9"
    far = [first_bad(case.subject, sign, torch.float16) for sign in (-1, 1)]
    if any(far):
        return RISK, "torch.float16: " + "; ".join(filter(None, far))
    return True, ""


def finite_without_positives(case):
    if case.subject.task == "multi-class":
        return None, "asked of losses with positives and negatives"
    logits, targets = case.subject.batch
    try:
        answer = case.subject.ask((logits, np.zeros_like(targets)))
    except Refusal as refusal:
        return False, f"{refusal}"
    value = answer.value.sum()
    huge = np.abs(value) > 1000 * np.abs(case.subject.answer.value.sum())
    return answer.finite and not huge, f"{value:g} on a batch without any"


def _quotient(value, weight):
    """value / weight, and NaN where nothing is weighted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, value / weight, np.nan)


def _beside(seen, true, word=", should be"):
    if np.size(seen) != 1 or np.size(true) != 1:
        return _worst(seen, true)
    one, other = apart(float(np.sum(seen)), float(np.sum(true)))
    return f"{one}{word} {other}"


def _worst(seen, true, word=", should be"):
    """The number that is furthest off, beside the one it should be."""
    seen, true = np.ravel(seen), np.ravel(true)
    if seen.shape != true.shape:
        return f"{seen.size} numbers, not {true.size}"
    i = int(np.argmax(np.nan_to_num(np.abs(seen - true), nan=np.inf)))
    one, other = apart(seen[i], true[i])
    return f"{one}{word} {other}"


def _weights(batch, measured):
    """The weight of each class as it was measured."""
    targets = batch[1] if batch[1].ndim == 1 else batch[1][:, 0]
    seen = {int(t): measured[targets == t][0] for t in sorted(set(targets))}
    if (len(seen) == 2 and batch[0].ndim == 1) or batch[1].ndim == 2:
        return f"positives get {seen[1]:.3g}, negatives {seen[0]:.3g}"
    return "classes get " + ", ".join(f"{w:.3g}" for w in seen.values())


# In another use: shapes, images, ignored targets, devices ----------------


def column_against_vector(case):
    if case.subject.form.task != "binary":
        return None, "a trap for binary losses"
    _, (logits, targets) = case.subject.inputs(case.subject.batch)
    try:
        value = value_of(
            case.subject.copy(), logits.reshape(-1, 1), targets.reshape(-1)
        )
    except Refusal:
        return True, "refused"
    n, seen = len(logits), value.detach().double().numpy()
    if seen.size == n * n:
        return RISK, f"{n} examples give {n} × {n} losses: check shapes"
    good = seen.size == case.subject.answer.value.size and close(
        seen.ravel(), case.subject.answer.value.ravel(), case.subject.rtol
    )
    seen = f"{n} examples are averaged over {n} × {n} pairs: check shapes"
    return True if good else RISK, seen


def tensors_move_with_the_module(case):
    if not isinstance(case.subject.loss, torch.nn.Module):
        return None, "not a module"
    plain = [
        name
        for name, value in vars(case.subject.loss).items()
        if isinstance(value, torch.Tensor) and value.ndim
    ]
    if not plain or _runs_on_meta(case, []):
        return True, ""
    if not _runs_on_meta(case, plain):
        return None, "could not be run on another device"
    return False, f"{plain[0]} is no buffer: .to(device) leaves it behind"


def _runs_on_meta(case, moved_by_hand):
    """Whether it runs with everything on PyTorch's device without data."""
    module = case.subject.copy().to("meta")
    for name in moved_by_hand:
        setattr(module, name, getattr(module, name).to("meta"))
    _, given = case.subject.inputs(case.subject.batch)
    try:
        value_of(module, *(tensor.to("meta") for tensor in given))
    except Refusal:
        return False
    return True


def images_count_as_their_pixels(case):
    task, classes = case.subject.form.task, case.claims.classes
    if task == "multi-label" or case.subject.form.map:
        return None, "asked of losses of one label, in batches of examples"
    batch = usual_batch(
        task, case.subject.labels, case.subject.rng, 4 * (classes + 1)
    )
    _, given = case.subject.inputs(batch)
    try:
        flat = ask(case.subject.copy(), case.subject.form, *batch).value.sum()
        value = value_of(case.subject.copy(), *map(_as_images, given))
    except Refusal:
        return None, "it takes no images, or no batch of this size"
    value = value.detach().double().sum().item()
    seen = "{} for two images, {} for their pixels".format(
        *apart(value, flat)
    )
    return True if close(value, flat, case.subject.rtol) else RISK, seen


def _as_images(tensor):
    """N rows as two images with N / 2 pixels each, classes on axis 1."""
    images = tensor.reshape(2, 2, -1, *tensor.shape[1:])
    return images.movedim(-1, 1) if tensor.ndim == 2 else images


def ignored_targets_leave_no_trace(case):
    subject, index = case.subject, case.claims.ignore_index
    unsaid = index is None
    untested = None if unsaid else UNTESTED
    if unsaid and subject.task != "multi-class":
        return None, "asked of losses of class indices"
    if subject.form.one_hot:
        return untested, "its targets are one-hot"
    if subject.task != "multi-class" and index in (0, 1):
        return untested, f"{index} is a label"
    index = -100 if unsaid else index  # PyTorch's default
    logits, targets = subject.batch
    by_label = np.argsort(targets.reshape(len(targets), -1)[:, 0])
    logits, targets = logits[by_label], targets[by_label]
    some = targets.copy()
    some[::2] = index
    try:
        kept = subject.ask((logits[1::2], targets[1::2]))
    except Refusal:
        return untested, "it takes no batch of this size"
    try:
        seen = subject.ask((logits, some))
    except Refusal as refusal:
        if unsaid:
            return None, "it takes no ignored targets"
        return False, f"with target {index} {refusal}"
    slope = np.zeros_like(seen.gradient)
    slope[1::2] = kept.gradient
    value, alone = seen.value.sum(), kept.value.sum()
    if not close(value, alone, subject.rtol):
        one, other = apart(value, alone)
        said = f"{one} with ignored examples, {other} without them"
        ratio = len(some) / len(some[1::2])
        if close(value * ratio, alone, subject.rtol):
            said += ": they are counted in the mean"
    elif not close(seen.gradient, slope, 10 * subject.rtol):
        said = f"none in the value; gradient {_worst(seen.gradient, slope)}"
    else:
        return True, ""
    return (RISK, said) if unsaid else (False, said)


def finite_where_all_are_ignored(case):
    subject, index = case.subject, case.claims.ignore_index
    if index is None or subject.form.one_hot:
        return None, "asked where a target is ignored"
    logits, targets = subject.batch
    try:
        answer = subject.ask((logits, np.full_like(targets, index)))
    except Refusal as refusal:
        return RISK, f"{refusal}"
    seen = f"{answer.value.sum():g} on a batch of ignored targets only"
    return True if answer.finite else RISK, seen


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
    "finite where all are ignored": finite_where_all_are_ignored,
    "its tensors move with the module": tensors_move_with_the_module,
    "finite without positives": finite_without_positives,
}
