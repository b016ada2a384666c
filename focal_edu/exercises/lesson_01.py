"""Questions of lesson 01: easy and hard examples."""

import numpy as np

from ..reference import cross_entropy, focal_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

largest_loss = Choice(
    "the largest loss of the four",
    {
        "the positive with p = 0.9": (
            "That classifier is nearly sure of a positive, and a positive "
            "is what it was: it is right, and pays little."
        ),
        "the positive with p = 0.3": (
            "It is wrong and pays for it, but it gave the truth 0.3, and "
            "another prediction gave it less."
        ),
        "the negative with p = 0.3": (
            "With p = 0.3 it says that a positive is unlikely, and it was "
            "a negative: it is right."
        ),
        "the negative with p = 0.9": RIGHT,
        "a tie: both with p = 0.9": (
            "The same p is not the same mistake: ask each what probability "
            "it gave to what turned out to be true."
        ),
    },
    hints=(
        "For each prediction, write down the probability given to the truth.",
        "Those four probabilities are 0.9, 0.3, 0.7 and 0.1; the loss is "
        "minus the logarithm.",
    ),
    why="The loss is minus the logarithm of the probability given to the "
    "truth. The negative with p = 0.9 left only 0.1 for the truth. No other "
    "of the four left less, and minus the logarithm grows as it shrinks.",
)


def _p_t_by_distance(p, y):
    return 1 - abs(y - p)


@function_to_write(
    truth=lambda p, y: np.exp(-cross_entropy(p, y)),
    inputs={"p": "probability", "y": "label"},
    first=[(0.9, 1), (0.3, 1), (0.3, 0), (0.9, 0)],
    wrong={
        "p": (
            "That is right for positives; for a negative, p is the "
            "probability of what did not happen."
        ),
        "1 - p": (
            "That is right for negatives; a positive is handled as if it "
            "were one too."
        ),
        "1 - p if y == 1 else p": (
            "That is the probability given to what did not happen, in both "
            "cases: the two labels are swapped."
        ),
        "max(p, 1 - p)": (
            "That is how sure the classifier is; whether it is right does "
            "not enter, since y is not used."
        ),
        "p * y": (
            "For every negative that is zero: the second label needs a term "
            "of its own."
        ),
        "cross_entropy(p, y)": (
            "That is the loss; we want the probability before its logarithm "
            "is taken."
        ),
        "float((p > 0.5) == (y == 1))": (
            "That says whether the classifier is right; we want how much "
            "probability it gave to the truth."
        ),
    },
    routes=[_p_t_by_distance],
    hints=(
        "A positive and a negative need different answers: when is the "
        "classifier's p the probability of what happened?",
        "The probabilities of the two labels add up to 1, and y says which "
        "of them to return.",
    ),
    why="p is the probability of a positive, so it is what the truth was "
    "given when y is 1. The two labels share a probability of 1. So a "
    "negative was given the rest.",
)
def p_t(p, y):
    return y * p + (1 - y) * (1 - p)


def _by_p_t(p, y, gamma):
    p_t = y * p + (1 - y) * (1 - p)
    return -((1 - p_t) ** gamma) * np.log(p_t)


