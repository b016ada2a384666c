"""Known mistakes that a single example shows: its probability, its factor.

Each row says what is computed, what that does to training, and where it
was reported or can be read (a GitHub issue or pull request by its number).
"""

from dataclasses import dataclass

from . import rules

ALL = ("binary", "multi-class", "multi-label")
ELEMENTWISE = ("binary", "multi-label")
CLASSES = ("multi-class",)


@dataclass(frozen=True)
class Variant:
    """One way of writing one part of the loss.

    `alpha` lists the kinds of α it is told apart for: "none", "number",
    "weights"; `extreme` says that it shows only at extreme logits;
    `reads_as` names the task whose α it then takes.
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
    eps: float | None = None
    reads_as: str | None = None


IN_THE_EXAMPLE = (
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
        eps=1e-7,
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
        eps=1e-8,
    ),
    Variant(
        "eps added inside the log",
        "probability",
        rules.added,
        "log(p_t + ε), the factor left alone",
        "the gradient of examples with p_t below ε fades to nothing",
        ("kornia/kornia#918",),
        eps=1e-7,
    ),
    Variant(
        "eps added to p_t",
        "probability",
        rules.shifted,
        "p_t + ε in the logarithm and in the factor",
        "the gradient of examples with p_t below ε fades to nothing",
        (),
        eps=1e-4,
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
        reads_as="multi-label",
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
)
