"""Known mistakes in weights and averages: order, α, reduction."""

from . import orders, rules
from .mistakes import CLASSES, ELEMENTWISE, Variant

IN_THE_BATCH = (
    # In which order
    Variant(
        "weights inside p_t",
        "order",
        orders.weights_inside,
        "p_t read back as exp(−α CE): it is p_t^α, not p_t",
        "a class with a small weight looks easy to the factor and is "
        "muted twice",
        ("gokulprasadthekkel/pytorch-multi-class-focal-loss#1",),
        alpha=("number", "weights"),
    ),
    Variant(
        "modulated after reduction",
        "order",
        orders.after_reduction,
        "one factor for the whole batch, from its mean cross entropy",
        "every example's gradient is cross entropy's times one number: "
        "nothing is focused on anything",
        (
            "zingp/ml-py-lib notebook",
            "ZhaoJ9014/face.evoLVe#180",
            "gokulprasadthekkel/pytorch-multi-class-focal-loss#1",
        ),
    ),
    Variant(
        "modulated after reduction, then weighted",
        "order",
        orders.weighted_last,
        "one factor for the whole batch, from its mean cross entropy, and "
        "α after that",
        "every example's gradient is cross entropy's times one number: "
        "nothing is focused and nothing is balanced",
        (),
        alpha=("number", "weights"),
    ),
    Variant(
        "minus sign lost",
        "order",
        orders.sign_lost,
        "−1 times the focal loss: log p_t is negative",
        "training climbs the loss: every step makes it worse",
    ),
    Variant(
        "factors and losses crossed",
        "order",
        orders.crossed,
        "(N, 1) factors times (N,) cross entropies: N × N products, of "
        "every example's factor with every example's loss",
        "the factor is the batch's mean: nothing is focused on anything",
    ),
    Variant(
        "weights and losses crossed",
        "order",
        orders.crossed_weights,
        "(N, 1) weights times (N,) losses: N × N products, of every "
        "example's weight with every example's loss",
        "the weight is the batch's mean: nothing is balanced",
        alpha=("number", "weights"),
    ),
    Variant(
        "logits and targets crossed",
        "order",
        orders.every_pair,
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
        alpha=("number", "weights"),
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
        alpha=("number", "weights"),
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
        alpha=("number", "weights"),
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
