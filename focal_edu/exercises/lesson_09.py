"""Questions of lesson 09: numbers that break."""

import numpy as np

from ..reference import log_sigmoid, sigmoid_focal_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write


def _far(rng):
    """A logit, as often near zero as far out on either side."""
    return round(float(rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 3)), 2)


first_infinity = Number(
    "where log(1 − p) first fails, float32",
    17,
    within=0.6,
    wrong={
        89: "There exp(x) overflows; 1 - p is zero long before.",
        37: "That is where it fails in float64, with its 53 bits.",
        24: "Those are the bits of a float32; the logit counts in powers of "
        "e and not of 2.",
        16: "There the sum still differs from 1, by its last bit.",
        7: "Those are its decimal digits; the logit counts in powers of e "
        "and not of 10.",
        128: "That is the largest exponent; what counts is how close to 1 a "
        "number can be.",
    },
    hints=(
        "1 - p is about exp(-x). When does 1 - exp(-x) round to 1?",
        "p is 1 / (1 + exp(-x)), and the sum rounds to 1 when exp(-x) is no "
        "more than 2 to the power -24: solve for x.",
    ),
    why="Just above 1, float32 numbers are 2 to the power -23 apart. When "
    "exp(-x) is at most half of that, 1 + exp(-x) rounds to 1, and so does "
    "p. That begins at 24 times the natural logarithm of 2, 16.64.",
)


survivor = Choice(
    "which of the six survives every logit and every γ",
    {
        "textbook": (
            "Far enough to the wrong side the sigmoid is 0, and its "
            "logarithm infinite."
        ),
        "blended": (
            "One of its two terms is always zero times a logarithm, and "
            "where p has rounded to 1 that is zero times infinity."
        ),
        "clipped": (
            "Nothing is infinite, but beyond the clip the loss no longer "
            "changes, so the worst examples teach nothing."
        ),
        "from_ce": (
            "On a correct example exp(-ce) rounds to 1; what is left is a "
            "power of 0, whose derivative may be infinite."
        ),
        "from_logs": RIGHT,
        "ce_and_sigmoid": (
            "The cross entropy is sound, but p_t rounds to 1 on correct "
            "examples, and the power of 0 may have an infinite derivative."
        ),
    },
    hints=(
        "A number near 1 has no room for what distinguishes it from 1; which "
        "form never makes one?",
        "Look for the form in which no probability and no power occurs.",
    ),
    why="p near 1 rounds to 1 and near 0 to 0, and what is lost cannot come "
    "back. `from_logs` makes no p: it goes from logit to logarithm. It "
    "takes an exponential where the others take a power.",
)


clipped_slope = Number(
    "the gradient of a hopeless example after a clip",
    0,
    wrong={
        1: "That is cross entropy's without the clip; what does a constant "
        "have for a slope?",
        -1: "That is where cross entropy's slope tends without the clip: "
        "look at what p is replaced by.",
        16.118: "That is the capped loss; the question is how it changes.",
        1e-7: "That is the clip itself; how does the loss change while p "
        "stays there?",
        1e7: "That is the slope of the logarithm at the clip; but p no "
        "longer moves.",
    },
    hints=(
        "Beyond the clip, does the loss change when the logit changes?",
        "A loss that is the same for all worse logits is flat.",
    ),
    why="Beyond the clip p is replaced by a constant. A constant does not "
    "change with the logit. So the examples that are furthest off are the "
    "ones that teach nothing.",
)


blended_zero = Choice(
    "what `blended` returns for a positive at x = 17",
    {
        "7.1e-23, the right value": (
            "That needs 1 - p with its digits, and p has rounded to 1 there."
        ),
        "0": (
            "Its first term is 0; look at what the second one multiplies "
            "when y is 1 and p is 1."
        ),
        "infinity": (
            "An infinite logarithm does occur, but it is multiplied by "
            "something first."
        ),
        "NaN": RIGHT,
    },
    hints=(
        "Write down both terms with p = 1 and y = 1.",
        "The second term is (1 - y) times log(1 - p), which is zero times "
        "minus infinity.",
    ),
    why="At 17 p has rounded to 1. The term for negatives is then zero times "
    "the logarithm of zero. That product is not a number, and neither is a "
    "sum that contains it.",
)


