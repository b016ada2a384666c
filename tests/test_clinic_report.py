"""The clinic's report: what a loss does to it, and what it says of each
property. Nothing that a loss does escapes as a traceback."""

import math
import re
import warnings
from dataclasses import replace
from functools import partial
from html import escape

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from focal_edu import FocalLoss
from focal_edu.clinic import VARIANTS, assert_conforms, build, examine
from focal_edu.clinic.names.variant import UNREDUCED
from focal_edu.clinic.properties import PROPERTIES
from focal_edu.clinic.report import RISK, apart
from focal_edu.pytorch import softmax_focal_loss


def by_softplus(x, y, gamma=2.0):
    """A right focal loss, of each element."""
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return ce * (-gamma * F.softplus(x * (2 * y - 1))).exp()


def by_softplus_of(gamma):
    """A module with this γ."""

    class Focal(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = gamma

        def forward(self, x, y):
            return by_softplus(x, y, self.gamma).mean()

    return Focal()


# Losses with bad manners


def returns(value):
    return lambda x, y: value


def raises(x, y):
    raise RuntimeError("size mismatch\nsecond line")


def misspelt(x, y):
    """Given indices of classes it raises earlier, for their shape."""
    ce = torch.nn.functional.binary_cross_entropy_with_logits(x, y)
    return ce.exq()


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (raises, "it raised RuntimeError: size mismatch"),
        (misspelt, "has no attribute 'exq'"),
        (lambda x: x.sum(), "it raised TypeError"),
        (returns(None), "it returned None"),
        (returns(0.3), "a Python number"),
        (returns(np.float64(0.3)), "a NumPy array"),
        (returns(np.ones(3)), "a NumPy array"),
        (returns("loss"), "it returned str, not a tensor"),
        (returns((1, 2)), "a tensor (try examine(lambda l, t: f(l, t)[0]))"),
        (returns({"loss": 1}), "(try examine(lambda l, t: f(l, t)['loss']))"),
        (
            lambda x, y, gamma: x,
            "(try examine(lambda l, t: f(l, t, gamma=...)))",
        ),
        (lambda x, y: x.detach().mean(), "without a gradient"),
        (lambda x, y: (x > 0).sum(), "a tensor of torch.int64"),
        (lambda x, y: x.new_ones((5, 5)) * x.sum(), "it returned shape"),
        (lambda x, y: x.sum().item(), "a Python number"),
        (lambda x, y: x.detach().numpy(), "a NumPy array"),
        (
            lambda x, y: torch.ones(1, requires_grad=True).sum(),
            "does not depend on the logits",
        ),
        (torch.nn.Linear, "it is a class: examine an instance"),
        (lambda x, y: exit(), "it raised SystemExit"),
        (lambda x, y: (x * math.nan).mean(), "it is NaN or infinite"),
        (
            lambda x, y: (0 * x.unsqueeze(3).log_softmax(-1)).mean(),
            "its gradient is 0 on maps of one place",
        ),
        (
            lambda x, y: {"loss": by_softplus(x, y).mean()},
            "(try examine(lambda l, t: f(l, t)['loss']))",
        ),
    ],
)
def test_bad_callables_get_a_clear_line(loss, line, capsys):
    report = examine(loss)
    assert report.verdict == "refused" and not report.conforms
    assert line in str(report) and line in report.trouble[0]
    assert line in report.headline
    assert "Traceback" not in str(report) and "second line" not in str(report)
    assert all(len(line) < 250 for line in report.trouble)
    with pytest.raises(AssertionError, match="could not be examined"):
        assert_conforms(loss, gamma=2, alpha=None)
    assert capsys.readouterr() == ("", "")


def test_a_reason_is_given_once():
    def loss(x, y):
        return F.binary_cross_entropy_with_logits(x, y.long()), {}

    assert len(examine(loss).trouble) < 12
    asked = []

    def of_two(x, y):
        asked.append(1)
        return by_softplus(x, y).mean(), {}

    report = examine(of_two)
    assert "[0]" in report.trouble[0] and len(report.trouble) < 6
    assert len(asked) < 1000  # of one size only


