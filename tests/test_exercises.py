"""The questions: right answers pass by every route, wrong ones are told
which mistake they are, and nothing gives the answer away or raises."""

import ast
import copy
import csv
import os
import re
import subprocess
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import autograd.numpy as anp
import nbformat
import numpy as np
import pytest
from autograd import grad

from focal_edu import exercises, focal_loss
from focal_edu.exercises import hand_in, looking_back, questions
from focal_edu.exercises.feedback import Feedback
from focal_edu.exercises.questions import (
    HABITS,
    SWITCH,
    Choice,
    Fault,
    FunctionToWrite,
    Number,
    Question,
)
from focal_edu.exercises.rules import numbers_in

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSONS = {
    path.stem: import_module(f"{exercises.__name__}.{path.stem}")
    for path in sorted(Path(exercises.__file__).parent.glob("lesson_*.py"))
}
QUESTIONS = {
    f"{lesson}.{name}": value
    for lesson, module in LESSONS.items()
    for name, value in vars(module).items()
    if isinstance(value, Question)
}


def of_kind(*kinds):
    chosen = [n for n, q in QUESTIONS.items() if isinstance(q, kinds)]
    return pytest.mark.parametrize("name", chosen)


def fresh(name):
    question = copy.copy(QUESTIONS[name])
    question.forget()
    return question


def right_answer(question):
    if isinstance(question, FunctionToWrite):
        return question.function
    return question.line if isinstance(question, Fault) else question.truth


def test_there_are_enough_questions_of_each_kind():
    assert len(QUESTIONS) >= 30
    for lesson in LESSONS:
        own = [q for n, q in QUESTIONS.items() if n.startswith(lesson)]
        assert 5 <= len(own) <= 12, lesson
        for kind in ((Choice, Number), FunctionToWrite, Fault):
            assert any(isinstance(q, kind) for q in own), (lesson, kind)


@of_kind(Question)
def test_an_unanswered_question_waits(name):
    question = fresh(name)
    feedback = question.check(...)
    assert feedback.right is None and feedback.verdict == "Waiting"
    assert str(feedback) == str(question.check(...))
    assert repr(question)


@of_kind(FunctionToWrite)
def test_an_unwritten_function_waits(name):
    def empty(): ...

    for unwritten in (empty, lambda *a: ..., lambda: None):
        assert fresh(name).check(unwritten).right is None


@of_kind(Question)
def test_the_right_answer_is_right(name):
    question = fresh(name)
    assert question.check(right_answer(question)).right is True


@of_kind(Question)
def test_each_wrong_answer_gets_its_own_sentence(name):
    question = fresh(name)
    for wrong, sentence in question.wrong.items():
        feedback = question.check(wrong)
        assert feedback.right is False
        assert feedback.message == sentence


@of_kind(Number)
def test_habits_are_recognised(name):
    question = fresh(name)
    known = question.replies + [sentence for _, sentence in HABITS]
    if len(str(question.truth).strip(".0")) > 1:
        for habit, _ in HABITS:
            feedback = question.check(habit(question.truth))
            assert feedback.message in known or feedback.right is None


@of_kind(FunctionToWrite)
def test_a_stranger_is_told_an_input_and_not_the_value(name):
    question = fresh(name)
    shape = question.behaviour.expected[0].shape
    given = iter(np.random.default_rng(0).uniform(0.1, 0.2, 1000))
    message = question.check(
        lambda *a: np.full(shape, next(given)) if shape else next(given)
    ).message
    assert "t " in message and "your function gives" in message
    told = set(numbers_in(message.split("your function")[1]))
    for value in question.behaviour.expected[0].ravel():
        assert float(f"{value:.4g}") not in told


@of_kind(Fault)
def test_one_line_is_at_fault_and_no_other(name):
    question = QUESTIONS[name]
    behaviour = question.behaviour
    good, bad = (
        behaviour.tried(question.use(f))[0]
        for f in (question._run(question.repaired), question.function)
    )
    assert behaviour.same(good, behaviour.expected)
    assert not behaviour.same(bad, behaviour.expected)
    assert len(question.lines) >= 5
    known = set(question.wrong)
    assert question.line not in known
    assert known <= set(range(1, len(question.lines) + 1))
    assert len(question.lines) - 1 - len(known) <= 1  # one line may be idle