@function_to_write(
    truth=lambda p, y, gamma: focal_loss(p, y, gamma=gamma),
    inputs={"p": "probability", "y": "label", "gamma": "gamma"},
    first=[(0.9, 1, 2), (0.3, 1, 2), (0.3, 0, 2), (0.9, 0, 2), (0.9, 0, 0)],
    wrong={
        "focal_loss(p, y, gamma=gamma) * (2 * y - 1)": (
            "Positives are right, and negatives have a negative loss: the "
            "minus belongs to both terms."
        ),
        "(1 - p) ** gamma * cross_entropy(p, y)": (
            "Positives are right; on negatives the modulating factor is "
            "still that of a positive, which is near 1 on easy negatives."
        ),
        "focal_loss(p, 1, gamma=gamma) if y else -p * np.log(1 - p)": (
            "Positives are right; on negatives nothing changes with gamma, "
            "so an exponent is missing there."
        ),
        "cross_entropy(p, y) * np.exp(-gamma * cross_entropy(p, y))": (
            "Your factor is near 1 on easy examples and small on hard ones: "
            "it turns down the wrong side."
        ),
        "gamma * (1 - p_t.function(p, y)) * cross_entropy(p, y)": (
            "At gamma = 0 your loss vanishes, where it should be cross "
            "entropy: gamma is an exponent and not a multiplier."
        ),
        "cross_entropy(p, y)": (
            "That is cross entropy: the modulating factor is missing."
        ),
        "y * focal_loss(p, y, gamma=gamma)": (
            "Positives are right, and every negative has loss zero: the "
            "second term is missing."
        ),
        "focal_loss(p, y, gamma=2)": (
            "Right at gamma = 2 only: the argument gamma is not used."
        ),
        "-(np.log(p_t.function(p, y)) ** gamma)": (
            "There gamma is a power of the logarithm; it should be a power "
            "of what the truth was not given."
        ),
    },
    routes=[_by_p_t],
    meaning={
        "positive": "the term of positives",
        "negative": "the term of negatives",
        "p_t": "the probability given to the truth",
    },
    hints=(
        "Write two terms, one for each label, and let y and 1 - y choose. "
        "By how much was the classifier wrong in each?",
        "A positive was missed by 1 - p and a negative by p; raise that to "
        "the power gamma, times minus the logarithm of the rest.",
    ),
    why="Each term is minus the logarithm of the probability given to the "
    "truth, times the power gamma of what the truth was not given. For a "
    "positive that is 1 - p, for a negative p. Because y is 0 or 1, only "
    "one term counts.",
)
def binary_focal_loss(p, y, gamma):
    positive = y * (1 - p) ** gamma * np.log(p)
    negative = (1 - y) * p**gamma * np.log(1 - p)
    return -(positive + negative)


suspect = Choice(
    "what the symmetry test finds in the suspect",
    {
        "nothing: it obeys the symmetry": (
            "Put p = 0.7 into its first line and p = 0.3 into its second: "
            "they would have to be the same."
        ),
        "its negative loss is too large": RIGHT,
        "its negative loss is too small": (
            "Compare `p` with `p**gamma` at p = 0.3 and gamma = 2, with "
            "numbers."
        ),
        "its negative loss is too large for some p, too small for others": (
            "That would need a p between 0 and 1 at which the two factors "
            "change places: try 0.1, 0.5 and 0.9."
        ),
        "its positive loss is wrong": (
            "The cell above has just compared its positives with ours."
        ),
    },
    hints=(
        "Look for what the two lines of `suspect` do not have in common.",
        "The second line has p where the first has a power of 1 - p; which "
        "is larger, a number between 0 and 1 or its square?",
    ),
    why="Its second line lacks the exponent. A number between 0 and 1 is "
    "larger than its square. So each negative is given more than its loss.",
)


@function_to_write(
    truth=lambda p_t, gamma: (
        cross_entropy(p_t, 1) / focal_loss(p_t, 1, gamma=gamma)
    ),
    inputs={"p_t": "probability", "gamma": "gamma"},
    first=[(0.9, 2), (0.5, 2), (0.9, 1), (0.3, 0)],
    wrong={
        "(1 - p_t) ** gamma": (
            "That is focal loss divided by cross entropy, the ratio upside "
            "down: it should never be below 1."
        ),
        "(1 - p_t) ** -2": (
            "Right at gamma = 2; your formula does not depend on gamma."
        ),
        "1 - p_t**gamma": (
            "Only p_t gets the power there: the whole 1 - p_t belongs in "
            "brackets, and the ratio divides by its power."
        ),
        "p_t**-gamma": (
            "Your ratio is large on hard examples and near 1 on easy ones; "
            "it is the easy ones that focal loss lowers."
        ),
        "1 / (gamma * (1 - p_t))": (
            "Multiplying by gamma is not raising to the power gamma."
        ),
        "gamma / (1 - p_t)": (
            "There gamma multiplies the result; it should be the exponent of "
            "1 - p_t."
        ),
        "-np.log(p_t)": "That is cross entropy itself, without the division.",
        "cross_entropy(p_t, 1) * (1 - p_t) ** -gamma": (
            "One logarithm is left over: both losses contain it, and it "
            "cancels."
        ),
    },
    hints=(
        "Write both losses with p_t, one over the other, and cancel.",
        "The logarithms cancel. What is left has the modulating factor below "
        "the line, and above it only a 1.",
    ),
    why="Focal loss is cross entropy times the modulating factor. In the "
    "ratio cross entropy cancels. What is left is one over that factor.",
)
def times_lower(p_t, gamma):
    return 1 / (1 - p_t) ** gamma


