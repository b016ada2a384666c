"""Other probabilities: log p_t, log (1 − p_t), and what is positive."""

import torch
import torch.nn.functional as F

from ..rules import (
    Truth,
    of_table,
    of_the_truth,
    one_hot,
    positive,
    read_back,
    stable,
)
from .variant import ALONE, CLASSES, ELEMENTWISE, EXTREME, READ_OFF, variant


@variant(
    "log of a rounded probability",
    "log(softmax(z)), or log p and log(1 − p): p is rounded first",
    "infinite or NaN loss on the examples that are most wrong: the "
    "weights are lost at the first of them",
    seen="fudannlp16/focal-loss#4; mkocabas/focal-loss-keras#17",
    match=EXTREME,
)
def rounded(batch):
    return stable(batch)._replace(log_p=_p_t(batch).log())


@variant(
    "log of a rounded probability, summed",
    "Σ y log p over both classes: 0 · (−∞) where one p is 0",
    "NaN on saturated examples, also on those that are right",
    seen="itakurah/focal-loss-pytorch focal_loss.py",
    match=EXTREME,
)
def rounded_products(batch):
    return stable(batch)._replace(log_p=_both_terms(_squashed(batch), batch))


@variant(
    "softmax that overflows",
    "exp(z) / Σ exp(z): the highest logit is not subtracted first",
    "exp overflows at a logit of 89 in float32: NaN, even where it is right",
    tasks=CLASSES,
    match=EXTREME,
)
def overflowing(batch):
    e = batch.logits.exp()
    p_t = of_the_truth(e, batch) / e.sum(1)
    return stable(batch)._replace(log_p=p_t.log())


@variant(
    "p_t clipped",
    "p_t clamped to at least ε before the logarithm",
    "examples with p_t below ε have no gradient at all: the worst "
    "mistakes are never corrected",
    seen="artemmavrin/focal-loss#8; mkocabas/focal-loss-keras#17",
)
def clipped(batch, eps=1e-7):
    p_t = _p_t(batch)
    return _read_off(p_t.clamp(eps, 1 - eps), batch)


@variant(
    "logits clipped",
    "softmax of logits clamped to [−L, L]",
    "a logit beyond ±L has no gradient, and p_t stays off 0 and 1",
    tasks=CLASSES,
    match=ALONE,
)
def clipped_logits(batch, limit=3.0):
    return stable(batch._replace(logits=batch.logits.clamp(-limit, limit)))


@variant(
    "p_t clipped in the log alone",
    "log max(p_t, ε), the factor left alone",
    "examples with p_t below ε, the worst, have next to no gradient",
    seen="torch.nn.functional.binary_cross_entropy: −100",
    match=ALONE,
)
def clipped_in_the_log(batch, eps=1e-3):
    return stable(batch)._replace(log_p=_p_t(batch).clamp(min=eps).log())


@variant(
    "binary_cross_entropy of a sigmoid",
    "PyTorch's log p and log(1 − p) of a rounded p, held at −100",
    "the gradient fades where p_t is below 1e-12, and in float32 a negative "
    "with a logit above 17 has none; the form of logits has all of it",
    seen="torch.nn.functional.binary_cross_entropy",
    tasks=ELEMENTWISE,
    match=EXTREME,
)
def by_pytorch(batch):
    ce = F.binary_cross_entropy(
        batch.logits.sigmoid(),
        batch.targets.to(batch.logits),
        reduction="none",
    )
    return stable(batch)._replace(log_p=-ce)


@variant(
    "p clipped, not p_t",
    "p itself clamped to [ε, 1 − ε], in floats whose 1 − ε is rounded",
    "positives with p below ε have no gradient; for ε below 6e-8, "
    "1 − ε is 1 in float32, and negatives have an infinite loss",
    tasks=ELEMENTWISE,
    match=EXTREME,
)
def clipped_first(batch, eps=1e-8):
    p = _squashed(batch).clamp(eps, 1 - eps)
    return _read_off(of_the_truth(p, batch), batch)


@variant(
    "p clipped, not p_t, terms summed",
    "p clamped to [ε, 1 − ε], then y log p + (1 − y) log(1 − p)",
    "for ε below 6e-8, 1 − ε is 1 in float32: negatives have an infinite "
    "loss, and NaN reaches positives through 0 · (−∞)",
    tasks=ELEMENTWISE,
    match=EXTREME,
)
def clipped_products(batch, eps=1e-8):
    p = _squashed(batch).clamp(eps, 1 - eps)
    return clipped_first(batch, eps)._replace(log_p=_both_terms(p, batch))


