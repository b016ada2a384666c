"""The four kinds of question: choose, give a number, write a function,
find the fault.

A question is data: its truth, plausible wrong answers each with the sentence
that it earns, two hints, and why the truth is true. What is asked stands in
the notebook.
"""

import inspect
import math
import os
import sys
from functools import cached_property

import numpy as np

from . import rules
from .answers import Unread, read_letter, read_number
from .behaviour import Behaviour, Unwritten, is_unwritten
from .diagnosis import Diagnosis
from .errors import XOR, Trouble, uses_xor
from .feedback import Feedback

SWITCH = "FOCAL_EDU_SOLUTIONS"
# Read once: what a cell sets after the import changes nothing.
SWITCHED_OFF = os.environ.get(SWITCH, "").strip().lower() in (
    *("off", "0", "no", "none", "false"),
)
NO_SOLUTION = (
    "your teacher has switched the solutions off for this class, by the "
    f"environment variable {SWITCH}; the hints are left."
)
RIGHT = "right"  # in place of a reply: this choice is the right one

# What is done to a right number by habits that no question is safe from. Of
# one digit alone a point cannot be said to be in the wrong place.
HABITS = [
    (lambda a: -a, "The size is right and the sign is not."),
    (lambda a: 10 * a, "The decimal point is one place too far right."),
    (lambda a: a / 10, "The decimal point is one place too far left."),
]
CLOSE = 0.05  # of the truth: a slip of the arithmetic, rather than a mistake
SHARES = ("per cent", "from 0 to 1")


class Question:
    """What all kinds share.

    Parameters
    ----------
    about : str
        What is asked, in a few words.
    hints : pair of str
        A nudge, then nearly all.
    why : str
        Why the truth is true, in two to four sentences.
    exercise : bool, optional
        Whether nothing below shows the truth: a right answer is then told
        the first of these sentences.

    Raises
    ------
    ValueError
        If one of the `rules` is broken.
    """

    listing = ""
    least_wrong = 4

    def __init__(self, about, *, hints, why, exercise=False):
        self.about, self.hints, self._why = about, hints, why
        if exercise:
            self.praise = why.partition(". ")[0] + "."
        self.forget()

    def forget(self):
        """Forget what was answered, and which hints were given."""
        self.said, self.tries, self.solved = [], 0, False
        self.hints_given, self.solution_seen = 0, False

    def _follow_rules(self, secret=None):
        rules.good_replies(self.replies, self.least_wrong)
        rules.good_hints(self.hints)
        rules.good_reason(self._why)
        if secret:
            rules.no_text_says(secret, [*self.replies, self.hints[0]])

    @property
    def replies(self):
        """The sentences for the wrong answers that are expected."""
        return list(self.wrong.values())

    def check(self, *answers):
        """Return what is to be said of an answer; ``...`` waits."""
        try:
            mistake = self._mistake(self._one(answers))
        except Unwritten:
            return self._waiting()
        except Unread as unread:
            return Feedback("Not read", str(unread), self.listing)
        except Trouble as trouble:
            mistake = str(trouble)
        except KeyboardInterrupt:
            mistake = "You stopped your function: does a loop never end?"
        except Exception as error:  # whatever an answer holds, no traceback
            mistake = f"That is no answer: it raises {type(error).__name__}."
        self.tries += 1
        self.solved = self.solved or not mistake
        if not mistake:
            return Feedback("Right", self.praise, right=True)
        return Feedback("Not yet", mistake, self.listing, right=False)

    def hint(self):
        """Return the first hint, and from the second call on the second."""
        self.hints_given = min(self.hints_given + 1, 2)
        hint = self.hints[self.hints_given - 1]
        return Feedback(f"Hint {self.hints_given} of 2", hint)

    def solution(self):
        """Return the answer and why, unless a teacher switched it off."""
        if SWITCHED_OFF:
            return Feedback("Solution", NO_SOLUTION)
        self.solution_seen = True
        return Feedback("Solution", self.why, self.answer)

    @property
    def why(self):
        """Why the truth is true, unless a teacher switched it off."""
        return NO_SOLUTION if SWITCHED_OFF else self._why

    @property
    def answer(self):
        """The answer in words, unless a teacher switched it off."""
        return NO_SOLUTION if SWITCHED_OFF else self._answer

    def __repr__(self):
        return self.listing or repr(self._waiting())

    def _one(self, answers):
        """Return the one answer that was given."""
        if not answers:
            raise Unwritten
        if len(answers) > 1:
            raise Unread(self._several(answers))
        (answer,) = answers
        if answer is ... or is_unwritten(answer):
            raise Unwritten
        return answer

    def _several(self, answers):
        return f"One answer is asked for, and these are {len(answers)}."

    def _waiting(self):
        return Feedback("Waiting", self.waits_for, self.listing)


