"""What was added to a focal loss, as the gradients of a batch show it."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..gradients import gradient_ratio
from .averages import with_gamma
from .calls import Refusal, value_of
from .model import Model, in_words
from .names.added import AND, TERMS, overlap

CLOSE = 1e-5
MOST = 20  # classes: there are three times as many sums
STARTS = 0.1, 0.5, 1.0, 2.0, 3.0, 5.0  # of γ


def added(subject):
    """Return a γ, None of no focal loss, and what is added to it; or None.

    The gradient is that of cross entropy, p − y, times the ratio that γ gives
    and a weight by label, plus multiples of the slopes of the term's sums.
    """
    labels, rng = subject.labels, subject.rng
    if labels.classes > MOST:
        return None
    x_t = rng.uniform(-3, 3, max(25, 2 * len(labels.known)))
    logits, targets = labels.at_margins(x_t, rng)
    try:
        seen = _gradient(subject, logits, targets).ravel()
    except (Refusal, RuntimeError):  # as of an image's backward pass
        return None
    x = torch.tensor(logits, requires_grad=True)
    p = x.softmax(1) if subject.task == "multi-class" else x.sigmoid()
    y = torch.tensor(subject.yes(targets))
    ce = (p - y).detach().numpy().T
    own = targets.T == np.reshape(labels.known, (-1, *[1] * ce.ndim))

    def fitted(slopes, model):
        focal = ce * gradient_ratio(1 / (1 + np.exp(-x_t)), model.gamma)
        parts = *np.where(own, focal, 0).swapaxes(1, -1), *slopes
        parts = np.array([part.ravel() for part in parts])
        return parts, np.linalg.lstsq(parts.T, seen, rcond=None)[0]

    def off(slopes, model):
        parts, found = fitted(slopes, model)
        return (found @ parts - seen) / np.abs(seen).max()

    mixed = subject.mixes or subject.form.map
    for term in TERMS if mixed else [t for t in TERMS if t.rule != overlap]:
        sums = torch.cat([sum_.ravel() for sum_ in term.rule(p, y, x)])
        slopes = [
            torch.autograd.grad(one, x, retain_graph=True)[0].numpy()
            for one in sums
        ]
        gap = partial(off, slopes)
        drafts = [Model(gamma=start) for start in STARTS]
        *_, start = min((np.abs(gap(m)).sum(), m.gamma) for m in drafts)
        model = with_gamma(subject, Model(), gap, start)
        _, found = fitted(slopes, model)
        weights, more = np.split(np.abs(found), [len(own)])
        needed = more.max() > CLOSE * weights.max()
        if needed and np.abs(gap(model)).max() < CLOSE:
            if weights.max() < CLOSE * more.max():
                return None, _alone(term)
            told = _base(model.gamma, weights / weights.sum(), subject.task)
            if len(more) == 1:
                even = np.ptp(weights) < CLOSE * weights.max()
                whole = weights.max() if even else weights.sum()
                told = f"{found[-1] / whole:.3g} times, {told}"
            return model.gamma, replace(term, detail=told)
    return None


def _gradient(subject, *batch):
    """The gradient of a batch, or of one image with these pixels."""
    if not subject.form.map:
        return subject.ask(batch).gradient
    leaf, images = subject.form.as_images(*batch, 1)
    value = value_of(subject.copy(), *images).sum()
    return torch.autograd.grad(value, leaf)[0].double().numpy()


def _alone(term):
    """The name of the term where there is no focal loss."""
    name = term.name.replace("added", "alone")
    return replace(term, name=name, computes=term.computes.removeprefix(AND))


def _base(gamma, weights, task):
    """To which focal loss it is added; with its weights, if they differ."""
    if np.ptp(weights) < CLOSE:
        return f"to γ = {gamma:.3g}"
    weights = weights if task == "multi-class" else weights[:, None]
    return f"to γ = {gamma:.3g}, weights {in_words(weights)}"
