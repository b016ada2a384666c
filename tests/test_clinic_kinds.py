"""Kinds of losses, each written afresh: what is found, and no false name.

Claims that projects make; what passes for a focal loss and is one; what
public repositories call a focal loss and is not quite.
"""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from time_clinic import unsure

from focal_edu import FocalLoss
from focal_edu.clinic import VARIANTS, assert_conforms, build, examine, fit
from focal_edu.clinic.names import named

pytestmark = pytest.mark.slow

B, M, L = "binary", "multi-class", "multi-label"


def terms(x, y, power=2.0, other=None):
    """The focal losses of positives and of negatives, apart."""
    other = power if other is None else other
    positive = y * (-power * F.softplus(x)).exp() * F.softplus(-x)
    negative = (1 - y) * (-other * F.softplus(-x)).exp() * F.softplus(x)
    return positive, negative


def weighted(up, down, power=2.0):
    def loss(x, y):
        positive, negative = terms(x, y, power)
        return (up * positive + down * negative).mean()

    return loss


def true_log(z, t):
    return z.log_softmax(1).gather(1, t[:, None]).squeeze(1)


def of_classes(z, t, power=2.0):
    log_p = true_log(z, t)
    return -((1 - log_p.exp()) ** power) * log_p


def column(p, t):
    """Probabilities, and targets of shape (N, 1) only."""
    p = p.gather(1, t).squeeze(1)
    return -((1 - p) ** 2 * p.log()).sum()


# Claims --------------------------------------------------------------------


class Ignoring(torch.nn.Module):
    """Leaves out ignored targets, in the sum and perhaps in the mean."""

    def __init__(self, ignore_index, counted=False):
        super().__init__()
        self.ignore_index, self.counted = ignore_index, counted

    def forward(self, z, t):
        kept = t != self.ignore_index
        total = of_classes(z[kept], t[kept]).sum()
        return total / (len(t) if self.counted else kept.sum())


def smoothed_back(z, t):
    ce = F.cross_entropy(z, t, reduction="none", label_smoothing=0.2)
    return ((1 - (-ce).exp()) ** 1.5 * ce).mean()


def of_soft_targets(x, y, share=0.08, alpha=0.5, single=False):
    """Each label's own term, weighted as what it smooths."""
    soft = (y.float() if single else y) * (1 - share) + share / 2
    positive = terms(x, torch.ones_like(y))[0]
    negative = terms(x, torch.zeros_like(y))[1]
    up, down = 2 * alpha * soft, 2 * (1 - alpha) * (1 - soft)
    return (up * positive + down * negative).sum()


TWENTY = tuple(1.0 + k % 5 for k in range(20))


def smoothed_and_weighted(z, t, weight=(1.0, 2.0, 4.0)):
    """Smoothing and weights as PyTorch puts them together."""
    how = {"reduction": "none", "label_smoothing": 0.1}
    ce = F.cross_entropy(z, t, z.new_tensor(weight), **how)
    return ((1 - true_log(z, t).exp()) ** 2 * ce).mean()


def rows(x, y):
    return sum(terms(x, y)).mean(1).sum()


TWO = {"weights": (1.2, 0.3)}
AVERAGE = "mean over labels, summed over examples"


@pytest.mark.parametrize(
    ("loss", "task", "claims", "wrong"),
    [
        (weighted(1.2, 0.3), B, TWO, {"weights": (1.2, 0.6)}),
        (weighted(3.5, 3.5), B, {"alpha": 0.5, "scale": 7}, {"scale": 1}),
        (rows, L, {"reduction": AVERAGE}, {"reduction": "mean"}),
        (
            lambda x, y: sum(terms(x, y)).sum() / 11,
            B,
            {"divisor": 11},
            {"divisor": 4},
        ),
        (
            smoothed_back,
            M,
            {"gamma": 1.5, "smoothing": 0.2},
            {"smoothing": 0.1},
        ),
        (of_soft_targets, B, {"smoothing": 0.08}, {"smoothing": 0.0}),
        (
            partial(of_soft_targets, share=0.2, single=True),
            L,
            {"smoothing": 0.2},
            {"smoothing": 0.1},
        ),
        (
            partial(of_soft_targets, alpha=0.25),
            B,
            {"smoothing": 0.08, "alpha": 0.25, "scale": 2},
            {"alpha": 0.75},
        ),
        (
            smoothed_and_weighted,
            M,
            {"smoothing": 0.1, "alpha": (1, 2, 4)},
            {"alpha": (1, 2, 3)},
        ),
        (
            partial(smoothed_and_weighted, weight=TWENTY),
            M,
            {"smoothing": 0.1, "alpha": TWENTY},
            {"smoothing": 0.2},
        ),
        (
            lambda x, y: soft_throughout(x, y),
            L,
            {"smoothing": 0.2, "alpha": 0.3},
            {"alpha": 0.4},
        ),
        (weighted(0.7, 0.3), B, {"alpha": 0.7}, {"smoothing": 0.1}),
        (
            Ignoring(9),
            M,
            {"ignore_index": 9},
            {"ignore_index": 8},
        ),
    ],
)
def test_a_claim_that_is_kept_conforms_and_another_fails(
    loss, task, claims, wrong
):
    claims = {"gamma": 2, "alpha": None} | claims
    if "weights" in claims:
        del claims["alpha"]
    report = examine(loss, task=task, **claims)
    assert report.conforms, report
    assert not examine(loss, task=task, **claims | wrong).conforms


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"weights": (1, 2), "alpha": 0.3}, "weights and alpha"),
        ({"weights": (0, 2)}, "weights must be finite and > 0"),
        ({"weights": (1, 2, 3)}, "weights must be two numbers"),
        ({"weights": 2}, "weights must be two numbers"),
        ({"scale": "large"}, "scale must be a number"),
        ({"divisor": 3, "reduction": "mean"}, "beside a divisor"),
        ({"smoothing": 1.5}, "smoothing must lie in"),
        ({"smoothing": "some"}, "smoothing must be a number"),
        ({"takes": "scores"}, "takes must be one of 'logits', 'probab"),
        ({"takes": None}, "takes must be one of"),
        ({"ignore_index": "none"}, "ignore_index must be an integer"),
        ({"seed": -1}, "seed must be >= 0"),
    ],
)
def test_claims_that_cannot_be_kept(claims, message):
    with pytest.raises((TypeError, ValueError), match=message):
        examine(rows, **claims)


ALPHAS = (0.2, 0.5, 0.9)  # of each label's positives; its negatives the rest


def of_labels(x, y):
    alpha = x.new_tensor(ALPHAS)
    positive, negative = terms(x, y)
    return (alpha * positive + (1 - alpha) * negative).mean()


def of_indices(x, y):
    """Looks weights up by integer targets."""
    alpha = x.new_tensor(ALPHAS)
    each = sum(terms(x, F.one_hot(y, 2)[..., 1].to(x)))
    return (torch.stack([1 - alpha, alpha])[y, torch.arange(3)] * each).sum()


@pytest.mark.parametrize("loss", [of_labels, of_indices])
def test_each_label_of_several_may_have_its_alpha(loss):
    claims = {"task": L, "gamma": 2}
    assert examine(loss, alpha=ALPHAS, **claims).conforms
    report = examine(loss, alpha=(0.2, 0.5, 0.8), **claims)
    assert report.names == ("alpha is (0.2, 0.5, 0.9)",), report
    report = examine(loss, task=L)
    assert report.conforms and report.claims.alpha == ALPHAS
    assert ("integer targets" in str(report)) == (loss is of_indices)
    with pytest.raises(ValueError, match="alpha must lie in"):
        examine(loss, alpha=(1, 2, 4), **claims)


def test_ignored_targets_that_are_counted_are_found():
    report = examine(Ignoring(7, counted=True))
    assert report.failing == ("ignored targets leave no trace",)
    assert "counted in the mean" in report.headline


class IgnoringNumbers(torch.nn.Module):
    """Binary or multi-label, with targets to leave out, or to count."""

    def __init__(self, ignore_index, ignores=True):
        super().__init__()
        self.ignore_index, self.ignores = ignore_index, ignores

    def forward(self, x, y):
        kept = y != self.ignore_index if self.ignores else y == y
        return sum(terms(x[kept], (y[kept] == 1).to(x))).mean()


@pytest.mark.parametrize("task", [B, L])
@pytest.mark.parametrize("index", [-1, 255])
def test_ignored_targets_may_be_any_number(task, index):
    assert examine(IgnoringNumbers(index), task=task).conforms
    counted = IgnoringNumbers(index, ignores=False)
    report = examine(counted, task=task)
    assert report.failing == ("ignored targets leave no trace",), report
    with pytest.raises(AssertionError, match="leave a trace"):
        assert_conforms(
            counted, gamma=2, alpha=None, task=task, ignore_index=index
        )


def of_probabilities(p, y, power=2.0, low=0.0):
    p_t = torch.where(y > 0, p, 1 - p).clamp(min=low)
    return -((1 - p_t) ** power * p_t.log()).mean()


def by_torch(p, y):
    ce = F.binary_cross_entropy(p, y, reduction="none")
    return ((1 - (-ce).exp()) ** 2 * ce).mean()


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (of_probabilities, B),
        (by_torch, B),
        (column, M),
        (of_probabilities, L),
    ],
)
def test_a_loss_may_claim_to_take_probabilities(loss, task):
    claims = {"task": task, "gamma": 2, "alpha": None}
    if loss is column:
        claims["reduction"] = "sum"
    report = examine(loss, **claims, takes="probabilities")
    assert report.conforms and "of probabilities" in str(report), report
    assert "half precision works" in report.risks, report
    assert_conforms(loss, **claims, takes="probabilities")
    for takes in ({}, {"takes": "logits"}):
        report = examine(loss, **claims, **takes)
        assert "takes probabilities" in report.names, report


@pytest.mark.parametrize("task", [B, L])
def test_probabilities_may_be_clipped_where_they_round(task):
    claims = {"task": task, "gamma": 2, "alpha": None}
    loss = partial(of_probabilities, low=1e-7)
    report = examine(loss, **claims, takes="probabilities")
    assert report.conforms, report
    assert report.risks[:1] == ("hard examples keep their slope",)
    assert dict(report.facts)["eps"] == "1e-07"
    assert "p_t clipped" in examine(loss, **claims).names


def of_signs(x, y, power=2.0, checked=False):
    if checked and not (y.abs() == 1).all():
        raise ValueError("targets must be -1 or 1")
    return ((-power * F.softplus(x * y)).exp() * F.softplus(-x * y)).mean()


@pytest.mark.parametrize("task", [B, L])
@pytest.mark.parametrize("checked", [True, False])
def test_targets_may_be_signs(task, checked):
    loss = partial(of_signs, checked=checked)
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert report.headline == "Differs: takes ±1 as targets.", report
    assert "logits and ±1 as targets of shape" in str(report)


