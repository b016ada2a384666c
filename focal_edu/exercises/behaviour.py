"""What a function does on many inputs, and whether two do the same."""

import inspect
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO

import numpy as np

# How one random input is drawn. Three digits, so that a message can show
# the very number; not nearer to 0 and 1 than float32 can bear.
DRAWS = {
    "probability": lambda rng: round(float(rng.uniform(0.03, 0.97)), 3),
    "label": lambda rng: int(rng.integers(2)),
    "gamma": lambda rng: round(float(rng.uniform(0, 3)), 1),
    "logit": lambda rng: round(float(rng.uniform(-4, 4)), 3),
}


class Trouble(Exception):
    """A function gave no numbers; the argument says why, in a sentence."""


class Unwritten(Exception):
    """A function holds nothing yet but ``...``."""


class Behaviour:
    """What the function `truth` does, on `first` and on random inputs.

    Parameters
    ----------
    truth : callable
    inputs : dict from each argument's name to how it is drawn: a name in
        `DRAWS`, or a function of a NumPy generator.
    first : list of tuples
        Inputs that are tried before the random ones.
    """

    rtol = 1e-5  # a formula in float32 passes
    atol = 2e-38  # below it float32 has no digits left
    count = 50  # of random inputs

    def __init__(self, truth, inputs, first):
        self.truth, self.arguments = truth, tuple(inputs)
        rng = np.random.default_rng(0)
        draws = [DRAWS.get(draw, draw) for draw in inputs.values()]
        self.cases = first + [
            tuple(draw(rng) for draw in draws) for _ in range(self.count)
        ]
        self.expected = self.results(truth, as_given)

    def results(self, function, convert):
        """Return what `function` gives on every input, as arrays."""
        _check_arguments(function, self.arguments)
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [self._result(function, convert, c) for c in self.cases]

    def tried(self, function):
        """Return the results of `function`, as its arguments suit it:
        numbers, else NumPy arrays, else PyTorch tensors.

        Raises a `Trouble` if it fails on all of them: the first that is
        not about an attribute that the wrong kind of argument lacks.
        """
        troubles = []
        for convert in (as_given, as_array, as_tensor):
            try:
                return self.results(function, convert)
            except Trouble as trouble:
                troubles.append(trouble)
        raise min(troubles, key=lambda t: "AttributeError" in str(t))

    def same(self, results, others):
        return self.difference(results, others) is None

    def difference(self, results, others):
        """Return the first place where two differ, or None."""
        for place, (a, b) in enumerate(zip(results, others, strict=True)):
            if not _alike(a, b) or not np.allclose(
                a.ravel(), b.ravel(), self.rtol, self.atol, equal_nan=True
            ):
                return place

    def describe(self, results):
        """Say where the results first differ from the truth, and how."""
        place = self.difference(results, self.expected)
        got, expected = results[place], self.expected[place]
        start = f"At {self.shown(self.cases[place])} your function"
        if not _alike(got, expected):
            return f"{start} gives {_shape(got)}, not {_shape(expected)}."
        start = f"{start} gives {_shown(got)}"
        if not np.all(np.isfinite(got)):
            return f"{start}, where finite numbers are expected."
        if expected.size > 1:
            return f"{start}, and not every number in it is right."
        size = "large" if got.item() > expected.item() else "small"
        return f"{start}, which is too {size}."

    def shown(self, case):
        pairs = zip(self.arguments, case, strict=True)
        return ", ".join(f"{name} = {_shown(value)}" for name, value in pairs)

    def _result(self, function, convert, case):
        arguments = [convert(value) for value in case]
        try:
            result = function(*arguments)
        except (Exception, SystemExit) as error:
            reason = f"raises {type(error).__name__}: {error}"
        else:
            if result is ...:
                raise Unwritten
            numbers = _numbers(result)
            if numbers is not None:
                return numbers
            kind = type(result).__name__
            reason = f"gives a result of type {kind}, and not numbers."
            if result is None:
                reason = "gives nothing back: is there a `return`?"
        raise Trouble(f"At {self.shown(case)} your function {reason}")


def is_unwritten(function):
    """Whether a function's body is nothing but ``...``."""
    code = getattr(function, "__code__", None)
    empty = _empty.__code__
    return code is not None and (
        (code.co_code, code.co_consts) == (empty.co_code, empty.co_consts)
    )


def as_given(value):
    return value.copy() if isinstance(value, np.ndarray) else value


def as_array(value):
    return value if callable(value) else np.atleast_1d(value).copy()


def as_tensor(value):
    if "torch" not in sys.modules:
        raise Trouble("PyTorch is not in use.")
    torch = sys.modules["torch"]
    return value if callable(value) else torch.as_tensor(as_given(value))


def _empty(): ...


def _check_arguments(function, names):
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*names)
    except TypeError:
        raise Trouble(
            f"Your function must take the arguments ({', '.join(names)}), "
            f"and it takes {signature}."
        ) from None


def _numbers(result):
    try:
        if hasattr(result, "detach"):
            result = result.detach().cpu().double()
        array = np.asarray(result)
        return array.astype(float) if array.dtype.kind in "fiub" else None
    except Exception:
        return None


def _alike(a, b):
    """Whether two have one shape; one number may be wrapped."""
    return a.shape == b.shape or a.size == b.size == 1


def _shape(array):
    size = " × ".join(map(str, array.shape))
    return f"{size} numbers" if size else "one number"


def _shown(value):
    if callable(value):
        return value.__name__
    if np.size(value) == 1:
        return f"{np.asarray(value).item():.4g}"
    return np.array2string(value, precision=4, separator=", ")
