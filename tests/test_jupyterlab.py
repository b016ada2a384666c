"""Every lesson in the JupyterLab that `make lab` starts, in a real browser.

Run with `-s` to see what it measured: seconds to the open notebook, to the
first figure and to the last cell. The moving pictures move with the kernel
off.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from lab_page import (
    CELLS,
    IDLE,
    Stopwatch,
    answer,
    choose,
    errors,
    move,
    read_through,
    stop_kernel,
    wait_until_run,
)
from test_links import relative_links

ROOT = Path(__file__).parent.parent
LESSONS = sorted(path.name for path in ROOT.glob("notebooks/[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    """JupyterLab on a copy of the checkout: (its URL, folder, seconds)."""
    home = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "focal_edu"):
        shutil.copytree(ROOT / name, home / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = (
        f"--no-browser --allow-root --ServerApp.port={port} "
        "--IdentityProvider.token=test "
        "--LabApp.expose_app_in_browser=True"
    )
    recipe = subprocess.run(
        [
            "make",
            "-n",
            "--no-print-directory",
            "lab",
            f"VENV={sys.prefix}",
            f"LAB_ARGS={flags}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = shlex.split(recipe.stdout.splitlines()[-1])
    environment = os.environ | {
        "PYTHONPATH": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    started = time.monotonic()
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{url}/api?token=test"):
            assert server.poll() is None, (home / "server.log").read_text()
            assert time.monotonic() < started + 60, "no server in 60 s"
            time.sleep(0.1)
        yield url, home, time.monotonic() - started
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson(page, lab, name):
    url, home, start = lab
    kept = json.loads((ROOT / "notebooks" / name).read_text())
    clock = Stopwatch()
    open_lesson(page, url, name)
    opened = clock()
    assert not page.locator(".Toastify__toast, .jp-Dialog").count()

    choose(page, "Edit", "Clear Outputs of All Cells")
    clock = Stopwatch()
    choose(page, "Run", "Run All Cells")
    page.wait_for_function("document.querySelector('.jp-OutputArea img')")
    figure = clock()
    cells = wait_until_run(page)
    ran = clock()
    assert not errors(cells)
    read_through(page, cells)
    print(
        f"\n{name}: server {start:.1f} s, notebook {opened:.1f} s, "
        f"first figure {figure:.1f} s, all cells {ran:.1f} s"
    )

    page.keyboard.press("Control+s")
    page.wait_for_function(
        "!jupyterapp.shell.currentWidget.context.model.dirty"
    )
    saved = json.loads((home / "notebooks" / name).read_text())
    assert sources(saved) == sources(kept)
    assert not errors(saved["cells"])
    open_lesson(page, url, name)
    again = page.evaluate(CELLS)
    assert [len(c["outputs"]) for c in again] == [
        len(c["outputs"]) for c in cells
    ]
    stop_kernel(page)
    for slider in read_through(page, again):
        move(page, slider)
    assert not page.faults


def test_a_link_opens_the_packages_source(page, lab):
    """One is clicked; for all others the server is asked."""
    url, _, _ = lab
    paths = {
        (name, path)
        for name in LESSONS
        for path, _ in relative_links(f"notebooks/{name}")
    }
    for _, path in paths:
        assert page.request.get(f"{url}/api/contents/{path}?token=test").ok
    name, path = min(pair for pair in paths if pair[1].endswith(".py"))
    open_lesson(page, url, name)
    link = page.locator(f".jp-Notebook a[href*='{path}']").first
    link.scroll_into_view_if_needed()
    link.click()
    page.locator(".jp-FileEditor").get_by_text("import").first.wait_for()
    assert not page.faults


@pytest.mark.parametrize(
    "call, wrong, diagnosis, right",
    [
        (
            "ex.largest_loss.check(...)",
            'ex.largest_loss.check("a")',
            "Not yet: That classifier is nearly sure of a positive",
            'ex.largest_loss.check("d")',
        ),
        (
            "ex.p_t.check(my_p_t)",
            "ex.p_t.check(lambda p, y: p)",
            "Not yet: That is right for positives",
            "ex.p_t.check(lambda p, y: p if y == 1 else 1 - p)",
        ),
    ],
    ids=["a prediction", "a function"],
)
def test_exercise(page, lab, call, wrong, diagnosis, right):
    url, _, _ = lab
    open_lesson(page, url, LESSONS[1])
    choose(page, "Run", "Run All Cells")
    cells = wait_until_run(page)
    (at,) = [i for i, cell in enumerate(cells) if call in cell["source"]]
    assert diagnosis in answer(page, at, wrong, "Not yet:")
    said = answer(page, at, right, "Right:")
    assert "Not yet" not in said
    assert not errors(page.evaluate(CELLS))
    assert not page.faults


def open_lesson(page, url, name):
    page.goto(f"{url}/lab/tree/notebooks/{name}?token=test&reset")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.wait_for_function(IDLE)


def sources(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
