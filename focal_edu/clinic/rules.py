"""The pieces that losses are put together from, right ones and wrong ones.

A loss is read as five choices: which probability, which factor, in which
order, which weights, which average. Every rule below is one such choice.
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


# Which probability ---------------------------------------------------------


def stable(batch, eps=None):
    """p_t = σ(x_t), with x_t the margin of the truth over the rest."""
    x_t = _margin(batch)
    return Truth(-F.softplus(-x_t), -F.softplus(x_t), _positive(batch))


def rounded(batch, eps=None):
    """log p_t taken after p_t has been rounded."""
    return stable(batch)._replace(log_p=_probability(batch).log())


def rounded_products(batch, eps=None):
    """Σ y log p: a product 0 · (−∞) for each saturated wrong answer."""
    if not batch.multi_class:
        p, y = batch.logits.sigmoid(), batch.targets
        log_p = y * p.log() + (1 - y) * (1 - p).log()
    else:
        log_p = (_one_hot(batch) * batch.logits.softmax(1).log()).sum(1)
    return stable(batch)._replace(log_p=log_p)


def clipped(batch, eps):
    """p_t cut off at ε and 1 − ε."""
    p = _probability(batch).clamp(eps, 1 - eps)
    return Truth(p.log(), _log_rest(p), _positive(batch))


def clipped_first(batch, eps):
    """p, not p_t, cut off at ε and 1 − ε, which may round to 1."""
    p = batch.logits.sigmoid().clamp(eps, 1 - eps)
    p = torch.where(batch.targets > 0, p, 1 - p)
    return Truth(p.log(), _log_rest(p), _positive(batch))


def shifted(batch, eps):
    """p_t + ε in place of p_t, in the factor too."""
    p = _probability(batch) + eps
    return Truth(p.log(), _log_rest(p), _positive(batch))


def added(batch, eps):
    """log (p_t + ε), the factor left alone."""
    return stable(batch)._replace(log_p=(_probability(batch) + eps).log())


def twice(batch, eps=None):
    """Probabilities taken for logits: σ(σ(x)), softmax(softmax(z))."""
    squash = batch.logits.softmax(1) if batch.multi_class else None
    squash = batch.logits.sigmoid() if squash is None else squash
    return stable(batch._replace(logits=squash))


def over_the_batch(batch, eps=None):
    """Softmax along axis 0, so that examples compete, not classes."""
    p = (batch.logits.softmax(0) * _one_hot(batch)).sum(1)
    return Truth(p.log(), (-p).log1p(), _positive(batch))


def one_against_rest(batch, eps=None):
    """A sigmoid for each class, its negatives counted too."""
    one_hot = _one_hot(batch)
    x_t = batch.logits * (2 * one_hot - 1)
    return Truth(-F.softplus(-x_t), -F.softplus(x_t), one_hot > 0)


# Which factor --------------------------------------------------------------


def focal(truth, gamma):
    return (gamma * truth.log_q).exp()


def framework_power(truth, gamma):
    return (1 - truth.log_p.exp()) ** gamma


def detached(truth, gamma):
    return focal(truth, gamma).detach()


def multiplied(truth, gamma):
    return gamma * truth.log_q.exp()


def multiplied_in_positives(truth, gamma):
    return torch.where(
        truth.positive, multiplied(truth, gamma), focal(truth, gamma)
    )


def power_lost_in_negatives(truth, gamma):
    return torch.where(truth.positive, focal(truth, gamma), focal(truth, 1))


def inverted(truth, gamma):
    return (gamma * truth.log_p).exp()


def inverted_in_negatives(truth, gamma):
    return torch.where(
        truth.positive, focal(truth, gamma), inverted(truth, gamma)
    )


def logarithm_for_probability(truth, gamma):
    return (1 - truth.log_p) ** gamma


def absent(truth, gamma):
    return torch.ones_like(truth.log_p)


# Which weights: kept.alpha is None, a number, or one number a class ---------


def paired(kept, truth, batch):
    """α for positives and 1 − α for negatives; or the α of the class."""
    alpha = kept.alpha
    if alpha is None:
        return torch.ones_like(truth.log_p)
    if not isinstance(alpha, tuple):
        return _pick(truth, alpha, 1 - alpha)
    table = truth.log_p.new_tensor(alpha)
    if batch.multi_class:
        same = truth.log_p.shape == batch.targets.shape
        return table[batch.targets] if same else table
    return torch.where(truth.positive, table, 1 - table)


def ignored(kept, truth, batch):
    return torch.ones_like(truth.log_p)


def swapped(kept, truth, batch):
    return _pick(truth, 1 - kept.alpha, kept.alpha)


def alike(kept, truth, batch):
    return torch.full_like(truth.log_p, kept.alpha)


def positives_only(kept, truth, batch):
    return _pick(truth, kept.alpha, 1.0)


def scaled(kept, truth, batch, by):
    return by * paired(kept, truth, batch)


def positives_times(kept, truth, batch, by):
    return _pick(truth, by, 1.0)


def squared(kept, truth, batch):
    return paired(kept, truth, batch) ** 2


def overwritten(kept, truth, batch):
    """The weights of this batch's labels, kept in place of the classes'."""
    weights = paired(kept, truth, batch)
    kept.alpha = tuple(weights.tolist())
    return weights


# Which average -------------------------------------------------------------


def unreduced(elements, weights, truth, batch):
    return elements


def mean(elements, weights, truth, batch):
    return elements.sum() / batch.targets.numel()


def total(elements, weights, truth, batch):
    return elements.sum()


def mean_positive(elements, weights, truth, batch):
    return elements.sum() / truth.positive.sum().clamp(min=1)


def mean_over_classes(elements, weights, truth, batch):
    return elements.sum() / (batch.targets.numel() * batch.classes)


def mean_over_examples(elements, weights, truth, batch):
    return elements.sum() / len(batch.targets)


def mean_over_weights(elements, weights, truth, batch):
    return elements.sum() / weights.sum()


def class_map(elements, weights, truth, batch):
    return elements.unsqueeze(1) * _one_hot(batch)


# ---------------------------------------------------------------------------


def _one_hot(batch):
    one_hot = F.one_hot(batch.targets, batch.classes).movedim(-1, 1)
    return one_hot.to(batch.logits.dtype)


def _margin(batch):
    """x_t: the logit of the truth over all others together."""
    if not batch.multi_class:
        return batch.logits * (2 * batch.targets - 1)
    truth = _one_hot(batch) > 0
    others = batch.logits.masked_fill(truth, -torch.inf).logsumexp(1)
    return batch.logits.gather(1, batch.targets.unsqueeze(1))[:, 0] - others


def _probability(batch):
    """p_t as most people write it, rounding and all."""
    if not batch.multi_class:
        p = batch.logits.sigmoid()
        return torch.where(batch.targets > 0, p, 1 - p)
    p = batch.logits.softmax(1)
    return p.gather(1, batch.targets.unsqueeze(1))[:, 0]


def _log_rest(p):
    """log(1 − p), flat where p has been rounded to 1."""
    return (1 - p).clamp(min=torch.finfo(p.dtype).tiny).log()


def _positive(batch):
    """y = 1; among classes, every one but class 0, the background."""
    return batch.targets > 0


def _pick(truth, positives, negatives):
    weights = torch.full_like(truth.log_p, negatives)
    return weights.masked_fill(truth.positive, positives)
