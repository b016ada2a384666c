"""Answers in whatever form they are typed: one letter, or one number."""

import ast
import math
import operator
import re

import numpy as np

OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
NAMES = {"nan": math.nan, "inf": math.inf, "e": math.e, "pi": math.pi}
FUNCTIONS = {
    "log": math.log,
    "ln": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
# What is typed, and what Python calls it.
COUNTS = (
    "zero one two three four five six seven eight nine ten eleven twelve"
).split()
WORDS = {word: str(count) for count, word in enumerate(COUNTS)} | {
    "twenty": "20", "fifty": "50", "and": "+",
    "hundred": "*100", "thousand": "*1000", "over": "/", "minus": "-",
    "half": "*1/2", "third": "*1/3", "thirds": "*1/3", "quarter": "*1/4",
    "quarters": "*1/4", "fourth": "*1/4", "fifth": "*1/5", "tenth": "*1/10",
    "hundredth": "*1/100", "infinity": "inf", "infinite": "inf",
}  # fmt: skip
SPELLINGS = [
    (r"[−–]", "-"),
    (r"(?<=[a-z])-(?=[a-z])", " "),
    (r"[a-z]+", lambda m: WORDS.get(m[0], m[0])),
    (r"∞", "inf"),
    (r"[·×](?=\s*\d)", "*"),
    (r"\^", "**"),
    (r"^(about|around|roughly|circa|ca\.?|approx\.?|≈|~|it is)\s*", ""),
    (r"^([a-z]\w*)?\s*=\s*", ""),
    (r"^(the )?(line|l|no\.?|#)\s*(?=\d)", ""),
    (r"(?<=\d)[  '_](?=\d{3}(?!\d))", ""),
    (r"^(an? )?(?=\*\d)", "1"),
]
PER_CENT = re.compile(r"\s*(%|per ?cent|percent)\.?$")
# Words that may stand behind a number, whatever is asked.
BEHIND = {"times", "x", "×", "nats", "each", "or", "so"}
HOW = "No number can be read in that: answer as in 0.25, 1/4 or 25 %"


class Unread(Exception):
    """An answer in a form that cannot be read; says what to type."""


def read_letter(answer, choices):
    """Return the letter that an answer means.

    `choices` maps letters to texts; the text itself, or its beginning, is
    an answer too.
    """
    asked = f'answer with one letter in quotes, "a" to "{max(choices)}".'
    if isinstance(answer, list | tuple | set) and len(answer) == 1:
        (answer,) = answer
    if not isinstance(answer, str):
        raise Unread(f"This has type {type(answer).__name__}: {asked}")
    said = answer.strip().casefold()
    for letter, text in choices.items():
        if said.rstrip(".") == text.casefold().rstrip("."):
            return letter
    one = re.fullmatch(r"(choice|answer|option)?\W*([a-z])\W*", said)
    if one and one[2] in choices:
        return one[2]
    if one:
        raise Unread(f'There is no choice "{one[2]}": {asked}')
    if re.fullmatch(r"\W*[a-h](\W+(and|or)?\W*[a-h])+\W*", said):
        raise Unread(f"That is more than one letter: {asked}")
    # As in "I think b"; of "a", which is a word too, not everywhere.
    alone = re.findall(r"\b[b-h]\b|^a(?=\s*[:).,;-])|\ba(?=\W*$)", said)
    if len(alone) == 1 and alone[0] in choices:
        return alone[0]
    begun = [a for a, t in choices.items() if t.casefold().startswith(said)]
    if len(begun) == 1 and len(said) > 2:
        return begun[0]
    raise Unread(f"No letter can be read in that: {asked}")


def read_number(answer, unit=""):
    """Return the number that an answer means, and whether "per cent"
    stands behind it. The words of `unit` may stand there as well.
    """
    if isinstance(answer, list | tuple | set) and len(answer) == 1:
        (answer,) = answer
    if isinstance(answer, str):
        return _number_in(answer, unit)
    try:
        if isinstance(answer, bool | np.bool_ | bytes):
            raise TypeError
        if hasattr(answer, "item"):  # an array or a tensor of one number
            answer = answer.item()
        return float(answer), False
    except OverflowError:
        return math.inf if answer > 0 else -math.inf, False
    except Exception:
        pass
    kind = f"has type {type(answer).__name__}"
    if callable(answer):
        kind = "is a function: call it, or work it out"
    elif isinstance(answer, list | tuple | set | np.ndarray):
        kind = f"holds {len(answer)} numbers" if len(answer) else "is empty"
    raise Unread(f"One number is asked for, and this {kind}.")


def _number_in(text, unit):
    said = text.strip().casefold()
    for typed, meant in SPELLINGS:
        said = re.sub(typed, meant, said)
    bare = PER_CENT.sub("", said)
    per_cent = bare != said
    behind = re.search(r"(?<=[\d)])\s*([a-z×][a-z×\s]*)\.?$", bare)
    if behind and behind[1] not in NAMES:
        known = BEHIND | set(re.findall("[a-z]+", unit.casefold()))
        if not known >= set(behind[1].split()):
            raise Unread(f'{HOW}, without "{behind[1]}".')
        bare = bare[: behind.start()]
    try:
        value = _value(ast.parse(_with_a_point(bare), mode="eval").body)
        return float(value), per_cent
    except OverflowError:
        return math.inf, per_cent
    except Unread:
        raise
    except Exception:
        raise Unread(f"{HOW}.") from None


def _with_a_point(said):
    """Return a number's text with a point where a comma may have stood.

    Marks of thousands are looked for in a number alone, not in a sum.
    """
    said = said.strip()
    if not re.fullmatch(r"[-+]?[\d.,]+", said):
        return said.replace(",", ".")
    if re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", said):
        joined, pointed = said.replace(",", ""), said.replace(",", ".")
        raise Unread(
            f"{said} may be read in two ways: write {joined} or {pointed}."
        )
    comma, point = said.rfind(","), said.rfind(".")
    if said.count(",") > 1 or -1 < comma < point:
        return said.replace(",", "")
    if said.count(".") > 1 or -1 < point < comma:
        said = said.replace(".", "")
    return said.replace(",", ".")


def _value(node):
    """Return what a sum, product, power or logarithm of numbers is."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return NAMES[node.id]
    if isinstance(node, ast.UnaryOp):
        return OPERATIONS[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp):
        operation = OPERATIONS[type(node.op)]
        return operation(_value(node.left), _value(node.right))
    if isinstance(node, ast.Call):
        (argument,) = node.args
        return FUNCTIONS[node.func.id](_value(argument))
    raise ValueError
