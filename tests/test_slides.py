"""The decks that `make slides` writes, in a browser without a network."""

import os
import re
import shutil
import sys
from copy import deepcopy
from importlib import import_module
from pathlib import Path

import matplotlib
import nbformat
import pytest

from focal_edu.exercises.feedback import questions_of
from focal_edu.exercises.questions import Choice

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECTOR = {"width": 853, "height": 480}  # 1280 × 720 zoomed to 150 %
TYPE = 11 * 96 / 72  # pixels: 11 points, the smallest in a figure

every_lesson = pytest.mark.parametrize(
    "path", LESSONS, ids=[path.stem for path in LESSONS]
)

STIX = f"""<fontconfig>
<dir>{matplotlib.get_data_path()}/fonts/ttf</dir>
<selectfont><rejectfont><glob>*DejaVu*</glob></rejectfont></selectfont>
</fontconfig>"""
every_font_set = pytest.mark.parametrize(
    "chromium", [None, STIX], indirect=True, ids=["own-fonts", "stix"]
)

SHOWN = """() => {
    const slide = Reveal.getCurrentSlide();
    const shown = [...slide.querySelectorAll(':not(mjx-assistive-mml *)')]
        .filter(element => element.checkVisibility())
        .map(element => element.getBoundingClientRect())
        .filter(box => box.width && box.height);
    return {
        text: slide.innerText,
        left: Math.min(...shown.map(box => box.left)),
        right: Math.max(...shown.map(box => box.right)),
        top: Math.min(...shown.map(box => box.top)),
        bottom: Math.max(...shown.map(box => box.bottom)),
        cut: [...slide.querySelectorAll('pre')].filter(
            text => text.scrollWidth > text.clientWidth).length,
        zoom: Number(slide.style.zoom),
        figures: [...slide.querySelectorAll('img')].map(
            image => image.getBoundingClientRect().width
                / image.getAttribute('width') / Reveal.getScale()),
    };
}"""