square_root = Choice(
    "the gradient of `ce_and_sigmoid` at 17, γ = 0.5",
    {
        "−1.3e-11, the right one": (
            "That needs 1 - p_t with its digits, and p_t has rounded to 1."
        ),
        "0": (
            "The loss is 0 there; the gradient multiplies a slope of the "
            "square root, which is not finite at 0."
        ),
        "minus infinity": (
            "The slope of the square root is infinite at 0, but what is it "
            "multiplied by?"
        ),
        "NaN": RIGHT,
    },
    hints=(
        "What is the slope of a square root at 0?",
        "It is infinite, and the chain rule multiplies it by the slope of "
        "the sigmoid, p (1 - p), which has rounded to 0.",
    ),
    why="At 17 the factor is the square root of 0, whose slope is infinite. "
    "The chain rule multiplies it by the slope of the sigmoid, p (1 - p), "
    "which is 0 there. Infinity times zero is not a number.",
)


in_bfloat16 = Choice(
    "the panel of `from_logs` in bfloat16",
    {
        "it stays white: it makes no probability": (
            "Making no probability keeps it finite; but each step still "
            "rounds, to about 2 digits."
        ),
        "wrong digits appear": RIGHT,
        "NaN appears on the right": (
            "NaN came from powers and products with zero, and it has none of "
            "these in any type."
        ),
        "it becomes infinite on the left": (
            "bfloat16 has the exponent range of float32, so the loss fits."
        ),
    },
    hints=(
        "It never forms a power or a probability. Does each of its steps "
        "round?",
        "bfloat16 has about 2 digits, and right means the number that the "
        "true one rounds to: several roundings in a row miss it.",
    ),
    why="No step of it overflows or divides by zero, in any type. But every "
    "step rounds to about 2 digits. Several roundings in a row end next to "
    "the right number.",
)


@function_to_write(
    truth=log_sigmoid,
    inputs={"x": _far},
    first=[(0.0,), (2.0,), (-2.0,), (40.0,), (1000.0,), (-1000.0,)],
    arrays=True,
    wrong={
        "np.log(1 / (1 + np.exp(-x)))": (
            "Right in the middle; at x = -1000 it is infinite and at x = 40 "
            "it has rounded to 0."
        ),
        "-np.log1p(np.exp(-x))": (
            "Positive logits are right to the last digit; at x = -1000 the "
            "exponential overflows."
        ),
        "x - np.log1p(np.exp(x))": (
            "Negative logits are right; for large positive ones it subtracts "
            "two equal numbers, or overflows."
        ),
        "np.log(_clipped(x))": (
            "The clip keeps it finite and wrong: all hopeless examples get "
            "the same loss."
        ),
        "log_sigmoid(-x)": (
            "That is the logarithm of 1 - p: the logit's sign is turned."
        ),
        "-np.log1p(np.exp(np.clip(-x, -50, 50)))": (
            "A clip of the logit keeps the exponential finite; all worse "
            "examples then get the same loss."
        ),
        "np.log(1 / (1 + np.exp(-x)) + 1e-12)": (
            "A small number inside the logarithm keeps it finite, and wrong "
            "far out on both sides."
        ),
        "-np.log1p(np.exp(-abs(x)))": (
            "Positive logits are right; for negative ones the straight part, "
            "x itself, is missing."
        ),
        "x - np.log1p(np.exp(-abs(x)))": (
            "Negative logits are right; for positive ones the straight part "
            "has to end, since the result tends to 0."
        ),
        "min(x, 0) - np.log(1 + np.exp(-abs(x)))": (
            "Sound but for its last step: at x = 40, `1 + t` has dropped all "
            "digits of t, which `np.log1p(t)` keeps."
        ),
        "min(x, 0.0)": (
            "That is the limit far out on both sides; near zero something is "
            "missing."
        ),
    },
    hints=(
        "Take the exponential only of negative numbers: it cannot overflow. "
        "Treat x and -x alike, up to one term.",
        "For a positive x it is -log1p(exp(-x)). For a negative x put the "
        "same with -x, and add what log(sigmoid(x)) tends to: x itself.",
    ),
    why="exp(-|x|) lies between 0 and 1, so it never overflows. log1p keeps "
    "its digits where 1 + exp(-|x|) would drop them. The smaller of x and 0 "
    "is the straight part.",
)
def stable_log_sigmoid(x):
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def _clipped(x):
    return np.clip(np.exp(log_sigmoid(x)), 1e-7, 1 - 1e-7)


