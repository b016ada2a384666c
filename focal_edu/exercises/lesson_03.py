"""Questions of lesson 03: alpha and imbalance."""

import math

import numpy as np

from ..reference import focal_loss, sigmoid_focal_loss
from .questions import RIGHT, Choice, Fault, Number, Repair, function_to_write

mistake_share = Number(
    "the mistake's share of cross entropy",
    100 * np.log(0.2) / (np.log(0.2) + 100 * np.log(0.95)),
    within=1,
    unit="per cent",
    wrong={
        1: "That counts examples, one in 101; the question is about the sum "
        "of their losses.",
        76.1: "That is the share of the hundred negatives.",
        96.9: "That compares the mistake with a single negative, and there "
        "are a hundred.",
        13.8: "That is the share of the slopes, 1 - p_t, not of the losses.",
        4.2: "You took the logarithm of 1 - p_t somewhere: each example "
        "pays minus log p_t.",
    },
    hints=(
        "You need two sums: one times minus log 0.2, and a hundred times "
        "minus log 0.95.",
        "They are 1.609 and 5.129; divide the first by both together.",
    ),
    why="The mistake pays minus log 0.2, which is 1.609. A hundred negatives "
    "pay minus log 0.95 each, 5.129 together. The first is about a quarter "
    "of the sum.",
)


@function_to_write(
    truth=lambda y, alpha: (
        focal_loss(0.5, y, alpha=alpha) / focal_loss(0.5, y)
    ),
    inputs={"y": "label", "alpha": "probability"},
    first=[(1, 0.25), (0, 0.25), (1, 0.5), (0, 0.9)],
    wrong={
        "1 - alpha if y == 1 else alpha": (
            "The two are swapped: in the paper it is the positives that get "
            "alpha."
        ),
        "alpha": (
            "One weight for both classes scales the loss and balances "
            "nothing."
        ),
        "alpha if y == 1 else 1": (
            "Positives are right; negatives have a weight too, which falls "
            "as alpha rises."
        ),
        "alpha * y": (
            "Positives are right; every negative has weight zero, so nothing "
            "would be learned from them."
        ),
        "alpha / (1 - alpha) if y == 1 else 1": (
            "The balance between the classes is right and the size is not: "
            "in the paper the two weights add up to 1."
        ),
        "1 - alpha": "That is right for negatives only: y is not used.",
    },
    hints=(
        "Two weights that add up to 1; y says which.",
        "It is the same pattern as p_t, with alpha in place of p.",
    ),
    why="Positives get alpha and negatives the rest of 1, equation 5 of the "
    "paper. Written with y and 1 - y it needs no condition. It is the "
    "pattern of p_t.",
)
def alpha_t(y, alpha):
    return alpha * y + (1 - alpha) * (1 - y)


meanings = Choice(
    "which α = 0.25 favours the positive most",
    {
        "the paper's most, then one α for both, then α to class 0": (
            "The middle is right; look again at which class the paper gives "
            "the 0.25, and which the 0.75."
        ),
        "one α for both most, then the paper's, then α to class 0": (
            "One number for both leaves the balance as it was; one of the "
            "other two gives positives three times what negatives get."
        ),
        "one α for both most, then α to class 0, then the paper's": (
            "The last is right; one number for both leaves the balance as "
            "it was, so it cannot favour the positive most."
        ),
        "α to class 0 most, then one α for both, then the paper's": RIGHT,
        "all three alike": (
            "The same number, 0.25, multiplies positives in one meaning and "
            "negatives in another."
        ),
    },
    hints=(
        "For each meaning, divide the weight of a positive by the weight of "
        "a negative.",
        "The paper's is 0.25 to 0.75, one for both is 0.25 to 0.25, and "
        "class 0 is the negatives.",
    ),
    why="What counts is a positive's weight over a negative's. It is 3 with "
    "alpha to class 0, 1 with one number for both and a third in the paper. "
    "The same 0.25 thus means opposite things.",
)


balancing_alpha = Choice(
    "the α that balances the totals at γ = 2",
    {
        "about 0.5": (
            "That would mean equal totals; at γ = 2 the negatives' total is "
            "far below the positive's."
        ),
        "about 0.25": (
            "That is the paper's choice, found by training; here the totals "
            "at γ = 2 decide, and you have both."
        ),
        "about 0.1": (
            "That would need one tenth of the loss to be the negatives'; "
            "look up their share at γ = 2."
        ),
        "about 0.01": RIGHT,
    },
    hints=(
        "Balancing alpha is the negatives' part of the two totals, and the "
        "table in the first section holds both totals.",
        "At γ = 2 the positive has 1.0300 and the negatives have 0.0128: "
        "divide the second by their sum.",
    ),
    why="The balancing alpha is the negatives' part of the whole. Gamma "
    "takes loss away from the negatives above all. So at γ = 2 the positive "
    "outweighs them, and the balance needs a small alpha.",
)


