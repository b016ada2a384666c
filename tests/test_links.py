"""Every relative link leads somewhere: in JupyterLab, which `make lab` serves
from the repository's root, in the site, on GitHub and in the decks."""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
)
FILES = set(TRACKED.stdout.splitlines())
FOLDERS = {str(folder) for file in FILES for folder in Path(file).parents}
PAGES = sorted(name for name in FILES if name.endswith((".md", ".ipynb")))
FENCED = re.compile(r"(?ms)^( *)```.*?^\1```")
CODE = re.compile(rf"{FENCED.pattern}|`[^`\n]*`")
LINK = re.compile(
    r"(?<!\\)\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)"  # [words](target)
    r"|^\[[^\]\n]+\]: +<?(\S+?)>?$"  # [name]: target
    r"|<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"",
    re.M,
)
HEADING = re.compile(r"^#+ +(.+?)\s*#*$", re.M)

every_page = pytest.mark.parametrize("name", PAGES)


def prose(name):
    """The Markdown of a page."""
    if name.endswith(".md"):
        return (ROOT / name).read_text()
    cells = nbformat.read(ROOT / name, as_version=4).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


def targets(text):
    """What the links in a text point to."""
    found = LINK.findall(CODE.sub("", text))
    return ["".join(groups) for groups in found]


def relative_links(name):
    """(path from the root, anchor) of each link that leaves no repository."""
    folder = os.path.dirname(name)
    for target in targets(prose(name)):
        if not re.match(r"[a-z][a-z+.-]*:", target):
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(folder, path))
            yield (name if target.startswith("#") else path), anchor


def anchors(name):
    """What follows # in links to a page's headings.

    In Markdown as GitHub makes them, in notebooks as JupyterLab does.
    """
    headings = HEADING.findall(FENCED.sub("", prose(name)))
    if name.endswith(".ipynb"):
        return {re.sub("`", "", h).replace(" ", "-") for h in headings}
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@every_page
def test_relative_links_lead_somewhere(name):
    if TRACKED.returncode:
        pytest.skip("not a git checkout: which files it holds is not known")
    dead = [
        f"{path}#{anchor}" if anchor else path
        for path, anchor in relative_links(name)
        if path not in FILES | FOLDERS
        or (anchor and anchor not in anchors(path))
    ]
    assert dead == []


def test_the_pages_are_seen():
    assert {"README.md", "notebooks/teach/README.md"} < set(PAGES)
    assert len(PAGES) > 10
    linked = {path for name in PAGES for path, _ in relative_links(name)}
    assert any(path.endswith(".py") for path in linked)


def test_links_of_every_kind_are_seen():
    text = """[a](b.md) ![c](d.png "e") <a href="f.md#g">h</a> `[i](j)`
[k]: l.md
```
[m](n.md)
```"""
    assert targets(text) == ["b.md", "d.png", "f.md#g", "l.md"]
    assert "start" in anchors("README.md")
    assert {path for path, _ in relative_links("README.md")} <= FILES
