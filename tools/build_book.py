"""Make pages of the lessons: what Sphinx reads, then the book itself.

Nothing is executed: the pages show the outputs that the notebooks hold. A
moving picture stands in a page as its still with its specification; an
exercise as a question with folded hints; the navigation has the short titles
of the README's tables.
"""

import ast
import html
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from string import Template

import nbformat
from links import addresses
from npm_files import browser_file, package

from focal_edu.explore import moving_picture
from focal_edu.explore.moving import VEGA_LITE

BOOK = Path("book")
GUIDE = Path("notebooks/teach/README.md")
EXERCISES = re.compile(r"from focal_edu.exercises import (lesson_\d+) as ex")
PART = re.compile(r"### (.+)\n\n((?:\|.*\n)+)")
ROW = re.compile(
    r"\| \[(.+?)\]\(notebooks/(.+?)\.ipynb\) \| (.+?) \| (\d+) \|"
)


FOLD_LABEL = ' aria-label="Toggle hidden content"'


def build(site, run, stage):
    """Write the book into the folder `site`, from what is put in `stage`.

    `run` says of each lesson's file name where its page is run, and in a
    few words how: {name: (address, words)}.
    """
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(BOOK, stage)
    for lesson in sorted(Path("notebooks").glob("[0-9]*.ipynb")):
        page = stage / lesson
        page.parent.mkdir(exist_ok=True)
        nbformat.write(as_page(nbformat.read(lesson, 4), stage), page)
    guide = stage / GUIDE
    guide.parent.mkdir()
    guide.write_text(GUIDE.read_text())
    for page in stage.glob("*.md"):  # beside notebooks here, below it there
        page.write_text(page.read_text().replace("](../", "]("))
    front = stage / "index.md"
    front.write_text(front_page(front.read_text(), run, stage))
    vendor(stage / "static")
    pages = {f"notebooks/{Path(name).stem}": run[name] for name in run}
    pages["index"] = run[min(run)]
    titles = {
        f"{file}.html": short
        for short, file, _, _ in ROW.findall(Path("README.md").read_text())
    }
    source = addresses()["source"]
    known = {"source": source, "run": pages, "titles": titles}
    (stage / "pages.json").write_text(json.dumps(known))
    made = stage / "made" / "html"  # myst-nb leaves a folder beside it
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    subprocess.run([*sphinx, ".", made], cwd=stage, check=True)
    shutil.copytree(made, site, dirs_exist_ok=True)
    tidy(site)


def front_page(text, run, stage):
    """The front page with its picture, addresses and parts filled in."""
    parts = PART.findall(Path("README.md").read_text())
    found = addresses()
    data, metadata = moving_picture("batch_share")._repr_mimebundle_()
    picture = moving(data, metadata, stage, "_static")
    return Template(text).substitute(
        picture=f"```{{raw}} html\n{picture}\n```",
        lite=run[min(run)][0],
        binder=found["binder"](min(run)),
        source=found["source"],
        parts="\n".join(part(*one) for one in parts),
    )


def part(title, table):
    """A part of the front page: its lessons with their minutes."""
    rows = ROW.findall(table)
    if not rows:
        return ""
    name = title.split(":")[0]
    lines = [f"## {title}", "", "| lesson | you find out | minutes |"]
    lines += ["| --- | --- | --- |"]
    lines += [
        f"| [{short}](notebooks/{file}.ipynb) | {words} | {minutes} |"
        for short, file, words, minutes in rows
    ]
    lines += ["", "```{toctree}", ":hidden:", f":caption: {name}", ""]
    lines += [f"{short} <notebooks/{file}>" for short, file, _, _ in rows]
    return "\n".join([*lines, "```", ""])


def as_page(notebook, stage):
    """A lesson as the book shows it; its stills go to the stage."""
    source = addresses()["source"]
    exercises = None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(
                r"\]\(\.\./(?!.*ipynb)", f"]({source}/blob/HEAD/", cell.source
            )
            continue
        if found := EXERCISES.search(cell.source):
            exercises = import_module(f"focal_edu.exercises.{found[1]}")
        if cell.source.lstrip().startswith(("import", "from")):
            cell.metadata["tags"] = ["hide-input"]
        if asked := question(cell.source, exercises):
            cell.cell_type, cell.source = "markdown", asked
            del cell["outputs"], cell["execution_count"]
            continue
        cell.outputs = [shown(o, cell, stage) for o in cell.outputs]
    return notebook


def shown(output, cell, stage):
    """An output as the book shows it; alt text goes to the cell."""
    data = output.get("data", {})
    if VEGA_LITE in data:
        told = moving(data, output.metadata, stage, "../_static")
        return nbformat.v4.new_output("display_data", {"text/html": told})
    if "image/png" in data:
        alt = output.metadata["image/png"]["alt"]
        cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return output


def moving(data, metadata, stage, static):
    """A moving picture in HTML: its still, and what to draw in its place."""
    still = b64decode(data["image/png"])
    name = f"{sha256(still).hexdigest()[:12]}.png"
    (stage / "static" / name).write_bytes(still)
    told = metadata["image/png"]
    size = f'width="{told["width"]}" alt="{html.escape(told["alt"])}"'
    drawn = json.dumps(data[VEGA_LITE], ensure_ascii=False)
    drawn = drawn.replace("</", r"<\/")
    return (
        f'<div class="moving-picture"><img src="{static}/{name}" {size}>'
        f'<script type="{VEGA_LITE}">{drawn}</script></div>'
    )


def question(source, exercises):
    """An exercise's cell as a question with folded hints, in HTML."""
    last = ast.parse(source).body[-1]
    said = ast.unparse(last)
    found = re.fullmatch(r"ex\.(\w+)\.check\(.*\)", said, re.DOTALL)
    if exercises is None or not found:
        return None
    asked = getattr(exercises, found[1])
    start = source.rstrip().removesuffix(said).strip()
    code = f"<pre>{html.escape(start)}</pre>" if start else ""
    waits = asked.waits_for[0].upper() + asked.waits_for[1:]
    waits = f"<p>{in_html(waits)}</p>"
    if asked.listing:
        waits += f"<pre>{html.escape(asked.listing)}</pre>"
    hints = "".join(
        f"<details><summary>Hint {number}</summary>"
        f"<p>{in_html(hint)}</p></details>"
        for number, hint in enumerate(asked.hints, 1)
    )
    body = f'<div class="exercise">{code}{waits}{hints}</div>'
    return f"```{{raw}} html\n{body}\n```"


def tidy(site):
    """Take out an icon library, of which style.css has the few that show,
    and a label that hides what a fold says from those who listen."""
    asks = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")
    for page in [*site.glob("*.html"), *site.glob("notebooks/**/*.html")]:
        text = asks.sub("", page.read_text())
        page.write_text(text.replace(FOLD_LABEL, ""))
    for unused in (site / "_static").rglob("*.map"):
        unused.unlink()
    for unused in (site / "_static" / "scripts").glob("fontawesome*"):
        unused.unlink()


def in_html(text):
    return re.sub("`(.*?)`", r"<code>\1</code>", html.escape(text, False))


def vendor(static):
    """Copy what draws pictures and equations beside the book's own files."""
    for name in ("vega", "vega-lite", "vega-embed"):
        shutil.copy(browser_file(name), static)
    katex = static / "katex"
    katex.mkdir()
    dist = package("katex") / "dist"
    for file in ("katex.min.js", "katex.min.css"):
        shutil.copy(dist / file, katex)
    (katex / "fonts").mkdir()
    for font in dist.glob("fonts/*.woff2"):
        shutil.copy(font, katex / "fonts")
