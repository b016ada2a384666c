"""What is wrong with a function, from what it does and not from its code.

What it does is compared with what the right function does to other
arguments, with simple changes of the right result, with the right result
times a factor, and with every small change of the solution.
"""

import itertools
import re
from functools import cached_property

import numpy as np

from .behaviour import one_shape, quiet, shown
from .mutants import agreement, matching

# What may stand where an argument belongs, by how the argument is drawn.
INSTEAD = {
    "probability": ["1 - {}", "{} * {}", "1 / {}", "0.5"],
    "label": ["1 - {}", "1", "0"],
    "gamma": ["2", "1", "0", "{} + 1", "{} - 1", "2 * {}", "-{}", "1 / {}"],
    "logit": ["-{}", "1 / (1 + exp(-{}))", "{} * {}", "0.0"],
}
OTHERWISE = ["0", "1", "-{}", "{} + 1", "{} - 1", "1 / {}", "1 - {}"]
OTHERWISE += ["2 * {}", "{} / 2", "{} * {}"]
AFTER = [
    (lambda r: r, ""),
    (np.log, "the logarithm of the result were taken"),
    (lambda r: -np.log(r), "minus the logarithm of the result were taken"),
    (lambda r: np.exp(-r), "the exponential of minus the result were taken"),
    (np.exp, "the exponential of the result were taken"),
    (lambda r: 1 / r, "the result were turned upside down"),
    (lambda r: 1 - r, "the result were subtracted from 1"),
    (np.square, "the result were squared"),
    (np.sqrt, "the square root of the result were taken"),
    (np.abs, "the size of the result were taken without its sign"),
    (lambda r: 1 - 1 / r, "the result upside down were subtracted from 1"),
]
CONSTANTS = [
    (-1.0, "the sign were turned"),
    (1 / np.log(10), "the logarithm were to base 10"),
    (1 / np.log(2), "the logarithm were to base 2"),
    (-1 / np.log(10), "the logarithm were to base 10, and the sign turned"),
    (-1 / np.log(2), "the logarithm were to base 2, and the sign turned"),
]
FEW = 6  # results say nothing of a pattern if there are fewer


