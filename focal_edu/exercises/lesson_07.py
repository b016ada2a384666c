"""Questions of lesson 07: the long tail and the relatives."""

import numpy as np

from ..relatives import class_balanced_weights, logit_adjusted_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

sees = Choice(
    "which loss tells a rare example from a common one, p_t alike",
    {
        "cross entropy": (
            "It looks at the probability given to the truth, and that is the "
            "same for both."
        ),
        "focal loss": (
            "Its factor is made of the probability given to the truth, too; "
            "where would it learn how many others there are?"
        ),
        "both of them": (
            "Write both formulas down: where does a count of the class stand?"
        ),
        "neither of them": RIGHT,
    },
    hints=(
        "What does each formula take in, besides the probability given to "
        "the truth?",
        "A loss without a class term gives the same number for the same "
        "probability, whatever the class.",
    ),
    why="Both losses are functions of p_t alone. A count of the class stands "
    "in neither. Two examples with the same p_t lose the same.",
)


@function_to_write(
    truth=lambda margin, prior: logit_adjusted_loss(
        np.array([margin, 0.0]), np.array(0), (prior, 1 - prior)
    ),
    inputs={"margin": "logit", "prior": "probability"},
    first=[(0.0, 0.1), (0.0, 0.9), (2.0, 0.5), (-1.0, 0.25)],
    wrong={
        "np.log1p(np.exp(-margin))": (
            "That is cross entropy: the prior is not used."
        ),
        "np.log1p(np.exp(-margin + np.log(prior / (1 - prior))))": (
            "The sign of the shift: a rare class must lose more than cross "
            "entropy says, so its logit is lowered."
        ),
        "np.log1p(np.exp(-margin - np.log(prior)))": (
            "Only one of the two logits is shifted; the other class has a "
            "prior as well, 1 - prior."
        ),
        "np.log1p(np.exp(-margin)) / prior": (
            "That weights the loss by 1 / prior; logit adjustment shifts the "
            "logits and weights nothing."
        ),
        "margin + np.log(prior / (1 - prior))": (
            "That is the shifted margin; the loss is its cross entropy."
        ),
        "np.log1p(np.exp(-margin)) * prior": (
            "That weights the loss by the prior, so that a rare class counts "
            "less; logit adjustment shifts the logits."
        ),
        "np.log1p(np.exp(-margin)) - np.log(prior)": (
            "That shifts the loss; it is the logits that are shifted, before "
            "the loss is taken."
        ),
    },
    meaning={"shifted": "the margin after the shift"},
    hints=(
        "Shift the margin first, then take cross entropy of it, log(1 + "
        "exp(-x)).",
        "The true logit gets log(prior), the other log(1 - prior), and the "
        "margin is their difference.",
    ),
    why="Each logit gets the logarithm of its class's part. The margin moves "
    "by the difference of the two. What is left is cross entropy.",
)
def adjusted(margin, prior):
    shifted = margin + np.log(prior) - np.log(1 - prior)
    return np.log(1 + np.exp(-shifted))


after_training = Fault(
    {
        "def predict(logits, counts):": "Logits and counts are all it needs.",
        "    counts = np.asarray(counts, float)": "That makes an array.",
        "    prior = counts / counts.sum()": "Each class's part of all.",
        "    shifted = logits + np.log(prior)": Repair(
            "    shifted = logits - np.log(prior)"
        ),
        "    return shifted.argmax(axis=-1)": "The largest logit is chosen.",
    },
    truth=lambda logits, counts: (np.exp(logits) / np.asarray(counts)).argmax(
        -1
    ),
    inputs={
        "logits": lambda rng: rng.normal(0, 2, (4, 3)).round(2),
        "counts": lambda rng: rng.integers(1, 100, 3),
    },
    hints=(
        "A network trained with plain cross entropy has already learned "
        "which class is frequent. What should be done to that afterwards?",
        "In training the shift is added and left out of predicting; put on "
        "afterwards it must go the other way.",
    ),
    why="Cross entropy learns the classes' parts with the rest. To judge as "
    "if all were equally frequent, that must be taken away. Added, it "
    "favours the frequent class twice.",
)