class Rude:
    """What a student's variable might by accident hold."""

    def __eq__(self, other):
        raise RuntimeError("no comparing")

    __hash__ = None

    def __float__(self):
        raise RuntimeError("no number")

    __array__ = __float__


def forever(*arguments):
    raise KeyboardInterrupt  # what the notebook's stop button does


def chatty(*arguments):
    print("here I am")
    return np.log(-1.0)


def deep(*arguments):
    return deep(*arguments)


ACCIDENTS = [
    None, True, "a string", b"", [], {}, (1, 2), np.nan, np.inf, 1j, Rude(),
    Rude, int, print, np.log, np.zeros(3), forever, chatty, deep,
    lambda: 1, lambda *a: [].sort(), lambda *a: "0.5", lambda *a: 1j,
    lambda *a: np.nan, lambda *a: [], lambda *a: np.zeros((2, 3)),
    lambda *a: [[1], [2, 3]], lambda *a: Rude(), lambda *a: a,
    lambda *a: 1 / 0, lambda *a: sys.exit(), lambda *a: (x for x in a),
    lambda *a: {"loss": 1}, lambda *a: np.zeros((3, 1)), exec,
]  # fmt: skip


@of_kind(Question)
def test_no_answer_raises_or_prints(name, capfd):
    question = fresh(name)
    for answer in ACCIDENTS:
        feedback = question.check(answer)
        assert feedback.right is not True
        assert feedback.message and "Traceback" not in str(feedback)
        assert feedback._repr_html_()
    assert capfd.readouterr() == ("", "")


@of_kind(FunctionToWrite)
def test_accidents_are_named(name):
    question = fresh(name)

    def said(answer):
        return question.check(answer).message

    assert "type float: pass the function" in said(0.5)
    assert "ZeroDivisionError" in said(lambda *a: 1 / 0)
    assert "return" in said(lambda *a: [].sort())
    assert "must take the arguments" in said(lambda: 1)
    assert "does a loop" in said(forever)
    assert "numbers" in said(lambda *a: np.zeros((2, 3, 4)))


@of_kind(Question)
def test_hints_come_one_by_one(name):
    question = fresh(name)
    assert [question.hint().message for _ in range(3)] == [
        *question.hints,
        question.hints[1],
    ]


@of_kind(Question)
def test_a_teacher_can_switch_solutions_off(name, monkeypatch):
    question = fresh(name)
    shown = str(question.solution())
    assert question.why in shown and question.answer in shown
    monkeypatch.setattr(questions, "SWITCHED_OFF", True)
    hidden = f"{question.solution()} {question.why} {question.answer}"
    assert hidden.count(SWITCH) == 3 and "teacher" in hidden
    assert question._why not in hidden and question._answer not in hidden
    assert question.check(right_answer(question)).right


@pytest.mark.parametrize(
    "value", [" off ", "OFF", "none", "0", "No", "on", ""]
)
def test_the_switch_is_read_whatever_its_spaces(value):
    code = f"import {questions.__name__} as q; print(q.SWITCHED_OFF)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {SWITCH: value},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(value not in ("on", ""))


def test_predictions_are_remembered_beside_what_happened():
    own = [n for n in QUESTIONS if n.startswith("lesson_01.")]
    module = SimpleNamespace(**{n.split(".")[1]: fresh(n) for n in own})
    assert "no prediction" in str(looking_back(module))
    module.largest_loss.check("E ")
    module.largest_loss.check("d")
    module.hard_share.check("a lot")
    module.hard_share.check(50)
    table = looking_back(module)
    said = {row[0]: row[1] for row in table.rows}
    tie, truth = (module.largest_loss.choices[letter] for letter in "ed")
    assert said[module.largest_loss.about] == f"{tie}, then {truth}"
    assert said[module.hard_share.about] == "50 per cent"
    assert ">50 per cent</td>" in table._repr_html_()
    assert str(table).startswith("prediction")


@pytest.mark.parametrize("lesson", LESSONS)
def test_looking_back_sets_code_as_code(lesson):
    assert "`" not in looking_back(LESSONS[lesson])._repr_html_()