@variant(
    "eps added inside the log",
    "log(p_t + ε), the factor left alone",
    "the gradient of examples with p_t below ε fades to nothing",
    seen="kornia/kornia#918",
)
def added(batch, eps=1e-7):
    p_t = _p_t(batch)
    return stable(batch)._replace(log_p=(p_t + eps).log())


@variant(
    "eps added to p_t",
    "p_t + ε in the logarithm and in the factor",
    "the gradient of examples with p_t below ε fades to nothing",
)
def shifted(batch, eps=1e-4):
    return _read_off(_p_t(batch) + eps, batch)


@variant(
    "log forgotten",
    "−(1 − p_t)^γ p_t: p_t where its logarithm should stand",
    "the loss is lowest at p_t = 1 / (1 + γ): right answers are pushed back",
    seen="torch.nn.functional.nll_loss, given probabilities",
    match=ALONE,
)
def without_log(batch):
    right = stable(batch)
    return right._replace(log_p=right.log_p.exp())


@variant(
    "squashed twice",
    "σ(σ(x)), or softmax(softmax(z)): probabilities taken for logits",
    "p_t can never leave a narrow band (0.27 to 0.73 for a sigmoid), "
    "so no example ever becomes easy and gradients stay small",
    seen="jcwang0602/MLLMSeg#9",
)
def twice(batch):
    return stable(batch._replace(logits=_squashed(batch)))


@variant(
    "squashed twice in the cross entropy",
    "cross entropy of σ(σ(x)), or softmax(softmax(z)), the factor of p_t",
    "right answers keep a cross entropy, and wrong ones get little of it",
    match=ALONE,
)
def twice_in_the_entropy(batch):
    return stable(batch)._replace(log_p=twice(batch).log_p)


@variant(
    "squashed twice in the factor",
    "the factor of σ(σ(x)), or softmax(softmax(z)), the cross entropy of z",
    "the factor hardly varies: next to nothing is focused",
    match=ALONE,
)
def twice_in_the_factor(batch):
    return stable(batch)._replace(log_q=twice(batch).log_q)


@variant(
    "squashed twice: sigmoid, then softmax",
    "softmax(σ(z)): probabilities taken for logits",
    "p_t stays between 1 / (1 + (C − 1) e) and e / (e + C − 1)",
    tasks=CLASSES,
)
def sigmoid_first(batch):
    return stable(batch._replace(logits=batch.logits.sigmoid()))


@variant(
    "squashed twice: softmax, then sigmoids",
    "σ(softmax(z)) for each class: probabilities taken for logits",
    "p stays between 0.5 and 0.73: no class is ever ruled out",
    tasks=CLASSES,
)
def softmax_first(batch):
    return one_against_rest(batch._replace(logits=batch.logits.softmax(1)))


@variant(
    "eps added to p_t, by clamped targets",
    "p_t + ε (1 − p_t): one-hot targets kept off 0 and 1, and ε on top",
    "the gradient of examples with p_t below ε fades to nothing",
    seen="SegLossOdyssey losses_pytorch/focal_loss.py",
)
def blended(batch, eps=1e-4):
    p_t = _p_t(batch)
    return _read_off(p_t * (1 - eps) + eps, batch)


@variant(
    "a temperature inside",
    "the focal loss of z / T, not of z",
    "what is learned is z / T: used without T, p is too sure where T > 1",
)
def tempered(batch, temperature=2.0):
    return stable(batch._replace(logits=batch.logits / temperature))


@variant(
    "logits scaled or shifted",
    "the focal loss of a x_t + b, not of x_t",
    "a scale is an inverse temperature, a shift is a margin: the same "
    "outputs count as easier or harder than they are",
    match=ALONE,
)
def stretched(batch, scale=1.5, shift=0.5):
    sign = one_hot(batch) if batch.multi_class else 2 * batch.targets - 1
    return stable(batch._replace(logits=scale * batch.logits + shift * sign))


@variant(
    "logits shifted by a prior",
    "the focal loss of x + b, not of x: b on the side of positives, against "
    "negatives; or a b for each class, as of balanced softmax",
    "what is learned is off by b, and right only where b is added in use too",
    seen="Menon et al. 2021, arXiv:2007.07314",
    tasks=ELEMENTWISE,
)
def with_prior(batch, prior=1.0):
    return stable(batch._replace(logits=batch.logits + prior))


@variant(
    "label smoothing",
    "cross entropy with smoothed labels, the factor of the true p_t",
    "confident right answers are pushed back, unless the factor mutes them",
    seen="torch.nn.CrossEntropyLoss, label_smoothing",
)
def smoothed(batch, share=0.1):
    return stable(batch)._replace(log_p=-_smoothed_entropy(batch, share))


