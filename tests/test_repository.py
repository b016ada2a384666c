"""What surrounds the package: workflows, forms, versions, make's targets."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import focal_edu

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
MAKEFILE = (ROOT / "Makefile").read_text()
SCHEMAS = {
    "github-workflows": sorted(GITHUB.glob("workflows/*.yml")),
    "github-issue-forms": sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml")),
    "citation-file-format": [ROOT / "CITATION.cff"],
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_others_are_as_they_read_them(schema):
    check = [f"{sys.prefix}/bin/check-jsonschema", "--builtin-schema"]
    check += [f"vendor.{schema}", *SCHEMAS[schema]]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_there_is_one_version():
    cited = (ROOT / "CITATION.cff").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text()
    form = (GITHUB / "ISSUE_TEMPLATE" / "clinic.yml").read_text()
    found = [
        re.search(r"^version: (\S+)$", cited, re.M)[1],
        re.search(r"^## (\S+)", changes, re.M)[1],
        re.search(r"focal_edu (\d\S+),", form)[1],
    ]
    assert found == 3 * [focal_edu.__version__]


def test_the_workflow_tests_every_python_that_is_promised():
    workflow = (GITHUB / "workflows" / "test.yml").read_text()
    tested = re.findall(r'"(3\.\d+)"', workflow.split("matrix:")[1])
    assert tested == ["3.11", "3.12", "3.13", "3.14"]
    assert (
        'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    )


def test_the_head_of_the_makefile_lists_its_targets():
    head = MAKEFILE[: MAKEFILE.index("\n\n")]
    listed = re.findall(r"^# make ([\w-]+) ", head, re.M)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split()
    assert [*listed, "style"] == phony
    for name in listed:
        assert re.search(rf"^{name}:", MAKEFILE, re.M), name
