"""Where a lesson's slides begin, and the decks that show them.

python tools/slides.py FOLDER notebooks/*.ipynb    write the decks
python tools/slides.py --mark notebooks/*.ipynb    write the slide types only

A section begins a slide, and its cells fill subslides from top to bottom.
What follows a question begins a new one, so that no answer stands beside it;
the options of a choice stand below theirs. No heading stands alone. What
serves a reader at a keyboard is skipped: imports, cells that wait for an
answer, the table of predictions, and the call that draws a figure.
"""

import ast
import posixpath
import re
import shutil
import sys
from copy import deepcopy
from pathlib import Path

import matplotlib
import nbformat
from links import addresses
from nbconvert.exporters import SlidesExporter
from npm_files import browser_file
from traitlets.config import Config

LINES = 17.5  # of prose that a slide has room for
COLUMNS = 80  # of prose
CODE = 0.85  # height of a line of code
FIGURE = 17
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")  # to a file
ASKS = re.compile(r"\*\*(Predict|Exercise)\.\*\*|^ex\.\w+$")  # or a fault
KEYBOARD = re.compile(r"The cells that end in `.check|## Your predictions")
FONTS = (  # Matplotlib's, so that a deck looks alike on every machine
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "LICENSE_DEJAVU",
)


def mark_slides(notebook):
    """Start a cell at each heading, and write each cell's slide type."""
    notebook.cells = [
        piece for cell in notebook.cells for piece in at_headings(cell)
    ]
    used, before, section = 0, None, ""
    for cell, shown in zip(notebook.cells, on_slides(notebook), strict=True):
        if re.match("##? ", cell.source):
            section = cell.source
        kind = "skip"
        if not (KEYBOARD.match(section) or KEYBOARD.match(cell.source)):
            kind = slide_type(shown, before, used)
        cell.metadata["slideshow"] = {"slide_type": kind}
        if kind != "skip":
            used = height(shown) + (used if kind == "-" else 0)
            before = shown


def on_slides(notebook):
    """The cells, each choice's options below the question before it."""
    shown = list(notebook.cells)
    for number, check in enumerate(notebook.cells):
        if options := options_of(check):
            question = deepcopy(shown[number - 1])
            question.source += "\n>" + "".join(f"\n> 1. {o}" for o in options)
            shown[number - 1] = question
    return shown


def options_of(cell):
    """The texts of a choice that waits for an answer."""
    if cell.cell_type == "markdown" or ".check(" not in cell.source:
        return []
    texts = (o.get("data", {}).get("text/plain", "") for o in cell.outputs)
    return re.findall(r"^[a-h]  (.+)$", "\n".join(texts), re.M)


def at_headings(cell):
    """A cell as cells in which a heading stands first or nowhere."""
    if cell.cell_type != "markdown":
        return [cell]
    return pieces(cell, re.split(r"\n+(?=##? )", cell.source))


def pieces(cell, sources):
    """Copies of a Markdown cell, one for each of the sources."""
    copies = [deepcopy(cell) for _ in sources]
    for number, (copy, source) in enumerate(
        zip(copies, sources, strict=True)
    ):
        copy.source = source
        if number:
            copy.id = f"{cell.id}-slide-{number + 1}"
    return copies


def slide_type(cell, before, used):
    """The type of a cell after `before` on a slide with `used` lines."""
    if before is None or re.match("##? ", cell.source):
        return "slide"
    if cell.cell_type == "code" and (
        is_set_up(cell) or ".check(" in cell.source
    ):
        return "skip"
    if re.fullmatch("##? .*", before.source):
        return "-"
    full = used + height(cell) > LINES
    return "subslide" if full or ASKS.search(before.source) else "-"


def height(cell):
    """About how many lines a cell takes on a slide."""
    if cell.cell_type == "markdown":
        return sum(map(block_height, cell.source.split("\n\n")))
    lines = len(cell.source.splitlines())
    outputs = sum(map(output_height, cell.outputs))
    return outputs + (0 if draws(cell) else CODE * lines + 0.7)