@pytest.mark.parametrize("task", [B, L])
def test_a_loss_of_positives_alone_does_not_ask_for_signs(task):
    report = examine(weighted(1, 0), task=task)
    assert report.names == ("negatives left out",), report


@pytest.mark.parametrize("limit", [10, 20, 50])
def test_logits_may_be_clipped_at_any_size(limit):
    def loss(z, t):
        return of_classes(z.clamp(-limit, limit), t).mean()

    report = examine(loss, task=M, gamma=2, alpha=None)
    assert f"logits clipped (L = {limit})" in report.headline, report


def test_a_focal_loss_is_read_before_a_cross_entropy():
    def star(x, y):
        return (F.softplus(-2 * x * (2 * y - 1) - 1) / 2).mean()

    report = examine(star, task=B)
    assert report.names == ("FL*",) and report.claims.gamma == 2, report


def of_log_p(log_p, t, power=2.0, reduce=torch.mean):
    assert (log_p <= 0).all()
    own = log_p.gather(1, t[:, None])[:, 0]
    return reduce(-((1 - own.exp()) ** power) * own)


def after_nll(log_p, t):
    ce = F.nll_loss(log_p, t)
    return (1 - torch.exp(-ce)) ** 2 * ce


def of_log_maps(z, y):
    assert z.ndim == y.ndim == 4
    return -(y * (1 - z.exp()) ** 2 * z).sum(1).mean()


def of_log_sigmoid(log_p, y):
    log_q = torch.log1p(-log_p.exp())
    positive = y * (2 * log_q).exp() * log_p
    return -(positive + (1 - y) * (2 * log_p).exp() * log_q).mean()


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (of_log_p, M, set()),
        (partial(of_log_p, power=3, reduce=torch.sum), M, {"gamma is 3"}),
        (torch.nn.NLLLoss(), M, {"cross entropy"}),
        (after_nll, M, {"modulated after reduction"}),
        (of_log_maps, M, set()),
        (of_log_sigmoid, B, set()),
        (of_log_sigmoid, L, set()),
    ],
)
def test_a_loss_may_take_logarithms_of_probabilities(loss, task, names):
    how = {"task": task, "gamma": 2, "alpha": None}
    found = examine(loss, **how)
    assert set(found.names) == {"takes log-probabilities", *names}, found
    assert "log-probabilities and targets of shape" in str(found)
    claimed = examine(loss, takes="log-probabilities", **how)
    assert claimed.conforms != bool(names), claimed
    assert set(claimed.names) == names


def test_a_softmax_of_log_probabilities_is_no_other():
    how = {"task": M, "gamma": 2, "alpha": None}

    def loss(z, t):
        return of_classes(z, t).mean()

    for takes in ("logits", "log-probabilities"):
        assert examine(loss, takes=takes, **how).conforms


def of_columns(p, y):
    assert p.ndim == 2 and p.shape[1] == 1 and (p >= 0).all()
    return of_probabilities(p, y)


def of_one_hot_maps(p, y):
    assert p.ndim == y.ndim == 4
    p_t = (y * p).sum(1)
    return -((1 - p_t) ** 2 * p_t.log()).mean()


@pytest.mark.parametrize(
    ("loss", "task"), [(of_columns, B), (of_one_hot_maps, M)]
)
def test_probabilities_come_in_the_shapes_that_logits_do(loss, task):
    how = {"task": task, "gamma": 2, "alpha": None}
    assert examine(loss, takes="probabilities", **how).conforms
    assert examine(loss, **how).names[0] == "takes probabilities"


def test_a_claim_of_probabilities_hides_no_other_mistake():
    how = {"task": B, "gamma": 2, "alpha": None, "takes": "probabilities"}
    report = examine(partial(of_probabilities, low=1e-4), **how)
    assert report.names == ("p_t clipped",), report
    report = examine(partial(of_probabilities, power=3), **how)
    assert report.names == ("gamma is 3",), report
    report = examine(weighted(1, 1), **how)
    assert report.names == ("takes logits",) and not report.conforms
    report = examine(with_dice_of_probabilities, **how)
    assert report.names == ("a Dice-like term added",), report
    assert report.form.probabilities


@pytest.mark.parametrize("kept", [True, False])
def test_ignored_targets_may_show_in_the_gradient_alone(kept):
    class Leaking(Ignoring):
        def forward(self, z, t):
            ignored = t == self.ignore_index
            rows = z[~ignored] if kept else z[ignored]
            leak = 0.1 * rows.sum() * ignored.any()
            return super().forward(z, t) + leak - leak.detach()

    report = examine(Leaking(9), task=M)
    assert report.failing == ("ignored targets leave no trace",), report
    assert "none in the value; gradient" in report.headline
    assert ("gradient 0.1, should be 0" in report.headline) != kept


def overwrites(z, t, ignore_index=-1):
    """Ignored targets become 0 in the caller's own tensor."""
    ignored = t == ignore_index
    t[ignored] = 0
    return (of_classes(z, t) * ~ignored).sum() / (~ignored).sum()


class InForward(torch.nn.Module):
    """Says only among its call's defaults what it ignores, and counts it."""

    def forward(self, z, t, ignore_index=255):
        return Ignoring(ignore_index, counted=True)(z, t)


def test_ignored_targets_show_what_is_written_and_what_is_read():
    report = examine(overwrites, task=M)
    assert report.failing == ("inputs are untouched",), report
    report = examine(InForward(), task=M)
    assert report.claims.ignore_index == 255
    assert report.failing == ("ignored targets leave no trace",), report


class OfKept(Ignoring):
    """Its mean of no target is NaN."""

    def forward(self, z, t):
        kept = t != self.ignore_index
        return of_classes(z[kept], t[kept]).mean()


def test_a_batch_of_ignored_targets_only_is_a_risk_where_it_is_nan():
    report = examine(OfKept(9), task=M)
    assert report.conforms and "finite where all are ignored" in report.risks
    assert "nan on a batch of ignored targets only" in str(report)
    ours = examine(FocalLoss(task_type=M, ignore_index=9))
    assert "finite where all are ignored" not in ours.risks
    assert "finite where all are ignored" in str(ours)


def of_one_hot(z, y):
    return -(y * (1 - z.softmax(1)) ** 2 * z.log_softmax(1)).sum(1).mean()


@pytest.mark.parametrize(
    ("loss", "claims"),
    [
        (of_one_hot, {"task": M, "ignore_index": 255}),
        (weighted(1, 1), {"task": B, "ignore_index": 0}),
    ],
)
def test_what_is_claimed_and_cannot_be_tested_does_not_conform(loss, claims):
    claims = {"gamma": 2, "alpha": None} | claims
    report = examine(loss, **claims)
    name = "ignored targets leave no trace"
    assert not report.conforms and report.failing == (name,)
    assert f"claimed and not tested: {name}" in report.headline
    with pytest.raises(AssertionError, match="claimed and not tested"):
        assert_conforms(loss, **claims)
    assert_conforms(loss, **claims, except_for=[name])


# Right ones, in dress that might mislead -----------------------------------


class Bare(torch.nn.Module):
    """Right; one attribute is unusual."""

    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, z, t):
        return of_classes(z, t).mean()


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (Bare(ignore_index=None), M),
        (Bare(alpha=[1.0]), M),
        (Bare(alpha=torch.ones(1)), M),
        (torch.compile(Bare(ignore_index=-100), backend="eager"), M),
        (torch.compile(lambda z, t: of_classes(z, t).mean()), M),
        (FocalLoss(task_type=M, ignore_index=0), "guess"),
        (FocalLoss(task_type=M, ignore_index=2), "guess"),
        (lambda x, y: sum(terms(x, y)).sum(), B),
        (lambda z, t, gamma=0: F.cross_entropy(z, t), M),
    ],
)
def test_no_false_alarm_and_no_exception(loss, task):
    assert examine(loss, task=task).conforms


MANY = (2.9, 1.9, 1.5, 2.2, 2.4, 2.4, 4.3, 0.5, 1.1, 4.7)


@pytest.mark.parametrize("weights", [MANY, MANY[:4], MANY[:2]])
@pytest.mark.parametrize("one_number", [True, False])
def test_weights_of_classes_are_no_pixels(weights, one_number):
    """A map of one pixel would take any number of them for its width."""

    def loss(z, t):
        log_p = z.log_softmax(1)
        truth = torch.zeros_like(z).scatter_(1, t[:, None], 1.0)
        each = -truth * (1 - log_p.exp()) ** 3 * log_p
        each = (each * z.new_tensor(weights)).sum(1)
        return each.mean() if one_number else each

    report = examine(loss, task=M, gamma=3)
    assert report.conforms and report.claims.alpha == weights, report


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("power", [2.0, 0.0])
@pytest.mark.parametrize("task", [B, L])
def test_one_label_may_cost_nothing(alpha, power, task):
    def loss(x, y):
        positive, negative = terms(x, y, power)
        return (alpha * positive + (1 - alpha) * negative).mean()

    how = {"task": task, "gamma": power, "alpha": alpha}
    assert examine(loss, **how).conforms, examine(loss, **how)
    report = examine(loss, **how | {"alpha": 0.5})
    assert report.names == (f"alpha is {alpha}",), report
    left_out = f"{('positives', 'negatives')[alpha]} left out"
    for unsaid in ({"alpha": None}, {"alpha": "guess"}):
        assert examine(loss, **how | unsaid).names == (left_out,)


@pytest.mark.parametrize("seed", [442, 490])
def test_what_is_in_single_precision_shows_at_any_seed(seed):
    def loss(x, y):
        y = y.float()
        weight = torch.tensor([0.47, 0.53])[y.long()]
        ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
        p_t = torch.where(y == 1, x.sigmoid(), 1 - x.sigmoid())
        return (weight * (1 - p_t) ** 2.5 * ce).sum() / len(x)

    how = {"task": B, "gamma": 2.5, "alpha": 0.53}
    assert examine(loss, seed=seed, **how).conforms


IN_THE_LOG = "p_t clipped in the log alone"


