"""Calling a loss of unknown manners: what it answers, or why it does not."""

import contextlib
import copy
import inspect
import io
import re
import textwrap
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch


class Refusal(Exception):
    """One line on why a loss gave nothing that could train a network."""


@dataclass(frozen=True)
class Form:
    """What a loss is given: shapes, dtypes, order, logits or probabilities.

    `dtype` is float32 for a loss that cannot compute in float64.
    """

    task: str
    column: bool = False
    map: bool = False
    one_hot: bool = False
    integer: bool = False
    boolean: bool = False
    probabilities: bool = False
    exchanged: bool = False
    dtype: torch.dtype = torch.float64

    @classmethod
    def of(cls, task):
        """How a loss of ours is called for a task."""
        return cls(task, integer=task == "multi-class")

    @property
    def usual(self):
        """Whether integers stand for classes, and numbers for labels."""
        return self.integer == (self.task == "multi-class") and not self.map

    def tensors(self, logits, targets):
        """Return what the loss is called with, for NumPy `targets`."""
        targets = torch.tensor(np.asarray(targets))
        if self.one_hot:
            targets = torch.nn.functional.one_hot(targets, logits.shape[1])
        dtype = torch.int64 if self.integer else logits.dtype
        targets = targets.to(torch.bool if self.boolean else dtype)
        if self.column:
            targets = targets.unsqueeze(1)
            logits = logits.unsqueeze(1) if logits.ndim == 1 else logits
        if self.map:
            targets = targets[..., None, None]
            logits = logits[..., None, None]
        if self.map and self.task == "binary":
            logits, targets = logits[:, None], targets[:, None]
        if self.probabilities and self.task == "multi-class":
            logits = logits.softmax(1)
        elif self.probabilities:
            logits = logits.sigmoid()
        return (targets, logits) if self.exchanged else (logits, targets)

    def __str__(self):
        kind = "probabilities" if self.probabilities else "logits"
        whole = self.integer and self.task != "multi-class"
        kind += " and integer" if whole else " and"
        kind += " booleans as targets" if self.boolean else " targets"
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


FORMS = (
    Form("multi-class", integer=True),
    Form("binary"),
    Form("binary", column=True),
    Form("multi-label"),
    Form("multi-class", one_hot=True),
    Form("multi-class", column=True, integer=True),
    Form("binary", integer=True),
    Form("binary", column=True, integer=True),
    Form("multi-label", integer=True),
    Form("binary", boolean=True),
    Form("multi-label", boolean=True),
    Form("binary", probabilities=True),
    Form("multi-label", probabilities=True),
    Form("multi-class", integer=True, probabilities=True),
    Form("multi-class", one_hot=True, probabilities=True),
    Form("multi-class", column=True, integer=True, probabilities=True),
    Form("multi-class", integer=True, map=True),
    Form("binary", map=True),
    Form("binary", map=True, integer=True),
    Form("multi-label", map=True),
)
EXCHANGED = tuple(replace(form, exchanged=True) for form in FORMS)
TARGETS = re.compile("true|truth|target|label|(^|_)gt")


@dataclass(frozen=True)
class Answer:
    """Value and gradient with respect to the logits, in float64."""

    value: np.ndarray
    gradient: np.ndarray
    dtype: torch.dtype

    @property
    def bad(self):
        """The first number that is not finite, and of what; "" if all are."""
        for what in ("value", "gradient"):
            array = getattr(self, what)
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


def targets_first(loss):
    """Return whether parameter names put targets first, None if unsaid."""
    try:
        call = getattr(loss, "forward", loss)
        names = [*inspect.signature(call).parameters][:2]
    except (TypeError, ValueError):
        return None
    found = [bool(TARGETS.search(name.lower())) for name in names]
    return found[0] if len(set(found)) == 2 else None


