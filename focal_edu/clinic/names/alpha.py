"""Which weights: what is made of α.

`alpha` is None, a number, or a tuple of one number a class or an output;
`table` holds the weights that the paper makes of it, as `rules.table_of`.
"""

import torch

from .variant import CLASSES, ELEMENTWISE, WEIGHTED, variant


@variant(
    "alpha ignored",
    "no α at all",
    "the balance asked for is not applied",
    seen="Keras 3.15, unless apply_class_balancing",
    alpha=WEIGHTED,
)
def ignored(alpha, table):
    return torch.ones_like(table)


@variant(
    "alpha to class 0",
    "α for class 0, 1 − α for every other class",
    "α = 0.25 mutes class 0, where the paper's mutes the foreground",
    seen="yatengLG/Focal-Loss-Pytorch#4; clcarwin/focal_loss_pytorch#10",
    tasks=CLASSES,
    alpha=("number",),
)
@variant(
    "alpha to the negatives",
    "1 − α for positives, α for negatives",
    "the balance is turned round: α = 0.25 gives positives 0.75",
    seen="unsky/focal-loss#9; fudannlp16/focal-loss#6",
    tasks=ELEMENTWISE,
    alpha=("number",),
)
def swapped(alpha, table):
    return 1 - table


@variant(
    "alpha to every class",
    "one α on all classes alike",
    "only the learning rate changes; nothing is balanced",
    seen="kornia/kornia#875; zimenglan-sysu-512/Focal-Loss#8",
    tasks=CLASSES,
    alpha=("number",),
)
@variant(
    "alpha to both",
    "α for positives and negatives alike",
    "only the learning rate changes; nothing is balanced",
    seen="mkocabas/focal-loss-keras#6; qubvel/segmentation_models#187",
    tasks=ELEMENTWISE,
    alpha=("number",),
)
def alike(alpha, table):
    return torch.full_like(table, alpha)


@variant(
    "alpha to positives only",
    "α for positives, 1 for negatives",
    "an α below 0.5 tips the balance further to negatives",
    seen="artemmavrin/focal-loss#8",
    tasks=ELEMENTWISE,
    alpha=("number",),
)
def positives_only(alpha, table):
    return torch.stack([torch.ones_like(table[1]), table[1]])


@variant(
    "negatives left out",
    "α_t for positives, nothing for negatives",
    "every output is driven up, whatever it is shown",
    tasks=ELEMENTWISE,
)
def without_negatives(alpha, table):
    return table * table.new_tensor([[0], [1]])


@variant(
    "positives left out",
    "α_t for negatives, nothing for positives",
    "every output is driven down, whatever it is shown",
    tasks=ELEMENTWISE,
)
def without_positives(alpha, table):
    return table * table.new_tensor([[1], [0]])


@variant(
    "1 - alpha to class 0",
    "1 − α for class 0 as background, α for every other class",
    "the paper's rule if class 0 is the background; otherwise an "
    "accident of numbering",
    seen="kornia 0.9.0 losses/focal.py; MONAI 1.6 losses/focal_loss.py",
    tasks=CLASSES,
    alpha=("number",),
)
def background_apart(alpha, table):
    return table


@variant(
    "alpha applied twice",
    "α² in place of α; at γ = 2 perhaps as (α (1 − p_t))^γ",
    "the balance asked for is overdone",
    seen="mathiaszinnen/focal_loss_torch#13",
    alpha=WEIGHTED,
)
def squared(alpha, table):
    return table**2


@variant(
    "alpha overwritten",
    "the α of the batch's labels, kept as the class weights: the next "
    "call looks classes up among the last batch's examples",
    "right once; then weights follow the order of the last batch",
    seen="yatengLG/Focal-Loss-Pytorch#5; yatengLG/Focal-Loss-Pytorch#9",
    tasks=CLASSES,
    alpha=("weights",),
)
def overwritten(alpha, table):
    return table