def cut_log(x, y, low=1e-4):
    """The logarithm is cut off, the factor is not."""
    p_t = torch.where(y > 0, x.sigmoid(), 1 - x.sigmoid())
    return (-((1 - p_t) ** 2) * p_t.clamp(min=low).log()).mean()


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (cut_log, B, {IN_THE_LOG}),
        (
            lambda x, y: 3 * cut_log(x, y, 1e-5),
            B,
            {"scaled by 3", IN_THE_LOG},
        ),
        (
            lambda z, t: (
                -(
                    (1 - z.softmax(1)) ** 2
                    * z.softmax(1).clamp(min=1e-6).log()
                    * F.one_hot(t, z.shape[1])
                ).mean()
            ),
            M,
            {"mean over classes too", IN_THE_LOG},
        ),
        (
            lambda p, y: cut_log(p.logit(), y).mean(),
            B,
            {"takes probabilities"},
        ),
    ],
)
def test_a_lost_slope_that_no_name_explains_is_in_the_headline(
    loss, task, names
):
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert set(report.names) == names, report
    unnamed = "hard examples lose their slope" in report.headline
    assert unnamed == (IN_THE_LOG not in names)
    report = examine(cut, task=B, gamma=2, alpha=None)  # p_t is cut: named
    assert "slope" not in report.headline
    assert "hard examples keep their slope" in report.failing


def at_eps(x, y):
    """Clamped to the ε of its dtype: 2e-16 in double, 1e-7 in single."""
    low = torch.finfo(x.dtype).eps
    return -sum(
        y_k * (1 - p) ** 2 * p.log()
        for y_k, p in (
            (y, x.sigmoid().clamp(low, 1 - low)),
            (1 - y, (-x).sigmoid().clamp(low, 1 - low)),
        )
    ).mean()


def below_single(x, y):
    """Clamped in half precision alone."""
    return cut_log(x, y, 1e-3 if x.dtype.itemsize < 4 else 0.0)


def test_a_slope_may_be_lost_in_one_precision():
    lost = examine(at_eps, task=B, gamma=2, alpha=None)
    assert lost.failing == ("hard examples keep their slope",), lost
    assert "in float32" in lost.headline
    report = examine(below_single, task=B, gamma=2, alpha=None)
    assert "half precision works" in report.risks, report


def three_to_one(x, y):
    """The three hardest negatives of each positive, as in SSD."""
    each = sum(terms(x, y)).flatten()
    yes = y.flatten() == 1
    many = 3 * max(1, int(yes.sum()))
    hardest = each[~yes].topk(min(many, int((~yes).sum()))).values
    return (each[yes].sum() + hardest.sum()) / max(1, int(yes.sum()))


def of_classes_three_to_one(z, t):
    each, many = of_classes(z, t), 3 * max(1, int((t > 0).sum()))
    hardest = each[t == 0].sort(descending=True).values[:many]
    return (each[t > 0].sum() + hardest.sum()) / (t > 0).sum().clamp(min=1)


def hardest(x, y):
    """Only the harder half of a batch counts."""
    each = (of_classes if x.ndim > y.ndim else lambda *b: sum(terms(*b)))(
        x, y
    )
    return each.flatten().topk((each.numel() + 1) // 2).values.mean()


@pytest.mark.parametrize(
    ("loss", "task", "detail"),
    [
        (three_to_one, B, "7 of 7, 4 of 10 count"),
        (three_to_one, L, "21 of 21, 12 of 30 count"),
        (of_classes_three_to_one, M, "7 of 7, 8 of 10 count"),
        (hardest, B, "4 of 7, 5 of 10 count; another divisor: 4 for"),
        (hardest, L, "11 of 21, 15 of 30 count"),
        (hardest, M, "4 of 7, 5 of 10 count"),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_the_hardest_examples_of_a_batch_may_count_alone(
    loss, task, detail, told
):
    report = examine(loss, **{"task": task, "gamma": 2} if told else {})
    assert report.names == ("hard example mining",), report
    assert detail in report.headline or not told


def drawn_three_to_one(x, y):
    """Three negatives of each positive, drawn anew at each call."""
    each, yes = sum(terms(x, y)).flatten(), y.flatten() == 1
    few = each[~yes][torch.randperm(int((~yes).sum()))[: 3 * yes.sum()]]
    return (each[yes].sum() + few.sum()) / yes.sum()


def of_drawn_background(z, t):
    each, few = of_classes(z, t), 3 * (t > 0).sum()
    drawn = each[t == 0][torch.randperm(int((t == 0).sum()))[:few]]
    return torch.cat([each[t > 0], drawn]).mean()


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (drawn_three_to_one, B),
        (drawn_three_to_one, L),
        (of_drawn_background, M),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_a_loss_that_draws_examples_changes_from_call_to_call(
    loss, task, told
):
    report = examine(loss, **{"task": task, "gamma": 2} if told else {})
    assert report.headline.startswith("Its answer changes from call to call")
    assert not report.names, report


def test_what_is_drawn_by_chance_is_not_the_hardest():
    # of this seed's batches a first call happens to draw the hardest
    report = examine(drawn_three_to_one, task=B, seed=18)
    assert "hardest" not in f"{report}" and not report.names, report


def test_a_report_on_a_loss_that_draws_is_the_same_again():
    torch.manual_seed(0)
    first = f"{examine(drawn_three_to_one, task=B)}"
    after = torch.rand(())
    torch.manual_seed(1)
    assert f"{examine(drawn_three_to_one, task=B)}" == first
    torch.manual_seed(0)
    assert torch.rand(()) == after, "it draws from the caller's numbers"


def easiest(x, y):
    return -(-sum(terms(x, y))).topk((len(x) + 1) // 2).values.mean()


def below_one_half(x, y):
    return (sum(terms(x, y)) * (x * (2 * y - 1) < 0)).mean()


@pytest.mark.parametrize("loss", [easiest, below_one_half])
def test_other_examples_that_count_alone_are_not_the_hardest(loss):
    assert not examine(loss, task=B).names


def test_what_is_cut_off_is_not_left_out():
    def loss(x, y):
        return sum(terms(x.clamp(-2, 2), y)).sum() / (len(x) + 3)

    names = "p_t clipped", "another divisor"
    assert examine(loss, task=B, gamma=2, alpha=None).names == names


def test_what_one_label_does_not_show_of_several_is_a_risk():
    name = "several labels count as examples"
    assert name in examine(rows).risks
    whole = examine(lambda x, y: sum(terms(x, y)).mean(1).mean())
    assert whole.conforms and name not in whole.risks


def test_targets_may_be_a_column():
    report = examine(column, task=M, gamma=2, alpha=None)
    assert "takes probabilities" in report.names
    assert "(N, 1)" in str(report.form)


# One change each, in other numbers than elsewhere ---------------------------


def overflows(x, y):
    log_p = -torch.log(1 + torch.exp(-x))
    log_q = log_p - x
    positive = y * (1.5 * log_q).exp() * log_p
    return -(positive + (1 - y) * (1.5 * log_p).exp() * log_q).mean()


def clamped(x, y):
    x = x.clamp(-6, 6)
    return sum(terms(x, y)).mean()


def lone_positives(x, y):
    return sum(terms(x, y)).sum() / (y == 1).sum()


def normalised(x, y):
    p_t = torch.where(y > 0, x.sigmoid(), (-x).sigmoid())
    factor = (1 - p_t) ** 1.5
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (factor * ce).sum() / factor.detach().sum()


def in_place_of_p(z, t):
    ce = F.cross_entropy(z, t, reduction="none")
    return (-((1 - ce) ** 3) * ce.log()).mean()


def shifted(z, t):
    p = z.softmax(1).gather(1, t[:, None])[:, 0] + 3e-4
    return -((1 - p) ** 2 * torch.log(p)).mean()


def cut(x, y, low=2e-4):
    p = x.sigmoid().clamp(low, 1 - low)
    p_t = torch.where(y > 0, p, 1 - p)
    return 9 * -((1 - p_t) ** 2 * p_t.log()).mean()


def star(x, y, slope=3.0):
    return F.softplus(-slope * x * (2 * y - 1) - 0.5).mean() / slope


def poly(z, t):
    log_p = true_log(z, t)
    q = 1 - log_p.exp()
    return (-(q**2) * log_p - 0.5 * q**3).mean()


def eps_in_factor(x, y):
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (0.4 * (1.0001 - torch.exp(-ce)) ** 2 * ce).mean()


def twice(z, t):
    return of_classes(z.softmax(1), t).mean()


@pytest.mark.parametrize(
    ("loss", "task", "names", "failing"),
    [
        (overflows, B, {"gamma is 1.5"}, "finite at ±100 in float32"),
        (clamped, B, {"p_t clipped"}, None),
        (lone_positives, B, set(), "finite without positives"),
        (
            normalised,
            B,
            {"gamma is 1.5", "divided by the sum of the factors, detached"},
            "finite at ±100 in float32",
        ),
        (in_place_of_p, M, {"gamma is 3", "cross entropy for p_t"}, None),
        (shifted, M, {"eps added to p_t"}, None),
        (cut, B, {"p_t clipped", "scaled by 9"}, None),
        (weighted(0.9, 0.2), B, {"other weights"}, None),
        (lambda x, y: sum(terms(x, y, 2, 3)).mean(), B, {"γ'"}, None),
        (star, B, {"FL*", "gamma is 3"}, None),
        (poly, M, {"a power of 1 - p_t added"}, None),
        (eps_in_factor, B, {"eps in the factor", "scaled by 0.4"}, None),
        (twice, M, {"squashed twice"}, None),
    ],
)
def test_what_is_changed_is_named_and_nothing_else(
    loss, task, names, failing
):
    report = examine(loss, task=task, gamma=2, alpha=None)
    if names == {"γ'"}:
        names = {"another gamma for negatives"}
        assert "(2 and 3)" in report.headline
    assert set(report.names) == names, report
    assert failing is None or failing in report.failing


def softened(x, y, share, more=0.0):
    """Cross entropy of softer targets; the factor is of the true ones."""
    soft = y * (1 - share) + share / 2
    ce = F.binary_cross_entropy_with_logits(x, soft, reduction="none")
    return (((-x * (2 * y - 1)).sigmoid() ** 2 + more) * ce).mean()


def of_the_wrong(z, t):
    log_p, wrong = z.log_softmax(1), 1 - F.one_hot(t, z.shape[1])
    factor = (1 - true_log(z, t).exp()) ** 2
    return -(factor * (wrong * log_p).sum(1)).mean()


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (partial(softened, share=2), L, "targets flipped in the cross entr"),
        (of_the_wrong, M, "targets flipped in the cross entropy"),
        (partial(softened, share=1.7), B, "Unknown"),
        (partial(softened, share=-0.2), B, "Unknown"),
        (
            partial(softened, share=0.2, more=0.3),
            B,
            "label smoothing (share = 0.2); cross entropy added (c = 0.3)",
        ),
    ],
)
def test_a_share_of_smoothing_lies_between_0_and_1(loss, task, names):
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert names in report.headline, report
    assert len(report.names) == names.count(";") + ("Unk" not in names)


# What public repositories have ---------------------------------------------


def varifocal(x, y, alpha=0.6):
    """Zhang et al. 2021, on hard labels: positives are not focused."""
    weight = alpha * x.sigmoid() ** 2 * (1 - y) + y
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (weight * ce).sum()


def same_factor(x, y, alpha=0.3):
    """(1 − p)^γ for both labels (video anomaly detection)."""
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (alpha * (1 - x.sigmoid()) ** 2 * ce).mean()


def of_a_map(z, y):
    """Soft-maxed, one-hot, clamped, then averaged over the classes too."""
    p = z.softmax(1).clamp(1e-6, 1 - 1e-6)
    return -(y * (1 - p) ** 2 * p.log()).mean()


class Asymmetric(torch.nn.Module):
    """Ridnik et al. 2021, its factor without a gradient."""

    def forward(self, x, y):
        p, q = x.sigmoid(), (1.1 - x.sigmoid()).clamp(max=1)
        log = y * p.log() + (1 - y) * q.log()
        with torch.no_grad():
            p_t, power = p * y + q * (1 - y), y + 3 * (1 - y)
            factor = (1 - p_t) ** power
        return -(factor * log).sum()


def of_centres(x, y):
    """CornerNet's, on hard labels: clamped, over the positives if any."""
    p, n = x.sigmoid().clamp(1e-3, 1 - 1e-3), y.sum()
    positive = (p.log() * (1 - p) ** 2 * y).sum()
    negative = ((1 - p).log() * p**2 * (1 - y)).sum()
    return -(positive + negative) / (n if n else 1)


def without_background(z, t):
    """MONAI's include_background=False: class 0 costs nothing."""
    log_p = z.log_softmax(1)
    each = -((1 - log_p.exp()) ** 2) * log_p * F.one_hot(t, z.shape[1])
    return each[:, 1:].sum() / len(t)


def colder(z, t):
    return of_classes(z / 0.5, t).mean()


def binary_logarithm(x, y):
    p_t = torch.where(y > 0, x.sigmoid(), (-x).sigmoid())
    return -((1 - p_t) ** 2 * torch.log2(p_t)).mean()


def of_a_sigmoid_s(x, y):
    """PyTorch's cross entropy of probabilities, as PyTorch has no other."""
    return by_torch(x.sigmoid(), y)


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (varifocal, B, {"another gamma for negatives", "other weights"}),
        (same_factor, B, {"negatives focused on the easy", "alpha to both"}),
        (of_a_map, M, {"p_t clipped", "mean over classes too"}),
        (
            Asymmetric(),
            L,
            {
                "margin for negatives",
                "p_t detached",
                "another gamma for negatives",
            },
        ),
        (of_centres, B, {"p_t clipped"}),
        (without_background, M, set()),
        (colder, M, {"a temperature inside"}),
        (binary_logarithm, B, {"scaled by 1.443"}),
        (of_a_sigmoid_s, B, {"binary_cross_entropy of a sigmoid"}),
        (of_a_sigmoid_s, L, {"binary_cross_entropy of a sigmoid"}),
    ],
)
def test_what_public_repositories_have_is_named(loss, task, names):
    report = examine(loss, task=task)
    extreme = {"log of a rounded probability"}
    assert set(report.names) - extreme == names, report