best_in_tail = Choice(
    "how much of the tail the best recipe finds, imbalance 50",
    {
        "60 %": (
            "That would be a gain of two points, and two of the eight move "
            "the border between the classes, however well they are learned."
        ),
        "66 %": (
            "That is what weights and oversampling reach; another recipe "
            "still asks for more when all training images are right."
        ),
        "78 %": RIGHT,
        "90 %": (
            "Too much: two to five images do not show all that a digit can "
            "look like, whatever the loss."
        ),
    },
    hints=(
        "Which of the eight still change something when every training "
        "image has p_t near 1?",
        "A shift of the logits gives the rare class room, however well the "
        "training images are known: it gains more than twice what weights "
        "gain, 8 points.",
    ),
    why="A shift of the logits, in training or after it, moves the border "
    "between the classes, also where all training images are right. Weights "
    "act while images are wrong, and the focal factor sees no rarity at "
    "all.",
)

memorised = Number(
    "mean p_t of the smallest class in training, cross entropy",
    0.998,
    within=0.04,
    unit="from 0 to 1",
    wrong={
        0.37: "That is about what it has on test images.",
        0.5: "It would be as good as a guess between two classes; the "
        "network has seen these images hundreds of times.",
        0.1: "It would be a guess among ten classes.",
        0.8: "Too low: two images are learned by heart as easily as a "
        "hundred.",
    },
    hints=(
        "How many images has the smallest class, and how many weights has "
        "the network?",
        "A network that can learn all its images by heart learns the rare "
        "ones as well.",
    ),
    why="Two images are quickly learned by heart. Then they are easy, "
    "however rare they are. Their factor (1 - p_t)^γ is nearly 0.",
)


@function_to_write(
    truth=lambda counts, beta: class_balanced_weights(counts, beta=beta),
    inputs={
        "counts": lambda rng: rng.integers(1, 200, 4).astype(float),
        "beta": lambda rng: round(rng.uniform(0.5, 0.995), 3),
    },
    first=[
        (np.array([3.0, 1.0]), 0.5),
        (np.array([100.0, 10.0, 2.0]), 0.99),
    ],
    wrong={
        "_mean_one(1 / counts)": (
            "Those are weights 1/n; the effective number takes the place of "
            "n."
        ),
        "(1 - beta**counts) / (1 - beta)": (
            "Those are the effective numbers; a weight is one over it."
        ),
        "(1 - beta) / (1 - beta**counts)": (
            "The proportions are right; divide by their mean, so that the "
            "weights have mean 1."
        ),
        "1 / (1 - beta**counts)": (
            "The proportions are right; the weights should have mean 1, and "
            "these are not divided by their mean."
        ),
        "1 - beta**counts": (
            "That grows as the effective number does; a weight is one over "
            "it."
        ),
        "np.mean(1 - beta**counts) / (1 - beta**counts)": (
            "Divide by the mean of the weights: that is not one over the "
            "mean of the effective numbers."
        ),
        "np.mean(1 / (1 - beta**counts))": (
            "That is one number for all; each class has a weight, and this "
            "is close to what they are divided by."
        ),
        "_mean_one((1 - beta**counts) / (1 - beta))": (
            "Upside down: the larger class must get the smaller weight."
        ),
        "1 / (1 - beta**counts) / np.sum(1 / (1 - beta**counts))": (
            "Those add up to 1; what is asked for has mean 1."
        ),
    },
    meaning={"weights": "one over 1 - beta**counts"},
    hints=(
        "First the effective number of each class, then one over it, then "
        "the mean.",
        "Effective numbers are (1 - beta**counts) / (1 - beta).",
    ),
    why="One over the effective number is the weight. Dividing by the mean "
    "keeps the size of the loss. With beta near 1 this becomes 1/n, and at 0 "
    "all weights are 1.",
)
def balanced(counts, beta):
    weights = 1 / (1 - beta**counts)
    return weights / weights.mean()


def _mean_one(weights):
    return weights / weights.mean()
