"""Questions of lesson 05: does it help?"""

import numpy as np

from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

lower_loss = Choice(
    "what it shows that focal loss falls further",
    {
        "nothing about which network learned more": RIGHT,
        "that focal loss's network learned more": (
            "From p_t = 0.5 to 0.9 cross entropy falls 6.6 times and focal "
            "loss 164 times, on one and the same network."
        ),
        "that cross entropy's network learned more": (
            "Then a higher loss would be a merit, and it is no merit either."
        ),
        "that both learned as much": (
            "Two losses that cannot be compared do not show equality either."
        ),
    },
    hints=(
        "Would the two losses agree on one and the same network?",
        "Its p_t goes from 0.5 to 0.9: by what factor does each loss fall?",
    ),
    why="The two losses measure with different rulers. For the same outputs "
    "focal loss is always the lower number, and divided by its first value "
    "it still falls faster. Only a measure that neither of "
    "them trains, such as AP on held-out images, can compare networks.",
)


def _share(found, alarms, prevalence):
    return (
        found * prevalence / (found * prevalence + alarms * (1 - prevalence))
    )


@function_to_write(
    truth=_share,
    inputs={
        "found": lambda rng: round(rng.uniform(0.1, 0.95), 2),
        "alarms": lambda rng: round(rng.uniform(0.001, 0.1), 3),
        "prevalence": lambda rng: round(rng.uniform(0.005, 0.5), 3),
    },
    first=[(0.6, 0.01, 0.5), (0.6, 0.01, 0.01)],
    wrong={
        "found / (found + alarms)": (
            "That holds where both classes are equally common."
        ),
        "found * prevalence": (
            "That counts what is rightly called positive; divide it by "
            "everything that is called positive."
        ),
        "1 - _share(found, alarms, prevalence)": (
            "That is the part that is wrong; the part that is right is asked "
            "for."
        ),
        "_share(found, alarms, 1 - prevalence)": (
            "The positives and the negatives have changed places."
        ),
        "found * prevalence / (found * prevalence + alarms)": (
            "Alarms come from the negatives only, so count how many "
            "negatives there are."
        ),
        "found * prevalence / (found + alarms)": (
            "Below the line stand parts of each class, and above it a part "
            "of all: weight every part by how frequent its class is."
        ),
        "found * prevalence / (prevalence + alarms * (1 - prevalence))": (
            "Below the line you count all positives; only those that are "
            "found are called positive."
        ),
    },
    meaning={"right": "the part of all that is rightly called positive"},
    hints=(
        "Take 1000 images: how many are positive, and how many of those are "
        "called positive?",
        "Divide the positives found by the positives found plus the "
        "negatives called positive.",
    ),
    why="Of all images, found times prevalence are rightly called positive. "
    "The negatives add alarms times the rest. When positives are rare, even "
    "a small part of the negatives is a large crowd.",
)
def precision_at(found, alarms, prevalence):
    right = found * prevalence
    return right / (right + alarms * (1 - prevalence))


peeking = Fault(
    {
        "def compare(validation, test):  # AP, (rates, seeds) of each": (
            "Both parts are needed, one to choose by and one to measure on."
        ),
        "    rates, seeds = test.shape": (
            "That reads how many rates and seeds there are."
        ),
        "    best = np.argmax(test.mean(axis=1))": Repair(
            "    best = np.argmax(validation.mean(axis=1))"
        ),
        "    measured = test[best]": (
            "The result is measured on the test part, as it should be."
        ),
        "    return measured.sum() / seeds": (
            "That is the mean over the seeds."
        ),
    },
    truth=lambda validation, test: test[
        np.argmax(validation.mean(axis=1))
    ].mean(),
    inputs={
        "validation": lambda rng: rng.random((4, 3)).round(2),
        "test": lambda rng: rng.random((4, 3)).round(2),
    },
    hints=(
        "One part is for choosing and the other for measuring: is each used "
        "for its own?",
        "One of the two arguments is never used.",
    ),
    why="The rate is chosen by the part that it is then judged on. Such a "
    "result is the luckiest of all rates. The more is tried, the more it "
    "flatters, and focal loss has more to try than cross entropy.",
)


