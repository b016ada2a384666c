"""The package from outside: what importing it costs and offers."""

import subprocess
import sys

import pytest

import focal_edu

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


def test_every_public_name_is_there_and_documented():
    for name in focal_edu.__all__:
        value = getattr(focal_edu, name)
        assert name.startswith("__") or value.__doc__.strip()
    assert set(focal_edu.__all__) <= set(dir(focal_edu))


def test_an_unknown_name_says_so():
    with pytest.raises(AttributeError, match="focal_los"):
        focal_edu.focal_los  # noqa: B018