class Choice(Question):
    """One of several texts, committed to before the cell that decides.

    Parameters
    ----------
    about : str
        What is predicted, for the table at the lesson's end.
    choices : dict from text to reply
        What may be chosen, and one sentence of what is wrong with it;
        `RIGHT` in place of the sentence marks the right one. In the order
        given they are called "a", "b" and so on.
    """

    praise = "that is what happens."
    least_wrong = 2

    def __init__(self, about, choices, **parts):
        super().__init__(about, **parts)
        letters = dict(zip("abcdefgh", choices.items(), strict=False))
        self.choices = {a: text for a, (text, _) in letters.items()}
        self.wrong = {a: s for a, (_, s) in letters.items() if s != RIGHT}
        right = [letter for letter in letters if letter not in self.wrong]
        rules.require(len(right) == 1, "one choice is RIGHT", about)
        (self.truth,) = right
        self._answer = self.happened = self.choices[self.truth]
        self.listing = "\n".join(f"{k}  {v}" for k, v in self.choices.items())
        self.waits_for = (
            f'put one letter, "a" to "{max(letters)}", in place of `...`.'
        )
        self._follow_rules(self._answer)

    def _mistake(self, answer):
        letter = read_letter(answer, self.choices)
        self.said.append(self.choices[letter])
        return self.wrong.get(letter)


class Number(Question):
    """A number, committed to before the cell that shows it.

    Parameters
    ----------
    about : str
        What is predicted, for the table at the lesson's end.
    truth : float
        NaN and the infinities are numbers too.
    within : float
        How far from the truth an answer may be.
    unit : str
        What the number counts; "per cent" and "from 0 to 1" are each read
        as the other where a "%" says so, and asked back where none does.
        Of what counts "times", 33 % is 0.33 as well.
    wrong : dict from number to sentence
        Plausible wrong numbers, each with what to say of that mistake.
    """

    praise = "that is what happens."

    def __init__(self, about, truth, *, wrong, within=0.0, unit="", **parts):
        super().__init__(about, **parts)
        self.truth, self.within, self.unit = float(truth), within, unit
        self.wrong = wrong
        self._answer = self.happened = self._in_words(self.truth)
        kind = f"number ({unit})" if unit else "number"
        self.waits_for = f"put one {kind} in place of `...`."
        self._follow_rules()
        for number in wrong:
            rules.require(not self._is_right(number), f"{number} is right")
        asked = self.waits_for.replace(SHARES[1], "")
        texts = [*self.replies, self.hints[0], asked]
        rules.no_number_is(self._is_right, texts)

    def _mistake(self, answer):
        words = f"{self.unit} {self.about}"
        value = self._in_unit(*read_number(answer, words))
        self.said.append(self._in_words(value))
        if self._is_right(value):
            return None
        if known := self._known(value):
            return known
        self._ask_back(value)
        for habit, sentence in HABITS:
            told = _digits(value) > 1 or habit(1) < 0
            if (
                self.truth
                and told
                and self._is_near(value, habit(self.truth))
            ):
                return sentence
        if math.isnan(value):
            return "It is a number after all."
        if math.isnan(self.truth):
            return "It is not that number."
        side = "high" if value > self.truth else "low"
        if abs(value - self.truth) <= CLOSE * abs(self.truth):
            return f"{value:g} is close, and a little too {side}."
        return f"{value:g} is too {side}."

    def _in_unit(self, value, per_cent):
        if not per_cent or self.unit == SHARES[0]:
            return value
        if self.unit.startswith((SHARES[1], "times")):
            return value / 100
        asked = self.unit or "a number"
        raise Unread(f"The question asks for {asked}, not per cent.")

    def _ask_back(self, value):
        """Ask which is meant if a share may be in the other unit."""
        size, (per_cent, part) = abs(value), SHARES
        if self.unit == per_cent and 0 < size <= 1 < abs(self.truth):
            meant = f"{value:g} per cent or {100 * value:g} per cent"
            asked = per_cent
        elif self.unit == part and 1 < size <= 100:
            meant = f"{value:g} per cent, which is {value / 100:g}"
            asked = f"a number {part}"
        else:
            return
        self.said.pop()
        raise Unread(f"Do you mean {meant}? The question asks for {asked}.")

    def _is_right(self, value):
        both_nan = math.isnan(value) and math.isnan(self.truth)
        same = value == self.truth
        return both_nan or same or abs(value - self.truth) <= self.within

    def _known(self, value):
        """Return the sentence of the nearest known wrong number."""
        near = [w for w in self.wrong if self._is_near(value, w)]
        if near:
            return self.wrong[min(near, key=lambda w: abs(value - w))]

    @staticmethod
    def _is_near(value, other):
        """Whether a number is another one, to the digits it was given."""
        if not math.isfinite(value) or not math.isfinite(other):
            return value == other or (value != value and other != other)
        digits = f"{value:.12g}".partition("e")[0].partition(".")[2]
        half_a_digit = 0.5 * 10.0 ** -len(digits)
        coarse = half_a_digit * (abs(value) >= 10 or bool(digits))
        return abs(value - other) <= max(coarse, abs(other) / 200)

    def _several(self, answers):
        if len(answers) == 2 and all(isinstance(a, int) for a in answers):
            one, two = answers
            return (
                f"Those are two numbers, {one} and {two}: a decimal point "
                f"makes them one, {one}.{two}."
            )
        return super()._several(answers)

    def _in_words(self, value):
        unit = "" if self.unit == SHARES[1] else self.unit
        return f"{value:.4g} {unit}".strip()