def block_height(block):
    """Lines of a paragraph, list, table, heading or displayed formula."""
    if block.startswith("|"):
        return 1.15 * len(block.splitlines())
    if block.startswith("#"):
        return 2 * -(-len(block) // 60)
    if block.startswith("$$"):
        return 1 + 1.5 * len(block.splitlines())
    items = re.split(r"\n(?:> )?(?=- |\d+\. )", block)
    return 0.7 + sum(-(-len(item) // COLUMNS) for item in items)


def draws(cell):
    """Whether a cell is one expression that shows a figure."""
    figures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    statements = ast.parse(cell.source).body
    return bool(figures) and [type(s) for s in statements] == [ast.Expr]


def output_height(output):
    if "image/png" in output.get("data", {}):
        return FIGURE
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return CODE * len(text.splitlines()) + 0.7


def is_set_up(cell):
    """Whether a cell imports and does nothing else."""
    tops = re.findall(r"^\w+", cell.source, re.M)
    return not cell.outputs and set(tops) <= {"from", "import"}


def split(cell):
    """A cell as pieces that each fit a slide, where one can be cut."""
    if height(cell) <= LINES:
        return [cell]
    if cell.cell_type == "markdown":
        parts = pieces(cell, pages(cell.source.split("\n\n")))
    elif cell.outputs:
        parts = [cell, deepcopy(cell)]
        parts[0].outputs = []
        parts[1].id += "-output"
        hide_source(parts[1])
    else:
        parts = [cell]
    for part in parts[1:]:
        part.metadata["slideshow"] = {"slide_type": "subslide"}
    return parts


def hide_source(cell):
    cell.metadata["transient"] = {"remove_source": True}


def pages(blocks):
    """The blocks put together again, as many as a slide takes each time."""
    result, used = [], LINES
    for block in blocks:
        used += block_height(block)
        if used > LINES:
            result.append(block)
            used = block_height(block)
        else:
            result[-1] += "\n\n" + block
    return result


def lead(link):
    """A link of a lesson's as a deck's: to a deck, or to the source."""
    target = link[1]
    if target.endswith(".ipynb") and "/" not in target:
        return f"]({target.removesuffix('.ipynb')}.html)"
    path = posixpath.normpath(f"notebooks/{target}")
    return f"]({addresses()['source']}/blob/HEAD/{path})"


def write_deck(path, folder):
    """Write one lesson's deck into `folder`, where its parts are."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [p for c in on_slides(notebook) for p in split(c)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lead, cell.source)
        elif draws(cell):
            hide_source(cell)
    config = Config()
    here = str(Path(__file__).parent)
    config.TemplateExporter.extra_template_basedirs = [here]
    config.CSSHTMLHeaderPreprocessor.style = "default"
    exporter = SlidesExporter(template_name="deck", config=config)
    page, _ = exporter.from_notebook_node(
        notebook, {"metadata": {"name": path.stem}}
    )
    (folder / f"{path.stem}.html").write_text(page)


def write_decks(folder, paths):
    """Write a deck for each lesson, and what the decks share."""
    folder.mkdir(exist_ok=True)
    shutil.copy(browser_file("mathjax"), folder / "mathjax.js")
    reveal = browser_file("reveal.js")
    for file in (reveal, reveal.with_suffix(".css")):
        shutil.copy(file, folder)
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    for name in FONTS:
        shutil.copy(fonts / name, folder)
    for path in paths:
        write_deck(path, folder)


def write_marks(path):
    """Write one notebook's slide types into it, and run nothing."""
    notebook = nbformat.read(path, as_version=4)
    mark_slides(notebook)
    nbformat.write(notebook, path)


def main(where, *notebooks):
    paths = [Path(name) for name in notebooks]
    if where == "--mark":
        for path in paths:
            write_marks(path)
    else:
        write_decks(Path(where), paths)


if __name__ == "__main__":
    main(*sys.argv[1:])