@pytest.mark.parametrize(
    ("loss", "most"),
    [
        (lambda x, y: (0 * x).sum(), 100),
        (lambda x, y: x.detach().sum(), 100),
        (lambda x, y: x.sigmoid().square().mean(), 400),
        (lambda z, t: -z.log_softmax(1).mean(), 1500),
        (raises, 4000),  # it may want another number of classes
    ],
)
def test_what_no_form_of_call_mends_is_told_soon(loss, most):
    asked = []

    def counted(x, y):
        asked.append(1)
        return loss(x, y)

    assert examine(counted).verdict == "refused" and len(asked) < most


def test_what_a_loss_prints_and_warns_stays_out_of_sight(capsys, recwarn):
    def loss(x, y):
        print("alpha", x)
        warnings.warn("deprecated", stacklevel=1)
        return by_softplus(x, y).mean()

    assert examine(loss).conforms
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"task": "regression"}, "task must be one of"),
        ({"reduction": "average"}, "reduction must be one of"),
        ({"gamma": -1}, "gamma must be finite"),
        ({"gamma": "two"}, "gamma must be a number"),
        ({"alpha": 1.5}, "alpha must lie in"),
        ({"alpha": "balanced"}, "alpha must"),
        ({"task": "binary", "alpha": (0.2, 0.8)}, "None or one number"),
        ({"weights": ((1, 2), 1)}, "weights must be two numbers"),
        ({"takes": "guess"}, "takes must be one of"),
        ({"scale": "guess"}, "scale must be a number"),
        ({"seed": "guess"}, "seed must be an integer"),
    ],
)
def test_a_claim_that_no_focal_loss_can_have_is_an_error(how, message):
    with pytest.raises((TypeError, ValueError), match=message):
        examine(build(), **how)


def test_only_a_callable_can_be_examined():
    with pytest.raises(TypeError, match="loss must be a callable"):
        examine(0.25)


# Each property, broken on purpose


def stateful():
    calls = []

    def loss(x, y):
        calls.append(1)
        return by_softplus(x, y).mean() * len(calls)

    return loss


def writes(x, y):
    loss = by_softplus(x, y.clone()).mean()
    y.zero_()
    return loss


def breaks_in_half(x, y):
    if x.dtype in (torch.float16, torch.bfloat16):
        raise RuntimeError("not implemented for 'Half'")
    return by_softplus(x, y).mean()


def broadcasts(x, y):
    log_p, log_q = F.logsigmoid(x), F.logsigmoid(-x)
    positive, negative = (2 * log_q).exp() * log_p, (2 * log_p).exp() * log_q
    return -(y * positive + (1 - y) * negative)


class LeftBehind(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.tensor([0.7, 0.3], dtype=torch.float64)

    def forward(self, x, y):
        weights = self.table[y.long()].to(x.dtype)
        return (weights * by_softplus(x, y)).mean()


class Registered(LeftBehind):
    def __init__(self):
        super().__init__()
        table = self.__dict__.pop("table")
        self.register_buffer("table", table)


class InSinglePrecision(Registered):
    def forward(self, x, y):
        each = by_softplus(x.float(), y.float())
        return self.table[y.long()] @ each


def test_what_autocast_leaves_in_float32_is_left_so_in_half_precision():
    loss = InSinglePrecision().float()
    assert examine(loss, task="binary", gamma=2, alpha=0.3).conforms


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "name", "said"),
    [
        (writes, "inputs are untouched", "changes its inputs"),
        (breaks_in_half, "half precision works", "half precision fails"),
        (
            LeftBehind(),
            "its tensors move with the module",
            "its tensors stay behind",
        ),
    ],
)
def test_a_property_alone_can_fail(loss, name, said):
    report = examine(loss)
    assert report.verdict == "right formula", report
    assert report.failing == (name,), report
    assert f"Right formula of the focal loss, but {said}" in report.headline
    claims = {"gamma": report.claims.gamma, "alpha": report.claims.alpha}
    with pytest.raises(AssertionError, match="✗"):
        assert_conforms(loss, **claims)
    assert_conforms(loss, **claims, except_for=[name])


