"""Questions of lesson 10: on the GPU, and near its limit."""

import numpy as np

from ..gradients import sigmoid_focal_gradient
from ..reference import sigmoid_focal_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

bytes_moved = Number(
    "bytes an element, loss and gradient in one pass",
    12,
    within=0.1,
    unit="bytes",
    wrong={
        8: "Reading logit and target is counted; the gradient must be "
        "written as well.",
        20: "That is for two passes: then logit and target are read twice.",
        16: "The losses are summed on the way, so they need not be written "
        "one by one.",
        3: "Those are numbers, and float32 takes four bytes for each.",
        6: "That would be right for two-byte numbers.",
        24: "That would be right for eight-byte numbers, float64.",
        96: "Those are bits, eight in each byte.",
        120: "Those are megabytes for ten million logits; we want one.",
        4: "That is one number; count all that go in and come out.",
    },
    hints=(
        "Count the numbers that must be read or written for one element.",
        "Two are read, logit and target, and one is written, the gradient; "
        "float32 takes four bytes.",
    ),
    why="Logit and target come in, the gradient goes out. The loss is a sum "
    "and costs nothing for each element. Three numbers of four bytes.",
)


@function_to_write(
    truth=lambda elements, each, bandwidth: elements * each / bandwidth / 1e6,
    inputs={
        "elements": lambda rng: int(rng.integers(10**5, 10**8)),
        "each": lambda rng: int(rng.choice([6, 10, 12, 20])),
        "bandwidth": lambda rng: int(rng.integers(10, 5000)),
    },
    first=[(10**7, 20, 2000), (10**7, 12, 20)],
    wrong={
        "elements * each / (bandwidth * 1e9)": (
            "Those are seconds, and milliseconds are asked for."
        ),
        "elements * each / (bandwidth * 1e3)": (
            "Those are microseconds, and milliseconds are asked for."
        ),
        "8e-6 * elements * each / bandwidth": (
            "Eight times too long: the bandwidth counts bytes, not bits."
        ),
        "elements * each / (bandwidth * 2**30) * 1e3": (
            "A few per cent too short: a gigabyte is 10 to the power 9 "
            "bytes, and 2 to the power 30 is a gibibyte."
        ),
        "bandwidth * 1e6 / (elements * each)": (
            "Upside down: twice the bandwidth should halve the time."
        ),
        "elements / bandwidth / 1e6": (
            "The bytes of each element are not used."
        ),
        "elements * each / bandwidth": (
            "Units: the bandwidth is in gigabytes a second, and the time in "
            "milliseconds."
        ),
    },
    hints=(
        "Time is bytes divided by bytes a second.",
        "A gigabyte a second is a million bytes a millisecond.",
    ),
    why="All bytes, divided by the bytes that move in a second. A gigabyte "
    "a second is a million bytes in a millisecond. No program that moves "
    "these bytes can be faster.",
)
def least_milliseconds(elements, each, bandwidth):
    return elements * each / (bandwidth * 1e6)


tensors_saved = Choice(
    "tensors saved by a textbook focal loss",
    {
        "none": (
            "The gradient of a product needs both factors, so something "
            "must be kept."
        ),
        "one": (
            "One is enough for a closed form; automatic differentiation "
            "does not know the closed form."
        ),
        "two": (
            "Count the operations: cross entropy, sigmoid, power and every "
            "product keep something of their own."
        ),
        "four or more": RIGHT,
        "one for each logit": (
            "Tensors are kept whole, one or two an operation, however many "
            "elements they have."
        ),
    },
    hints=(
        "Each operation keeps what its own derivative will need.",
        "Count the cross entropy, the sigmoid, the power and the products.",
    ),
    why="Automatic differentiation works one operation at a time. Each "
    "keeps its input or its output, as large as the logits. A closed form "
    "needs the logits and the targets only.",
)


def _both(x, y, gamma):
    return np.array(
        [
            sigmoid_focal_loss(x, y, gamma=gamma),
            sigmoid_focal_gradient(x, y, gamma=gamma),
        ]
    )


