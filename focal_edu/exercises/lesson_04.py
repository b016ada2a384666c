"""Questions of lesson 04: one loss, three tasks."""

import numpy as np

from ..reference import softmax_focal_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write


def _softmax(z):
    return np.exp(z) / np.exp(z).sum()


def _by_difference(z, t):
    return 1 / np.sum(np.exp(z - z[t]))


@function_to_write(
    truth=lambda z, t: np.exp(-softmax_focal_loss(z, t, gamma=0)),
    inputs={
        "z": lambda rng: rng.normal(0, 2, 4).round(2),
        "t": lambda rng: int(rng.integers(4)),
    },
    first=[
        (np.array([2.0, -1.0, 3.0]), 2),
        (np.array([2.0, 1.0, -0.5]), 1),
        (np.array([0.0, 0.0]), 0),
    ],
    wrong={
        "_softmax(z).max()": (
            "That is the probability of the class it favours; the true class "
            "may be another one."
        ),
        "1 / (1 + np.exp(-z[t]))": (
            "That is a sigmoid of one logit, which is the multi-label task: "
            "with a softmax the other logits count too."
        ),
        "np.exp(z[t])": "Not divided by anything, that can exceed 1.",
        "np.exp(z[t]) / (np.exp(z).sum() - np.exp(z[t]))": (
            "Those are odds: the true class is left out of the sum below."
        ),
        "z[t] / z.sum()": (
            "Logits are not positive, so their shares are not probabilities; "
            "take exponentials first."
        ),
        "-np.log(_softmax(z)[t])": (
            "That is cross entropy, one logarithm too far."
        ),
        "1 / (1 + np.exp(-z))": (
            "Those are sigmoids, one for each class, for classes that do "
            "not compete; the truth is one entry of a softmax."
        ),
        "np.exp(z[t]) / np.exp(z.sum())": (
            "Below the line the sum is taken before the exponential; each "
            "logit's exponential comes first, then the sum."
        ),
        "np.exp(z[t] / z.sum())": (
            "There the logits are divided, and then one exponential is "
            "taken: each needs its exponential before the division."
        ),
        "z[t]": (
            "That is the logit; a probability is made of it and of all the "
            "others."
        ),
        "np.exp(z[t]) / (1 + np.exp(z).sum())": (
            "The 1 below the line belongs to a sigmoid; in a softmax the "
            "logits themselves make up the whole sum."
        ),
        "float(np.argmax(z) == t)": (
            "That says whether the answer is right; how probable was the "
            "truth?"
        ),
        "_softmax(z)": (
            "That is the whole vector of probabilities; the truth is one of "
            "its entries."
        ),
    },
    routes=[_by_difference],
    hints=(
        "Turn the logits into probabilities first, then pick one.",
        "Exponentials of all logits, divided by their sum; the entry of the "
        "true class.",
    ),
    why="A softmax turns logits into probabilities that sum to 1. The truth "
    "is class t. So p_t is entry t of the softmax.",
)
def p_t(z, t):
    return np.exp(z[t]) / np.sum(np.exp(z))


hardest_example = Choice(
    "which of the four examples carries most focal loss",
    {
        "the first: (2, −1, 3), truth 2": (
            "There the true class has the largest logit, one above the "
            "next: it is right, if not by much."
        ),
        "the second: (1, 0, −0.5), truth 0": (
            "There the true class has the largest logit by one: it is "
            "right, with two rivals."
        ),
        "the third: (2, 1, −0.5), truth 1": RIGHT,
        "the fourth: (1, 8, 2), truth 1": (
            "There the true class leads by six: it is as good as certain."
        ),
        "all about alike, as they are one batch": (
            "Focal loss is made to tell them apart: find the one whose true "
            "class is not the largest."
        ),
    },
    hints=(
        "Find the example that the classifier gets wrong.",
        "In three of the four, the true class has the largest logit.",
    ),
    why="Only in the third is the true class not the largest. Its p_t is "
    "0.25, so its factor keeps more than half of a large cross entropy. The "
    "fourth, with p_t near 1, adds almost nothing.",
)


