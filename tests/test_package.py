"""The package from outside: what importing it costs and offers."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

import focal_edu

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
LIGHT = ("__init__", "reference", "gradients", "relatives", "validate")
HEAVY = ("torch", "matplotlib", "sklearn", "scipy", "IPython")


def modules_after(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_importing_the_package_is_light():
    loaded = modules_after("import focal_edu")
    assert not set(HEAVY) & set(loaded)


def test_the_reference_needs_only_autograd():
    loaded = modules_after("import focal_edu; focal_edu.gradient_ratio")
    assert "autograd" in loaded and not set(HEAVY) & set(loaded)


def test_pictures_need_no_pytorch():
    loaded = modules_after("import focal_edu.figures, focal_edu.explore")
    assert "torch" not in loaded


def test_the_clinic_needs_what_its_extra_installs():
    loaded = modules_after("from focal_edu.clinic import *; examine(build())")
    tops = {name.partition(".")[0] for name in loaded}
    extra = names(PROJECT["optional-dependencies"]["clinic"])
    assert set(HEAVY) & tops == extra == {"scipy", "torch"}


def test_every_public_name_is_there_and_documented():
    for name in focal_edu.__all__:
        value = getattr(focal_edu, name)
        assert name.startswith("__") or value.__doc__.strip()
    assert set(focal_edu.__all__) <= set(dir(focal_edu))


def test_an_unknown_name_says_so():
    with pytest.raises(AttributeError, match="focal_los"):
        focal_edu.focal_los  # noqa: B018


distributions = cache(packages_distributions)


def names(requirements):
    """The distributions that a list of requirements names."""
    return {re.match(r"[\w-]+", line)[0].lower() for line in requirements}


def pinned():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return names(line for line in lines if not line.startswith("#"))


def needed(source):
    """The distributions that a source imports, here or in a function."""
    nodes = list(ast.walk(ast.parse(source)))
    modules = [
        a.name for n in nodes if isinstance(n, ast.Import) for a in n.names
    ]
    modules += [
        n.module
        for n in nodes
        if isinstance(n, ast.ImportFrom) and not n.level
    ]
    tops = {module.partition(".")[0] for module in modules}
    tops -= sys.stdlib_module_names | {"focal_edu"}
    tops -= {path.stem for path in (ROOT / "tools").glob("*.py")}
    tops -= {path.stem for path in (ROOT / "tests").glob("*.py")}
    known = distributions()
    return {known.get(top, [top])[0].lower() for top in tops}


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "focal_edu").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_a_room_imports_is_declared(path):
    """The light rooms with the package, all others with the lessons.

    Triton comes with PyTorch for a GPU, and is asked for only there.
    """
    declared = names(PROJECT["dependencies"])
    if path.stem == "triton_kernels":
        assert needed(path.read_text()) == {"torch", "triton"}
        return
    if path.parent.name != "focal_edu" or path.stem not in LIGHT:
        declared |= names(PROJECT["optional-dependencies"]["lessons"])
    assert needed(path.read_text()) <= declared & pinned()


@pytest.mark.parametrize("path", LESSONS, ids=[p.stem for p in LESSONS])
def test_what_a_lesson_imports_is_declared(path):
    declared = names(PROJECT["dependencies"])
    declared |= names(PROJECT["optional-dependencies"]["lessons"])
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "code":
            assert needed(cell.source) <= declared & pinned(), cell.source


def test_what_tests_and_tools_import_is_declared():
    declared = {"nbclient", "nbconvert", "nbformat", "traitlets"}  # Jupyter's
    declared |= pinned()
    for extra in PROJECT["optional-dependencies"].values():
        declared |= names(extra)
    for folder in ("tests", "tools"):
        for path in (ROOT / folder).glob("*.py"):
            assert needed(path.read_text()) <= declared, path


def test_nothing_pinned_for_readers_goes_unused():
    """A reader's install holds what lessons import, and Jupyter."""
    imported = names(PROJECT["dependencies"])
    imported |= names(PROJECT["optional-dependencies"]["lessons"])
    assert pinned() - imported == {"ipykernel", "jupyterlab", "notebook"}
