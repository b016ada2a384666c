"""Losses as people write them, found by readers: none is misjudged."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from focal_edu.clinic import assert_conforms, build, examine
from focal_edu.clinic.batches import Labels
from focal_edu.clinic.calls import Form
from focal_edu.clinic.forms import meet

pytestmark = pytest.mark.slow


def bce(x, y, reduction="none", **how):
    return F.binary_cross_entropy_with_logits(
        x, y, reduction=reduction, **how
    )


def from_probabilities(x, y, reduction="none"):
    return F.binary_cross_entropy(x.sigmoid(), y, reduction=reduction)


class Textbook(torch.nn.Module):
    """α outside of all, cross entropy reduced before or after."""

    def __init__(self, entropy, alpha=1, gamma=2, first="none"):
        super().__init__()
        self.entropy, self.alpha, self.gamma = entropy, alpha, gamma
        self.first = first

    def forward(self, x, y):
        ce = self.entropy(x, y, reduction=self.first)
        factor = (1 - torch.exp(-ce)) ** self.gamma
        return (self.alpha * factor * ce).mean()


@pytest.mark.parametrize(
    "entropy", [bce, from_probabilities, F.cross_entropy]
)
def test_alpha_one_means_none(entropy):
    report = examine(Textbook(entropy))
    rounded = ("binary_cross_entropy of a sigmoid",)
    assert report.names == rounded * (entropy is from_probabilities), report
    assert report.claims.alpha is None
    assert not report.failing or report.names


def test_alpha_one_may_still_silence_negatives():
    def loss(x, y, alpha=1):
        ce = bce(x, y)
        return (alpha * y * (1 - torch.exp(-ce)) ** 2 * ce).mean()

    assert examine(loss).names == ("negatives left out",)
    assert examine(loss, alpha=1).conforms


@pytest.mark.parametrize(
    "entropy", [bce, from_probabilities, F.cross_entropy]
)
@pytest.mark.parametrize("alpha", [0.75, 0.8, 0.25])
def test_alpha_after_a_factor_of_the_whole_batch(entropy, alpha):
    report = examine(Textbook(entropy, alpha, first="mean"))
    last = "every class" if entropy is F.cross_entropy else "both"
    batch = "modulated after reduction, then weighted"
    assert report.names[:2] == (batch, f"alpha to {last}"), report


def test_numbers_written_into_the_loss():
    def loss(x, y):
        ce = bce(x, y)
        return (0.25 * (1 - torch.exp(-ce)) ** 2 * ce).mean()

    assert examine(loss).names == ("alpha to both",)


def test_class_weights_may_sit_in_a_part_of_the_loss():
    class MeanFirst(torch.nn.Module):
        def __init__(self, weight, gamma=2):
            super().__init__()
            self.gamma, self.ce = gamma, torch.nn.CrossEntropyLoss(weight)

        def forward(self, z, t):
            ce = self.ce(z, t)
            return (1 - torch.exp(-ce)) ** self.gamma * ce

    report = examine(MeanFirst(torch.tensor([0.25, 0.75, 0.5])))
    names = ("modulated after reduction", "mean over the weights")
    assert report.names == names, report
    assert report.claims.alpha == (0.25, 0.75, 0.5)


def lost_sign(x, y, gamma=2):
    p_t = torch.where(y > 0, x.sigmoid(), (-x).sigmoid())
    return ((1 - p_t) ** gamma * F.logsigmoid(x * (2 * y - 1))).mean()


def crossed(z, t, gamma=2):
    p_t = z.softmax(1).gather(1, t.view(-1, 1))
    return (
        (1 - p_t) ** gamma * F.cross_entropy(z, t, reduction="none")
    ).mean()


def crossed_weights(z, t, gamma=2, alpha=(0.2, 0.5, 0.9)):
    ce = F.cross_entropy(z, t, reduction="none")
    weights = torch.tensor(alpha, dtype=z.dtype)[t].view(-1, 1)
    return (weights * (1 - torch.exp(-ce)) ** gamma * ce).mean()


def every_pair(x, y, gamma=2):
    x, p = x.view(-1, 1), x.view(-1, 1).sigmoid()
    positive = y * (1 - p) ** gamma * F.logsigmoid(x)
    return -(positive + (1 - y) * p**gamma * F.logsigmoid(-x)).mean()


def doubled(x, y):
    return Textbook(bce, alpha=2)(x, y)


def weighted_inside(x, y, gamma=2):
    ce = bce(x, y, pos_weight=torch.tensor(3.0))
    return ((1 - torch.exp(-ce)) ** gamma * ce).mean()


def weighted_outside(x, y, gamma=2):
    ce = bce(x, y)
    return ((2 * y + 1) * (1 - torch.exp(-ce)) ** gamma * ce).mean()


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (lost_sign, {"minus sign lost"}),
        (crossed, {"factors and losses crossed"}),
        (crossed_weights, {"weights and losses crossed"}),
        (every_pair, {"logits and targets crossed"}),
        (doubled, {"scaled by 2"}),
        (Textbook(bce, alpha=2), {"scaled by 2"}),
        (weighted_inside, {"weights inside p_t", "pos_weight is 3"}),
        (weighted_outside, {"pos_weight is 3"}),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_plain_slips_are_named(loss, names, seed):
    assert set(examine(loss, seed=seed).names) == names


def repaired(x, y, eps, where, gamma=2):
    """A rounded probability, kept from 0 in one of four ways."""
    p = x.sigmoid()
    p = p.clamp(eps, 1 - eps) if where == "p" else p
    p_t = p * y + (1 - p) * (1 - y)
    p_t = p_t.clamp(eps, 1 - eps) if where == "p_t" else p_t
    p_t = p_t + eps if where == "added" else p_t
    inside = p_t + eps if where == "inside" else p_t
    return -((1 - p_t) ** gamma * inside.log()).mean()


@pytest.mark.parametrize("eps", [1e-8, 1e-7, 1e-4, 1e-3])
@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("p", {"p_t clipped", "p clipped, not p_t"}),
        ("p_t", {"p_t clipped"}),
        ("added", {"eps added to p_t", "eps added inside the log"}),
        ("inside", {"eps added inside the log"}),
    ],
)
def test_any_small_number_is_named(where, names, eps, recwarn):
    report = examine(partial(repaired, eps=eps, where=where), gamma=2)
    assert len(report.names) == 1 and set(report.names) <= names, report
    assert not recwarn.list and "nan of it" not in str(report)


@pytest.mark.parametrize("eps", [1e-4, 1e-3])
def test_a_small_number_is_not_another_gamma(eps):
    def loss(z, t, gamma=2):
        p_t = z.softmax(1).gather(1, t.view(-1, 1))[:, 0] + eps
        return -((1 - p_t) ** gamma * p_t.log()).mean()

    assert examine(loss).names == ("eps added to p_t",)


def test_targets_may_come_first():
    right = build(gamma=2, alpha=0.25)
    report = examine(lambda t, x: right(x, t), gamma=2, alpha=0.25)
    assert report.names == ("takes targets first",) and not report.failing
    with pytest.raises(AssertionError, match="takes targets first"):
        assert_conforms(lambda t, x: right(x, t), gamma=2, alpha=0.25)


def keras(y_true, y_pred, style, alpha, squash, gamma=2.0):
    """As Keras losses are written: targets first, probabilities clipped."""
    p = (y_pred.sigmoid() if squash else y_pred).clamp(1e-7, 1 - 1e-7)
    if style == "products":
        p_t = y_true * p + (1 - y_true) * (1 - p)
        weight = alpha * y_true + (1 - alpha) * (1 - y_true)
    else:
        p_t = torch.where(y_true == 1, p, 1 - p)
        weight = torch.where(y_true == 1, alpha, 1 - alpha)
    return -(weight * (1 - p_t) ** gamma * p_t.log()).mean()


@pytest.mark.parametrize("squash", [True, False])
@pytest.mark.parametrize("alpha", [0.25, 0.5])
@pytest.mark.parametrize("style", ["products", "where"])
def test_parameters_named_as_in_keras_put_targets_first(style, alpha, squash):
    def loss(y_true, y_pred):
        return 2 * keras(y_true, y_pred, style, alpha, squash)

    def turned(y_pred, y_true):
        return loss(y_true, y_pred)

    how = {"gamma": 2, "alpha": None} if alpha == 0.5 else {"alpha": alpha}
    first, second = examine(loss, **how), examine(turned, **how)
    assert set(first.names) == {*second.names, "takes targets first"}
    assert {"p clipped, not p_t", "p_t clipped"} & set(first.names)
    assert ("takes probabilities" in first.names) != squash


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_an_order_that_cannot_be_told_is_said_to_be_so(alpha):
    def unsaid(a, b):
        return keras(a, b, "products", alpha, squash=False)

    def named(probabilities, targets):
        return keras(targets, probabilities, "products", alpha, squash=False)

    assert ("order cannot be told" in str(examine(unsaid))) == (alpha == 0.5)
    assert "order cannot be told" not in str(examine(named))


def test_names_decide_where_both_orders_agree():
    def loss(y_true, y_pred):
        p_t = y_true * y_pred + (1 - y_true) * (1 - y_pred)
        return -((1 - p_t) ** 2 * (p_t + 1e-7).log()).mean()

    assert "takes targets first" in examine(loss).names


def test_a_scale_may_hide_what_is_unknown():
    def loss(x, y, alpha=0.25):
        ce, weights = bce(x, y), alpha * y + (1 - alpha) * (1 - y)
        p_t = torch.exp(-ce)
        return (weights * (2 + p_t) * (1 - p_t) ** 2 * ce).mean()

    report = examine(loss)
    assert report.verdict == "unknown" and not report.names


def inside(z, t):
    ce = F.cross_entropy(z, t, weight=z.new_tensor(TABLE), reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def beside(z, t):
    log_p = z.log_softmax(1)
    return F.nll_loss(
        (1 - log_p.exp()) ** 2 * log_p, t, weight=z.new_tensor(TABLE)
    )


def looked_up(z, t):
    ce = F.cross_entropy(z, t, reduction="none")
    return (z.new_tensor(TABLE)[t] * (1 - torch.exp(-ce)) ** 2 * ce).mean()


TABLE = (1 / 7, 0.5, 0.75)


@pytest.mark.parametrize("table", [TABLE, (0.25, 0.75), (0.1, 0.2, 0.3, 0.5)])
@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (inside, ("weights inside p_t",)),
        (beside, ("mean over the weights",)),
        (looked_up, ()),
    ],
)
def test_class_weights_written_into_the_loss(loss, names, table, monkeypatch):
    monkeypatch.setitem(globals(), "TABLE", table)
    report = examine(loss)
    assert report.names == names, report
    size = min(3, len(table)) if loss is looked_up else len(table)
    found = torch.tensor(report.claims.alpha) / report.claims.alpha[0]
    torch.testing.assert_close(found, torch.tensor(table[:size]) / table[0])


def test_one_hot_probabilities_of_keras():
    def loss(y_true, y_pred, gamma=2.0, alpha=0.25):
        p = (y_pred / y_pred.sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
        each = -alpha * y_true * (1 - p) ** gamma * p.log()
        return each.sum(-1).mean()

    names = {"alpha to every class", "p_t clipped"}
    names |= {"takes probabilities", "takes targets first"}
    assert set(examine(loss).names) == names


@pytest.mark.parametrize("entropy", [bce, F.cross_entropy])
@pytest.mark.parametrize("first", ["none", "mean"])
def test_losses_of_images_are_given_images(entropy, first):
    def loss(logits, targets):
        assert logits.ndim == 4
        return Textbook(entropy, first=first)(logits, targets)

    report = examine(loss)
    wrong = () if first == "none" else ("modulated after reduction",)
    assert report.names == wrong and "(N, " in str(report.form), report
    task = "binary" if entropy is bce else "multi-class"
    assert report.claims.task == task


@pytest.mark.parametrize("alpha", [[0.25, 0.75], (0.4, 0.6)])
def test_a_binary_loss_may_list_two_weights(alpha):
    def loss(x, y, alpha=alpha):
        ce = bce(x, y)
        weights = x.new_tensor(alpha)[y.long()]
        return (weights * (1 - torch.exp(-ce)) ** 2 * ce).mean()

    report = examine(loss)
    assert report.conforms and report.claims.alpha == alpha[1]


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 1, 1, 1)])
def test_a_binary_loss_may_index_by_its_targets(shape):
    def loss(x, y, alpha=0.25, gamma=2.0):
        assert x.shape == x.reshape(shape).shape
        weights = x.new_tensor([1 - alpha, alpha])[y]
        ce = bce(x, y.to(x))
        return (weights * (1 - torch.exp(-ce)) ** gamma * ce).mean()

    report = examine(loss)
    assert report.conforms and report.claims.alpha == 0.25, report
    assert "integer targets" in str(report.form)


@pytest.mark.parametrize(
    ("scale", "name"),
    [
        (0.25, "alpha to both"),
        (0.125, "alpha to both"),
        (1 / math.log(10), "scaled by 0.4343"),  # a decimal logarithm
    ],
)
def test_a_number_that_nobody_writes_is_no_alpha(scale, name):
    def loss(x, y):
        ce = bce(x, y)
        return scale * ((1 - torch.exp(-ce)) ** 2 * ce).mean()

    report = examine(loss)
    assert report.names == (name,)
    assert ("logarithms to base 10" in report.headline) == ("0.4" in name)


def test_a_constant_in_place_of_a_count_is_a_scale():
    def loss(x, y, alpha=0.25, boxes=4):
        weights = alpha * y + (1 - alpha) * (1 - y)
        ce = bce(x, y)
        return (weights * (1 - torch.exp(-ce)) ** 2 * ce).sum() / boxes

    assert examine(loss).names == ("scaled by 0.25",)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inside_is_no_deviation(dtype):
    def loss(x, y):
        x, y = x.to(dtype), y.to(dtype)
        modulation = (-2 * F.softplus(x * (2 * y - 1))).exp()
        return (modulation * bce(x, y)).mean()

    for claims in ({"gamma": 2, "alpha": None}, {}):
        report = examine(loss, **claims)
        assert report.conforms, report
        assert "computes in half precision" in f"{report}"


def hinge(x, y):
    return (1 - x * (2 * y - 1)).clamp(min=0).mean()


@pytest.mark.parametrize("half", [True, False])
def test_half_precision_is_told_of_what_is_unknown_too(half):
    report = examine(
        lambda x, y: hinge(x.half() if half else x, y), task="binary"
    )
    assert report.verdict == "unknown", report
    assert ("computes in half precision" in f"{report}") == half


def test_a_mean_near_the_right_one_is_no_right_formula():
    """In half precision, where only what is claimed can be compared."""

    def loss(x, y):
        x, y = x.bfloat16(), y.bfloat16()
        p_t = torch.sigmoid(x * (2 * y - 1))
        return ((0.75 - 0.5 * y) * (1 - p_t) ** 2 * bce(x, 0.9 * y)).mean()

    report = examine(loss, gamma=2, alpha=0.25)
    assert report.verdict == "unknown", report


def test_half_precision_that_refuses_few_examples_is_told_by_the_batch():
    def loss(x, y):
        if len(x) < 5:
            raise ValueError("too few")
        x, y = x.bfloat16(), y.bfloat16()
        modulation = (-2 * F.softplus(x * (2 * y - 1))).exp()
        return (modulation * bce(x, y)).mean()

    report = examine(loss, gamma=2, alpha=None)
    assert report.verdict == "right formula", report
    assert "too few" in report.headline


def test_a_random_loss_is_not_explained():
    def loss(x, y):
        each = build(reduction="none")(x, y)
        return (each * torch.rand_like(each)).mean()

    labels = Labels("binary", 3)
    assert not meet(loss, Form("binary"), labels, 0).can_be_told
    report = examine(loss)
    assert report.verdict == "unknown"
    assert "same answer twice" in report.failing
    assert report.headline.startswith("Its answer changes from call to call")
    assert "exponent" not in report.headline


def test_cross_entropy_is_called_so():
    report = examine(torch.nn.CrossEntropyLoss())
    assert report.conforms and "cross entropy (γ = 0)" in report.headline


def test_one_label_is_likelier_than_several():
    def loss(x, y, alpha=0.25):
        ce = bce(x, y)
        elements = alpha * (1 - torch.exp(-ce)) ** 2 * ce
        return elements.sum() / len(x)

    assert examine(loss).claims.task == "binary"


def test_two_changes_of_one_part_are_an_error():
    with pytest.raises(ValueError, match="one for each part"):
        build("p_t detached", "wrong negative branch")


@pytest.mark.parametrize("turned", [True, False])
def test_what_takes_probabilities_may_be_unknown_too(turned):
    def loss(p, y):
        return (p.log() ** 2 * y).mean() + p.log().mean() ** 2

    def keras_order(y_true, y_pred):
        return loss(y_pred, y_true)

    report = examine(keras_order if turned else loss)
    assert report.verdict in ("unknown", "refused") and not report.names


def alpha_t(x, y, alpha=0.25, gamma=2):
    ce = bce(x, y)
    weight = alpha * y + (1 - alpha) * (1 - y)
    return weight * (1 - torch.exp(-ce)) ** gamma * ce


def test_a_divisor_may_be_the_one_claimed_by_accident():
    def loss(x, y):  # the first batch has as many p above 1/2 as positives
        return alpha_t(x, y).sum() / (x > 0).sum().clamp(min=1)

    report = examine(loss, alpha=0.25, gamma=2, reduction="mean_positive")
    assert "average is the one claimed" in report.failing, report


def test_each_class_is_asked_about_alone():
    def loss(z, t):  # of class 0 alone there is one column
        p_t = (F.one_hot(t) * z.softmax(1)).sum(1)
        return -((1 - p_t) ** 2 * p_t.log()).mean()

    told = "but a batch of one example fails"
    assert told in examine(loss, task="multi-class").headline


def test_ignored_targets_may_be_counted_as_less_than_no_positive():
    def loss(x, y):
        each = torch.where(y < 0, 0, alpha_t(x, y.clamp(min=0)))
        return each.sum() / y.sum().clamp(min=1)

    how = {"alpha": 0.25, "reduction": "mean_positive", "ignore_index": -1}
    report = examine(loss, gamma=2, **how)
    assert report.failing == ("ignored targets leave no trace",), report


def test_easy_examples_may_not_be_left_out():
    def loss(x, y):
        return (alpha_t(x, y) * ((y > 0) | (x > -3))).mean()

    report = examine(loss, alpha=0.25, gamma=2)
    assert not report.conforms, report


def test_an_alpha_beyond_1_is_no_other_divisor():
    report = examine(lambda x, y: alpha_t(x, y, alpha=2.0).mean())
    assert report.names == ("other weights",), report
    assert "2 for positives, −1 for negatives" in report.headline


@pytest.mark.parametrize("told", [{}, {"gamma": 2, "alpha": 0.25}])
def test_of_two_classes_alpha_is_the_paper_s(told):
    class OfTwo(torch.nn.Module):
        def __init__(self, alpha=0.25):
            super().__init__()
            self.alpha = alpha

        def forward(self, z, t):
            weight = torch.tensor([1 - self.alpha, self.alpha])[t]
            ce = F.cross_entropy(z, t, reduction="none")
            return (weight * (1 - torch.exp(-ce)) ** 2 * ce).mean()

    assert examine(OfTwo(), **told).conforms
    turned = examine(OfTwo(0.75), **(told | {"alpha": 0.25}))
    assert turned.names == ("alpha to class 0",), turned
    assert "α goes where it should" in turned.failing


@pytest.mark.parametrize("told", [{}, {"reduction": "mean_positive"}])
def test_each_image_of_a_detector_may_have_its_own_divisor(told):
    def loss(x, y):
        assert x.ndim == 3  # images, anchors, classes
        positives = y.sum((1, 2)).clamp(min=1)
        return (alpha_t(x, y).sum((1, 2)) / positives).mean()

    report = examine(loss, **told)
    assert report.conforms, report
    assert report.claims.reduction == "mean_positive"
