"""The three kinds of question: predict, write a function, find the fault.

A question is data: its truth, plausible wrong answers each with the sentence
that it earns, two hints, and why the truth is true. What is asked stands in
the notebook.
"""

import inspect
import math
import os
from functools import cached_property
from textwrap import dedent

import numpy as np

from .behaviour import Behaviour, Trouble, Unwritten, is_unwritten
from .feedback import Feedback

SWITCH = "FOCAL_EDU_SOLUTIONS"

# What is done to a right number by habits that no question is safe from.
HABITS = [
    (lambda a: -a, "The size is right and the sign is not."),
    (lambda a: a / math.log(10), "Base 10: take the natural logarithm."),
    (lambda a: a / math.log(2), "Base 2: take the natural logarithm."),
    (lambda a: 100 * a, "A hundred times too much: perhaps a percentage."),
    (lambda a: a / 100, "A hundredth of it: perhaps not in per cent."),
]


class Question:
    """What the three kinds share.

    Parameters
    ----------
    wrong : dict from answer to sentence
        Plausible wrong answers, each with what to say of that mistake. A
        list of pairs where the answers are functions.
    hints : pair of str
        A nudge, then nearly all.
    why : str
        Why the truth is true.
    """

    listing = ""

    def __init__(self, *, wrong, hints, why):
        self.wrong, self.hints, self.why = wrong, hints, why
        self.hints_given = 0

    def check(self, answer):
        """Return what is to be said of an answer; ``...`` waits."""
        try:
            if answer is ... or is_unwritten(answer):
                raise Unwritten
            mistake = self._mistake(answer)
        except Unwritten:
            return self._waiting()
        except Trouble as trouble:
            mistake = str(trouble)
        except KeyboardInterrupt:
            mistake = "You stopped your function: does a loop never end?"
        except Exception as error:  # whatever an answer holds, no traceback
            mistake = f"That is no answer: it raises {type(error).__name__}."
        if mistake is None:
            return Feedback("Right", self.praise, right=True)
        return Feedback("Not yet", mistake, self.listing, right=False)

    def hint(self):
        """Return the first hint, and from the second call on the second."""
        self.hints_given = min(self.hints_given + 1, 2)
        hint = self.hints[self.hints_given - 1]
        return Feedback(f"Hint {self.hints_given} of 2", hint)

    def solution(self):
        """Return the answer and why, unless a teacher switched it off."""
        if os.environ.get(SWITCH, "").lower() in ("off", "0", "no", "false"):
            return Feedback(
                "Solution",
                "your teacher has switched the solutions off for this class, "
                f"by the environment variable {SWITCH}; the hints are left.",
            )
        return Feedback("Solution", self.why, self.answer)

    def __repr__(self):
        return self.listing or repr(self._waiting())

    def _waiting(self):
        return Feedback("Waiting", self.waits_for, self.listing)


class Prediction(Question):
    """A choice or a number, committed to before the cell that shows it.

    Parameters
    ----------
    about : str
        What is predicted, for the table at the lesson's end.
    truth : str or float
        The letter of the right choice, or the number.
    choices : list of str, optional
        Named "a", "b" and so on; without them the answer is a number.
    within : float
        How far from the truth a number may be.
    unit : str
        What the number counts.
    """

    praise = "that is what happens."

    def __init__(
        self, about, truth, *, choices=(), within=0.0, unit="", **parts
    ):
        super().__init__(**parts)
        self.about, self.truth, self.within = about, truth, within
        self.choices = dict(zip("abcdefgh", choices, strict=False))
        self.unit, self.said = unit, "no prediction"
        self.answer = self.happened = self._in_words(truth)
        self.listing = "\n".join(f"{k}  {v}" for k, v in self.choices.items())
        kind = f"number ({unit})" if unit else "number"
        kind = f"letter, {self._letters()}," if choices else kind
        self.waits_for = f"put one {kind} in place of `...`."

    def _mistake(self, answer):
        answer = self._letter(answer) if self.choices else _number(answer)
        if self.said == "no prediction":
            self.said = self._in_words(answer)
        if self._is(answer, self.truth):
            return None
        if answer in self.wrong:
            return self.wrong[answer]
        for wrong, sentence in self.wrong.items():
            if self._is_near(answer, wrong):
                return sentence
        for habit, sentence in HABITS:
            if self._is_near(answer, habit(self.truth)):
                return sentence
        side = "high" if answer > self.truth else "low"
        return f"{answer:g} is too {side}."

    def _is(self, answer, other):
        if self.choices:
            return answer == other
        return abs(answer - other) <= self.within

    def _is_near(self, answer, wrong):
        """Whether a number is a known wrong one, give or take its digits."""
        return not self.choices and abs(answer - wrong) <= abs(wrong) / 50

    def _letter(self, answer):
        if isinstance(answer, str) and answer.strip().lower() in self.choices:
            return answer.strip().lower()
        raise Trouble(f"Answer with one letter in quotes, {self._letters()}.")

    def _letters(self):
        return f'"a" to "{max(self.choices)}"'

    def _in_words(self, answer):
        if self.choices:
            return self.choices[answer]
        return f"{answer:.4g} {self.unit}".strip()