@pytest.mark.parametrize("reduce", [torch.mean, torch.clone])
def test_what_fails_only_in_another_use_is_a_risk(reduce):
    report = examine(lambda x, y: reduce(broadcasts(x, y)))
    assert report.conforms
    assert report.risks == ("(N, 1) against (N,) is caught",)
    assert "! (N, 1)" in str(report) and "✗" not in str(report)
    assert_conforms(broadcasts, gamma=2, alpha=None)
    assert "7 × 7" in str(report)


def test_a_buffer_is_not_left_behind():
    assert examine(Registered()).conforms


def of_batches(x, y):
    """Refuses small batches, as a loss that normalises may."""
    if len(x) < 4:
        raise ValueError("expected more than 3 values")
    return by_softplus(x, y).mean()


def test_one_cause_is_said_once():
    report = examine(of_batches, task="binary", gamma=2, alpha=None)
    cause = "it raised ValueError: expected more than 3"
    assert report.headline.count("expected") == 1, report
    first = "a batch of one example fails, and"
    more = len(report.failing) - 1
    assert f"{first} {more} more ({cause}" in report.headline
    html = report._repr_html_()
    assert f"{report}".count(cause) == html.count(cause) == 2
    assert len(report.failing) == 9
    for name in report.failing:
        assert name in f"{report}" and escape(name) in html


def test_an_answer_that_changes_is_said_first():
    report = examine(stateful(), gamma=2)
    assert "same answer twice" in report.failing
    assert report.headline.startswith("Its answer changes from call to call")


class Unreduced(torch.nn.Module):
    """Its mean in training only."""

    def forward(self, x, y):
        each = by_softplus(x, y)
        return each.mean() if self.training else each


class PlainInUse(torch.nn.Module):
    def forward(self, x, y):
        return by_softplus(x, y, 2.0 if self.training else 0.0).mean()


@pytest.mark.parametrize("loss", [PlainInUse(), PlainInUse().eval()])
def test_a_module_that_differs_in_eval_says_so(loss):
    before = loss.training
    report = examine(loss, gamma=2.0 if before else 0.0)
    assert report.conforms and loss.training is before, report
    assert "same answer twice" in report.risks
    assert re.search(r"in eval\(\) \d\.\d+, in training \d", f"{report}")
    report = examine(Unreduced())
    assert "! same answer twice: in eval() 7 numbers, not 1" in f"{report}"
    assert "same answer twice" not in examine(Registered()).risks


def of_two_logits(z, t, strict=True):
    """For a binary question, with the α of one sigmoid."""
    if strict and z.shape[1] != 2:
        raise ValueError("expected two logits")
    ce = F.cross_entropy(z, t, reduction="none")  # of one, it is of shares
    weight = torch.where(t == 1, 0.3, 0.7)
    return (weight * (1 - (-ce).exp()) ** 2 * ce).mean()


@pytest.mark.parametrize("strict", [True, False])
def test_a_binary_loss_may_have_two_logits(strict):
    loss = partial(of_two_logits, strict=strict)
    report = examine(loss, task="binary", gamma=2, alpha=0.3)
    assert report.conforms and "of two logits" in f"{report}", report
    report = examine(loss, task="binary", gamma=2, alpha=0.7)
    assert report.names == ("alpha to class 0",), report