@variant(
    "targets flipped in the cross entropy",
    "Σ −log p_k of the wrong labels, the factor of the true p_t",
    "the loss is least where p_t is 0: the wrong labels are learned",
)
def flipped_entropy(batch):
    wrong = batch.classes - 1 if batch.multi_class else 1
    log_p = wrong * smoothed(batch, 1 + 1 / wrong).log_p
    return stable(batch)._replace(log_p=log_p)


@variant(
    "label smoothing, p_t read back",
    "cross entropy with smoothed labels, and p_t = exp(−CE) of it",
    "p_t is no probability and never nears 1: no example becomes easy",
    seen="torch.nn.CrossEntropyLoss, label_smoothing",
    match=ALONE,
)
def smoothed_and_read_back(batch, share=0.1):
    return read_back(_smoothed_entropy(batch, share), positive(batch))


@variant(
    "label smoothing, p_t alone",
    "p_t = Σ y_k p_k with smoothed labels, cross entropy with hard ones",
    "p_t never nears 1: easy examples keep a share of their loss",
    match=ALONE,
)
def smoothed_p_t(batch, share=0.1):
    right, labels = stable(batch), batch.classes if batch.multi_class else 2
    p_t = (1 - share) * right.log_p.exp() + share / labels
    return right._replace(log_q=(1 - p_t).log())


@variant(
    "label smoothing, p_t of the smoothed",
    "cross entropy and p_t = Σ y_k p_k, both with smoothed labels",
    "p_t never nears 1: easy examples keep a share of their loss",
    seen="ultralytics/yolov5 utils/loss.py, label_smoothing",
    match=ALONE,
)
def smoothed_throughout(batch, share=0.1):
    log_q = smoothed_p_t(batch, share).log_q
    return smoothed(batch, share)._replace(log_q=log_q)


@variant(
    "label smoothing, distance alone",
    "|y − p|^γ with smoothed labels, cross entropy with hard ones",
    "the factor is 0 at the smoothed label and grows again beyond it",
    tasks=ELEMENTWISE,
    match=ALONE,
)
def distance(batch, share=0.1):
    right = stable(batch)
    gap = (right.log_q.exp() - share / 2).abs()
    return right._replace(log_q=gap.log())


@variant(
    "label smoothing, factor of the distance",
    "|y − p|^γ and cross entropy, both with smoothed labels: quality focal",
    "the factor is 0 at the smoothed label and grows again beyond it",
    seen="ultralytics/yolov5 utils/loss.py, QFocalLoss with label_smoothing",
    tasks=ELEMENTWISE,
    match=ALONE,
)
def smoothed_distance(batch, share=0.1):
    log_q = distance(batch, share).log_q
    return smoothed(batch, share)._replace(log_q=log_q)


@variant(
    "label smoothing, each class weighted",
    "Σ y_k α_k CE_k with smoothed y, the factor of the true p_t",
    "the smoothing pulls most at the classes with large weights",
    seen="torch.nn.CrossEntropyLoss, weight with label_smoothing",
    tasks=CLASSES,
    alpha=("weights",),
    match=ALONE,
)
def smoothed_by_class(batch, share=0.1):
    right, truth = stable(batch), one_hot(batch)
    soft = (1 - share) * truth + share / batch.classes
    log_p = soft * batch.logits.log_softmax(1)
    every = torch.ones_like(truth, dtype=torch.bool)
    return Truth(log_p, right.log_q[:, None].expand_as(log_p), every)


@variant(
    "label smoothing, its uniform part unfocused",
    "(1 − share) (1 − p_t)^γ CE, plus share times the mean CE of all labels",
    "easy examples keep the pull of the smoothing",
    match=ALONE,
)
def smoothed_apart(batch, share=0.1):
    right = stable(batch)
    uniform = share * -_smoothed_entropy(batch, 1.0)
    log_p = torch.stack(((1 - share) * right.log_p, uniform), -1)
    log_q = torch.stack((right.log_q, torch.zeros_like(uniform)), -1)
    return Truth(log_p, log_q, right.positive[..., None])


@variant(
    "label smoothing of the targets",
    "Σ y_k FL_k with smoothed y: each class has its own factor",
    "the focal loss of soft targets: right classes are pulled below 1",
)
def smoothed_targets(batch, share=0.1):
    if not batch.multi_class:
        one = stable(batch)
        soft = (1 - share / 2) * one.log_p, share / 2 * one.log_q
        pairs = soft, (one.log_q, one.log_p), (one.positive, ~one.positive)
        return Truth(*(torch.stack(pair, -1) for pair in pairs))
    soft = (1 - share) * one_hot(batch) + share / batch.classes
    return _of_every_class(batch, soft)


