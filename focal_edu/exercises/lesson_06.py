"""Questions of lesson 06: a small detector."""

import numpy as np

from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write


def _box(rng):
    first = rng.integers(0, 9, 2)
    return np.concatenate([first, first + rng.integers(1, 6, 2)]) * 1.0


def _iou(a, b):
    width, height = np.clip(
        np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None
    )
    shared = width * height
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


overlap = Fault(
    {
        "def overlap(a, b):": "",
        "    first = np.maximum(a[:2], b[:2])": (
            "The shared part begins where the later of the two begins."
        ),
        "    last = np.minimum(a[2:], b[2:])": (
            "The shared part ends where the earlier of the two ends."
        ),
        "    shared = np.prod(last - first)": Repair(
            "    shared = np.prod(np.maximum(last - first, 0))"
        ),
        "    area = np.prod(a[2:] - a[:2])": (
            "Width times height of the first box: that is its area."
        ),
        "    other = np.prod(b[2:] - b[:2])": (
            "Width times height of the second box: that is its area."
        ),
        "    return shared / (area + other - shared)": (
            "The union counts the shared part once, as it should."
        ),
    },
    truth=_iou,
    inputs={"a": _box, "b": _box},
    hints=(
        "It is right for boxes that overlap. Try two that lie far apart.",
        "Two boxes apart in both directions: what is the sign of each factor "
        "of their product?",
    ),
    why="For boxes apart in both directions both differences are negative. "
    "Their product is positive, a shared area that does not exist. A length "
    "below zero has to count as none.",
)


anchor_count = Number(
    "anchors in a scene of 120 × 120 pixels",
    1125,
    within=0.5,
    unit="anchors",
    wrong={
        900: "That is the fine level alone; the coarse one has anchors as "
        "well.",
        225: "That is the coarse level alone; the fine one has more.",
        750: "Half as much again in each direction is more than half as "
        "much again in all.",
        14400: "Those are pixels; an anchor stands on every fourth one, in "
        "each direction.",
        11250: "That counts ten questions at each anchor; count the anchors.",
        45: "Those are the anchors along one edge; they fill a square.",
        500: "That is the count for 80 pixels; a larger scene has more.",
    },
    hints=(
        "Each level is a square of anchors. How many stand along one edge?",
        "Along the edge stand 30 on the fine level and 15 on the coarse one; "
        "square each, then add.",
    ),
    why="The fine level has 30 × 30 anchors and the coarse one 15 × 15. The "
    "number grows with the area. The digits in the scene do not, so the "
    "negatives for each positive do.",
)


@function_to_write(
    truth=lambda iou, closest: (
        1 if closest else (0, -1, 1)[(iou >= 0.4) + (iou >= 0.5)]
    ),
    inputs={
        "iou": lambda rng: round(rng.uniform(0, 0.8), 2),
        "closest": lambda rng: int(rng.random() < 0.3),
    },
    first=[
        *[(iou, 0) for iou in (0.7, 0.45, 0.1, 0.5, 0.4)],
        *[(iou, 1) for iou in (0.3, 0.45, 0.7, 0.0)],
    ],
    wrong={
        "1 if iou >= 0.5 else -1 if iou >= 0.4 else 0": (
            "An object that no anchor fits well would get none: the closest "
            "is positive as well."
        ),
        "int(iou >= 0.5 or closest)": (
            "Between the two thresholds an anchor is neither; it is ignored."
        ),
        "int(iou >= 0.5)": (
            "There are three answers, and an object's closest anchor is "
            "positive whatever its IoU."
        ),
        "1 if iou > 0.5 or closest else -1 if iou > 0.4 else 0": (
            "Look at the two thresholds themselves: an IoU that reaches one "
            "is above the line."
        ),
        "1 if iou >= 0.5 or closest else 0 if iou >= 0.4 else -1": (
            "Background and ignored have changed places."
        ),
        "1 if iou >= 0.5 and closest else -1 if iou >= 0.4 else 0": (
            "Either makes it positive, a large IoU or being the closest; you "
            "ask for both."
        ),
        "int(iou >= 0.4 or closest)": (
            "Between 0.4 and 0.5 an anchor is ignored; you call it positive."
        ),
        "-1 if 0.4 <= iou < 0.5 else int(iou >= 0.5 or closest)": (
            "The closest anchor is positive between the two thresholds as "
            "well: ask for it first."
        ),
    },
    hints=(
        "Ask first what makes an anchor positive; two things can.",
        "If it is not positive, its IoU decides between ignored, which is "
        "minus one, and background, which is zero.",
    ),
    why="An anchor that covers half of the union with a digit is positive, "
    "and so is a digit's closest anchor. One that misses by a little is "
    "asked nothing. All the others are background.",
)
def target(iou, closest):
    if iou >= 0.5 or closest:
        return 1
    return -1 if iou >= 0.4 else 0


normaliser = Choice(
    "the gradient that comes from one digit, with more background",
    {
        "it stays, if the sum is divided by the positives": RIGHT,
        "it stays, if the sum is divided by the anchors": (
            "More background is more anchors, so each digit of the batch "
            "would count less."
        ),
        "it stays, if the sum is divided by the pixels": (
            "Pixels grow as anchors do, and the digit would count less and "
            "less."
        ),
        "it stays, whatever the sum is divided by": (
            "A larger divisor makes every part of the gradient smaller; "
            "Adam, which forgives a factor, comes after."
        ),
        "it grows, since there are more negatives": (
            "Negatives add gradients of their own; the question is about "
            "the one that comes from the digit."
        ),
    },
    hints=(
        "Which count stays the same when only background is added?",
        "The added scenery has anchors and pixels, and no digit.",
    ),
    why="Background adds anchors, and hardly any loss once it is learned. "
    "Divided by anchors, a digit counts less in a larger scene. The number "
    "of positives is the one that says how much there is to learn.",
)


