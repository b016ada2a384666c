"""The clinic names every known mistake, passes every right form, and says
"unknown" to the rest."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from focal_edu import FocalLoss, reference
from focal_edu.clinic import VARIANTS, build, examine
from focal_edu.clinic.names import REDUCTIONS
from focal_edu.clinic.names.variant import UNREDUCED
from focal_edu.validate import TASKS

pytestmark = pytest.mark.slow

ALPHAS = {"none": None, "number": 0.3, "weights": (0.2, 0.55, 0.9)}


class Declared(torch.nn.Module):
    """A loss that says what it is by its attributes, as modules do."""

    def __init__(self, loss, gamma, alpha, reduction):
        super().__init__()
        self.loss, self.gamma, self.reduction = loss, gamma, reduction
        self.alpha = alpha

    def forward(self, logits, targets):
        return self.loss(logits, targets)


def ways_to_be_wrong(kinds=3):
    """Every variant, each task and the first kinds of α it is told by."""
    for variant in VARIANTS:
        for task in variant.tasks:
            for kind in variant.alpha[:kinds]:
                scalar = task == "multi-class" and kind == "number"
                if (scalar and variant.part != "alpha") or (
                    task == "binary" and kind == "weights"
                ):
                    continue
                label = f"{variant.name}-{task}-{kind}"
                yield pytest.param(variant, task, kind, id=label)


def reduction_of(variant):
    return "none" if variant.match == UNREDUCED else "mean"


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "task", "kind"), [*ways_to_be_wrong()])
def test_confusion_table(variant, task, kind):
    name, where = variant.name, reduction_of(variant)
    for seed, gamma in ((0, 0.6), (1, 3.3)):
        if variant.name == "power taken of a rounded factor" and gamma > 1:
            continue  # harmless there
        how = {"task": task, "gamma": gamma, "alpha": ALPHAS[kind]}
        loss = build(variant, reduction=where, **how)
        report = examine(loss, reduction=where, seed=seed, **how)
        assert report.names == (name,), report
        assert report.verdict == "known" and report.failing
        assert report.example or report.claims.one_number, report


@pytest.mark.parametrize(
    ("variant", "task", "kind"),
    [
        case
        for case in ways_to_be_wrong(1)
        if "alpha overwritten" not in case.id  # its own α is what it loses
    ],
)
def test_what_it_is_can_be_read_off_the_loss(variant, task, kind):
    how = {"gamma": 0.7, "alpha": ALPHAS[kind]}
    where = reduction_of(variant)
    loss = build(variant, task=task, reduction=where, **how)
    report = examine(
        Declared(loss, reduction=where, **how), task=task, seed=5
    )
    assert report.names == (variant.name,), report


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (
            ("wrong negative branch", "alpha to both"),
            {"task": "binary", "alpha": 0.4},
        ),
        (
            ("modulated after reduction", "mean over the weights"),
            {"task": "multi-class", "alpha": (0.25, 0.75, 0.75)},
        ),
        (
            ("p_t detached", "alpha to class 0"),
            {"task": "multi-class", "alpha": 0.25},
        ),
        (
            ("log of a rounded probability, summed", "mean over classes too"),
            {"task": "multi-class"},
        ),
        (
            ("one against rest", "p_t detached", "mean over classes too"),
            {"task": "multi-class"},
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_made_together_are_each_named(names, how):
    report = examine(build(*names, gamma=1.7, **how), gamma=1.7, **how)
    assert set(report.names) == set(names), report


@pytest.mark.parametrize("actual", REDUCTIONS)
@pytest.mark.parametrize("claimed", REDUCTIONS)
def test_the_reduction_in_use_is_named(actual, claimed):
    report = examine(
        build(reduction=actual), gamma=2, alpha=None, reduction=claimed
    )
    wrong = () if actual == claimed else (f"reduction is {actual}",)
    assert report.names == wrong


def test_another_gamma_or_alpha_than_the_one_claimed_is_named():
    loss = build(gamma=3.0, alpha=0.25)
    how = {"task": "binary"}
    assert examine(loss, gamma=2, **how).names == ("gamma is 3",)
    assert examine(loss, alpha=None, **how).names == ("alpha is 0.25",)
    assert examine(loss, gamma=3, alpha=0.25).conforms


# Right forms, each written another way


def alpha_t(y, alpha):
    return 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)


def reduced(loss, reduction, targets):
    return {
        "none": lambda: loss,
        "mean": loss.mean,
        "sum": loss.sum,
        "mean_positive": lambda: loss.sum() / targets.sum().clamp(min=1),
    }[reduction]()


def by_softplus(x, y, gamma, alpha):
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (
        alpha_t(y, alpha) * ce * (-gamma * F.softplus(x * (2 * y - 1))).exp()
    )


def by_branches(x, y, gamma, alpha):
    log_p, log_q = F.logsigmoid(x), F.logsigmoid(-x)
    positive = -(gamma * log_q).exp() * log_p
    negative = -(gamma * log_p).exp() * log_q
    return alpha_t(y, alpha) * torch.where(y > 0, positive, negative)


def by_two_classes(x, y, gamma, alpha):
    log = torch.stack([torch.zeros_like(x), x], -1).log_softmax(-1)
    index = y.long().unsqueeze(-1)
    truth = log.gather(-1, index).squeeze(-1)
    other = log.gather(-1, 1 - index).squeeze(-1)
    return -alpha_t(y, alpha) * (gamma * other).exp() * truth


def by_margin(z, t, gamma, alpha):
    truth = F.one_hot(t, z.shape[1]).bool()
    rest = z.masked_fill(truth, -math.inf).logsumexp(1)
    all_ = z.logsumexp(1)
    weights = 1 if alpha is None else z.new_tensor(alpha)[t]
    return weights * (gamma * (rest - all_)).exp() * (all_ - z[truth])


def by_cross_entropy(z, t, gamma, alpha):
    ce = F.cross_entropy(z, t, reduction="none")
    rest = z.masked_fill(F.one_hot(t, z.shape[1]).bool(), -math.inf)
    log_q = rest.logsumexp(1) - z.logsumexp(1)
    weights = 1 if alpha is None else torch.tensor(alpha, dtype=z.dtype)[t]
    return (
        weights * log_q.exp().pow(gamma) * ce
        if gamma >= 1
        else (weights * (gamma * log_q).exp() * ce)
    )


RIGHT_FORMS = [
    (task, form)
    for task, forms in {
        "binary": (by_softplus, by_branches, by_two_classes),
        "multi-label": (by_softplus, by_branches, by_two_classes),
        "multi-class": (by_margin, by_cross_entropy),
    }.items()
    for form in forms
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "form"), RIGHT_FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_no_false_alarm(task, form, seed):
    draw = np.random.default_rng([seed, len(task)])
    gamma = round(draw.uniform(0.3, 4), 2)
    known = REDUCTIONS[: 3 if task == "multi-class" else 4]
    for alpha in (None, 0.3 if task != "multi-class" else (0.2, 0.5, 0.9)):
        reduction = known[seed % len(known)]

        def loss(x, y, gamma=gamma, alpha=alpha, reduction=reduction):
            if task != "multi-class" and x.shape != y.shape:
                raise ValueError("shapes differ")
            return reduced(form(x, y, gamma, alpha), reduction, y)

        how = {"task": task, "gamma": gamma, "alpha": alpha}
        report = examine(loss, reduction=reduction, seed=seed, **how)
        assert report.conforms, report
        guessed = examine(loss, seed=seed)
        assert guessed.conforms, guessed
        assert guessed.claims.gamma == gamma
        assert guessed.claims.alpha == alpha


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(4))
def test_no_false_alarm_whatever_it_computes_in(dtype, seed):
    def loss(x, y):
        elements = by_softplus(x.to(dtype), y.to(dtype), 1.5, 0.2)
        return elements.mean().to(x.dtype)

    assert examine(loss, seed=seed).conforms
    assert examine(loss, gamma=1.5, alpha=0.2, seed=seed).conforms


@pytest.mark.parametrize("seed", range(4))
def test_no_false_alarm_on_class_weights_in_single_precision(seed):
    weights = torch.tensor([0.5, 1.0, 4.0, 0.1])

    def loss(z, t):
        ce = F.cross_entropy(z, t, weight=weights, reduction="none")
        rest = z.masked_fill(F.one_hot(t, 4).bool(), -math.inf)
        return (2 * (rest.logsumexp(1) - z.logsumexp(1))).exp() * ce

    report = examine(
        loss, gamma=2, alpha=weights, reduction="none", seed=seed
    )
    assert report.names == (), report
    assert report.failing == ("half precision works",)


@pytest.mark.parametrize("task", ["binary", "multi-label"])
def test_no_false_alarm_on_targets_in_single_precision(task):
    """PyTorch rounds the cross entropy, and not the factor, to float32."""

    def loss(x, y):
        y = y.float()
        ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
        p_t = torch.where(y > 0, x.sigmoid(), 1 - x.sigmoid())
        return (alpha_t(y, 0.25) * (1 - p_t) ** 2 * ce).mean()

    report = examine(loss, task=task, gamma=2, alpha=0.25)
    assert report.conforms, report


def test_the_truth_is_the_numpy_reference():
    class FromNumPy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            value = reference.sigmoid_focal_loss(
                x.double().numpy(), y.double().numpy(), gamma=1.3, alpha=0.6
            )
            return torch.tensor(value, dtype=x.dtype)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, up):
            from focal_edu import sigmoid_focal_gradient

            x, y = (tensor.double().numpy() for tensor in ctx.saved_tensors)
            slope = sigmoid_focal_gradient(x, y, gamma=1.3, alpha=0.6)
            return up * torch.tensor(slope, dtype=up.dtype), None

    def loss(x, y):
        return FromNumPy.apply(x.detach().requires_grad_() * 0 + x, y).sum()

    report = examine(loss, gamma=1.3, alpha=0.6, reduction="sum")
    assert report.conforms, report
    assert "second derivative is finite" in report.risks


@pytest.mark.parametrize("task", TASKS)
def test_our_own_loss_conforms(task):
    alpha = (0.2, 0.5, 0.9) if task == "multi-class" else 0.25
    for reduction in REDUCTIONS[: 3 if task == "multi-class" else 4]:
        loss = FocalLoss(
            1.5,
            alpha,
            reduction,
            task_type=task,
            num_classes=None if task == "binary" else 3,
        )
        report = examine(loss)
        assert report.conforms, report
        assert report.claims.alpha == pytest.approx(alpha)
        assert report.claims.task == task


def test_a_right_formula_that_breaks_at_small_gamma_says_so():
    def loss(x, y, gamma=2.0, alpha=0.25):
        p = x.sigmoid()
        p_t = p * y + (1 - p) * (1 - y)
        ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
        return (alpha_t(y, alpha) * (1 - p_t) ** gamma * ce).mean()

    report, name = examine(loss), "finite at γ = 0.5 in float32"
    assert report.conforms and report.risks == (name,)
    assert (report.claims.gamma, report.claims.alpha) == (2, 0.25)
    assert name in examine(partial(loss, gamma=0.5), gamma=0.5).failing


# What is neither right nor known


def asymmetric(x, y):
    """Ridnik et al. 2021: γ is 1 for positives and 4 for negatives."""
    p = x.sigmoid()
    log_p, log_q = F.logsigmoid(x), F.logsigmoid(-x)
    shifted = (p - 0.05).clamp(min=0)
    loss = y * (1 - p) * log_p + (1 - y) * shifted**4 * (1 - shifted).log()
    return -loss.mean() + 0 * log_q.sum()


def star(x, y):
    """FL* of the paper's appendix A."""
    return -(F.logsigmoid(2 * x * (2 * y - 1) + 1) / 2).mean()