def test_what_is_handed_in_says_what_was_done(tmp_path):
    own = [n for n in QUESTIONS if n.startswith("lesson_01.")]
    module = SimpleNamespace(**{n.split(".")[1]: fresh(n) for n in own})
    module.__name__ = "focal_edu.exercises.lesson_01"
    module.largest_loss.check("e")
    module.largest_loss.check("d")
    module.largest_loss.hint()
    module.batch_loss.check(2)
    module.batch_loss.solution()
    hand_in(module, tmp_path / "ada.csv")
    with open(tmp_path / "ada.csv", encoding="utf-8") as file:
        rows = {row["question"]: row for row in csv.DictReader(file)}
    assert list(rows) == [n.split(".")[1] for n in own]
    first = rows["largest_loss"]
    assert (first["tries"], first["right"], first["hints"]) == ("2", "1", "1")
    assert first["said"].startswith("a tie") and ", then " in first["said"]
    assert rows["batch_loss"]["solution"] == "1"
    assert rows["batch_loss"]["right"] == "0"


def cells_of(lesson):
    for path in NOTEBOOKS.glob(f"{lesson.removeprefix('lesson_')}_*.ipynb"):
        return nbformat.read(path, 4).cells
    pytest.skip("the questions are here before their lesson")


@pytest.mark.parametrize("lesson", LESSONS)
def test_questions_stand_in_the_order_of_the_lesson(lesson):
    code = [c.source for c in cells_of(lesson) if c.cell_type == "code"]
    asked = re.findall(r"\bex\.(\w+)\.check\(", "\n".join(code))
    own = [n.split(".")[1] for n in QUESTIONS if n.startswith(lesson)]
    assert own == list(dict.fromkeys(asked))


@of_kind(FunctionToWrite)
def test_a_solution_runs_where_it_is_pasted(name, monkeypatch):
    """In the notebook's names, which may lack NumPy."""
    question = fresh(name)
    notebook = ModuleType("__main__")
    for cell in cells_of(name.split(".")[0]):
        if cell.cell_type == "code":
            for line in ast.parse(cell.source).body:
                if isinstance(line, ast.Import | ast.ImportFrom):
                    exec(ast.unparse(line), vars(notebook))
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec(question.solution().listing, vars(notebook))
    pasted = vars(notebook)[question.function.__name__]
    assert question.check(pasted).right


@of_kind(FunctionToWrite)
def test_arrays_are_asked_for_where_they_are_needed(name):
    """The text says so wherever one number at a time is not enough."""
    question, prose = QUESTIONS[name], ""
    for cell in cells_of(name.split(".")[0]):
        if f"ex.{name.split('.')[1]}.check(" in cell.source:
            break
        prose = cell.source if cell.cell_type == "markdown" else prose
    asked = prose[prose.rindex("**Exercise") :]
    if question.behaviour.elementwise:
        assert ("array" in asked) == question.arrays


@of_kind(Fault)
def test_a_fault_can_be_copied_and_run(name):
    question = fresh(name)
    names = {}
    exec(question.copy().listing, names)
    assert list(names)[-1] == question.about
    assert "1  " not in question.copy().listing


def test_html_is_escaped_and_code_is_marked():
    shown = Feedback("Not yet", "`a < b` & c", "x < y")._repr_html_()
    assert "<code>a &lt; b</code> &amp; c" in shown
    assert ">x &lt; y</pre>" in shown


def by_torch(p, y, gamma):
    import torch

    p_t = torch.where(y == 1, p, 1 - p)
    return -((1 - p_t) ** gamma) * torch.log(p_t)


def by_torch_float32(p, y, gamma):
    import torch

    p, y = torch.tensor(float(p)), torch.tensor(float(y))
    ce = torch.nn.functional.binary_cross_entropy(p, y)
    return (1 - torch.exp(-ce)) ** gamma * ce


def by_mask(p, y, gamma):
    p_t = np.empty_like(p)
    p_t[y == 1] = p[y == 1]
    p_t[y == 0] = 1 - p[y == 0]
    return -np.log(p_t) * (1 - p_t) ** gamma


def by_list(p, y, gamma):
    pairs = zip(p, y, strict=True)
    return [by_condition(*pair, gamma) for pair in pairs]


