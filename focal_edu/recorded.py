"""Experiments too long for a lesson, recorded: what was run, and its rows.

Each file in `data` was written by the command that it names, `make record`
for all of them.
"""

import json
import os
import platform
import time
from importlib import metadata, resources

DATA = resources.files(__package__) / "data"
CLOCKS = {
    "seconds": time.perf_counter,
    "cpu_seconds": lambda: sum(os.times()[:4]),  # with processes that ended
}


def load(name):
    """Return the record of that name, as a dict; its rows are dicts.

    With ``rows`` it holds ``command``, ``date``, ``versions``, ``seconds`` of
    wall time and what else the experiment says of itself. What was recorded
    since late November 2026 has ``cpu_seconds`` as well.
    """
    return json.loads((DATA / f"{name}.json").read_text("utf-8"))


class Recording:
    """A record being made: it times itself, and writes a row to a line.

    Parameters
    ----------
    name : str
        Of the file in `data`, without its ending.
    command : str
        What makes it again.
    resume : bool, default False
        Go on from what is written: `rows` holds it, and its time counts.
    **about
        Seeds, grids, sizes: what a reader must know to trust the rows.
    """

    packages = ("numpy", "scikit-learn", "torch")

    def __init__(self, name, command, *, resume=False, **about):
        self.path = DATA / f"{name}.json"
        before = load(name) if resume and self.path.exists() else {}
        self.rows = before.get("rows", [])
        self.started = {
            unit: clock() - before.get(unit, 0)
            for unit, clock in CLOCKS.items()
        }
        self.head = {
            "command": command,
            "date": time.strftime("%Y-%m-%d"),
            "versions": {"python": platform.python_version()}
            | {name: metadata.version(name) for name in self.packages},
            **about,
        }

    def write(self, rows):
        """Write the rows so far; called again, it replaces the file."""
        spent = {
            unit: round(clock() - self.started[unit])
            for unit, clock in CLOCKS.items()
        }
        head = json.dumps(self.head | spent, indent=1)
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        whole = f'{head[:-2]},\n "rows": [\n  {lines}\n ]\n}}\n'
        self.path.write_text(whole)
