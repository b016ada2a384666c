"""What a function does on many inputs, and whether two do the same."""

import inspect
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import numpy as np

from .errors import Trouble, trouble_of

# How one random input is drawn. Three digits, so that a message can show
# the very number; not nearer to 0 and 1 than float32 can bear.
DRAWS = {
    "probability": lambda rng: round(rng.uniform(0.03, 0.97), 3),
    "label": lambda rng: int(rng.integers(2)),
    "gamma": lambda rng: round(rng.uniform(0, 3), 1),
    "logit": lambda rng: round(rng.uniform(-4, 4), 3),
}


# Arguments that a whole batch shares: for them no array is tried.
SHARED = ("alpha", "gamma")


class Unwritten(Exception):
    """A function holds nothing yet but ``...``."""


class Behaviour:
    """What the function `truth` does, on random inputs and on `first`.

    Parameters
    ----------
    truth : callable
    inputs : dict from each argument's name to how it is drawn: a name in
        `DRAWS`, or a function of a NumPy generator.
    first : list of tuples, optional
        Inputs that are tried before the random ones.
    within : float
        How far from the truth a result may be, where a difference of
        numbers that are nearly alike leaves few digits or none.
    """

    rtol = 1e-5  # a formula in float32 passes
    count = 50  # of random inputs

    def __init__(self, truth, inputs, first=(), within=0.0):
        self.truth, self.arguments = truth, tuple(inputs)
        self.atol = max(within, 2e-38)  # float32 has no digits below that
        self.kinds = inputs
        rng = np.random.default_rng(0)
        draws = [DRAWS.get(draw, draw) for draw in inputs.values()]
        self.cases = [*first] + [
            tuple(draw(rng) for draw in draws) for _ in range(self.count)
        ]
        self.expected = self.results(truth, as_given)

    @property
    def elementwise(self):
        """Whether every argument is one number, so that arrays of them
        must give an array.
        """
        return not any(callable(v) or np.ndim(v) for v in self.cases[0])

    def results(self, function, convert, cases=None, strict=True):
        """Return what `function` gives on every input, as arrays.

        Unless it is `strict`, what cannot be computed is NaN, if anything
        can be.
        """
        _check_arguments(function, self.arguments)
        results, trouble = [], None
        with quiet():
            for case in self.cases if cases is None else cases:
                try:
                    results.append(self._result(function, convert, case))
                except Trouble as caught:
                    if strict or not caught.arithmetic:
                        raise
                    results.append(None)
                    trouble = trouble or caught
        found = [result for result in results if result is not None]
        if trouble and not found:
            raise trouble
        lost = np.full_like(found[0], np.nan)
        return [lost if result is None else result for result in results]

    def tried(self, function):
        """Return the results of `function`, and how its arguments suit it:
        as numbers, else NumPy arrays, else PyTorch tensors.

        Raises a `Trouble` if it fails on all of them: the one that is not
        about the kind of the arguments, or where it came furthest.
        """
        troubles = []
        for convert in CONVERSIONS:
            try:
                return self.results(function, convert, strict=False), convert
            except Trouble as trouble:
                troubles.append(trouble)
                if not trouble.about_kind:
                    break
        raise min(troubles, key=_told_first)

    def in_batch(self, function):
        """Return what `function` gives on arrays of all inputs at once, and
        what is right; raise the `Trouble` if it takes no arrays.
        """
        first = {
            place: value
            for place, value in enumerate(self.cases[0])
            if self.arguments[place] in SHARED
        }
        cases = [
            tuple(first.get(i, value) for i, value in enumerate(case))
            for case in self.cases
        ]
        right = self.results(self.truth, as_given, cases)
        columns = map(np.array, zip(*cases, strict=True))
        batch = tuple(first.get(i, array) for i, array in enumerate(columns))
        troubles = []
        for convert in CONVERSIONS[1:]:
            try:
                (result,) = self.results(function, convert, [batch])
                return result, np.stack(right, axis=-1)
            except Trouble as trouble:
                troubles.append(trouble)
        raise min(troubles, key=_told_first)

    def same(self, results, others):
        return self.difference(results, others) is None

    def difference(self, results, others):
        """Return the first place where two differ, or None."""
        for place, (a, b) in enumerate(zip(results, others, strict=True)):
            if not self.alike(a, b):
                return place

    def alike(self, a, b):
        a, b = np.asarray(a), np.asarray(b)
        if a.size == b.size == 1:  # as `allclose`, and ten times faster
            a, b = a.item(), b.item()
            near = abs(a - b) <= self.atol + self.rtol * abs(b) < np.inf
            return near or a == b or (a != a and b != b)
        return one_shape(a, b) and np.allclose(
            a.ravel(), b.ravel(), self.rtol, self.atol, equal_nan=True
        )

    def describe(self, results):
        """Say where the results first differ from the truth, and how."""
        place = self.difference(results, self.expected)
        got, expected = results[place], self.expected[place]
        start = f"At {self.inputs(self.cases[place])} your function"
        if not one_shape(got, expected):
            return f"{start} gives {_shape(got)}, not {_shape(expected)}."
        start = f"{start} gives {shown(got)}"
        if not np.all(np.isfinite(got)) and np.all(np.isfinite(expected)):
            return f"{start}, where finite numbers are expected."
        if expected.size > 1:
            pairs = zip(got.ravel(), expected.ravel(), strict=True)
            wrong = [
                i for i, (a, b) in enumerate(pairs) if not self.alike(a, b)
            ]
            if len(wrong) == expected.size:
                return f"{start}, and no number in it is right."
            return f"{start}, of which number {wrong[0] + 1} is not right."
        size = "large" if got.item() > expected.item() else "small"
        return f"{start}, which is too {size}."

    def inputs(self, case):
        pairs = zip(self.arguments, case, strict=True)
        return ", ".join(f"{name} = {shown(value)}" for name, value in pairs)

    def _result(self, function, convert, case):
        arguments = [
            value if name in SHARED else convert(value)
            for name, value in zip(self.arguments, case, strict=True)
        ]
        printed = StringIO()
        try:
            with redirect_stdout(printed):
                result = function(*arguments)
        except (Exception, SystemExit) as error:
            raise trouble_of(error, function, self.inputs(case)) from None
        if result is ...:
            raise Unwritten
        numbers = _numbers(result)
        if numbers is not None:
            return numbers
        if _is_complex(result):
            raise Trouble(
                f"At {self.inputs(case)} your function gives a complex "
                "number: it takes a power of something negative.",
                arithmetic=True,
            )
        kind = type(result).__name__
        reason = f"gives a result of type {kind}, and not numbers."
        if result is None and (said := printed.getvalue().strip()):
            reason = (
                f"prints {said.splitlines()[-1][:40]} and gives nothing "
                "back: put `return` where it prints."
            )
        elif result is None:
            reason = "gives nothing back: is there a `return`?"
        raise Trouble(f"At {self.inputs(case)} your function {reason}")


