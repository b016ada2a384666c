"""Every small change of a right solution, and what each change is called.

A wrong answer is often the right one with one thing, or two, amiss. So the
solution is changed in every small way, and the changes are kept that do what
the answer does, whatever the answer's own code looks like.
"""

import ast
import re

import numpy as np

LONGEST = 30  # an expression that is shown whole

# What is computed instead of a sum, and so on.
OTHER = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Pow, ast.Add],
    ast.Pow: [ast.Mult],
}
CALLED = {
    ast.Add: "a sum",
    ast.Sub: "a difference",
    ast.Mult: "a product",
    ast.Div: "a quotient",
    ast.Pow: "a power",
}
CALLS = {
    "log": ["log10", "log2", "log1p"],
    "log1p": ["log"],
    "exp": ["exp2", "expm1"],
    "sum": ["mean", "max"],
    "mean": ["sum", "max", "min"],
    "max": ["min"],
    "min": ["max"],
    "minimum": ["maximum"],
    "maximum": ["minimum"],
    "logaddexp": ["logaddexp2"],
}
# Functions that an answer may do without, in words.
MEANT = {
    "minimum": "the smaller of two numbers",
    "maximum": "the larger of two numbers",
    "logaddexp": "the logarithm of a sum of exponentials",
}


def matching(source, scope, agrees):
    """Return what is changed in the first mutant that agrees, or None.

    Parameters
    ----------
    source : str
        One function.
    scope : dict
        The names that it uses.
    agrees : callable
        Whether a mutant does what the answer does.
    """
    tree = ast.parse(source)
    name, names = tree.body[0].name, dict(scope)
    *_, last = tree.body[0].body  # what it returns is not shown whole
    returned = f"`{ast.unparse(last).removeprefix('return ')}`"

    def matches():
        try:
            exec(compile(tree, "mutant", "exec"), names)
        except Exception:
            return False
        return agrees(names[name])

    for said, _ in _changes(tree, alone=True):
        if matches():
            return [said.replace(returned, "the result")]
    for first, place in _changes(tree):
        for second, other in _changes(tree):
            if other > place and matches():
                both = [first, second]
                return [said.replace(returned, "the result") for said in both]


def _changes(tree, alone=False):
    """Make each change of `tree` in turn, and undo it; yield what it is and
    where. One part for another is tried `alone`: pairs are many.
    """
    function = tree.body[0]
    nodes = [n for part in function.body for n in ast.walk(part)]
    arguments = [a.arg for a in function.args.args]
    stored = list(dict.fromkeys(n.id for n in nodes if _is_stored(n)))
    stored = stored if alone else []
    for parent in nodes:
        for field, old in ast.iter_fields(parent):
            slots = old if isinstance(old, list) else [old]
            for number, node in enumerate(slots):
                if not isinstance(node, ast.expr) or _is_stored(node):
                    continue
                for new, said in _variants(node, parent, arguments, stored):
                    _locate(new, node)
                    put = slots.copy()
                    put[number] = new
                    many = isinstance(old, list)
                    setattr(parent, field, put if many else new)
                    yield said, _place(node)
                    setattr(parent, field, old)