def varifocal_in_single(x, y):
    """Its cross entropy, and so positives, in float32; the rest is not."""
    factor = 0.3 * x.sigmoid() ** 2 * (1 - y) + y
    ce = F.binary_cross_entropy_with_logits(
        x.float(), y.float(), reduction="none"
    )
    return (factor * ce).sum()


def clamped_probabilities(p, y):
    p = p.clamp(1e-4, 1 - 1e-4)
    p_t = torch.where(y > 0, p, 1 - p)
    return -((1 - p_t) ** 2 * p_t.log()).mean()


def of_images(x, y):
    assert x.ndim == 4
    return sum(terms(x, y)).mean()


def up_to_three(y_true, y_pred):
    """Summed weights of 3: as a mean over N of three outputs has them."""
    positive, negative = terms(y_pred, y_true)
    return (2 * positive + negative).mean()


def after_the_background(z, t, alpha=0.25):
    """Target k is output k − 1, as in detectors of long ago."""
    y = (t[:, None] == torch.arange(1, z.shape[1] + 1)).to(z)
    positive, negative = terms(z, y)
    return (alpha * positive + (1 - alpha) * negative).sum()


class Balanced(torch.nn.Module):
    """Cui et al. 2019: each example's C sigmoids by its class."""

    def __init__(self):
        super().__init__()
        self.alpha = (0.3, 1.0, 1.7)

    def forward(self, z, t):
        each = sum(terms(z, F.one_hot(t, 3).to(z))).sum(1)
        return (z.new_tensor(self.alpha)[t] * each).mean()


def boosted(x, y):
    ce = F.binary_cross_entropy_with_logits(
        x, y, pos_weight=x.new_tensor(2.5), reduction="none"
    )
    weight = 0.25 * y + 0.75 * (1 - y)
    return (weight * (1 - torch.exp(-ce)) ** 2 * ce).mean()


def every_probability(z, t):
    p, y = z.softmax(1), F.one_hot(t, z.shape[1])
    p_t = torch.where(y > 0, p, 1 - p)
    return -((1 - p_t) ** 2 * p_t.log()).sum(1).mean()


def of_booleans(x, y):
    p_t = torch.where(y, x.sigmoid(), 1 - x.sigmoid())
    log = torch.where(y, F.logsigmoid(x), F.logsigmoid(-x))
    return -((1 - p_t) ** 2 * log).mean()


def less_a_power(z, t):
    """PolyLoss as for RetinaNet: the leading term is taken away."""
    q = 1 - true_log(z, t).exp()
    return (of_classes(z, t) - q**3).mean()


def of_five_labels(x, y):
    weights = x.new_tensor([1.0, 1.0, 1.0, 1.0, 1.0])
    return (weights * sum(terms(x, y))).mean() if x.shape[1] > 1 else None


class Running(torch.nn.Module):
    """Divided by a running mean of the number of positives."""

    def __init__(self):
        super().__init__()
        self.count = 50.0

    def forward(self, x, y):
        self.count = 0.9 * self.count + 0.1 * max(y.sum().item(), 1)
        positive, negative = terms(x, y)
        return (0.25 * positive + 0.75 * negative).sum() / self.count


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (
            varifocal_in_single,
            L,
            {"another gamma for negatives"},
        ),
        (clamped_probabilities, L, {"p_t clipped", "takes probabilities"}),
        (of_images, L, set()),
        (up_to_three, None, {"pos_weight is 2", "takes targets first"}),
        (after_the_background, M, set()),
        (Balanced(), M, {"one against rest, weighted by the true class"}),
        (Balanced(), None, set()),
        (boosted, B, {"weights inside p_t"}),
        (every_probability, M, {"softmax, then one against rest"}),
        (of_booleans, B, set()),
        (less_a_power, M, {"a power of 1 - p_t added"}),
        (of_five_labels, L, set()),
        (of_five_labels, None, set()),
        (Running(), L, {"another divisor"}),
    ],
)
def test_forms_of_detectors_and_of_several_labels(loss, task, names):
    report = examine(loss, **({"task": task} if task else {}))
    found = {name for name in report.names if not name.startswith("scaled")}
    assert found == names, report


def of_sigmoids(z, t, reduce=torch.mean):
    """Of indices, as detectors have them."""
    positive, negative = terms(z, F.one_hot(t, z.shape[1]).to(z))
    return reduce(0.25 * positive + 0.75 * negative)


def rows_of_sigmoids(each):
    return each.sum(1).mean()


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum, rows_of_sigmoids])
def test_one_against_rest_is_a_form_unless_a_softmax_is_claimed(reduce):
    loss = partial(of_sigmoids, reduce=reduce)
    for claims in ({}, {"alpha": 0.25}, {"task": M, "alpha": 0.25}):
        report = examine(loss, gamma=2, **claims)
        assert report.conforms, report
        assert "one against rest" in report.headline
    for claims in ({}, {"alpha": None}, {"alpha": (0.25, 0.75, 0.75)}):
        report = examine(loss, task=M, **claims)
        assert "one against rest" in report.names, report
    report = examine(loss, gamma=3, task=M, alpha=0.25)
    assert report.names == ("gamma is 2",), report


def of_images_last(z, t):
    assert z.ndim == 4 and t.ndim == 3
    return of_classes(z.flatten(0, 2), t.flatten()).mean()


def of_hot(z, y, axis=1, kind=torch.bool):
    assert y.dtype == kind and y.shape == z.shape and z.ndim in (2, 3)
    log_p = z.log_softmax(axis)
    return -(y * (1 - log_p.exp()) ** 2 * log_p).sum(axis).mean()


def of_hot_sequences(z, y):
    assert z.ndim == 3
    return of_hot(z, y, -1, y.dtype)


def of_outputs(x, y):
    assert x.ndim == 2 and y.ndim == 1
    return sum(terms(x.squeeze(1), y)).mean()


def of_index_columns(z, t, axes=2):
    """Targets of shape (N, 1), or of maps, made integers here."""
    assert z.ndim == t.ndim == axes
    log_p = z.log_softmax(1)
    y = torch.zeros_like(z).scatter_(1, t.long(), 1.0)
    return -(y * (1 - log_p.exp()) ** 2 * log_p).sum(1).mean()


def of_masks(x, y):
    assert x.ndim == 4 and y.ndim == 3
    return sum(terms(x.squeeze(1), y)).mean()


def of_anchors(x, y):
    batch, anchors, classes = x.shape
    return sum(terms(x, y.view(batch, anchors, classes))).mean()


@pytest.mark.parametrize(
    ("loss", "task", "shapes"),
    [
        (of_index_columns, M, "(N, C), (N, 1)"),
        (partial(of_index_columns, axes=4), M, "(N, C, 1, 1), (N, 1, 1, 1)"),
        (partial(of_index_columns, axes=5), M, "(N, 1, 1, 1, 1)"),
        (of_images_last, M, "(N, 1, 1, C), (N, 1, 1)"),
        (of_hot, M, "booleans as targets of shape (N, C), (N, C)"),
        (partial(of_hot, kind=torch.int64), M, "(N, C), (N, C)"),
        (of_hot_sequences, M, "(N, 1, C), (N, 1, C)"),
        (of_outputs, B, "(N, 1), (N,)"),
        (of_masks, B, "(N, 1, 1, 1), (N, 1, 1)"),
        (of_anchors, L, "(1, N, C), (1, N, C)"),
        (of_anchors, "guess", "multi-label"),
    ],
)
def test_what_a_loss_is_given_is_found(loss, task, shapes):
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert report.conforms and shapes in str(report.form), report


def of_ten(z, t, sigmoids=False):
    """Of as many classes as are written here; one logit is broadcast."""
    y = torch.eye(10)[t.long()].to(z)
    if sigmoids:
        return sum(terms(z, y)).sum(1).mean()
    log_p = z.log_softmax(1)
    return -(y * (1 - log_p.exp()) ** 2 * log_p).sum(1).mean()


