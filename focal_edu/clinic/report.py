"""What the examination found, as text and as a table in a notebook."""

from dataclasses import dataclass, field
from html import escape

LEFT = " style='text-align:left'"
RISK = "risk"


@dataclass(frozen=True)
class Finding:
    """One property: does it hold (None: not tested), and what was seen.

    `RISK` stands for what fails only in a use that was not claimed.
    """

    name: str
    holds: bool | str | None
    seen: str = ""


@dataclass(frozen=True)
class Report:
    """What a loss computes, in which properties it differs, with proof.

    `verdict` is "right" (every property that could be tested holds),
    "known" (it computes the combination of known mistakes in `names`),
    "unknown" (it differs, and agrees with none of them), "right formula"
    (the formula is the paper's, a property fails) or "refused" (nothing
    could be examined; `trouble` says why).
    """

    verdict: str
    claims: object = None
    form: object = None
    mistakes: tuple = ()
    findings: tuple = ()
    example: object = None
    effect: str = ""
    trouble: tuple = ()
    title: str = field(default="loss")

    @property
    def names(self):
        """The names of the mistakes it makes."""
        return tuple(mistake.name for mistake in self.mistakes)

    @property
    def failing(self):
        """The names of the properties that do not hold."""
        return tuple(f.name for f in self.findings if f.holds is False)

    @property
    def risks(self):
        """The names of the properties that fail in a use not claimed."""
        return tuple(f.name for f in self.findings if f.holds == RISK)

    @property
    def conforms(self):
        """Whether it was examined and no property fails."""
        return self.verdict == "right"

    @property
    def headline(self):
        """The verdict in one line."""
        count = len([f for f in self.findings if f.holds is True])
        n = len(self.risks)
        risk = f"; {n} would fail in another use" if n else ""
        plain = self.claims and self.claims.gamma == 0
        what = "cross entropy (γ = 0)" if plain else "the focal loss"
        return {
            "right": f"This is {what}: {count} properties hold{risk}.",
            "known": "Not the focal loss it is held against: "
            + "; ".join(self.names)
            + ".",
            "unknown": "Unknown deviation: it agrees with no known variant.",
            "right formula": "The formula is the focal loss's, but: "
            + "; ".join(self.failing)
            + ".",
            "refused": "It could not be examined.",
        }[self.verdict]

    def _notes(self):
        """Yield pairs of a heading and what stands under it."""
        if self.claims:
            yield "Held against", f"{self.claims}"
        for line in self.trouble:
            yield "Trouble", line
        for mistake in self.mistakes:
            yield (
                "Computes",
                f"{mistake.name}: {mistake.computes}. In training: "
                f"{mistake.effect}",
            )
        if self.effect:
            yield "In training", self.effect
        if self.example:
            yield "Example", f"{self.example}"

    def __str__(self):
        lines = [f"{self.title}: {self.headline}"]
        lines += [f"  {name + ':':<14}{text}" for name, text in self._notes()]
        for finding in self.findings:
            if finding.holds is False:
                lines.append(
                    f"  FAILS         {finding.name}: {finding.seen}"
                )
        lines += [f"  {name + ':':<14}{text}" for name, text in self._rest()]
        return "\n".join(lines)

    def _rest(self):
        """Yield how it was called, where mistakes were seen, what holds."""
        if self.form:
            yield "Called with", f"{self.form}"
        for mistake in self.mistakes:
            if mistake.reported:
                seen = "; ".join(mistake.reported)
                yield "Seen in", f"{mistake.name}: {seen}"
        for finding in self.findings:
            if finding.holds == RISK:
                yield "Risk", f"{finding.name}: {finding.seen}"
        for holds, heading in ((True, "Holds"), (None, "Not tested")):
            found = [
                f"{f.name} ({f.seen})" if holds is None else f.name
                for f in self.findings
                if f.holds is holds
            ]
            if found:
                yield heading, "; ".join(found)

    __repr__ = __str__

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td{LEFT}>{escape(f.name)}</td>"
            f"<td{LEFT}>{escape(f.seen)}</td></tr>"
            for f in self.findings
            if f.holds is False
        )
        table = (
            f"<table><thead><tr><th{LEFT}>what fails</th><th{LEFT}>seen"
            f"</th></tr></thead><tbody>{rows}</tbody></table>"
            if rows
            else ""
        )
        return (
            f"<p><b>{escape(self.title)}: {escape(self.headline)}</b></p>"
            + _paragraphs(self._notes())
            + table
            + _folded(self._rest())
        )


def _paragraphs(notes):
    return "".join(
        f"<p style='margin:2px 0'><b>{escape(name)}</b> {escape(text)}</p>"
        for name, text in notes
    )


def _folded(notes):
    """The notes behind a line that opens at a click."""
    notes = list(notes)
    headings = ", ".join(dict.fromkeys(name.lower() for name, _ in notes))
    return (
        f"<details><summary>More: {headings}</summary>"
        f"{_paragraphs(notes)}</details>"
        if notes
        else ""
    )
