"""The teacher's guide beside the lessons that it speaks of."""

import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from focal_edu import exercises
from focal_edu.exercises.feedback import questions_of
from focal_edu.exercises.questions import Fault, FunctionToWrite

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "notebooks" / "teach" / "README.md").read_text()
LESSONS = sorted((ROOT / "notebooks").glob("[01][0-9]_*.ipynb"))[1:]
ROW = re.compile(r"^\| (\d+|–) \| (.+?) \|(.*)\|$", re.M)

every_lesson = pytest.mark.parametrize(
    "path", LESSONS, ids=[path.stem for path in LESSONS]
)


def section(path):
    """What the guide says about a lesson."""
    heading = re.search(rf"^### {path.stem[:2]} .*$", GUIDE, re.M)
    text = GUIDE[heading.end() :]
    return text[: re.search(r"^##", text, re.M).start()]


def plan(path):
    """The rows of a lesson's plan: minutes, section, answers."""
    return ROW.findall(section(path))


def predictions(path):
    """How many predictions each section asks for."""
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    _, *sections = re.split(r"^## ", prose, flags=re.M)
    return {
        section.split("\n")[0]: section.count("**Predict.**")
        for section in sections
    }


def homework(path):
    """The minutes of a lesson's exercises, of each and of its last table."""
    text = section(path)
    line = re.search(
        r'Homework,\s(\d+)\sminutes:(.*?)"Your\spredictions"\s(\d+)\.',
        text,
        re.S,
    )
    assert line, 'Homework, 12 minutes: `name` 9; "Your predictions" 3.'
    each = dict(re.findall(r"`(\w+)`\s(\d+)", line[2]))
    return int(line[1]), each, int(line[3])


@every_lesson
def test_the_minutes_are_the_same_everywhere(path):
    """Reading, without the exercises; then these."""
    start = nbformat.read(path.parent / "00_start_here.ipynb", as_version=4)
    first = nbformat.read(path, as_version=4).cells[0].source
    reading = re.search(r"Reading (\d+) minutes", first)[1]
    exercises, _, _ = homework(path)
    readme = (ROOT / "README.md").read_text()
    for text in (readme, "\n".join(cell.source for cell in start.cells)):
        row = re.search(rf"^\| \[{path.stem[:2]} .*$", text, re.M)[0]
        row = row.replace(" min |", " |")
        assert row.endswith(f"| {reading} | {exercises} |")


@every_lesson
def test_a_plan_takes_fifty_minutes(path):
    if rows := plan(path):
        assert sum(int(row[0]) for row in rows if row[0] != "–") == 50


@every_lesson
def test_each_section_is_planned_and_each_prediction_answered(path):
    rows = plan(path)
    if not rows:
        pytest.skip("planned in prose, before it was written")
    asked = predictions(path)
    del asked["Sources"]
    planned = {name: answers for _, name, answers in rows}
    assert planned.pop("opening", None) is not None
    assert list(planned) == list(asked)
    for name, count in asked.items():
        assert planned[name].count("Predict:") == count, name


@every_lesson
def test_the_sections_that_beliefs_point_to_are_there(path):
    beliefs = GUIDE.split("## What students believe")[1].split("\n## ")[0]
    number = path.stem[:2]
    named = re.findall(rf'{number},\s+"([^"]+)"', beliefs)
    cells = nbformat.read(path, as_version=4).cells
    headings = re.findall(
        r"^###? (.+)$", "\n".join(cell.source for cell in cells), re.M
    )
    for name in named:
        assert re.sub(r"\s+", " ", name) in headings, name


@every_lesson
def test_homework_names_each_exercise_and_its_minutes(path):
    """What is written or searched for; choices are made in class."""
    lesson = f"lesson_{path.stem[:2]}"
    if not (Path(exercises.__file__).parent / f"{lesson}.py").exists():
        pytest.skip("a lesson without exercises")
    module = import_module(f"{exercises.__name__}.{lesson}")
    own = [
        name
        for name, question in questions_of(module).items()
        if isinstance(question, FunctionToWrite | Fault)
    ]
    total, each, looking_back = homework(path)
    assert list(each) == own
    assert total == sum(map(int, each.values())) + looking_back