hardest_fifth = Choice(
    "the hardest fifth's share of its class's loss, γ from 0 to 2",
    {
        "it grows more among positives": (
            "Which class has many easy examples, from which gamma can take "
            "the loss?"
        ),
        "it grows alike in both classes": (
            "Gamma acts on easy examples, and the two classes do not have "
            "equally many of them."
        ),
        "it grows more among negatives": RIGHT,
        "it shrinks in both classes": (
            "Gamma turns down the easy examples, so more of what is left "
            "belongs to the hardest."
        ),
        "it grows among positives and shrinks among negatives": (
            "When the easy negatives go quiet, can the part of the hard ones "
            "shrink?"
        ),
    },
    hints=(
        "In which class are the easy examples, from which gamma takes loss?",
        "Nearly all negatives are easy; what happens to the part of the few "
        "that are not?",
    ),
    why="Gamma takes the loss away from easy examples. Nearly all negatives "
    "are easy. So among negatives the total comes to rest on the few hard "
    "ones.",
)


lowest_p = Choice(
    "the p at which focal loss is lowest, truth 1 in 100",
    {
        "lower than 0.01: it cares less for the rare class": (
            "It has no class term, so being rare cannot count against a "
            "class; ask which examples still press at p = 0.01."
        ),
        "0.01, the truth": (
            "That would need both classes to be turned down alike at p = "
            "0.01, where the positive is hard and the negatives are easy."
        ),
        "about 0.02": (
            "There the positive is still hard and the negatives are easy: it "
            "presses hundreds of times as hard as all 99."
        ),
        "about 0.05": (
            "There the positive still presses some thirty times as hard as "
            "all 99 negatives together."
        ),
        "about 0.15": RIGHT,
    },
    hints=(
        "At p = 0.01, compare the modulating factor of the positive with "
        "that of a negative: which side still presses?",
        "Raise p until the 99 negatives press as hard as the one positive: "
        "they are quiet while p squared is small.",
    ),
    why="At p = 0.01 the positive keeps 98 per cent of its loss and a "
    "negative a ten-thousandth. So p rises until 99 negatives are loud "
    "enough to stop it, which happens near 0.154.",
)


@function_to_write(
    truth=lambda prior: np.log(prior) - np.log1p(-prior),
    inputs={"prior": "probability"},
    first=[(0.01,), (0.3,), (0.9,)],
    wrong={
        "np.log((1 - prior) / prior)": (
            "The minus is lost: with your bias a rare class starts out "
            "nearly certain."
        ),
        "np.log(prior)": (
            "That is close for a small prior, but at 0.5 the bias should be "
            "zero."
        ),
        "np.log10(prior / (1 - prior))": (
            "The logarithm is to base 10, and the sigmoid undoes the natural "
            "one."
        ),
        "prior": (
            "The bias is a logit and not a probability: the sigmoid of yours "
            "is above 0.5."
        ),
        "1 / (1 + np.exp(-prior))": (
            "That is the sigmoid of the prior; what is needed is the number "
            "whose sigmoid is the prior."
        ),
        "prior / (1 - prior)": (
            "Those are the odds; the bias is their logarithm."
        ),
        "-np.log(1 - prior) / prior": (
            "The logarithm is taken of 1 - prior alone: its brackets close "
            "too early."
        ),
        "np.log(prior) / (1 - prior)": (
            "The logarithm is taken of the prior alone: the fraction belongs "
            "inside its brackets."
        ),
        "np.exp(-prior)": (
            "That is an exponential; what undoes the one in the sigmoid is a "
            "logarithm."
        ),
        "np.log(0.01 / 0.99)": (
            "Right for a prior of 0.01 only: the argument is not used."
        ),
    },
    hints=(
        "At the start the logit is the bias b, so its sigmoid should be the "
        "prior. Solve for b.",
        "From prior = 1 / (1 + exp(-b)) follows exp(-b) = (1 - prior) / "
        "prior; take the natural logarithm of both sides.",
    ),
    why="With weights near zero the logit is the bias. Its sigmoid must be "
    "the prior. Solving for the bias gives minus the logarithm of the odds "
    "against.",
)
def prior_bias(prior):
    return -np.log((1 - prior) / prior)


