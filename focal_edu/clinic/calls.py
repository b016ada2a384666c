"""Calling a loss of unknown manners: what it answers, or why it does not."""

import contextlib
import copy
import inspect
import io
import math
import re
import textwrap
import traceback
import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

# What a loss may want; how it is made of logits, of labels or of classes.
INPUTS = {
    "logits": (torch.clone, torch.clone),
    "probabilities": (torch.sigmoid, partial(torch.softmax, dim=1)),
    "log-probabilities": (F.logsigmoid, partial(F.log_softmax, dim=1)),
}


class Refusal(Exception):
    """One line on why a loss gave nothing that could train a network.

    A `hint` says what to examine instead, `raised` at which lines of code.
    """

    def __init__(self, line, hint="", raised=()):
        super().__init__(line + hint)
        self.hint, self.raised = hint, raised


@dataclass(frozen=True)
class Form:
    """What a loss is given: shapes, dtypes, order, one of `INPUTS`.

    `map` lists axes of one place that are put in: behind the classes those of
    an image or a sequence, before them 1 or 0. Of a `flat` column the targets
    are none, `signed` ones are -1 in place of 0. `dtype` is float32 for a
    loss that cannot compute in float64.
    """

    task: str
    column: bool = False
    map: tuple = ()
    one_hot: bool = False
    flat: bool = False
    integer: bool = False
    boolean: bool = False
    signed: bool = False
    takes: str = "logits"
    exchanged: bool = False
    dtype: torch.dtype = torch.float64

    @classmethod
    def of(cls, task):
        """How a loss of ours is called for a task."""
        return cls(task, integer=task == "multi-class")

    @property
    def probabilities(self):
        """Whether it is given probabilities, or their logarithms."""
        return self.takes != "logits"

    def inputs(self, logits, targets, dtype=None):
        """Return the logits as a leaf, and what the loss is called with."""
        leaf = torch.tensor(np.asarray(logits), dtype=dtype or self.dtype)
        leaf.requires_grad_()
        return leaf, self.tensors(leaf, targets)

    def as_images(self, logits, targets, many):
        """Return the logits as a leaf, and all examples as pixels of images.

        Square ones where that many pixels make a square.
        """
        axes = self.map or (-1, -1)
        leaf, given = replace(self, map=()).inputs(logits, targets)
        side = math.isqrt(len(logits) // many)
        size = *(many, side, 1)[: len(axes)], -1
        images = [one.reshape(*size, *one.shape[1:]) for one in given]
        if axes[0] == -1:  # classes, to axis 1
            images = [
                image.movedim(-1, 1) if one.ndim == 2 else image
                for one, image in zip(given, images, strict=True)
            ]
        return leaf, images

    def tensors(self, logits, targets):
        """Return what the loss is called with, for NumPy `targets`."""
        targets = torch.tensor(np.asarray(targets))
        if self.one_hot:
            targets = F.one_hot(targets, logits.shape[1])
        dtype = torch.int64 if self.integer else logits.dtype
        targets = targets.to(torch.bool if self.boolean else dtype)
        if self.signed:
            targets = torch.where(targets == 0, -1, targets)
        logits = INPUTS[self.takes][self.task == "multi-class"](logits)
        if self.column:
            targets = targets if self.flat else targets.unsqueeze(1)
            logits = logits.unsqueeze(1) if logits.ndim == 1 else logits
        for axis in self.map:
            targets, logits = targets.unsqueeze(axis), logits.unsqueeze(axis)
        return (targets, logits) if self.exchanged else (logits, targets)

    def __str__(self):
        whole = self.integer and self.task != "multi-class"
        kind = self.takes + (" and integer" if whole else " and")
        kind += " booleans as" * self.boolean + " ±1 as" * self.signed
        kind += " targets"
        letters = {7: "N", 3: "C", 1: "1"}
        logits = torch.zeros(7 if self.task == "binary" else (7, 3))
        targets = logits if self.task != "multi-class" else logits[:, 0]
        given = replace(self, exchanged=False).tensors(logits, targets.long())
        shapes = ", ".join(
            f"({', '.join(letters[size] for size in tensor.shape)})"
            for tensor in given
        ).replace("(N)", "(N,)")
        order = ", targets first" if self.exchanged else ""
        return f"{self.task}, {kind} of shape {shapes}{order}"


MISSING = re.compile(r"missing .*argument.*?: '(\w+)'")
TARGETS = re.compile("true|truth|target|label|(^|_)gt")


@dataclass(frozen=True)
class Answer:
    """Value and gradient with respect to the logits, in float64."""

    value: np.ndarray
    gradient: np.ndarray

    @property
    def bad(self):
        """The first number that is not finite, and of what; "" if all are."""
        for what, array in vars(self).items():
            wrong = array[~np.isfinite(array)]
            if wrong.size:
                return f"{what} {wrong[0]:g}"
        return ""


def fresh(loss, dtype=None):
    """Return a copy of the loss, its state as given; a module in `dtype`."""
    try:
        loss = copy.deepcopy(loss)
    except Exception:
        return loss
    move = dtype is not None and isinstance(loss, torch.nn.Module)
    return loss.to(dtype) if move else loss


def parameters(loss):
    """Return the parameters of a call by name; of none that can be read."""
    try:
        return inspect.signature(getattr(loss, "forward", loss)).parameters
    except (TypeError, ValueError):
        return {}


def targets_first(loss):
    """Return whether parameter names put targets first, None if unsaid."""
    names = [*parameters(loss)][:2]
    found = [bool(TARGETS.search(name.lower())) for name in names]
    return found[0] if len(set(found)) == 2 else None


@contextlib.contextmanager
def quiet():
    """Keep what a loss prints or warns of out of the report's way."""
    hidden = io.StringIO()
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(hidden),
        contextlib.redirect_stderr(hidden),
        torch.enable_grad(),
    ):
        yield


