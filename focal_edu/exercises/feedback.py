"""What a question says, as text for a terminal and HTML for a notebook."""

import csv
import html
import re

COLOURS = {"Right": "#0072B2", "Not yet": "#D55E00"}
GREY = "#767676"
MONOSPACE = "font-family: monospace"


class Feedback:
    """One verdict, one message and, where there is some, code or a list.

    ``right`` is True, False, or None for what judges no answer.
    """

    def __init__(self, verdict, message, listing="", right=None):
        self.verdict, self.message = verdict, message
        self.listing, self.right = listing, right

    def __repr__(self):
        return f"{self.verdict}: {self.message}\n{self.listing}".rstrip()

    def _repr_html_(self):
        colour = COLOURS.get(self.verdict, GREY)
        message = _code(html.escape(self.message, False))
        listing = html.escape(self.listing, False)
        listing = listing and f'<pre style="{MONOSPACE}">{listing}</pre>'
        return (
            f'<div style="border-left: 4px solid {colour}; '
            f'padding-left: 0.8em"><b>{self.verdict}:</b> {message}'
            f"{listing}</div>"
        )


class Table:
    """Rows of text under a head."""

    def __init__(self, head, rows):
        self.head, self.rows = head, rows

    def __repr__(self):
        lines = [self.head, *self.rows]
        widths = [
            max(map(len, column)) for column in zip(*lines, strict=True)
        ]
        return "\n".join(
            "   ".join(map(str.ljust, line, widths)).rstrip()
            for line in lines
        )

    def _repr_html_(self):
        def row(cells, tag):
            left = f'<{tag} style="text-align: left">'
            cells = (
                f"{left}{_code(html.escape(cell))}</{tag}>" for cell in cells
            )
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table>{row(self.head, 'th')}{body}</table>"


def questions_of(lesson):
    """Return a lesson's questions by name, in the order of the lesson."""
    return {n: q for n, q in vars(lesson).items() if hasattr(q, "said")}


def looking_back(lesson):
    """Return the predictions made in a lesson next to what happened.

    `lesson` is a module of this package. What you said first and what you
    said last are shown; they are remembered until the kernel restarts.
    """
    rows = [
        (question.about, _first_and_last(question.said), question.happened)
        for question in questions_of(lesson).values()
        if hasattr(question, "happened")
    ]
    return Table(("prediction", "you said", "what happened"), rows)


def hand_in(lesson, path):
    """Write what was answered in a lesson to a file, for a teacher.

    Parameters
    ----------
    lesson : module of this package
    path : str or Path
        Of the CSV file: a row for each question, with how often it was tried,
        whether it was right at last, the hints taken, whether the solution
        was looked at, and the first and last prediction.
    """
    head = "lesson question tries right hints solution said".split()
    name = lesson.__name__.rpartition(".")[2]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for key, q in questions_of(lesson).items():
            seen = (int(q.solved), q.hints_given, int(q.solution_seen))
            said = q.said and _first_and_last(q.said)
            writer.writerow((name, key, q.tries, *seen, said or ""))
    return Feedback("Written", f"{path} is the file to hand in.")


def _code(text):
    return re.sub("`(.*?)`", r"<code>\1</code>", text)


def _first_and_last(said):
    if not said:
        return "no prediction"
    first, *_, last = said if len(said) > 1 else said * 2
    return first if first == last else f"{first}, then {last}"