@pytest.mark.parametrize("most", [1, 2])
def test_what_only_the_hardest_teach_is_heard(most):
    """In a batch they may all have the same target."""

    def loss(x, y):
        return ((3 - 2 * y) * by_softplus(x, y)).topk(most).values.mean()

    report = examine(loss, task="binary", gamma=2)
    assert "hard example mining" in report.names, report


def of_even_odds(x, y):
    """Its second derivative is that of log 0, cut off."""
    log_p = torch.logaddexp(
        y.log() + F.logsigmoid(x), (-y).log1p() + F.logsigmoid(-x)
    )
    return (-((1 - log_p.exp()) ** 2) * log_p).mean()


def test_a_second_derivative_that_nobody_claimed_is_a_risk():
    report = examine(of_even_odds, task="binary", gamma=2, alpha=None)
    assert report.conforms, report
    assert report.risks[0] == "second derivative is finite", report


def of_rows_with_a_positive(x, y):
    each = by_softplus(x, y)
    return each.mean() if y.any() else 0 * each.sum()


def squared(x, y):
    ce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    return (by_softplus(x, y) * ce).mean()


def muted(z, t):
    """Class 0 is ignored, as a padding token is."""
    log_p = z.log_softmax(1).gather(1, t[:, None])[:, 0]
    each = -((1 - log_p.exp()) ** 2) * log_p
    return each[t > 0].sum() / (t > 0).sum().clamp(min=1)


def doubled(x, y):
    return ((1 + (x > 0)) * by_softplus(x, y)).mean()


@pytest.mark.parametrize(
    ("loss", "said", "never"),
    [
        (
            of_rows_with_a_positive,
            "“labels are treated alike” fails",
            "not: ",
        ),
        (squared, "2 times as much at p_t = 1e-13", "2 of it left"),
        (muted, "average is the one claimed", "should be nan"),
        (lambda x, y: x.detach().sum(), "from numbers?\n", "?."),
        (doubled, "2 to p_t = 0.5, after a step 2 to", "0.5, 2 to"),
        (
            lambda x, y: by_softplus(x, y).clamp(max=2).mean(),
            "1 of 25 properties fail: hard examples lose their slope (none",
            "fail.",
        ),
    ],
)
def test_a_report_reads_as_sentences_do(loss, said, never):
    report = f"{examine(loss, gamma=2, reduction='mean')}"
    assert said in report and never not in report, report


@pytest.mark.slow
def test_every_property_can_fail():
    seen = set()
    for variant in VARIANTS:
        how = {
            "task": variant.tasks[0],
            "alpha": {
                "none": None,
                "number": 0.3,
                "weights": (0.2, 0.5, 0.9),
            }[variant.alpha[0]],
            "reduction": "none" if variant.match == UNREDUCED else "mean",
        }
        how["gamma"] = 0.5
        seen |= set(examine(build(variant, **how), **how).failing)
    rest = {"inputs are untouched", "half precision works"}
    rest |= {"(N, 1) against (N,) is caught", "images count as their pixels"}
    rest |= {"several labels count as examples", "label C is the background"}
    rest |= {"ignored targets leave no trace"}
    rest |= {"finite where all are ignored"}
    rest |= {"its tensors move with the module"}
    rest |= {"finite without positives", "a batch of one example works"}
    rest |= {"γ = 0 gives cross entropy", "second derivative is finite"}
    rest |= {"targets between 0 and 1"}  # never asked
    assert seen | rest == set(PROPERTIES)


def test_gamma_zero_is_tried_where_gamma_can_be_set():
    def loss(x, y, gamma=2.0):
        return (
            gamma
            * (-x * (2 * y - 1)).sigmoid()
            * F.softplus(-x * (2 * y - 1))
        ).mean()

    report = examine(loss)
    assert report.names == ("gamma multiplied",)
    assert "γ = 0 gives cross entropy" in report.failing


def test_gamma_that_is_not_used_is_a_risk():
    def loss(x, y, gamma=2.0):
        return by_softplus(x, y).mean()

    report = examine(loss)
    assert report.conforms, report
    assert "γ = 0 gives cross entropy" in report.risks


