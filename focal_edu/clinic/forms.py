"""The forms of call that a loss answers."""

import re
from contextlib import suppress
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from ..validate import TASKS
from .batches import Labels
from .calls import INPUTS, Form, Refusal, ask, fresh, targets_first
from .said import may_be_for, numbers_of_classes
from .subject import Subject, close

NUDGES = ((1e-11, 2e-4), (1e-5, 2e-2))
STEP = 1e-7
AXIS = ", as if its softmax went along another axis than the classes"

FLOATS = (
    Form("binary"),
    Form("binary", column=True),
    Form("multi-label"),
    Form("multi-class", one_hot=True),
)
COLUMN = Form("multi-class", column=True, integer=True)
FLAT = (
    Form("multi-class", integer=True),
    *FLOATS,
    *(replace(form, signed=True) for form in FLOATS[:3]),
    Form("binary", column=True, flat=True),
    COLUMN,
    *(replace(form, integer=True) for form in FLOATS),
    *(replace(form, boolean=True) for form in FLOATS),
)
IMAGE, SEQUENCE, VOLUME = (-1, -1), (-1,), (-1, -1, -1)
PLACES = IMAGE, SEQUENCE, (1,), (1, 1), VOLUME
MAPS = (
    *(Form("multi-class", map=axes, integer=True) for axes in PLACES),
    *(Form("multi-class", map=axes, one_hot=True) for axes in PLACES),
    *(replace(COLUMN, map=axes) for axes in (IMAGE, SEQUENCE, VOLUME)),
    Form("binary", column=True, map=IMAGE),
    Form("binary", column=True, map=IMAGE, integer=True),
    Form("binary", column=True, flat=True, map=IMAGE),
    Form("binary", column=True, flat=True, map=IMAGE, integer=True),
    Form("multi-label", map=IMAGE),
    Form("multi-label", map=(0,)),
)


def subjects(loss, said, trouble):
    """Yield groups of subjects, likeliest first; `trouble` gets why not.

    Several labels are tried where one is not explained, and the other
    order of arguments where nothing is, or first where names ask for it.
    Logarithms of probabilities come first if claimed, and else last.
    """
    *usual, logarithms = INPUTS
    tasks = {task for task in TASKS if may_be_for(task, said)}
    rest = set(tasks)  # that logarithms are tried for
    orders = sorted((False, True), reverse=bool(targets_first(loss)))
    ways = [(usual, exchanged, tasks) for exchanged in orders]
    place = 0 if said.takes == logarithms else len(ways)
    ways.insert(place, ([logarithms], False, rest))
    for inputs, exchanged, asked in ways:
        found, why = _answering(loss, said, asked, inputs, exchanged)
        if inputs is usual and not exchanged:
            trouble += why
            rest -= {s.task for s in found if _normalises(s)}
        one = any(s.task == "binary" for s in found)
        later = [s for s in found if one and s.task == "multi-label"]
        first = [s for s in found if not (one and s.task == "multi-label")]
        yield from filter(None, (first, later))


def _normalises(subject):
    """Whether other logits than the true one's count, or there are none."""
    gradient, targets = subject.answer.gradient, subject.batch[1]
    others = np.count_nonzero(gradient) > targets.size
    return not subject.form.probabilities and (
        others or subject.task != "multi-class"
    )


def _answering(loss, said, tasks, inputs, exchanged):
    """A subject for each form of call that answers; why others do not.

    Float32 is tried where a loss raised in float64; other numbers of
    classes, and maps, where it raised in the first form for the task.
    """
    found, refused, raised, why = {}, {}, {}, None
    known = said.classes > 1 and (said.classes,)
    first, *_ = sizes = known or numbers_of_classes(loss, said.alpha)
    for shapes, classes in product((FLAT, MAPS), sizes):
        tasks = [task for task in tasks if raised.get(task, True)]
        ways = product(inputs, shapes, (torch.float64, torch.float32))
        for takes, form, dtype in ways:
            task = form.task
            usual = form.integer == (task == "multi-class")
            if (
                (task, takes) in found
                or task not in tasks
                or (classes != first and (task == "binary" or not usual))
                or (dtype == torch.float32 and not why.raised)
            ):
                continue
            how = {"takes": takes, "exchanged": exchanged, "dtype": dtype}
            form = replace(form, **how)
            ignored = said.ignore_index if classes > 2 else None
            labels = Labels(task, classes, ignored)
            try:
                found[task, takes] = meet(loss, form, labels, said.seed)
            except Refusal as refusal:
                why = refusal
                but_for_sizes = re.sub(r"[\d ,]+", " ", f"{why}")
                refused.setdefault(but_for_sizes, (form, why))
                raised.setdefault(task, why.raised)
        hinted = any(refusal.hint for _, refusal in refused.values())
        sure = any(not subject.form.signed for subject in found.values())
        if sure or hinted:  # at what to examine instead, of whatever size
            break
    told = [why for why in refused.values() if not why[1].raised] or sorted(
        refused.values(), key=lambda why: why[1].raised, reverse=True
    )  # what got furthest says most
    told = [f"{form}: {why}" for form, why in told]
    found = sorted(found.values(), key=lambda s: s.form.takes != said.takes)
    return found, told


