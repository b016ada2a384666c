"""The graded assignment through nbgrader itself: the students' version,
and the marks that each kind of submission must get."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

TEACH = Path(__file__).parents[1] / "notebooks" / "teach"
SOURCE = Path("source", "focal_loss", "focal_loss.ipynb")
pytestmark = pytest.mark.slow
SECONDS = 3  # that a cell may take here; the configuration allows more

POINTS = {
    "by_hand_p_t": 1,
    "by_hand_ce": 1,
    "by_hand_fl": 1,
    "loss_of_positives": 2,
    "loss_of_negatives": 2,
    "loss_gamma": 1,
    "alpha_of_positives": 1,
    "alpha_of_negatives": 1,
    "balance_of_classes": 2,
    "slope_gamma_zero": 1,
    "slope_values": 2,
    "slope_far_out": 1,
    "test_cross_entropy": 1,
    "test_wrong_branch": 1,
    "test_modulated_mean": 1,
    "test_gamma": 1,
}

# The label forgotten, the wrong branch, one alpha for both classes, the
# factor detached, and a test that tries only positives at gamma = 2.
HALF_RIGHT = {
    "by_hand": "answer_p_t, answer_ce, answer_fl = 0.8, 0.2231, 0.0089",
    "loss": """
def focal_loss(p, y, gamma=2.0):
    positive = y * (1 - p) ** gamma * np.log(p)
    return -positive - (1 - y) * p * np.log(1 - p)
""",
    "alpha_t": """
def alpha_weights(y, alpha):
    return alpha + 0 * y
""",
    "slope": """
def focal_slope(x, y, gamma=2.0):
    sign = 2 * y - 1
    q = 1 / (1 + np.exp(sign * x))
    return -sign * q ** (gamma + 1)
""",
    "test": """
def obeys(loss):
    p, y = np.array([0.9, 0.3]), np.array([1, 1])
    right = -((1 - p) ** 2) * np.log(p)
    given = loss(p, y, 2)
    return np.shape(given) == np.shape(right) and np.allclose(given, right)
""",
}
HALF_RIGHT_LOSES = {
    *("by_hand_p_t", "by_hand_ce", "by_hand_fl"),
    *("loss_of_negatives", "alpha_of_negatives", "slope_values"),
    *("test_wrong_branch", "test_gamma"),
}

ENDLESS = {
    "slope": """
def focal_slope(x, y, gamma=2.0):
    while True:
        pass
"""
}
STUBBORN = {
    "slope": """
while True:
    try:
        while True:
            pass
    except KeyboardInterrupt:
        pass
"""
}
EXIT = {"alpha_t": "exit()", "balance": "import sys\nsys.exit()"}
KILL = {"alpha_t": "import os\nos._exit(0)"}
NAMES = {
    "loss": """
class Right:
    shape = (2,)
    def __sub__(self, other): return self
    def __pow__(self, other): return self
    def __lt__(self, other): return self
    def all(self): return True

def focal_loss(p, y, gamma=2.0):
    return Right()

np = numpy = None
all = any = abs = float = print = assert_allclose = lambda *a, **k: True
""",
    "alpha_t": """
def alpha_weights(y, alpha):
    return alpha * y + (1 - alpha) * (1 - y)
""",
    "test": """
def obeys(loss):
    return loss.__name__ in ("right", "focal_loss")
""",
}
BORROWED = {
    "loss": """
from focal_edu import focal_loss as borrowed
def focal_loss(p, y, gamma=2.0):
    return borrowed(p, y, gamma=gamma)