def test_gamma_that_is_trained_is_a_risk():
    loss = by_softplus_of(torch.nn.Parameter(torch.tensor(2.0)))
    report = examine(loss, task="binary", gamma=2, alpha=None)
    assert report.conforms and "γ is trained" in f"{report}"
    assert "in another use (“γ = 0 gives cross entropy”)" in report.headline
    kept = by_softplus_of(torch.tensor(2.0))
    assert not examine(kept, task="binary", gamma=2, alpha=None).risks


def test_gamma_that_must_be_a_tensor_cannot_be_set():
    two = torch.tensor(2.0)

    def loss(x, y, gamma=two):
        return by_softplus(x, y, gamma.to(x.dtype)).mean()

    report = examine(loss)
    assert report.conforms, report
    assert str(report).count("with γ = 0") == 2


def test_examples_that_cost_nothing_alone_warn_of_nothing(recwarn):
    report = examine(lambda x, y: (x * (1 - 2 * y)).mean() * (len(x) > 1))
    assert "Unknown" in report.headline and not recwarn.list


# The report


@pytest.fixture(scope="module")
def reports():
    """On every variant, as its own task would call it, and on others."""
    odd = [writes, breaks_in_half, LeftBehind(), broadcasts, stateful()]
    found = [examine(loss, gamma=2) for loss in odd]
    for variant in VARIANTS:
        how = {"task": variant.tasks[0], "alpha": None}
        if "none" not in variant.alpha:
            by_class = variant.alpha == ("weights",)
            how["alpha"] = (0.2, 0.5, 0.9) if by_class else 0.3
        found.append(examine(build(variant, **how), gamma=2, **how))
    return found


@pytest.mark.slow
def test_no_report_says_a_thing_twice(reports):
    for report in reports:
        lines = [line.strip() for line in f"{report}".splitlines()]
        assert len(set(lines)) == len(lines), report


@pytest.mark.slow
def test_a_report_says_nan_only_of_what_was_nan(reports):
    measured = re.compile(r"(value|gradient|loss) \W*([\w.]+, \W*)*$")
    for report in reports:
        text = f"{report}"
        for found in re.finditer(r"\bnan\b", text):
            assert measured.search(text[: found.start()]), report


@pytest.mark.slow
def test_a_report_has_minus_signs_except_in_lists(reports):
    for report in reports:
        text = re.sub(r"\[[^]]*\]", "", f"{report}")
        assert not re.search(r"(?<![\w.])-(\d|inf)", text), report
        html = re.sub(r"\[[^]]*\]", "", report._repr_html_())
        assert not re.search(r"[ >(]-(\d|inf)", html), report


def test_numbers_that_print_alike_get_more_digits():
    assert apart(0.25, 0.25001) == ("0.25", "0.25001")


def test_the_words_of_others_are_not_cut():
    words = [f"word{'s' * (i % 9)}" for i in range(80)]

    def loss(x, y):
        raise RuntimeError(" ".join(words))

    (line, *_) = examine(loss, task="binary").trouble
    said = line.split("RuntimeError: ")[1].split()
    assert said[-1] == "…" and set(said[:-1]) <= set(words)


def test_an_unknown_deviation_says_first_what_fails():
    class Turned(torch.autograd.Function):
        """The right value; its gradient is another."""

        @staticmethod
        def forward(ctx, x_t):
            ctx.save_for_backward(x_t)
            return by_softplus(x_t, torch.ones_like(x_t))

        @staticmethod
        def backward(ctx, up):
            (x_t,) = ctx.saved_tensors
            return up * x_t.sigmoid()

    report = examine(
        lambda x, y: Turned.apply(x * (2 * y - 1)).mean(),
        task="binary",
        gamma=2,
        alpha=None,
    )
    assert report.failing[0] == "gradient is the closed form"
    told = "Unknown deviation: the values are of the focal loss, its gradient"
    assert report.headline.startswith(told)
    own = "Measured: gradient and its own value's derivative: apart by "
    assert own in report.headline and len(report.headline) < 170