def of_ten_by_comparison(z, t):
    y = (t[:, None] == torch.arange(10)).to(z)
    positive, negative = terms(z, y)
    return (0.25 * positive + 0.75 * negative).sum() / len(t)


@pytest.mark.parametrize(
    "loss",
    [of_ten, partial(of_ten, sigmoids=True), of_ten_by_comparison],
)
def test_a_number_of_classes_may_be_written_in_the_loss(loss):
    report = examine(loss)
    assert report.conforms and report.claims.classes == 10, report
    assert "logits and targets of shape (N, C), (N,)" in str(report.form)


@pytest.mark.parametrize(
    ("loss", "task", "why"),
    [
        (lambda z, t: -z.log_softmax(1).mean(), M, "its targets do not"),
        (lambda x, y: x.sigmoid().square().mean(), B, "its targets do not"),
        (
            lambda x, y: of_classes(x[:, None], 0 * y.long()),
            B,
            "gradient is 0 on inputs of ordinary size.",
        ),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(loss, task, why):
    report = examine(loss, task=task)
    assert report.verdict == "refused" and why in report.headline, report


def test_weights_of_more_classes_tell_a_mean_over_classes():
    def loss(z, t):
        weight = torch.where(t == 0, 0.75, 0.25).to(z)
        return (weight * of_classes(z, t)).mean() / z.shape[1]

    report = examine(loss, task=M, gamma=2, alpha=(0.25, 0.75, 0.75))
    names = "alpha is (0.75, 0.25, 0.25)", "mean over classes too"
    assert report.names == names, report


def test_targets_by_name_only_are_said_to_be_so():
    def loss(scores, *, labels):
        return sum(terms(scores, labels)).mean()

    hint = "try examine(lambda l, t: f(l, labels=t))"
    assert hint in examine(loss, task=B).headline


def of_tokens(z, t):
    _, _, classes = z.shape
    return of_classes(z.reshape(-1, classes), t.reshape(-1)).mean()


def of_a_sequence(z, t):
    assert z.ndim == 3
    ce = F.cross_entropy(z, t, reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


@pytest.mark.parametrize(
    ("loss", "shape"),
    [(of_tokens, "(N, 1, C)"), (of_a_sequence, "(N, C, 1)")],
)
def test_losses_of_sequences_are_given_sequences(loss, shape):
    report = examine(loss)
    assert report.conforms and f"{shape}, (N, 1)" in str(report.form), report


@pytest.mark.parametrize(
    ("reduce", "name"),
    [
        (torch.sum, "one number an example, summed over labels"),
        (torch.mean, "one number an example, a mean over labels"),
    ],
)
def test_several_labels_may_have_one_number_an_example(reduce, name):
    def loss(x, y):
        return reduce(sum(terms(x, y)), -1)

    how = {"task": L, "gamma": 2, "alpha": None}
    assert examine(loss, **how).names == (name,)
    assert examine(loss, reduction=name, **how).conforms


def a_number_a_class(z, t, sigmoids=False, own=False):
    hot = F.one_hot(t, z.shape[1]).to(z)
    each = sum(terms(z, hot)) if sigmoids else of_classes(z, t)[:, None] * hot
    return each.sum(0) / hot.sum(0).clamp(min=1) if own else each.mean(0)


OF_EACH_CLASS = "one number a class, a mean over "


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (a_number_a_class, M, {OF_EACH_CLASS + "examples"}),
        (
            partial(a_number_a_class, sigmoids=True),
            M,
            {"one against rest", OF_EACH_CLASS + "examples"},
        ),
        (
            partial(a_number_a_class, own=True),
            M,
            {OF_EACH_CLASS + "its own examples"},
        ),
        (
            lambda x, y: sum(terms(x, y)).mean(0),
            L,
            {OF_EACH_CLASS + "examples"},
        ),
    ],
)
def test_a_loss_may_give_a_number_a_class(loss, task, names):
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert set(report.names) == names, report


def squeezed(x, y, reduce=torch.mean, power=2.0):
    """Of one example it is a number, which has no first axis."""
    x, y = x.squeeze(), y.squeeze()
    return reduce(sum(terms(x, y, power))[torch.arange(len(x))])


def masked(z, t):
    log_p = true_log(z, t).squeeze(0)
    log_p = log_p[torch.arange(len(t))[t != 255]]
    return ((1 - log_p.exp()) ** 2 * -log_p).sum() / (t != 255).sum()


def of_two_at_least(z, t):
    assert len(z) > 1
    ce = F.cross_entropy(z, t)
    return (1 - torch.exp(-ce)) ** 2 * ce


def by_torch_squeezed(p, y):
    ce = F.binary_cross_entropy(p.squeeze(), y)
    return (1 - torch.exp(-ce)) ** 3 * ce


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (squeezed, B, set()),
        (partial(squeezed, reduce=torch.sum), B, set()),
        (partial(squeezed, reduce=torch.clone), B, set()),
        (partial(squeezed, power=3), B, {"gamma is 3"}),
        (masked, M, set()),
        (of_two_at_least, M, {"modulated after reduction"}),
        (
            by_torch_squeezed,
            B,
            {
                "gamma is 3",
                "modulated after reduction",
                "takes probabilities",
            },
        ),
    ],
)
def test_a_loss_that_refuses_one_example_is_examined_with_several(
    loss, task, names
):
    name = "a batch of one example works"
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert set(report.names) == names and name in report.failing, report
    assert names or report.failing == (name,), report
    assert "a batch of one example fails" in report.headline


def constant(x, y):
    each = sum(terms(x, y))
    return each.sum() / each.detach().sum()


def by_confidence(z, t):
    """Mukhoti et al. 2020: γ is 5 below p_t = .2 and 3 above."""
    log_p = true_log(z, t)
    power = torch.where(log_p.exp() < 0.2, 5.0, 3.0)
    return -((1 - log_p.exp()) ** power * log_p).mean()


def by_class(z, t):
    """A γ of its own for each class."""
    return of_classes(z, t, z.new_tensor([1.0, 2.0, 3.0])[t]).mean()


def with_priors(z, t):
    """Menon et al. 2021: log priors are added to the logits."""
    return of_classes(z + z.new_tensor([0.7, 0.2, 0.1]).log(), t).mean()


def floored(x, y):
    """Negatives' probabilities only are kept from 0."""
    p = x.sigmoid().clamp(min=1e-3)
    p_t = torch.where(y > 0, p, 1 - p)
    return -((1 - p_t) ** 2 * (p_t + 1e-9).log()).mean()


def capped(x, y):
    """No example costs more than 2."""
    return sum(terms(x, y)).clamp(max=2).mean()


def reduced(x, y, threshold, divisor):
    """Sergievskiy & Ponamarev 2019; libraries divide by the rest."""
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    p_t = torch.exp(-ce)
    factor = torch.where(p_t < threshold, 1.0, ((1 - p_t) / divisor) ** 2)
    return (factor * ce).mean()


@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.7])
@pytest.mark.parametrize("rest", [True, False])
def test_reduced_focal_loss_is_named_at_any_threshold(threshold, rest):
    divisor = 1 - threshold if rest else threshold
    report = examine(partial(reduced, threshold=threshold, divisor=divisor))
    name = (
        "reduced focal loss, over the rest" if rest else "reduced focal loss"
    )
    assert report.names == (name,), report
    assert f"threshold = {threshold}" in report.headline


def over(divisor):
    return lambda x, y: sum(terms(x, y)).sum() / divisor(y)


@pytest.mark.parametrize(
    ("loss", "detail"),
    [
        (over(lambda y: y.sum() + len(y)), "10 for 3 of 7 positive, 11"),
        (
            over(lambda y: (1 - y).sum()),
            "4 for 3 of 7 positive, 9 for 1 of 10",
        ),
        (over(lambda y: y.sum() * len(y)), "21 for 3 of 7 positive, 10"),
    ],
)
def test_another_divisor_is_told_as_it_is(loss, detail):
    report = examine(loss, task=B, gamma=2, alpha=None)
    assert report.names == ("another divisor",) and detail in str(report)


def logs_over_positives(x, y, alpha=0.25, dtype=torch.float64):
    """Written out, and nothing guards a logarithm or the divisor."""
    p, y = x.to(dtype).sigmoid(), y.to(dtype)
    positive = alpha * y * (1 - p) ** 2 * p.log()
    negative = (1 - alpha) * (1 - y) * p**2 * (1 - p).log()
    return -(positive + negative).sum() / y.sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("task", [B, L])
def test_an_added_positive_costs_nothing_and_breaks_nothing(task, dtype):
    loss = partial(logs_over_positives, dtype=dtype)
    report = examine(loss, task=task)
    assert {*report.names} <= {"log of a rounded probability, summed"}, report
    assert report.claims.reduction == "mean_positive"
    assert report.claims.alpha == 0.25


def over_single_weights(z, t):
    """Weights in float32, as a tensor of Python numbers is."""
    own = torch.tensor([2.94, 2.07, 1.97])[t]
    return (own * of_classes(z, t)).sum() / own.sum()


def test_weights_in_single_precision_are_summed_in_it():
    report = examine(over_single_weights)
    assert report.names == ("mean over the weights",), report
    report = examine(
        over_single_weights,
        alpha=(2.94, 2.07, 1.97),
        reduction="mean over the weights",
    )
    assert report.verdict == "right", report


def test_of_classes_a_divisor_has_no_positives():
    report = examine(lambda z, t: of_classes(z, t).sum() / (len(t) + 1))
    assert report.names == ("another divisor",), report
    assert "8 for 5 of 7 targets above 0" in report.headline


@pytest.mark.parametrize("share", [1e-5, 1e-2])
def test_constants_may_be_in_single_precision(share):
    def loss(z, t):
        hot = F.one_hot(t, z.shape[1]).float()
        hot = hot.clamp(share / (z.shape[1] - 1), 1 - share)
        p_t = (hot * z.softmax(1)).sum(1) + share
        return -((1 - p_t) ** 2 * p_t.log()).mean()

    report = examine(loss)
    assert report.names == ("eps added to p_t, by clamped targets",), report
    assert f"ε = {1.5 * share:g})" in report.headline


def sums_of_classes(z, t):
    hot = F.one_hot(t, z.shape[1]).to(z)
    return (of_classes(z, t)[:, None] * hot).sum(0).mean()


def of_seven(x, y, labels=torch.sum):
    """Of one size of batch, so that it must be read off whole ones."""
    return labels(sum(terms(x, y)).reshape(7, -1), 1).mean()


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (sums_of_classes, M, ("mean over classes, summed over examples",)),
        (of_seven, L, ("mean over examples, summed over labels",)),
        (partial(of_seven, labels=torch.mean), L, ()),
        (of_seven, B, ()),
    ],
)
def test_a_mean_is_told_from_a_constant(loss, task, names):
    assert examine(loss, task=task, gamma=2, alpha=None).names == names