class FunctionToWrite(Question):
    """A function that must do what `behaviour` does, by whatever route.

    It is made by decorating its solution, whose source is what
    ``.solution()`` shows. In `wrong` the answers are functions.
    """

    def __init__(self, solution, behaviour, **parts):
        super().__init__(**parts)
        self.function, self.behaviour = solution, behaviour
        self.praise = (
            f"your function agrees on all {len(behaviour.cases)} inputs."
        )
        names = ", ".join(behaviour.arguments)
        self.waits_for = f"write the function of ({names}) that is asked for."

    @property
    def answer(self):
        return source_of(self.function)

    def _mistake(self, answer):
        if not callable(answer):
            raise Trouble(
                "A function is asked for, and this has type "
                f"{type(answer).__name__}: pass the function by its name, "
                "without calling it."
            )
        behaviour = self.behaviour
        results = behaviour.tried(answer)
        if behaviour.same(results, behaviour.expected):
            return None
        for mistaken, sentence in self._mistaken:
            if behaviour.same(results, mistaken):
                return sentence
        return behaviour.describe(results)

    @cached_property
    def _mistaken(self):
        """What each known mistake gives, with its sentence."""
        own = [(self.behaviour.tried(f), said) for f, said in self.wrong]
        right = self.behaviour.expected
        return own + [([f(r) for r in right], said) for f, said in HABITS]


def function_to_write(truth, inputs, first, **parts):
    """Return a decorator that makes a solution into its question."""
    behaviour = Behaviour(truth, inputs, first)
    return lambda solution: FunctionToWrite(solution, behaviour, **parts)


class Fault(Question):
    """Code in which one line is wrong; the answer is that line's number.

    Parameters
    ----------
    code : str
        Source of one function or class, whose first line is line 1. It can
        be tried: ``.function``. It may use NumPy, as ``np``.
    line : int
    repair : str
        The line as it should be.
    use : callable, optional
        From what the code defines to the function that is compared.
    **parts
        `truth`, `inputs` and `first` say what repaired code does; the rest
        belongs to `Question`.
    """

    praise = "that is the line."

    def __init__(
        self,
        code,
        line,
        repair,
        truth,
        inputs,
        first,
        use=lambda function: function,
        **parts,
    ):
        super().__init__(**parts)
        self.lines, self.line = dedent(code).strip().splitlines(), line
        repaired, faulty = self.lines.copy(), self.lines[line - 1]
        repaired[line - 1] = faulty.replace(faulty.strip(), repair)
        self.function, self.repaired = self._run(self.lines), repaired
        self.use, self.behaviour = use, Behaviour(truth, inputs, first)
        self.numbered = "\n".join(
            f"{number}  {line}" for number, line in enumerate(self.lines, 1)
        )
        self.answer = f"{line}  {repaired[line - 1]}"
        self.waits_for = "put the number of a line in place of `...`."

    def __repr__(self):
        return self.numbered

    @staticmethod
    def _run(lines):
        names = {"np": np}
        exec("\n".join(lines), names)
        return list(names.values())[-1]

    def _mistake(self, answer):
        answer, last = _number(answer), len(self.lines)
        if answer == self.line:
            return None
        for wrong, sentence in self.wrong.items():
            if answer == wrong:
                return sentence
        if answer in range(1, last + 1):
            return "That line is as it should be."
        raise Trouble(f"Answer with the number of a line, from 1 to {last}.")


def source_of(function):
    """Return a function's source without its decorators."""
    source = inspect.getsource(function)
    return source[source.index(f"def {function.__name__}(") :].rstrip()


def _number(answer):
    try:
        if isinstance(answer, bool | str | bytes):
            raise TypeError
        number = float(answer)
    except Exception:
        raise Trouble(
            f"Answer with one number; this has type {type(answer).__name__}."
        ) from None
    if not math.isfinite(number):
        raise Trouble("Answer with a finite number.")
    return number