two_logits = Choice(
    "softmax over (0, x) and sigmoid of x",
    {
        "the same loss": RIGHT,
        "the softmax's is larger, since two classes share": (
            "A sigmoid shares too, between yes and no; write both "
            "probabilities with exponentials of x."
        ),
        "the sigmoid's is larger": (
            "Divide the softmax's fraction above and below by exp(x), and "
            "compare it with the sigmoid's."
        ),
        "it depends on the label": (
            "Swapping the labels swaps the two probabilities in both, so it "
            "makes no difference between them."
        ),
    },
    hints=(
        "Write the second entry of the softmax over (0, x): exp of 0 is 1.",
        "exp(x) / (1 + exp(x)); multiply above and below by exp(-x).",
    ),
    why="The softmax gives exp(x) / (1 + exp(x)) to the second class. That "
    "is 1 / (1 + exp(-x)), the sigmoid. With the same p_t every loss of p_t "
    "is the same.",
)


lowest_right = Number(
    "how low p_t can be in a right answer, ten classes",
    0.1,
    within=0.005,
    unit="from 0 to 1",
    wrong={
        0.5: "That is the bound with two classes; with more, the largest of "
        "them need not be more than a half.",
        0.9: "That is what the other nine hold together, at worst.",
        1: "That is how large it can be; how small can it be, and still be "
        "the largest?",
        0: "The true class must still hold more than any other, and all of "
        "them sum to 1.",
        0.05: "If the largest were that small, ten of them could not sum "
        "to 1.",
        0.1094: "Near it; but the winner's lead may be smaller still.",
        1 / 9: "The true class is one of those that share the whole.",
    },
    hints=(
        "An answer is right when the true class is the largest. How small "
        "can the largest of ten numbers be that sum to 1?",
        "It is smallest when all ten are nearly equal.",
    ),
    why="The largest of ten numbers that sum to 1 is at least a tenth. When "
    "all are nearly equal it is close to that. So right does not mean "
    "confident, and focal loss treats such an example as hard.",
)


first_steps = Choice(
    "first gradient under focal loss, ten classes",
    {
        "about half of cross entropy's": (
            "That holds with two classes, where p_t starts at 0.5."
        ),
        "the same as cross entropy's": (
            "The ratio g is 1 only at the crossing, 0.2976, and p_t does not "
            "start there."
        ),
        "about 1.2 times cross entropy's": RIGHT,
        "about 3 times cross entropy's": (
            "The ratio g never gets so high: at gamma = 2 its peak is 1.2246."
        ),
        "a tenth of cross entropy's": (
            "A tenth is the p_t that each class starts with; put it into g."
        ),
    },
    hints=(
        "An untrained classifier of C classes gives each class about 1/C. "
        "Is that above or below the crossing of lesson 02?",
        "The crossing at gamma = 2 is at 0.2976 and the peak at 0.1041; "
        "with ten classes p_t starts close to one of them.",
    ),
    why="An untrained classifier gives each of ten classes about 0.1. That "
    "is close to the peak of g at gamma = 2, which is 1.2246. With two "
    "classes p_t would start at 0.5, where g is 0.5966.",
)


scalar_alpha = Choice(
    "what the package does with alpha=0.25 for three classes",
    {
        "it weights every class by 0.25": (
            "That is one reading, and it balances nothing; another library "
            "reads it differently."
        ),
        "it gives class 0 the weight 0.25 and the others 0.75": (
            "That is one reading, with class 0 as the rare one; is it always?"
        ),
        "it gives class 0 the weight 0.75 and the others 0.25": (
            "That is one reading, with class 0 as the background; is there "
            "always one?"
        ),
        "it refuses, with an error": RIGHT,
    },
    hints=(
        "In the binary task one number decides between two sides. How many "
        "numbers do three classes need?",
        "Three weights cannot follow from one number without a rule; is "
        "there only one such rule?",
    ),
    why="Two classes need one number, three classes need more. Libraries "
    "fill the gap with different rules. So this package guesses none and "
    "asks for one weight per class.",
)


