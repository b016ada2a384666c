"""The verdicts on libraries: what is kept, and how it is taken again."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch

from focal_edu import recorded
from focal_edu.clinic import VARIANTS, examine
from focal_edu.clinic.properties import PROPERTIES

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import survey_libraries as libraries

KEPT = recorded.load("libraries")
NAMES = {variant.name for variant in VARIANTS}
NAMES |= {"takes probabilities", "takes targets first"}
CONVENTIONS = {"sigmoids", "softmax", "one against rest"}

SOURCE = """
import torch

def sigmoid_focal_loss(x, y, gamma, scale=1.0):
    q = torch.sigmoid(-x * (2 * y - 1))
    ce = torch.nn.functional.softplus(-x * (2 * y - 1))
    return scale * (gamma * q * ce).mean()
"""


def test_what_is_kept_is_complete():
    assert KEPT["recorded"] == "2026-11" and KEPT["torch"] == "2.13.0"
    for row in KEPT["verdicts"]:
        assert row["version"][0].isdigit()
        assert row["verdict"] in ("right", "known", "right formula")
        assert set(row["names"]) <= NAMES
        assert set(row["failing"]) <= set(PROPERTIES)
        assert (row["verdict"] == "known") == bool(row["names"])
        assert (row["verdict"] == "right") == (
            not row["failing"] + row["names"]
        )


def test_every_row_says_its_convention():
    for row in KEPT["verdicts"] + KEPT["read"]:
        assert row["convention"] in CONVENTIONS
        assert set(row["names"]) <= NAMES
        rest = "one against rest" in row["names"]
        assert rest == (row["convention"] == "one against rest")
    assert KEPT["read"] == [dict(row) for row in libraries.READ]


def keras_categorical(y_true, y_pred):
    """Keras 3.15.1, categorical_focal_crossentropy, line by line in torch.

    Its reduction, "sum_over_batch_size", is a mean over examples.
    """
    alpha, gamma, epsilon = 0.25, 2.0, 1e-7
    output = y_pred / torch.sum(y_pred, dim=-1, keepdim=True)
    output = torch.clip(output, epsilon, 1.0 - epsilon)
    cce = -y_true * torch.log(output)
    modulating_factor = torch.pow(1.0 - output, gamma)
    weighting_factor = torch.multiply(modulating_factor, alpha)
    focal_cce = torch.multiply(weighting_factor, cce)
    return torch.sum(focal_cce, dim=-1).mean()


def test_what_was_read_of_keras_is_what_its_formula_does():
    (row,) = KEPT["read"]
    assert (row["library"], row["version"]) == ("keras", "3.15.1")
    report = examine(keras_categorical, task="multi-class", gamma=2)
    assert set(report.names) == set(row["names"]), report


def test_what_is_kept_is_what_would_be_examined():
    kept = [(row["library"], row["call"]) for row in KEPT["verdicts"]]
    assert kept == [(s.library, s.call) for s in libraries.SUBJECTS]


@pytest.fixture
def subject(tmp_path, monkeypatch):
    """A library of one file, whose package cannot be imported whole."""
    package = tmp_path / "tiny_library"
    package.mkdir()
    (package / "__init__.py").write_text("import no_such_module")
    (package / "losses.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(libraries, "version", lambda library: "1.0")
    yield libraries.Subject(
        "tiny",
        "tiny_library.losses",
        "sigmoid_focal_loss",
        "binary",
        None,
        {"scale": 1.0},
    )
    for name in [n for n in sys.modules if n.startswith("tiny_library")]:
        del sys.modules[name]


def test_a_file_is_examined_without_its_package(subject, monkeypatch):
    bare = replace(subject, bare=("tiny_library",))
    monkeypatch.setattr(libraries, "SUBJECTS", (bare,))
    found, left_out = libraries.examine_installed()
    (row,) = found["verdicts"]
    assert not left_out
    assert row["names"] == ["gamma multiplied"]
    assert row["version"] == "1.0"
    assert row["call"] == "sigmoid_focal_loss(scale=1.0)"


def test_what_cannot_be_imported_is_left_out(subject, monkeypatch):
    absent = replace(subject, library="absent", module="no_such_library")
    monkeypatch.setattr(libraries, "SUBJECTS", (subject, absent))
    found, left_out = libraries.examine_installed()
    assert found["verdicts"] == []
    assert set(left_out) == {"tiny", "absent"}


def test_the_lesson_s_table_has_the_recorded_conventions():
    (path,) = Path(__file__).parents[1].glob("notebooks/11_*.ipynb")
    rows = re.findall(
        r"(?m)^\| ([a-z-]+) \d\.[\d.]*[^|]*\| ([^|]+?) \|",
        "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
        .replace("SMP", "segmentation-models-pytorch")
        .replace("MONAI", "monai"),
    )
    found = {(row["library"], row["convention"]) for row in KEPT["verdicts"]}
    stated = {
        (name, how.removesuffix(", of probabilities")) for name, how in rows
    }
    assert len(stated) == 8 and stated <= found
