"""JupyterLab's page as a reader uses it, and what its notebook holds.

The page must expose its application: `exposeAppInBrowser`.
"""

import time

VEGA_LITE = "application/vnd.vegalite.v5+json"
MOVING = ".vega-embed"
STDERR = ".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']"
IDLE = """() => {
    const panel = jupyterapp.shell.currentWidget;
    const { connectionStatus, status } =
        panel.sessionContext.session?.kernel ?? {};
    return connectionStatus === "connected" && status === "idle";
}"""
# What a Markdown cell shows outside code and finished formulas.
WORDS = """cell => {
    const shown = cell.querySelector(".jp-RenderedMarkdown").cloneNode(true);
    shown.querySelectorAll("code, mjx-container").forEach(e => e.remove());
    return shown.textContent;
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


class Stopwatch:
    """Seconds since it was made, when called."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self):
        return time.monotonic() - self.start


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
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]


def answer(page, index, source, verdict):
    """Write `source` over a cell, run it, and return what it then says.

    Each step gives the editor the focus anew: after Run All JupyterLab takes
    it once more, late, and keys would go to another cell.
    """
    cell = page.locator(".jp-Notebook .jp-Cell").nth(index)
    editor = cell.locator(".cm-content")
    clock = Stopwatch()
    while page.evaluate(CELLS)[index]["source"] != source:
        assert clock() < 30, f"the cell does not take {source!r}"
        editor.fill(source)
    editor.press("Shift+Enter")
    cell.get_by_text(verdict).wait_for()
    return cell.locator(".jp-OutputArea").inner_text()


def read_through(page, cells):
    """Scroll to each cell, see all of it, and return its sliders."""
    sliders = []
    for index, cell in enumerate(cells):
        shown = page.locator(".jp-Notebook .jp-Cell").nth(index)
        shown.scroll_into_view_if_needed()
        if cell["type"] == "markdown" and "$" in cell["source"]:
            shown.locator("mjx-container").first.wait_for()
            words = shown.evaluate(WORDS)
            assert "$" not in words and "\\" not in words, words
        kinds = [kind for o in cell["outputs"] for kind in o.get("data", {})]
        if VEGA_LITE in kinds:
            shown.locator(f"{MOVING} canvas").wait_for()
            sliders += shown.locator("input[type=range]").all()
        elif "image/png" in kinds:
            shown.locator(".jp-OutputArea img").first.wait_for()
    assert not page.locator("mjx-merror, mjx-mtext[style*=red]").count()
    assert not page.locator(STDERR).count()
    return sliders


def stop_kernel(page):
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def move(page, slider):
    """Move a slider by mouse, then by key: each must change its picture."""
    slider.scroll_into_view_if_needed()
    for action in (click_on_the_track, press):
        before = drawing(slider)
        action(page, slider)
        clock = Stopwatch()
        while drawing(slider) == before:
            assert clock() < 10, f"{action.__name__} changed no picture"


def drawing(slider):
    """What the picture of a slider looks like now, as a string."""
    return slider.evaluate(
        """input => {
            const picture = input.closest(".vega-embed");
            return picture.querySelector("canvas")?.toDataURL()
                ?? picture.querySelector("svg").outerHTML;
        }"""
    )


def click_on_the_track(page, slider):
    """Click the half of a slider's track that its thumb is not on."""
    low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
    left = float(slider.input_value()) > (low + high) / 2
    box = slider.bounding_box()
    at = box["x"] + box["width"] * (0.25 if left else 0.75)
    page.mouse.click(at, box["y"] + box["height"] / 2)


def press(page, slider):
    """Move a slider by key; JupyterLab keeps the arrow keys for itself."""
    slider.focus()
    low = slider.get_attribute("min") == slider.input_value()
    page.keyboard.press("PageUp" if low else "PageDown")
