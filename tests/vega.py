"""What a moving picture draws, as Vega evaluates it in Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from npm_files import browser_file

SCRIPT = Path(__file__).with_name("vega_drawn.js")


def drawn(specification, *settings):
    """Return what is drawn at each setting of the controls, one after one.

    A setting is a dict from parameter to value; none is the picture as it
    opens. What is drawn is a dict: "title" has the title's lines, and each
    view's "name" its rows, a dict of the data fields for every mark (or
    point of a line), with "text" where the mark is a text. "empty" counts
    the marks of which nothing is drawn.
    """
    if not (shutil.which("npm") and shutil.which("node")):
        reason = "needs npm and node to evaluate Vega"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    given = {"specification": specification, "settings": settings or [{}]}
    libraries = [browser_file(name) for name in ("vega", "vega-lite")]
    done = subprocess.run(
        ["node", SCRIPT, *libraries],
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
