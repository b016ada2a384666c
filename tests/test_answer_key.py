"""The teacher's key and the table of homework."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_exercises import QUESTIONS, fresh, of_kind

from focal_edu.exercises import hand_in
from focal_edu.exercises.questions import Question

TOOLS = Path(__file__).parents[1] / "tools"


def tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page():
    return tool("answer_key").key()


@of_kind(Question)
def test_the_key_holds_every_question(name, page):
    question = QUESTIONS[name]
    title = f"## {name.split('.')[0].removeprefix('lesson_')} · "
    if title not in page:
        pytest.skip("the questions are here before their lesson")
    part = page.split(title)[1].split("\n## ")[0]
    part = part.split(f"### {name.split('.')[1]}\n")[1].split("\n### ")[0]
    assert re.match(r"\n>? ?\*\*(Predict|Exercise|Find the fault)", part)
    for text in (question.answer, question.why, *question.hints):
        assert text in part
    for reply in question.replies:
        assert reply in part


def test_homework_at_a_glance(tmp_path):
    names = [n for n in QUESTIONS if n.startswith("lesson_01.")]
    for student in ("ada", "bo"):
        questions = {n.split(".")[1]: fresh(n) for n in names}
        module = SimpleNamespace(__name__="x.lesson_01", **questions)
        module.largest_loss.check("a")
        if student == "ada":
            module.largest_loss.check("d")
            module.p_t.solution()
        hand_in(module, tmp_path / f"{student}.csv")
    homework = tool("homework")
    of_class = homework.marks(tmp_path)["lesson_01"]
    assert of_class["ada"]["largest_loss"] == "2"
    assert of_class["bo"]["largest_loss"] == "-1"
    assert of_class["ada"]["p_t"] == ".s" and of_class["bo"]["p_t"] == "."
    head, *rows = homework.table(of_class).splitlines()
    assert head.split() == list(questions)
    assert [row.split()[0] for row in rows] == ["ada", "bo"]