@function_to_write(
    truth=lambda loss, keep: np.sort(loss)[-keep:].mean(),
    inputs={
        "loss": lambda rng: rng.exponential(1, 8).round(2),
        "keep": lambda rng: int(rng.integers(1, 8)),
    },
    first=[(np.array([0.1, 2.0, 0.3, 1.0]), 2)],
    wrong={
        "np.sort(loss)[:keep].mean()": (
            "Those are the smallest losses, the easy examples."
        ),
        "loss[-keep:].mean()": (
            "Those are the last ones in the batch, whatever their loss."
        ),
        "loss[:keep].mean()": (
            "Those are the first ones in the batch: sort them by their loss."
        ),
        "np.argsort(loss)[-keep:].mean()": (
            "Those are the places where the losses stand; average the losses "
            "that stand there."
        ),
        "np.sort(loss)[-keep:].sum() / len(loss)": (
            "The others are left out of the sum, so leave them out of the "
            "count as well."
        ),
        "np.sort(loss)[-keep:].sum()": (
            "That is a sum, and a mean is asked for."
        ),
        "np.sort(loss)[-keep]": "That is one loss, the least of those kept.",
    },
    hints=(
        "Sort the losses; which end holds the hard examples?",
        "Take the last `keep` of the sorted losses, and their mean.",
    ),
    why="Hard mining gives the largest losses weight 1 and all others "
    "weight 0. Focal loss does the same thing gradually.",
)
def hard_mining(loss, keep):
    return np.mean(np.sort(loss)[-keep:])


units = Number(
    "what n goes under the root, for ten digits and twenty seeds",
    10,
    unit="units",
    wrong={
        200: "Twenty seeds of one digit are tested on the same images, so "
        "they are far from independent.",
        20: "The seeds of one digit share its test images; which of the two "
        "counts differs in its question too?",
        9: "Nine divides the squares inside the standard deviation; another "
        "count divides what comes out.",
        1: "Ten questions are asked, each with positives of its own.",
        200**0.5: "That is the root of 200; the question is which number "
        "goes under the root.",
        10**0.5: "That is a root already; the question is which number goes "
        "under it.",
        190: "Seeds of one digit share its test images, so taking ten away "
        "from all of them does not make the rest independent.",
    },
    hints=(
        "What would change from one unit to the next, if they were to be "
        "independent?",
        "Average the seeds of each digit first, and count what is left.",
    ),
    why="The seeds of a digit share its positives and its test images, so "
    "their mean is one observation. Digits differ in their positives. Even "
    "digits share negatives, so the error is a little too small.",
)


def _paired(these, those):
    apart = these - those
    return np.array([apart.mean(), apart.std(ddof=1) / len(apart) ** 0.5])


@function_to_write(
    truth=_paired,
    inputs={
        "these": lambda rng: rng.uniform(0.5, 0.9, 5).round(2),
        "those": lambda rng: rng.uniform(0.5, 0.9, 5).round(2),
    },
    first=[(np.array([3.0, 5.0, 10.0]), np.array([1.0, 4.0, 7.0]))],
    within=1e-6,
    wrong={
        "(these - those).mean(), (these - those).std() / len(these) ** 0.5": (
            "The mean is right; the deviation divides by n, and with the "
            "mean estimated from the same numbers n − 1 is right."
        ),
        "(these - those).mean(), (these - those).std(ddof=1)": (
            "The mean is right; that is the spread of single differences, "
            "and the error of their mean is smaller."
        ),
        "(these - those).mean(), (these - those).std(ddof=1) / len(these)": (
            "The mean is right; errors shrink with the root of the number of "
            "pairs."
        ),
        (
            "(these - those).mean(), "
            "np.sqrt((these.var(ddof=1) + those.var(ddof=1)) / len(these))"
        ): (
            "The mean is right; that is the error for two unrelated groups, "
            "which forgets the pairs."
        ),
        (
            "(these - those).mean(), "
            "(these - those).std(ddof=1) / (len(these) - 1) ** 0.5"
        ): (
            "The mean is right; n − 1 belongs in the deviation, and the root "
            "that it is divided by is of n."
        ),
        (
            "(these - those).mean(), "
            "(these.std(ddof=1) - those.std(ddof=1)) / len(these) ** 0.5"
        ): (
            "The mean is right; the deviation of the differences is another "
            "thing than the difference of two deviations."
        ),
        "_paired(these, those)[::-1]": (
            "Both numbers are right, and have changed places: the mean comes "
            "first."
        ),
        "np.mean(these - those)": (
            "That is the mean alone; give its standard error as well."
        ),
        "_paired(those, these)": (
            "The error is right; the difference is taken the other way round."
        ),
    },
    meaning={
        "apart": "the differences, pair by pair",
        "spread": "the standard deviation of the differences",
    },
    hints=(
        "Subtract pair by pair first; everything else is about those "
        "differences.",
        "Their standard deviation, with n − 1, over the root of n.",
    ),
    why="What both networks of a pair share, a hard digit or an unlucky "
    "draw, drops out of the difference. The error of a mean is the standard "
    "deviation over the root of the number of pairs.",
)
def mean_and_error(these, those):
    apart = np.asarray(these) - np.asarray(those)
    spread = np.std(apart, ddof=1)
    return np.mean(apart), spread / np.sqrt(len(apart))