def poly(z, t):
    """Leng et al. 2022, one more term on cross entropy."""
    ce = F.cross_entropy(z, t, reduction="none")
    return (ce + 1 - (-ce).exp()).mean()


def smoothed(z, t):
    return F.cross_entropy(z, t, label_smoothing=0.1)


def dice(x, y):
    p = x.sigmoid()
    return 1 - 2 * (p * y).sum() / (p.sum() + y.sum())


def squared_error(x, y):
    return ((x.sigmoid() - y) ** 2).mean()


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (
            asymmetric,
            {"margin for negatives", "another gamma for negatives"},
        ),
        (star, {"FL*"}),
        (poly, {"a power of 1 - p_t added", "gamma is 0"}),
        (smoothed, {"label smoothing", "cross entropy"}),
    ],
)
def test_relatives_are_named(loss, names):
    task = "multi-class" if loss in (poly, smoothed) else "binary"
    report = examine(loss, task=task, gamma=2, alpha=None)
    assert set(report.names) == names, report


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (dice, "a Dice-like term alone"),
        (squared_error, "squared error alone"),
    ],
)
def test_another_loss_alone_is_called_by_its_name(loss, name):
    report = examine(loss, task="binary", gamma=2, alpha=None)
    assert report.names == (name,), report
    assert "the focal loss and" not in f"{report}" and report.effect


