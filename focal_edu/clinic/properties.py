"""What a focal loss must do, one property a function.

Each check takes a `Subject` and its `Claims` and returns whether the property
holds (None: it could not be tested; `UNTESTED`: nor could it, though it was
claimed; `RISK`: it fails only in a use that was not claimed) and a few words
on what was seen.
"""

import math
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from .calls import Refusal, in_one_line, value_of
from .claims import SIGMOIDS
from .report import MORE, RISK, UNTESTED, apart
from .said import with_gamma
from .subject import close


def gamma_zero_is_cross_entropy(subject, claims):
    other = with_gamma(subject.loss, 0.0)
    if getattr(getattr(subject.loss, "gamma", None), "requires_grad", False):
        return RISK, "γ is trained: raising it lowers any loss"
    if other is None:
        return None, "γ cannot be set from outside"
    try:
        seen = replace(subject, loss=other).ask(subject.batch).value
    except Refusal as refusal:
        return None, f"with γ = 0 {refusal}"
    if claims.gamma > 0 and np.array_equal(seen, subject.answer.value):
        return RISK, "its γ can be set, and nothing changes"
    true = replace(claims, gamma=0.0).ask(subject.batch).value
    return _agree(subject, seen, true)


def one_example_is_a_batch(subject, claims):
    of_each = zip(*subject.labels.one_of_each(1.0), strict=True)
    for one in [*of_each][subject.task != "multi-class" :]:  # no negative
        subject.ask([array[None] for array in one])
    return True, ""


def never_above_cross_entropy(subject, claims):
    batch = subject.margins(-6, -3, -1, 0, 1, 3, 6)
    own, ce = subject.each(batch).value, claims.each(batch, gamma=0.0).value
    above = own - ce * (1 + 10 * subject.rtol)
    i = np.argmax(above)
    seen = f"{own[i]:.3g} where cross entropy is {ce[i]:.3g}"
    return bool(above[i] <= 0), seen


