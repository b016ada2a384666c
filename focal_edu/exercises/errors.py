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

# What stops a function that is given an array, and what is for arrays.
ON_ARRAYS = [
    (
        r"truth value|Boolean value|(scalar|an) index",
        "`np.where` stands in place of `if` or an index, and `np.maximum` "
        "and `np.minimum` in place of `max` and `min`.",
    ),
    (
        r"only .*can be converted|cannot be converted to Scalar|real number",
        "`float` and the functions of `math` take one number; NumPy's "
        "functions take arrays as well.",
    ),
]
# Not to be had by handing over a tensor: the function must make its own.
OF_A_TENSOR = re.compile(r"has no attribute '(backward|grad)'")
# Of PyTorch, and of NumPy.
NO_DIMENSION = re.compile(
    r"range of \[-1, 0\], but got ([1-9])"
    r"|axis ([1-9]) is out of bounds for array of dimension 1"
)
UNBOUND = re.compile(r"local variable '(\w+)'")


class Trouble(Exception):
    """A function gave no numbers; the argument says why, in a sentence.

    `about_kind` is whether another kind of argument may help; `line` is how
    far the function came; `arithmetic` is whether it is a number that cannot
    be computed, as 1 / 0; `error` is what Python says.
    """

    def __init__(
        self, sentence, about_kind=False, line=0, arithmetic=False, error=""
    ):
        super().__init__(sentence)
        self.about_kind, self.line = about_kind, line
        self.arithmetic, self.error = arithmetic, error

    @property
    def on_arrays(self):
        """What is to be changed for arrays, if that is known."""
        found = (
            s for pattern, s in ON_ARRAYS if re.search(pattern, self.error)
        )
        return next(found, "")


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
        f"{type(error).__name__}: {said}".rstrip(": "),
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
    if dimension := NO_DIMENSION.search(said):
        return (
            f"At {place} your function asks for dimension "
            f"{dimension[1] or dimension[2]} of what has dimension 0 alone: "
            "it is a vector, and not a batch."
        )
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