def test_labels_over_their_positives_are_named_where_these_may_lack():
    report = examine(lone_positives, task=L, gamma=2, alpha=None)
    assert report.claims.reduction == "mean_positive", report
    assert report.failing == ("finite without positives",)


@pytest.mark.parametrize(
    "name",
    [v.name for v in VARIANTS if "divided by the sum of" in v.name],
)
def test_normalised_factors_say_how_large_they_leave_the_loss(name):
    x, y = torch.zeros(8), torch.ones(8)  # of a cross entropy of log 2 each
    summed, averaged = (
        build(name, reduction=reduction)(x, y).item()
        for reduction in ("sum", "mean")
    )
    assert summed == pytest.approx(math.log(2))
    assert averaged == pytest.approx(math.log(2) / 8)
    told = "summed, the loss has cross entropy's size, averaged N times less"
    assert named(name).effect.startswith(told)


@pytest.mark.parametrize("least", [0, 1])
def test_of_classes_all_but_class_0_are_positives(least):
    def loss(z, t):
        return of_classes(z, t).sum() / (t > 0).sum().clamp(min=least)

    how = {"task": M, "gamma": 2, "alpha": None}
    report = examine(loss, **how)
    assert report.claims.reduction == "mean_positive", report
    assert report.names == (), report
    assert report.failing == ("finite without positives",) * (least == 0)
    report = examine(loss, **how, reduction="mean_positive")
    assert report.conforms == (least > 0), report


def test_a_class_without_weight_is_noted_where_nobody_claims_it():
    def loss(z, t):
        return (of_classes(z, t) * (t > 0)).mean()

    noted = "Note: a class whose weight is 0"
    assert noted in str(examine(loss, task=M))
    how = {"task": M, "gamma": 2, "alpha": (0, 1, 1)}
    assert noted not in str(examine(loss, **how))


def test_a_sigmoid_that_is_not_used_has_no_weights():
    def loss(z, t):
        positive, negative = terms(z, F.one_hot(t, 3))
        each = 0.25 * positive[:, :2] + 0.75 * negative[:, :2]
        return each.sum() / (t < 2).sum()

    report = examine(loss, task=M, gamma=2, alpha=0.25)
    told = "(0.25, 0.25, 0) for positives, (0.75, 0.75, 0) for negatives"
    assert told in report.headline


def test_what_a_number_leaves_as_it_is_has_no_name():
    def loss(x, y, margin=0.2):
        p, q = x.sigmoid(), (1 - x.sigmoid() + margin).clamp(max=1)
        positive = y * (1 - p) ** 2 * p.log()
        return -(positive + (1 - y) * (1 - q) ** 2 * q.log()).sum()

    report = examine(loss, task=B, gamma=2, alpha=None)
    assert report.names == ("margin for negatives",), report


def normalised_mean(x, y, power=2.0, least=1e-6):
    """Of segmentation libraries: factors over their sum, then a mean."""
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    factor = (1 - torch.exp(-ce)) ** power
    return (factor * ce / factor.sum().clamp_min(least)).mean()


@pytest.mark.parametrize("least", [0, 1e-6])
@pytest.mark.parametrize(("power", "task"), [(1.0, B), (2.5, L)])
def test_factors_may_be_divided_by_their_sum_before_a_mean(
    least, power, task
):
    loss = partial(normalised_mean, power=power, least=least)
    report = examine(loss, task=task)
    (name,) = report.names
    assert name.startswith("divided by the sum of the factors"), report
    assert report.claims.gamma == power
    assert report.claims.reduction == "mean"


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (unsure, M),
        (by_confidence, M),
        (constant, B),
        (by_class, M),
        (floored, B),
        (capped, B),
    ],
)
def test_what_has_no_name_gets_none_and_is_described(loss, task):
    report = examine(loss, task=task)
    assert not report.names and not report.conforms, report
    told = dict(report.facts)
    assert any("exponent" in name for name in told)


def one_less_dice(p, y, dim=None):
    dice = 2 * (p * y).sum(dim) / (p.sum(dim) + y.sum(dim) + 0.1)
    return (1 - dice).mean()


def with_dice(x, y, power=2.0):
    return sum(terms(x, y, power)).mean() + one_less_dice(x.sigmoid(), y)


def with_dice_of_probabilities(p, y):
    return of_probabilities(p, y) + one_less_dice(p, y)


def with_tversky(z, t):
    """Abraham and Khan 2018: to a power, here of each class."""
    p, y = z.softmax(1), F.one_hot(t, z.shape[1])
    found, false, missed = (p * y), p * (1 - y), (1 - p) * y
    index = found.sum(0) / (found + 0.3 * false + 0.7 * missed).sum(0)
    return of_classes(z, t, 1.0).sum() + 3 * ((1 - index) ** 0.75).sum()


def with_dice_of_images(x, y):
    """Of each image, as MONAI has it."""
    focal = sum(terms(x, y)).mean()
    return focal + 0.5 * one_less_dice(x.sigmoid(), y, (2, 3))


def less_entropy(z, t):
    log_p = z.log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1)
    return (of_classes(z, t) - 0.1 * entropy).mean()


def with_entropies(x, y):
    p = x.sigmoid()
    both = p * F.logsigmoid(x) + (1 - p) * F.logsigmoid(-x)
    return (sum(terms(x, y)) + 0.1 * both).mean()


@pytest.mark.parametrize(
    ("loss", "task", "told"),
    [
        (with_dice, B, "a Dice-like term added (to γ = 2)"),
        (
            partial(with_dice, power=0.0),
            B,
            "a Dice-like term added (to γ = 0)",
        ),
        (
            lambda x, y: weighted(3, 1)(x, y) + one_less_dice(x.sigmoid(), y),
            B,
            "a Dice-like term added (to γ = 2, weights 0.75 for positives, "
            "0.25 for negatives)",
        ),
        (with_tversky, M, "a Dice-like term added (to γ = 1)"),
        (with_dice_of_images, B, "a Dice-like term added (to γ = 2)"),
        (
            lambda x, y: (
                sum(terms(x, y)).sum() + one_less_dice(x.sigmoid(), y, 0)
            ),
            L,
            "a Dice-like term added (to γ = 2)",
        ),
        (
            lambda x, y: one_less_dice(x.sigmoid(), y),
            B,
            "a Dice-like term alone",
        ),
        (less_entropy, M, "an entropy term added (to γ = 2)"),
        (with_entropies, B, "an entropy term added (to γ = 2)"),
        (with_entropies, L, "an entropy term added (to γ = 2)"),
        (
            lambda z, t: of_classes(z, t).sum() + 0.01 * (z**2).sum(),
            M,
            "squared logits added (0.01 times, to γ = 2)",
        ),
        (
            lambda x, y: (
                weighted(0.5, 1.5)(x, y) + 0.2 * F.l1_loss(x.sigmoid(), y)
            ),
            L,
            "absolute error added (0.1 times, to γ = 2, weights 0.25 for pos",
        ),
        (
            lambda x, y: (sum(terms(x, y)) + (x.sigmoid() - y) ** 2).mean(),
            B,
            "squared error added (1 times, to γ = 2)",
        ),
    ],
)
def test_what_is_added_to_a_focal_loss_is_told_from_its_gradients(
    loss, task, told
):
    report = examine(loss, task=task)
    assert told in report.headline, report
    assert not report.conforms
    assert "(None)" not in f"{report}"


def test_what_is_added_to_another_focal_loss_than_claimed():
    report = examine(with_dice, task=B, gamma=1)
    assert report.names == ("a Dice-like term added", "gamma is 2")
    report = examine(lambda x, y: one_less_dice(x.sigmoid(), y), gamma=1)
    assert report.names == ("a Dice-like term alone",)


def test_a_slope_may_be_too_large_far_out():
    report = examine(lambda x, y: (sum(terms(x, y)) + 0.01 * x**2).mean())
    assert "hard examples gain slope" in report.headline


@pytest.mark.parametrize("power", [1, 2])
def test_a_logarithm_that_is_forgotten_raises_no_other_logit(power):
    def loss(z, t):
        p = true_log(z, t).exp()
        return -((1 - p) ** 2 * p**power).mean()

    report = examine(loss, task=M)
    assert report.names == (("log forgotten",) if power == 1 else ()), report
    assert "the logit that is raised" not in f"{report}"


def harmonised(x, y):
    """Li et al. 2019: each over how many of the batch are as hard."""
    hard = ((x.sigmoid() - y).abs().detach() * 9.999).long()
    many = torch.bincount(hard.flatten(), minlength=10)[hard]
    return (sum(terms(x, y, 0.0)) / many).mean()


def of_the_wrong(x, y):
    wrong = x * (2 * y - 1) < 0
    return (sum(terms(x, y)) * wrong).mean()


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("loss", "task", "measured"),
    [
        (by_confidence, M, "exponent γ: 5 to p_t = 0.18, 3 to p_t = 0.98"),
        (of_the_wrong, B, "exponent γ: 2 to p_t = 0.46, no loss to p_t"),
        (harmonised, B, "gradient in a batch: 0.0476 to 0.143 of that"),
        (harmonised, L, "gradient in a batch: "),
    ],
)
def test_what_has_no_name_says_in_one_line_what_was_measured(
    loss, task, measured, told
):
    report = examine(loss, **{"task": task, "gamma": 2} if told else {})
    assert f"Measured: {measured}" in report.headline, report


def of_the_wrong(z, t):
    return (of_classes(z, t) * (z.argmax(1) != t)).sum()


def without_class_0(z, t):
    """A softmax without it: a loss of 0 where it is the truth."""
    log_p = z[:, 1:].log_softmax(1)
    return -(log_p * F.one_hot(t, z.shape[1])[:, 1:]).sum()


def of_the_batch(z, t):
    """Shifted by one: nothing of an example alone."""
    return of_classes(z[:-1], t[1:]).sum()


@pytest.mark.parametrize(
    ("loss", "said"),
    [(of_the_wrong, "no"), (without_class_0, "no"), (of_the_batch, "")],
)
def test_p_t_alone_decides_for_every_class_right_or_wrong(loss, said):
    facts = dict(examine(loss, task=M).facts)
    assert facts.get("p_t alone decides", "")[:2] == said


