"""Experiments too long for a lesson, recorded: what was run, and its rows.

Each file in `data` was written by the command that it names, `make record`
for all of them.
"""

import json
import platform
import time
from importlib import metadata, resources
from pathlib import Path


def load(name):
    """Return the record of that name, as a dict; its rows are dicts.

    Beside ``rows`` it holds ``command``, ``date``, ``seconds`` of wall time,
    ``versions``, and what else the experiment says of itself.
    """
    file = resources.files(__package__) / "data" / f"{name}.json"
    return json.loads(file.read_text())


class Recording:
    """A record being made: it times itself, and writes a row to a line.

    Parameters
    ----------
    name : str
        Of the file in `data`, without its ending.
    command : str
        What makes it again.
    **about
        Seeds, grids, sizes: what a reader must know to trust the rows.
    """

    packages = ("numpy", "scikit-learn", "torch")

    def __init__(self, name, command, **about):
        self.path = Path(__file__).parent / "data" / f"{name}.json"
        self.started = time.perf_counter()
        self.head = {
            "command": command,
            "date": time.strftime("%Y-%m-%d"),
            "versions": {"python": platform.python_version()}
            | {name: metadata.version(name) for name in self.packages},
            **about,
        }

    def write(self, rows):
        """Write the rows so far; called again, it replaces the file."""
        seconds = round(time.perf_counter() - self.started)
        head = json.dumps(self.head | {"seconds": seconds}, indent=1)
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        whole = f'{head[:-2]},\n "rows": [\n  {lines}\n ]\n}}\n'
        self.path.write_text(whole)