@contextlib.contextmanager
def quiet():
    """Keep what a loss prints or warns of out of the report's way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hidden = io.StringIO()
        with (
            contextlib.redirect_stdout(hidden),
            contextlib.redirect_stderr(hidden),
            torch.enable_grad(),
        ):
            yield


def value_of(loss, logits, targets):
    """Return the tensor that `loss` gives, or raise `Refusal`."""
    try:
        with quiet():
            value = loss(logits, targets)
    except (Exception, SystemExit) as error:
        line = f"it raised {in_one_line(error)}{_hint(loss, error)}"
        raise Refusal(line) from None
    return _tensor(value, loss)


def ask(loss, form, logits, targets, dtype=None):
    """Return the `Answer` of `loss` on a batch, or raise `Refusal`."""
    dtype = dtype or form.dtype
    leaf = torch.tensor(np.asarray(logits), dtype=dtype, requires_grad=True)
    value = value_of(loss, *form.tensors(leaf.clone(), targets))
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
        value.dtype,
    )


def ask_each(loss, form, logits, targets, dtype=None):
    """Return the `Answer` on each example, each a batch of its own."""
    dtype = dtype or form.dtype
    try:
        answers = [
            ask(fresh(loss, dtype), form, x, y, dtype)
            for x, y in zip(_rows(logits), _rows(targets), strict=True)
        ]
    except Refusal as refusal:
        raise Refusal(f"given one example {refusal}") from None
    return Answer(
        np.array([answer.value.sum() for answer in answers]),
        np.concatenate([answer.gradient for answer in answers]),
        answers[0].dtype,
    )


def in_one_line(error):
    """Return an exception as its type and the first line it says."""
    said = (str(error).strip() or "no message").splitlines()[0]
    said = textwrap.shorten(said, 200, placeholder=" …")
    return f"{type(error).__name__}: {said}"


def _hint(loss, outcome):
    """What to examine instead, after what it raised or returned."""
    missing = re.search(r"missing .*argument.*?: '(\w+)'", f"{outcome}")
    call = None
    if isinstance(loss, type):
        return " (it is a class: examine an instance of it)"
    if isinstance(outcome, TypeError) and missing:
        call = f"f(l, t, {missing[1]}=...)"
    if isinstance(outcome, tuple | list):
        if len(outcome) == 2 and not any(_trains(one) for one in outcome):
            return (
                " (a gradient and a Hessian, as boosting libraries want "
                "them? examine the loss that they belong to)"
            )
        call = "f(l, t)[0]"
    if isinstance(outcome, dict) and outcome:
        call = f"f(l, t)[{next(iter(outcome))!r}]"
    return f" (try examine(lambda l, t: {call}))" if call else ""


def _trains(value):
    """Whether a gradient could flow through it, or it is no array."""
    is_array = hasattr(value, "dtype")
    return getattr(value, "requires_grad", not is_array)


def _rows(array):
    array = np.asarray(array)
    return [array[i : i + 1] for i in range(len(array))]


def _float64(tensor):
    return tensor.detach().to(torch.float64).cpu().numpy()


def _tensor(value, loss):
    """`value` if a network can be trained on it, or a `Refusal`."""
    if value is None:
        raise Refusal("it returned None: is a return statement missing?")
    if isinstance(value, np.ndarray | np.generic):
        raise Refusal(
            "it returned a NumPy array, through which no gradient flows: "
            "compute with torch and return the tensor"
        )
    if isinstance(value, int | float):
        raise Refusal(
            "it returned a Python number, which has no gradient: return the "
            "tensor, without .item()"
        )
    if not isinstance(value, torch.Tensor):
        raise Refusal(
            f"it returned {type(value).__name__}, not a tensor"
            f"{_hint(loss, value)}"
        )
    if not value.is_floating_point():
        raise Refusal(f"it returned a tensor of {value.dtype}")
    if not value.requires_grad:
        raise Refusal(
            "it returned a tensor without a gradient: was it detached, or "
            "made anew from numbers?"
        )
    return value


def _in_shape(value, logits, targets):
    """`value` as a scalar, or in the shape of the targets or the logits."""
    for shape in ((), targets, logits):
        if value.size == np.prod(shape, dtype=int):
            return value.reshape(shape)
    raise Refusal(
        f"it returned shape {value.shape}, where a loss of each example has "
        f"shape {targets} and a mean or a sum has ()"
    )
