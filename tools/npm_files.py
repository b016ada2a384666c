"""Fetch the pinned browser libraries from npm into build/npm.

python tools/npm_files.py

The book and the decks draw with them, and tests evaluate the moving pictures
in Node with the same. JupyterLab 4.6 carries these versions of Vega.
"""

import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parents[1] / "build" / "npm"
PINS = {  # package: version, sha256 of its archive
    "vega": (
        "5.33.0",
        "7b61f992d1a1e196e7f2eeb3d6176e5694949d0d4bbfea237a842d523dd6e1f3",
    ),
    "vega-lite": (
        "5.6.1",
        "6a51b8f2bc1390759f3c6dacaaaaa6dd56aa071b92b9edeffb871d4f11954a8c",
    ),
    "vega-embed": (
        "6.21.3",
        "c21ca58ae8e2a817688995a5398fdb16bd9fd52e2a874773567e5bc5c2f20bb2",
    ),
    "katex": (
        "0.16.47",
        "ad2d1ab2f7fcc227019784320e8a2c5218ff6bb333b36df4136d10365ae29375",
    ),
    "reveal.js": (
        "5.2.1",
        "359b575dd51bbda32f89b2fd4c7dc46ad7389a805572158916c29252f7a27333",
    ),
    "mathjax": (
        "3.2.2",
        "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
    ),
    "axe-core": (
        "4.14.1",
        "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
    ),
}
BROWSER = {  # the one file of a package that a page or Node loads
    "vega": "build/vega.min.js",
    "vega-lite": "build/vega-lite.min.js",
    "vega-embed": "build/vega-embed.min.js",
    "katex": "dist/katex.min.js",
    "reveal.js": "dist/reveal.js",
    "mathjax": "es5/tex-svg.js",
    "axe-core": "axe.min.js",
}


def package(name):
    """Return the folder of a pinned package, fetched where it is missing."""
    version, expected = PINS[name]
    folder = FOLDER / f"{name}-{version}"
    if folder.exists():
        return folder
    if shutil.which("npm") is None:
        sys.exit(f"npm is needed: it fetches {name}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as here:  # two may fetch at once
        fetch = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(fetch, cwd=here, check=True, stdout=subprocess.DEVNULL)
        archive = Path(here) / f"{name}-{version}.tgz"
        found = sha256(archive.read_bytes()).hexdigest()
        if found != expected:
            sys.exit(f"{archive.name}: its sha256 is {found}, not {expected}")
        with tarfile.open(archive) as contents:
            contents.extractall(here, filter="data")
        with suppress(OSError):  # the other was there first
            (Path(here) / "package").rename(folder)
    return folder


def browser_file(name):
    """Return the file of a package that a page loads."""
    return package(name) / BROWSER[name]


if __name__ == "__main__":
    for name in PINS:
        print(package(name))
