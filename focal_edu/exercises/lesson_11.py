"""Questions of lesson 11: the clinic."""

import numpy as np

from ..reference import focal_loss
from .questions import (
    RIGHT,
    Choice,
    Fault,
    Number,
    Repair,
    function_to_write,
)


def _between(low, high):
    return lambda rng: round(rng.uniform(low, high), 3)


def loss_a(logits, targets):
    """The first of three losses to diagnose: measure, don't read on."""
    p_t = (logits * (2 * targets - 1)).sigmoid()
    return (-((1 - p_t) ** (4 - 3 * targets)) * p_t.log()).mean()


def loss_b(logits, targets):
    """The second of three losses to diagnose: measure, don't read on."""
    p_t = (logits * (2 * targets - 1)).sigmoid()
    return ((2 * targets + 1) * (1 - p_t) ** 2 * -p_t.log()).sum() / 7


def loss_c(logits, targets):
    """The third of three losses to diagnose: measure, don't read on."""
    x_t = logits * (2 * targets - 1)
    return (-2 * x_t - 1).logaddexp(0 * x_t).mean() / 2


wrong_example = Choice(
    "which of two examples the notebook's loss gets wrong",
    {
        "the positive": (
            "Its branch has the square, the target and the logarithm, as the "
            "formula has."
        ),
        "the negative": RIGHT,
        "both": "One of the branches is the formula's own.",
        "neither": "Compare the two branches, factor by factor.",
    },
    hints=(
        "Write both branches below each other.",
        "One of them lacks a power.",
    ),
    why="The negative branch multiplies by p where the definition has its "
    "square. At p = 0.3 that is 0.3 in place of 0.09, too large by 3.33.",
)

lost_power = Choice(
    "the slope that the negatives have",
    {
        "2, as the positives' line": (
            "That is what the paper has; to which power does this loss raise "
            "p in its negative branch?"
        ),
        "1, half of theirs": RIGHT,
        "3, more than theirs": (
            "Nothing is multiplied in; count the factors p."
        ),
        "0, a level line": (
            "Then every negative would keep the same part of its cross "
            "entropy."
        ),
    },
    hints=(
        "For a negative, what is left of the probability is p: to which "
        "power does its branch raise it?",
        "The branch has p itself, with no exponent written.",
    ),
    why="For a negative 1 − p_t is p, so the slope is the power of p in that "
    "branch. The branch has p where the paper has its square.",
)


@function_to_write(
    truth=lambda p_a, ratio_a, p_b, ratio_b: (
        (np.log(ratio_a) - np.log(ratio_b))
        / (np.log1p(-p_a) - np.log1p(-p_b))
    ),
    inputs={
        "p_a": _between(0.1, 0.4),
        "ratio_a": _between(0.5, 0.9),
        "p_b": _between(0.6, 0.9),
        "ratio_b": _between(0.05, 0.3),
    },
    first=[(0.5, 0.125, 0.9, 0.005), (0.2, 0.4, 0.6, 0.2)],
    wrong={
        "np.log(ratio_a) / np.log(1 - p_a)": (
            "One measurement cannot tell the weight from the power, so use "
            "both."
        ),
        "np.log(ratio_b) / np.log(1 - p_b)": (
            "The weight is still in that: it needs the other measurement too."
        ),
        "np.log(ratio_a / ratio_b) / (p_b - p_a)": (
            "The line is straight over log(1 − p_t), and you divide by a "
            "distance in p_t."
        ),
        "(ratio_a - ratio_b) / (p_b - p_a)": (
            "That is the slope of the quotient itself, which is no straight "
            "line; its logarithm is one."
        ),
        "np.log(ratio_a / ratio_b) / np.log(p_a / p_b)": (
            "The factor is a power of 1 − p_t, not of p_t."
        ),
        "np.log((1 - p_a) / (1 - p_b)) / np.log(ratio_a / ratio_b)": (
            "That is one over it: the logarithm of the ratios goes on top."
        ),
        "(ratio_a / ratio_b) / ((1 - p_a) / (1 - p_b))": (
            "A power comes down only by a logarithm."
        ),
        "np.log(ratio_a / ratio_b) / np.log((1 - p_b) / (1 - p_a))": (
            "The size is right, and the two examples are exchanged below."
        ),
    },
    hints=(
        "Divide one measurement by the other: what has gone?",
        "What is left is a quotient to a power; take logarithms.",
    ),
    why="The weight is the same in both, so their quotient is a power of "
    "(1 − p_a) / (1 − p_b). Its exponent is the quotient of two logarithms.",
)
def measured_gamma(p_a, ratio_a, p_b, ratio_b):
    return np.log(ratio_a / ratio_b) / np.log((1 - p_a) / (1 - p_b))


whose_mean = Choice(
    "the mistake of the second loss",
    {
        "the factor is (1 − p_t) without its power": (
            "The power is there, `** self.gamma`."
        ),
        "the loss is not multiplied by the factor": (
            "The last line is a product of the two."
        ),
        "the mean is taken before the factor": RIGHT,
        "softmax is left out": (
            "`CrossEntropyLoss` takes logits and does the softmax itself."
        ),
        "the sign is wrong": "Cross entropy has its minus sign already.",
    },
    hints=(
        "What shape does `ce` have?",
        "`CrossEntropyLoss` returns one number for a batch unless it is told "
        "otherwise.",
    ),
    why="`CrossEntropyLoss` averages over the batch. So there is one ce, one "
    "p_t and one factor for all examples, easy and hard.",
)

