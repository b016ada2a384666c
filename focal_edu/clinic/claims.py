"""What is claimed of a loss, and the focal loss that it is held against."""

from dataclasses import dataclass, replace
from functools import cached_property

from ..validate import show
from .calls import Answer, Form, ask, ask_each
from .model import Model
from .names import REDUCTIONS, named
from .names.variant import Variant
from .report import RISK

GUESS = "guess"
HELD = "gamma", "alpha", "reduction"  # what every focal loss has
SIGMOIDS = "one against rest"  # so the names of its forms begin


def unset(claim):
    """Return whether a claim was not made."""
    return isinstance(claim, str) and claim == GUESS


@dataclass(frozen=True)
class Claims:
    """The claims that `examine` takes, `GUESS` for those that are not made.

    `given` names those of γ, α and reduction that the caller makes. Once
    settled they are a focal loss in full, every number known. Then `form`
    is a probability that is claimed in place of σ or softmax: one against
    rest, or smoothed labels; and `one_number` is the α of a multi-class loss
    that has one for C classes, `alpha` what it makes of it. `blend` is the
    part that smoothed labels give of each weight to the other label.
    """

    task: str
    gamma: object
    alpha: object
    reduction: object
    takes: str
    scale: float
    smoothing: object
    ignore_index: object
    seed: int
    given: tuple = ()
    classes: int = 1
    form: Variant | None = None
    one_number: float | None = None
    blend: float = 0.0

    def made(self, name):
        """Whether a claim was made, one way or the other."""
        return not unset(getattr(self, name))

    @property
    def probabilities(self):
        """Whether the loss is said to take no logits."""
        return self.takes != "logits"

    @property
    def sigmoids(self):
        """Whether each class has a sigmoid of its own."""
        return bool(self.form) and self.form.name.startswith(SIGMOIDS)

    @property
    def formula(self):
        """What it is called, within a sentence."""
        name = "the focal loss"
        if self.gamma == 0:
            name = "cross entropy (γ = 0), nothing is focused"
        if self.sigmoids:
            return f"{name}, {self.form.name}: a sigmoid for each class"
        if self.form:
            name += f" with {self.form.name}, {self.form.numbers['share']:g}"
        return name

    @cached_property
    def loss(self):
        """This focal loss as a callable."""
        alpha, average = self.alpha, self.reduction
        if self.blend and isinstance(alpha, float):
            alpha += self.blend * (1 - 2 * alpha)
        if average not in REDUCTIONS:
            average = named(average)
        model = Model(self.form, reduction=average, gamma=self.gamma)
        loss = model.loss(alpha)
        return lambda logits, targets: self.scale * loss(logits, targets)

    def ask(self, batch):
        """The answer of this focal loss to the batch: the truth."""
        return ask(self.loss, Form.of(self.task), *batch)

    def each(self, batch, **changes):
        """The answer to each example, a batch of its own.

        `changes` are to what is claimed.
        """
        own, form = replace(self, **changes), Form.of(self.task)
        if own.reduction not in ("none", "mean", "sum"):
            return ask_each(own.loss, form, *batch)
        answer = replace(own, reduction="none").ask(batch)
        value = answer.value.reshape(len(answer.value), -1).sum(1)
        many = batch[1][0].size if own.reduction == "mean" else 1
        return Answer(value / many, answer.gradient / many)

    @property
    def broken_far_out(self):
        """What it is to break at extreme logits.

        No failure of a loss of probabilities, which have rounded there.
        """
        return RISK if self.probabilities else False

    def __str__(self):
        alpha = self.alpha if self.one_number is None else self.one_number
        shown = [self.task, f"γ = {self.gamma:g}", f"α = {show(alpha)}"]
        if self.scale != 1:
            shown.append(f"scale {self.scale:.6g}")
            if isinstance(alpha, float) and self.task != "multi-class":
                pair = alpha * self.scale, (1 - alpha) * self.scale
                shown[-1] += " (weights {:.6g} and {:.6g})".format(*pair)
        if self.probabilities:
            shown.append(f"of {self.takes}")
        if self.sigmoids:
            shown.append("a sigmoid for each class")
        elif self.form:
            shown.append(f"{self.form.name} {self.form.numbers['share']:g}")
        shown.append(f"reduction {self.reduction}")
        if self.ignore_index is not None:
            shown.append(f"ignore_index {self.ignore_index}")
        told = ", ".join(k for k in HELD if k not in self.given)
        return ", ".join(shown) + f" (not given: {told})" * bool(told)
