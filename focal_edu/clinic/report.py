"""What the examination found, as text and as a table in a notebook."""

import re
from dataclasses import dataclass
from html import escape

CELL = "text-align:left;padding:1px 8px"
WRAPPED = f"{CELL};overflow-wrap:anywhere;min-width:8em"
RISK, UNTESTED = "risk", "claimed and not tested"
FAILS = False, UNTESTED  # what stands in the way of "conforms"
MARKS = {False: "✗", UNTESTED: "?", RISK: "!", True: "✓", None: "–"}
MINUS = re.compile(r"\[[^]]*\]|(?<![\w.])-(?=\d|inf)")
STEADY = "same answer twice"
SLOPE = "hard examples keep their slope"
GRADIENT = "gradient is the closed form"
MORE = "times as much"
# What fails for reasons of its own, beside any name for the formula, and
# how the headline says that it does.
APART = {
    "finite at ±100 in float32": "not finite at ±100 in float32",
    "half precision works": "half precision fails",
    SLOPE: "hard examples lose their slope",
    "finite without positives": "not finite without positives",
    "images count as their pixels": "images do not count as their pixels",
    "ignored targets leave no trace": "ignored targets leave a trace",
    "a batch of one example works": "a batch of one example fails",
    "inputs are untouched": "changes its inputs",
    "its tensors move with the module": "its tensors stay behind",
}


def apart(one, other, kind="g", digits=range(3, 18)):
    """Return numbers or lists as text, with digits that tell them apart."""
    for many in digits:
        shown = tuple(
            _text(value, f".{many}{kind}") for value in (one, other)
        )
        if shown[0] != shown[1]:
            break
    return shown


def _text(value, form):
    if isinstance(value, list):
        return "[" + ", ".join(_text(v, form) for v in value) + "]"
    return format(value, form)


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
    def failure(self):
        """How it fails, in the words of the headline."""
        if self.holds == UNTESTED:
            return f"{UNTESTED}: {self.name}"
        if self.name == SLOPE and MORE in self.seen:
            return "hard examples gain slope"
        return APART.get(self.name, f"“{self.name}” fails")


def by_cause(findings, words="name"):
    """Return pairs: the names of findings, and what was seen of them all."""
    causes = {}
    for finding in findings:
        cause = finding.seen, "" if finding.seen else finding.name
        causes.setdefault(cause, []).append(getattr(finding, words))
    return [(names, seen) for (seen, _), names in causes.items()]


def _told(findings):
    """Say how they fail and why, a cause that several have once."""
    return [
        first
        + (f", and {len(rest)} more" if rest else "")
        + (f" ({seen})" if seen else "")
        for (first, *rest), seen in by_cause(findings, "failure")
    ]


@dataclass(frozen=True)
class Report:
    """What a loss computes, in which properties it differs, with proof.

    `verdict` is "right" (every property that could be tested holds),
    "known" (it computes the combination of known mistakes in `names`),
    "unknown" (it differs, and agrees with none of them), "right formula"
    (the formula is the paper's, a property fails) or "refused" (nothing
    could be examined; `trouble` says why). `explained` are properties that
    fail because of those mistakes.
    """

    verdict: str
    claims: object = None
    form: object = None
    mistakes: tuple = ()
    explained: tuple = ()
    findings: tuple = ()
    example: object = None
    effect: str = ""
    trouble: tuple = ()
    title: str = "loss"
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
        return tuple(f.name for f in self._holding(*FAILS))

    @property
    def risks(self):
        """The names of the properties that fail in a use not claimed."""
        return tuple(f.name for f in self._holding(RISK))

    @property
    def conforms(self):
        """Whether it was examined and no property fails."""
        return self.verdict == "right"

    @property
    def headline(self):
        """The verdict in one line: of names, "Fails" if a property does."""
        changes = [f.seen for f in self._holding(*FAILS) if f.name == STEADY]
        said = self._verdict()
        if changes and "alpha overwritten" not in self.names:
            first = f" Of its first calls: {said}"
            said = f"Its answer changes from call to call ({changes[0]})."
            said += first * (self.verdict != "unknown")
        return typeset(said)

    def _verdict(self):
        match self.verdict:
            case "right":
                held, risks = len(self._holding(True)), self.risks
                told = (
                    f"Conforms: {self.claims.formula}; {held} properties hold"
                )
                if risks:
                    told += f"; {len(risks)} would fail in another use"
                if 0 < len(risks) < 3:
                    told += f" ({', '.join(f'“{name}”' for name in risks)})"
                return f"{told}."
            case "right formula":
                told = "; ".join(_told(self._holding(*FAILS)))
                return f"Right formula of {self.claims.formula}, but {told}."
            case "known":
                apart = APART.keys() - self.explained
                beside = [f for f in self._holding(False) if f.name in apart]
                told = [*map(str, self.mistakes)]
                told += [finding.failure for finding in beside]
                told += _told(self._holding(UNTESTED))
                fails = "Fails" if self.failing else "Differs"
                return f"{fails}: {'; '.join(told)}."
            case "unknown":
                failing, of = len(self.failing), len(self.findings)
                told = f"; {failing} of {of} properties fail"
                if not failing:
                    told = f", at {self.example or 'random batches'}"
                if {GRADIENT} <= {*self.failing} <= {GRADIENT, SLOPE}:
                    formula = self.claims.formula
                    told = f": the values are of {formula}, its gradient not"
                fact = self.profile and self.profile.telling(self.facts)
                if failing and not fact:
                    told += f": {'; '.join(_told(self._holding(*FAILS)))}"
                seen = f" Measured: {': '.join(fact)}." if fact else ""
                return f"Unknown deviation{told}.{seen}"
        reasons = [line.partition(": ")[2] for line in self.trouble[:1]]
        told = ": ".join(["It could not be examined", *reasons])
        return told if told.endswith((".", "?")) else f"{told}."

    def _holding(self, *holds):
        return [f for f in self.findings if f.holds in holds]

    def _marked(self, holds):
        """Rows with a mark, what failed for the same reason in one row."""
        return [
            (f"{MARKS[holds]} {'; '.join(names)}", seen)
            for names, seen in by_cause(self._holding(holds))
        ]

    def _sections(self):
        """Yield headings, each with pairs of a name and what is said of it.

        Notes and failures stand open, without a heading.
        """
        notes = [
            ("Held against", self.claims),
            *(("Note", line) for line in self.trouble),
            *(("Computes", f"{m}: {m.computes}") for m in self.mistakes),
            ("In training", self.effect),
            ("Example", self.example),
        ]
        notes = [(name, f"{said}") for name, said in notes if said]
        yield "", notes + self._marked(False) + self._marked(UNTESTED)
        yield "What was measured", self.facts
        held = "; ".join(f.name for f in self._holding(True))
        yield (
            "What holds, and what was not tested",
            self._marked(RISK)
            + [(f"{MARKS[True]} holds", held)] * bool(held)
            + self._marked(None),
        )
        yield (
            "What it does in training, and where it was seen",
            [
                (m.name, m.effect + f". Seen in: {m.seen}" * bool(m.seen))
                for m in self.mistakes
            ],
        )

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
