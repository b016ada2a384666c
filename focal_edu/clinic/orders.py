"""In which order a loss weighs, modulates and averages; right and wrong.

Each takes what `rules` has found: the truth, the weights, the factor as a
function of the truth, and the average as a function of the elements.
"""

import torch

from .rules import Truth


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


def _read_back(ce, positive):
    """p_t as read off a cross entropy: exp(−CE)."""
    ce = ce.clamp(min=torch.finfo(ce.dtype).tiny)
    return Truth(-ce, (-(-ce).expm1()).log(), positive)