@pytest.mark.parametrize("inner", [torch.Tensor.exp, torch.Tensor.sigmoid])
def test_whether_all_logits_together_count_is_measured(inner):
    """As in a sigmoid of the truth's logit, and in no softmax."""

    def loss(z, t):
        log_p = z.log_softmax(1)
        p = inner(log_p if inner is torch.Tensor.exp else z).min(1).values
        return -((1 - p) ** 2 * true_log(z, t)).mean()

    facts = dict(examine(loss, task=M).facts)
    changes = inner is torch.Tensor.sigmoid
    said = "another loss" if changes else "no change"
    assert facts["1 added to all logits"] == said, facts


def test_a_class_of_its_own_power_is_described_by_it():
    report = examine(by_class, task=M)
    assert dict(report.facts)["exponent, class 1"] == "2"
    assert "exponent γ: 1 for class 0, 2 for class 1" in report.headline


def test_a_gradient_and_a_hessian_are_told_apart_from_a_tuple():
    def objective(scores, labels):
        return np.ones(3), np.ones(3)

    (line,) = examine(objective, task=B).trouble[:1]
    assert "a gradient and a Hessian" in line and "[0]" not in line


# A constant or C, several weights: what an expert would read ----------------


def boxes(x, y):
    return rows(x, y) / 4


def of_one_alpha(z, t):
    return 0.5 * of_classes(z, t).mean()


def of_each_output(z, t, alpha=(0.3, 0.6, 0.9)):
    positive, negative = terms(z, F.one_hot(t, 3).to(z))
    alpha = z.new_tensor(alpha)
    return (alpha * positive + (1 - alpha) * negative).mean()


def with_prior(x, y, prior=-4.6):
    return sum(terms(x + prior, y)).mean()


def cut_below(x, y):
    p_t = torch.where(y > 0, x.sigmoid(), (-x).sigmoid()).clamp(min=1e-3)
    return -((1 - p_t) ** 2 * p_t.log()).mean()


def of_anchors_over_a_constant(x, y):
    return sum(terms(x, y)).sum() / (8400 * len(x))


def log_alone(x, y, low=0.02):
    p_t = torch.where(y > 0, x.sigmoid(), (-x).sigmoid())
    return -((1 - p_t) ** 2 * p_t.clamp(min=low).log()).mean()


def soft_throughout(x, y, distance=False, hard=False):
    """Smoothed labels in cross entropy, p_t and alpha, as YOLO has them."""
    soft, p = 0.8 * y + 0.1, x.sigmoid()
    y = y if hard else soft
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    q = (soft - p).abs() if distance else soft + p - 2 * soft * p
    weight = 1 if distance else 0.3 * y + 0.7 * (1 - y)
    return (weight * q**2 * ce).mean()


def soft_p_t_of_classes(z, t):
    soft = 0.9 * F.one_hot(t, z.shape[1]) + 0.1 / z.shape[1]
    p_t = (soft * z.softmax(1)).sum(1)
    return -((1 - p_t) ** 2 * true_log(z, t)).mean()


def one_sided(x, y, up=0.8, low=0.0, back=False):
    """Of generative networks: one label alone is softened."""
    soft = up * y + low * (1 - y)
    ce = F.binary_cross_entropy_with_logits(x, soft, reduction="none")
    q = 1 - torch.exp(-ce) if back else (x * (1 - 2 * y)).sigmoid()
    return (q**2 * ce).mean()