"""
}
DELETED = {"balance", "balance_of_classes", "test_gamma", "setup"}


def cells_of(prefix):
    return {name for name in POINTS if name.startswith(prefix)}


# Who hands in what, and which tests each must lose; the others must pass.
SUBMISSIONS = {
    "empty": ({}, set(POINTS)),
    "perfect": (None, set()),
    "half_right": (HALF_RIGHT, HALF_RIGHT_LOSES),
    "endless": (ENDLESS, cells_of("slope")),
    "stubborn": (STUBBORN, cells_of("slope")),
    "exit": (EXIT, cells_of("alpha") | {"balance_of_classes"}),
    "kill": (KILL, cells_of("alpha")),
    "names": (NAMES, cells_of("loss") | cells_of("slope")),
    "borrowed": (BORROWED, {*cells_of("loss"), "slope_values"}),
    "deleted": (DELETED, {"balance_of_classes"}),
}


def nbgrader(course, *command):
    scripts = Path(sys.executable).parent  # nbgrader calls alembic by name
    environment = {
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "PYTHONPATH": str(TEACH.parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command],
        cwd=course,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # a kernel that is shut down may end with a traceback of its own
    assert "ERROR] Traceback" not in done.stderr, done.stderr


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def answers(course):
    """The teacher's own answers, by cell."""
    return {
        grade_id(cell): cell.source
        for cell in nbformat.read(course / SOURCE, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course with the students' version generated."""
    if find_spec("nbgrader") is None:
        reason = 'needs nbgrader: pip install -e ".[teach]"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    course = tmp_path_factory.mktemp("course")
    for name in ("source", "nbgrader_config.py"):
        copy = shutil.copytree if (TEACH / name).is_dir() else shutil.copy
        copy(TEACH / name, course / name)
    nbgrader(course, "generate_assignment", "focal_loss")
    return course


@pytest.fixture(scope="module")
def marks(course):
    """The marks of every submission, by student and by test."""
    from nbgrader.api import Gradebook

    for student, (given, _) in SUBMISSIONS.items():
        submit(course, student, given)
    limit = f"--Execute.timeout={SECONDS}"
    nbgrader(course, "autograde", "focal_loss", limit)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return {
            student: {
                grade.name: grade.score
                for grade in book.find_submission_notebook(
                    "focal_loss", "focal_loss", student
                ).grades
            }
            for student in SUBMISSIONS
        }


def submit(course, student, given):
    """Hand in the students' version with the `given` answers put in."""
    path = course / "release" / "focal_loss" / "focal_loss.ipynb"
    notebook = nbformat.read(path, as_version=4)
    right = answers(course)
    if given is DELETED:
        notebook.cells = [
            cell for cell in notebook.cells if grade_id(cell) not in DELETED
        ]
        given = None
    for cell in notebook.cells:
        if grade_id(cell) in right and given != {}:
            cell.source = (right | (given or {}))[grade_id(cell)]
    path = course / "submitted" / student / "focal_loss" / path.name
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def test_the_students_see_no_answer_and_no_hidden_test(course):
    path = course / "release" / "focal_loss" / "focal_loss.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text
    assert text.count("raise NotImplementedError()") == 1 + len(
        answers(course)
    )
    for name, answer in answers(course).items():
        (shown,) = [cell for cell in cells if grade_id(cell) == name]
        hidden = answer.split("### BEGIN SOLUTION\n")[1].splitlines()[:-1]
        assert not set(hidden) & set(shown.source.splitlines())
    assert not any(cell.get("outputs") for cell in cells)


def test_points_and_minutes_add_up(course):
    cells = nbformat.read(course / SOURCE, as_version=4).cells
    points = {
        grade_id(cell): cell.metadata.nbgrader.points
        for cell in cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    assert points == POINTS
    assert sum(points.values()) == 20
    visible = sum(
        points.get(grade_id(cell), 0)
        for cell in cells
        if "HIDDEN" not in cell.source
    )
    assert visible == 5


@pytest.mark.parametrize("student", SUBMISSIONS)
def test_marks(marks, student):
    _, lost = SUBMISSIONS[student]
    expected = {
        name: 0 if name in lost else points for name, points in POINTS.items()
    }
    assert marks[student] == expected


def test_half_right_is_half_the_marks(marks):
    assert sum(marks["empty"].values()) == 0
    assert sum(marks["half_right"].values()) == 10
    assert sum(marks["perfect"].values()) == 20