def _digits(value):
    """Return how many digits a number has, without zeros at its ends."""
    return len(f"{value:g}".partition("e")[0].strip("-0.").replace(".", ""))


NO_ARRAY = (
    "Right for one example; for an array of them it gives no array, with one "
    "result for each."
)
ONE_AT_A_TIME = (
    "The numbers are right one at a time, and the text asks for arrays"
)


class FunctionToWrite(Question):
    """A function that must do what `behaviour` does, by whatever route.

    It is made by decorating its solution, whose source is what
    ``.solution()`` shows. In `wrong` the answers are expressions of the
    arguments, in the names of the solution's module; `routes` are other
    right functions, in which a reader may have made a mistake; `meaning`
    says what the names mean that right functions give to their parts. If
    the text asks for `arrays`, one number at a time is not enough.
    """

    def __init__(
        self,
        solution,
        behaviour,
        *,
        wrong,
        routes=(),
        meaning=None,
        arrays=False,
        **parts,
    ):
        super().__init__(solution.__name__.replace("_", " "), **parts)
        self.function, self.behaviour = solution, behaviour
        self.wrong = {self._returning(e): wrong[e] for e in wrong}
        self.routes = routes
        self.meaning, self.arrays = meaning or {}, arrays
        for function in (solution, *routes):
            code = function.__code__
            for name in code.co_varnames[code.co_argcount :]:
                rules.require(name in self.meaning, "what it means", name)
        self.praise = self.agrees = (
            f"your function agrees on all {len(behaviour.cases)} inputs."
        )
        names = ", ".join(behaviour.arguments)
        self.waits_for = f"write the function of ({names}) that is asked for."
        returned = source_of(solution).split("return ")[-1]
        self._follow_rules(returned)

    def _returning(self, expression):
        """Return the function that returns this of its arguments."""
        arguments = ", ".join(self.behaviour.arguments)
        code = f"lambda {arguments}: ({expression})"
        return eval(code, self.function.__globals__)

    @property
    def _answer(self):
        return with_imports(source_of(self.function))

    def _mistake(self, answer):
        if not callable(answer):
            raise Trouble(
                "A function is asked for, and this has type "
                f"{type(answer).__name__}: pass the function by its name, "
                "without calling it."
            )
        behaviour = self.behaviour
        self.praise = self.agrees
        results, convert = behaviour.tried(answer)
        if behaviour.same(results, behaviour.expected):
            self.said.append("a right function")
            return behaviour.elementwise and self._in_batch(answer)
        self.said.append("another function")
        if uses_xor(answer):
            return XOR

        def call(cases=None):
            return behaviour.results(answer, convert, cases)

        found = self._diagnosis.of(results, call)
        return found or behaviour.describe(call())

    def _in_batch(self, answer):
        """Return what goes wrong only with arrays; None if nothing does.

        What takes one number at a time is right, unless the text asks for
        arrays.
        """
        try:
            result, right = self.behaviour.in_batch(answer)
        except Trouble as trouble:
            if not trouble.error:
                return NO_ARRAY
            if self.arrays:
                why = trouble.on_arrays or f"it raises {trouble.error}"
                return f"{ONE_AT_A_TIME}: {why}"
            if trouble.on_arrays:
                self.praise = f"{self.agrees} For arrays: {trouble.on_arrays}"
            return None
        return self._diagnosis.in_batch(result, right)

    @cached_property
    def _diagnosis(self):
        functions = [self.function, *self.routes]
        tried = self.behaviour.tried
        return Diagnosis(
            self.behaviour,
            [(source_of(f), f.__globals__) for f in functions],
            [(tried(f)[0], sentence) for f, sentence in self.wrong.items()],
            self.meaning,
        )


