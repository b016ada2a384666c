"""The site without a server: each lesson runs whole in Chromium and prints
the numbers that its committed outputs hold.

FOCAL_PYODIDE_CDN names a folder made by tools/pyodide_mirror.py, from which
requests to Pyodide's CDN are answered; without it the lessons are not run,
which under CI is a failure. `-s` shows the timings.
"""

import json
import os
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
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


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    """The address of a site built now from the lessons as they are."""
    build = [sys.executable, "tools/build_site.py"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    handler = partial(Quiet, directory=ROOT / "_site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


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


def needs_pytorch(name):
    """Whether a code cell of the lesson says `import torch`, not in a try."""
    notebook = json.loads((ROOT / "notebooks" / name).read_text())
    return any(
        line.startswith(("import torch", "from torch"))
        for cell in notebook["cells"]
        for line in cell["source"]
    )


def test_each_page_leads_to_where_its_lesson_runs(page, site):
    for name in LESSONS:
        here = f"{site}/notebooks/{Path(name).stem}.html"
        page.goto(here)
        run = page.get_by_role("link", name="Run this page")
        target = run.get_attribute("href")
        assert name in target
        elsewhere = target.startswith("https://mybinder.org/")
        assert elsewhere == needs_pytorch(name), "what do its imports load?"
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
    page, kept = reader, json.loads((ROOT / "notebooks" / name).read_text())
    clock = Stopwatch()
    page.goto(f"{site}/lite/lab/index.html?path=notebooks/{name}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context")
    page.wait_for_function(IDLE, timeout=120_000)
    ready = clock()
    if needs_pytorch(name):
        link = page.locator(".jp-Cell").first.get_by_role("link")
        assert "mybinder.org" in link.get_attribute("href")
    choose(page, "Edit", "Clear Outputs of All Cells")
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(f"({CELLS})().some(c => c.ran)", timeout=120_000)
    first = clock()
    cells = wait_until_run(page, seconds=900)
    print(
        f"\n{name}: kernel {ready:.1f} s, first cell {first:.1f} s, "
        f"all cells {clock():.1f} s"
    )
    if needs_pytorch(name):
        (said,) = errors(cells)
        assert "see above" in said
        assert not any(cell["ran"] for cell in cells[2:])
        return
    assert errors(cells) == []
    ran = zip(cells[1:], kept["cells"], strict=True)
    for now, before in ran:
        if not any(word in now["source"] for word in OWN):
            assert numbers(now) == numbers(before), now["source"]
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