@variant(
    "eps added to one-hot targets",
    "Σ (y_k + ε) FL_k, with y one-hot",
    "every class is pulled up a little; harmless while ε is small",
    seen="kornia 0.6 losses/focal.py, one_hot with eps",
    tasks=CLASSES,
)
def eps_in_targets(batch, eps=1e-6):
    return _of_every_class(batch, one_hot(batch) + eps)


def _of_every_class(batch, soft):
    """Each class as the truth in turn, its terms weighted by `soft`."""
    log_p = batch.logits.log_softmax(1)
    rest = batch.logits[:, None, :].expand(-1, batch.classes, -1)
    own = torch.eye(batch.classes, dtype=torch.bool)
    log_q = rest.masked_fill(own, -torch.inf).logsumexp(2)
    log_q = log_q - batch.logits.logsumexp(1, keepdim=True)
    return Truth(soft * log_p, log_q, positive(batch)[:, None])


@variant(
    "margin for negatives",
    "max(p − m, 0) in place of p for negatives (ASL)",
    "negatives with p below the margin have no gradient, as is meant",
    seen="Alibaba-MIIL/ASL src/loss_functions/losses.py",
    tasks=ELEMENTWISE,
)
def margin_for_negatives(batch, margin=0.05):
    right = stable(batch)
    p = (batch.logits.sigmoid() - margin).clamp(min=0)
    rest = p.clamp(min=torch.finfo(p.dtype).tiny).log()
    yes = right.positive
    return Truth(
        torch.where(yes, right.log_p, (-p).log1p()),
        torch.where(yes, right.log_q, rest),
        yes,
    )


@variant(
    "softmax over the batch",
    "softmax along axis 0: examples compete, classes do not",
    "the loss depends on which examples share a batch",
    seen="clcarwin/sphereface_pytorch#24",
    tasks=CLASSES,
    match=READ_OFF,
)
def over_the_batch(batch):
    p = (batch.logits.softmax(0) * one_hot(batch)).sum(1)
    return Truth(p.log(), (-p).log1p(), positive(batch))


@variant(
    "dual focal loss",
    "(1 − p_t + p_j)^γ, with p_j the highest probability below p_t",
    "right examples stay loud while another class is close",
    seen="Tao et al. 2023, arXiv:2305.13665",
    tasks=CLASSES,
    match=ALONE,
)
def dual(batch):
    p = batch.logits.softmax(1)
    p_t = of_the_truth(p, batch)
    p_j = p.masked_fill(p >= p_t[:, None], 0).amax(1)
    return stable(batch)._replace(log_q=(1 - p_t + p_j).log())


@variant(
    "factor of the largest probability",
    "(1 − max p)^γ in place of (1 − p_t)^γ",
    "confident mistakes are muted like confident right answers",
    match=ALONE,
)
def of_the_largest(batch):
    z = batch.logits
    largest = z.argmax(1) if batch.multi_class else z > 0
    of_it = batch._replace(targets=largest.to(batch.targets))
    return stable(batch)._replace(log_q=stable(of_it).log_q)


@variant(
    "factor of a sigmoid",
    "(1 − σ(z_t))^γ beside the cross entropy of a softmax",
    "a high logit of the truth is easy, even below another class's",
    tasks=CLASSES,
    match=ALONE,
)
def factor_of_a_sigmoid(batch):
    return stable(batch)._replace(log_q=true_class_alone(batch).log_q)


@variant(
    "a sigmoid of the true class alone",
    "σ of the truth's logit; the other logits have no part",
    "nothing lowers a logit: every output rises to 1, whatever it is shown",
    tasks=CLASSES,
    match=ALONE,
)
def true_class_alone(batch):
    z = of_the_truth(batch.logits, batch)
    return Truth(F.logsigmoid(z), F.logsigmoid(-z), positive(batch))


@variant(
    "one against rest",
    "a sigmoid for each class, with the C − 1 wrong classes as "
    "negatives: C binary losses, not one softmax loss",
    "classes no longer compete; outputs do not sum to 1, and at the "
    "start negatives make up C − 1 parts in C of the loss",
    seen="segmentation-models-pytorch 0.6.0 losses/focal.py",
    tasks=CLASSES,
)
def one_against_rest(batch):
    x_t = batch.logits * (2 * one_hot(batch) - 1)
    return Truth(F.logsigmoid(x_t), F.logsigmoid(-x_t), one_hot(batch) > 0)


