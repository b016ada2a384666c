"""Build the site in _site: the book, and JupyterLite where its pages run.

python tools/build_site.py

The book has a page for each lesson. JupyterLite, in lite/, has the files as
in the repository, so that relative links lead where they lead there: to other
lessons, the teacher's guide, the package. There each lesson is copied with a
cell before it that fetches its packages, and two before what needs PyTorch:
one says where to run that instead, the other stops. A lesson that needs it
from the start has these two only, on top. What its cells need is seen by
running their imports.
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
> **{start} lesson needs PyTorch, which does not run in a browser.** Its
> results are kept below, to be read. To run it,
> [open it on Binder]({binder}), or start `make lab` on your own machine."""
STOP = """\
class RunElsewhere(Exception):
    def _render_traceback_(self):
        return [str(self)]


raise RunElsewhere("What follows needs PyTorch: see above where it runs.")"""


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
    binder = addresses()["binder"](path.name)
    link, how = f"lite/lab/index.html?path={path}", "in the browser"
    cells, loaded = notebook.cells, imports(notebook)
    end = next((n for n, has in enumerate(loaded) if "torch" in has), None)
    runs = any(cell.cell_type == "code" for cell in cells[:end])
    if end is not None:
        start = "From here on this" if runs else "This"
        words = ELSEWHERE.format(start=start, binder=binder)
        at = end if runs else 0
        cells.insert(at, nbformat.v4.new_code_cell(STOP, id="stop"))
        cells.insert(at, nbformat.v4.new_markdown_cell(words, id="elsewhere"))
        how += ": its first part needs no PyTorch"
    if runs:
        more = " scikit-learn" if "sklearn" in loaded[:end][-1] else ""
        fetch = FETCH.format(more=more)
        cells.insert(0, nbformat.v4.new_code_cell(fetch, id="fetch"))
    else:
        link, how = binder, "on Binder: it needs PyTorch"
    notebook.metadata.kernelspec = {
        "display_name": "Python (Pyodide)",
        "language": "python",
        "name": "python",
    }
    nbformat.write(notebook, BUILD / "files" / path)
    return link, how


def imports(notebook):
    """Which of torch and sklearn the plain imports up to each cell load."""
    lines = ["import sys"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            lines += [
                ast.unparse(statement)
                for statement in ast.parse(cell.source).body
                if isinstance(statement, ast.Import | ast.ImportFrom)
            ]
        lines.append("print(*{'torch', 'sklearn'} & {*sys.modules})")
    run = [sys.executable, "-c", "\n".join(lines)]
    found = subprocess.check_output(run, text=True)
    return [set(names.split()) for names in found.splitlines()]


def python(*arguments, **where):
    subprocess.run([sys.executable, *arguments], check=True, **where)


if __name__ == "__main__":
    main()
