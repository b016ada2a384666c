"""Where this repository is, as its own remote says: Binder, site, source.

python tools/links.py            print the addresses
python tools/links.py README.md  write them into the README's three ways
"""

import re
import subprocess
import sys
from pathlib import Path

MARK = re.compile(r"(?s)(<!-- links -->\n).*?(<!-- /links -->)")


def addresses(remote=None):
    """{"source": URL, "site": URL, "binder": notebook name -> URL}."""
    if remote is None:
        command = ["git", "config", "--get", "remote.origin.url"]
        done = subprocess.run(command, capture_output=True, text=True)
        remote = done.stdout
    owner, name = owner_and_name(remote)
    binder = f"https://mybinder.org/v2/gh/{owner}/{name}/HEAD"
    return {
        "source": f"https://github.com/{owner}/{name}",
        "site": f"https://{owner.lower()}.github.io/{name}/",
        "binder": lambda lesson: (
            f"{binder}?urlpath=lab/tree/notebooks/{lesson}"
        ),
    }


def owner_and_name(remote):
    """('OWNER', 'REPO') of a GitHub remote; these very words without one."""
    found = re.search(
        r"github\.com[:/]([\w.-]+)/([\w.-]+?)(\.git)?/?\s*$", remote
    )
    return found.groups()[:2] if found else ("OWNER", "REPO")


def ways(found):
    """The three ways to the lessons, as a list."""
    start, site = "00_start_here.ipynb", found["site"]
    lite = f"{site}lite/lab/index.html?path=notebooks/{start}"
    return (
        f"- [**Read**]({site}): every lesson as a page, with pictures that "
        "you can move.\n"
        f"- [**Run in your browser**]({lite}): the lessons that need no "
        "PyTorch, with\n  nothing to install; all of them "
        f"[on Binder]({found['binder'](start)}),\n"
        "  after a few minutes' wait.\n"
        "- [**On your machine**](#start): everything, with one command.\n"
    )


if __name__ == "__main__":
    text = ways(addresses())
    for name in sys.argv[1:]:
        before = Path(name).read_text()
        if not MARK.search(before):
            sys.exit(f"{name} has no <!-- links --> … <!-- /links -->")
        Path(name).write_text(MARK.sub(rf"\g<1>{text}\g<2>", before))
    print(text)