@variant(
    "one against rest, class 0 the background",
    "a sigmoid for each class but 0: target 0 is all zeros, target k is "
    "the sigmoid k − 1",
    "the paper's form for detectors; with targets that start at 0 for a "
    "class, that class is never learned",
    seen="FCOS, ATSS and maskrcnn-benchmark layers/sigmoid_focal_loss.py",
    tasks=CLASSES,
    alpha=("none",),
)
def background_first(batch):
    truth = F.one_hot(batch.targets, batch.classes + 1)[:, 1:]
    x_t = batch.logits * (2 * truth - 1)
    return Truth(F.logsigmoid(x_t), F.logsigmoid(-x_t), truth > 0)


@variant(
    "one against rest, weighted by the true class",
    "a sigmoid for each class, all C weighted by the class of the truth",
    "a rare class is loud as a positive and in the negatives of the others",
    seen="vandit15/Class-balanced-loss-pytorch class_balanced_loss.py",
    tasks=CLASSES,
    alpha=("weights",),
)
def rest_of_the_class(batch):
    return one_against_rest(batch)._replace(positive=positive(batch)[:, None])


@variant(
    "softmax, then one against rest",
    "log p of the true class and log(1 − p) of all others, of a softmax",
    "the wrong classes are punished twice: by the softmax and each apart",
    tasks=CLASSES,
)
def softmax_against_rest(batch):
    p = batch.logits.softmax(1)
    yes = one_hot(batch) > 0
    log_p = batch.logits.log_softmax(1)
    log_q = (-p).log1p()
    return Truth(
        torch.where(yes, log_p, log_q), torch.where(yes, log_q, log_p), yes
    )


def of_one_label(rule, label, batch, **share):
    """The rule, with a share that one label gives to the other."""
    (share,), own = share.values(), positive(batch) == label
    return rule(batch, share=2 * share * own.to(batch.logits))


def read_back_of(batch, weights, share=0.0, **boosts):
    """p_t of a smoothed cross entropy whose weights are boosted by label."""
    boosts = weights.new_tensor([*boosts.values()] or 1.0)
    weights = (boosts * weights.movedim(0, -1)).movedim(-1, 0)
    return read_back(
        _smoothed_entropy(batch, share, weights), positive(batch)
    )


def over_weights(batch, weights, share):
    """The same, for weights that follow: over that of the truth."""
    right = stable(batch)
    ce = _smoothed_entropy(batch, share, weights)
    return right._replace(log_p=-ce / of_table(weights, right, batch))


def with_margins(batch, gains, scale=1.0):
    """Each label's truth gains something, then logits are scaled."""
    own = of_table(gains, stable(batch), batch)
    own = own[:, None] if batch.multi_class else own
    return stretched(batch, scale, scale * own)


def with_margins_read_back(batch, gains, slopes, scale):
    """The same, p_t read back with weights of which a part is the scale."""
    moved = with_margins(batch, gains, scale)
    ce = of_table(slopes / scale, moved, batch) * -moved.log_p
    return read_back(ce, moved.positive)


def _squashed(batch):
    """σ(x) or softmax(z): p as most people write it, rounding and all."""
    x = batch.logits
    return x.softmax(1) if batch.multi_class else x.sigmoid()


def _p_t(batch):
    return of_the_truth(_squashed(batch), batch)


def _both_terms(p, batch):
    """Σ y log p: a product 0 · (−∞) for each saturated wrong answer."""
    if batch.multi_class:
        return (one_hot(batch) * p.log()).sum(1)
    return batch.targets * p.log() + (1 - batch.targets) * (1 - p).log()


def _read_off(p_t, batch):
    """The truth as read off p_t, log(1 − p_t) flat where p_t rounds to 1."""
    rest = (1 - p_t).clamp(min=torch.finfo(p_t.dtype).tiny).log()
    return Truth(p_t.log(), rest, positive(batch))


def _smoothed_entropy(batch, share, weights=None):
    if batch.multi_class:
        log_p = batch.logits.log_softmax(1)
        log_p = log_p if weights is None else weights * log_p
        own = of_the_truth(log_p, batch)
        return -(1 - share) * own - share * log_p.mean(1)
    right = stable(batch)
    table = torch.ones(2, 1) if weights is None else weights
    own, other = (of_table(t, right, batch) for t in (table, table.flip(0)))
    ce = (1 - share / 2) * own * right.log_p
    return -ce - share / 2 * other * right.log_q
