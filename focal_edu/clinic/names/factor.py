"""Other factors: what an example's cross entropy is multiplied by."""

import math

import torch
import torch.nn.functional as F

from ..rules import focal
from .variant import ALONE, ELEMENTWISE, EXTREME, READ_OFF, variant


@variant(
    "power taken of a rounded factor",
    "(1 − p_t) ** γ, differentiated by the framework",
    "for γ < 1 the slope of the power is infinite at p_t = 1: NaN "
    "gradients from examples that are right",
    seen="kornia/kornia#918; kaidic/LDAM-DRW#17",
    match=EXTREME,
)
def framework_power(truth, gamma):
    return (1 - truth.log_p.exp()) ** gamma


@variant(
    "p_t detached",
    "(1 − p_t)^γ as a constant weight: right value, wrong gradient",
    "the gradient is smaller than focal loss's, by a factor of up to 1 + γ "
    "on easy examples; it never rises above cross entropy's",
    seen="clcarwin/focal_loss_pytorch#5; openpifpaf/openpifpaf#244",
    match=READ_OFF,
)
def detached(truth, gamma):
    return focal(truth, gamma).detach()


@variant(
    "gamma multiplied",
    "γ (1 − p_t) CE in place of (1 − p_t)^γ CE",
    "γ only rescales the loss; the focusing is that of γ = 1",
    match=READ_OFF,
)
def multiplied(truth, gamma):
    return gamma * truth.log_q.exp()


@variant(
    "gamma multiplied in positives",
    "γ (1 − p) for positives, p^γ for negatives",
    "positives are weighted up and focused as by γ = 1",
    seen="fudannlp16/focal-loss#2; fudannlp16/focal-loss#8",
    tasks=ELEMENTWISE,
)
def multiplied_in_positives(truth, gamma):
    return _by_label(truth, multiplied(truth, gamma), focal(truth, gamma))


@variant(
    "wrong negative branch",
    "p for negatives in place of p^γ",
    "easy negatives stay loud: with many of them they drown the rest, "
    "which is what γ was to prevent",
    seen="kyle-paul/computer-vision notebook",
    tasks=ELEMENTWISE,
)
def power_lost_in_negatives(truth, gamma):
    return _by_label(truth, focal(truth, gamma), focal(truth, 1))


@variant(
    "negatives focused on the easy",
    "(1 − p)^γ for negatives in place of p^γ",
    "negatives that are already right are learned, false alarms are not",
    seen="yqyao/SSD_Pytorch#32",
    tasks=ELEMENTWISE,
)
def inverted_in_negatives(truth, gamma):
    return _by_label(truth, focal(truth, gamma), inverted(truth, gamma))


@variant(
    "focused on the easy",
    "p_t^γ in place of (1 − p_t)^γ",
    "hard examples go quiet and easy ones stay loud",
)
def inverted(truth, gamma):
    return (gamma * truth.log_p).exp()


@variant(
    "log probability for probability",
    "(1 − log p_t)^γ: the logarithm stands where p_t should",
    "a loss steeper than cross entropy, with no easy part",
    seen="HeyLynne/FocalLoss_for_multiclass#3; DingKe/pytorch_workplace#1",
)
def logarithm_for_probability(truth, gamma):
    return (1 - truth.log_p) ** gamma


@variant(
    "power inside the bracket",
    "1 − p_t^γ in place of (1 − p_t)^γ",
    "easy examples are hardly muted: near 1 the factor is γ times larger",
)
def power_inside(truth, gamma):
    return -(gamma * truth.log_p).expm1()


@variant(
    "cross entropy",
    "no modulating factor: γ has no effect",
    "easy examples are as loud as in cross entropy",
    match=READ_OFF,
)
def absent(truth, gamma):
    return torch.ones_like(truth.log_p)


@variant(
    "another gamma for negatives",
    "(1 − p)^γ for positives, p^γ' for negatives",
    "negatives are focused more, or less, than positives: γ' moves the "
    "balance as α does (ASL; varifocal where positives have 0)",
    seen="Alibaba-MIIL/ASL src/loss_functions/losses.py",
)
def two_powers(truth, gamma, negative=4.0):
    return _by_label(truth, focal(truth, gamma), focal(truth, negative))


@variant(
    "eps in the factor",
    "(1 − p_t + ε)^γ in place of (1 − p_t)^γ",
    "the easiest examples keep ε^γ of their cross entropy; harmless "
    "while ε is small",
    seen="ultralytics/yolov5 utils/loss.py",
)
def eps_in_the_factor(truth, gamma, eps=1e-4):
    return (truth.log_q.exp() + eps) ** gamma


@variant(
    "FL*",
    "−log σ(γ x_t + β) / γ: FL* of the paper's appendix A",
    "close to focal loss (AP 33.8 and 33.9 for 34.0 in the paper), with "
    "another gradient: never above cross entropy's",
    seen="arXiv:1708.02002, appendix A",
)
def star(truth, gamma, beta=1.0):
    x_t = truth.log_p - truth.log_q
    return F.softplus(-(gamma * x_t + beta)) / gamma / -truth.log_p


@variant(
    "a power of 1 - p_t added",
    "(1 − p_t)^γ CE + ε (1 − p_t)^(γ + 1): PolyLoss",
    "the gradient of middling examples grows, that of hopeless ones does not",
    seen="Leng et al. 2022, arXiv:2204.12511",
)
def poly(truth, gamma, epsilon=1.0):
    more = 1 + epsilon * truth.log_q.exp() / -truth.log_p
    return focal(truth, gamma) * more


@variant(
    "a power of 1 - p_t added, without weights",
    "α_t (1 − p_t)^γ CE + ε (1 − p_t)^(γ + 1): PolyLoss, α on one part only",
    "the added part knows no α: with α = 0.25 it drowns the rest of the "
    "positives' loss",
    seen="abhuse/polyloss-pytorch polyloss.py",
    alpha=("number",),
    match=ALONE,
)
def bare_poly(truth, gamma, epsilon=1.0, alpha=0.25):
    own = truth.log_p.new_tensor([1 - alpha, alpha])[truth.positive.long()]
    return poly(truth, gamma, epsilon / own)


@variant(
    "cross entropy added",
    "((1 − p_t)^γ + c) CE: focal loss plus cross entropy",
    "easy examples keep the share c of cross entropy's gradient",
)
def entropy_added(truth, gamma, c=0.5):
    return focal(truth, gamma) + c


@variant(
    "reduced focal loss",
    "no factor below a threshold of p_t, ((1 − p_t) / threshold)^γ above",
    "hard examples are treated as by cross entropy; only easy ones are muted",
    seen="Sergievskiy & Ponamarev 2019, arXiv:1903.01347",
    match=ALONE,
)
def reduced(truth, gamma, threshold=0.5):
    return _reduced(truth, gamma, threshold, threshold)


@variant(
    "reduced focal loss, over the rest",
    "no factor below a threshold of p_t, ((1 − p_t) / (1 − threshold))^γ "
    "above: without a step",
    "hard examples are treated as by cross entropy; only easy ones are muted",
    seen="pytorch-toolbelt losses/functional.py, reduced_threshold",
    match=ALONE,
)
def reduced_over_the_rest(truth, gamma, threshold=0.3):
    return _reduced(truth, gamma, threshold, 1 - threshold)


def _reduced(truth, gamma, threshold, divisor):
    power = (gamma * (truth.log_q - math.log(max(divisor, 1e-9)))).exp()
    return torch.where(truth.log_p.exp() < threshold, 1.0, power)


def _by_label(truth, positive, negative):
    return torch.where(truth.positive, positive, negative)