def test_a_gradient_may_be_that_of_the_sum_beside_the_mean_as_a_value():
    def loss(x, y):
        each = by_softplus(x, y)
        return each.sum() + (each.mean() - each.sum()).detach()

    report = examine(loss, task="binary", gamma=2, alpha=None)
    assert "apart by a factor of 7 on a batch of 7" in report.headline


def test_a_deviation_that_no_property_sees_is_shown_by_its_example():
    def clamped(z, t):
        return softmax_focal_loss(z.clamp(max=5), t)

    report = examine(clamped, task="multi-class", gamma=2, alpha=None)
    assert report.verdict == "unknown" and not report.failing
    assert f"deviation, at {report.example}." in report.headline
    elsewhere = replace(report, example=None).headline
    assert "deviation, at random batches." in elsewhere


def test_a_report_reads_the_same_in_text_and_in_a_notebook():
    loss = build("p_t detached", "alpha to both", alpha=0.25)
    report = examine(loss, task="binary", gamma=2, alpha=0.25)
    text, html = str(report), report._repr_html_()
    assert repr(report) == text
    for words in (*report.names, *report.failing, report.mistakes[0].effect):
        assert words in text
        assert escape(words) in html
    assert escape(report.headline) in html
    assert html.count("✗") == len(report.failing)
    assert all(name in text and escape(name) in html for name in PROPERTIES)
    assert len(text.splitlines()) < 2 * len(PROPERTIES)
    assert "clcarwin/focal_loss_pytorch#5" in text


def test_the_example_can_be_checked_by_hand():
    report = examine(build("wrong negative branch"), gamma=2, alpha=None)
    (x,), (y,) = report.example.logits, report.example.targets
    p = 1 / (1 + math.exp(-x))
    assert y == 0
    assert report.example.seen == pytest.approx(
        -p * math.log(1 - p), abs=1e-4
    )
    assert report.example.right == pytest.approx(
        -(p**2) * math.log(1 - p), abs=1e-4
    )


def test_the_same_seed_gives_the_same_report():
    loss = build("p_t detached")
    assert str(examine(loss, seed=3)) == str(examine(loss, seed=3))


def test_examining_leaves_the_loss_and_the_random_state_alone():
    loss = build("alpha overwritten", task="multi-class", alpha=(1, 2, 3))
    before = torch.get_rng_state()
    examine(loss, alpha=(1, 2, 3))
    assert loss.balance == (1, 2, 3)
    assert torch.equal(before, torch.get_rng_state())


class Uncopied(torch.nn.Module):
    """Right, but it keeps a tensor with a history, which nothing copies."""

    def __init__(self):
        super().__init__()
        self.weight, self.gamma = torch.nn.Parameter(torch.ones(3)), 2.0
        self.kept = self.weight * 1

    def forward(self, logits, targets):
        each = build(task="multi-class", gamma=self.gamma, reduction="none")
        return (each(logits, targets) * self.kept.detach()[targets]).mean()


def test_a_loss_that_cannot_be_copied_is_left_as_it_was():
    def function(logits, targets):
        return build(gamma=function.gamma)(logits, targets)

    function.gamma, module = 2.0, Uncopied()
    for loss in function, module:
        report = examine(loss)
        assert report.conforms and loss.gamma == 2, report
    assert module.weight.device == module.kept.device == torch.device("cpu")


def test_a_mistake_that_is_meant_is_pinned_by_its_name():
    """As an ε in the logarithm of probabilities, which no property sees."""

    def added(p, y):
        p_t = p * y + (1 - p) * (1 - y)
        return (-((1 - p_t) ** 2) * (p_t + 1e-7).log()).mean()

    claims = {"gamma": 2, "alpha": None, "takes": "probabilities"}
    with pytest.raises(AssertionError, match="eps added inside the log"):
        assert_conforms(added, **claims)
    assert_conforms(added, **claims, except_for=["eps added inside the log"])


