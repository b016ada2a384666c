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
SPELLINGS = [
    (r"[−–]", "-"),
    (r"∞|infinity|infinite", "inf"),
    (r"[·×](?=\s*\d)", "*"),
    (r"\^", "**"),
    (r"^(about|around|roughly|circa|ca\.?|approx\.?|≈|~|=)\s*", ""),
    (r"^(line|l|no\.?)\s*(?=\d)", ""),
    (r"(?<=\d)[  '_](?=\d{3}(?!\d))", ""),
]
PER_CENT = re.compile(r"\s*(%|per ?cent|percent)\.?$")


class Unread(Exception):
    """An answer in a form that cannot be read; says what to type."""


def read_letter(answer, choices):
    """Return the letter that an answer means.

    `choices` maps letters to texts; the text itself is an answer too.
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
    alone = re.findall(r"\b[b-h]\b", said)
    if len(alone) == 1 and alone[0] in choices:  # as in "I think b"
        return alone[0]
    raise Unread(f"No letter can be read in that: {asked}")


def read_number(answer):
    """Return the number that an answer means, and whether "per cent"
    stands behind it.
    """
    if isinstance(answer, list | tuple | set) and len(answer) == 1:
        (answer,) = answer
    if isinstance(answer, str):
        return _number_in(answer)
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


def _number_in(text):
    said = text.strip().casefold()
    for typed, meant in SPELLINGS:
        said = re.sub(typed, meant, said)
    bare = PER_CENT.sub("", said)
    per_cent, said = bare != said, _with_a_point(bare)
    said = re.sub(r"\s*(times|x|×|bytes|nats)\.?$", "", said)
    try:
        value = _value(ast.parse(said.strip(), mode="eval").body)
        return float(value), per_cent
    except OverflowError:
        return math.inf, per_cent
    except Exception:
        raise Unread(
            "No number can be read in that: answer as in 0.25, 1/4 or 25 %."
        ) from None


def _with_a_point(said):
    """Return a number's text with a point where a comma may have stood.

    Marks of thousands are looked for in a number alone, not in a sum.
    """
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