def _second_call(Weighted):
    def loss(p, t):
        loss = Weighted([0.25, 0.75, 0.75])
        return [loss(p, t), loss(p, t)][1]

    return loss


own_alpha = Fault(
    {
        "class Weighted:": (
            "A class is a good place for a loss that has parameters."
        ),
        "    def __init__(self, alpha):": (
            "The weights are handed over once, when the loss is made."
        ),
        "        self.alpha = np.asarray(alpha)": (
            "That keeps the weights, one for each class, as it should."
        ),
        "    def __call__(self, p, t):": "",
        "        p_t = p[np.arange(len(t)), t]": (
            "That picks the true class's probability out of every row."
        ),
        "        alpha_t = self.alpha = self.alpha[t]": Repair(
            "        alpha_t = self.alpha[t]"
        ),
        "        return np.mean(-alpha_t * (1 - p_t) ** 2 * np.log(p_t))": (
            "That is the formula, and the mean divides by the number of "
            "examples."
        ),
    },
    truth=lambda p, t: np.mean(
        softmax_focal_loss(np.log(p), t, alpha=[0.25, 0.75, 0.75])
    ),
    inputs={
        "p": lambda rng: rng.dirichlet([3, 3, 3], 4),
        "t": lambda rng: rng.integers(0, 3, 4),
    },
    use=_second_call,
    hints=(
        "The first call is right. Copy the code (`.copy()`), call it twice "
        "on the same batch, and look at `.alpha` in between.",
        "A loss must not change when it is used: look for the line that "
        "stores something.",
    ),
    why="The gathered weights, one for each example, overwrite the weights "
    "of the classes. The second call gathers from the wrong list, and fails "
    "when a label exceeds its length. Nothing may be stored in a call.",
)


@function_to_write(
    truth=lambda counts: (1 / counts) / np.mean(1 / counts),
    inputs={"counts": lambda rng: rng.integers(5, 2000, 4)},
    first=[(np.array([100, 50, 10]),), (np.array([7, 7]),)],
    wrong={
        "counts / counts.mean()": (
            "That favours the common classes, and it is the rare ones that "
            "need weight."
        ),
        "1 / counts": (
            "The balance is right, but these weights shrink with the size of "
            "the data set: they should average to 1."
        ),
        "(1 / counts) / (1 / counts).sum()": (
            "Those sum to 1, and the average should be 1: with many classes "
            "your loss would shrink."
        ),
        "np.mean(1 / counts)": (
            "That is one number for all classes; each class needs its own "
            "weight, and this is what to divide by."
        ),
        "1 / np.sqrt(counts) / np.mean(1 / np.sqrt(counts))": (
            "Those are weights from the root of the counts, a milder rule; "
            "here a class ten times rarer weighs ten times more."
        ),
        "counts.sum() / counts": (
            "The balance is right and the size is not: with equal counts "
            "each weight should be 1."
        ),
        "counts.sum() / (len(counts) * counts)": (
            "With equal counts that is right; otherwise the weights do not "
            "average to 1 over the classes."
        ),
        "counts / counts.sum()": (
            "Those are the classes' parts of the data, large for common "
            "ones; turn each count upside down first."
        ),
        "1 - counts / counts.sum()": (
            "That leans the right way, but a class a hundred times rarer "
            "should weigh a hundred times more."
        ),
    },
    meaning={"inverse": "one over each count"},
    hints=(
        "Start from one over each count, then rescale all of them alike.",
        "Divide by the mean of those numbers.",
    ),
    why="One over the count gives every class the same total. A common "
    "factor changes no balance, only the size of the loss. Dividing by the "
    "mean makes the weights average to 1.",
)
def class_weights(counts):
    inverse = 1 / np.asarray(counts)
    return inverse / np.mean(inverse)