def test_a_headline_says_fails_where_a_property_does():
    def turned(targets, logits):
        return by_softplus(logits, targets).mean()

    def misnamed(logits, targets):
        return turned(logits, targets)

    claims = {"gamma": 2, "alpha": None}
    for loss in (turned, misnamed):
        report = examine(loss, **claims)
        assert report.headline == "Differs: takes targets first.", report
        assert "✗" not in str(report) and not report.conforms
        with pytest.raises(AssertionError, match="takes targets first"):
            assert_conforms(loss, **claims)
    assert examine(build("p_t detached")).headline.startswith("Fails: ")


def hardest_half(logits, targets):
    each = build(reduction="none")(logits, targets)
    return each.topk(max(1, len(each) // 2)).values.mean()


class MeanFirst(torch.nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        ce = super().forward(logits, targets)
        return (1 - torch.exp(-ce)) ** 2 * ce


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("loss", "task"), [(hardest_half, "binary"), (MeanFirst(), "multi-class")]
)
def test_examples_that_mix_are_seen_at_every_seed(loss, task, seed):
    report = examine(loss, task=task, gamma=2, alpha=None, seed=seed)
    assert "examples do not mix" in report.failing, report
    assert dict(report.facts)["one example's effect on the others"] != "none"


def test_a_report_says_what_was_claimed_and_what_was_not_asked():
    loss = build(alpha=0.75)
    report = examine(lambda x, y: 4 * loss(x, y), gamma=2, weights=(3, 1))
    assert report.conforms and "(weights 3 and 1)" in f"{report.claims}"
    seen = {finding.name: finding for finding in report.findings}
    assert "give ignore_index" in seen["ignored targets leave no trace"].seen
    assert seen["targets between 0 and 1"].holds is None
    wrong = examine(build("alpha to both", alpha=0.25), gamma=2, alpha=0.25)
    alike = {finding.name: finding.seen for finding in wrong.findings}
    assert "weights divided out" in alike["labels are treated alike"]


def test_a_named_factor_has_no_exponents_that_vary():
    facts = dict(examine(build("FL*"), gamma=2, alpha=None).facts)
    assert "beta" in facts and not any("expo" in name for name in facts)


def test_except_for_must_name_properties():
    with pytest.raises(ValueError, match="names nothing"):
        assert_conforms(build(), gamma=2, alpha=None, except_for=["finite"])


def test_an_alpha_of_one_that_means_no_weight_leaves_the_average_alone():
    """By the paper negatives then get no weight: nothing to divide by."""
    report = examine(build(), task="binary", gamma=2, alpha=1)
    assert "alpha ignored" in report.headline
    assert "– average is the one claimed: its single" in str(report)


def test_nothing_is_fitted_for_a_test():
    with pytest.raises(TypeError, match="gamma"):
        assert_conforms(F.cross_entropy, alpha=None)
    with pytest.raises(TypeError, match="alpha, or weights"):
        assert_conforms(build(), gamma=2)
    with pytest.raises(AssertionError, match="γ"):
        assert_conforms(F.cross_entropy, gamma=2, alpha=None)


def test_two_weights_are_pinned_without_alpha():
    def loss(x, y):
        return 4 * build(alpha=0.75)(x, y)

    assert_conforms(loss, gamma=2, weights=(3, 1))
    with pytest.raises(AssertionError, match="weight"):
        assert_conforms(loss, gamma=2, weights=(1, 3))


def three_classes(z, t):
    return -((1 - z.softmax(1)) ** 2 * z.log_softmax(1)).gather(
        1, t.unsqueeze(1)
    )


@pytest.mark.parametrize(
    "loss, risk",
    [
        (
            lambda z, t: three_classes(
                z.reshape(-1, 3), t.reshape(-1)
            ).mean(),
            "images count as their pixels",
        ),
        (
            lambda z, t: (
                F.cross_entropy(z, t, reduction="none")
                .flatten(1)
                .sum(1)
                .mean()
                if z.ndim > 2
                else F.cross_entropy(z, t)
            ),
            "images count as their pixels",
        ),
        (
            lambda z, t: F.cross_entropy(z, t, reduction="none").mean(),
            "ignored targets leave no trace",
        ),
    ],
)
def test_images_and_ignored_targets_are_risks(loss, risk):
    report = examine(loss, task="multi-class")
    assert report.conforms and report.risks == (risk,), report


def test_a_right_loss_of_images_and_ignored_targets_has_no_risk():
    loss = FocalLoss(task_type="multi-class")
    report = examine(loss)
    assert report.conforms and not report.risks
    names = {f.name for f in report.findings if f.holds is True}
    assert "images count as their pixels" in names
    assert "ignored targets leave no trace" in names


@pytest.mark.parametrize(
    ("places", "last"), [(1, True), (1, False), (2, False), (3, False)]
)
@pytest.mark.parametrize("summed", [True, False])
def test_images_are_asked_of_what_takes_nothing_else(places, last, summed):
    def loss(z, t):
        assert t.ndim == 1 + places and z.ndim == 2 + places
        z = z.movedim(-1, 1) if last else z
        each = F.cross_entropy(z, t, reduction="none").flatten(1)
        return (each.sum(1) if summed else each.mean(1)).mean()

    report = examine(loss, task="multi-class")
    asked = {finding.name: finding.holds for finding in report.findings}
    assert report.conforms, report
    assert asked["images count as their pixels"] == (RISK if summed else True)


def of_rows_without_permute(z, t):
    assert z.ndim == 4
    return softmax_focal_loss(z.reshape(-1, z.shape[1]), t.reshape(-1))


def of_turned_targets(x, y):
    """Width for height, as another library has them: square masks only."""
    return by_softplus(x, y.transpose(2, 3)).mean()


def of_images_as_examples(z, t):
    ce = F.cross_entropy(z, t, reduction="none").mean((1, 2))
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def of_images_as_binary_examples(x, y):
    bce = F.binary_cross_entropy_with_logits
    ce = bce(x, y, reduction="none").mean((1, 2, 3))
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (of_rows_without_permute, "multi-class"),
        (of_images_as_examples, "multi-class"),
        (of_images_as_binary_examples, "binary"),
        (of_turned_targets, "binary"),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_pixels_of_images_are_not_mixed_up(loss, task, told):
    report = examine(loss, **{"task": task, "gamma": 2} if told else {})
    assert report.failing == ("images count as their pixels",), report
    assert "pixels are mixed up" in report.headline


class OfVectors(torch.autograd.Function):
    """Its input; it goes back from vectors alone."""

    @staticmethod
    def forward(ctx, z):
        ctx.places = z.ndim - 2
        return z.clone()

    @staticmethod
    def backward(ctx, g):
        if ctx.places:
            raise RuntimeError("no images here")
        return g


def test_a_backward_pass_that_takes_no_images_is_no_fault():
    def loss(z, t):
        each = F.cross_entropy(OfVectors.apply(z), t, reduction="none")
        return each.sum() / len(z)

    report = examine(loss, task="multi-class")
    assert report.conforms and not report.failing, report


@pytest.mark.parametrize("refused", [4, 18])
def test_a_batch_that_is_refused_is_no_fault(refused):
    """The examination asks of 4 examples, and of 18, in one place each."""

    def loss(z, t):
        if len(z) == refused:
            raise RuntimeError("no batch of this size")
        return softmax_focal_loss(z, t)

    report = examine(loss, task="multi-class")
    assert report.conforms and not report.failing, report
    assert any("this size" in f.seen for f in report.findings)