@pytest.fixture(scope="module")
def slides():
    """The module that marks the cells and writes the decks."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import slides
    finally:
        sys.path.pop(0)
    return slides


@pytest.fixture(scope="module")
def decks(slides, tmp_path_factory):
    """A folder with a deck for each lesson."""
    if shutil.which("npm") is None:
        reason = "needs npm (apt-get install npm)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slides")
    slides.write_decks(folder, LESSONS)
    return folder


def show_each(page, deck):
    """What each slide shows, one after the other."""
    page.set_viewport_size(PROJECTOR)
    page.goto(deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    for _ in range(page.evaluate("Reveal.getTotalSlides()")):
        yield page.evaluate(SHOWN)
        page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.isLastSlide()")


@every_font_set
@every_lesson
def test_slides_fit_and_ask_nothing_of_the_network(page, decks, path):
    seen = []
    for shown in show_each(page, decks / f"{path.stem}.html"):
        assert shown["left"] >= 0, shown
        assert shown["top"] >= 0, shown
        assert shown["right"] <= PROJECTOR["width"], shown
        assert shown["bottom"] <= PROJECTOR["height"], shown
        assert not shown["cut"], shown
        assert shown["zoom"] >= 0.8, shown
        for scale in shown["figures"]:
            assert TYPE * scale >= 720 / 45, shown
        assert shown["text"] or shown["figures"]
        seen.append(shown["text"])
    assert len(set(seen)) > 5
    fonts = page.evaluate("[...document.fonts].map(font => font.status)")
    assert fonts.count("loaded") > 2 and "error" not in fonts
    assert page.locator("mjx-container").count()
    assert all(
        len(image.get_attribute("alt")) > 40
        for image in page.locator("img").all()
    )
    assert not page.locator("mjx-merror, [data-mjx-error]").count()
    for link in page.locator(".slides a[href]").all():
        target = link.get_attribute("href").partition("#")[0]
        https = target.startswith("https://")
        assert https or (decks / target).exists(), target
    assert page.faults == []


def test_what_is_too_wide_is_made_smaller(page, slides, decks):
    """Formula, listing and table of twice the room, in fonts of any width."""
    formula = "$$" + " + ".join("abcdefghijklmnopqrstuvwxyz" * 2) + "$$"
    row = "|".join(["a_long_word"] * 12)
    table = f"|{row}|\n|{'-|' * 12}\n|{row}|"
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(formula),
            nbformat.v4.new_code_cell("long_line = " + "x + " * 40 + "x"),
            nbformat.v4.new_markdown_cell(table),
        ]
    )
    slides.mark_slides(notebook)
    nbformat.write(notebook, decks / "wide.ipynb")
    slides.write_deck(decks / "wide.ipynb", decks)
    page.add_init_script(
        """addEventListener("DOMContentLoaded", () => {
            const style = document.createElement("style");
            style.textContent = "* { letter-spacing: 1.5px; }";
            document.head.append(style);
        })"""
    )
    for shown in show_each(page, decks / "wide.html"):
        assert shown["right"] <= PROJECTOR["width"], shown
        assert not shown["cut"], shown


@every_lesson
def test_the_metadata_is_what_the_rule_says(slides, path, tmp_path):
    copy = shutil.copy(path, tmp_path)
    slides.main("--mark", copy)
    assert Path(copy).read_bytes() == path.read_bytes(), (
        "python tools/slides.py --mark notebooks/*.ipynb"
    )


@every_lesson
def test_no_answer_beside_its_question(slides, path):
    notebook = nbformat.read(path, as_version=4)
    slides.mark_slides(notebook)
    asked = False
    for cell in notebook.cells:
        kind = cell.metadata.slideshow.slide_type
        if kind in ("slide", "subslide"):
            asked = False
        assert not (asked and kind == "-"), cell.source
        asked = asked or re.search(
            r"\*\*(Predict|Exercise)\.\*\*|^ex\.\w+$", cell.source
        )


@every_lesson
def test_a_choice_has_its_options_below_it_and_no_more(slides, path):
    lesson = f"focal_edu.exercises.lesson_{path.stem[:2]}"
    if not (ROOT / lesson.replace(".", "/")).with_suffix(".py").exists():
        pytest.skip("a lesson without exercises")
    choices = {
        name: question
        for name, question in questions_of(import_module(lesson)).items()
        if isinstance(question, Choice)
    }
    notebook = nbformat.read(path, as_version=4)
    before = [cell.source for cell in notebook.cells]
    for number, shown in enumerate(slides.on_slides(notebook)):
        added = shown.source.removeprefix(before[number])
        if not added:
            continue
        check = re.match(r"ex\.(\w+)\.check\(", before[number + 1])
        options = choices.pop(check[1]).choices.values()
        assert added == "\n>" + "".join(f"\n> 1. {o}" for o in options)
        question = before[number].rpartition("\n\n")[2]
        assert question.startswith("> **")
        assert slides.split(shown)[-1].source.endswith(question + added)
    assert not choices


def test_a_keyboard_s_cells_are_on_no_slide(slides):
    sources = ["# T\n\na", "The cells that end in `.check(...)` are yours."]
    sources += ["## Your predictions", "Look again.", "## What you saw\n\nb"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(source) for source in sources]
    )
    slides.mark_slides(notebook)
    kinds = [cell.metadata.slideshow.slide_type for cell in notebook.cells]
    assert kinds == ["slide", "skip", "skip", "skip", "slide"]


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        ("figures.one(\n    1,\n)", True),
        ("a = 1\nfigures.one(a)", False),
        ("figure = figures.one(1)", False),
    ],
)
def test_a_call_that_only_draws_is_hidden(slides, source, hidden):
    png = nbformat.v4.new_output("display_data", {"image/png": ""})
    cell = nbformat.v4.new_code_cell(source, outputs=[png])
    assert slides.draws(cell) is hidden
    cell.outputs = []
    assert not slides.draws(cell)


def test_a_heading_starts_a_cell_and_a_slide(slides):
    cell = nbformat.v4.new_markdown_cell("# T\n\na\n\n## One\n\nb\n## Two\nc")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    slides.mark_slides(notebook)
    sources = [cell.source for cell in notebook.cells]
    assert sources == ["# T\n\na", "## One\n\nb", "## Two\nc"]
    kinds = {cell.metadata.slideshow.slide_type for cell in notebook.cells}
    assert kinds == {"slide"}
    once = deepcopy(notebook)
    slides.mark_slides(notebook)
    assert notebook == once
    nbformat.validate(notebook)


def test_a_long_section_goes_on_below_and_imports_are_skipped(slides):
    code = [
        nbformat.v4.new_code_cell(source)
        for source in ("import a\nfrom b import (\n    c,\n)", "x = 1\n" * 15)
    ]
    text = nbformat.v4.new_markdown_cell("## One\n\n" + "word " * 60)
    notebook = nbformat.v4.new_notebook(cells=[text, *code])
    slides.mark_slides(notebook)
    kinds = [cell.metadata.slideshow.slide_type for cell in notebook.cells]
    assert kinds == ["slide", "skip", "subslide"]


def test_pieces_lose_no_word(slides):
    blocks = [f"{number} " + "word " * 150 for number in range(9)]
    cell = nbformat.v4.new_markdown_cell("\n\n".join(blocks))
    parts = slides.split(cell)
    assert len(parts) > 2
    assert "\n\n".join(part.source for part in parts) == cell.source
    assert all(slides.height(part) <= slides.LINES for part in parts)
