"""The pieces that losses are put together from, right ones and wrong ones.

A loss is read as five choices: which probability, which factor, in which
order, which weights, which average. Every rule below is one such choice;
the numbers in its signature (ε, a margin, a share) can be fitted.
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


def stable(batch):
    """p_t = σ(x_t), with x_t the margin of the truth over the rest."""
    x_t = _margin(batch)
    return Truth(F.logsigmoid(x_t), F.logsigmoid(-x_t), _positive(batch))


def rounded(batch):
    """log p_t taken after p_t has been rounded."""
    return stable(batch)._replace(log_p=_probability(batch).log())


def rounded_products(batch):
    """Σ y log p: a product 0 · (−∞) for each saturated wrong answer."""
    if not batch.multi_class:
        p, y = batch.logits.sigmoid(), batch.targets
        log_p = y * p.log() + (1 - y) * (1 - p).log()
    else:
        log_p = (one_hot(batch) * batch.logits.softmax(1).log()).sum(1)
    return stable(batch)._replace(log_p=log_p)


def clipped(batch, eps):
    """p_t cut off at ε and 1 − ε."""
    return _from(_probability(batch).clamp(eps, 1 - eps), batch)


def clipped_first(batch, eps):
    """p, not p_t, cut off at ε and 1 − ε, which may round to 1."""
    p = batch.logits.sigmoid().clamp(eps, 1 - eps)
    return _from(torch.where(batch.targets > 0, p, 1 - p), batch)


def clipped_products(batch, eps):
    """As `clipped_first`; both terms are summed, one of them times 0."""
    p, y = batch.logits.sigmoid().clamp(eps, 1 - eps), batch.targets
    first = clipped_first(batch, eps)
    return first._replace(log_p=y * p.log() + (1 - y) * (1 - p).log())


def shifted(batch, eps):
    """p_t + ε in place of p_t, in the factor too."""
    return _from(_probability(batch) + eps, batch)


def blended(batch, eps):
    """p_t + ε (1 − p_t): what one-hot targets clamped off 0 amount to."""
    return _from(_probability(batch) * (1 - eps) + eps, batch)


def added(batch, eps):
    """log (p_t + ε), the factor left alone."""
    return stable(batch)._replace(log_p=(_probability(batch) + eps).log())


def twice(batch):
    """Probabilities taken for logits: σ(σ(x)), softmax(softmax(z))."""
    squash = batch.logits.softmax(1) if batch.multi_class else None
    squash = batch.logits.sigmoid() if squash is None else squash
    return stable(batch._replace(logits=squash))


def sigmoid_first(batch):
    return stable(batch._replace(logits=batch.logits.sigmoid()))


def softmax_first(batch):
    return one_against_rest(batch._replace(logits=batch.logits.softmax(1)))


def over_the_batch(batch):
    """Softmax along axis 0, so that examples compete, not classes."""
    p = (batch.logits.softmax(0) * one_hot(batch)).sum(1)
    return Truth(p.log(), (-p).log1p(), _positive(batch))


def one_against_rest(batch):
    """A sigmoid for each class, its negatives counted too."""
    x_t = batch.logits * (2 * one_hot(batch) - 1)
    return Truth(F.logsigmoid(x_t), F.logsigmoid(-x_t), one_hot(batch) > 0)


def stretched(batch, scale, shift):
    """Logits times a scale, the truth's margin moved by a shift."""
    sign = one_hot(batch) if batch.multi_class else 2 * batch.targets - 1
    return stable(batch._replace(logits=scale * batch.logits + shift * sign))


def smoothed(batch, share):
    """Cross entropy with smoothed labels; the factor left alone."""
    return stable(batch)._replace(log_p=-_smoothed_entropy(batch, share))


def smoothed_and_read_back(batch, share):
    """p_t read back as exp(−CE) of smoothed labels."""
    ce = _smoothed_entropy(batch, share)
    return Truth(-ce, (-(-ce).expm1()).log(), _positive(batch))