prior_factor = Number(
    "by what factor the prior lowers the first cross entropy",
    float(focal_loss(0.5, 0, gamma=0) / focal_loss(0.01, 0, gamma=0)),
    within=2,
    unit="times",
    wrong={
        50: "That compares the two p; the loss compares their logarithms.",
        math.log(0.01) / math.log(0.5): "You took the logarithm of 0.01; a "
        "negative pays for what it was not given, minus log of 1 - p.",
        math.log(0.5) / math.log(0.01): "You took the logarithm of 0.01, and "
        "divided the later loss by the earlier one.",
        math.log(0.99) / math.log(0.5): "That is the later loss over the "
        "earlier one, the factor upside down.",
        -math.log(0.5): "That is what one negative loses at p = 0.5; divide "
        "it by what it loses at p = 0.01.",
        -math.log(0.99): "That is what one negative loses at p = 0.01; how "
        "often does it go into the loss at p = 0.5?",
        1e5 * -math.log(0.5): "That is the first loss without the prior; "
        "divide it by the one with it.",
        1e5 * -math.log(0.99): "That is the first loss with the prior; how "
        "often does it go into the one without?",
        100 * (1 - math.log(0.99) / math.log(0.5)): "That is by how many per "
        "cent the loss falls; how many times smaller is it?",
        1 - math.log(0.99) / math.log(0.5): "That is the part of the loss "
        "that goes; how many times smaller does it become?",
        172000: "That is about focal loss's factor; we want cross entropy's.",
        100: "Right in kind: minus log 0.99 is about 0.01, but at p = 0.5 "
        "the loss is not 1.",
    },
    hints=(
        "A negative's cross entropy is minus log of 1 - p. Work it out for "
        "both p.",
        "Minus log 0.5 is 0.6931 and minus log 0.99 is 0.01005; the number "
        "of anchors cancels.",
    ),
    why="A negative at p = 0.5 pays 0.6931, at p = 0.01 only 0.01005. The "
    "hundred thousand anchors cancel in the ratio. Focal loss gains far "
    "more, since its factor p squared falls as well, from 0.25 to 0.0001.",
)


prior_positive = Choice(
    "a positive's first focal loss, once the prior is there",
    {
        "it falls, like the background's": (
            "At p = 0.01 a positive is nearly as wrong as can be."
        ),
        "it stays as it was": (
            "The prior moves p for every example, positives among them."
        ),
        "it rises about 7 times, as cross entropy does": (
            "Cross entropy does rise so, from 0.69 to 4.6; now look at the "
            "modulating factor as well."
        ),
        "it rises about 26 times": RIGHT,
        "it rises about 170 000 times": (
            "That is by how much the background's loss falls; a positive's "
            "factor can only go from a quarter to 1."
        ),
    },
    hints=(
        "What is p_t of a positive with p = 0.01, and is it hard or easy?",
        "Its cross entropy goes from 0.693 to 4.605, and its modulating "
        "factor from 0.25 to 0.98: multiply the two changes.",
    ),
    why="A positive starts at p_t = 0.01 instead of 0.5. Its cross entropy "
    "is 6.6 times as large and its modulating factor 3.9 times. Together "
    "that is 26 times.",
)


batch_loss = Fault(
    {
        "def batch_loss(x, y, gamma=2, alpha=0.25):": (
            "gamma = 2 with alpha = 0.25 is the paper's best pair."
        ),
        "    p = 1 / (1 + np.exp(-x))": (
            "That is the sigmoid, which turns a logit into a probability."
        ),
        "    p_t = np.where(y == 1, p, 1 - p)": (
            "That is the probability given to the truth, for either label."
        ),
        "    alpha_t = np.where(y == 1, alpha, 1 - alpha)": (
            "Positives get alpha and negatives 1 - alpha, as in equation 5."
        ),
        "    fl = -alpha_t * (1 - p_t) ** gamma * np.log(p_t)": (
            "That is equation 5, and `.function` agrees with "
            "`sigmoid_focal_loss` up to this line."
        ),
        "    return fl.sum() / len(y)": Repair(
            "    return fl.sum() / max(1, (y == 1).sum())"
        ),
    },
    truth=lambda x, y: (
        sigmoid_focal_loss(x, y, alpha=0.25).sum() / max(1, (y == 1).sum())
    ),
    inputs={
        "x": lambda rng: rng.normal(0, 2, 6).round(2),
        "y": lambda rng: np.array([1, 0, 0, 0, 0, rng.integers(2)]),
    },
    hints=(
        "Each element's loss is right. Add ten thousand easy negatives to a "
        "batch: what should happen to the step that one mistake causes?",
        "The paper's section 4.1 says what the sum is divided by, and it is "
        "not the number of anchors.",
    ),
    why="It divides by all anchors, where the paper divides by those that "
    "were assigned to an object. A hundred thousand easy negatives add "
    "almost nothing to the sum. Dividing by them makes every gradient tiny, "
    "and an image with many objects then counts for more.",
)
