"""What a focal loss does in another use: shapes, images, ignored targets,
devices. As in `properties`; where that use would fail it is a risk."""

import torch

from .batches import usual_batch
from .calls import Refusal, ask, value_of
from .match import close
from .report import RISK


def column_against_vector(case):
    if case.form.task != "binary":
        return None, "a trap for binary losses"
    _, (logits, targets) = case.inputs(case.batch)
    try:
        value = value_of(
            case.copy(), logits.reshape(-1, 1), targets.reshape(-1)
        )
    except Refusal:
        return True, "refused"
    n, seen = len(logits), value.detach().double().numpy()
    if seen.size == n * n:
        return RISK, f"{n} examples give {n} × {n} losses: check shapes"
    good = seen.size == case.answer.value.size and close(
        seen.ravel(), case.answer.value.ravel(), case.rtol
    )
    seen = f"{n} examples are averaged over {n} × {n} pairs: check shapes"
    return True if good else RISK, seen


def tensors_move_with_the_module(case):
    if not isinstance(case.loss, torch.nn.Module):
        return None, "not a module"
    plain = [
        name
        for name, value in vars(case.loss).items()
        if isinstance(value, torch.Tensor) and value.ndim
    ]
    if not plain or _runs_on_meta(case, []):
        return True, ""
    if not _runs_on_meta(case, plain):
        return None, "could not be run on another device"
    return False, f"{plain[0]} is no buffer: .to(device) leaves it behind"


def _runs_on_meta(case, moved_by_hand):
    """Whether it runs with everything on PyTorch's device without data."""
    module = case.copy().to("meta")
    for name in moved_by_hand:
        setattr(module, name, getattr(module, name).to("meta"))
    _, given = case.inputs(case.batch)
    try:
        value_of(module, *(tensor.to("meta") for tensor in given))
    except Refusal:
        return False
    return True


def images_count_as_their_pixels(case):
    task, classes = case.form.task, case.claims.classes
    if task == "multi-label" or case.form.map:
        return None, "asked of losses of one label, in batches of examples"
    batch = usual_batch(task, classes, case.rng, 4 * (classes + 1))
    _, given = case.inputs(batch)
    try:
        flat = ask(case.copy(), case.form, *batch).value.sum()
        value = value_of(case.copy(), *map(_as_images, given))
    except Refusal:
        return None, "it takes no images, or no batch of this size"
    value = value.detach().double().sum().item()
    seen = f"{value:.4g} for two images, {flat:.4g} for their pixels"
    return True if close(value, flat, case.rtol) else RISK, seen


def _as_images(tensor):
    """N rows as two images with N / 2 pixels each, classes on axis 1."""
    images = tensor.reshape(2, 2, -1, *tensor.shape[1:])
    return images.movedim(-1, 1) if tensor.ndim == 2 else images


def ignored_targets_leave_no_trace(case):
    if case.form.task != "multi-class" or case.form.one_hot:
        return None, "asked of losses of class indices"
    logits, targets = case.batch
    some = targets.copy()
    some[::2] = getattr(case.loss, "ignore_index", -100)
    try:
        kept = ask(case.copy(), case.form, logits[1::2], targets[1::2])
        seen = ask(case.copy(), case.form, logits, some)
    except Refusal:
        return None, "it takes no ignored targets, or no batch of this size"
    seen, kept = seen.value.sum(), kept.value.sum()
    said = f"{seen:.4g} with ignored examples, {kept:.4g} without them"
    return True if close(seen, kept, case.rtol) else RISK, said