mean_first = Fault(
    {
        "def batch_focal(p_t, gamma):": "",
        "    ce = -np.log(p_t)": (
            "That is cross entropy, one number an example."
        ),
        "    p_mean = np.exp(-np.mean(ce))": Repair(
            "    p_mean = np.exp(-ce)"
        ),
        "    factor = (1 - p_mean) ** gamma": (
            "That is the modulating factor of whatever probability it is "
            "handed."
        ),
        "    return np.mean(factor * ce)": (
            "The mean belongs here, at the very end."
        ),
    },
    truth=lambda p_t, gamma: np.mean(
        [focal_loss(p, 1, gamma=gamma) for p in p_t]
    ),
    inputs={
        "p_t": lambda rng: rng.uniform(0.05, 0.95, 4).round(2),
        "gamma": lambda rng: float(rng.integers(1, 4)),
    },
    hints=(
        "Print the factor for an easy and a hard example together: how many "
        "factors are there?",
        "Something is averaged before the power is taken.",
    ),
    why="The mean of ce gives one probability and one factor for the whole "
    "batch. Each example needs its own, and the mean comes at the end.",
)

clipped_gradient = Choice(
    "the gradient of a clipped loss at a logit of −50",
    {
        "close to −1, as without clipping": (
            "That would be so if p_t still moved with the logit."
        ),
        "very large": "The clip bounds the loss, so nothing there is steep.",
        "zero": RIGHT,
        "NaN": "Clipping is there to keep infinities away, and it does.",
    },
    hints=(
        "What is p_t before and after the clip?",
        "A constant does not change with the logit.",
    ),
    why="p_t is below the clip, which puts a constant in its place. The "
    "gradient of a constant is zero, so the worst mistake is never mended.",
)

ranks_far_worse = Choice(
    "the mistake that ranks far worse than all others",
    {
        "p_t detached": (
            "Its gradient has the right sign everywhere and is only smaller."
        ),
        "alpha to both": (
            "One weight for both classes changes their balance, not what is "
            "learned of a pixel."
        ),
        "modulated after reduction": (
            "It is cross entropy with a learning rate that wanders, and "
            "cross entropy does rank."
        ),
        "squashed twice": RIGHT,
        "p_t clipped": (
            "No logit goes far enough here for the clip to be felt."
        ),
    },
    hints=(
        "Which of them can no longer tell an easy negative from a hard one?",
        "The sigmoid of a number between 0 and 1 has nowhere to go.",
    ),
    why="The second sigmoid sees numbers between 0 and 1, so no negative "
    "becomes easy, and all of them push every logit down. There the first "
    "one's slope p (1 − p) leaves no gradient to raise a positive again.",
)

quietened = Choice(
    "whom α = 0.25 quietens in kornia's softmax loss",
    {
        "class 0 only": "Class 0 gets the larger of the two weights there.",
        "every class but class 0": RIGHT,
        "all classes alike": "The row of the table names two weights.",
        "the rare class, whichever it is": (
            "Nothing in the table counts how often a class occurs."
        ),
    },
    exercise=True,
    hints=(
        "Read kornia's row: who gets α, and who gets 1 − α?",
        "Compare 0.25 with 0.75.",
    ),
    why="Class 0 gets 1 − α = 0.75 and all others 0.25. If class 0 is the "
    "background, that is the opposite of what many expect.",
)

power_of_a = Number(
    "γ of loss A's negatives",
    4,
    within=0.01,
    wrong={
        1: "That is the power of its positives: fit the label 0.",
        2: "That is the paper's, and nothing says that this loss has it.",
        2.5: "That is the mean over both labels: fit each label apart.",
        3: "That is how far the two labels are apart.",
        16: "The power is the slope of the line itself, and not its square.",
    },
    exercise=True,
    hints=(
        "`fitted` takes the loss and a label, and returns a power first.",
        "Call `fitted(ex.loss_a, 0)` and read its first number.",
    ),
    why="The line of its negatives has the slope 4, that of its positives "
    "the slope 1. Both have the weight 1. A loss with one power for each "
    "label is called asymmetric.",
)

divisor_of_b = Choice(
    "what loss B divides by",
    {
        "N: a mean, with the weights 3 and 1": (
            "It agrees for one size of batch; try others."
        ),
        "the sum of the weights": (
            "Then a single example would lose the same whatever its weight, "
            "and `fitted` finds two weights."
        ),
        "the number of positives": (
            "Then a batch without positives would have nothing to divide "
            "by; try one."
        ),
        "nothing that depends on the batch": RIGHT,
    },
    exercise=True,
    hints=(
        "Call it on a batch, and on two copies of that batch put together.",
        "A mean stays where it is when the batch is doubled; a sum doubles.",
    ),
    why="Two copies of a batch lose twice as much, so it is a sum. Its "
    "weights are 3/7 and 1/7: a constant 7 stands where a mean has N. On "
    "batches of seven nobody can tell the two apart.",
)

slope_of_c = Number(
    "loss C's gradient at p_t = 0.9, over the focal loss's",
    1.56,
    within=0.01,
    wrong={
        0.0045: "That is its own gradient: divide it by the focal loss's.",
        0.045: "That is how it compares with cross entropy's gradient.",
        2.15: "That is how the losses compare; ask for their gradients.",
        0.64: "That is the focal loss's over its own: turn it round.",
        0.88: "That is at p_t = 0.1, where both are near cross entropy's.",
    },
    exercise=True,
    hints=(
        "A positive has p_t = 0.9 at the logit log 9: let PyTorch take both "
        "gradients there.",
        "Call `backward()` on `ex.loss_c(x, y)` and on `build()(x, y)`, each "
        "with a fresh leaf x, and divide one `x.grad` by the other.",
    ),
    why="It is FL*, from the paper's appendix A: cross entropy of 2 x_t + 1, "
    "divided by 2. Its gradient is σ(2 x_t + 1) − 1, here −0.0045 where the "
    "focal loss has −0.0029. In the paper's experiments both do about "
    "equally well.",
)
