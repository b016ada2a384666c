"""Questions of lesson 08: are these probabilities?"""

import numpy as np

from ..calibration import expected_calibration_error, posterior
from ..gradients import gradient_ratio
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

coin = Choice(
    "what γ = 2 makes of a coin with heads 9 times in 10",
    {
        "about 0.89": (
            "That is next to the truth, where heads are nearly silent and "
            "tails are loud: the output goes on down."
        ),
        "about 0.8": (
            "There one tail still pulls down harder than nine heads pull up: "
            "compute the expected loss at 0.8 and at 0.7."
        ),
        "about 0.69": RIGHT,
        "about 0.55": (
            "That is too near one half, where both sides are equally loud "
            "and heads are nine in ten."
        ),
    },
    hints=(
        "At an output of 0.9, which of the two sides is easy, and what does "
        "γ do to easy ones?",
        "Put each of the four numbers into -0.9 (1 - v)² log v - 0.1 v² "
        "log(1 - v): at 0.8 it is 0.111, at 0.55 it is 0.133.",
    ),
    why="At 0.9 the heads are easy and nearly silent, the tails are hard and "
    "are not. The balance lies lower. At one half both sides weigh alike, "
    "and there the heads win.",
)


@function_to_write(
    truth=lambda v, gamma: posterior(np.stack([v, 1 - v], -1), gamma)[..., 0],
    inputs={
        "v": lambda rng: rng.uniform(0.03, 0.97, 3).round(3),
        "gamma": "gamma",
    },
    first=[(np.array([0.7, 0.5, 0.2]), 2), (np.array([0.3, 0.8, 0.6]), 0)],
    wrong={
        "v": "That is the output itself, as if γ were 0.",
        "v**gamma / (v**gamma + (1 - v) ** gamma)": (
            "Powers of v alone are not enough: the balance is between "
            "gradients, and each of them holds g."
        ),
        "_h(v, gamma) / _h(1 - v, gamma)": (
            "That is the ratio of the two sides, the odds; a probability is "
            "a part of their sum."
        ),
        "_h(v, gamma)": (
            "That is h of one side; divide it by the sum over both."
        ),
        "1 / (1 + (1 - v) ** 2 / v**2 * _h(v, gamma) / _h(1 - v, gamma))": (
            "Multiplied where it should be divided: h has g below the line."
        ),
        "_h(1 - v, gamma) / (_h(v, gamma) + _h(1 - v, gamma))": (
            "That is the probability of the other side."
        ),
        "_h(v, gamma) / np.sum(_h(v, gamma))": (
            "The sum is over the two sides of one output, v and 1 - v; yours "
            "is over the outputs in the array."
        ),
        "1 / (1 + gradient_ratio(v, gamma) / gradient_ratio(1 - v, gamma))": (
            "Above the line of h stands v, and yours has 1 there."
        ),
    },
    meaning={"heads": "h of v", "tails": "h of 1 - v"},
    hints=(
        "Start with h for both sides, and divide one by the sum.",
        "The second side has the output 1 - v; `gradient_ratio` is g.",
    ),
    why="Where the expected loss is least, the two sides pull alike. That "
    "makes the true probabilities proportional to h(v) and h(1 - v). "
    "Dividing by their sum makes them add up to 1.",
)
def recover(v, gamma):
    heads = v / gradient_ratio(v, gamma)
    tails = (1 - v) / gradient_ratio(1 - v, gamma)
    return heads / (heads + tails)


def _h(v, gamma):
    return v / gradient_ratio(v, gamma)


cut = Number(
    "the true probability that α = 0.25 brings to one half",
    75,
    within=0.5,
    unit="per cent",
    wrong={
        25: "The other way round: with a small weight, positives must be "
        "more frequent to balance.",
        50: "That is without α, where both sides weigh the same.",
        33.3: "That is the ratio of the weights; solve for the probability.",
        69.42: "That is what 90 is trained to without α.",
        60: "That is trained to 0.436, as printed above; one half asks more.",
        66.7: "There the odds would be 2 to 1, and the weights ask for more.",
        90: "Too far: a positive weighs a third of a negative, not a ninth.",
    },
    hints=(
        "At an output of one half both sides are equally hard, so only the "
        "weights and the frequencies count.",
        "Solve 0.25 η = 0.75 (1 - η).",
    ),
    why="At one half γ treats both sides alike. The weights 0.25 and 0.75 "
    "are balanced by frequencies of 3 to 1. So the cut at one half asks for "
    "three positives in four, whatever γ is.",
)

slip = Fault(
    {
        "def posterior(v, gamma):": "Outputs and γ are all that it needs.",
        "    q = 1 - v": "That is the rest of 1, for each class.",
        "    factor = q**gamma": "That is focal loss's factor.",
        "    g = factor - gamma * v * q ** (gamma - 1) * np.log(v)": (
            "That is the gradient ratio, with the term of the product rule."
        ),
        "    h = v * g": Repair("    h = v / g"),
        "    return h / h.sum()": "This makes the classes add up to 1.",
    },
    truth=posterior,
    inputs={
        "v": lambda rng: rng.dirichlet(np.ones(4)).clip(0.02).round(3),
        "gamma": lambda rng: round(rng.uniform(0.5, 3), 1),
    },
    hints=(
        "Try it at (0.6, 0.3, 0.1): should the largest class become larger "
        "or smaller?",
        "Focal loss made the large output too small; what undoes it must "
        "grow faster than v, and g falls as v rises.",
    ),
    why="h has g below the line. Where the loss is least, η g(v) / v is the "
    "same for all classes. Multiplied instead, the recovery flattens the "
    "outputs once more.",
)

