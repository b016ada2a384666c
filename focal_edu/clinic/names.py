"""The names: what a loss may compute in one place of the focal loss.

To add a name, add one entry to `VARIANTS`: a rule (see `rules`), what it
computes, what that does to training, and where it was seen (a GitHub issue
or pull request by its number). A rule's own numbers are fitted, starting
from those given here; `build` uses them as they stand.
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from types import SimpleNamespace

from . import rules

ALL = ("binary", "multi-class", "multi-label")
ELEMENTWISE = ("binary", "multi-label")
CLASSES = ("multi-class",)
ONE_ANSWER = ("binary", "multi-class")
WEIGHTED = ("number", "weights")
REDUCTIONS = ("mean", "sum", "none", "mean_positive")


@dataclass(frozen=True)
class Variant:
    """One way of writing one part of the loss.

    `alpha` lists the kinds of α it is told apart for: "none", "number",
    "weights"; `extreme` says that it shows only at extreme logits; `alone`
    is the order that it cannot be told from on a single example; `detail`
    holds what was measured.
    """

    name: str
    part: str
    rule: callable
    computes: str
    effect: str
    reported: tuple = ()
    tasks: tuple = ALL
    alpha: tuple = ("none", "number", "weights")
    extreme: bool = False
    numbers: dict = field(default_factory=dict, hash=False)
    alone: callable = rules.each_example
    detail: str = ""

    def __str__(self):
        return f"{self.name} ({self.detail})" if self.detail else self.name


VARIANTS = (
    # Which probability
    Variant(
        "log of a rounded probability",
        "probability",
        rules.rounded,
        "log(softmax(z)), or log p and log(1 − p): p is rounded first",
        "infinite or NaN loss on the examples that are most wrong: the "
        "weights are lost at the first of them",
        ("fudannlp16/focal-loss#4", "mkocabas/focal-loss-keras#17"),
        extreme=True,
    ),
    Variant(
        "log of a rounded probability, summed",
        "probability",
        rules.rounded_products,
        "Σ y log p over both classes: 0 · (−∞) where one p is 0",
        "NaN on saturated examples, also on those that are right",
        ("itakurah/focal-loss-pytorch focal_loss.py",),
        extreme=True,
    ),
    Variant(
        "p_t clipped",
        "probability",
        rules.clipped,
        "p_t clamped to [ε, 1 − ε] before the logarithm",
        "examples with p_t below ε have no gradient at all: the worst "
        "mistakes are never corrected",
        ("artemmavrin/focal-loss#8", "mkocabas/focal-loss-keras#17"),
        numbers={"eps": 1e-7},
    ),
    Variant(
        "p clipped, not p_t",
        "probability",
        rules.clipped_first,
        "p clamped to [ε, 1 − ε], where 1 − ε is rounded",
        "positives with p below ε have no gradient; for ε below 6e-8, "
        "1 − ε is 1 in float32, and negatives have an infinite loss",
        (),
        ELEMENTWISE,
        extreme=True,
        numbers={"eps": 1e-8},
    ),
    Variant(
        "p clipped, not p_t, terms summed",
        "probability",
        rules.clipped_products,
        "p clamped to [ε, 1 − ε], then y log p + (1 − y) log(1 − p)",
        "for ε below 6e-8, 1 − ε is 1 in float32: negatives have an infinite "
        "loss, and NaN reaches positives through 0 · (−∞)",
        (),
        ELEMENTWISE,
        extreme=True,
        numbers={"eps": 1e-8},
    ),
    Variant(
        "eps added inside the log",
        "probability",
        rules.added,
        "log(p_t + ε), the factor left alone",
        "the gradient of examples with p_t below ε fades to nothing",
        ("kornia/kornia#918",),
        numbers={"eps": 1e-7},
    ),
    Variant(
        "eps added to p_t",
        "probability",
        rules.shifted,
        "p_t + ε in the logarithm and in the factor",
        "the gradient of examples with p_t below ε fades to nothing",
        (),
        numbers={"eps": 1e-4},
    ),
    Variant(
        "squashed twice",
        "probability",
        rules.twice,
        "σ(σ(x)), or softmax(softmax(z)): probabilities taken for logits",
        "p_t can never leave a narrow band (0.27 to 0.73 for a sigmoid), "
        "so no example ever becomes easy and gradients stay small",
        ("jcwang0602/MLLMSeg#9",),
    ),
    Variant(
        "squashed twice: sigmoid, then softmax",
        "probability",
        rules.sigmoid_first,
        "softmax(σ(z)): probabilities taken for logits",
        "p_t stays between 1 / (1 + (C − 1) e) and e / (e + C − 1), so no "
        "example ever becomes easy and gradients stay small",
        (),
        CLASSES,
    ),
    Variant(
        "squashed twice: softmax, then sigmoids",
        "probability",
        rules.softmax_first,
        "σ(softmax(z)) for each class: probabilities taken for logits",
        "p stays between 0.5 and 0.73: no class is ever ruled out",
        (),
        CLASSES,
    ),
    Variant(
        "eps added to p_t, by clamped targets",
        "probability",
        rules.blended,
        "p_t + ε (1 − p_t): one-hot targets kept off 0 and 1, and ε on top",
        "the gradient of examples with p_t below ε fades to nothing",
        ("SegLossOdyssey losses_pytorch/focal_loss.py",),
        numbers={"eps": 1e-4},
    ),
    Variant(
        "logits scaled or shifted",
        "probability",
        rules.stretched,
        "the focal loss of a x_t + b, not of x_t",
        "a scale is an inverse temperature, a shift is a margin: the same "
        "outputs count as easier or harder than they are",
        numbers={"scale": 1.5, "shift": 0.5},
    ),
    Variant(
        "label smoothing",
        "probability",
        rules.smoothed,
        "cross entropy with smoothed labels, the factor of the true p_t",
        "confident right answers are pushed back by the smoothing share of "
        "the loss, unless their factor has muted them first",
        ("torch.nn.CrossEntropyLoss, label_smoothing",),
        ONE_ANSWER,
        numbers={"share": 0.1},
    ),
    Variant(
        "label smoothing, p_t read back",
        "probability",
        rules.smoothed_and_read_back,
        "cross entropy with smoothed labels, and p_t = exp(−CE) of it",
        "p_t is no longer a probability and never nears 1: no example "
        "becomes easy",
        ("torch.nn.CrossEntropyLoss, label_smoothing",),
        ONE_ANSWER,
        numbers={"share": 0.1},
    ),
    Variant(
        "label smoothing of the targets",
        "probability",
        rules.smoothed_targets,
        "Σ y_k FL_k with smoothed y: each class has its own factor",
        "the focal loss of soft targets: right classes are pulled below 1",
        (),
        ONE_ANSWER,
        alpha=("none",),
        numbers={"share": 0.1},
    ),
    Variant(
        "margin for negatives",
        "probability",
        rules.margin_for_negatives,
        "max(p − m, 0) in place of p for negatives (ASL)",
        "negatives with p below the margin have no gradient at all: good "
        "against wrong labels, and meant",
        ("Alibaba-MIIL/ASL src/loss_functions/losses.py",),
        ELEMENTWISE,
        numbers={"margin": 0.05},
    ),
    Variant(
        "softmax over the batch",
        "probability",
        rules.over_the_batch,
        "softmax along axis 0: examples compete, classes do not",
        "the loss depends on which examples share a batch",
        ("clcarwin/sphereface_pytorch#24",),
        CLASSES,
    ),
    Variant(
        "one against rest",
        "probability",
        rules.one_against_rest,
        "a sigmoid for each class, with the C − 1 wrong classes as "
        "negatives: C binary losses, not one softmax loss",
        "classes no longer compete; outputs do not sum to 1, and at the "
        "start negatives make up C − 1 parts in C of the loss",
        ("segmentation-models-pytorch 0.6.0 losses/focal.py",),
        CLASSES,
    ),
    # Which factor
    Variant(
        "power taken of a rounded factor",
        "factor",
        rules.framework_power,
        "(1 − p_t) ** γ, differentiated by the framework",
        "for γ < 1 the slope of the power is infinite at p_t = 1: NaN "
        "gradients from examples that are right",
        ("kornia/kornia#918", "kaidic/LDAM-DRW#17"),
        extreme=True,
    ),
    Variant(
        "p_t detached",
        "factor",
        rules.detached,
        "(1 − p_t)^γ as a constant weight: right value, wrong gradient",
        "the gradient is smaller than focal loss's, by up to 1 + γ on easy "
        "examples; it never rises above cross entropy's",
        ("clcarwin/focal_loss_pytorch#5", "openpifpaf/openpifpaf#244"),
    ),
    Variant(
        "gamma multiplied",
        "factor",
        rules.multiplied,
        "γ (1 − p_t) CE in place of (1 − p_t)^γ CE",
        "γ only rescales the loss; the focusing is that of γ = 1",
        (),
    ),
    Variant(
        "gamma multiplied in positives",
        "factor",
        rules.multiplied_in_positives,
        "γ (1 − p) for positives, p^γ for negatives",
        "positives are weighted up and focused as by γ = 1",
        ("fudannlp16/focal-loss#2", "fudannlp16/focal-loss#8"),
        ELEMENTWISE,
    ),
    Variant(
        "wrong negative branch",
        "factor",
        rules.power_lost_in_negatives,
        "p for negatives in place of p^γ",
        "easy negatives stay loud: with many of them they drown the rest, "
        "which is what γ was to prevent",
        ("kyle-paul/computer-vision notebook",),
        ELEMENTWISE,
    ),
    Variant(
        "negatives focused on the easy",
        "factor",
        rules.inverted_in_negatives,
        "(1 − p)^γ for negatives in place of p^γ",
        "negatives that are already right are learned, false alarms are not",
        ("yqyao/SSD_Pytorch#32",),
        ELEMENTWISE,
    ),
    Variant(
        "focused on the easy",
        "factor",
        rules.inverted,
        "p_t^γ in place of (1 − p_t)^γ",
        "hard examples go quiet and easy ones stay loud",
        (),
    ),
    Variant(
        "log probability for probability",
        "factor",
        rules.logarithm_for_probability,
        "(1 − log p_t)^γ: the logarithm stands where p_t should",
        "the factor is above 1 and grows with the error: a loss steeper "
        "than cross entropy, with no easy part",
        ("HeyLynne/FocalLoss_for_multiclass#3", "DingKe/pytorch_workplace#1"),
    ),
    Variant(
        "cross entropy",
        "factor",
        rules.absent,
        "no modulating factor: γ has no effect",
        "easy examples are as loud as in cross entropy",
        (),
    ),
    Variant(
        "another gamma for negatives",
        "factor",
        rules.two_powers,
        "(1 − p)^γ for positives, p^γ' for negatives",
        "negatives are focused more, or less, than positives: γ' moves the "
        "balance as α does (ASL; varifocal where positives have 0)",
        ("Alibaba-MIIL/ASL src/loss_functions/losses.py",),
        ELEMENTWISE,
        numbers={"negative": 4.0},
    ),
    Variant(
        "eps in the factor",
        "factor",
        rules.eps_in_the_factor,
        "(1 − p_t + ε)^γ in place of (1 − p_t)^γ",
        "the easiest examples keep ε^γ of their cross entropy; harmless "
        "while ε is small",
        ("ultralytics/yolov5 utils/loss.py",),
        numbers={"eps": 1e-4},
    ),
    Variant(
        "FL*",
        "factor",
        rules.star,
        "−log σ(γ x_t + β) / γ: FL* of the paper's appendix A",
        "close to focal loss (AP 33.8 and 33.9 for 34.0 in the paper), with "
        "another gradient: never above cross entropy's",
        ("arXiv:1708.02002, appendix A",),
        numbers={"beta": 1.0},
    ),
    Variant(
        "a power of 1 - p_t added",
        "factor",
        rules.poly,
        "(1 − p_t)^γ CE + ε (1 − p_t)^(γ + 1): PolyLoss",
        "the gradient of middling examples grows; hopeless ones get nothing "
        "more from the added term",
        ("Leng et al. 2022, arXiv:2204.12511",),
        numbers={"epsilon": 1.0},
    ),
    Variant(
        "cross entropy added",
        "factor",
        rules.entropy_added,
        "((1 − p_t)^γ + c) CE: focal loss plus cross entropy",
        "easy examples keep the share c of cross entropy's gradient",
        (),
        numbers={"share": 0.5},
    ),
    Variant(
        "reduced focal loss",
        "factor",
        rules.reduced,
        "no factor below a threshold of p_t, ((1 − p_t) / threshold)^γ above",
        "hard examples are treated as by cross entropy; only easy ones are "
        "muted",
        ("Sergievskiy & Ponamarev 2019, arXiv:1903.01347",),
        numbers={"threshold": 0.5},
    ),
    # In which order
    Variant(
        "cross entropy for p_t",
        "order",
        rules.entropy_for_probability,
        "−(1 − CE)^γ log CE of each example: CE stands where p_t should",
        "it has its minimum at CE = 1 and falls without end as CE grows: "
        "training does not lower the cross entropy",
        ("c0nn3r/RetinaNet",),
        alone=rules.entropy_for_probability,
    ),
    Variant(
        "mean cross entropy for p_t",
        "order",
        rules.mean_entropy_for_probability,
        "−(1 − CE)^γ log CE of the batch's mean CE, where p_t should stand",
        "it has its minimum at CE = 1 and falls without end as CE grows: "
        "training does not lower the cross entropy",
        ("c0nn3r/RetinaNet",),
        ONE_ANSWER,
        alpha=("none",),
        alone=rules.entropy_for_probability,
    ),
    Variant(
        "weights inside p_t",
        "order",
        rules.weights_inside,
        "p_t read back as exp(−α CE): it is p_t^α, not p_t",
        "a class with a small weight looks easy to the factor and is "
        "muted twice",
        ("gokulprasadthekkel/pytorch-multi-class-focal-loss#1",),
        alpha=WEIGHTED,
        alone=rules.weights_inside,
    ),
    Variant(
        "modulated after reduction",
        "order",
        rules.after_reduction,
        "one factor for the whole batch, from its mean cross entropy",
        "every example's gradient is cross entropy's times one number: "
        "nothing is focused on anything",
        (
            "zingp/ml-py-lib notebook",
            "ZhaoJ9014/face.evoLVe#180",
            "gokulprasadthekkel/pytorch-multi-class-focal-loss#1",
        ),
        alone=rules.weights_inside,
    ),
    Variant(
        "modulated after reduction, then weighted",
        "order",
        rules.weighted_last,
        "one factor for the whole batch, from its mean cross entropy, and "
        "α after that",
        "every example's gradient is cross entropy's times one number: "
        "nothing is focused and nothing is balanced",
        (),
        alpha=WEIGHTED,
    ),
    Variant(
        "minus sign lost",
        "order",
        rules.sign_lost,
        "−1 times the focal loss: log p_t is negative",
        "training climbs the loss: every step makes it worse",
    ),
    Variant(
        "factors and losses crossed",
        "order",
        rules.crossed,
        "(N, 1) factors times (N,) cross entropies: N × N products, of "
        "every example's factor with every example's loss",
        "the factor is the batch's mean: nothing is focused on anything",
    ),
    Variant(
        "weights and losses crossed",
        "order",
        rules.crossed_weights,
        "(N, 1) weights times (N,) losses: N × N products, of every "
        "example's weight with every example's loss",
        "the weight is the batch's mean: nothing is balanced",
        alpha=WEIGHTED,
    ),
    Variant(
        "logits and targets crossed",
        "order",
        rules.every_pair,
        "(N, 1) logits against (N,) targets: N × N losses, of every logit "
        "under every target",
        "every logit is drawn to the share of positives: nothing is learned",
        tasks=("binary",),
    ),
    # Which weights
    Variant(
        "alpha ignored",
        "alpha",
        rules.ignored,
        "no α at all",
        "the balance asked for is not applied",
        ("Keras 3.15, unless apply_class_balancing",),
        alpha=WEIGHTED,
    ),
    Variant(
        "alpha to the negatives",
        "alpha",
        rules.swapped,
        "1 − α for positives, α for negatives",
        "the balance is turned round: α = 0.25 gives positives 0.75",
        ("unsky/focal-loss#9", "fudannlp16/focal-loss#6"),
        ELEMENTWISE,
        alpha=("number",),
    ),
    Variant(
        "alpha to both",
        "alpha",
        rules.alike,
        "α for positives and negatives alike",
        "only the learning rate changes; nothing is balanced",
        ("mkocabas/focal-loss-keras#6", "qubvel/segmentation_models#187"),
        ELEMENTWISE,
        alpha=("number",),
    ),
    Variant(
        "alpha to positives only",
        "alpha",
        rules.positives_only,
        "α for positives, 1 for negatives",
        "an α below 0.5 tips the balance further to negatives than the "
        "paper's does",
        ("artemmavrin/focal-loss#8",),
        ELEMENTWISE,
        alpha=("number",),
    ),
    Variant(
        "alpha to every class",
        "alpha",
        rules.alike,
        "one α on all classes alike",
        "only the learning rate changes; nothing is balanced",
        ("kornia/kornia#875", "zimenglan-sysu-512/Focal-Loss#8"),
        CLASSES,
        alpha=("number",),
    ),
    Variant(
        "alpha to class 0",
        "alpha",
        rules.swapped,
        "α for class 0, 1 − α for every other class",
        "α = 0.25 mutes class 0, where the paper's mutes the foreground",
        ("yatengLG/Focal-Loss-Pytorch#4", "clcarwin/focal_loss_pytorch#10"),
        CLASSES,
        alpha=("number",),
    ),
    Variant(
        "1 - alpha to class 0",
        "alpha",
        rules.paired,
        "1 − α for class 0 as background, α for every other class",
        "the paper's rule if class 0 is the background; otherwise an "
        "accident of numbering",
        ("kornia 0.9.0 losses/focal.py", "MONAI 1.6 losses/focal_loss.py"),
        CLASSES,
        alpha=("number",),
    ),
    Variant(
        "alpha applied twice",
        "alpha",
        rules.squared,
        "α² in place of α",
        "the balance asked for is overdone",
        ("mathiaszinnen/focal_loss_torch#13",),
        alpha=WEIGHTED,
    ),
    Variant(
        "alpha overwritten",
        "alpha",
        rules.overwritten,
        "the α of the batch's labels, kept as the class weights: the next "
        "call looks classes up among the last batch's examples",
        "right once; then weights follow the order of the last batch, and "
        "a label beyond its length stops the run",
        ("yatengLG/Focal-Loss-Pytorch#5", "yatengLG/Focal-Loss-Pytorch#9"),
        CLASSES,
        alpha=("weights",),
    ),
    # Which average
    Variant(
        "mean over classes too",
        "reduction",
        rules.mean_over_classes,
        "the sum divided by N · C",
        "the loss and its gradient are C times too small: a learning rate "
        "tuned for another loss is too low",
        ("itakurah/focal-loss-pytorch#6", "kornia 0.9.0 losses/focal.py"),
        CLASSES,
    ),
    Variant(
        "mean over examples, summed over labels",
        "reduction",
        rules.mean_over_examples,
        "the sum divided by N, not by N · C",
        "the loss and its gradient are C times larger",
        (),
        ("multi-label",),
    ),
    Variant(
        "mean over the weights",
        "reduction",
        rules.mean_over_weights,
        "the sum divided by Σ α_t, as a weighted mean",
        "α balances classes within a batch and no longer sets the size of "
        "the loss; a batch of one class ignores α",
        ("torch.nn.CrossEntropyLoss, weight with mean",),
        alpha=WEIGHTED,
    ),
    Variant(
        "divided by the positives plus one",
        "reduction",
        rules.over_positives_and_one,
        "the sum divided by 1 + the number of positives",
        "batches of few positives count for less than their share",
        (),
        ELEMENTWISE,
    ),
    Variant(
        "mean over labels, summed over examples",
        "reduction",
        rules.mean_over_labels,
        "the sum divided by C, not by N · C",
        "the loss and its gradient grow with the batch",
        ("ultralytics, DETR and their relatives",),
        ("multi-label",),
    ),
    Variant(
        "divided by the sum of the factors",
        "reduction",
        rules.over_factors,
        "Σ FL / Σ (1 − p_t)^γ: normalised focal loss",
        "the loss keeps cross entropy's size; as examples become easy the "
        "hard ones get more, and each example moves the others' gradients",
    ),
    Variant(
        "divided by the sum of the factors, detached",
        "reduction",
        rules.over_factors_detached,
        "Σ FL / Σ (1 − p_t)^γ, the divisor without a gradient",
        "the loss keeps cross entropy's size; as examples become easy the "
        "hard ones get more",
    ),
    Variant(
        "divided by the sum of weights and factors",
        "reduction",
        rules.over_weighted_factors,
        "Σ FL / Σ α_t (1 − p_t)^γ: normalised focal loss",
        "the loss keeps cross entropy's size, α balances within a batch only",
        alpha=WEIGHTED,
    ),
    Variant(
        "a map over classes",
        "reduction",
        rules.class_map,
        "(N, C) values, zero off the true class, in place of N",
        "a mean taken of it divides by C",
        ("kornia 0.9.0 losses/focal.py",),
        CLASSES,
    ),
)


PARTS = ("probability", "factor", "order", "alpha", "reduction")
RIGHT = {
    "probability": rules.stable,
    "factor": rules.focal,
    "order": rules.each_example,
    "alpha": rules.paired,
    "reduction": {
        "none": rules.unreduced,
        "mean": rules.mean,
        "sum": rules.total,
        "mean_positive": rules.mean_positive,
    },
}


def right(part, reduction="mean"):
    """Return the rule that leaves the loss as the paper writes it."""
    rule = RIGHT[part]
    return rule[reduction] if part == "reduction" else rule


def named(name):
    """Return the variant of that name."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    names = ", ".join(sorted(variant.name for variant in VARIANTS))
    raise ValueError(f"no variant is called {name!r}; there are {names}")