def by_condition(p, y, gamma):
    import math

    if y == 1:
        return -((1 - p) ** gamma) * math.log(p)
    return -(p**gamma) * math.log(1 - p)


def by_the_package(p, y, gamma):
    return focal_loss(p, y, gamma=gamma)


@pytest.mark.parametrize(
    "answer",
    [by_torch, by_torch_float32, by_mask, by_list, by_condition,
     by_the_package],
)  # fmt: skip
def test_other_routes_to_the_loss_are_right(answer):
    feedback = fresh("lesson_01.binary_focal_loss").check(answer)
    assert feedback.right, feedback


def test_automatic_differentiation_is_a_route_to_the_slope():
    def loss(x, y, gamma):
        p_t = 1 / (1 + anp.exp(-x if y == 1 else x))
        return -((1 - p_t) ** gamma) * anp.log(p_t)

    assert fresh("lesson_02.focal_slope").check(grad(loss)).right


def test_float32_tensors_are_a_route_to_the_stable_forms():
    from torch import as_tensor
    from torch.nn.functional import logsigmoid

    def loss(x, gamma):
        x = as_tensor(x)
        return (gamma * logsigmoid(-x)).exp() * -logsigmoid(x)

    assert fresh("lesson_09.stable_focal_loss").check(loss).right
    question = fresh("lesson_09.stable_log_sigmoid")
    assert question.check(lambda x: logsigmoid(as_tensor(x))).right
    assert fresh("lesson_04.p_t").check(lambda z, t: z.softmax(0)[t]).right


def of_one_number(x):
    return np.minimum(x, 0) - np.log1p(np.exp(-abs(float(x))))


def by_if(x):
    return np.log1p(np.exp(-x)) * -1 if x > 0 else x - np.log1p(np.exp(x))


@pytest.mark.parametrize(
    ("function", "said"), [(of_one_number, "`float`"), (by_if, "`np.where`")]
)
def test_what_stops_a_right_function_on_arrays_is_said(function, said):
    feedback = fresh("lesson_09.stable_log_sigmoid").check(function)
    assert feedback.right is False
    assert "right one at a time" in feedback.message
    assert said in feedback.message


# Right answers that rounding, a setting that is one number, or a bin's edge
# once made wrong.
def paired_in_float32(these, those):
    import torch

    apart = torch.tensor(these - those, dtype=torch.float32)
    return apart.mean(), apart.std() / len(apart) ** 0.5


def paired_by_covariance(these, those):
    c = np.cov(these, those)
    error = (c[0, 0] + c[1, 1] - 2 * c[0, 1]) / len(these)
    return np.mean(these) - np.mean(those), error**0.5


def closed_on_the_right(confidence, right):
    total = 0
    for b in range(10):
        inside = (confidence > b / 10) & (confidence <= (b + 1) / 10)
        total += abs(np.sum((right - confidence)[inside]))
    return total / len(right)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("05.mean_and_error", paired_in_float32),
        ("05.mean_and_error", paired_by_covariance),
        ("08.ece", closed_on_the_right),
        ("03.alpha_t", lambda y, alpha: np.array([1 - alpha, alpha])[y]),
    ],
)
def test_a_right_answer_is_not_refused_for_its_rounding(name, answer):
    feedback = fresh(f"lesson_{name}").check(answer)
    assert feedback.right, feedback


def test_every_line_of_a_fault_is_an_answer():
    for name in ("lesson_09.late_rounding", "lesson_10.upstream"):
        feedback = fresh(name).check(1)
        assert feedback.message == "That line is as it should be."


@pytest.mark.parametrize("answer", [0.15, 0.2, 0.12])
def test_a_guess_is_not_taken_for_a_habit(answer):
    message = fresh("lesson_04.lowest_right").check(answer).message
    assert message == f"{answer} is too high."
    message = fresh("lesson_09.clipped_slope").check(-1e-7).message
    assert message == "-1e-07 is too low."


def test_a_prediction_may_be_any_number():
    import torch

    question = fresh("lesson_02.lost")
    two_thirds = (2 / 3, Fraction(2, 3), np.float32(0.667))
    for answer in (*two_thirds, torch.tensor(0.6667)):
        assert question.check(answer).right