def ratio_is_the_modulating_factor(subject, claims):
    x_t = np.log(9), -np.log(9), 1.2, -0.7, 3.5
    batch = subject.margins(*x_t)
    ce = claims.each(batch, gamma=0.0).value
    ratio = _quotient(subject.each(batch).value, ce)
    true = _quotient(claims.each(batch).value, ce)
    worst = x_t[_furthest(ratio, true) * len(x_t) // len(ratio)]
    where = f" at p_t = {1 / (1 + np.exp(-worst)):.2g}, without weights"
    return _agree(subject, ratio, true, after=where)


def labels_are_alike(subject, claims):
    if len(subject.labels.used) < claims.classes:
        return None, "a class is ignored"
    logits, targets = batch = subject.margins(-2, 0.4, 1.5)
    turned = -logits, 1 - targets
    if subject.task == "multi-class":
        turned = np.roll(logits, 1, 1), (targets + 1) % claims.classes
    usual = claims.each(batch, alpha=None).value
    both = np.array(
        [
            usual * _quotient(subject.each(b).value, claims.each(b).value)
            for b in (batch, turned)
        ]
    )
    both = both[:, np.isfinite(both).all(axis=0)]
    if not both.size:
        return None, "a class has no weight"
    divided = ", claimed weights divided out" * (claims.alpha is not None)
    return _agree(subject, *both, "; with the label turned", after=divided)


def gradient_is_the_closed_form(subject, claims):
    true = claims.ask(subject.batch).gradient
    return _agree(subject, subject.answer.gradient, true)


def alpha_is_the_paper_s(subject, claims):
    batch, easier = subject.margins(0.0), subject.margins(1.5)
    measured, again = (
        subject.each(b).value / claims.each(b, alpha=None).value
        for b in (batch, easier)
    )
    claimed = claims.each(batch).value / claims.each(batch, alpha=None).value
    seen = _weights(subject, batch[1], measured)
    if claims.one_number is not None:
        number, classes = claims.one_number, claims.classes
        return False, f"one number, {number:g}, for {classes} classes: {seen}"
    if not close(measured, again, 1e-3):
        return None, "loss / CE is not a weight times (1 − p_t)^γ"
    return _agree(subject, measured, claimed, before=f"{seen}; ")


def average_is_the_one_claimed(subject, claims):
    asked = zip(subject.batches, subject.answers, strict=True)
    first, other, _ = (_average(subject, claims, *pair) for pair in asked)
    return other if first[0] and not other[0] else first


def _average(subject, claims, batch, answer):
    value, true = answer.value, claims.ask(batch).value
    own, ideal = subject.each(batch).value, claims.each(batch).value
    if value.shape != true.shape:
        return False, f"shape {value.shape}, not {true.shape}"
    if value.shape:
        return _agree(subject, value.reshape(len(value), -1).sum(1), own)
    ratio = _quotient(own, ideal)
    ratio = ratio[np.isfinite(ratio)]
    even = close(ratio, np.full_like(ratio, ratio[:1]), 10 * subject.rtol)
    even = even and not own[ideal == 0].any()
    if not (ratio.any() and even and value.any()):
        return None, "its single examples differ from the focal loss"
    total = replace(claims, reduction="sum").ask(batch).value
    divisor, expected = ratio[0] * total / value, total / true
    divided = "the sum is divided by "
    return _agree(subject, divisor, expected, ", not", before=divided)


def examples_do_not_mix(subject, claims):
    seen = "two examples' logits change the others' gradients"
    return close(*subject.others, 10 * subject.rtol), seen


def hard_examples_keep_their_slope(subject, claims):
    def slope(x_t, dtype=None):
        answer = subject.each(subject.margins(x_t), dtype)
        return np.abs(answer.gradient).sum()

    # PyTorch cuts probabilities off at 1e-12
    rounded = subject.form.probabilities
    low, near = -25.3 if rounded else -29.9, slope(-15)
    if not near > 0:
        lost = False if slope(0) else None
        return lost, "none of it left at p_t = 3e-7"
    left, where = slope(low) / near, f"at p_t = {np.exp(low):.0g}"
    if 0.9 < left < 1.1 and not rounded:  # an ε of the dtype cuts off there
        single = slope(low, torch.float32)
        if np.isfinite(single):
            left, where = single / near, f"{where} in float32"
    holds = bool(0.9 < left < 1.1) or claims.broken_far_out
    of = "of it left" if left < 1 else MORE
    return holds, f"{left:.2g} {of} {where}"


def finite_in_single_precision(subject, claims):
    bad = subject.broken_at(torch.float32)
    return claims.broken_far_out if bad else True, bad


def finite_at_gamma_one_half(subject, claims):
    other = with_gamma(subject.loss, 0.5)
    if other is None and claims.gamma != 0.5:
        return None, "γ cannot be set from outside"
    other = replace(subject, loss=other or subject.loss)
    try:
        holds, seen = finite_in_single_precision(other, claims)
    except Refusal as refusal:
        return None, f"with γ = 0.5 {refusal}"
    if holds is False and not 0 < claims.gamma < 1:
        return RISK, f"{seen}, should you ever set γ below 1"
    return holds, seen


def second_derivative_is_finite(subject, claims):
    leaf, given = subject.form.inputs(*subject.margins(-30, -2, 0, 2, 30))
    value = value_of(subject.copy(), *given)
    try:
        (first,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), leaf)
    except RuntimeError as error:
        return RISK, f"it has none: {in_one_line(error)}"
    return bool(second.isfinite().all()) or RISK, "it is not finite"


def same_answer_twice(subject, claims):
    module = subject.copy()
    switched = isinstance(module, torch.nn.Module)
    switched = switched and module is not subject.loss  # but a copy
    if not (subject.is_steady and switched):
        return subject.is_steady, _worst(*subject.repeated, ", then")
    try:
        trained, used = (
            replace(subject, loss=module.train(on)).ask(subject.batch).value
            for on in (True, False)
        )
    except Refusal as refusal:
        return RISK, f"in eval() {refusal}"
    seen = f"in eval() {_worst(used, trained, ', in training')}"
    return close(used, trained, subject.rtol) or RISK, seen