def function_to_write(truth, inputs, first, within=0.0, **parts):
    """Return a decorator that makes a solution into its question."""
    behaviour = Behaviour(truth, inputs, first, within)
    return lambda solution: FunctionToWrite(solution, behaviour, **parts)


class Repair(str):
    """In place of a reply: this line is at fault, and is to be this."""


class Fault(Question):
    """Code in which one line is wrong; the answer is that line's number.

    Parameters
    ----------
    code : dict from line to reply
        Source of one function or class, whose first line is line 1, each
        line with one sentence of why it is as it should be; `Repair` with
        the line as it should be marks the one at fault. It can be tried:
        ``.function``. It may use NumPy, as ``np``.
    use : callable, optional
        From what the code defines to the function that is compared.
    **parts
        `truth` and `inputs` say what repaired code does; the rest belongs
        to `Question`.
    """

    praise = "that is the line."
    least_wrong = 3

    def __init__(self, code, truth, inputs, use=lambda made: made, **parts):
        self.lines = list(code)
        self.function = self._run(self.lines)
        super().__init__(self.function.__name__, **parts)
        said = dict(enumerate(code.values(), 1))
        faults = [n for n, s in said.items() if isinstance(s, Repair)]
        rules.require(len(faults) == 1, "one line has a Repair", self.about)
        (self.line,) = faults
        self.wrong = {n: s for n, s in said.items() if n != self.line and s}
        self.repaired = self.lines.copy()
        self.repaired[self.line - 1] = str(said[self.line])
        self.use, self.behaviour = use, Behaviour(truth, inputs)
        self.numbered = "\n".join(
            f"{number}  {line}" for number, line in enumerate(self.lines, 1)
        )
        self._answer = f"{self.line}  {self.repaired[self.line - 1]}"
        self.waits_for = "put the number of a line in place of `...`."
        self._follow_rules(self.repaired[self.line - 1])

    def __repr__(self):
        return self.numbered

    def copy(self):
        """Return the code without numbers, to be pasted into a cell."""
        code = with_imports("\n".join(self.lines))
        return Feedback("Code", "paste this into a cell of its own.", code)

    @staticmethod
    def _run(lines):
        names = {"np": np}
        exec("\n".join(lines), names)
        return list(names.values())[-1]

    def _mistake(self, answer):
        last, texts = len(self.lines), [line.strip() for line in self.lines]
        if isinstance(answer, str) and answer.strip() in texts:
            answer = texts.index(answer.strip()) + 1
        try:
            answer, _ = read_number(answer)
        except Unread:
            pass
        if answer == self.line:
            return None
        if answer in self.wrong:
            return self.wrong[answer]
        if answer in range(1, last + 1):
            return "That line is as it should be."
        raise Unread(f"Answer with the number of a line, from 1 to {last}.")


def source_of(function):
    """Return a function's source without its decorators."""
    source = inspect.getsource(function)
    return source[source.index(f"def {function.__name__}(") :].rstrip()


def with_imports(code):
    """Return code that runs in the notebook: NumPy comes with it where
    the notebook has no `np` of its own.
    """
    if "np." in code and not hasattr(sys.modules["__main__"], "np"):
        return f"import numpy as np\n\n\n{code}"
    return code