def _ce(p_t):
    return float(cross_entropy(p_t, 1))


def _share(part, rest):
    """The part's share of both, in per cent."""
    return 100 * part / (part + rest)


_hard, _easy = float(focal_loss(0.1, 1)), 1000 * float(focal_loss(0.9, 1))
hard_share = Number(
    "the hard example's share, focal loss",
    _share(_hard, _easy),
    within=0.6,
    unit="per cent",
    wrong={
        _share(_ce(0.1), 1000 * _ce(0.9)): "That is its share under cross "
        "entropy; now each easy loss is divided by a hundred.",
        _share(_easy, _hard): "That is the share of the thousand easy ones.",
        _share(_hard, _easy / 1000): "That compares it with a single easy "
        "example, and there are a thousand.",
        _share(_hard, _easy / 10): "That is its share among a hundred easy "
        "ones, and here there are a thousand.",
        100 * _hard / _easy: "That divides by the easy ones' sum; a share is "
        "a part of the whole, with the hard one in it.",
        100 * _hard / (1000 * _ce(0.9)): "That is the hard one's focal loss "
        "over the easy ones' cross entropy: both need the same loss.",
        _share(_ce(0.1), _easy): "There the hard one still pays cross "
        "entropy: it has a modulating factor too.",
        100 * 0.81 / (0.81 + 1000 * 0.01): "That compares the modulating "
        "factors; each of them multiplies a cross entropy.",
        81: "That is the hard one's modulating factor; we want its part "
        "of the batch's loss.",
        100: "Not quite the whole: a thousand easy examples still lose "
        "something.",
        0: "The hard one loses most; it is each easy one that nearly "
        "vanishes.",
        0.1: "That counts examples, one in a thousand and one; we want "
        "the part of the sum of losses.",
        50: "Half would need the thousand easy losses to add up to the hard "
        "one: work out both sums.",
    },
    hints=(
        "You need two sums: the hard example's focal loss, and a thousand "
        "times an easy one's.",
        "The hard one keeps 0.81 of 2.3026; each easy one keeps 0.01 of "
        "0.1054. Divide the first by the sum of all 1001.",
    ),
    why="The hard example keeps 0.81 of its cross entropy, 1.8651. A "
    "thousand easy ones keep a hundredth of theirs, 1.0536 together. So the "
    "first is more than half of the sum.",
)


batch_loss = Fault(
    {
        "def batch_focal_loss(p, y, gamma=2):": (
            "Line 1 names the arguments, and gamma = 2 is as in the paper."
        ),
        "    p_t = np.where(y == 1, p, 1 - p)": (
            "Line 2 gives p for positives and 1 - p for negatives, as it "
            "should."
        ),
        "    ce = np.mean(-np.log(p_t))": Repair("    ce = -np.log(p_t)"),
        "    factor = (1 - np.exp(-ce)) ** gamma": (
            "Line 4 is right for one example: `np.exp(-ce)` undoes minus the "
            "logarithm; ask what `ce` is when there are two."
        ),
        "    return np.mean(factor * ce)": (
            "A batch's loss is a mean over examples, so a mean at the end is "
            "in place."
        ),
    },
    truth=lambda p, y: np.mean(focal_loss(p, y)),
    inputs={
        "p": lambda rng: rng.uniform(0.05, 0.95, 3).round(2),
        "y": lambda rng: rng.integers(0, 2, 3),
    },
    hints=(
        "Copy the code (`.copy()`) and print each variable: for a batch of "
        "one, then for an easy and a hard example together.",
        "Each example should get a modulating factor of its own, so nothing "
        "may be averaged before the factor is there.",
    ),
    why="The mean comes too early: one factor is made from the average "
    "loss, and every example gets it. So an easy example is turned down no "
    "more than a hard one, and turning it down more is the point. With a "
    "batch of one it cannot be seen.",
)
