"""Every lesson in the JupyterLab that `make lab` starts, in a real browser.

Run with `-s` to see what it measured: seconds to the open notebook, to the
first figure and to the last cell, and from a slider's drag to its picture.
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

ROOT = Path(__file__).parent.parent
LESSONS = sorted(path.name for path in ROOT.glob("notebooks/[0-9]*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
STDERR = ".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']"
IDLE = """() => {
    const panel = jupyterapp.shell.currentWidget;
    const { connectionStatus, status } =
        panel.sessionContext.session?.kernel ?? {};
    return connectionStatus === "connected" && status === "idle";
}"""
CELLS = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    return notebook.widgets.map(cell => ({
        type: cell.model.type,
        source: cell.model.sharedModel.getSource(),
        state: cell.model.executionState,
        ran: cell.model.executionCount,
        outputs: cell.model.outputs?.toJSON() ?? [],
    }));
}"""


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
        ["make", "-n", "lab", f"VENV={sys.prefix}", f"LAB_ARGS={flags}"],
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
    sliders = read_through(page, cells)
    moves = [seconds for slider in sliders for seconds in move(page, slider)]
    cells = wait_until_run(page)
    assert not errors(cells)
    print(
        f"\n{name}: server {start:.1f} s, notebook {opened:.1f} s, "
        f"first figure {figure:.1f} s, all cells {ran:.1f} s; "
        f"{len(moves)} slider moves, slowest {max(moves, default=0):.2f} s"
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
    read_through(page, again)
    assert not page.faults


class Stopwatch:
    """Seconds since it was made, when called."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self):
        return time.monotonic() - self.start


def open_lesson(page, url, name):
    page.goto(f"{url}/lab/tree/{name}?token=test&reset")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.wait_for_function(IDLE)


def choose(page, menu, item):
    """Click an item of JupyterLab's menu bar, by its visible name."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def wait_until_run(page, seconds=300):
    """The cells, once each has run or one has failed."""
    clock = Stopwatch()
    while True:
        page.wait_for_function(IDLE, timeout=1000 * seconds)
        cells = page.evaluate(CELLS)
        waiting = [
            cell["source"]
            for cell in cells
            if cell["type"] == "code"
            and cell["source"]
            and (cell["state"] == "running" or not cell["ran"])
        ]
        if not waiting or errors(cells):
            return cells
        assert clock() < seconds, f"still not run: {waiting[0]}"
        page.wait_for_timeout(100)


def errors(cells):
    """What error and stderr outputs say."""
    return [
        output.get("evalue") or output["text"]
        for cell in cells
        for output in cell.get("outputs", [])
        if "error" in (output["output_type"], output.get("name", "")[3:])
        or output.get("name") == "stderr"
    ]


def sources(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def read_through(page, cells):
    """Scroll to each cell, see all of it, and return its sliders."""
    sliders = []
    for index, cell in enumerate(cells):
        shown = page.locator(".jp-Notebook .jp-Cell").nth(index)
        shown.scroll_into_view_if_needed()
        if cell["type"] == "markdown" and "$" in cell["source"]:
            shown.locator("mjx-container").first.wait_for()
        kinds = [kind for o in cell["outputs"] for kind in o.get("data", {})]
        if "image/png" in kinds:
            shown.locator(".jp-OutputArea img").first.wait_for()
        if WIDGET in kinds:
            shown.locator(".jupyter-widgets").first.wait_for()
            shown.locator(".jupyter-widgets img").first.wait_for()
            sliders += shown.locator(".noUi-handle").all()
    assert not page.locator("mjx-merror, [data-mjx-error]").count()
    assert not page.locator(STDERR).count()
    return sliders


def move(page, slider):
    """Move a slider by mouse, then by key; seconds to each last picture."""
    slider.scroll_into_view_if_needed()
    picture = ancestor(slider, "jp-OutputArea-output").locator("img")
    low, high, now = (
        float(slider.get_attribute(f"aria-value{end}"))
        for end in ("min", "max", "now")
    )
    towards = 1 if now < (low + high) / 2 else -1
    seconds = []
    for action in (drag, press):
        before = last = picture.get_attribute("src")
        action(page, slider, towards)
        clock = Stopwatch()
        changed = None
        while clock() < (changed or 10) + 0.5:
            now = picture.get_attribute("src")
            if now != last:
                last, changed = now, clock()
        assert last != before, f"{action.__name__} changed no picture"
        seconds.append(changed)
    return seconds


def drag(page, slider, towards):
    """Drag a slider's handle a third of its track."""
    track = ancestor(slider, "noUi-base")
    box, length = slider.bounding_box(), track.bounding_box()["width"]
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + towards * length / 3, y, steps=4)
    page.mouse.up()


def press(page, slider, towards):
    slider.focus()
    page.keyboard.press("ArrowRight" if towards > 0 else "ArrowLeft")


def ancestor(locator, style):
    """The nearest element around `locator` with a CSS class."""
    return locator.locator(
        f"xpath=ancestor::*[contains(@class, '{style}')][1]"
    )


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
