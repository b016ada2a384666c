"""Questions of lesson 02: gradients."""

import numpy as np
from autograd import grad

from ..gradients import gradient_ratio, sigmoid_focal_gradient
from ..reference import log_sigmoid
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write


def square(x):
    return x * x


def cube(x):
    return x * x * x


def minus_log_sigmoid(x):
    return -log_sigmoid(x)


def _exact_slope(f, x):
    return grad(f)(float(x))


@function_to_write(
    truth=lambda f, x, h: (f(x + h) - f(x - h)) / h / 2,
    inputs={
        "f": lambda rng: rng.choice([square, cube, minus_log_sigmoid]),
        "x": "logit",
        "h": lambda rng: round(rng.uniform(0.1, 1), 2),
    },
    first=[(square, 3.0, 0.5), (cube, 1.0, 0.5), (minus_log_sigmoid, 0, 1)],
    wrong={
        "(f(x + h) - f(x)) / h": (
            "That steps to one side only; with a step to both sides the "
            "error shrinks with the square of h."
        ),
        "(f(x + h) - f(x - h)) / h": (
            "Every slope is twice too steep: how far apart are the two "
            "points?"
        ),
        "(f(x + h) - f(x - h)) / 2 * h": (
            "Python works from left to right, so your last factor "
            "multiplies: the divisor needs brackets."
        ),
        "(f(x - h) - f(x + h)) / (2 * h)": (
            "The sign is flipped: a function that rises to the right has a "
            "positive slope."
        ),
        "(f(x + h) + f(x - h)) / (2 * h)": (
            "That adds the two values, and a slope is made from their "
            "difference."
        ),
        "f(x) / h": (
            "That is a height divided by a step; a slope is a difference of "
            "two heights divided by the distance between them."
        ),
        "f(x + h) - f(x - h)": (
            "That is the rise; a slope is the rise divided by the step."
        ),
        "_exact_slope(f, x)": (
            "That is the exact slope, with no step; we want the one that two "
            "points a step to either side give, which is a little off."
        ),
        "(f(x) - f(x - h)) / h": (
            "That steps to the left only; take a step to either side."
        ),
        "f(x + h) - f(x - h) / 2 * h": (
            "Without brackets only f(x - h) is divided: the difference and "
            "the divisor both need them."
        ),
        "f(x + h) - f(x - h) / (2 * h)": (
            "Only f(x - h) is divided: the difference needs brackets of its "
            "own."
        ),
        "(f(x + h / 2) - f(x - h / 2)) / h": (
            "That steps half as far as asked: a step h to the right and a "
            "step h to the left."
        ),
        "(f(x + h) - 2 * f(x) + f(x - h)) / h**2": (
            "That is the curvature, the second derivative; a slope needs two "
            "points only."
        ),
    },
    hints=(
        "Evaluate f a step h to the right and a step h to the left.",
        "Subtract the left value from the right one, and divide by the "
        "distance between the two points, in brackets.",
    ),
    why="A slope is a rise divided by the length over which it happens. "
    "From x - h to x + h that is two steps. Taking both sides cancels the "
    "curvature, so the error shrinks with the square of h.",
)
def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


hard_gradient = Choice(
    "the hard example's gradient over cross entropy's",
    {
        "1.02 times": (
            "More than that: from p_t = 0.16 to 0.18 focal loss falls by "
            "0.14 and cross entropy by 0.12."
        ),
        "1.2 times": RIGHT,
        "1.5 times": (
            "That is more than it gains: from p_t = 0.16 to 0.18 focal loss "
            "falls by 0.14 and cross entropy by 0.12."
        ),
        "2 times": (
            "Focal loss would have to fall twice as fast: from p_t = 0.16 to "
            "0.18 it falls by 0.14, and cross entropy by 0.12."
        ),
    },
    hints=(
        "The steeper loss falls more over the same short step: compute both "
        "losses at p_t = 0.16 and at 0.18.",
        "Cross entropy falls from 1.8326 to 1.7148. Multiply each by its "
        "factor, 0.84² and 0.82², and compare the two falls.",
    ),
    why="Both losses start together at the hard end. Focal loss then falls "
    "faster, because the factor falls as well, so there it is steeper. On "
    "easy examples it has arrived, and is flat.",
)


def _slope(p_t, gamma):
    """dFL/dx_t, from the ratio and cross entropy's slope."""
    return gradient_ratio(p_t, gamma) * (p_t - 1)


def _p_t(x, y):
    return np.exp(log_sigmoid(x if y == 1 else -x))


