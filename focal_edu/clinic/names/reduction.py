"""Other averages: what becomes of the losses of a batch."""

from ..rules import mean, one_hot
from .variant import (
    CLASSES,
    ELEMENTWISE,
    MANY_ANSWERS,
    UNREDUCED,
    WEIGHTED,
    Variant,
    variant,
)

OF_EXAMPLES = "divided by the examples with a positive"


@variant(
    "mean over classes too",
    "the sum divided by N · C",
    "the loss and its gradient are C times too small",
    seen="itakurah/focal-loss-pytorch#6; kornia 0.9.0 losses/focal.py",
    tasks=CLASSES,
)
def mean_over_classes(elements, weights, truth, batch, factor):
    return elements.sum() / (batch.targets.numel() * batch.classes)


@variant(
    "mean over examples, summed over labels",
    "the sum divided by N, not by N · C",
    "the loss and its gradient are C times larger",
    tasks=MANY_ANSWERS,
)
def mean_over_examples(elements, weights, truth, batch, factor):
    return elements.sum() / len(batch.targets)


@variant(
    "mean over the weights",
    "the sum divided by Σ α_t, as a weighted mean",
    "α balances classes within a batch and no longer sets the size of "
    "the loss; a batch of one class ignores α",
    seen="torch.nn.CrossEntropyLoss, weight with mean",
    alpha=WEIGHTED,
    relative=True,
)
def mean_over_weights(elements, weights, truth, batch, factor):
    return elements.sum() / weights.sum()


@variant(
    "divided by the positives plus one",
    "the sum divided by 1 + the number of positives",
    "batches of few positives count for less than their share",
    tasks=ELEMENTWISE,
)
def over_positives_and_one(elements, weights, truth, batch, factor):
    return elements.sum() / (truth.positive.sum() + 1)


@variant(
    OF_EXAMPLES,
    "the sum divided by the number of examples with a positive, or by 1",
    "the paper's divisor where no example has two positives; with several "
    "the loss is larger",
    seen="torchvision 0.29 models/detection/retinanet.py; detectron2",
    tasks=MANY_ANSWERS,
)
def over_positive_examples(elements, weights, truth, batch, factor):
    return elements.sum() / (batch.targets > 0).any(1).sum().clamp(min=1)


@variant(
    "mean over classes, summed over examples",
    "the sum divided by C, not by N",
    "the loss and its gradient grow with the batch",
    tasks=CLASSES,
)
@variant(
    "mean over labels, summed over examples",
    "the sum divided by C, not by N · C",
    "the loss and its gradient grow with the batch",
    seen="ultralytics, DETR and their relatives",
    tasks=MANY_ANSWERS,
)
def mean_over_labels(elements, weights, truth, batch, factor):
    return elements.sum() / batch.classes


@variant(
    "a map over classes",
    "(N, C) values, zero off the true class, in place of N",
    "a mean taken of it divides by C",
    seen="kornia 0.9.0 losses/focal.py",
    tasks=CLASSES,
    match=UNREDUCED,
)
def class_map(elements, weights, truth, batch, factor):
    return elements.unsqueeze(1) * one_hot(batch)


@variant(
    "one number an example, summed over labels",
    "N sums over C labels, in place of N · C values",
    "a mean taken of them is C times larger",
    seen="TensorFlow Addons, sigmoid_focal_crossentropy",
    tasks=MANY_ANSWERS,
    match=UNREDUCED,
)
def sum_of_each(elements, weights, truth, batch, factor):
    return elements.sum(1)


@variant(
    "one number an example, a mean over labels",
    "N means over C labels, in place of N · C values",
    "a sum taken of them is C times too small",
    tasks=MANY_ANSWERS,
    match=UNREDUCED,
)
def mean_of_each(elements, weights, truth, batch, factor):
    return elements.mean(1)


@variant(
    "one number a class, summed over examples",
    "C sums over the batch, in place of a number for each example",
    "a mean taken of them is a sum over examples, divided by C",
    tasks=(*CLASSES, *MANY_ANSWERS),
    match=UNREDUCED,
)
def sum_of_each_class(elements, weights, truth, batch, factor):
    if elements.ndim < 2:
        elements = elements[:, None] * one_hot(batch)
    return elements.sum(0)


@variant(
    "one number a class, a mean over examples",
    "C means over the batch, in place of a number for each example",
    "a sum taken of them is divided by N, a mean by N · C",
    tasks=(*CLASSES, *MANY_ANSWERS),
    match=UNREDUCED,
)
def mean_of_each_class(elements, *rest):
    return sum_of_each_class(elements, *rest) / len(elements)


@variant(
    "one number a class, a mean over its own examples",
    "C means, each over the examples of its class",
    "a rare class counts as much as a frequent one",
    tasks=CLASSES,
    match=UNREDUCED,
)
def mean_of_its_own(elements, weights, truth, batch, factor):
    counts = one_hot(batch).sum(0).clamp(min=1)
    return sum_of_each_class(elements, weights, truth, batch, factor) / counts


# What needs no rule of its own, since two batches measure it.
DIVIDED = Variant(
    "another divisor",
    "reduction",
    "the sum divided by a number of its own",
    "the size of loss and gradient is not the one you tune for",
    relative=True,
)
SET_BY_THE_BATCH = Variant(
    "weights set by the batch",
    "reduction",
    "weights that each batch's own targets set: how many it has of each "
    "label (shares of classes in their order, or of positives and negatives)",
    "the same example counts for more or less with its neighbours; no "
    "fixed α does that",
    rule=mean,
)
HARDEST = Variant(
    "hard example mining",
    "reduction",
    "only examples with the largest losses count, of one label or of each",
    "easy examples have no gradient, as focusing gives them next to none; "
    "how many count is another number to tune",
    seen="SSD, arXiv:1512.02325: three negatives a positive",
    relative=True,
)
