"""What the survey of libraries found, and how a library's file is loaded.

`tools/survey_libraries.py` takes the record again; readers need none of the
libraries.
"""

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path

RECORD = Path(__file__).with_name("libraries.json")
BARE_VISION = {"bare": ("torchvision", "torchvision.ops")}


def record():
    """Return the verdicts that are kept, as read from their file."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def load(module, bare=()):
    """Return a module, imported whole, or else only the files that it needs.

    `bare` names the packages around it that can be left empty.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, RuntimeError):
        if not bare:
            raise
    for name in bare:
        package = types.ModuleType(name)
        package.__path__ = [str(_folder(name))]
        sys.modules[name] = package
    return importlib.import_module(module)


def _folder(name):
    top, *rest = name.split(".")
    if top in sys.modules:
        return Path(sys.modules[top].__path__[0], *rest)
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"no package {top}")
    return Path(spec.submodule_search_locations[0], *rest)
