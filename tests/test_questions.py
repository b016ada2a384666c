"""The page of questions names sections that are there."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PAGE = " ".join((ROOT / "book/questions.md").read_text().split())
NAMED = re.findall(r'"([^"]+)"\]\(\.\./notebooks/([\w]+)\.ipynb\)', PAGE)


@pytest.mark.parametrize(("section", "lesson"), NAMED)
def test_a_section_that_is_named_is_there(section, lesson):
    cells = nbformat.read(ROOT / f"notebooks/{lesson}.ipynb", 4).cells
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    headings = re.findall(r"^###? (.+)$", prose, re.M)
    assert any(heading.startswith(section) for heading in headings)


def test_every_question_is_answered_briefly():
    questions = re.findall(r"\*\*[^*]+[.?]\*\* (.+?)(?=\*\*|## |$)", PAGE)
    assert len(questions) >= 24
    for answer in questions:
        said = re.sub(r"\[[^\]]*\]\([^)]*\)( and)?\.?", "", answer)
        assert 1 <= len(re.findall(r"[.?:](?: |$)", said)) <= 5, answer
