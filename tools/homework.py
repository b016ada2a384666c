"""Show at a glance the files that a class has handed in.

    python tools/homework.py FOLDER

Each is a CSV file that `focal_edu.exercises.hand_in` wrote. A row for each
file, a column for each question: ``2`` is right at the second try, ``-3`` not
right after three, ``.`` not tried; ``s`` marks a solution looked at.
"""

import csv
import sys
from pathlib import Path


def mark(row):
    """Return what one question came to, in two or three letters."""
    tries = int(row["tries"])
    seen = "s" if int(row["solution"]) else ""
    if not tries:
        return f".{seen}"
    return f"{tries if int(row['right']) else -tries}{seen}"


def marks(folder):
    """Return by lesson the marks of each file, by question."""
    lessons = {}
    for path in sorted(Path(folder).rglob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                of_class = lessons.setdefault(row["lesson"], {})
                own = of_class.setdefault(path.stem, {})
                own[row["question"]] = mark(row)
    return lessons


def table(of_class):
    """Return one lesson's marks as text."""
    questions = list(next(iter(of_class.values())))
    rows = [["", *questions]]
    for student, own in of_class.items():
        rows.append([student, *(own.get(q, "") for q in questions)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
    )


if __name__ == "__main__":
    for lesson, of_class in marks(sys.argv[1]).items():
        print(f"{lesson}\n{table(of_class)}\n")