def _log_q(x):
    return log_sigmoid(-np.float64(x))


@function_to_write(
    truth=lambda x, gamma: sigmoid_focal_loss(x, 1, gamma=gamma),
    inputs={
        "x": _far,
        "gamma": "gamma",
    },
    first=[
        *[(0.0, 2), (-2.0, 2), (40.0, 2), (-200.0, 2), (40.0, 0.5)],
        *[(x, gamma) for x in (-1000.0, 1000.0) for gamma in (0, 0.5, 2)],
    ],
    arrays=True,
    wrong={
        "-((1 - np.exp(log_sigmoid(x))) ** gamma) * log_sigmoid(x)": (
            "Right for small logits; at x = 40 the probability rounds to 1, "
            "so 1 - p_t is 0 and the loss is gone."
        ),
        "-np.exp(gamma * log_sigmoid(x)) * log_sigmoid(x)": (
            "The modulating factor is a power of 1 - p_t, and yours is a "
            "power of p_t."
        ),
        "-log_sigmoid(x) * gamma * np.exp(_log_q(x))": (
            "gamma multiplies there, where it should be an exponent."
        ),
        "-gamma * _log_q(x) * log_sigmoid(x)": (
            "The modulating factor itself is missing its exponential: that "
            "is its logarithm."
        ),
        "-(np.exp(_log_q(x)) ** gamma) * _log_q(x)": (
            "The factor is right; the logarithm belongs to p_t, and yours to "
            "1 - p_t."
        ),
        "-np.exp(gamma * _log_q(x)) * np.log(_clipped(x))": (
            "The clip caps the loss of hopeless examples, and gives the "
            "learned ones too much."
        ),
        "np.exp(gamma * _log_q(x))": (
            "That is the modulating factor; the loss has minus log p_t "
            "beside it."
        ),
        "np.log1p(np.exp(-x)) / (1 + np.exp(x)) ** gamma": (
            "Right in the middle; further out an exponential overflows, on "
            "one side to infinity and on the other, at gamma = 0, to NaN."
        ),
    },
    meaning={
        "log_p": "the logarithm of p_t",
        "log_q": "the logarithm of 1 - p_t",
    },
    hints=(
        "Both log p_t and log(1 - p_t) are a log sigmoid, of x and of -x.",
        "With the log sigmoid of the exercise before, once at x and once at "
        "-x: which is the loss, and which goes into exp(gamma * ...)?",
    ),
    why="log(1 - p_t) is the log sigmoid of -x, with all its digits. The "
    "power becomes an exponential of gamma times that. No number was ever "
    "rounded to 0 or 1 before its logarithm was taken.",
)
def stable_focal_loss(x, gamma):
    log_p, log_q = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
    return -np.exp(gamma * log_q) * log_p


late_rounding = Fault(
    {
        "def focal_loss(x, y, gamma=2):": "",
        "    log_p = -np.logaddexp(0, -x)": (
            "`logaddexp` is exact there at every logit; try -1000."
        ),
        "    log_q = np.log(1 - np.exp(log_p))": Repair(
            "    log_q = -np.logaddexp(0, x)"
        ),
        "    log_t = np.where(y == 1, log_p, log_q)": (
            "That picks the logarithm of the probability given to the truth."
        ),
        "    log_rest = np.where(y == 1, log_q, log_p)": (
            "That picks the logarithm of the rest, for the factor."
        ),
        "    return -np.exp(gamma * log_rest) * log_t": (
            "A power written as an exponential: that is the safe way, if "
            "what goes in is right."
        ),
    },
    truth=lambda x, y: sigmoid_focal_loss(x, y),
    inputs={"x": lambda rng: _far(rng) / 5, "y": "label"},
    hints=(
        "Copy the code (`.copy()`), call it with y = 0 at x = 10, 20, 40, "
        "and print each variable.",
        "Somewhere a probability is made after all, and subtracted from 1.",
    ),
    why="log p is stable, but log(1 - p) goes through p. At x = 37 p has "
    "rounded to 1 and the logarithm is infinite. The stable form of log(1 - "
    "p) is the same function at -x.",
)