@function_to_write(
    truth=lambda positives, anchors, classes: (
        np.log(positives) - np.log(anchors * classes - positives)
    ),
    inputs={
        "positives": lambda rng: int(rng.integers(1, 20)),
        "anchors": lambda rng: int(rng.integers(100, 100_000)),
        "classes": lambda rng: int(rng.integers(2, 81)),
    },
    first=[(1, 100, 1), (3, 500, 10), (20, 100_000, 80)],
    wrong={
        "np.log(positives / (anchors - positives))": (
            "There is a question for each class at each anchor, and your "
            "prior is for anchors."
        ),
        "np.log((anchors * classes - positives) / positives)": (
            "The sign: with a positive bias everything starts as a digit."
        ),
        "positives / (anchors * classes)": (
            "That is the prior; the bias is the logit whose sigmoid it is."
        ),
        "np.log(positives / (anchors * classes))": (
            "That is the logarithm of the prior; odds divide by the rest, "
            "not by the whole."
        ),
        "np.log(positives * classes / (anchors - positives))": (
            "More classes make a yes rarer, and yours makes it more likely."
        ),
        "np.log(positives / ((anchors - positives) * classes))": (
            "You leave out all questions of the positive anchors; each of "
            "them says no to every class but one."
        ),
    },
    meaning={"prior": "the fraction of questions whose answer is yes"},
    hints=(
        "How many yes-or-no questions are there, and how many have the "
        "answer yes?",
        "The prior is the fraction of questions whose answer is yes, and the "
        "bias the logarithm of prior / (1 - prior).",
    ),
    why="Each anchor is asked one question for each class, and a positive "
    "anchor says yes to one. So the odds are positives to all the other "
    "questions. The bias is their logarithm.",
)
def bias_from_counts(positives, anchors, classes):
    prior = positives / (anchors * classes)
    return np.log(prior / (1 - prior))


hardest = Choice(
    "the digit that the hardest background is taken for most often",
    {
        "a 0": "A 0 is a closed ring, and half a digit seldom is one.",
        "a 1": RIGHT,
        "a 4": "A 4 needs three strokes, and a half seldom keeps as many.",
        "a 7": "Bent halves are taken for it, but more have no bend.",
        "an 8": "An 8 is two rings, and a half keeps one of them at most.",
    },
    hints=(
        "They are scraps, halves of digits. Which digit looks most like one?",
        "It has a single stroke.",
    ),
    why="Blank background is learned first; what stays is scraps that could "
    "pass. A 1 is one upright stroke, and so are many halves of digits.",
)


prior_alone = Choice(
    "cross entropy from a prior of 0.001, beside the paper's pair from 0.01",
    {
        "where it was, level with cross entropy from 0.01": (
            "A prior of 0.5 or 0.01 decided above whether digits are found "
            "at all; this is the same lever."
        ),
        "higher, less than half-way to the pair": (
            "The direction is right; it goes further."
        ),
        "level with the pair": RIGHT,
        "far above the pair": (
            "It makes up for the change of loss, and by no such margin."
        ),
    },
    hints=(
        "Think of what another prior did to training above.",
        "One changes the loss, the other the prior: they gain about as much.",
    ),
    why="Its AP rises by 6.4 points, and the pair's lead is 7.3. The two are "
    "0.9 ± 0.6 apart, less than two errors. After 500 steps the smaller "
    "prior alone does about as much as the loss alone.",
)


longer = Choice(
    "the lead of γ = 1 over cross entropy from 0.001, after 1500 steps",
    {
        "it has grown": (
            "Both gain from more steps, and it is not focal loss that gains "
            "most."
        ),
        "it is still about 2 points": (
            "Both gain from more steps, but not by the same amount."
        ),
        "nothing: the two are level": RIGHT,
        "cross entropy leads by about 2 points": (
            "It gains more than focal loss does, but not by twice the lead."
        ),
    },
    hints=(
        "Which of the two has more left to learn after 500 steps?",
        "The one that was behind gains more, by about the lead it has to "
        "make good.",
    ),
    why="After 1500 steps the difference is −0.8 ± 0.5, less than two "
    "errors. A lead in a short race need not last in a longer one.",
)


gap = Choice(
    "focal loss's lead from a prior of 0.01, with more negatives",
    {
        "it shrinks, since negatives become easier on average": (
            "They do, and that is why their sum matters: focal loss is what "
            "takes easy ones out of it."
        ),
        "it stays about the same": (
            "The sum of the easy losses grows with their number, and cross "
            "entropy has to carry it."
        ),
        "it grows": RIGHT,
        "it changes sign: cross entropy leads where negatives are many": (
            "Turn it round: where are there most easy negatives to quieten?"
        ),
    },
    hints=(
        "Which of the two losses is hurt by a thousand easy examples more?",
        "With no negatives at all, would the two differ much?",
    ),
    why="Our guess: the more easy negatives there are, the more of cross "
    "entropy's sum is theirs, and focal loss takes that part out. But scraps "
    "become more as well, and a prior that nearly fits closes most of the "
    "gap.",
)