@contextmanager
def quiet():
    """Return a context in which nothing warns."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


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
        raise Trouble("PyTorch is not in use.", about_kind=True)
    torch = sys.modules["torch"]
    return value if callable(value) else torch.as_tensor(as_given(value))


CONVERSIONS = as_given, as_array, as_tensor


def _told_first(trouble):
    return trouble.about_kind, -trouble.line


def _empty(): ...


def _check_arguments(function, names):
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    asked, own = ", ".join(names), tuple(signature.parameters)
    if own != names and sorted(own) == sorted(names):
        raise Trouble(
            f"Your function takes ({', '.join(own)}), and it is called with "
            f"({asked}), in this order."
        )
    try:
        signature.bind(*names)
    except TypeError:
        raise Trouble(
            f"Your function must take the arguments ({asked}), "
            f"and it takes {signature}."
        ) from None


def _numbers(result):
    try:
        if isinstance(result, list | tuple):
            result = [_plain(part) for part in result]
        array = np.asarray(_plain(result))
        return array.astype(float) if array.dtype.kind in "fiub" else None
    except Exception:
        return None


def _is_complex(result):
    try:
        return np.iscomplexobj(result)
    except Exception:
        return False


def _plain(value):
    """Return a tensor as an array, and anything else as it is."""
    if hasattr(value, "detach"):
        return value.detach().cpu().double().numpy()
    return value


def one_shape(a, b):
    """Whether two have one shape; one number may be wrapped."""
    return a.shape == b.shape or a.size == b.size == 1


def _shape(array):
    size = " × ".join(map(str, array.shape))
    return f"{size} numbers" if size else "one number"


def shown(value):
    if callable(value):
        return value.__name__
    if np.size(value) == 1:
        return f"{np.asarray(value).item():.4g}"
    return np.array2string(value, np.inf, 4, separator=", ")
