"""The focal loss as the paper writes it, in the pieces that names change.

A loss is read as five choices: which probability, which factor, in which
order, which weights, which average. Here are the right ones; `names` has
the others.
"""

from collections import namedtuple

import torch
import torch.nn.functional as F

# Logarithms of p_t and of 1 − p_t, and which elements count as positive.
Truth = namedtuple("Truth", "log_p log_q positive")
# What was asked: the logits, the targets, and how many classes there are.
Batch = namedtuple("Batch", "logits targets classes multi_class")


def batch_of(logits, targets):
    """Return the batch; class indices have one axis less than the logits."""
    multi_class = targets.ndim < logits.ndim
    classes = logits.shape[1] if logits.ndim > 1 else 1
    return Batch(logits, targets, classes, multi_class)


def one_hot(batch):
    found = F.one_hot(batch.targets, batch.classes).movedim(-1, 1)
    return found.to(batch.logits.dtype)


def stable(batch):
    """p_t = σ(x_t), with x_t the margin of the truth over the rest."""
    x_t = margin(batch)
    return Truth(F.logsigmoid(x_t), F.logsigmoid(-x_t), positive(batch))


def focal(truth, gamma):
    return (gamma * truth.log_q).exp()


def each_example(truth, weights, factor, reduce):
    return reduce(weights * factor(truth) * -truth.log_p)


def table_of(alpha, classes, multi_class, by_class):
    """The weights that the paper makes of α: of each class, or by label.

    By label there are two rows, 1 − α for negatives and α for positives,
    with a column for each output that has an α of its own.
    """
    if isinstance(alpha, tuple):
        own = torch.tensor(alpha, dtype=torch.float64)
        negatives = own if multi_class else 1 - own
        return own if by_class else torch.stack([negatives, own])
    up, down = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    rows = [down] + [up] * (classes - 1) if by_class else [[down], [up]]
    return torch.tensor(rows, dtype=torch.float64)


def paired(alpha, table):
    return table


def of_table(table, truth, batch):
    """The weight of each element."""
    table = table.to(truth.log_p.dtype)
    if not by_class(truth, batch):
        table = table[..., None] if truth.positive.ndim > 2 else table
        return torch.where(truth.positive, table[1], table[0])
    rows = table[batch.targets]
    return rows if truth.log_p.ndim == rows.ndim else rows.unsqueeze(1)


def by_class(truth, batch):
    """Whether the class of the truth decides, not each output's label."""
    one = truth.positive.ndim == batch.targets.ndim
    return batch.multi_class and (one or truth.positive.shape[1] == 1)


def unreduced(elements, weights, truth, batch, factor):
    parts = elements.ndim > batch.logits.ndim
    parts |= elements.shape[-1:] != truth.positive.shape[-1:]
    return elements.sum(-1) if parts else elements


def mean(elements, weights, truth, batch, factor):
    return elements.sum() / batch.targets.numel()


def total(elements, weights, truth, batch, factor):
    return elements.sum()


def mean_positive(elements, weights, truth, batch, factor):
    return elements.sum() / truth.positive.sum().clamp(min=1)


def margin(batch):
    """x_t: the logit of the truth over all others together."""
    if not batch.multi_class:
        return batch.logits * (2 * batch.targets - 1)
    truth = one_hot(batch) > 0
    others = batch.logits.masked_fill(truth, -torch.inf).logsumexp(1)
    return of_the_truth(batch.logits, batch) - others


def of_the_truth(p, batch):
    """p_t from p: the class's, or p for positives and 1 − p for negatives."""
    if batch.multi_class:
        return p.gather(1, batch.targets.unsqueeze(1))[:, 0]
    return torch.where(batch.targets > 0, p, 1 - p)


def read_back(ce, positive):
    """p_t as read off a cross entropy: exp(−CE)."""
    ce = ce.clamp(min=torch.finfo(ce.dtype).tiny)
    return Truth(-ce, (-(-ce).expm1()).log(), positive)


def positive(batch):
    """y = 1; among classes, every one but class 0, the background."""
    return batch.targets > 0
