"""Wrong functions are told their own mistake; none is accepted."""

import ast
import random
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from test_exercises import QUESTIONS, fresh

from focal_edu.exercises.errors import Trouble
from focal_edu.exercises.questions import FunctionToWrite, source_of
from focal_edu.gradients import gradient_ratio

# Mutants that are refused by no check, because they are right as well.
# The weights are divided by their mean, so a common factor cancels.
EQUIVALENT = {
    ("lesson_04.class_weights", "inverse = 2 / np.asarray(counts)"),
    ("lesson_04.class_weights", "inverse = -1 / np.asarray(counts)"),
    ("lesson_07.balanced", "weights = 2 / (1 - beta ** counts)"),
    ("lesson_07.balanced", "weights = -1 / (1 - beta ** counts)"),
    ("lesson_07.balanced", "weights = 1 / (beta ** counts - 1)"),
    # An empty bin more, and a distance taken from its other end.
    ("lesson_08.ece", "range(11)"),
    ("lesson_08.ece", "confidence[inside].mean() - right[inside].mean()"),
}


WRITTEN = tomllib.loads(
    (Path(__file__).parent / "wrong_functions.toml").read_text()
)
FUNCTIONS = [
    name for name, q in QUESTIONS.items() if isinstance(q, FunctionToWrite)
]
# What is said when nothing better is known: an input, and which side the
# result is on.
UNKNOWN = re.compile(
    r"At .* your function gives .*(too (large|small)|is right|not right)\.$"
)


def diagnosed(feedback):
    """Whether a refusal says what is wrong, and not only where."""
    assert feedback.right is False, feedback
    assert "Traceback" not in str(feedback)
    return not UNKNOWN.match(feedback.message)


def mutants(source):
    """Every version of `source` with one small thing changed."""
    tree = ast.parse(source)
    arguments = [a.arg for a in tree.body[0].args.args]
    for place, node in enumerate(ast.walk(tree)):
        for number in range(len(variants(node, arguments))):
            tree_again = ast.parse(source)
            old = list(ast.walk(tree_again))[place]
            new = variants(old, arguments)[number]
            changed = Swap(old, new).visit(tree_again)
            yield ast.unparse(ast.fix_missing_locations(changed))