def smoothed_targets(batch, share):
    """Σ y_k FL_k, each class with its own factor, labels smoothed."""
    if not batch.multi_class:
        one = stable(batch)
        logits = torch.stack((one.log_p, one.log_q), 1)
        truth = torch.zeros_like(batch.targets).long()
        row = smoothed_targets(batch_of(logits, truth), share)
        return row._replace(positive=_positive(batch)[:, None])
    truth = one_hot(batch)
    log_p = batch.logits.log_softmax(1)
    rest = batch.logits[:, None, :].expand(-1, batch.classes, -1)
    own = torch.eye(batch.classes, dtype=torch.bool)
    log_q = rest.masked_fill(own, -torch.inf).logsumexp(2)
    log_q = log_q - batch.logits.logsumexp(1, keepdim=True)
    share = (1 - share) * truth + share / batch.classes
    return Truth(share * log_p, log_q, _positive(batch)[:, None])


def margin_for_negatives(batch, margin):
    """max(p − m, 0) in place of p for negatives."""
    right = stable(batch)
    p = (batch.logits.sigmoid() - margin).clamp(min=0)
    rest = p.clamp(min=torch.finfo(p.dtype).tiny).log()
    positive = right.positive
    return Truth(
        torch.where(positive, right.log_p, (-p).log1p()),
        torch.where(positive, right.log_q, rest),
        positive,
    )


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


def two_powers(truth, gamma, negative):
    """γ for positives, another one for negatives."""
    return torch.where(
        truth.positive, focal(truth, gamma), focal(truth, negative)
    )


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


def eps_in_the_factor(truth, gamma, eps):
    return (truth.log_q.exp() + eps) ** gamma


def star(truth, gamma, beta):
    """−log σ(γ x_t + β) / γ, over cross entropy."""
    x_t = truth.log_p - truth.log_q
    return F.softplus(-(gamma * x_t + beta)) / gamma / -truth.log_p


def poly(truth, gamma, epsilon):
    """(1 − p_t)^γ CE + ε (1 − p_t)^(γ + 1), over cross entropy."""
    more = 1 + epsilon * truth.log_q.exp() / -truth.log_p
    return focal(truth, gamma) * more


def entropy_added(truth, gamma, share):
    return focal(truth, gamma) + share


def reduced(truth, gamma, threshold):
    """1 below a threshold of p_t, ((1 − p_t) / threshold)^γ above."""
    power = (gamma * (truth.log_q - torch.as_tensor(threshold).log())).exp()
    return torch.where(truth.log_p.exp() < threshold, 1.0, power)


# In which order ------------------------------------------------------------


def each_example(truth, weights, factor, reduce):
    return reduce(weights * factor(truth) * -truth.log_p)


def weights_inside(truth, weights, factor, reduce):
    ce = weights * -truth.log_p
    return reduce(factor(_read_back(ce, truth.positive)) * ce)


def after_reduction(truth, weights, factor, reduce):
    ce = reduce(weights * -truth.log_p)
    return factor(_read_back(ce, truth.positive)) * ce


def weighted_last(truth, weights, factor, reduce):
    ce = reduce(-truth.log_p)
    return weights.mean() * factor(_read_back(ce, truth.positive)) * ce


def sign_lost(truth, weights, factor, reduce):
    return reduce(weights * factor(truth) * truth.log_p)


def entropy_for_probability(truth, weights, factor, reduce):
    """−(1 − CE)^γ log CE, of each example."""
    return reduce(weights * _of_entropy(-truth.log_p, factor))


def mean_entropy_for_probability(truth, weights, factor, reduce):
    """−(1 − CE)^γ log CE, of the batch's mean."""
    return _of_entropy(reduce(weights * -truth.log_p), factor)


def crossed(truth, weights, factor, reduce):
    """(N, 1) factors times (N,) cross entropies."""
    return reduce(factor(truth)) * reduce(weights * -truth.log_p)


def crossed_weights(truth, weights, factor, reduce):
    """(N, 1) weights times (N,) losses."""
    each = weights.expand_as(truth.log_p)
    return reduce(each) * reduce(factor(truth) * -truth.log_p)


def every_pair(truth, weights, factor, reduce):
    """(N, 1) logits against (N,) targets."""
    yes, no = truth.positive, ~truth.positive
    log_p = torch.where(yes, truth.log_p, truth.log_q)[:, None]
    log_q = torch.where(no, truth.log_p, truth.log_q)[:, None]
    pairs = Truth(
        torch.where(yes, log_p, log_q), torch.where(yes, log_q, log_p), yes
    )
    return reduce((weights * factor(pairs) * -pairs.log_p).mean(1))


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


def squared(kept, truth, batch):
    return paired(kept, truth, batch) ** 2


