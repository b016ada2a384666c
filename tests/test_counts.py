"""Whole numbers and fractions that the lessons' prose states as results.

Numbers with a point are looked for by `test_notebooks`. Here are those that
it cannot see: "7 of ten seeds", "two thirds", "four times", "a hundredth",
"81 %". A count must be printed as it is said, "7 of 10"; the others must be
near a number that a cell of the same section prints. What a paper found or a
definition fixes stands in cited.toml, word for word.
"""

import math
import re
import tomllib
from pathlib import Path

import nbformat
from test_notebooks import NUMBER, every_lesson

CITED = tomllib.loads((Path(__file__).parent / "cited.toml").read_text())
SMALL = (
    "no one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORTH = {word: number for number, word in enumerate(SMALL)}
WORTH |= {word: 10 * tens for tens, word in enumerate(TENS, 2)}
WORTH |= {"none": 0, "a": 1, "an": 1, "hundred": 100, "thousand": 1000}
PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4}
PARTS |= {"fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9}
PARTS |= {"tenth": 10, "twentieth": 20, "hundredth": 100, "thousandth": 1000}

DIGITS = r"(?<![\d.])\d+(?:[ ,]\d{3})*(?!\.?\d)"
COUNTED = rf"(?:{DIGITS}|\b(?:{'|'.join([*SMALL, 'none', *TENS])})\b)"
WHOLE = rf"(?:(?:a|one|two|three|four|five) )?(?:hundred|thousand)|{COUNTED}"
PART = "|".join(f"{part}s?" for part in PARTS)
COUNT = re.compile(
    rf"((?:{COUNTED},? (?:and )?(?:on )?(?:in )?)*{COUNTED})"
    rf" (?:out )?of (?:all )?({COUNTED})"
)
FRACTION = re.compile(
    rf"\b(?:(two|three|four|five|seven|nine) ({PART})"
    rf"|(an?|one)[ -]({PART})(?= of\b| as\b|[.,;:)]))\b"
    r"|\b(?:about|nearly|almost|than|by|over) (half)\b|\b(half)(?= as\b)"
)
TIMES = re.compile(
    rf"({WHOLE})(?: times\b|-?fold\b)|\btwice(?= as| the| too)"
)
PERCENT = re.compile(rf"({DIGITS})(?= ?%| per ?cent\b)")

LEFT_OUT = re.compile(
    r"(?ms)^```.*?^```"
    r"|^[>|].*?$"  # questions, and tables of what others have found
    r"|\]\([^)]*\)"
    r"|`[^`\n]*`"
)


def sections(path):
    """The prose of each section, and what its cells print.

    To the opening and to what repeats it at the end belongs all that the
    notebook prints.
    """
    found = [["", ""]]
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            first, *rest = re.split(r"(?m)^(?=## )", cell.source)
            found[-1][0] += "\n" + first
            found += [[section, ""] for section in rest]
        for output in cell.get("outputs", []):
            text = output.get("text") or output.data.get("text/plain", "")
            found[-1][1] += "\n" + text
    everything = "\n".join(output for _, output in found)
    for number, (prose, output) in enumerate(found):
        recap = prose.startswith("## What you saw")
        yield prose, everything if recap or number == 0 else output


def words(prose):
    """The prose alone, on one line."""
    return re.sub(r"\s+", " ", LEFT_OUT.sub(" ", prose))


def worth(text):
    """The number that digits or words say."""
    if text[0].isdigit():
        return int(re.sub("[ ,]", "", text))
    product = 1
    for word in text.split():
        product *= WORTH[word]
    return product


def results(prose):
    """What the prose states: (its words, what has to be printed) pairs."""
    prose = words(prose).lower()
    for match in COUNT.finditer(prose):
        whole = worth(match[2])
        for part in re.findall(COUNTED, match[1]):
            yield match[0], (worth(part), whole)
    for match in FRACTION.finditer(prose):
        many, part = [g for g in (*match.groups(), "half") if g][:2]
        if part == "half" and many == "half":
            many = "one"
        part = part if part in PARTS else part.removesuffix("s")
        yield match[0], worth(many) / PARTS[part]
    for match in TIMES.finditer(prose):
        yield match[0], worth(match[1]) if match[1] else 2
    for match in PERCENT.finditer(prose):
        yield f"{match[0]} %", worth(match[0]) / 100


def shown(result, output):
    """Whether the output holds a count, or a number near another result."""
    if isinstance(result, tuple):
        return re.search(r"\b{} of {}\b".format(*result), output)
    output = output.replace("−", "-").replace(",", "")
    printed = {abs(float(number)) for number in NUMBER.findall(output)}
    printed = {value for value in printed if 0 < value < math.inf}
    if result >= 1:
        near = printed | {1 / value for value in printed}
        return any(round(value) == result for value in near)
    near = printed | {value / 100 for value in printed}
    near |= {1 / value for value in printed}
    return any(abs(value / result - 1) < 0.06 for value in near)


@every_lesson
def test_counts_and_fractions_are_printed_or_cited(path):
    named = CITED.get(path.stem, {})
    cited = {key for key in named if not NUMBER.fullmatch(key)}
    stated = [
        (said, result, output)
        for prose, output in sections(path)
        for said, result in results(prose)
    ]
    missing = [
        said
        for said, result, output in stated
        if said not in cited and not shown(result, output)
    ]
    assert missing == []
    gone = cited - {said for said, _, _ in stated}
    assert gone == set(), "cited, but the prose does not say it"


def test_the_check_can_fail():
    prose = (
        "Better on 10 and on 7 of ten seeds; about two thirds of it,\n"
        "four times as much, 81 % of 0.5. The third of the `two of ten`.\n"
        "\n> Is it a tenth of that?\n"
    )
    found = [result for _, result in results(prose)]
    assert found == [(10, 10), (7, 10), 2 / 3, 4, 0.81]
    right = "wins: 10 of 10, 7 of 10\nshare 0.6481, ratio 4.02, kept 0.8100"
    wrong = "wins: 9 of 10, 8 of 10\nshare 0.5481, ratio 3.02, kept 0.7100"
    for result in found:
        assert shown(result, right) and not shown(result, wrong)