class Swap(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
    ast.Div: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
CALLS = {"log": "log10", "exp": "exp2", "sum": "mean", "max": "min"}


def variants(node, arguments):
    """What `node` may be changed to: sign, factor, constant, operands."""
    if isinstance(node, ast.BinOp):
        left, right, kind = node.left, node.right, type(node.op)
        yours = [left, right, ast.BinOp(left, OPERATORS[kind](), right)]
        if kind in (ast.Sub, ast.Div, ast.Pow):
            yours.append(ast.BinOp(right, node.op, left))
        return yours
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        values = {node.value + 1, -node.value, 0} - {node.value}
        return [ast.Constant(value) for value in sorted(values)]
    if isinstance(node, ast.Attribute) and node.attr in CALLS:
        return [ast.Attribute(node.value, CALLS[node.attr], node.ctx)]
    if isinstance(node, ast.Return):
        return [ast.Return(ast.UnaryOp(ast.USub(), node.value))]
    if isinstance(node, ast.Name) and node.id in arguments:
        others = [name for name in arguments if name != node.id]
        return [ast.Name(name, node.ctx) for name in others]
    return []


def made(question, source):
    """The function that a source defines, with the solution's names."""
    names = dict(question.function.__globals__)
    exec(source, names)
    return names[question.function.__name__]


def written(name):
    """The functions of `WRITTEN` for one exercise, by their source."""
    entry = WRITTEN[name]
    names = {"np": np, "sig": lambda x: 1 / (1 + np.exp(-x))}
    names["soft"] = lambda z: np.exp(z) / np.exp(z).sum()
    names["g"] = gradient_ratio
    exec(PAIR, names)
    for line in entry["wrong"].strip().splitlines():
        yield line, eval(f"lambda {entry['arguments']}: {line}", names)


PAIR = """
def pair(x, y, gamma, loss, slope):
    sign = 2 * y - 1
    p_t = sig(sign * x)
    return tuple(f(p_t, 1 - p_t, gamma, sign) for f in (loss, slope))
def L(p, q, g, s):
    return -(q**g) * np.log(p)
def S(p, q, g, s):
    return s * q**g * (g * p * np.log(p) - q)
def h(v, gamma):
    return v / g(v, gamma)
def bins(confidence, right, count, of_a_bin):
    place = np.minimum(np.floor(confidence * count), count - 1)
    inside = [place == b for b in np.unique(place)]
    return sum(of_a_bin(confidence[i], right[i]) for i in inside)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_small_change_is_named_and_the_solution_is_not(name):
    question, named, tried = fresh(name), 0, 0
    solution = source_of(question.function)
    secret = solution.split("return ")[-1].strip().replace(" ", "")
    unseen = set(question.meaning) - {"p_t"}  # the lessons say p_t
    for source in mutants(solution):
        feedback = question.check(made(question, source))
        message = feedback.message
        assert secret not in message.replace(" ", "")
        for own in unseen:
            assert f"`{own}`" not in message or f"`{own}` is " in message
        if feedback.right:
            assert any(
                name == other and line in source for other, line in EQUIVALENT
            ), source
        else:
            tried, named = tried + 1, named + diagnosed(feedback)
    assert tried >= 4 and named >= 0.9 * tried


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_two_changes_at_once_are_refused_and_named(name):
    question, named, tried = fresh(name), 0, 0
    singles = list(mutants(source_of(question.function)))
    pairs = {pair for single in singles for pair in mutants(single)}
    pairs = sorted(pairs)
    for source in random.Random(0).sample(pairs, min(12, len(pairs))):
        mutant = made(question, source)
        feedback = question.check(mutant)
        if feedback.right:  # two changes that cancel
            cases = question.behaviour.cases
            right, other = question.function, mutant
            assert all(
                np.allclose(right(*case), other(*case)) for case in cases
            ), source
        else:
            tried, named = tried + 1, named + diagnosed(feedback)
    assert named >= 0.8 * tried


@pytest.mark.slow
def test_what_readers_write_is_refused_and_named():
    named = {}
    for name in WRITTEN:
        question = fresh(name)
        found = [diagnosed(question.check(f)) for _, f in written(name)]
        named.setdefault(name.split(".")[0], []).extend(found)
        assert len(found) >= 10 and sum(found) >= 0.7 * len(found), name
    print({lesson: f"{sum(n)} of {len(n)}" for lesson, n in named.items()})
    count = sum(map(len, named.values()))
    assert sum(map(sum, named.values())) >= 0.85 * count


@pytest.mark.parametrize("name", FUNCTIONS)
def test_infinity_is_said_to_be_what_it_is(name):
    question = fresh(name)
    infinite = np.full_like(question.behaviour.expected[0], np.inf)
    message = question.check(lambda *arguments: infinite).message
    assert message.startswith("It gives") and "inf" in message


def test_no_number_is_like_infinity():
    alike = fresh("lesson_01.p_t").behaviour.alike
    for a, b in ((1, np.inf), (np.inf, 1), (-np.inf, np.inf)):
        assert not alike(a, b)
    assert alike(np.inf, np.inf) and alike(np.nan, np.nan)


def takes_arrays(question):
    try:
        return question.behaviour.in_batch(question.function) is not None
    except Trouble:
        return False


ELEMENTWISE = [
    name
    for name in FUNCTIONS
    if QUESTIONS[name].behaviour.elementwise and takes_arrays(QUESTIONS[name])
]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("reduce", [np.mean, np.sum])
def test_a_function_that_reduces_is_refused(name, reduce):
    question = fresh(name)
    solution = question.function

    def reducing(*arguments):
        result = np.array(solution(*arguments))
        return reduce(result, axis=-1) if np.ndim(arguments[0]) else result

    feedback = question.check(reducing)
    assert feedback.right is False
    assert reduce.__name__ in feedback.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda loss: loss[:2], "gives 2 numbers"),
        (lambda loss: loss - loss.mean() + loss[0], "changes what another"),
        (lambda loss: (loss[0], loss), "no array"),
    ],
)
def test_what_is_right_for_one_and_not_for_many_is_refused(change, said):
    question = fresh("lesson_01.binary_focal_loss")

    def answer(p, y, gamma):
        result = question.function(p, y, gamma)
        return change(result) if np.ndim(p) else result

    feedback = question.check(answer)
    assert feedback.right is False and said in feedback.message


def test_a_function_of_single_numbers_is_right():
    from math import log

    def loss(p, y, gamma):
        if y == 1:
            return -((1 - p) ** gamma) * log(p)
        return -(p**gamma) * log(1 - p)

    question = fresh("lesson_01.binary_focal_loss")
    feedback = question.check(loss)
    assert feedback.right and "np.where" in feedback.message
    assert "np.where" not in question.check(question.function).message
