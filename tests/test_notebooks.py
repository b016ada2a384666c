"""What nbval does not see: stale outputs, wrong numbers in the prose,
figures without words, cells that are too long."""

import ast
import re
import tomllib
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CITED = tomllib.loads((Path(__file__).parent / "cited.toml").read_text())
SECTIONS = ("**You will be able to**", "## What you saw", "## Sources")
STRAY = re.compile(r" at 0x[0-9a-f]+>|^\[?<|^Text\(|^np\.float64\(", re.M)

NUMBER = re.compile(r"(?<![\w.])\d*\.?\d+(?:e[+-]?\d+)?(?![\w])")
NOT_A_NUMBER = re.compile(
    r"\]\([^)]*\)"  # where a link leads
    r"|arXiv:\d+\.\d+"
    r"|(?:[Ss]ections?|§) \d+\.\d+(?:(?:,| and) \d+\.\d+)*"
    r"|\\,"  # a thin space, as in 100\,000
)

every_lesson = pytest.mark.parametrize(
    "path", LESSONS, ids=[path.stem for path in LESSONS]
)


def cells(path, kind):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def printed(path):
    """All text that a notebook's outputs hold."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in cells(path, "code")
        for output in cell.outputs
    )


def numbers(text):
    text = NOT_A_NUMBER.sub(" ", text).replace("−", "-")
    return [Decimal(match) for match in NUMBER.findall(text)]


def shows(output, stated):
    """Whether an output number rounds to the stated one, digits and all."""
    places = stated.as_tuple().exponent
    return (
        output.as_tuple().exponent <= places
        and output.quantize(Decimal(1).scaleb(places)) == stated
    )


def silent(cell):
    """Whether a cell's source says that it shows nothing."""
    body = ast.parse(cell.source).body
    run = [n for n in body if not isinstance(n, ast.FunctionDef)]
    prints = any("print(" in ast.unparse(node) for node in run)
    return not prints and not isinstance(body[-1], ast.Expr)


def test_there_are_lessons():
    names = [path.stem[:2] for path in LESSONS]
    assert names[:4] == ["00", "01", "02", "03"]
    assert names == sorted(set(names))


@every_lesson
def test_is_one_clean_run(path):
    code = cells(path, "code")
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1))
    for cell in code:
        tagged = "nbval-ignore-output" in cell.metadata.get("tags", [])
        assert tagged or bool(cell.outputs) != silent(cell), cell.source
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


@every_lesson
def test_numbers_in_the_prose_are_printed_or_cited(path):
    prose = "\n".join(cell.source for cell in cells(path, "markdown"))
    outputs = numbers(printed(path))
    cited = filter(NUMBER.fullmatch, CITED.get(path.stem, {}))
    cited = {Decimal(key) for key in cited}
    stated = {n for n in numbers(prose) if n.as_tuple().exponent < 0}
    missing = [
        str(number)
        for number in sorted(stated - cited)
        if not any(shows(output, number) for output in outputs)
    ]
    assert missing == []
    assert cited <= stated, "a cited number that the prose does not state"


@every_lesson
def test_figures_have_alt_text_and_a_sentence(path):
    notebook = nbformat.read(path, as_version=4)
    pairs = zip(notebook.cells, [*notebook.cells[1:], None], strict=True)
    for cell, after in pairs:
        shown = [
            output
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        assert len(shown) <= 1
        for output in shown:
            assert len(output.metadata["image/png"]["alt"]) > 40
            assert after.cell_type == "markdown", cell.source


@every_lesson
def test_each_prediction_has_a_cell_to_answer_in(path):
    notebook = nbformat.read(path, as_version=4).cells
    for cell, after in pairwise(notebook):
        asked = cell.source.count("**Predict.**")
        assert asked <= 1, cell.source
        assert not asked or ".check(" in after.source, cell.source


@every_lesson
def test_prose_is_read_as_it_is_meant(path):
    """A line that a wrap made begin with "2." is a list of its own, and one
    in a quotation that continues a formula puts the ">" into it."""
    for cell in cells(path, "markdown"):
        items = re.findall(r"^[ >]*(\d+)[.)](?=\s)", f"{cell.source}\n", re.M)
        for before, item in pairwise([0, *map(int, items)]):
            assert item in (1, before + 1), cell.source
        prose = re.sub(r"\$\$.*?\$\$|`[^`]*`", "", cell.source, flags=re.S)
        formulas = re.findall(r"\$([^$]+)\$", prose)
        assert not [f for f in formulas if "\n>" in f], cell.source


@every_lesson
def test_cells_are_short_and_leave_no_stray_output(path):
    for cell in cells(path, "code"):
        assert len(cell.source.splitlines()) <= 20, cell.source
        assert not cell.source.lstrip().startswith(("!", "%"))
        assert "filterwarnings" not in cell.source
        for output in cell.outputs:
            text = output.get("data", {}).get("text/plain", "")
            assert not STRAY.search(text), text


@every_lesson
def test_median_cell_is_five_lines_or_fewer(path):
    lengths = sorted(len(c.source.splitlines()) for c in cells(path, "code"))
    assert lengths[(len(lengths) - 1) // 2] <= 5


@every_lesson
def test_has_the_shape_of_a_lesson(path):
    prose = [cell.source for cell in cells(path, "markdown")]
    assert prose[0].startswith(f"# {path.stem[:2]} · ")
    for section in SECTIONS:
        assert sum(section in cell for cell in prose) == 1, section
    assert path.stat().st_size < 750_000


def test_the_checks_can_fail():
    assert shows(Decimal("976.5625"), Decimal("976.56"))
    assert shows(Decimal("1.05361e-03"), Decimal("0.00105361"))
    assert not shows(Decimal("0.3"), Decimal("0.30"))
    assert not shows(Decimal("976.56"), Decimal("976.57"))
    assert numbers("γ = .5, section 3.2, [x](a0.1.md), 1.5 %") == [
        Decimal(".5"),
        Decimal("1.5"),
    ]
