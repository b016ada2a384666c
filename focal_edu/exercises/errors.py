"""What an error in a student's function says of the mistake in it."""

import builtins
import difflib
import dis
import re
from types import CodeType

IMPORTS = {
    "np": "import numpy as np",
    "numpy": "import numpy",
    "math": "import math",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "anp": "import autograd.numpy as anp",
    "grad": "from autograd import grad",
    "log": "from numpy import log",
    "exp": "from numpy import exp",
    "sqrt": "from numpy import sqrt",
}
XOR = "In Python `^` is no power: write `**`."
# Errors that say no more than that a number, an array or a tensor was given
# where another of the three was meant.
ABOUT_KIND = re.compile(
    r"'(int|float|numpy\.\w+|Tensor)' object (has no attribute|is not)"
    r"|must be (real number|Tensor|tuple)|invalid combination of arguments"
    r"|expected Tensor|must be a Tensor|not a tensor|only .* arrays can be"
    r"|out of bounds for (axis|dimension) 0 with size [01]$|too many indices"
    r"|invalid index to scalar|invalid index of a 0-dim|numpy\.\w+ object"
    r"|loop of ufunc does not support|object is not iterable"
)

# Not to be had by handing over a tensor: the function must make its own.
OF_A_TENSOR = re.compile(r"has no attribute '(backward|grad)'")
UNBOUND = re.compile(r"local variable '(\w+)'")


class Trouble(Exception):
    """A function gave no numbers; the argument says why, in a sentence.

    `about_kind` is whether another kind of argument may help; `line` is how
    far the function came; `arithmetic` is whether it is a number that cannot
    be computed, as 1 / 0.
    """

    def __init__(self, sentence, about_kind=False, line=0, arithmetic=False):
        super().__init__(sentence)
        self.about_kind, self.line = about_kind, line
        self.arithmetic = arithmetic


def trouble_of(error, function, place):
    """Return the `Trouble` that an error at a `place` is."""
    said = " ".join(str(error).split())
    kind = isinstance(error, TypeError | AttributeError | IndexError)
    kind = kind and ABOUT_KIND.search(said) and not OF_A_TENSOR.search(said)
    return Trouble(
        _sentence(error, said, function, place),
        bool(kind),
        _line_reached(error, function),
        isinstance(error, ArithmeticError) or "domain error" in said,
    )


def uses_xor(function):
    """Whether a function has ``^``, which a reader may take for a power."""
    return any(
        "^" in instruction.argrepr
        for code in _codes(getattr(function, "__code__", None))
        for instruction in dis.get_instructions(code)
        if instruction.opname == "BINARY_OP"
    )


def _sentence(error, said, function, place):
    if isinstance(error, UnboundLocalError) and UNBOUND.search(said):
        name = UNBOUND.search(said)[1]
        return f"At {place} your function uses `{name}`, which has no value."
    if isinstance(error, NameError) and getattr(error, "name", None):
        return _not_defined(error, function)
    if isinstance(error, TypeError) and uses_xor(function):
        return XOR
    if isinstance(error, RecursionError):
        return "Your function calls itself without end."
    reason = f"raises {type(error).__name__}: {said}".rstrip(": ")
    if attribute := OF_A_TENSOR.search(said):
        reason += (
            f". Only a PyTorch tensor has `{attribute[1]}`, and that is a "
            "number or an array: make a tensor of the argument first."
        )
    return f"At {place} your function {reason}"


def _not_defined(error, function):
    name = error.name
    sentence = f"`{name}` is not defined in this notebook"
    if name in IMPORTS:
        return f"{sentence}: it needs `{IMPORTS[name]}`."
    code = getattr(function, "__code__", None)
    known = [*getattr(code, "co_varnames", ()), *vars(builtins)]
    close = difflib.get_close_matches(name, known, 1)
    meant = f": do you mean `{close[0]}`?" if close else "."
    return sentence + meant


def _line_reached(error, function):
    """Return the last line of `function` in the error's traceback."""
    code, line = getattr(function, "__code__", None), 0
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _codes(code):
    if code is not None:
        yield code
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from _codes(constant)
