"""What the lessons' predictions say will happen, computed by other means."""

from importlib import import_module
from pathlib import Path

import autograd.numpy as anp
import nbformat
import numpy as np
import pytest
import torch
from autograd import grad

from focal_edu import benchmark, detector, recorded
from focal_edu.accuracy import examine_sigmoid, outcomes
from focal_edu.clinic import build, examine
from focal_edu.exercises import lesson_11
from focal_edu.exercises.questions import Choice
from focal_edu.gradients import gradient_crossing, gradient_ratio
from focal_edu.recorded import load
from focal_edu.training import paired_difference

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def question(name):
    lesson, name = name.split(".")
    module = import_module(f"focal_edu.exercises.lesson_{lesson}")
    return getattr(module, name)


def defined_in(lesson, *names):
    """The functions that a lesson's cells define, by name."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    scope = {"torch": torch, "F": torch.nn.functional}
    for cell in nbformat.read(path, 4).cells:
        if any(f"def {name}(" in cell.source for name in names):
            exec(cell.source, scope)
    return [scope[name] for name in names]


def softmax(z):
    return np.exp(z) / np.exp(z).sum()


P = np.linspace(0.001, 0.999, 999)
QUIET = -99 * P**2 * np.log(1 - P)  # 99 negatives' focal loss
FOUR = zip(
    ((2, -1, 3), (1, 0, -0.5), (2, 1, -0.5), (1, 8, 2)),
    (2, 0, 1, 1),
    strict=True,
)
TRUTHS = {
    "08.coin": {0.69: "about 0.69"}[
        round(
            P[
                np.argmin(
                    -0.9 * (1 - P) ** 2 * np.log(P)
                    - 0.1 * P**2 * np.log(1 - P)
                )
            ],
            2,
        )
    ],
    "08.cut": 100
    * next(p for p in np.arange(1, 100) / 100 if 0.25 * p >= 0.75 * (1 - p)),
    "06.anchor_count": (120 // 4) ** 2 + (120 // 8) ** 2,
    "01.hard_share": 1.8650938 / (1.8650938 + 1.0536052) * 100,
    "02.lost": 1 - 0.0001**2 / gradient_ratio(0.9999, 2),
    "03.mistake_share": 100 * 1.6094379 / (1.6094379 + 5.1293294),
    "03.hardest_fifth": {True: "it grows more among negatives"}[
        99.0 - 36.7 > 63.1 - 47.6 > 0  # Figure 4 of the paper
    ],
    "03.lowest_p": {0.15: "about 0.15"}[
        round(P[np.argmin(-((1 - P) ** 2) * np.log(P) + QUIET)], 2)
    ],
    "03.prior_factor": 69314.7 / 1005.03,
    "03.prior_positive": {26: "it rises about 26 times"}[
        round(0.99**2 * np.log(0.01) / (0.5**2 * np.log(0.5)))
    ],
    "04.lowest_right": softmax(np.eye(10)[0] * 1e-6)[0],
    "04.two_logits": {True: "the same loss"}[
        np.isclose(softmax(np.array([0, 0.7]))[1], 1 / (1 + np.exp(-0.7)))
    ],
    "04.first_steps": {1.2: "about 1.2 times cross entropy's"}[
        round(gradient_ratio(1 / 10, 2), 1)
    ],
    "04.both_sure": softmax(np.array([50.0, 50, *[0] * 8]))[0],
    "04.mean_over_classes": np.eye(3)[[0, 1, 1]].mean(),
    "09.first_infinity": next(
        x
        for x in range(100)
        if np.float32(1) - 1 / (1 + np.exp(np.float32(-x))) == 0
    ),
    "09.clipped_slope": grad(
        lambda x: -anp.log(anp.clip(1 / (1 + anp.exp(-x)), 1e-7, 1))
    )(-20.0),
    "10.bytes_moved": 3 * np.float32().nbytes,
    "01.largest_loss": {0.1: "the negative with p = 0.9"}[
        min(0.9, 0.3, round(1 - 0.3, 9), round(1 - 0.9, 9))
    ],
    "01.suspect": {True: "its negative loss is too large"}[0.3 > 0.3**2],
    "02.hard_gradient": {1.2: "1.2 times"}[
        round(gradient_ratio(0.168485366, 2), 1)
    ],
    "02.region": {True: "it gets narrower"}[
        gradient_crossing(5) < gradient_crossing(2) < gradient_crossing(1)
    ],
    "04.hardest_example": {2: "the third: (2, 1, −0.5), truth 1"}[
        np.argmin([softmax(np.array(z))[t] for z, t in FOUR])
    ],
}


@pytest.mark.parametrize("name", TRUTHS)
def test_predictions_are_what_happens(name):
    asked, value = question(name), TRUTHS[name]
    if isinstance(asked, Choice):
        assert asked.answer == value
    else:
        assert abs(asked.truth - value) < 1e-3 * max(1, value)


def test_the_balancing_alpha_falls_to_a_hundredth():
    def alpha(gamma):
        positive = -(0.8**gamma) * np.log(0.2)
        negatives = -100 * 0.05**gamma * np.log(0.95)
        return negatives / (positive + negatives)

    alphas = [alpha(gamma) for gamma in np.linspace(0, 5, 11)]
    assert (np.diff(alphas) < 0).all() and alphas[0] > 10 * alphas[-1]
    answer = question("03.balancing_alpha").answer
    assert answer == f"about {alpha(2):.2f}"


def test_one_form_of_six_survives():
    names = question("09.survivor").choices.values()
    forms = dict(zip(names, defined_in("09", *names), strict=True))
    sound = [
        name
        for name, form in forms.items()
        if set(outcomes(examine_sigmoid(form, torch.float32, order=1)))
        == {"right"}
    ]
    assert sound == [question("09.survivor").answer]


def test_what_the_forms_give_at_17():
    blended, ce_and_sigmoid = defined_in("09", "blended", "ce_and_sigmoid")
    x = torch.tensor([17.0], requires_grad=True)
    y = torch.ones(1)
    assert blended(x, y, 2).isnan() and ce_and_sigmoid(x, y, 0.5) == 0
    ce_and_sigmoid(x, y, 0.5).backward()
    assert x.grad.isnan()
    assert question("09.blended_zero").answer == "NaN"
    assert question("09.square_root").answer == "NaN"


def test_the_sound_form_has_wrong_digits_in_bfloat16():
    (form,) = defined_in("09", "from_logs")
    checks = examine_sigmoid(form, torch.bfloat16, order=1)
    assert set(outcomes(checks)) == {"right", "inaccurate"}
    assert question("09.in_bfloat16").answer == "wrong digits appear"


def test_the_usual_loss_keeps_four_arrays_or_more():
    (usual,) = defined_in("10", "usual")
    x, y = benchmark.batch_for("sigmoid", (1000,))
    saved = benchmark.saved_bytes(usual, x.requires_grad_(), y) / x.nbytes
    assert saved >= 4
    assert question("10.tensors_saved").answer == "four or more"


def record(name, **which):
    return next(
        row
        for row in recorded.load(name)["rows"]
        if which.items() <= row.items()
    )


def test_the_records_hold_what_lessons_07_and_08_predict():
    long = {"name": "calibration", "regime": "too long"}
    row = record(**long, gamma=0, way="as trained")
    confidence, _, part = np.array(row["bins"]).T
    asked = question("08.sure")
    assert abs(100 * (confidence * part).sum() - asked.truth) < asked.within
    after = [
        np.mean(record(**long, gamma=g, way="temperature")["ece"])
        for g in (0, 2)
    ]
    assert abs(after[0] - after[1]) < 0.01
    assert question("08.after").answer == "about the same for both"
    tails = {
        row["recipe"]: np.mean(np.array(row["accuracy"])[:, 7:])
        for row in recorded.load("long_tail")["rows"]
        if row["factor"] == 50
    }
    best = max(tails, key=tails.get)
    assert best == "CE, shifted after"
    answer = question("07.best_in_tail").answer
    assert answer == f"{100 * tails[best]:.0f} %"
    assert round(100 * tails["CE"]) == 58  # said in the question
    p_t = record("long_tail", factor=50, recipe="CE")["p_t_train"][9]
    asked = question("07.memorised")
    assert abs(p_t - asked.truth) < 0.001


def test_background_alone_changes_no_digit_s_gradient():
    """The gradient of a positive, with background beside it and without."""
    torch.manual_seed(0)
    labels = torch.tensor([[3] + [detector.BACKGROUND] * 99])
    logits = torch.randn(1, 100, 10, requires_grad=True)
    slopes = []
    for seen in (20, 100):
        targets = detector.Targets(labels[:, :seen], torch.zeros(1, seen, 4))
        loss = detector.detector_loss(
            logits[:, :seen],
            torch.zeros(1, seen, 4),
            targets,
            lambda x, y: torch.nn.functional.binary_cross_entropy_with_logits(
                x, y, reduction="sum"
            ),
            box_weight=0,
        )
        slopes.append(torch.autograd.grad(loss, logits)[0][0, 0])
    torch.testing.assert_close(*slopes)
    assert "by the positives" in question("06.normaliser").answer


def detector_aps(name, size, *loss):
    """The AP of one recipe, its loss, gamma and alpha, by seed."""
    return [
        row["ap"]
        for row in load(f"detector_{name}")["rows"]
        if row["stage"] == "measure" and row["size"] == size
        if (row["loss"], row["gamma"], row["alpha"]) == loss
    ]


def test_focal_loss_leads_by_more_where_background_is_more():
    gaps = {}
    for name, size in (("imbalance", 40), ("losses", 80), ("imbalance", 120)):
        fl, ce = (
            detector_aps(name, size, *loss)
            for loss in (("FL", 2, 0.25), ("CE", 0, 0.5))
        )
        gaps[size] = paired_difference(fl, ce)
    assert question("06.gap").answer == "it grows"
    apart = gaps[120].mean - gaps[40].mean
    assert apart > 2 * (gaps[120].error ** 2 + gaps[40].error ** 2) ** 0.5


def test_a_smaller_prior_does_what_focal_loss_does():
    """Level is less than two errors, as lessons 05 and 06 have it."""
    of_prior = "CE, prior 0.001", 0, 0.5

    def errors(name, gamma, alpha):
        apart = paired_difference(
            detector_aps(name, 80, "FL", gamma, alpha),
            detector_aps(name, 80, *of_prior),
        )
        return apart.mean / apart.error

    assert abs(errors("losses", 2, 0.25)) < 2
    assert question("06.prior_alone").answer == "level with the pair"
    assert errors("losses", 1, 0.5) > 2 > abs(errors("longer", 1, 0.5))
    assert question("06.longer").answer == "nothing: the two are level"


def over_ce(loss, y, p_t, **how):
    """A loss of one example, in units of its cross entropy."""
    x, y = (
        torch.tensor(np.log(p_t / (1 - p_t)) * (2 * y - 1)),
        torch.tensor(y),
    )
    return loss(x, y, **how).item() / -np.log(p_t)


def measured_power(loss, y):
    """The slope of log(loss / CE) over log(1 - p_t), each at two p_t."""
    change = over_ce(loss, y, 0.2) / over_ce(loss, y, 0.6)
    return np.log(change) / np.log(0.8 / 0.4)


def test_what_the_public_losses_do():
    (loss,) = defined_in("11", "notebook_loss")
    wrong = [
        name
        for name, y, p_t in (("positive", 1, 0.9), ("negative", 0, 0.7))
        if abs(over_ce(loss, y, p_t, alpha=1) - (1 - p_t) ** 2) > 1e-9
    ]
    assert question("11.wrong_example").answer == f"the {wrong[0]}"
    assert len(wrong) == 1
    powers = [measured_power(loss, y) for y in (1, 0)]
    assert np.allclose(powers, (2, 1))
    assert question("11.lost_power").answer == "1, half of theirs"

    (path,) = NOTEBOOKS.glob("11_*.ipynb")
    scope = {"torch": torch}
    for cell in nbformat.read(path, 4).cells:
        if "class SecondLoss" in cell.source:
            exec(cell.source, scope)
    logits, targets = torch.eye(3)[:2] * 2, torch.tensor([0, 2])
    ce = torch.nn.functional.cross_entropy(logits, targets).item()
    second = scope["SecondLoss"]()(logits, targets).item()
    assert second == pytest.approx((1 - np.exp(-ce)) ** 2 * ce)
    assert "mean is taken before" in question("11.whose_mean").answer

    x = torch.tensor([-50.0], requires_grad=True)
    build("p_t clipped")(x, torch.ones(1)).backward()
    assert x.grad.item() == 0
    assert question("11.clipped_gradient").answer == "zero"


def test_the_mistake_that_ranks_worst_is_the_recorded_one():
    ap = {}
    for row in recorded.load("rare_digit_mistakes")["rows"]:
        ap.setdefault(row["loss"], []).append(np.mean(row["ap"]))
    worst, *others = sorted(ap, key=lambda name: np.mean(ap[name]))
    assert question("11.ranks_far_worse").answer == worst
    assert np.mean(ap[others[0]]) > 10 * np.mean(ap[worst])


def test_kornia_s_softmax_quietens_all_but_class_0():
    (row,) = (
        row
        for row in recorded.load("libraries")["verdicts"]
        if row["call"] == "focal_loss(alpha=0.25)"
    )
    assert "1 - alpha to class 0" in row["names"]
    loss = build("1 - alpha to class 0", task="multi-class", alpha=0.25)
    losses = [loss(torch.zeros(1, 3), torch.tensor([k])) for k in range(3)]
    assert losses[0] > losses[1] == losses[2]
    assert question("11.quietened").answer == "every class but class 0"


def test_three_losses_without_a_label():
    a, b, c = lesson_11.loss_a, lesson_11.loss_b, lesson_11.loss_c
    powers = [measured_power(a, y) for y in (1, 0)]
    assert np.allclose(powers, (1, question("11.power_of_a").truth))

    x, y = torch.linspace(-3, 3, 7), torch.tensor([0.0, 1, 0, 1, 1, 0, 0])
    assert torch.isclose(b(x.repeat(2), y.repeat(2)), 2 * b(x, y))
    assert over_ce(b, 1, 0.5) == pytest.approx(3 / 7 * 0.25)
    assert over_ce(b, 0, 0.5) == pytest.approx(1 / 7 * 0.25)
    assert "nothing" in question("11.divisor_of_b").answer

    p_star = 1 / (1 + np.exp(-(2 * 1.5 + 1)))
    assert c(torch.tensor(-1.5), torch.tensor(0)).item() == pytest.approx(
        -np.log(p_star) / 2
    )
    slope = 1 / (1 + 81 * np.e)  # 1 − σ(2 log 9 + 1)
    true = 0.01 * (0.1 - 1.8 * np.log(0.9))  # at p_t = 0.9, γ = 2
    assert question("11.slope_of_c").truth == pytest.approx(
        slope / true, 1e-3
    )
    how = {"task": "binary", "gamma": 2, "alpha": None}
    names = [examine(loss, **how).names for loss in (a, b, c)]
    assert names == [
        ("another gamma for negatives",),
        ("other weights",),
        ("FL*",),
    ]
