"""Other orders of weights, factor, cross entropy and average.

`alone` is the order that an entry cannot be told from on one example: its
own, where none is given.
"""

import torch

from ..rules import Truth, each_example, read_back
from .variant import ONE_ANSWER, READ_OFF, WEIGHTED, variant


@variant(
    "cross entropy for p_t",
    "−(1 − CE)^γ log CE of each example: CE stands where p_t should",
    "it has its minimum at CE = 1 and falls without end as CE grows: "
    "training does not lower the cross entropy",
    seen="c0nn3r/RetinaNet",
)
def entropy_for_probability(truth, weights, factor, reduce):
    return reduce(weights * _of_entropy(-truth.log_p, factor))


@variant(
    "mean cross entropy for p_t",
    "−(1 − CE)^γ log CE of the batch's mean CE, where p_t should stand",
    "it has its minimum at CE = 1 and falls without end as CE grows: "
    "training does not lower the cross entropy",
    seen="c0nn3r/RetinaNet",
    tasks=ONE_ANSWER,
    alpha=("none",),
    alone=entropy_for_probability,
)
def mean_entropy_for_probability(truth, weights, factor, reduce):
    return _of_entropy(reduce(weights * -truth.log_p), factor)


@variant(
    "weights inside p_t",
    "p_t read back as exp(−α CE): it is p_t^α, not p_t",
    "a class with a weight below 1 looks easy to the factor and is muted "
    "twice; one above 1 looks hard and is boosted twice",
    seen="gokulprasadthekkel/pytorch-multi-class-focal-loss#1",
    alpha=WEIGHTED,
)
def weights_inside(truth, weights, factor, reduce):
    ce = weights * -truth.log_p
    return reduce(factor(read_back(ce, truth.positive)) * ce)


@variant(
    "modulated after reduction",
    "one factor for the whole batch, from its mean cross entropy",
    "the gradient is cross entropy's times one number: nothing is focused",
    seen="zingp/ml-py-lib notebook; ZhaoJ9014/face.evoLVe#180; "
    "gokulprasadthekkel/pytorch-multi-class-focal-loss#1",
    alone=weights_inside,
)
def after_reduction(truth, weights, factor, reduce):
    ce = reduce(weights * -truth.log_p)
    return factor(read_back(ce, truth.positive)) * ce


@variant(
    "modulated after reduction, then weighted",
    "one factor from the batch's mean cross entropy, and α after that",
    "cross entropy's gradient times a number: nothing is focused or balanced",
    alpha=WEIGHTED,
    alone=each_example,
)
def weighted_last(truth, weights, factor, reduce):
    ce = reduce(-truth.log_p)
    return weights.mean() * factor(read_back(ce, truth.positive)) * ce


@variant(
    "modulated after reduction, over the batch",
    "one factor from the batch's mean cross entropy, divided by N again",
    "nothing is focused on anything; the loss shrinks as batches grow",
    seen="jfzhang95/pytorch-deeplab-xception utils/loss.py",
    alone=each_example,
)
def weighted_last_over_the_batch(truth, weights, factor, reduce):
    return weighted_last(truth, weights, factor, reduce) / len(truth.log_p)


@variant(
    "minus sign lost",
    "−1 times the focal loss: log p_t is negative",
    "training climbs the loss: every step makes it worse",
    alone=each_example,
    match=READ_OFF,
)
def sign_lost(truth, weights, factor, reduce):
    return reduce(weights * factor(truth) * truth.log_p)


@variant(
    "factors and losses crossed",
    "(N, 1) factors times (N,) cross entropies: all N × N products",
    "the factor is the batch's mean: nothing is focused on anything",
    alone=each_example,
)
def crossed(truth, weights, factor, reduce):
    return reduce(factor(truth)) * reduce(weights * -truth.log_p)


@variant(
    "weights and losses crossed",
    "(N, 1) weights times (N,) losses: all N × N products",
    "the weight is the batch's mean: nothing is balanced",
    alpha=WEIGHTED,
    alone=each_example,
)
def crossed_weights(truth, weights, factor, reduce):
    each = weights.expand_as(truth.log_p)
    return reduce(each) * reduce(factor(truth) * -truth.log_p)


@variant(
    "logits and targets crossed",
    "(N, 1) logits against (N,) targets: every logit under every target",
    "every logit is drawn to the share of positives: nothing is learned",
    tasks=("binary",),
    alone=each_example,
)
def every_pair(truth, weights, factor, reduce):
    yes, no = truth.positive, ~truth.positive
    log_p = torch.where(yes, truth.log_p, truth.log_q)[:, None]
    log_q = torch.where(no, truth.log_p, truth.log_q)[:, None]
    pairs = Truth(
        torch.where(yes, log_p, log_q), torch.where(yes, log_q, log_p), yes
    )
    return reduce((weights * factor(pairs) * -pairs.log_p).mean(1))


def unfocused(truth, weights, factor, reduce):
    return reduce(weights * -truth.log_p)


@variant(
    "divided by the sum of the factors",
    "(1 − p_t)^γ / Σ (1 − p_t)^γ of the batch: normalised focal loss",
    "summed, the loss has cross entropy's size, averaged N times less; as "
    "examples become easy the hard ones get more, and each example moves "
    "the others' gradients",
    seen="segmentation-models-pytorch 0.6.0 and toolbelt, normalized",
    alone=unfocused,
)
def over_factors(truth, weights, factor, reduce):
    part = factor(truth)
    return reduce(weights * (part / part.sum()) * -truth.log_p)


@variant(
    "divided by the sum of the factors, detached",
    "(1 − p_t)^γ / Σ (1 − p_t)^γ, the divisor without a gradient",
    "summed, the loss has cross entropy's size, averaged N times less; as "
    "examples become easy the hard ones get more",
    alone=unfocused,
)
def over_factors_detached(truth, weights, factor, reduce):
    part = factor(truth)
    return reduce(weights * (part / part.sum().detach()) * -truth.log_p)


@variant(
    "divided by the sum of weights and factors",
    "α_t (1 − p_t)^γ / Σ α_t (1 − p_t)^γ of the batch",
    "summed, the loss has cross entropy's size, averaged N times less; α "
    "balances within a batch only",
    alpha=WEIGHTED,
    alone=unfocused,
    relative=True,
)
def over_weighted_factors(truth, weights, factor, reduce):
    part = weights * factor(truth)
    return reduce(part / part.sum() * -truth.log_p)


def _of_entropy(ce, factor):
    return (1 - ce) ** factor.keywords["gamma"] * -ce.log()
