"""How nbgrader grades the work handed in for `source/`, whatever is in it.

A cell may take ten seconds. A cell with tests that was deleted comes back.
A cell that ends the kernel, or that nothing interrupts, counts as an error,
and the others are graded.
"""

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute, NbGraderPreprocessor


class RestoreCells(NbGraderPreprocessor):
    """Puts back each cell that is missing, after the one it followed."""

    def preprocess(self, nb, resources):
        place = 0
        for cell in self.released(**resources["nbgrader"]).cells:
            present = [grade_id(other) for other in nb.cells]
            if grade_id(cell) in present:
                place = present.index(grade_id(cell)) + 1
            elif grade_id(cell):
                nb.cells.insert(place, cell)
                place += 1
        return nb, resources

    def released(self, assignment, notebook, **_):
        course = self.parent.parent.coursedir
        folder = course.format_path(course.release_directory, ".", assignment)
        return nbformat.read(f"{folder}/{notebook}.ipynb", as_version=4)


class ExecuteRest(Execute):
    """Executes again without the cells that the kernel did not survive."""

    def preprocess(self, nb, resources, km=None):
        self.deadly = []
        while True:
            try:
                return super().preprocess(nb, resources, km)
            except (DeadKernelError, CellTimeoutError):
                self.deadly.append(self.running)

    def preprocess_cell(self, cell, resources, index):
        if index in self.deadly:
            cell.outputs = [
                nbformat.v4.new_output(
                    "error", ename="DeadKernelError", evalue="kernel lost"
                )
            ]
            return cell, resources
        self.running = index
        return super().preprocess_cell(cell, resources, index)


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "focal_loss"
c.Execute.timeout = 10
# Without IPython's `exit` and `quit`, calling one is an ordinary error.
c.Execute.extra_arguments = ["--IPKernelApp.exec_lines=del exit, quit"]
c.Autograde.sanitize_preprocessors = [
    RestoreCells,
    *Autograde.sanitize_preprocessors.default(),
]
c.Autograde.autograde_preprocessors = [
    ExecuteRest if step is Execute else step
    for step in Autograde.autograde_preprocessors.default()
]
