"""What an entry of the table of names is."""

import inspect
from dataclasses import dataclass, field
from functools import partial

ALL = ("binary", "multi-class", "multi-label")
ELEMENTWISE = ("binary", "multi-label")
CLASSES = ("multi-class",)
MANY_ANSWERS = ("multi-label",)
ONE_ANSWER = ("binary", "multi-class")
ANY_ALPHA = ("none", "number", "weights")
WEIGHTED = ("number", "weights")
# What must have been measured before a rule is tried.
FITTED = "nothing: its numbers are fitted to the answers"
ALONE = (
    "that it explains the answers alone: never fitted beside other numbers"
)
EXTREME = "nothing else differs at ordinary logits"
UNREDUCED = "that the loss gives no number: one for each example, or more"
READ_OFF = "γ, the gradient, or single examples tell: it is never fitted"
SYMBOLS = {
    "eps": "ε",
    "epsilon": "ε",
    "beta": "β",
    "margin": "m",
    "limit": "L",
    "temperature": "T",
    "alpha": "α",
}
TABLE = []


@dataclass(frozen=True)
class Variant:
    """One way of writing one part of the loss: `rule` computes it, if any.

    `numbers` are the rule's own, `match` is what must have been measured
    before it is tried. `alpha` lists the kinds of α that it is told apart
    for, `alone` is the order that it cannot be told from on one example,
    `relative` says that such an example does not show the weights. `detail`
    holds what was measured.
    """

    name: str
    part: str
    computes: str
    effect: str
    seen: str = ""
    rule: callable = None
    tasks: tuple = ALL
    alpha: tuple = ANY_ALPHA
    match: str = FITTED
    alone: callable = None
    relative: bool = False
    numbers: dict = field(default_factory=dict, hash=False)
    detail: str = ""

    @property
    def with_numbers(self):
        """The rule, given its numbers."""
        numbers = self.numbers
        return partial(self.rule, **numbers) if numbers else self.rule

    def __str__(self):
        return f"{self.name} ({self.detail})" if self.detail else self.name


def variant(name, computes, effect, **more):
    """Enter the function below into the table of names, as its rule.

    Its part is the module that it stands in, its numbers are its defaults.
    """

    def enter(rule):
        part = rule.__module__.rpartition(".")[2]
        parameters = inspect.signature(rule).parameters.values()
        numbers = {
            p.name: p.default
            for p in parameters
            if p.default is not inspect.Parameter.empty
        }
        own = {"rule": rule, "alone": rule, "numbers": numbers} | more
        TABLE.append(Variant(name, part, computes, effect, **own))
        return rule

    return enter
