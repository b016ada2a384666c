"""A one-stage detector small enough to read, after RetinaNet (Lin et al.
2017): anchors, targets, network, loss, detections, average precision.

N scenes have A anchors each, K classes and M objects. A box is left, top,
right, bottom, in pixels.
"""

from math import log
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

STRIDES = (4, 8)  # two levels: an anchor every 4 pixels, and every 8
SIZES = ((7.0, 9.0), (10.0, 14.0))  # width and height of a level's anchors
CLASSES = 10
BACKGROUND, IGNORED = -1, -2


def anchors(size):
    """Return the anchors of a scene `size` pixels wide and high, (A, 4)."""
    levels = []
    for stride, shape in zip(STRIDES, SIZES, strict=True):
        at = torch.arange(stride / 2, size, stride)
        y, x = torch.meshgrid(at, at, indexing="ij")
        center, half = torch.stack([x, y], -1), torch.tensor(shape) / 2
        boxes = torch.cat([center - half, center + half], -1)
        levels.append(boxes.reshape(-1, 4))
    return torch.cat(levels)


def iou(boxes, others):
    """Return the intersection over union of each pair of boxes.

    (..., P, 4) and (..., Q, 4) -> (..., P, Q)
    """
    one, other = boxes.unsqueeze(-2), others.unsqueeze(-3)
    first = torch.maximum(one[..., :2], other[..., :2])
    last = torch.minimum(one[..., 2:], other[..., 2:])
    shared = (last - first).clamp(min=0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


class Targets(NamedTuple):
    """What each anchor should say."""

    labels: torch.Tensor  # (N, A): a class, BACKGROUND or IGNORED
    boxes: torch.Tensor  # (N, A, 4): of the object that overlaps it most


def assign(anchors, boxes, labels, *, low=0.4, high=0.5):
    """Return the targets of all anchors, by their overlap with the objects.

    An anchor is given to an object if their IoU is `high` or more, or if no
    anchor overlaps that object more. Of the others those below `low` are
    background; those in the band between are ignored.

    Parameters
    ----------
    anchors : tensor, (A, 4)
    boxes, labels : tensors, (N, M, 4) and (N, M)
        The objects. A label of -1 says that the object is not to be known.

    Notes
    -----
    Lin et al. 2017, section 4; the second way in is Faster R-CNN's.
    """
    shape = len(boxes), len(anchors)
    if boxes.shape[1] == 0:
        nothing = torch.full(shape, BACKGROUND, device=anchors.device)
        return Targets(nothing, anchors.expand(*shape, 4))
    overlap = iou(anchors, boxes)  # (N, A, M)
    overlap = overlap.masked_fill(labels[:, None] < 0, 0)
    closest = (overlap == overlap.amax(1, keepdim=True)) & (overlap > 0)
    best, index = (overlap + closest).max(2)  # a closest anchor's is above 1
    given = labels.gather(1, index)
    given = given.where(best >= low, BACKGROUND)
    given = given.where((best < low) | (best >= high), IGNORED)
    return Targets(given, boxes.gather(1, index[..., None].expand(*shape, 4)))


def encode(anchors, boxes):
    """Return how boxes differ from their anchors: shift and log of scale."""
    a, b = (_centered(x) for x in (anchors, boxes))
    return torch.cat([(b[0] - a[0]) / a[1], (b[1] / a[1]).log()], -1)


def decode(anchors, offsets):
    """Return the boxes that differ from their anchors by `offsets`."""
    center, size = _centered(anchors)
    center = center + offsets[..., :2] * size
    half = size * offsets[..., 2:].clamp(max=2).exp() / 2
    return torch.cat([center - half, center + half], -1)


def _centered(boxes):
    first, last = boxes[..., :2], boxes[..., 2:]
    return (first + last) / 2, last - first


def _block(channels, width, side, *, stride=1):
    yield nn.Conv2d(
        channels, width, side, stride, padding=side // 2, bias=False
    )
    yield nn.BatchNorm2d(width)
    yield nn.ReLU()


class Detector(nn.Module):
    """A few convolutions: K logits and four offsets for each anchor.

    (N, size, size) -> (N, A, K) and (N, A, 4). `prior` is the probability
    of each class at every anchor before training, by the last bias: Lin et
    al. 2017, section 4.1. Both levels share the last two convolutions.
    """

    def __init__(self, prior=0.01, width=32):
        super().__init__()
        self.stem = nn.Sequential(
            *_block(1, width // 4, 5, stride=2),
            *_block(width // 4, width, 3, stride=2),
            *_block(width, width, 3),
        )
        self.down = nn.Sequential(*_block(width, width, 3, stride=2))
        self.scores = nn.Conv2d(width, CLASSES, 3, padding=1)
        self.offsets = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -log((1 - prior) / prior))
        self.to(memory_format=torch.channels_last)  # a fifth faster

    def forward(self, images):
        fine = self.stem(images[:, None])
        levels = fine, self.down(fine)
        return tuple(
            torch.cat([head(x).flatten(2) for x in levels], 2).mT
            for head in (self.scores, self.offsets)
        )


def detector_loss(logits, offsets, targets, classification, *, box_weight):
    """Return the loss of a batch, divided by the number of positive anchors.

    ``classification(logits, one_hot)``, of shapes (P, K), gives losses that
    are summed. It sees K yes-or-no questions for each of the P anchors that
    are not ignored; for background the answer is no to all of them.
    """
    labels, boxes = targets
    positive, seen = labels >= 0, labels != IGNORED
    one_hot = F.one_hot(labels.clamp(min=0), CLASSES) * positive[..., None]
    scores = classification(logits[seen], one_hot[seen].to(logits))
    box = F.smooth_l1_loss(
        offsets[positive], boxes[positive], beta=0.1, reduction="sum"
    )
    count = positive.sum().clamp(min=1)
    return (scores.sum() + box_weight * box) / count


def hard_example_mining(logits, one_hot, *, ratio=3):
    """Return the cross entropy of all positives and the hardest negatives.

    `ratio` negatives are kept for each positive: Shrivastava et al. 2016 as
    in Lin et al. 2017, section 5.1, without its suppression.
    """
    ce = F.binary_cross_entropy_with_logits(logits, one_hot, reduction="none")
    ce, positive = ce.sum(1), one_hot.any(1)
    negatives, most = ce[~positive], ratio * int(positive.sum())
    hardest = negatives.topk(min(most, len(negatives))).values
    return torch.cat([ce[positive], hardest])


def train(
    classification,
    scenes,
    *,
    seed,
    rate=0.01,
    steps=500,
    batch=8,
    box_weight=0.25,
    prior=0.01,
    device="cpu",
    watch=None,
):
    """Return a detector trained on `scenes` by Adam, its rate falling to 0.

    ``watch(step, model)`` is called before each step.
    """
    torch.manual_seed(seed)
    model = Detector(prior).to(device)
    images, boxes, labels = (torch.as_tensor(x).to(device) for x in scenes)
    at = anchors(images.shape[-1]).to(device)
    labels, boxes = assign(at, boxes.float(), labels)
    offsets = encode(at, boxes)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0, steps)
    for step in range(steps):
        if watch:
            watch(step, model)
        rows = torch.randint(len(images), (batch,)).to(device)
        targets = Targets(labels[rows], offsets[rows])
        loss = detector_loss(
            *model(images[rows]),
            targets,
            classification,
            box_weight=box_weight,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    return model.eval()


class Detections(NamedTuple):
    """The most confident boxes of each scene, best first."""

    boxes: torch.Tensor  # (N, D, 4)
    scores: torch.Tensor  # (N, D); 0 where a better box was kept instead
    labels: torch.Tensor  # (N, D)


@torch.no_grad()
def outputs(model, images):
    """Return the logits and offsets of many scenes, 25 at a time.

    All at once would keep some hundred megabytes for each layer.
    """
    parts = [model(part) for part in images.split(25)]
    return tuple(map(torch.cat, zip(*parts, strict=True)))


@torch.no_grad()
def detect(model, images, *, most=20, overlap=0.5):
    """Return the `most` best boxes of each scene after suppression.

    Non-maximum suppression: from the best on, a box goes if its IoU with
    a better one of the same class, itself kept, is above `overlap`.
    """
    at = anchors(images.shape[-1]).to(images.device)
    logits, offsets = outputs(model, images)
    scores, index = logits.sigmoid().flatten(1).topk(most)
    anchor, labels = index // CLASSES, index % CLASSES
    chosen = offsets.gather(1, anchor[..., None].expand(-1, -1, 4))
    boxes = decode(at[anchor], chosen)
    rivals = (iou(boxes, boxes) > overlap) & (
        labels[:, None] == labels[..., None]
    )
    kept = torch.ones_like(scores, dtype=torch.bool)
    for rank in range(1, most):
        better = rivals[:, rank, :rank] & kept[:, :rank]
        kept[:, rank] = ~better.any(1)
    return Detections(boxes, scores * kept, labels)


THRESHOLDS = torch.arange(0.5, 1, 0.05)


def matched(detections, boxes, labels, thresholds=THRESHOLDS):
    """Return whether each detection is right, at each threshold, (N, D, T).

    It is if it overlaps an object of its class by the threshold or more,
    and no better detection has found that object.
    """
    overlap = iou(detections.boxes, boxes)  # (N, D, M)
    same = detections.labels[..., None] == labels[:, None]
    overlap = overlap.where(same & (detections.scores > 0)[..., None], 0)
    free = torch.ones(len(boxes), len(thresholds), boxes.shape[1]).bool()
    right = []
    for one in overlap.unbind(1):  # (N, M), the best detection first
        allowed = one[:, None] * free  # (N, T, M)
        best, index = allowed.max(2, keepdim=True)
        hit = best >= thresholds[:, None]
        free = free.scatter(2, index, free.gather(2, index) & ~hit)
        right.append(hit[..., 0])
    return torch.stack(right, 1)


def average_precision(detections, boxes, labels, thresholds=THRESHOLDS):
    """Return AP at each IoU threshold, averaged over the classes, (T,).

    COCO's: precision is made to fall with recall, and read at the recalls
    0, .01, ..., 1.
    """
    right = matched(detections, boxes, labels, thresholds)  # (N, D, T)
    real = detections.scores > 0
    per_class = []
    for label in labels.unique():
        mine = real & (detections.labels == label)
        order = detections.scores[mine].argsort(descending=True, stable=True)
        found = right[mine][order].double().cumsum(0)  # (d, T)
        rank = torch.arange(1, len(found) + 1)[:, None]
        precision = (found / rank).flip(0).cummax(0)[0].flip(0)
        recall = found / (labels == label).sum()
        at = torch.linspace(0, 1, 101, dtype=torch.double)
        at = at.expand(len(thresholds), -1).contiguous()
        first = torch.searchsorted(recall.T.contiguous(), at)  # (T, 101)
        padded = F.pad(precision, (0, 0, 0, 1))
        per_class.append(padded.T.gather(1, first).mean(1))
    return torch.stack(per_class).mean(0)