@function_to_write(
    truth=_both,
    inputs={"x": "logit", "y": "label", "gamma": "gamma"},
    first=[(2.0, 1, 2), (-2.0, 1, 2), (2.0, 0, 2), (0.0, 0, 0)],
    wrong={
        "_both(x, y, gamma) * [1, 2 * y - 1]": (
            "The loss is right; the gradient of negatives has the wrong sign."
        ),
        "_both(x, y, gamma) * [1, -1]": (
            "The loss is right; every gradient has the wrong sign."
        ),
        "_both(x, y, gamma)[::-1]": (
            "The two have changed places: the loss comes first."
        ),
        "_both(x, y, gamma)[0]": (
            "That is the loss alone; the gradient should come with it."
        ),
        (
            "_both(x, y, gamma)[0], "
            "_both(x, y, 0)[1] * abs(_both(x, y, 0)[1]) ** gamma"
        ): (
            "The loss is right; the gradient treats the modulating factor as "
            "a constant."
        ),
        "_both(x, y, gamma)[0], _both(x, y, 0)[1]": (
            "The loss is right; the gradient is cross entropy's."
        ),
        "_both(x, y, gamma) / [1, 0.5 / (1 + np.cosh(x))]": (
            "The loss is right; the gradient is that with respect to p, and "
            "the chain rule's p (1 - p) is missing."
        ),
        "_both(x, y, 0)[0], _both(x, y, gamma)[1]": (
            "The gradient is right; the loss is cross entropy's."
        ),
        "_both(x, y, gamma).sum()": (
            "That adds the two up; return them side by side."
        ),
    },
    meaning={
        "sign": "1 for a positive and -1 for a negative",
        "log_p": "the logarithm of p_t",
        "p_t": "the probability given to the truth",
        "q": "1 - p_t",
        "factor": "the modulating factor",
    },
    hints=(
        "Compute p_t, its logarithm and 1 - p_t once; both results need "
        "them.",
        "The gradient is q**gamma * (gamma * p_t * log p_t - q), with the "
        "sign turned for negatives.",
    ),
    why="Both need p_t, its logarithm and the power. Whoever has them for "
    "the loss gets the gradient for two products more. So one pass over the "
    "memory is enough.",
)
def loss_and_gradient(x, y, gamma):
    sign = 2 * y - 1
    log_p = -np.logaddexp(0, -sign * x)
    p_t, q = np.exp(log_p), np.exp(-np.logaddexp(0, sign * x))
    factor = q**gamma
    return -factor * log_p, sign * factor * (gamma * p_t * log_p - q)


upstream = Fault(
    {
        "def backward(x, y, grad_output, gamma=2):": "",
        "    sign = 2 * y - 1": (
            "sign is 1 for a positive and -1 for a negative, as it should be."
        ),
        "    log_p = -np.logaddexp(0, -sign * x)": (
            "That is log p_t, with all its digits, as in lesson 09."
        ),
        "    q = np.exp(-np.logaddexp(0, sign * x))": (
            "That is 1 - p_t, the sigmoid of minus the truth's logit."
        ),
        "    slope = q**gamma * (gamma * np.exp(log_p) * log_p - q)": (
            "That is the slope of lesson 02, and you may mend it here too, "
            "but another line is the one that returns the wrong thing."
        ),
        "    return sign * slope": Repair(
            "    return grad_output * sign * slope"
        ),
    },
    truth=lambda x, y, grad_output: (
        grad_output * sigmoid_focal_gradient(x, y)
    ),
    inputs={
        "x": "logit",
        "y": "label",
        "grad_output": lambda rng: round(rng.uniform(0, 2), 2),
    },
    hints=(
        "It is right when the loss is summed. Try a mean: what reaches "
        "`grad_output` then?",
        "One argument is never used, and the chain rule needs it at the end.",
    ),
    why="What comes from above, grad_output, must multiply the slope. For a "
    "sum it is 1, so nothing is noticed. For a mean over N it is 1/N, and "
    "the gradient is N times too large.",
)


unsynchronised = Choice(
    "a GPU timing without synchronising",
    {
        "much too short": RIGHT,
        "much too long": (
            "Nothing makes Python wait: think of what a call does before it "
            "comes back."
        ),
        "right, since Python waits for each line": (
            "Python waits for the call, and the call only hands the work "
            "over."
        ),
        "zero exactly": ("Handing the work over takes a few microseconds."),
        "right on average over many runs": (
            "Averaging does not add what was never measured."
        ),
    },
    hints=(
        "A call hands work to the card and comes back; what has the clock "
        "seen by then?",
        "The clock sees the handing over, and not the work.",
    ),
    why="A call on a GPU puts work in a queue and comes back at once. The "
    "clock then measures the queueing. Synchronising waits until the queue "
    "is empty.",
)


in_float16 = Choice(
    "a gradient of -2.3e-09, held in float16",
    {
        "it keeps three digits": (
            "Three digits are what float16 keeps of a number that it can "
            "hold, and this one is too small."
        ),
        "it keeps its size, and no digit": (
            "That happens at its smallest number, and this one lies well "
            "below."
        ),
        "it becomes 0": RIGHT,
        "it becomes NaN": (
            "NaN comes of 0/0 or of infinity minus infinity, and nothing "
            "like that happens here."
        ),
    },
    hints=(
        "Compare it with half of 6e-8.",
        "What is nearer to it: 0, or the smallest number of float16?",
    ),
    why="Half of float16's smallest number is 3e-8. A number of size "
    "2.3e-09 is nearer to 0 than to that smallest one, and is rounded to 0.",
)
