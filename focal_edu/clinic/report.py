"""What the examination found, as text and as a table in a notebook."""

from dataclasses import dataclass, field
from html import escape

LEFT = " style='text-align:left;padding:1px 8px'"
WRAPPED = f"{LEFT[:-1]};overflow-wrap:anywhere;min-width:8em'"
RISK = "risk"
# What fails for reasons of its own, beside any name for the formula, and
# how the headline says that it does.
APART = {
    "finite at ±100 in float32": "not finite at ±100 in float32",
    "half precision works": "half precision fails",
    "finite without positives": "not finite without positives",
    "ignored targets leave no trace": "ignored targets leave a trace",
    "inputs are untouched": "changes its inputs",
    "its tensors move with the module": "its tensors stay behind",
}


def apart(one, other):
    """Return two numbers as text, with the digits that tell them apart."""
    for digits in range(3, 18):
        shown = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown


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
    facts: tuple = ()
    profile: object = None

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
        what = "cross entropy (γ = 0), nothing is focused"
        what = what if plain else "the focal loss"
        if self.claims and self.claims.sigmoids:
            what += ", one against rest: a sigmoid for each class"
        failing = [f for f in self.findings if f.holds is False]
        if self.verdict == "known":
            failing = [f for f in failing if f.name in APART]
        alone = self.verdict == "right formula"
        told = [str(name) for name in self.mistakes]
        for finding in failing:
            text = APART.get(finding.name, f"not: {finding.name}")
            seen = f" ({finding.seen})" if alone and finding.seen else ""
            told.append(text + seen)
        return {
            "right": f"Conforms: {what}; {count} properties hold{risk}.",
            "known": f"Fails: {'; '.join(told)}.",
            "unknown": "Unknown deviation, with no name for it. Measured: "
            + "; ".join(f"{name} {seen}" for name, seen in self._profile())
            + ".",
            "right formula": f"Right formula of {what}, but "
            + "; ".join(told)
            + ".",
            "refused": "It could not be examined.",
        }[self.verdict]

    def _profile(self):
        told = [
            fact for fact in self.facts if fact[0] not in ("takes", "returns")
        ]
        return told[:4]

    def _notes(self):
        """Yield pairs of a heading and what stands under it."""
        if self.claims:
            yield "Held against", f"{self.claims}"
        for line in self.trouble:
            yield "Note", line
        for mistake in self.mistakes:
            yield "Computes", f"{mistake}: {mistake.computes}"
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
                    f"  ✗ FAILS       {finding.name}: {finding.seen}"
                )
        lines += [f"  {name + ':':<14}{text}" for name, text in self._rest()]
        return "\n".join(lines)

    def _background(self):
        """Yield what each mistake does in training, and where it was seen."""
        for mistake in self.mistakes:
            seen = "; ".join(mistake.reported)
            seen = f". Seen in: {seen}" if seen else ""
            yield mistake.name, mistake.effect + seen

    def _rest(self):
        """Yield what was measured, what is known of it, what holds."""
        if self.facts:
            told = "; ".join(f"{name}: {seen}" for name, seen in self.facts)
            yield "Measured", told
        for name, seen in self._background():
            yield "In training", f"{name}: {seen}"
        for finding in self.findings:
            if finding.holds == RISK:
                yield "Risk", f"{finding.name}: {finding.seen}"
        for holds, heading in ((True, "✓ Holds"), (None, "Not tested")):
            found = [
                f"{f.name} ({f.seen})" if holds is None else f.name
                for f in self.findings
                if f.holds is holds
            ]
            if found:
                yield heading, "; ".join(found)

    __repr__ = __str__

    def _repr_html_(self):
        order = {False: 0, RISK: 1, True: 2, None: 3}
        findings = sorted(self.findings, key=lambda f: order[f.holds])
        failing = [f for f in findings if f.holds is False]
        others = [f for f in findings if f.holds is not False]
        return (
            "<p style='margin:2px 0'>"
            f"<b>{escape(self.title)}: {escape(self.headline)}</b></p>"
            + _paragraphs(self._notes())
            + _table("", _marked(failing))
            + _folded("What was measured", self.facts)
            + _folded("What holds, and what was not tested", _marked(others))
            + _folded(
                "What it does in training, and where it was seen",
                [*self._background()],
            )
        )


MARKS = {False: "✗", RISK: "!", True: "✓", None: "–"}


def _marked(findings):
    """Rows of a mark and a name, and what was seen; what holds is one row."""
    rows = {f.name: (f"{MARKS[f.holds]} {f.name}", f.seen) for f in findings}
    held = [f.name for f in findings if f.holds is True]
    others = [row for name, row in rows.items() if name not in held]
    return others + (
        [(f"{MARKS[True]} holds", "; ".join(held))] if held else []
    )


def _paragraphs(notes):
    return "".join(
        f"<p style='margin:2px 0'><b>{escape(name)}</b> {escape(text)}</p>"
        for name, text in notes
    )


def _table(heading, rows):
    lines = "".join(
        f"<tr><td{LEFT}>{escape(name)}</td>"
        f"<td{WRAPPED}>{escape(seen)}</td></tr>"
        for name, seen in rows
    )
    body = f"<tbody>{lines}</tbody>"
    return f"<table style='margin:2px 0'>{body}</table>" if lines else ""


def _folded(heading, rows):
    """A table behind a line that opens at a click."""
    table = _table(heading, rows)
    summary = f"<summary>{escape(heading)}</summary>"
    return f"<details>{summary}{table}</details>" if table else ""