def value_of(loss, logits, targets):
    """Return the tensor that `loss` gives, if one can train on it.

    Else raise `Refusal`.
    """
    try:
        with quiet():
            value = loss(logits, targets)
    except (Exception, SystemExit) as error:
        line, hint = f"it raised {in_one_line(error)}", _hint(loss, error)
        frames = traceback.walk_tb(error.__traceback__)
        lines = tuple(number or 0 for _, number in frames)
        raise Refusal(line, hint, raised=lines) from None
    match value:
        case None:
            line = "None: is a return statement missing?"
        case np.ndarray() | np.generic():
            line = (
                "a NumPy array, through which no gradient flows: compute "
                "with torch and return the tensor"
            )
        case int() | float():
            line = (
                "a Python number, which has no gradient: return the tensor, "
                "without .item()"
            )
        case torch.Tensor() if not value.is_floating_point():
            line = f"a tensor of {value.dtype}"
        case torch.Tensor() if not value.requires_grad:
            line = (
                "a tensor without a gradient: was it detached, or made anew "
                "from numbers?"
            )
        case torch.Tensor():
            return value
        case _:
            line = f"{type(value).__name__}, not a tensor"
    raise Refusal(f"it returned {line}", _hint(loss, value))


def ask(loss, form, logits, targets, dtype=None):
    """Return the `Answer` of `loss` on a batch, or raise `Refusal`."""
    leaf, given = form.inputs(logits, targets, dtype)
    value = value_of(loss, *given)
    try:
        with quiet():
            (gradient,) = torch.autograd.grad(
                value.sum(), leaf, allow_unused=True
            )
    except Exception as error:
        line = in_one_line(error)
        raise Refusal(f"its backward pass raised {line}") from None
    if gradient is None:
        raise Refusal("its value does not depend on the logits")
    return Answer(
        _in_shape(_float64(value), np.shape(logits), np.shape(targets)),
        _float64(gradient),
    )


def ask_each(loss, form, logits, targets, dtype=None):
    """Return the `Answer` on each example, each a batch of its own."""
    examples = zip(logits[:, None], targets[:, None], strict=True)
    answers = [_alone(loss, form, *one, dtype) for one in examples]
    return Answer(*map(np.array, zip(*answers, strict=True)))


def _alone(loss, form, x, y, dtype):
    """Value and gradient of one example; as several say if it is refused.

    A mean of two is that of one, a sum of three has one more than of two.
    """

    def summed(many):
        batch = (np.repeat(array, many, 0) for array in (x, y))
        copy = fresh(loss, dtype or form.dtype)
        answer = ask(copy, form, *batch, dtype)
        return answer.value.sum(), answer.gradient.sum(0)

    try:
        return summed(1)
    except Refusal as refusal:
        try:
            two, three = summed(2), summed(3)
        except Refusal:
            raise refusal from None
    grows = abs(three[0] - two[0]) > 0.1 * abs(two[0])
    return [b - a for a, b in zip(two, three, strict=True)] if grows else two


def in_one_line(error):
    """Return an exception as its type and the first line it says."""
    said = (str(error).strip() or "no message").splitlines()[0]
    said = textwrap.shorten(said, 200, placeholder=" …")
    return f"{type(error).__name__}: {said}"


def _hint(loss, outcome):
    """What to examine instead, after what it raised or returned."""
    missing = isinstance(outcome, TypeError) and MISSING.search(f"{outcome}")
    named = [
        name
        for name, parameter in parameters(loss).items()
        if parameter.kind is parameter.KEYWORD_ONLY and TARGETS.search(name)
    ]
    match outcome:
        case _ if isinstance(loss, type):
            return " (it is a class: examine an instance of it)"
        case _ if missing:
            call = f"f(l, t, {missing[1]}=...)"
        case TypeError() if named:
            call = f"f(l, {named[0]}=t)"
        case (one, other) if not (_trains(one) or _trains(other)):
            return (
                " (a gradient and a Hessian, as boosting libraries want "
                "them? examine the loss that they belong to)"
            )
        case tuple() | list():
            call = "f(l, t)[0]"
        case dict() if outcome:
            call = f"f(l, t)[{next(iter(outcome))!r}]"
        case _:
            return ""
    return f" (try examine(lambda l, t: {call}))"


def _trains(value):
    """Whether a gradient could flow through it, or it is no array."""
    return getattr(value, "requires_grad", not hasattr(value, "dtype"))


def _float64(tensor):
    return tensor.detach().to(torch.float64).cpu().numpy()


def _in_shape(value, logits, targets):
    """`value` as one number, or as one a label, an example or a class."""
    for shape in ((), targets, logits, targets[:1], logits[1:]):
        if value.size == np.prod(shape, dtype=int):
            return value.reshape(shape)
    raise Refusal(
        f"it returned shape {value.shape}, where a loss of each example has "
        f"shape {targets} and a mean or a sum has ()"
    )
