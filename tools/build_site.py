"""Build the site in _site: the book, and JupyterLite where its pages run.

python tools/build_site.py

The book has a page a lesson. JupyterLite, in lite/, has the files as in the
repository, so that relative links lead where they lead there: to other
lessons, the teacher's guide, the package. There each lesson is copied with a
cell before it that fetches its packages, or, where it needs PyTorch, with
two: one says where to run it instead, the other stops. What a lesson needs is
seen by running its imports.
"""

import ast
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
from build_book import build
from links import addresses
from pyodide_mirror import PYODIDE

LESSONS = sorted(Path("notebooks").glob("[0-9]*.ipynb"))
GUIDE = Path("notebooks/teach/README.md")
BUILD, SITE = Path("build/lite").resolve(), Path("_site").resolve()
# Pyodide has the rest: these are pure Python, and travel in the site.
WHEELS = ("autograd", "comm")
SETTINGS = {
    "jupyter-lite-schema-version": 0,
    "jupyter-config-data": {
        "appName": "Focal loss",
        "disabledExtensions": [
            "@jupyterlab/apputils-extension:announcements"
        ],
        "exposeAppInBrowser": True,
        "litePluginSettings": {
            "@jupyterlite/pyodide-kernel-extension:kernel": {
                "pyodideUrl": "https://cdn.jsdelivr.net/pyodide/"
                f"v{PYODIDE}/full/pyodide.mjs",
                "disablePyPIFallback": True,
            }
        },
    },
}
FETCH = """\
# This copy runs in your browser: this cell fetches what it needs.
%pip install -q focal-edu matplotlib{more}"""
ELSEWHERE = """\
> **This lesson needs PyTorch, which does not run in a browser.** Its results
> are kept below, to be read. To run it, [open it on Binder]({binder}), or
> start `make lab` on your own machine."""
STOP = """\
class RunElsewhere(Exception):
    def _render_traceback_(self):
        return [str(self)]


raise RunElsewhere("This lesson needs PyTorch: see above where it runs.")"""


def main():
    for old in (BUILD, SITE, BUILD.with_name("lib")):
        shutil.rmtree(old, ignore_errors=True)
    for source in (GUIDE, *Path("focal_edu").rglob("*.py")):
        target = BUILD / "files" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (BUILD / "jupyter-lite.json").write_text(json.dumps(SETTINGS))
    run = {lesson.name: copy(lesson) for lesson in LESSONS}
    pinned = [f"{name}=={version(name)}" for name in WHEELS]
    wheels = ["-m", "pip", "wheel", "-q", "--no-deps", "-w", BUILD / "wheels"]
    python(*wheels, ".", *pinned)
    lite = ["-m", "jupyter", "lite", "build", "--apps", "lab"]
    lite += ["--lite-dir", BUILD, "--output-dir", SITE / "lite"]
    lite += ["--no-sourcemaps"]
    lite += ["--contents", BUILD / "files"]
    for wheel in sorted((BUILD / "wheels").glob("*.whl")):
        lite += ["--piplite-wheels", wheel]
    python(*lite, cwd=BUILD)  # where its record of what is done goes, too
    build(SITE, run, BUILD.with_name("book"))


def copy(path):
    """Write a lesson's copy; return where it is run, and how."""
    notebook = nbformat.read(path, as_version=4)
    needs = imports(notebook)
    binder = addresses()["binder"](path.name)
    if "torch" in needs:
        first = STOP
        link, how = binder, "on Binder: it needs PyTorch"
    else:
        more = " scikit-learn" if "sklearn" in needs else ""
        first = FETCH.format(more=more)
        link, how = f"lite/lab/index.html?path={path}", "in the browser"
    cell = nbformat.v4.new_code_cell(first, id="in-the-browser")
    notebook.cells.insert(0, cell)
    if "torch" in needs:
        words = ELSEWHERE.format(binder=binder)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(words))
    notebook.metadata.kernelspec = {
        "display_name": "Python (Pyodide)",
        "language": "python",
        "name": "python",
    }
    nbformat.write(notebook, BUILD / "files" / path)
    return link, how


def imports(notebook):
    """Which of torch and sklearn a lesson's plain imports load."""
    lines = [
        ast.unparse(statement)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    look = "import sys; print(*{'torch', 'sklearn'} & {*sys.modules})"
    lines = "\n".join([*lines, look])
    found = subprocess.check_output([sys.executable, "-c", lines], text=True)
    return set(found.split())


def python(*arguments, **where):
    subprocess.run([sys.executable, *arguments], check=True, **where)


if __name__ == "__main__":
    main()