def _is_stored(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _variants(node, parent, arguments, stored):
    """Yield what `node` may be changed to, and in which words."""
    if isinstance(parent, ast.Return | ast.Assign):
        yield from _without_brackets(ast.unparse(node))
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand, f"no minus stood in front of {_short(node)}"
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value, where = node.value, _short(parent)
        others = [value + 1, value - 1, -value, 0]
        for other in dict.fromkeys(others):
            if other != value:
                said = f"the {value} in {where} were {other}"
                yield ast.Constant(other), said
    elif isinstance(node, ast.Name) and node.id in arguments + stored:
        name = node.id
        for other in stored if name in stored else arguments:
            if other != name:
                said = f"`{other}` stood where `{name}` belongs"
                yield ast.Name(other, ast.Load()), said
        if name in stored:
            return
        rest = ast.BinOp(ast.Constant(1), ast.Sub(), node)
        yield rest, f"`1 - {name}` stood where `{name}` belongs"
        minus = ast.UnaryOp(ast.USub(), node)
        yield minus, f"`-{name}` stood where `{name}` belongs"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in {ast.Gt, ast.GtE, ast.Lt, ast.LtE} - {type(node.ops[0])}:
            changed = ast.Compare(node.left, [other()], node.comparators)
            belongs = f"stood where {_short(node)} belongs"
            yield changed, f"{_short(changed)} {belongs}"
    elif isinstance(node, ast.Subscript):
        yield node.value, f"nothing were picked from {_short(node.value)}"
        for step, said in ((-1, "before"), (1, "after")):
            index = ast.BinOp(node.slice, ast.Add(), ast.Constant(step))
            changed = ast.Subscript(node.value, index, ast.Load())
            yield changed, f"the entry {said} {_short(node)} were picked"
    if isinstance(node, ast.BinOp | ast.Call):
        minus = ast.UnaryOp(ast.USub(), node)
        yield minus, f"a minus stood in front of {_short(node)}"


def _without_brackets(text):
    """Yield what is left of an expression without each of its brackets."""
    opened = []
    for end, letter in enumerate(text):
        if letter == "(":
            opened.append(end)
        if letter != ")":
            continue
        start = opened.pop()
        if start and re.match(r"[\w)\]]", text[start - 1]):
            continue  # the brackets of a call
        held = text[start + 1 : end]
        try:
            new = ast.parse(
                text[:start] + held + text[end + 1 :], mode="eval"
            )
            inside = _short(ast.parse(held, mode="eval").body)
        except SyntaxError:
            continue
        yield new.body, f"the brackets around {inside} were missing"


def _of_operation(node):
    left, right, kind = node.left, node.right, type(node.op)
    a, b = _short(left), _short(right)
    if kind is ast.Pow:
        yield left, f"the exponent of {a} were missing"
        yield right, f"it held {b}, and no power"
        for step, said in ((1, "large"), (-1, "small")):
            exponent = ast.BinOp(right, ast.Add(), ast.Constant(step))
            changed = ast.BinOp(left, ast.Pow(), exponent)
            yield changed, f"the exponent of {a} were one too {said}"
        for fixed in (1, 2):
            changed = ast.BinOp(left, ast.Pow(), ast.Constant(fixed))
            yield changed, f"the exponent of {a} were always {fixed}"
        minus = ast.BinOp(left, ast.Pow(), ast.UnaryOp(ast.USub(), right))
        yield minus, f"the exponent of {a} had the other sign"
    elif kind is ast.Mult:
        missing = "a factor made from {} were missing beside {}"
        yield left, missing.format(_names(right), a)
        yield right, missing.format(_names(left), b)
        changed = ast.BinOp(left, ast.Div(), right)
        yield changed, f"it divided by {b}, and did not multiply"
    elif kind is ast.Div:
        yield left, f"{a} were not divided"
        over = ast.BinOp(ast.Constant(1), ast.Div(), right)
        yield over, f"it divided 1 by {b}, and nothing else"
        yield right, f"it held {b}, and did not divide by it"
        changed = ast.BinOp(left, ast.Mult(), right)
        yield changed, f"it multiplied by {b}, and did not divide"
    elif kind is ast.Add:
        yield left, f"nothing were added to {a}"
        yield right, f"nothing were added to {b}"
    elif kind is ast.Sub:
        yield left, f"nothing were subtracted from {a}"
        yield right, f"{b} stood where {_short(node)} belongs"
    for other in OTHER.get(kind, []):
        changed = ast.BinOp(left, other(), right)
        held = f"it held {_short(changed)}, {CALLED[other]} where"
        yield changed, f"{held} {CALLED[kind]} belongs"
    if kind in (ast.Sub, ast.Div, ast.Pow):
        changed = ast.BinOp(right, node.op, left)
        turned = "upside down" if kind is ast.Div else "the wrong way round"
        yield changed, f"it held {_short(changed)}, {turned}"


def _of_call(node):
    function = node.func
    is_name = isinstance(function, ast.Name)
    called = function.id if is_name else getattr(function, "attr", "")
    many = len(node.args) > 1
    words = MEANT.get(_of_two(called) if many else called, f"`{called}`")
    for other in CALLS.get(called, []):
        if is_name and other == "mean":
            continue
        instead = MEANT.get(_of_two(other) if many else other, f"`{other}`")
        changed = (
            ast.Name(other, ast.Load())
            if is_name
            else ast.Attribute(function.value, other, ast.Load())
        )
        changed = ast.Call(changed, node.args, node.keywords)
        yield changed, f"{instead} stood where {words} belongs"
    for argument in node.args:
        said = f"{_short(argument)} stood alone, without {words}"
        if called not in MEANT:
            said = f"{words} were missing around {_short(argument)}"
        yield argument, said


def _of_two(called):
    return {"min": "minimum", "max": "maximum"}.get(called, called)


def _locate(new, node):
    """Give what is new in a change the place of what it stands for."""
    if not hasattr(new, "lineno"):
        ast.copy_location(new, node)
        for part in ast.iter_child_nodes(new):
            _locate(part, node)


def _place(node):
    """Return where a node stands; what it holds stands after it."""
    return node.lineno, node.col_offset, -node.end_col_offset


def _names(node):
    """Return the names, or the number, that an expression is made from."""
    found = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id != "np":
            found.setdefault(f"`{part.id}`")
    *most, last = found or [f"`{ast.unparse(node)}`"]
    return f"{', '.join(most)} and {last}" if most else last


def _short(node):
    """Return an expression's text, or of a long one what it is made from:
    who is told of a mistake is not told the rest of the formula.
    """
    text = ast.unparse(node)
    if len(text) <= LONGEST:
        return f"`{text}`"
    kind = type(node.op) if isinstance(node, ast.BinOp) else None
    return f"{CALLED.get(kind, 'what is made')} of {_names(node)}"


def _bounded(value):
    return np.int64(value) if type(value) is int else value


def number(function, case, like):
    """Return what a function gives, or NaN where there is no such number."""
    try:
        result = function(*case)
        if not np.iscomplexobj(result):
            return np.asarray(result, float)
    except ArithmeticError:
        pass
    return np.full_like(like, np.nan)


def agreement(cases, results, alike):
    """Return a function: whether another gives these results too."""
    # As NumPy's integers: a power of two of Python's may never end.
    cases = [tuple(map(_bounded, case)) for case in cases]
    order = list(range(len(cases)))[::-1]

    def agrees(function):
        try:
            return all(
                alike(number(function, cases[i], results[i]), results[i])
                for i in order
            )
        except Exception:
            return False

    return agrees