def cubed(x, y):
    return ((x.sigmoid() - y).abs() ** 3).mean()


def hinge(x, y):
    return torch.relu(1 - x * (2 * y - 1)).mean()


@pytest.mark.parametrize("loss", [cubed, hinge])
@pytest.mark.parametrize("seed", range(2))
def test_what_has_no_name_is_described_and_not_guessed_at(loss, seed):
    report = examine(loss, task="binary", gamma=2, alpha=None, seed=seed)
    assert report.verdict == "unknown", report
    assert report.names == ()
    assert report.effect and report.example and report.facts
    assert "Unknown deviation" in report.headline


def test_what_an_unknown_deviation_does_keeps_its_sign():
    report = examine(lambda x, y: -dice(x, y), task="binary", gamma=2)
    assert report.effect.count("-") == 3 and "on a batch of" in report.effect


def test_every_variant_says_what_it_does_and_names_are_unique():
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)
    for variant in VARIANTS:
        assert variant.computes and variant.effect and variant.tasks


def test_an_unknown_variant_is_an_error():
    with pytest.raises(ValueError, match="no variant is called"):
        build("p_t attached")


def test_the_seed_documents_numbers_come_out():
    logits = torch.tensor(
        [[2.0, -1, 3], [1, 0, -0.5], [2, 1, -0.5], [1, 8, 2]],
        dtype=torch.float64,
    )
    targets = torch.tensor([2, 0, 1, 1])
    how = {"task": "multi-class", "alpha": (0.25, 0.75, 0.75)}
    after = "modulated after reduction"
    weighted = build(after, "mean over the weights", **how)
    for loss, value in (
        (weighted, 0.1015395142),
        (build(after, task="multi-class"), 0.0946538891),
        (build("weights inside p_t", **how), 0.1094009794),
    ):
        assert loss(logits, targets).item() == pytest.approx(value, abs=5e-11)
    cycling = build("alpha overwritten", **how)
    for value in (0.1519820324, 0.0645086930, 0.1568233278, 0.1519820324):
        seen = cycling(logits, targets).item()
        assert seen == pytest.approx(value, abs=5e-11)
    x = torch.logit(torch.tensor([0.3, 0.9], dtype=torch.float64))
    wrong = build("wrong negative branch", reduction="none")
    np.testing.assert_allclose(
        wrong(x, torch.zeros(2)), [0.10700248318162, 2.07232658369464]
    )