def inputs_are_untouched(subject, claims):
    batches = [subject.batch]
    if subject.task == "multi-class" or claims.ignore_index is not None:
        batches += [_with_ignored(subject, claims)[1]]
    for batch in batches[: 1 if subject.form.one_hot else 2]:
        _, given = subject.form.inputs(*batch)
        before = [tensor.detach().clone() for tensor in given]
        with suppress(Refusal):
            value_of(subject.copy(), *given)
        names = ("logits", "targets")[:: -1 if subject.form.exchanged else 1]
        changed = [
            name
            for name, a, b in zip(names, before, given, strict=True)
            if not torch.equal(a, b.detach())
        ]
        if changed:
            return False, f"it writes to its {' and '.join(changed)}"
    return True, ""


def half_precision_works(subject, claims):
    holds, seen = _in_half_precision(subject, claims)
    if holds is False and isinstance(subject.loss, torch.nn.Module):
        # autocast casts no module; nor do we cast what is a partial of one
        uncast = replace(subject, loss=partial(subject.loss))
        return _in_half_precision(uncast, claims)
    return holds, seen


def _in_half_precision(subject, claims):
    near, lost = subject.margins(-9, 9), ""
    hard = slice(len(near[0]) // 2)
    # a refusal of one example says nothing of halves
    usual = np.abs(subject.each(near).gradient[hard]).sum()
    for dtype in (torch.bfloat16, torch.float16):
        try:
            value = subject.ask(subject.batch, dtype).value
            answer = subject.each(near, dtype)
        except Refusal as refusal:
            return False, f"{dtype}: {refusal}"
        if not close(value, subject.answer.value, 0.1):
            return False, f"{dtype}: {_worst(value, subject.answer.value)}"
        if bad := answer.bad:
            return claims.broken_far_out, f"{dtype}: {bad} at a logit of 9"
        left = np.abs(answer.gradient[hard]).sum() / usual
        if left < 0.5 and not subject.form.probabilities:
            lost = f"{dtype}: {left:.2g} of the slope left at a logit of 9"
    bad = subject.broken_at(torch.float16)
    seen = f"torch.float16: {bad}" if bad else lost
    return RISK if seen else True, seen


def finite_without_positives(subject, claims):
    if subject.task == "multi-class" and claims.reduction != "mean_positive":
        return None, "asked of losses with positives and negatives"
    logits, targets = subject.batch
    answer = subject.ask((logits, np.zeros_like(targets)))
    value, usual = answer.value.sum(), subject.answer.value.sum()
    huge = np.abs(value) > 1000 * np.abs(usual)
    seen = f"{value:g} on a batch without any"
    return not (answer.bad or huge), seen


def _quotient(value, weight):
    """value / weight, and NaN where nothing is weighted."""
    return np.where(weight > 0, value / weight, np.nan)


def _furthest(seen, true):
    """Which number is furthest off."""
    off = np.abs(np.ravel(seen) - np.ravel(true))
    off[np.isnan(np.ravel(true))] = 0.0  # nothing is weighted
    return int(np.argmax(np.nan_to_num(off, nan=np.inf)))


def _worst(seen, true, word=", should be"):
    """The number that is furthest off, beside the one it should be."""
    seen, true = np.ravel(seen), np.ravel(true)
    if seen.shape != true.shape:
        return f"{seen.size} numbers, not {true.size}"
    i = _furthest(seen, true)
    one, other = apart(seen[i], true[i])
    return f"{one}{word} {other}"


def _agree(subject, seen, true, word=", should be", before="", after=""):
    """Whether they agree, and the number furthest off, within a sentence."""
    said = before + _worst(seen, true, word) + after
    return close(seen, true, 10 * subject.rtol), said


def _weights(subject, targets, measured):
    """The weight of each class as it was measured."""
    label = targets.reshape(len(targets), -1)[:, 0]
    seen = {int(t): measured[label == t][0] for t in sorted(set(label))}
    if subject.task != "multi-class":
        return f"positives get {seen[1]:.3g}, negatives {seen[0]:.3g}"
    return "classes get " + ", ".join(f"{w:.3g}" for w in seen.values())


# In another use: shapes, images, ignored targets, devices ----------------


def column_against_vector(subject, claims):
    if subject.task != "binary":
        return None, "a trap for binary losses"
    _, (logits, targets) = subject.form.inputs(*subject.batch)
    try:
        value = value_of(
            subject.copy(), logits.reshape(-1, 1), targets.reshape(-1)
        )
    except Refusal:
        return True, "refused"
    n, seen = len(logits), value.detach().double().numpy().ravel()
    if close(seen, subject.answer.value.ravel(), subject.rtol):
        return True, ""
    return RISK, f"{n} examples give {n} × {n} losses: check shapes"


def tensors_move_with_the_module(subject, claims):
    if not isinstance(subject.loss, torch.nn.Module):
        return None, "not a module"
    if subject.copy() is subject.loss:
        return None, "it cannot be copied"
    plain = [
        name
        for name, value in vars(subject.loss).items()
        if isinstance(value, torch.Tensor) and value.ndim
    ]
    if not plain or _runs_on_meta(subject, []):
        return True, ""
    if not _runs_on_meta(subject, plain):
        return None, "could not be run on another device"
    return False, f"{plain[0]} is no buffer: .to(device) leaves it behind"


def _runs_on_meta(subject, moved_by_hand):
    """Whether it runs with everything on PyTorch's device without data."""
    module = subject.copy().to("meta")
    for name in moved_by_hand:
        setattr(module, name, getattr(module, name).to("meta"))
    _, given = subject.form.inputs(*subject.batch)
    try:
        value_of(module, *(tensor.to("meta") for tensor in given))
    except Refusal:
        return False
    return True


def images_count_as_their_pixels(subject, claims):
    form = subject.form
    if subject.task == "multi-label" and not form.map:
        return None, "asked of losses of one label, in batches of examples"
    side = math.isqrt(2 * claims.classes) + 1
    logits, targets = subject.labels.usual(subject.rng, 2 * side**2)
    order = np.argsort(-targets.reshape(len(targets), -1)[:, 0])
    batch = logits[order], targets[order]  # all positives in the first image
    leaf, images = form.as_images(*batch, 2)
    try:
        flat = subject.ask(batch)
        value = value_of(subject.copy(), *images).double().sum()
        slope = torch.autograd.grad(value, leaf)[0].double().numpy()
    except (Refusal, RuntimeError):
        return None, "it takes no images, or no batch of this size"
    whole = flat.value.sum()
    seen = f"two images give {_worst(value.item(), whole, ', their pixels')}"
    if close(value.item(), whole, subject.rtol):
        return True, seen
    each, alone = (_of_length_1(s) for s in (slope, flat.gradient))
    if not np.isfinite(slope).all() or close(each, alone, 1e-4):
        return RISK, seen
    return (False if form.map else RISK), f"{seen}: pixels are mixed up"


def _of_length_1(slope):
    """The slopes of two images, of each image as a vector of length 1."""
    images = slope.reshape(2, -1)
    return images / np.linalg.norm(images, axis=1, keepdims=True)


def several_labels_count_as_examples(subject, claims):
    if not (subject.task == "binary" and subject.form.column):
        return None, "asked of losses of (N, 1)"
    form = replace(subject.form, task="multi-label", column=False, flat=False)
    labels = replace(subject.labels, task=form.task)
    batch = labels.usual(subject.rng)
    one_by_one = [array.ravel() for array in batch]
    try:
        value = replace(subject, form=form).ask(batch).value.sum()
        flat = subject.ask(one_by_one).value.sum()
    except Refusal:
        return None, "it takes one label only, or no batch of this size"
    labels = "{} × {} labels give".format(*batch[1].shape)
    seen = f"{labels} {_worst(value, flat, ', as examples')}"
    seen += "; to have them examined, claim the task: multi-label"
    return close(value, flat, subject.rtol) or RISK, seen


def label_c_is_the_background(subject, claims):
    """Of no class, as detectors have it whose classes start at 0."""
    form, weights = claims.form, isinstance(claims.alpha, tuple)
    if (
        not (form and form.name == SIGMOIDS)
        or weights
        or subject.form.one_hot
    ):
        return None, "asked of a sigmoid for each class"
    (logits, targets), classes = subject.batch, claims.classes
    some = np.where(np.arange(len(targets)) % 2, classes, targets)
    try:
        seen = subject.ask((logits, some))
    except Refusal:
        return None, "it takes no such label"
    total = replace(claims, reduction="sum")
    usual = total.ask(subject.batch).value / subject.answer.value.sum()
    total = replace(total, task="multi-label", form=None)
    true = total.ask((logits, np.eye(classes + 1)[some][:, :classes]))
    divisor = true.value / seen.value.sum()
    if not close(seen.gradient * divisor, true.gradient, 10 * subject.rtol):
        return RISK, f"label {classes} is no negative of every class"
    count, few = len(some), np.count_nonzero(some < classes)
    by_all, by_few = (
        close(divisor, usual * many / count, 10 * subject.rtol)
        for many in (count, few)
    )
    told = f"of {count} examples {few} have a class"
    told += f"; the sum is divided by {divisor:.4g}"
    if claims.reduction == "mean_positive":
        return by_few or RISK, told
    return by_all or RISK, told + ": claim mean_positive" * by_few


def ignored_targets_leave_no_trace(subject, claims):
    index = claims.ignore_index
    unsaid = index is None
    untested, trace = (None, RISK) if unsaid else (UNTESTED, False)
    if unsaid and subject.task != "multi-class":
        return None, "give ignore_index to have it asked"
    if subject.form.one_hot:
        return untested, "its targets are one-hot"
    if subject.task != "multi-class" and index in (0, 1):
        return untested, f"{index} is a label"
    kept, some = _with_ignored(subject, claims)
    ratio = len(some[1]) / len(kept[1])
    try:
        kept = subject.ask(kept)
    except Refusal:
        return untested, "it takes no batch of this size"
    try:
        seen = subject.ask(some)
    except Refusal as refusal:
        if unsaid:
            return None, "it takes no ignored targets"
        return False, f"with target {index} {refusal}"
    value, alone = seen.value.sum(), kept.value.sum()
    if not close(value, alone, subject.rtol):
        said = f"with them {_worst(value, alone, ', without them')}"
        if close(value * ratio, alone, subject.rtol):
            return trace, f"{said}: they are counted in the mean"
        for label in subject.labels.known:
            logits, targets = some[0], some[1].copy()
            targets[1::2] = label
            with suppress(Refusal):
                trained = subject.ask((logits, targets))
                if close(trained.gradient, seen.gradient, subject.rtol):
                    return trace, f"{said}: trained as target {label:g}"
        return trace, said
    slope = np.zeros_like(seen.gradient)
    slope[::2] = kept.gradient
    same, worst = _agree(subject, seen.gradient, slope)
    return same or trace, f"none in the value; gradient {worst}"


def _with_ignored(subject, claims):
    """Half of the batch, and all of it with targets ignored in the rest."""
    logits, targets = subject.batch
    by_label = np.argsort(targets.reshape(len(targets), -1)[:, 0])
    logits, targets = logits[by_label], targets[by_label]
    some = targets.copy()
    index = claims.ignore_index
    some[1::2] = -100 if index is None else index  # PyTorch's default
    return (logits[::2], targets[::2]), (logits, some)


def finite_where_all_are_ignored(subject, claims):
    index = claims.ignore_index
    if index is None or subject.form.one_hot:
        return None, "asked where a target is ignored"
    logits, targets = subject.batch
    try:
        answer = subject.ask((logits, np.full_like(targets, index)))
    except Refusal as refusal:
        return RISK, f"{refusal}"
    seen = f"{answer.value.sum():g} on a batch of ignored targets only"
    return RISK if answer.bad else True, seen


PROPERTIES = {
    "γ = 0 gives cross entropy": gamma_zero_is_cross_entropy,
    "a batch of one example works": one_example_is_a_batch,
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
    "several labels count as examples": several_labels_count_as_examples,
    "label C is the background": label_c_is_the_background,
    "ignored targets leave no trace": ignored_targets_leave_no_trace,
    "finite where all are ignored": finite_where_all_are_ignored,
    "its tensors move with the module": tensors_move_with_the_module,
    "finite without positives": finite_without_positives,
    "targets between 0 and 1": lambda *_: (None, "not asked"),
}
