"""Write the teacher's key: every question of the lessons on one page.

    python tools/answer_key.py notebooks/teach/key.md

What is asked comes from the notebooks; answers, likely wrong answers with
what is said to them, and hints come from `focal_edu.exercises`.
"""

import re
import sys
from importlib import import_module
from pathlib import Path

import nbformat

from focal_edu import exercises
from focal_edu.exercises.feedback import questions_of
from focal_edu.exercises.questions import FunctionToWrite

ROOT = Path(__file__).parents[1]
BOX = re.compile(
    r"^>? ?\*\*(?:Predict|Exercise|Find the fault)\b.*?(?=\n\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


def key():
    """Return the page, as Markdown."""
    parts = [
        "# Key to the exercises\n\nMade by `make key`; not for students."
    ]
    for path in sorted(ROOT.glob("notebooks/[01][0-9]_*.ipynb")):
        name = f"{exercises.__name__}.lesson_{path.stem[:2]}"
        if (ROOT / f"{name.replace('.', '/')}.py").exists():
            parts += lesson(path, questions_of(import_module(name)))
    return "\n\n".join(parts) + "\n"


def lesson(path, questions):
    """Return the parts of the page that belong to one lesson."""
    cells = nbformat.read(path, as_version=4).cells
    parts = [f"## {cells[0].source.splitlines()[0].removeprefix('# ')}"]
    for name, question in questions.items():
        parts += [
            f"### {name}",
            asked(cells, name),
            f"**Answer.** {quoted(question.answer)}\n\n{question.why}",
            "**Likely wrong, and what is said.**",
            "\n".join(f"- {said}" for said in mistakes(question)),
            "**Hints.** " + " / ".join(question.hints),
        ]
    return parts


def asked(cells, name):
    """Return the box before the cell in which a question is answered."""
    prose = ""
    for cell in cells:
        if cell.cell_type == "code" and f"ex.{name}.check(" in cell.source:
            boxes = [m[0] for m in BOX.finditer(prose)]
            return boxes[-1] if boxes else "(see the notebook)"
        if cell.cell_type == "markdown":
            prose += f"\n\n{cell.source}"
    return "(not asked in the notebook)"


def mistakes(question):
    """Yield what is answered wrongly, with the reply; of a function the
    reply, which says what is wrong with it.
    """
    if isinstance(question, FunctionToWrite):
        yield from question.replies
        return
    choices = getattr(question, "choices", {})
    lines = getattr(question, "lines", None)
    for wrong, reply in question.wrong.items():
        if lines:
            yield f"line {wrong}, `{lines[wrong - 1].strip()}`: {reply}"
        elif choices:
            yield f"{wrong}, {choices[wrong]}: {reply}"
        else:
            yield f"{wrong:.4g}: {reply}"


def quoted(answer):
    """Return code as a block, and words as they are."""
    is_code = "\n" in answer or answer.lstrip("0123456789 ") != answer
    return f"\n\n```python\n{answer}\n```" if is_code else answer


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(key(), encoding="utf-8")
