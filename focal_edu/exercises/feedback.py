"""What a question says, as text for a terminal and HTML for a notebook."""

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
        message = re.sub(
            "`(.*?)`", r"<code>\1</code>", html.escape(self.message, False)
        )
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
            cells = (f"{left}{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table>{row(self.head, 'th')}{body}</table>"


def looking_back(lesson):
    """Return the predictions made in a lesson beside what happened.

    `lesson` is a module of this package. What you said first counts; it is
    remembered until the kernel restarts.
    """
    questions = [q for q in vars(lesson).values() if hasattr(q, "happened")]
    rows = [
        (q.about, ", then ".join(q.said) or "no prediction", q.happened)
        for q in questions
    ]
    return Table(("prediction", "you said", "what happened"), rows)