both_sure = Number(
    "the most that a softmax can give to each of two classes",
    0.5,
    within=0.01,
    unit="from 0 to 1",
    wrong={
        1: "Both cannot have all of it: a softmax adds up to 1.",
        0.25: "With half of it left to the other eight, that is not the most "
        "that they can have.",
        0.9975: "That is what two sigmoids can do; a softmax shares.",
        0.1: "That is an even share among ten; the other eight can have "
        "next to nothing.",
        0.2: "Two of ten, but the other eight can have next to nothing.",
        0.33: "Only two classes have to share; the other eight can have "
        "next to nothing.",
    },
    hints=(
        "A softmax adds up to 1 over all ten classes.",
        "The other eight can be as good as zero, and the two are equal.",
    ),
    why="A softmax adds up to 1. With the other eight near zero, two equal "
    "classes share it. So neither can pass one half while the other keeps "
    "up.",
)


mean_over_classes = Number(
    "the mean over N × C numbers, as a multiple of the right one",
    1 / 3,
    within=0.01,
    unit="times, for C = 3",
    wrong={
        3: "Upside down: dividing by more makes the mean smaller.",
        1: "The zeros add nothing to the sum, but they are counted.",
        0.5: "One loss stands beside C − 1 zeros: how many numbers are in a "
        "row?",
        2 / 3: "Of three numbers in a row, how many belong to the true "
        "class?",
        1 / 9: "The classes are counted once, not twice.",
        0: "The true class's number is still in the sum.",
    },
    hints=(
        "Each row of the N × C table holds one loss and C − 1 zeros.",
        "The sum stays, and the count is C times as large.",
    ),
    why="Only the true class's entry differs from zero, so the sum is the "
    "same. The count is three times as large. With eighty classes the "
    "gradient would be eighty times too small.",
)


@function_to_write(
    truth=lambda loss, y: loss.sum() / max(1, y.sum()),
    inputs={
        "loss": lambda rng: rng.uniform(0.1, 2, 5).round(2),
        "y": lambda rng: (rng.random(5) < 0.3).astype(int),
    },
    first=[
        (np.array([1.0, 0.2, 0.3, 0.1]), np.array([1, 0, 0, 1])),
        (np.array([0.5, 0.2, 0.3, 0.1]), np.array([0, 0, 0, 0])),
    ],
    wrong={
        "loss.mean()": (
            "That divides by all elements, so easy negatives dilute the few "
            "that matter."
        ),
        "loss.sum() / y.sum()": (
            "Right while there is a positive; an image without any divides "
            "by zero."
        ),
        "(loss * y).sum() / max(1, y.sum())": (
            "That leaves the negatives' losses out: they belong to the sum, "
            "only not to the count."
        ),
        "loss.sum() / max(1, (1 - y).sum())": (
            "That counts the negatives, and it is the positives that are "
            "counted."
        ),
        "loss.sum() / (1 + y.sum())": (
            "Adding 1 avoids the zero, but changes every image that has "
            "positives."
        ),
        "(loss * y).sum()": (
            "That adds up the positives only, and divides by nothing."
        ),
        "loss.sum() / y.sum() if y.any() else 0.0": (
            "Right while there is a positive; without any, the negatives' "
            "losses still count, and yours are dropped."
        ),
        "loss[y == 1].mean()": (
            "That is the mean over positives alone: the negatives' losses "
            "belong to the sum, and an image may have no positive."
        ),
        "loss / max(1, y.sum())": (
            "Those are the losses one by one, divided; a reduction adds them "
            "up as well."
        ),
        "loss.sum()": "That is the sum, not divided by anything.",
    },
    hints=(
        "Add up all losses, and count only some of the elements.",
        "Divide by the number of positives; if there is none, by 1.",
    ),
    why="Every element adds to the sum. The count is that of the positives, "
    "since the easy negatives are nearly silent. The maximum with 1 is for "
    "images without any object.",
)
def mean_positive(loss, y):
    return np.sum(loss) / max(1, np.sum(y))