def build(
    *changes,
    task="binary",
    gamma=2.0,
    alpha=None,
    reduction="mean",
    **numbers,
):
    """Return the loss that `changes` make of the focal loss.

    Parameters
    ----------
    *changes : str or Variant
        None of them: the focal loss itself. At most one for each part.
    task : "binary", "multi-class" or "multi-label"
    gamma, alpha, reduction
        As in `focal_edu.FocalLoss`; class weights may be any sequence.
    **numbers : float, optional
        For the variants that have some, as `eps`; None takes theirs.

    Returns
    -------
    callable of (logits, targets), differentiable PyTorch tensors
    """
    changes = [named(c) if isinstance(c, str) else c for c in changes]
    for one, other in combinations(changes, 2):
        if one.part == other.part:
            raise ValueError(
                f"changes must be one for each part, got {one.name!r} and "
                f"{other.name!r}, both of the {one.part}"
            )
    parts = {part: right(part, reduction) for part in PARTS}
    for change in changes:
        own = {
            name: value if numbers.get(name) is None else numbers[name]
            for name, value in change.numbers.items()
        }
        parts[change.part] = (
            partial(change.rule, **own) if own else change.rule
        )
    alpha = tuple(alpha) if hasattr(alpha, "__len__") else alpha
    return BuiltLoss(parts, gamma, SimpleNamespace(alpha=alpha))


@dataclass
class BuiltLoss:
    """A loss put together from five rules."""

    parts: dict
    focusing: float
    kept: SimpleNamespace

    def __call__(self, logits, targets):
        batch = rules.batch_of(logits, targets)
        return self.given(self.parts["probability"](batch), batch)

    def given(self, truth, batch):
        """Return the loss where the probabilities are known."""
        weights = self.parts["alpha"](self.kept, truth, batch)
        factor = partial(self.parts["factor"], gamma=self.focusing)
        return self.parts["order"](
            truth,
            weights,
            factor,
            lambda elements: self.parts["reduction"](
                elements, weights, truth, batch, factor
            ),
        )
