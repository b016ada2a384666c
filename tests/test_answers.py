"""Answers are read in any form, and what cannot be read is asked back; an
error is told as the student's own mistake."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_exercises import QUESTIONS, fresh, of_kind

from focal_edu.exercises.answers import Unread, read_letter, read_number
from focal_edu.exercises.questions import Choice, Number

FINITE = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
FORMS = [
    lambda x: x,
    repr,
    lambda x: f" {x!r} ",
    lambda x: f"{x:.17e}",
    lambda x: repr(x).replace(".", ","),
    lambda x: repr(x).replace("-", "−"),
    lambda x: f"about {x!r}",
    lambda x: f"{x!r} times",
    Fraction,
    Decimal,
    np.float64,
    np.array,
    lambda x: np.array([x]),
    lambda x: [x],
    lambda x: torch.tensor(x, dtype=torch.float64),
]


@given(FINITE, st.sampled_from(FORMS))
def test_a_number_is_read_in_every_form(number, form):
    assert read_number(form(number)) == (number, False)


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_a_fraction_is_read(above, below):
    for text in (f"{above}/{below}", f"{above} / {below}"):
        assert read_number(text)[0] == pytest.approx(above / below)


@given(st.integers(0, 1000), st.sampled_from(["%", " %", " per cent"]))
def test_per_cent_is_read(count, unit):
    assert read_number(f"{count / 10}{unit}") == (count / 10, True)


@given(st.text())
def test_no_text_raises(text):
    for name in ("lesson_01.hard_share", "lesson_01.largest_loss"):
        assert fresh(name).check(text).message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e3", 1000), ("10^-3", 0.001), ("2*10**3", 2000), ("2·10^3", 2000),
        ("1 - 1/3", 2 / 3), ("-log(0.5)", math.log(2)), ("sqrt(4)", 2),
        ("100 000", 100_000), ("1,234.5", 1234.5), ("1.234,5", 1234.5),
        ("1,234,567", 1_234_567), ("−∞", -math.inf), ("inf", math.inf),
        ("ten", 10), ("x = 17", 17), ("p_t = 0.1", 0.1),
        ("two thirds", 2 / 3), ("two-thirds", 2 / 3),
        ("about a third", 1 / 3), ("half", 0.5), ("three quarters", 0.75),
        ("a hundred", 100), ("minus one", -1), ("one over three", 1 / 3),
        ("0.5 each", 0.5), ("10 or so", 10), ("line three", 3),
        ("0,123", 0.123), ("69x", 69), ("line 3", 3), (10**400, math.inf),
        (-(10**400), -math.inf), ("9**9**9", math.inf),
    ],
)  # fmt: skip
def test_how_numbers_are_typed(text, number):
    assert read_number(text)[0] == pytest.approx(number)


def test_nan_is_a_number():
    for answer in ("nan", "NaN", math.nan, np.nan, torch.tensor(math.nan)):
        assert math.isnan(read_number(answer)[0])
    asked = Number(
        "what 0 times infinity is",
        math.nan,
        wrong={0: "A.", 1: "B.", math.inf: "C.", -math.inf: "D."},
        hints=("E.", "F."),
        why="G. H.",
    )
    assert asked.check("nan").right and asked.check(math.nan).right
    assert asked.check("inf").message == "C."
    assert asked.check(-math.inf).message == "D."
    assert asked.check(3).right is False


@pytest.mark.parametrize(
    "answer",
    ["1,000", "a lot", "", None, True, b"1", [], (1, 2), {}, 1j, print, "1/0",
     "__import__('os')", "().__class__", "exit()", np.zeros(3), "some", "a",
     "12 kB"],
)  # fmt: skip
def test_what_is_no_number_is_asked_back(answer):
    with pytest.raises(Unread):
        read_number(answer)


CHOICES = {"a": "the first", "b": "the second", "c": "the third"}
WRITTEN = [
    "{}", "{}.", "{})", "({})", " {} ", "'{}'", "answer {}", "Choice {}",
]  # fmt: skip


@given(
    st.sampled_from("abc"),
    st.sampled_from(WRITTEN),
    st.sampled_from([str.upper, str]),
)
def test_a_letter_is_read_in_every_form(letter, form, case):
    assert read_letter(case(form.format(letter)), CHOICES) == letter


def test_a_choice_is_read_by_its_text():
    assert read_letter("The second.", CHOICES) == "b"
    assert read_letter("the sec", CHOICES) == "b"
    for said in ("I think {}", "it's {}", "{}: it is clear", "{} - surely"):
        for letter in CHOICES:
            assert read_letter(said.format(letter), CHOICES) == letter


def test_a_line_is_read_by_its_text():
    question = fresh("lesson_01.batch_loss")
    for said in ("the line 3", "#3", question.lines[2], "three"):
        assert question.check(said).right
    assert question.check(question.lines[1]).right is False
    assert "from 1 to 5" in question.check("the mean").message


@pytest.mark.parametrize(
    "answer", ["a and c", "ab", "d", "", 2, None, ["a", "b"]]
)
def test_what_is_no_letter_is_asked_back(answer):
    with pytest.raises(Unread):
        read_letter(answer, CHOICES)


@of_kind(Choice, Number)
def test_no_answer_waits_and_two_are_asked_back(name):
    question = fresh(name)
    assert question.check().verdict == "Waiting"
    for answers in ((94, 7), ("d", "a and c"), (1, 2, 3)):
        feedback = question.check(*answers)
        assert feedback.verdict == "Not read" and feedback.right is None
    assert question.tries == 0 and question.said == []


def test_a_decimal_comma_is_pointed_out():
    assert "63.9." in fresh("lesson_01.hard_share").check(63, 9).message


def test_the_unit_may_stand_behind_a_number():
    for name, answer in (
        ("05.units", "ten digits"),
        ("10.bytes_moved", "12 bytes"),
        ("04.mean_over_classes", "33 %"),
    ):
        assert fresh(f"lesson_{name}").check(answer).right
    refused = fresh("lesson_10.bytes_moved").check("12 kB")
    assert refused.right is None and '"kb"' in refused.message
    refused = fresh("lesson_10.bytes_moved").check("12 %")
    assert refused.right is None and "bytes, not per" in refused.message


# Where no logarithm is taken, none is spoken of, and a point is in the wrong
# place only if more than one digit says so.
@pytest.mark.parametrize(
    ("name", "answer"),
    [("04.mean_over_classes", 0.5), ("04.both_sure", 0.7), ("05.units", 15),
     ("08.sure", 40), ("04.lowest_right", 0.01), ("05.units", 100)],
)  # fmt: skip
def test_no_coincidence_is_taken_for_a_habit(name, answer):
    message = fresh(f"lesson_{name}").check(answer).message
    assert "ase 10" not in message and "ase 2" not in message
    assert "point" not in message


def test_a_share_in_the_other_unit_is_asked_back():
    share, lost = fresh("lesson_01.hard_share"), fresh("lesson_02.lost")
    assert "0.639 per cent or 63.9 per cent?" in share.check(0.639).message
    assert "67 per cent, which is 0.67?" in lost.check(67).message
    assert share.check("63.9 %").right and lost.check("66.7 %").right
    assert lost.check("2/3").right and lost.check("0,66").right


# Mistakes that once were taken for others.
@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("lesson_01.hard_share", 1.77, "over the easy ones' cross entropy"),
        ("lesson_01.hard_share", 100, "Not quite the whole"),
        ("lesson_01.hard_share", 2.1, "under cross entropy"),
        ("lesson_03.prior_factor", 0.693, "what one negative loses"),
        ("lesson_03.prior_factor", 98.55, "how many per cent the loss falls"),
        ("lesson_01.hard_share", 10**400, "too high"),
        ("lesson_03.prior_bias", lambda prior: -4.595, "prior = 0.01 only"),
        ("lesson_03.prior_bias", lambda prior: -4.59511985, "0.01 only"),
    ],
)
def test_no_mistake_is_taken_for_another(name, answer, said):
    assert said in fresh(name).check(answer).message


def test_the_exact_slope_is_not_called_too_small():
    from autograd import grad

    feedback = fresh("lesson_02.central_difference").check(
        lambda f, x, h: grad(f)(float(x))
    )
    assert "exact slope" in feedback.message


def from_source(source):
    names = {}
    exec(source, names)
    return list(names.values())[-1]


def with_backward(x, y, gamma):
    loss = np.log(1 + np.exp(-x))
    loss.backward()
    return x.grad


def without_value(x, y, gamma):
    if y == 1:
        sign = 1
    return sign * x


def printing(p, y):
    print(y * p)


# Each student's error, and what must be said of it.
ERRORS = [
    ("01.p_t", "def f(y, p): return y * p", "takes (y, p)"),
    ("01.p_t", "def f(p): return p", "must take the arguments (p, y)"),
    ("01.p_t", "def f(p, y): return np.log(p)", "`import numpy as np`"),
    ("01.times_lower", "def f(p_t, gamma): return gama", "`gamma`?"),
    ("01.times_lower", "def f(p_t, gamma): return p_t ^ gamma", "`**`"),
    ("01.p_t", "def f(p, y): y * p", "is there a `return`"),
    ("01.p_t", printing, "prints 0.9 and gives nothing back"),
    ("01.p_t", "def f(p, y): return f(p, y)", "calls itself"),
    ("01.p_t", "def f(p, y): return p[3]", "not subscriptable"),
    ("02.focal_slope", with_backward, "has no attribute 'backward'"),
    ("02.focal_slope", without_value, "`sign`, which has no value"),
    ("04.p_t", lambda z, t: torch.softmax(z, 1)[t], "dimension 1 of what"),
    ("04.p_t", lambda z, t: z.softmax(1)[t], "dimension 1 of what"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function", "said"), ERRORS)
def test_an_error_is_told_as_the_student_made_it(name, function, said):
    if isinstance(function, str):
        function = from_source(function)
    feedback = fresh(f"lesson_{name}").check(function)
    assert feedback.right is False and said in feedback.message, feedback


def test_every_logit_is_tried_with_every_gamma():
    def overflowing(x, gamma):  # finite for all but the furthest logits
        x = np.float64(x)
        return np.log1p(np.exp(-x)) / (1 + np.exp(x)) ** gamma

    def at_zero(x, gamma):
        return (
            overflowing(np.clip(x, -700, 700), gamma)
            if gamma == 0
            else (np.exp(-gamma * np.logaddexp(0, x)) * np.logaddexp(0, -x))
        )

    for wrong in (overflowing, at_zero):
        assert (
            fresh("lesson_09.stable_focal_loss").check(wrong).right is False
        )
    cases = QUESTIONS["lesson_09.stable_focal_loss"].behaviour.cases
    assert {(1000.0, 0), (-1000.0, 0), (1000.0, 2), (-1000.0, 2)} <= set(
        cases
    )


def test_a_sum_keeps_its_points():
    assert read_number("1.5+10.5") == (12, False)
    assert read_number("0.0711/0.2133")[0] == pytest.approx(1 / 3, rel=1e-4)
    assert read_number("log(0.5)/log(0.99)")[0] == pytest.approx(68.97, 1e-3)