sure = Number(
    "how sure the over-trained network is, γ = 0",
    93,
    within=3,
    unit="per cent",
    wrong={
        77: "That is how often it is right; trained too long, it does not "
        "know that.",
        100: "Nearly, but not on every image: some lie between two digits.",
        61: "Being too sure, it is above the part that is right: the 16 are "
        "to be added.",
        50: "It has seen its 300 images hundreds of times, and is far more "
        "sure than that.",
        10: "That would be a guess among ten digits.",
    },
    hints=(
        "It gives the truth nearly 1 on every training image; how would it "
        "know that a test image is different?",
        "It is right on about 77 in a hundred, and says on average about 16 "
        "more than that.",
    ),
    why="Training goes on raising the logits long after every training image "
    "is right. On test images the logits are large too, whether it is right "
    "or wrong there.",
)


def _ece(confidence, right):
    return expected_calibration_error(confidence, right, bins=10)


def _bins(confidence, right):
    """How far each bin that is not empty lies off."""
    place = np.minimum(np.floor(confidence * 10), 9)
    return np.array(
        [
            abs((right - confidence)[place == b].mean())
            for b in np.unique(place)
        ]
    )


def _part(confidence, right, number):
    """What one of the bins adds to the ECE."""
    place = np.minimum(np.floor(confidence * 10), 9)
    inside = place == np.unique(place)[number]
    return abs(np.sum((right - confidence)[inside])) / len(right)


@function_to_write(
    truth=_ece,
    inputs={
        # Not at the edges of the bins, where either bin will do.
        "confidence": lambda rng: (
            rng.integers(0, 10, 12) / 10 + rng.uniform(0.01, 0.09, 12)
        ).round(2),
        "right": lambda rng: rng.integers(0, 2, 12).astype(float),
    },
    first=[
        (np.array([0.95, 0.91, 0.55, 0.52]), np.array([1.0, 0, 1, 0])),
        (np.array([0.85, 0.85, 0.15]), np.array([1.0, 1, 0])),
        (np.array([1.0, 0.97, 0.63, 0.12]), np.array([0.0, 1, 0, 1])),
        (np.arange(5, 100, 10) / 100, np.arange(10) % 2.0),  # none is empty
    ],
    within=1e-6,
    wrong={
        "abs(confidence.mean() - right.mean())": (
            "That is one bin for all; errors of opposite sign in different "
            "bins must not cancel."
        ),
        "np.mean(abs(confidence - right))": (
            "That is each image on its own; within a bin too high and too "
            "low may cancel."
        ),
        "np.mean((confidence - right) ** 2)": (
            "That is a Brier score, and it needs no bins."
        ),
        "_bins(confidence, right).mean()": (
            "The bins count alike; each should count by its part of the "
            "images."
        ),
        "_bins(confidence, right).sum()": (
            "The bins' distances are added as they are; each counts by its "
            "part of the images."
        ),
        "_bins(confidence, right).sum() / 10": (
            "A tenth for each bin would be right if all held as many images; "
            "each counts by its part of them."
        ),
        "expected_calibration_error(confidence, right)": (
            "Those are 15 bins, a frequent choice; ten are asked for."
        ),
        "_bins(confidence, right).max()": (
            "That is the worst bin, the maximum calibration error."
        ),
        "_part(confidence, right, 0)": (
            "That is the lowest bin alone: does a `return` stand inside the "
            "loop?"
        ),
        "_part(confidence, right, -1)": (
            "That is the highest bin alone: each bin has to be added to what "
            "the others gave."
        ),
        "confidence.mean() - right.mean()": (
            "With their signs, too high in one bin cancels too low in "
            "another: take the size of each distance."
        ),
        "len(right) * _ece(confidence, right)": (
            "Each bin counts by its part of the images, and not by their "
            "number."
        ),
        (
            "_ece(confidence, right)"
            " if len(_bins(confidence, right)) == 10 else np.nan"
        ): (
            "An empty bin has no mean, and its NaN spoils the sum: leave out "
            "bins without images."
        ),
        (
            "np.mean(confidence < 1)"
            " * _ece(confidence[confidence < 1], right[confidence < 1])"
        ): (
            "A confidence of 1.0 falls into none of your bins; it belongs to "
            "the last one."
        ),
    },
    meaning={
        "place": "the bin of each image",
        "total": "the sum so far",
        "b": "the number of a bin",
        "inside": "which images lie in the bin",
        "apart": "how far the bin's two means lie apart",
    },
    hints=(
        "Go through the ten bins; in each, compare two means.",
        "`np.minimum(np.floor(confidence * 10), 9) == b` picks the images of "
        "bin b; add up their part of all times the distance of the two "
        "means, and skip empty bins.",
    ),
    why="Within a bin the mean confidence is compared with the part that is "
    "right. Each bin counts by its part of the images. Empty bins count "
    "nothing.",
)
def ece(confidence, right):
    place, total = np.minimum(np.floor(confidence * 10), 9), 0.0
    for b in range(10):
        inside = place == b
        if inside.any():
            apart = right[inside].mean() - confidence[inside].mean()
            total = total + inside.mean() * abs(apart)
    return total


after = Choice(
    "calibration error after a temperature, γ = 0 and γ = 2",
    {
        "γ = 0 stays far worse": (
            "Before it is; but what makes logits too large by one factor can "
            "be undone by one number."
        ),
        "about the same for both": RIGHT,
        "γ = 2 becomes far worse": (
            "A fitted temperature may be below 1 as well, so it repairs too "
            "little confidence as it does too much."
        ),
    },
    hints=(
        "A temperature divides all logits by one number, chosen on held-out "
        "images.",
        "Whatever γ did to the size of the logits, the fitted number can do "
        "or undo.",
    ),
    why="γ mostly changes how large the logits are. A temperature sets that "
    "size, whatever it was. What is left is about the same for every γ.",
)