def overwritten(kept, truth, batch):
    """The weights of this batch's labels, kept in place of the classes'."""
    weights = paired(kept, truth, batch)
    kept.alpha = tuple(weights.tolist())
    return weights


def measured(kept, truth, batch):
    """The weights of `kept.table`: rows are labels, columns are outputs."""
    table = kept.table
    by_class = batch.multi_class and truth.positive.shape[-1:] != (
        batch.classes,
    )
    if not by_class:
        return torch.where(truth.positive, table[1], table[0])
    rows = table[batch.targets]
    return rows if truth.log_p.ndim == 1 else rows[:, None]


# Which average -------------------------------------------------------------


def unreduced(elements, weights, truth, batch, factor):
    parts = elements.ndim == 2 and truth.positive.shape[1:] == (1,)
    return elements.sum(1) if parts and elements.shape[1] > 1 else elements


def mean(elements, weights, truth, batch, factor):
    return elements.sum() / batch.targets.numel()


def total(elements, weights, truth, batch, factor):
    return elements.sum()


def mean_positive(elements, weights, truth, batch, factor):
    return elements.sum() / truth.positive.sum().clamp(min=1)


def over_positives_and_one(elements, weights, truth, batch, factor):
    return elements.sum() / (truth.positive.sum() + 1)


def mean_over_classes(elements, weights, truth, batch, factor):
    return elements.sum() / (batch.targets.numel() * batch.classes)


def mean_over_examples(elements, weights, truth, batch, factor):
    return elements.sum() / len(batch.targets)


def mean_over_labels(elements, weights, truth, batch, factor):
    return elements.sum() / batch.classes


def mean_over_weights(elements, weights, truth, batch, factor):
    return elements.sum() / weights.sum()


def over_factors(elements, weights, truth, batch, factor):
    return elements.sum() / factor(truth).sum()


def over_factors_detached(elements, weights, truth, batch, factor):
    return elements.sum() / factor(truth).sum().detach()


def over_weighted_factors(elements, weights, truth, batch, factor):
    return elements.sum() / (weights * factor(truth)).sum()


def class_map(elements, weights, truth, batch, factor):
    return elements.unsqueeze(1) * one_hot(batch)


# ---------------------------------------------------------------------------


def one_hot(batch):
    found = F.one_hot(batch.targets, batch.classes).movedim(-1, 1)
    return found.to(batch.logits.dtype)


def _margin(batch):
    """x_t: the logit of the truth over all others together."""
    if not batch.multi_class:
        return batch.logits * (2 * batch.targets - 1)
    truth = one_hot(batch) > 0
    others = batch.logits.masked_fill(truth, -torch.inf).logsumexp(1)
    return batch.logits.gather(1, batch.targets.unsqueeze(1))[:, 0] - others


def _probability(batch):
    """p_t as most people write it, rounding and all."""
    if not batch.multi_class:
        p = batch.logits.sigmoid()
        return torch.where(batch.targets > 0, p, 1 - p)
    p = batch.logits.softmax(1)
    return p.gather(1, batch.targets.unsqueeze(1))[:, 0]


def _from(p, batch):
    """The truth as read off p_t, log(1 − p_t) flat where p_t rounds to 1."""
    rest = (1 - p).clamp(min=torch.finfo(p.dtype).tiny).log()
    return Truth(p.log(), rest, _positive(batch))


def _smoothed_entropy(batch, share):
    if not batch.multi_class:
        right = stable(batch)
        return -(1 - share / 2) * right.log_p - share / 2 * right.log_q
    log_p = batch.logits.log_softmax(1)
    own = log_p.gather(1, batch.targets.unsqueeze(1))[:, 0]
    return -(1 - share) * own - share * log_p.mean(1)


def _read_back(ce, positive):
    """p_t as read off a cross entropy: exp(−CE)."""
    ce = ce.clamp(min=torch.finfo(ce.dtype).tiny)
    return Truth(-ce, (-(-ce).expm1()).log(), positive)


def _of_entropy(ce, factor):
    return (1 - ce) ** factor.keywords["gamma"] * -ce.log()


def _positive(batch):
    """y = 1; among classes, every one but class 0, the background."""
    return batch.targets > 0


def _pick(truth, positives, negatives):
    weights = torch.full_like(truth.log_p, negatives)
    return weights.masked_fill(truth.positive, positives)