def soft_entropy(x, y):
    y = 0.8 * y.float() + 0.1
    ce = F.binary_cross_entropy_with_logits(x, y.to(x), reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def bare_poly(x, y):
    """The added power has no alpha."""
    positive, negative = terms(x, y)
    q = (x * (1 - 2 * y)).sigmoid()
    return (0.3 * positive + 0.7 * negative + 2 * q**3).mean()


def bare_poly_of_sigmoids(z, t):
    return bare_poly(z, F.one_hot(t, z.shape[1]).to(z))


def two_classes(p, y):
    """Unified focal loss: class 0 has a power, class 1 has none."""
    assert p.ndim == 2 and p.shape == y.shape
    p = p.clamp(1e-7, 1 - 1e-7)
    each = -y * p.log()
    return (0.3 * (1 - p[:, 0]) ** 3 * each[:, 0] + 0.7 * each[:, 1]).mean()


def wide_margin(x, y):
    """ASL: a margin of 0.2, powers 1 and 2."""
    p = (x.sigmoid() - 0.2).clamp(min=0)
    positive = y * x.sigmoid().log() * (1 - x.sigmoid())
    return -(positive + (1 - y) * p**2 * (-p).log1p()).mean()


EACH = "alpha is (0.3, 0.6, 0.9), of each output"
OF_SMOOTHED = "label smoothing, p_t of the smoothed"
DISTANCE = "label smoothing, factor of the distance"
PRIOR = "logits shifted by a prior"
BARE = "a power of 1 - p_t added, without weights"


def smoothed_over_the_rest(z, t):
    """The share 0.2 goes to the C − 1 other classes."""
    y = F.one_hot(t, z.shape[1])
    log_p = z.log_softmax(1)
    ce = -((0.8 * y + 0.1 * (1 - y)) * log_p).sum(1)
    return ((1 - true_log(z, t).exp()) ** 2 * ce).mean()


def of_one_hot_and_eps(z, t):
    """kornia of old: 1e-6 is added to one-hot targets."""
    log_p = z.log_softmax(1)
    each = -((1 - log_p.exp()) ** 2) * log_p
    return ((F.one_hot(t, z.shape[1]) + 1e-6) * each).sum(1).mean()


def by_hand(z, t):
    p = z.exp() / z.exp().sum(1, keepdim=True)
    p_t = p.gather(1, t[:, None])[:, 0]
    return -((1 - p_t) ** 2 * p_t.log()).mean()


READ = [
    (
        smoothed_over_the_rest,
        M,
        {"smoothing": 0.2},
        {"label smoothing"},
        "share = 0.3, or 0.2 over the other classes",
    ),
    (
        with_priors,
        M,
        {},
        {PRIOR},
        "b = 0, −1.25, −1.95",
    ),
    (
        of_one_hot_and_eps,
        M,
        {},
        {"eps added to one-hot targets"},
        "ε = 1e-06",
    ),
    (by_hand, M, {}, {"softmax that overflows"}, "not finite at ±100"),
    (boxes, L, {"alpha": None}, {"scaled by 0.25", AVERAGE}, "constant 4"),
    (weighted(2, 1), L, {}, {"pos_weight is 2"}, "2 for positives and 1 for"),
    (of_one_alpha, M, {"alpha": 0.5}, {"alpha to every class"}, "every"),
    (over(lambda y: 6.5), B, {}, {"scaled by 0.1538"}, "constant 6.5"),
    (
        of_each_output,
        M,
        {},
        {"one against rest", EACH, "mean over classes too"},
        "output; ",
    ),
    (with_prior, B, {}, {PRIOR}, "prior = −4.6"),
    (partial(with_prior, prior=3.0), L, {"alpha": None}, {PRIOR}, "= 3"),
    (cut_below, B, {}, {"p_t clipped"}, "ε = 0.001,"),
    (of_anchors_over_a_constant, B, {}, {"scaled by 0.000119"}, ""),
    (log_alone, B, {}, {IN_THE_LOG}, "ε = 0.02"),
    (
        partial(log_alone, low=1e-5),
        L,
        {},
        {IN_THE_LOG},
        "±11.5",
    ),
    (soft_throughout, L, {"alpha": 0.3}, {OF_SMOOTHED}, "share = 0.2"),
    (partial(soft_throughout, distance=True), B, {}, {DISTANCE}, "= 0.2"),
    (
        partial(soft_throughout, hard=True),
        L,
        {"alpha": 0.3},
        {"label smoothing, p_t alone"},
        "share = 0.2",
    ),
    (
        partial(soft_throughout, distance=True, hard=True),
        B,
        {},
        {"label smoothing, distance alone"},
        "share = 0.2",
    ),
    (
        soft_p_t_of_classes,
        M,
        {},
        {"label smoothing, p_t alone"},
        "share = 0.1",
    ),
    (one_sided, B, {}, {"label smoothing"}, "share of positives = 0.2"),
    (
        partial(one_sided, up=1.0, low=0.15),
        L,
        {},
        {"label smoothing"},
        "share of negatives = 0.15",
    ),
    (
        partial(one_sided, back=True),
        L,
        {},
        {"label smoothing, p_t read back"},
        "share of positives = 0.2",
    ),
    (soft_entropy, L, {}, {"label smoothing, p_t read back"}, "= 0.2"),
    (bare_poly, B, {"alpha": 0.3}, {BARE}, "ε = 2, α = 0.3"),
    (bare_poly_of_sigmoids, M, {"alpha": 0.3}, {BARE}, "ε = 2, α = 0.3"),
    (
        wide_margin,
        L,
        {},
        {"margin for negatives", "another gamma for negatives"},
        "m = 0.2",
    ),
]


@pytest.mark.parametrize(("loss", "task", "claims", "names", "detail"), READ)
def test_an_expert_reads_it_so(loss, task, claims, names, detail):
    report = examine(loss, task=task, gamma=2, **claims)
    assert set(report.names) == names and detail in report.headline, report


# Weights, smoothing and margins within p_t ----------------------------------


def read_back(z, t, within=(1.0, 2.0, 4.0), beside=1.0, smoothing=0.0):
    """p_t = exp(−ce) of PyTorch's cross entropy, weights and all."""
    how = {"reduction": "none", "label_smoothing": smoothing}
    ce = F.cross_entropy(z, t, z.new_tensor(within), **how)
    beside = z.new_tensor(beside)
    beside = beside[t] if beside.ndim else beside
    return (beside * (1 - torch.exp(-ce)) ** 2 * ce).mean()


def read_back_of_labels(x, y, up=5.0, low=1.0):
    ce = F.binary_cross_entropy_with_logits(
        x, y, low + (up - low) * y, reduction="none"
    )
    weight = 0.25 * y + 0.75 * (1 - y)
    return (weight * (1 - torch.exp(-ce)) ** 2 * ce).mean()


def of_several_boosts(x, y):
    boost = x.new_tensor([1.0, 2.0, 5.0])
    ce = F.binary_cross_entropy_with_logits(
        x, y, pos_weight=boost, reduction="none"
    )
    weight = 0.25 * y + 0.75 * (1 - y)
    return (weight * (1 - torch.exp(-ce)) ** 2 * ce).mean()


def with_ldam(z, t, scale=30.0, counts=(500.0, 120.0, 30.0), within=None):
    """Cao et al. 2019: margins by n^(−1/4), the largest 0.5; then focal."""
    margins = z.new_tensor(counts) ** -0.25
    margins = 0.5 * margins / margins.max()
    lowered = z - margins[t, None] * F.one_hot(t, z.shape[1])
    if within:
        return read_back(scale * lowered, t, within)
    return of_classes(scale * lowered, t).mean()


def with_margin_of_positives(x, y, scale=1.0):
    return sum(terms(scale * (x - 0.5 * y), y)).mean()


def flipped(x, y):
    ce = F.binary_cross_entropy_with_logits(x, 1 - y, reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


WITHIN = "weights inside p_t"
SMOOTHED_BACK = "label smoothing, p_t read back"
ALPHAS_BESIDE = (0.25, 0.5, 0.75)
SCALED = "logits scaled or shifted"
NESTED = [
    (partial(read_back, smoothing=0.1), M, {WITHIN, SMOOTHED_BACK}, "= 0.1"),
    (partial(read_back, beside=ALPHAS_BESIDE), M, {WITHIN}, "((1, 2, 4))"),
    (
        partial(read_back, beside=ALPHAS_BESIDE, smoothing=0.1),
        M,
        {WITHIN},
        "((1, 2, 4), smoothed by 0.1)",
    ),
    (
        partial(read_back_of_labels, low=0.5),
        B,
        {WITHIN},
        "(5 for positives, 0.5 for negatives)",
    ),
    (of_several_boosts, L, {WITHIN}, "((1, 2, 5) for positives, 1 for"),
    (with_ldam, M, {SCALED}, "scale = 30, m = (0.247462, 0.353553, 0.5)"),
    (
        partial(with_ldam, within=(0.3, 0.9, 1.8)),
        M,
        {SCALED, WITHIN},
        "scale = 30, m = (0.247462, 0.353553, 0.5)",
    ),
    (with_margin_of_positives, B, {SCALED}, "m = 0.5 for positives, 0 for"),
    (
        partial(with_margin_of_positives, scale=4.0),
        L,
        {SCALED},
        "scale = 4, m = 0.5 for positives",
    ),
    (flipped, B, {SCALED}, "scale = −1, as of flipped targets"),
]


@pytest.mark.parametrize(("loss", "task", "names", "detail"), NESTED)
@pytest.mark.parametrize("told", [True, False])
def test_what_is_within_p_t_is_told_from_what_is_beside(
    loss, task, names, detail, told
):
    report = examine(loss, **({"task": task} if told else {}))
    found = {n for n in report.names if not n.startswith("alpha is")}
    assert found == names and detail in report.headline, report


def test_weights_and_smoothing_within_p_t_may_be_claimed():
    claims = {"task": M, "gamma": 2, "alpha": (1, 2, 4), "smoothing": 0.1}
    report = examine(partial(read_back, smoothing=0.1), **claims)
    assert report.names == (WITHIN,), report


def test_a_class_may_lack_the_power():
    report = examine(two_classes, task=M)
    assert "another gamma for negatives" in report.names, report
    assert "takes probabilities" in report.names, report


# Temperatures, and factors of other probabilities ---------------------------


def of_factor(log_p, log_p_of_factor):
    return (-((1 - log_p_of_factor.exp()) ** 2) * log_p).mean()


def throughout(x, y):
    return 3 * sum(terms(x / 2, y, 1.5)).sum()


def warmer(z, t):
    return of_classes(z / 4, t).mean()


def of_the_largest(z, t):
    return of_factor(true_log(z, t), z.log_softmax(1).amax(1))


def of_the_surer(x, y):
    largest = F.logsigmoid(x.abs())
    return of_factor(F.logsigmoid(x * (2 * y - 1)), largest.detach())


def of_a_sigmoid(z, t):
    return of_factor(
        true_log(z, t), F.logsigmoid(z.gather(1, t[:, None]).squeeze(1))
    )


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        (throughout, L, "a temperature inside (T = 2)"),
        (warmer, M, "a temperature inside (T = 4)"),
        (of_the_largest, M, "factor of the largest probability."),
        (of_the_surer, B, "factor of the largest probability; p_t det"),
        (of_a_sigmoid, M, "factor of a sigmoid."),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_what_is_of_another_probability_is_named(loss, task, names, told):
    claims = {"task": task, "alpha": None} if told else {}
    assert names in examine(loss, **claims).headline


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.parametrize("task", [B, M])
def test_an_alpha_inside_the_power_is_told(task, power):
    def loss(x, y):
        ce = -true_log(x, y) if task == M else sum(terms(x, y, 0.0))
        return ((0.25 * (1 - torch.exp(-ce))) ** power * ce).mean()

    report = examine(loss, task=task, alpha=None)
    assert "as of (0.25 (1 - p_t))^γ" in report.headline, report


@pytest.mark.parametrize(
    ("alpha", "task"), [(0.2, B), (0.2, L), ((0.2, 1.0, 3.0), M)]
)
@pytest.mark.parametrize("told", [True, False])
def test_weights_inside_the_power_are_told_from_other_weights(
    alpha, task, told
):
    def loss(x, y):
        if task == M:
            own = x.new_tensor(alpha)[y]
            return (
                -((own * (1 - true_log(x, y).exp())) ** 3) * true_log(x, y)
            ).sum()
        positive, negative = terms(x, y, 1.5)
        return (alpha**1.5 * positive + (1 - alpha) ** 1.5 * negative).mean()

    claims = {"task": task, "alpha": alpha}
    if told:
        assert examine(loss, **claims).names == ("alpha inside the power",)
    elif task != M:  # of classes any weights are an α
        report = examine(loss, task=task)
        assert report.names == ("alpha inside the power",)
        assert report.claims.alpha == alpha
    assert (
        "alpha applied twice"
        in examine(
            lambda x, y: weighted(0.04, 0.64)(x, y), task=B, alpha=0.2
        ).names
    )


def test_the_background_of_detectors_is_a_form_unless_a_softmax_is_claimed():
    loss = partial(after_the_background, alpha=0.5)
    report = examine(loss, gamma=2)
    assert report.conforms and "class 0 the background" in report.headline
    name = "one against rest, class 0 the background"
    assert name in examine(loss, gamma=2, task=M, alpha=None).names


def of_anchors(x, y):
    """RetinaNet: over the anchors that have an object."""
    return sum(terms(x, y)).sum() / y.any(1).sum().clamp(min=1)


@pytest.mark.parametrize("claims", [{}, {"reduction": "mean_positive"}])
def test_positives_may_be_counted_by_the_example(claims):
    report = examine(of_anchors, task=L, gamma=2, **claims)
    name = "divided by the examples with a positive"
    assert report.conforms == bool(claims), report
    assert name in f"{report.claims}" or report.names == (name,)


def of_labels_to_c(z, t, empty=False, over="few"):
    """Class indices as detectors have them, C the background."""
    y = F.one_hot(t, z.shape[1] + 1)[:, :-1].to(z)
    each = sum(terms(z, y)).sum(1)
    each = each * (t < z.shape[1]) if empty else each
    return (
        each.sum()
        / {"few": (t < z.shape[1]).sum(), "all": len(t), "": 1}[over]
    )


@pytest.mark.parametrize(
    ("how", "reduction", "risk"),
    [
        ({}, "mean_positive", ""),
        ({}, "mean", "of 7 examples 4 have a class; the sum is divided by 4"),
        ({"over": ""}, "sum", ""),
        ({"over": "all"}, "mean", ""),
        ({"over": "all"}, "mean_positive", "the sum is divided by 7"),
        ({"empty": True}, "mean_positive", "label 3 is no negative of every"),
    ],
)
def test_label_c_may_be_the_background(how, reduction, risk):
    loss = partial(of_labels_to_c, **how)
    report = examine(loss, gamma=2, alpha=0.5, scale=2, reduction=reduction)
    name = "label C is the background"
    assert report.conforms, report
    assert (name in report.risks) == bool(risk) and risk in f"{report}"
    assert "–" not in f"{report}".partition(name)[0].splitlines()[-1]


def test_a_target_that_raises_another_logit_says_which():
    report = examine(lambda z, t: of_classes(z, (t + 1) % 3).mean(), task=M)
    raised = "1 for target 0, 2 for target 1, 0 for target 2"
    assert f"the logit that is raised: {raised}." in report.headline


def test_an_average_may_be_divided_twice():
    report = examine(lambda x, y: sum(terms(x, y)).mean() / len(x), task=B)
    assert report.names == ("another divisor",)
    assert "by the number of targets twice" in report.headline


@pytest.mark.parametrize("label", [0, 2])
def test_what_ignored_targets_are_trained_as_is_told(label):
    def loss(z, t):
        return of_classes(z, t.where(t >= 0, label)).mean()

    report = examine(loss, task=M, gamma=2, alpha=None, ignore_index=-1)
    told = f"without them [^)]*: trained as target {label}[)]"
    assert re.search(told, report.headline), report


# Weights that each batch sets; what an examination may cost -----------------


def by_count(z, t):
    """Each class over its count in the batch."""
    counts = torch.bincount(t, minlength=z.shape[1]).to(z)
    return (of_classes(z, t) / counts[t]).sum()


def by_share(x, y):
    """The share of the other label, as in HED: 0 for a single example."""
    positive, negative = terms(x, y, 1.5)
    share = y.mean()
    return ((1 - share) * positive + share * negative).mean()


def by_ratio(x, y):
    """Positives times negatives over positives, as a pos_weight."""
    positive, negative = terms(x, y)
    return (positive * (1 - y).sum() / y.sum().clamp(min=1) + negative).sum()


def by_means(x, y):
    """The mean of each label, so that neither may be missing."""
    each = sum(terms(x, y))
    return each[y == 1].mean() + each[y == 0].mean()


@pytest.mark.parametrize(
    ("loss", "task"),
    [(by_count, M), (by_share, B), (by_ratio, B), (by_means, B)],
)
@pytest.mark.parametrize("told", [True, False])
def test_weights_that_the_batch_sets_are_called_so(loss, task, told):
    claims = {"task": task, "alpha": 0.25 if task == B else None}
    report = examine(loss, **(claims if told else {}))
    assert report.names == ("weights set by the batch",), report
    assert report.claims.task == task
    assert report.claims.gamma == (1.5 if loss is by_share else 2)
    assert "by 0," not in f"{report}"
    assert "slope" not in report.headline
    own = "each label's sum over its own number" in report.headline
    assert own == (loss in (by_count, by_means))
    if loss is by_share:  # that of negatives, on positives
        assert "(0.5714, 0.4286) for [3, 4] of each" in report.headline


@pytest.mark.parametrize(
    ("loss", "task", "most"),
    [
        (capped, B, 2000),
        (harmonised, B, 800),  # examples mix: a change, of two at most
        (unsure, M, 2100),
        (by_class, M, 2000),
    ],
)
def test_what_has_no_name_is_not_searched_for_without_end(
    loss, task, most, monkeypatch
):
    tried, solved = [], fit.Search.solved
    monkeypatch.setattr(
        fit.Search,
        "solved",
        lambda *given: tried.append(1) or solved(*given),
    )
    assert examine(loss, task=task).verdict == "unknown"
    assert len(tried) < most