@function_to_write(
    truth=lambda x, y, gamma: sigmoid_focal_gradient(x, y, gamma=gamma),
    inputs={"x": "logit", "y": "label", "gamma": "gamma"},
    first=[(2.0, 1, 2), (-2.0, 1, 2), (2.0, 0, 2), (-2.0, 0, 2), (1.0, 0, 0)],
    wrong={
        "_slope(_p_t(x, y), gamma)": (
            "Positives are right, and negatives have the wrong sign: x_t is "
            "-x for a negative, and that minus has a derivative too."
        ),
        "sigmoid_focal_gradient(x, 1, gamma=gamma)": (
            "Positives are right, and a negative gets the slope of a "
            "positive: y is not used."
        ),
        "(1 - _p_t(x, y)) ** (gamma + 1) * (1 - 2 * y)": (
            "That treats the modulating factor as a constant; it changes "
            "with the prediction, so the product rule has a second term."
        ),
        "sigmoid_focal_gradient(x, y, gamma=0)": (
            "That is the slope of cross entropy, for every gamma."
        ),
        (
            "sigmoid_focal_gradient(x, y, gamma=gamma)"
            " / (_p_t(x, y) * (1 - _p_t(x, y)))"
        ): (
            "That is the slope with respect to the probability; by the chain "
            "rule one factor is missing for the logit."
        ),
        "-sigmoid_focal_gradient(x, y, gamma=gamma)": (
            "The sign is flipped for both labels: raising the logit of a "
            "positive must lower its loss."
        ),
        "-((1 - _p_t(x, y)) ** gamma) * np.log(_p_t(x, y))": (
            "That is the loss itself; we want its slope."
        ),
        "gradient_ratio(_p_t(x, y), gamma)": (
            "That is the ratio g; multiply it by cross entropy's slope."
        ),
        "sigmoid_focal_gradient(x, y, gamma=2)": (
            "Right at gamma = 2 only: the argument gamma is not used."
        ),
    },
    meaning={
        "sign": "1 for a positive and -1 for a negative",
        "p_t": "the probability given to the truth",
        "q": "1 - p_t",
    },
    hints=(
        "Start with the logit of the truth: x for a positive, -x for a "
        "negative. The formula above gives the slope with respect to that.",
        "Compute p_t = 1 / (1 + exp(-x_t)), put it into the formula, and "
        "flip the sign for negatives.",
    ),
    why="The product rule gives the slope with respect to x_t. For a "
    "negative x_t is -x, so the chain rule multiplies by -1. Without the "
    "second term of the product rule, the factor would count as a constant.",
)
def focal_slope(x, y, gamma):
    sign = 2 * y - 1
    p_t = 1 / (1 + np.exp(-sign * x))
    q = 1 - p_t
    return sign * q**gamma * (gamma * p_t * np.log(p_t) - q)


region = Choice(
    "the region with larger gradients, as gamma grows",
    {
        "it gets wider": (
            "Think of gamma = 5, which calls nearly everything easy: few "
            "examples are left to pull harder on."
        ),
        "it gets narrower": RIGHT,
        "it stays as it is": (
            "Compare the curves of lesson 01, which come down earlier or "
            "later as gamma changes."
        ),
        "it gets wider first, then narrower": (
            "At every step a larger gamma brings the loss down earlier, so "
            "the change goes one way only."
        ),
    },
    hints=(
        "A larger gamma brings the loss down earlier, from the same height.",
        "Falling from the same height to the same floor in less room, a "
        "curve is steeper, and steep in fewer places.",
    ),
    why="A larger gamma calls more examples easy, so fewer are left to "
    "amplify. On those the loss falls from the same height in less room. So "
    "the slope there is steeper.",
)

ratio = Fault(
    {
        "def ratio(p_t, gamma):": ("Line 1 only names the arguments."),
        "    q = 1 - p_t": (
            "q is what the truth was not given, as in the lesson."
        ),
        "    first = q**gamma": (
            "That is the modulating factor, the first term of g; at gamma = "
            "0 it is all there is."
        ),
        "    second = gamma * q ** (gamma - 1) * np.log(p_t)": Repair(
            "    second = gamma * p_t * q ** (gamma - 1) * np.log(p_t)"
        ),
        "    return first - second": (
            "The logarithm is negative, so subtracting that term adds: this "
            "is as it should be."
        ),
    },
    truth=gradient_ratio,
    inputs={"p_t": "probability", "gamma": "gamma"},
    hints=(
        "Every curve of the figure starts at 1 where p_t is near 0. Copy the "
        "code (`.copy()`) and print both terms at p_t = 0.001, 0.0001.",
        "One term is a derivative with respect to the probability, and the "
        "logit is meant: compare the terms with the formula, letter by "
        "letter.",
    ),
    why="The second term lacks the factor p_t. It comes from the chain "
    "rule: the slope of p_t with respect to the logit is p_t q. Without it "
    "the term grows without bound as p_t nears 0, where g should tend to 1.",
)

lost = Number(
    "part of an easy example's gradient that is lost",
    2 / 3,
    within=0.02,
    unit="from 0 to 1",
    wrong={
        1 / 3: "That part is kept; the question is what is lost.",
        3: "That is how many times larger the true gradient is; which part "
        "of it does the popular version leave out?",
        0: "The factor is nearly zero there, but so is the rest: compare "
        "the two terms with each other.",
        0.5: "Near p_t = 1 the loss is a power of 1 - p_t; its exponent is "
        "gamma and something.",
        1: "Something is kept: the first term of g is not zero.",
    },
    hints=(
        "Near p_t = 1 the factor p_t is about 1: write each term of g as a "
        "power of 1 - p_t.",
        "Both are the same power; the first has 1 in front of it, and the "
        "second gamma.",
    ),
    why="Near p_t = 1 focal loss is (1 - p_t) to the power gamma + 1. Its "
    "slope brings down the exponent, 3 at gamma = 2. With the factor held "
    "constant only 1 of those 3 parts is left.",
)
