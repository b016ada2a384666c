"""Questions of lesson 08: are these probabilities?"""

import numpy as np

from ..calibration import expected_calibration_error, posterior
from ..gradients import gradient_ratio
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

coin = Choice(
    "what γ = 2 makes of a coin with heads 9 times in 10",
    {
        "more than 0.9": (
            "Going up from 0.9 the nine heads gain little, as focal loss has "
            "quietened them, and the one tail pays more."
        ),
        "0.9": (
            "Cross entropy stops there; is the pull of a head and of a tail "
            "still in the same proportion when each is weighted by its "
            "difficulty?"
        ),
        "between 0.5 and 0.9": RIGHT,
        "less than 0.5": (
            "Below one half heads are the hard side, and they are nine in "
            "ten as well."
        ),
    },
    hints=(
        "At an output of 0.9, which of the two sides is easy, and what does "
        "γ do to easy ones?",
        "γ quietens the heads, which are easy at 0.9, and not the tails; the "
        "tails then pull the output down until the two balance.",
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
    wrong=[
        (lambda v, gamma: v, "That is the output itself, as if γ were 0."),
        (
            lambda v, gamma: v**gamma / (v**gamma + (1 - v) ** gamma),
            "Powers of v alone are not enough: the balance is between "
            "gradients, and each of them holds g.",
        ),
        (
            lambda v, gamma: _h(v, gamma) / _h(1 - v, gamma),
            "That is the ratio of the two sides, the odds; a probability is "
            "a part of their sum.",
        ),
        (
            lambda v, gamma: _h(v, gamma),
            "That is h of one side; divide it by the sum over both.",
        ),
        (
            lambda v, gamma: (
                1
                / (1 + (1 - v) ** 2 / v**2 * _h(v, gamma) / _h(1 - v, gamma))
            ),
            "Multiplied where it should be divided: h has g below the line.",
        ),
        (
            lambda v, gamma: (
                _h(1 - v, gamma) / (_h(v, gamma) + _h(1 - v, gamma))
            ),
            "That is the probability of the other side.",
        ),
    ],
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
        "gamma": lambda rng: round(float(rng.uniform(0.5, 3)), 1),
    },
    first=[(np.array([0.6, 0.3, 0.1]), 2)],
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
        50: "It has seen its 300 images hundreds of times, and is far more "
        "sure than that.",
        10: "That would be a guess among ten digits.",
    },
    hints=(
        "It gives the truth nearly 1 on every training image; how would it "
        "know that a test image is different?",
        "It is right on about 77 in a hundred, and its expected calibration "
        "error is 0.16.",
    ),
    why="Training goes on raising the logits long after every training image "
    "is right. On test images the logits are just as large. Being right "
    "does not keep up.",
)


@function_to_write(
    truth=lambda confidence, right: expected_calibration_error(
        confidence, right, bins=10
    ),
    inputs={
        "confidence": lambda rng: rng.uniform(0.11, 0.99, 40).round(3),
        "right": lambda rng: rng.integers(0, 2, 40).astype(float),
    },
    first=[
        (np.array([0.95, 0.91, 0.55, 0.52]), np.array([1.0, 0, 1, 0])),
        (np.array([0.85, 0.85, 0.15]), np.array([1.0, 1, 0])),
    ],
    wrong=[
        (
            lambda confidence, right: abs(confidence.mean() - right.mean()),
            "That is one bin for all; errors of opposite sign in different "
            "bins must not cancel.",
        ),
        (
            lambda confidence, right: np.mean(abs(confidence - right)),
            "That is each image on its own; within a bin too high and too "
            "low may cancel.",
        ),
        (
            lambda confidence, right: np.mean((confidence - right) ** 2),
            "That is a Brier score, and it needs no bins.",
        ),
        (
            lambda confidence, right: _bins(confidence, right).mean(),
            "The bins count alike; each should count by its part of the "
            "images.",
        ),
        (
            lambda confidence, right: _bins(confidence, right).max(),
            "That is the worst bin, the maximum calibration error.",
        ),
    ],
    hints=(
        "Go through the ten bins; in each, compare two means.",
        "`inside = np.floor(confidence * 10) == b` picks the images of bin "
        "b; add up inside.mean() times the distance of the two means, and "
        "skip empty bins.",
    ),
    why="Within a bin the mean confidence is compared with the part that is "
    "right. Each bin counts by its part of the images. Empty bins count "
    "nothing.",
)
def ece(confidence, right):
    total = 0.0
    for b in range(10):
        inside = np.floor(confidence * 10) == b
        if inside.any():
            apart = right[inside].mean() - confidence[inside].mean()
            total = total + inside.mean() * abs(apart)
    return total


def _bins(confidence, right):
    """How far each bin that is not empty lies off."""
    place = np.floor(confidence * 10)
    return np.array(
        [
            abs((right - confidence)[place == b].mean())
            for b in np.unique(place)
        ]
    )


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