def meet(loss, form, labels, seed):
    """Return the `Subject`, or raise `Refusal` where it does not answer."""
    subject = _answered(loss, form, labels, seed)
    if form.one_hot and _takes_indices(subject):
        raise Refusal("it takes each target for the index of a class")
    _hear_targets(subject)
    rtol, can_be_told = _precision(subject)
    return replace(subject, rtol=rtol, can_be_told=can_be_told)


def _answered(loss, form, labels, seed):
    """The subject, with the first batches that it answers as it should."""
    rng = np.random.default_rng(seed)
    for other, easy in (
        (labels.classes + 7, False),
        (None, False),  # it may be of one size only,
        (labels.classes + 7, True),  # or of no number where p_t is small
    ):
        one = labels.usual(rng, easy=easy)
        asked = one, labels.usual(rng, other, easy), one
        copy = fresh(loss, form.dtype)
        first = ask(copy, form, *one)
        of = "maps of one place" if form.map else "inputs of ordinary size"
        if not first.gradient.any():
            why = AXIS * bool(form.map)
            raise Refusal(f"its gradient is 0 on {of}{why}")
        try:
            if first.bad:
                raise Refusal(f"it is NaN or infinite on {of}")
            answers = first, *(ask(copy, form, *b) for b in asked[1:])
            return Subject(loss, form, labels, seed, asked, answers)
        except Refusal as refusal:
            refused = refusal
    raise refused


def _takes_indices(subject):
    """Whether it answers to one index an example, and to no other class."""
    form = replace(subject.form, one_hot=False, column=True, integer=True)
    column, (logits, targets) = replace(subject, form=form), subject.batch
    answered = []
    for asked in (targets, np.full_like(targets, subject.labels.classes)):
        with suppress(Refusal):
            column.ask((logits, asked))
            answered.append(asked is targets)
    return answered == [True]


def _hear_targets(subject):
    """Raise `Refusal` where targets teach nothing, or those of 0 do not."""
    (logits, targets), slope = subject.batch, subject.answer.gradient
    known = subject.labels.known

    def of_one(label):
        return subject.ask((logits, np.full_like(targets, label)))

    try:
        same = of_one(known[0])
        deaf = close(slope, same.gradient, 1e-5)
        deaf = deaf and close(slope, of_one(known[-1]).gradient, 1e-5)
    except Refusal:  # one label alone is not enough for it
        return
    if deaf:
        raise Refusal("its targets do not change its gradient")
    none = not (slope[targets == 0].any() or same.gradient.any())
    if subject.task != "multi-class" and none:
        if 0 < np.abs(same.value).sum() < np.inf:  # which no logit changes
            raise Refusal("it learns nothing from negatives of target 0")


def _precision(subject):
    """The agreement to ask for, and whether that tells mistakes apart."""
    logits, targets = subject.batch
    first, rtol = subject.answer.gradient, subject.rtol
    for nudge, coarser in NUDGES:
        nudged = subject.ask((logits * (1 + nudge), targets)).gradient
        moved = np.count_nonzero(nudged != first)
        if moved > 0.5 * np.count_nonzero(first) and (
            rtol > 1e-7 or _smooth(subject)
        ):
            return rtol, close(nudged, first, 100 * (nudge + rtol))
        rtol = coarser
    return rtol, False


def _smooth(subject):
    """Whether answers beside the first show no steps of single precision."""
    (logits, targets), middle = subject.batch, subject.answer
    low, high = (
        subject.ask((logits * (1 + step), targets)) for step in (-STEP, STEP)
    )
    both = [(one.value, one.gradient) for one in (low, middle, high)]
    return all(
        np.abs(a - 2 * b + c).max() <= 1e-10 * np.abs(b).max()
        for a, b, c in zip(*both, strict=True)
    )
