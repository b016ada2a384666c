"""What the examination found, as text and as a table in a notebook."""

import re
from dataclasses import dataclass, field
from html import escape

CELL = "text-align:left;padding:1px 8px"
WRAPPED = f"{CELL};overflow-wrap:anywhere;min-width:8em"
RISK, UNTESTED = "risk", "claimed and not tested"
MARKS = {False: "✗", UNTESTED: "?", RISK: "!", True: "✓", None: "–"}
MINUS = re.compile(r"\[[^]]*\]|(?<![\w.])-(?=\d|inf)")
STEADY = "same answer twice"
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

    `RISK` stands for what fails only in a use that was not claimed,
    `UNTESTED` for what was claimed and could not be tested.
    """

    name: str
    holds: bool | str | None
    seen: str = ""

    @property
    def fails(self):
        """Whether it stands in the way of "conforms"."""
        return self.holds is False or self.holds == UNTESTED

    def __str__(self):
        """In the headline, how it fails."""
        if self.holds == UNTESTED:
            said = f"{UNTESTED}: {self.name}"
        else:
            said = APART.get(self.name, f"not: {self.name}")
        return said + f" ({self.seen})" * bool(self.seen)


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
        """The names of the properties that do not hold.

        What was claimed and could not be tested is among them.
        """
        return tuple(f.name for f in self.findings if f.fails)

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
        failing = [f for f in self.findings if f.fails]
        said = {
            "right": self._conforming,
            "known": self._named,
            "unknown": self._measured,
            "right formula": self._broken,
            "refused": lambda failing: "It could not be examined.",
        }[self.verdict](failing)
        changes = [f.seen for f in failing if f.name == STEADY]
        if changes and "alpha overwritten" not in self.names:
            return typeset(
                f"Its answer changes from call to call ({changes[0]}). Of "
                f"its first calls: {said}"
            )
        return typeset(said)

    def _conforming(self, failing):
        held = len([f for f in self.findings if f.holds is True])
        risks = len(self.risks)
        risk = f"; {risks} would fail in another use" if risks else ""
        return f"Conforms: {self._formula()}; {held} properties hold{risk}."

    def _named(self, failing):
        told = [str(mistake) for mistake in self.mistakes]
        told += [
            APART[f.name] if f.holds is False else f"{f}"
            for f in failing
            if f.name in APART or f.holds == UNTESTED
        ]
        return f"Fails: {'; '.join(told)}."

    def _measured(self, failing):
        told = [f"{f.name} ({f.seen})" for f in failing if f.name != STEADY]
        facts = [
            f"{name} {seen}"
            for name, seen in self.facts
            if name not in ("takes", "returns")
        ]
        return (
            f"Unknown deviation, with no name for it. Fails: "
            f"{'; '.join(told[:3])}. Measured: {'; '.join(facts[:4])}."
        )

    def _broken(self, failing):
        told = "; ".join(map(str, failing))
        return f"Right formula of {self._formula()}, but {told}."

    def _formula(self):
        claims = self.claims
        if claims and claims.sigmoids:
            form = ", one against rest: a sigmoid for each class"
        elif claims and claims.form:
            form = f" with {claims.form.name}, {claims.numbers['share']:g}"
        else:
            form = ""
        if claims and claims.gamma == 0:
            return "cross entropy (γ = 0), nothing is focused" + form
        return "the focal loss" + form

    def _sections(self):
        """Yield headings, each with pairs of a name and what is said of it.

        Notes and failures stand open, without a heading.
        """
        notes = [("Held against", f"{self.claims}")] if self.claims else []
        notes += [("Note", line) for line in self.trouble]
        notes += [("Computes", f"{m}: {m.computes}") for m in self.mistakes]
        notes += [("In training", self.effect)] if self.effect else []
        notes += [("Example", f"{self.example}")] if self.example else []
        yield "", notes + self._marked(False) + self._marked(UNTESTED)
        yield "What was measured", self.facts
        held = [f.name for f in self.findings if f.holds is True]
        rest = self._marked(RISK)
        rest += [(f"{MARKS[True]} holds", "; ".join(held))] if held else []
        yield (
            "What holds, and what was not tested",
            rest + self._marked(None),
        )
        yield (
            "What it does in training, and where it was seen",
            [
                (m.name, m.effect + f". Seen in: {m.seen}" * bool(m.seen))
                for m in self.mistakes
            ],
        )

    def _marked(self, holds):
        return [
            (f"{MARKS[holds]} {f.name}", f.seen)
            for f in self.findings
            if f.holds == holds
        ]

    def __str__(self):
        lines = [f"{self.title}: {self.headline}"]
        for heading, rows in self._sections():
            if heading and rows:
                lines.append(f"  {heading}:")
            indent = "    " if heading else "  "
            lines += [indent + _line(*row) for row in dict.fromkeys(rows)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        parts = [f"<b>{escape(f'{self.title}: {self.headline}')}</b>"]
        for heading, rows in self._sections():
            table = _table(dict.fromkeys(rows))
            if heading and rows:
                summary = f"<summary>{escape(heading)}</summary>"
                table = f"<details>{summary}{table}</details>"
            parts.append(table)
        return "".join(parts)


def typeset(text):
    """Return it with minus signs; lists stay as Python writes them."""
    return MINUS.sub(lambda found: "−" if found[0] == "-" else found[0], text)


def _line(name, seen):
    return f"{name}: {typeset(seen)}" if seen else name


def _table(rows):
    lines = "".join(
        f"<tr><td style='{CELL}'>{escape(name)}</td>"
        f"<td style='{WRAPPED}'>{escape(typeset(seen))}</td></tr>"
        for name, seen in rows
    )
    return f"<table style='margin:2px 0'><tbody>{lines}</tbody></table>"