class Diagnosis:
    """Finds what a wrong function does.

    Parameters
    ----------
    behaviour : Behaviour
        Of the right function.
    sources : list of (str, dict)
        Right functions' code, each with the names that it uses.
    known : list of (list of arrays, str)
        What known mistakes give, each with its sentence.
    meaning : dict
        What the names mean that a right function gives to its parts.
    """

    def __init__(self, behaviour, sources, known, meaning):
        self.behaviour, self.sources = behaviour, sources
        self.known, self.meaning = known, meaning
        self.everywhere = range(len(behaviour.cases))

    def of(self, results, call):
        """Return a sentence, or None.

        Parameters
        ----------
        results : list of arrays
        call : callable
            From inputs to what the wrong function gives for them.
        """
        if said := self._known(results):
            return said
        if not one_shape(results[0], self.behaviour.expected[0]):
            return None
        with quiet():
            for find in (
                self._constant,
                self._argument_or_result,
                self._each_label,
                self._each_number,
                self._changed_solution,
                self._known_and_more,
                self._proportional,
                self._one_side_only,
            ):
                if said := find(results):
                    return said
            return self._unused(results, call) or self._mostly(results)

    def in_batch(self, result, right):
        """Return a sentence on what is given for arrays, or None if it is
        right.
        """
        if self.behaviour.alike(result, right):
            return None
        for name in ("mean", "sum", "max", "min"):
            reduced = np.asarray(getattr(np, name)(right, axis=-1))
            whole = np.asarray(getattr(np, name)(right))
            if any(self.behaviour.alike(result, r) for r in (reduced, whole)):
                return (
                    "Right for one example; for an array of them it gives "
                    f"the {name} alone, where each should have its own."
                )
        if result.size != right.size:
            return (
                f"Right for one example; for {right.shape[-1]} at once it "
                f"gives {result.size} numbers: each should have its own."
            )
        return (
            "Right for one example at a time; in an array, one example "
            "changes what another gets."
        )

    def _fits(self, results, others, places):
        """Whether two lists of results are alike at these places."""
        alike = self.behaviour.alike
        return all(alike(others[i], results[i]) for i in places)

    def _known(self, results):
        for mistaken, sentence in self.known:
            if self.behaviour.same(results, mistaken):
                return sentence

    def _known_and_more(self, results):
        """A known mistake, and then a factor."""
        got = _joined(results, self.everywhere)
        for mistaken, sentence in self.known:
            wrong = _joined(mistaken, self.everywhere)
            if wrong.shape == got.shape:
                for said in self._scaled(got, wrong, len(results)):
                    return f"{sentence} Besides, it comes out as if {said}."

    def _proportional(self, results):
        """Several numbers at once, all too large by the same factor."""
        pairs = list(zip(results, self.behaviour.expected, strict=True))
        if any(a.size < 3 or a.shape != b.shape for a, b in pairs[2:]):
            return None
        if all(
            self.behaviour.alike(a / a.flat[0], b / b.flat[0])
            for a, b in pairs
        ):
            said = self.behaviour.describe(results)
            return (
                "The numbers have the right proportions to each other, and "
                f"the wrong size: {_lower(said)}"
            )

    def _constant(self, results):
        """One result for everything, though the truth varies."""
        value, behaviour = results[0], self.behaviour
        if not behaviour.same(results, [value] * len(results)):
            return None
        said = f"It gives {shown(value)} whatever the arguments are"
        for case, right in zip(
            behaviour.cases, behaviour.expected, strict=True
        ):
            if one_shape(value, right) and np.allclose(value, right, 1e-3):
                here = behaviour.inputs(case)
                return f"{said}, which is right at {here} only."
        return f"{said}."

    def _argument_or_result(self, results, places=None, part=None):
        """Another argument, another result, or both; of a `part` alone."""
        places = places or self.everywhere
        got, found = _joined(results, places, part), []
        for instead, right in self._instead:
            if any(right[i].shape != results[i].shape for i in places):
                continue
            true = _joined(right, places, part)
            for change, after in AFTER:
                for last in self._scaled(got, change(true), len(places)):
                    said = [part for part in (instead, after, last) if part]
                    found.append(said)
        if found:
            return _as_if(min(found, key=len))

    @cached_property
    def _instead(self):
        """What the right function gives with one argument changed."""
        return list(self._changed_arguments())

    def _changed_arguments(self):
        behaviour = self.behaviour
        yield "", behaviour.expected
        arguments = behaviour.arguments
        for i, (name, kind) in enumerate(behaviour.kinds.items()):
            if callable(behaviour.cases[0][i]):
                continue
            forms = OTHERWISE if callable(kind) else INSTEAD[kind]
            for form in forms:
                changed = form.format(*[name] * 2)
                cases = [
                    (*c[:i], _evaluate(changed, **{name: c[i]}), *c[i + 1 :])
                    for c in behaviour.cases
                ]
                said = f"`{name}` were `{changed}`"
                if "{}" not in form:
                    said = f"`{name}` were always {form}"
                yield said, self._right(cases)
        for i, j in itertools.combinations(range(len(arguments)), 2):
            cases = []
            for case in behaviour.cases:
                case = list(case)
                case[i], case[j] = case[j], case[i]
                cases.append(tuple(case))
            a, b = arguments[i], arguments[j]
            yield f"`{a}` and `{b}` had changed places", self._right(cases)

    def _right(self, cases):
        right = []
        for case in cases:
            try:
                right.append(np.asarray(self.behaviour.truth(*case), float))
            except Exception:
                right.append(np.array(np.nan))
        return right

    def _scaled(self, got, true, count):
        """Yield by which constant two differ, in words; "" if by none."""
        if not np.isfinite(true).all() or np.ptp(true) < 1e-9:
            return
        if self.behaviour.alike(got, true):
            yield ""
            return
        if count < FEW:
            return
        known = (true != 0) & np.isfinite(got)
        factor = np.median(got[known] / true[known]) if known.any() else 0
        if factor and self.behaviour.alike(got, factor * true):
            yield _factor_in_words(factor)
        step = np.median(got - true)
        if np.isfinite(step) and self.behaviour.alike(got, true + step):
            yield f"{step:.4g} were added"

    def _changed_solution(self, results):
        behaviour = self.behaviour
        agrees = agreement(behaviour.cases, results, behaviour.alike)
        for source, scope in self.sources:
            if changes := matching(source, scope, agrees):
                return self._in_words(_as_if(changes))

    def _in_words(self, said):
        """Return a sentence in which no name is the solution's own secret."""
        for name, meant in self.meaning.items():
            said = said.replace(f"`{name}`", meant)
        code = " ".join(re.findall("`(.*?)`", said))
        parts = [
            f"`{name}` is {meant}"
            for name, meant in self.meaning.items()
            if re.search(rf"\b{name}\b", code)
        ]
        return f"{said} (Here {', '.join(parts)}.)" if parts else said

    def _each_label(self, results):
        """Amiss in a way of its own for each label, or right for one."""
        behaviour, found = self.behaviour, []
        kinds = list(behaviour.kinds.values())
        if "label" not in kinds:
            return None
        labels = [case[kinds.index("label")] for case in behaviour.cases]
        for label in (1, 0):
            own = [i for i in self.everywhere if labels[i] == label]
            if self._fits(results, behaviour.expected, own):
                found.append("are right")
            elif self._fits(results, [results[own[0]]] * len(results), own):
                found.append(f"all get {shown(results[own[0]])}")
            elif said := self._argument_or_result(results, own):
                found.append(f"come{said[8:-1]}")
        if len(found) == 2:
            return f"Positives {found[0]}; negatives {found[1]}."

    def _each_number(self, results):
        """Of two numbers, each right or amiss in a way of its own."""
        if any(result.shape != (2,) for result in results):
            return None
        found = []
        for part in (0, 1):
            got, right = (
                _joined(those, self.everywhere, part)
                for those in (results, self.behaviour.expected)
            )
            if self.behaviour.alike(got, right):
                found.append("is right")
            elif said := self._argument_or_result(results, part=part):
                found.append(f"comes{said[8:-1]}")
        if len(found) == 2:
            return f"The first number {found[0]}; the second {found[1]}."

    def _one_side_only(self, results):
        """Right where one argument is large, or small, or one number."""
        behaviour = self.behaviour
        right = np.array(
            list(map(behaviour.alike, results, behaviour.expected))
        )
        if right.sum() < 3:
            return None
        columns = zip(*behaviour.cases, strict=True)
        for name, values in zip(behaviour.arguments, columns, strict=True):
            if any(callable(v) or np.ndim(v) for v in values):
                continue
            values = np.array(values, float)
            good, bad = values[right], values[~right]
            if len(set(good)) == 1 and good[0] not in bad:
                side = f"{name} is {good[0]:.4g}"
            elif good.min() > bad.max():
                side = f"{name} is {good.min():.4g} or more"
            elif good.max() < bad.min():
                side = f"{name} is {good.max():.4g} or less"
            else:
                continue
            said = behaviour.describe(results)
            return f"Right only where {side}: {_lower(said)}"

    def _mostly(self, results):
        """Right at most inputs; which is not, is said."""
        behaviour = self.behaviour
        right = sum(map(behaviour.alike, results, behaviour.expected))
        if right > len(results) / 2:
            said = _lower(behaviour.describe(results))
            return f"Right at {right} of {len(results)} inputs; {said}"

    def _unused(self, results, call):
        """An argument that changes nothing, though it should."""
        behaviour = self.behaviour
        for at, name in enumerate(behaviour.arguments):
            other = [c[at] for c in behaviour.cases[1:] + behaviour.cases[:1]]
            cases = [
                (*case[:at], value, *case[at + 1 :])
                for case, value in zip(behaviour.cases, other, strict=True)
            ]
            try:
                changed = call(cases)
            except Exception:
                continue
            if behaviour.same(changed, results):
                said = behaviour.describe(results)
                return f"It does not depend on `{name}`: {_lower(said)}"


def _evaluate(expression, **values):
    try:
        scope = {"log": np.log, "exp": np.exp, "sqrt": np.sqrt}
        return eval(expression, scope, values)
    except Exception:
        return np.nan


def _joined(results, places, part=None):
    parts = slice(part, part if part is None else part + 1)
    return np.concatenate([results[i].ravel()[parts] for i in places])


def _factor_in_words(factor):
    for value, said in CONSTANTS:
        if abs(factor / value - 1) < 1e-4:
            return said
    return f"the result were multiplied by {factor:.4g}"


def _as_if(changes):
    """Return a sentence of all changes."""
    return f"It comes out as if {', and as if '.join(changes)}."


def _lower(sentence):
    return sentence[0].lower() + sentence[1:]
