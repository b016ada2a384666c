"""The site without a server: in Chromium each lesson runs, up to where it
needs PyTorch, and prints the numbers that its committed outputs hold.

FOCAL_PYODIDE_CDN names a folder made by tools/pyodide_mirror.py, from which
requests to Pyodide's CDN are answered; without it the lessons are not run,
which under CI is a failure. `-s` shows the timings.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
from lab_page import (
    CELLS,
    IDLE,
    MOVING,
    Stopwatch,
    choose,
    errors,
    move,
    read_through,
    stop_kernel,
    wait_until_run,
)
from test_links import relative_links

ROOT = Path(__file__).parents[1]
LESSONS = sorted(path.name for path in ROOT.glob("notebooks/[0-9]*.ipynb"))
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# What an environment's versions print is its own.
OWN = ("version(", "get_device_name(")
# Runs the cells that it reads where PyTorch cannot be imported.
WITHOUT_PYTORCH = """
import json, sys

class Refuse:
    def find_spec(name, *_):
        if name.partition(".")[0] == "torch":
            raise ImportError("this cell needs PyTorch")

sys.meta_path.insert(0, Refuse)

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell()
for source in json.load(sys.stdin):
    shell.run_cell(source).raise_error()
"""


@pytest.fixture(scope="module")
def site(serve):
    """The address of a site built now from the lessons as they are."""
    build = [sys.executable, "tools/build_site.py"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return serve(ROOT / "_site")


@pytest.fixture
def reader(page):
    """The page, with Pyodide's CDN answered from a folder."""
    folder = os.environ.get("FOCAL_PYODIDE_CDN")
    if folder is None:
        reason = "FOCAL_PYODIDE_CDN names no copy of Pyodide's CDN"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def answer(route):
        file = Path(folder, route.request.url.rpartition("/")[2])
        if not file.exists():
            page.faults.append(f"{file.name} is not in FOCAL_PYODIDE_CDN")
            return route.abort()
        kind = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return route.fulfill(path=file, content_type=kind.get(file.suffix))

    page.context.route("https://cdn.jsdelivr.net/pyodide/**", answer)
    return page


def parts(name):
    """A lesson's cells, before and from the first that needs PyTorch.

    It says `import torch`, not in a try; without code before it the first
    part is empty.
    """
    notebook = json.loads((ROOT / "notebooks" / name).read_text())
    cells = notebook["cells"]
    for end, cell in enumerate(cells):
        for line in cell["source"]:
            if line.startswith(("import torch", "from torch")):
                end *= any(c["cell_type"] == "code" for c in cells[:end])
                return cells[:end], cells[end:]
    return cells, []


@pytest.mark.parametrize("name", [n for n in LESSONS if all(parts(n))])
def test_first_part_runs_without_pytorch(name):
    code = [c for c in parts(name)[0] if c["cell_type"] == "code"]
    subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTORCH],
        input=json.dumps(["".join(cell["source"]) for cell in code]),
        text=True,
        cwd=ROOT,
        check=True,
    )


def test_each_page_leads_to_where_its_lesson_runs(page, site):
    for name in LESSONS:
        here = f"{site}/notebooks/{Path(name).stem}.html"
        page.goto(here)
        run = page.get_by_role("link", name="Run this page")
        target = run.get_attribute("href")
        assert name in target
        elsewhere = target.startswith("https://mybinder.org/")
        first, rest = parts(name)
        assert elsewhere == (not first), "what do its imports load?"
        assert ("PyTorch" in run.inner_text()) == bool(rest)
        assert elsewhere or page.request.get(urljoin(here, target)).ok
    assert page.faults == []


def test_relative_links_lead_to_files_of_the_site(page, site):
    for name in LESSONS:
        for path, _ in relative_links(f"notebooks/{name}"):
            assert page.request.get(f"{site}/lite/files/{path}").ok, path


def test_pictures_move_where_no_kernel_ever_started(page, site):
    page.goto(f"{site}/lite/lab/index.html?path=notebooks/{LESSONS[0]}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context")
    picture = page.locator(MOVING)
    picture.first.wait_for()
    for slider in picture.locator("input[type=range]").all():
        move(page, slider)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson(reader, site, name):
    page, (first, rest) = reader, parts(name)
    stop = len(first) + bool(first) + 1  # after what fetches, and the words
    clock = Stopwatch()
    page.goto(f"{site}/lite/lab/index.html?path=notebooks/{name}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context")
    page.wait_for_function(IDLE, timeout=120_000)
    ready = clock()
    if rest:
        words = page.locator(".jp-Notebook .jp-Cell").nth(stop - 1)
        words.scroll_into_view_if_needed()
        link = words.get_by_role("link", name="Binder")
        assert "mybinder.org" in link.get_attribute("href")
    choose(page, "Edit", "Clear Outputs of All Cells")
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(f"({CELLS})().some(c => c.ran)", timeout=120_000)
    started = clock()
    cells = wait_until_run(page, seconds=900)
    print(
        f"\n{name}: kernel {ready:.1f} s, first cell {started:.1f} s, "
        f"all cells {clock():.1f} s"
    )
    if rest:
        (said,) = errors(cells)
        assert "see above" in said
        assert not any(cell["ran"] for cell in cells[stop + 1 :])
        cells = cells[: stop - 1]
    assert errors(cells) == []
    for now, before in zip(cells[1:], first, strict=True):
        if not any(word in now["source"] for word in OWN):
            assert numbers(now) == numbers(before), now["source"]
    if rest:
        return
    stop_kernel(page)
    for slider in read_through(page, cells):
        move(page, slider)
    assert page.faults == []


def numbers(cell):
    """The numbers in what a cell printed or showed as text, in order."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
    ]
    return NUMBER.findall("\n".join("".join(text) for text in texts))
