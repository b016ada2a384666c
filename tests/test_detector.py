"""Lesson 06's detector beside second opinions: COCO's own evaluation, a
brute-force assignment, and the closed form of its first loss."""

import contextlib
import io
from math import log

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from focal_edu import detector, recorded
from focal_edu.detector import BACKGROUND, IGNORED
from focal_edu.digits import detection_scenes
from focal_edu.pytorch import sigmoid_focal_loss


def tensors(scenes):
    images, boxes, labels = (torch.as_tensor(part) for part in scenes)
    return images, boxes.float(), labels


def focal(gamma, alpha):
    return lambda x, y: sigmoid_focal_loss(
        x, y, gamma=gamma, alpha=alpha, reduction="sum"
    )


def random_boxes(rng, *shape):
    first = rng.uniform(0, 50, (*shape, 2))
    return np.concatenate(
        [first, first + rng.uniform(5, 25, first.shape)], -1
    )


def overlap(one, other):
    """IoU of two boxes, a pixel at a time, for boxes of whole pixels."""
    cells = [
        {(x, y) for x in range(int(a), int(c)) for y in range(int(b), int(d))}
        for a, b, c, d in (one, other)
    ]
    return len(cells[0] & cells[1]) / len(cells[0] | cells[1])


def test_iou_counts_pixels():
    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, 12).round()
    boxes[:6, 2:] = boxes[:6, :2] + [7, 9]
    found = detector.iou(*torch.as_tensor(boxes).split(6))
    for i, one in enumerate(boxes[:6]):
        for j, other in enumerate(boxes[6:]):
            assert found[i, j] == pytest.approx(overlap(one, other))


def test_there_is_an_anchor_for_every_four_and_every_eight_pixels():
    at = detector.anchors(80)
    assert len(at) == 20 * 20 + 10 * 10
    assert at[0].tolist() == [-1.5, -2.5, 5.5, 6.5]
    assert at[1, 0] - at[0, 0] == 4 and at[401, 0] - at[400, 0] == 8


def by_brute_force(anchors, boxes, labels):
    """The rule of `assign`, anchor by anchor, for one scene."""
    overlaps = [[share(a, b) for b in boxes] for a in anchors]
    answers = []
    for row in overlaps:
        m = int(np.argmax(row))
        answers.append(
            labels[m] if row[m] >= 0.5
            else IGNORED if row[m] >= 0.4
            else BACKGROUND
        )  # fmt: skip
    for m, label in enumerate(labels):
        column = [row[m] for row in overlaps]
        for a, value in enumerate(column):
            if value == max(column) > 0:
                answers[a] = label
    return answers


def share(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return shared / (area - shared)


@pytest.mark.parametrize("seed", range(3))
def test_targets_are_those_of_a_brute_force_search(seed):
    _, boxes, labels = detection_scenes("train", 5, objects=3, seed=seed)
    at = detector.anchors(80)
    targets = detector.assign(
        at, torch.as_tensor(boxes).float(), torch.as_tensor(labels)
    )
    for scene in range(5):
        expected = by_brute_force(at.tolist(), boxes[scene], labels[scene])
        assert targets.labels[scene].tolist() == expected
        for a in (targets.labels[scene] >= 0).nonzero().ravel().tolist():
            own = [share(at[a].tolist(), box) for box in boxes[scene]]
            box = boxes[scene][int(np.argmax(own))]
            assert targets.boxes[scene, a].tolist() == box.tolist()
    counts = [
        (targets.labels == kind).sum() for kind in (BACKGROUND, IGNORED)
    ]
    assert counts[0] > 100 * counts[1] > 0


def test_a_label_that_is_not_known_makes_its_anchors_background():
    _, boxes, labels = tensors(detection_scenes("train", 4, seed=1))
    at = detector.anchors(80)
    labels[:, 0] = -1
    given = detector.assign(at, boxes, labels).labels
    assert set(given.unique().tolist()) <= {-2, -1, *labels[:, 1].tolist()}
    alone = detector.assign(at, boxes[:, 1:], labels[:, 1:]).labels
    assert torch.equal(given, alone)


def test_decode_undoes_encode():
    at = detector.anchors(40)
    boxes = torch.as_tensor(random_boxes(np.random.default_rng(0), len(at)))
    again = detector.decode(at, detector.encode(at, boxes))
    torch.testing.assert_close(again, boxes)


@pytest.mark.parametrize("gamma", [0, 2])
def test_the_first_loss_of_pure_background_is_the_closed_form(gamma):
    scenes = detection_scenes("train", 2, objects=0, seed=3)
    images, boxes, labels = tensors(scenes)
    torch.manual_seed(0)
    model = detector.Detector(prior=0.01)
    torch.nn.init.zeros_(model.scores.weight)
    at = detector.anchors(80)
    targets = detector.assign(at, boxes, labels)
    loss = detector.detector_loss(
        *model(images), targets, focal(gamma, 0.25), box_weight=1
    )
    one = -0.75 * 0.01**gamma * log(0.99)
    assert loss.item() == pytest.approx(2 * 500 * 10 * one, rel=1e-5)


def test_the_loss_is_divided_by_the_positives_and_skips_the_ignored():
    logits, offsets = torch.zeros(1, 4, 10), torch.ones(1, 4, 4)
    labels = torch.tensor([[3, 3, BACKGROUND, IGNORED]])
    targets = detector.Targets(labels, torch.zeros(1, 4, 4))
    loss = detector.detector_loss(
        logits, offsets, targets, focal(0, 0.5), box_weight=0.25
    )
    scores, box = 3 * 10 * log(2) / 2, 0.25 * 2 * 4 * (1 - 0.05)
    assert loss.item() == pytest.approx((scores + box) / 2, rel=1e-6)


def test_hard_example_mining_keeps_three_negatives_for_each_positive():
    logits = torch.arange(-5.0, 5).repeat_interleave(2)[:, None]
    one_hot = torch.zeros(20, 1)
    one_hot[4] = 1
    kept = detector.hard_example_mining(logits, one_hot)
    expected = [log(1 + np.exp(x)) for x in (3, 4, 4)]
    assert kept[0].item() == pytest.approx(log(1 + np.exp(3)), rel=1e-6)
    assert sorted(kept[1:].tolist()) == pytest.approx(expected, rel=1e-6)


def test_suppression_keeps_the_best_of_each_class():
    class Known(torch.nn.Module):
        def forward(self, images):
            logits, offsets = (
                torch.full((1, 125, 10), -9.0),
                torch.zeros(1, 125, 4),
            )
            logits[0, 12, 3], logits[0, 13, 3], logits[0, 13, 5] = (
                3.0,
                2.0,
                1.0,
            )
            logits[0, 99, 3] = 0.0
            offsets[0, 13, 0] = -3 / 7
            return logits, offsets

    found = detector.detect(Known(), torch.zeros(1, 40, 40), most=4)
    assert found.labels.tolist() == [[3, 3, 5, 3]]
    assert (found.scores > 0).tolist() == [[True, False, True, True]]


def by_pycocotools(found, boxes, labels):
    def box(b):
        return [b[0], b[1], b[2] - b[0], b[3] - b[1]]

    truth, count = COCO(), 0
    truth.dataset = {
        "images": [{"id": i} for i in range(len(boxes))],
        "categories": [{"id": c} for c in range(10)],
        "annotations": [],
    }
    for i, (of, named) in enumerate(zip(boxes, labels, strict=True)):
        for b, label in zip(of.tolist(), named.tolist(), strict=True):
            count += 1
            truth.dataset["annotations"].append(
                {"id": count, "image_id": i, "category_id": label}
                | {"bbox": box(b), "area": 1, "iscrowd": 0}
            )
    said = [
        {"image_id": i, "category_id": label, "bbox": box(b), "score": score}
        for i, parts in enumerate(
            zip(*(p.tolist() for p in found), strict=True)
        )
        for b, score, label in zip(*parts, strict=True)
        if score > 0
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(said), "bbox")
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e9]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][..., 0, -1]  # (T, 101, K)
    seen = precision[0, 0] > -1
    return precision[..., seen].mean((1, 2))


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_coco_s(seed):
    rng = np.random.default_rng(seed)
    scenes, objects, most = 30, 4, 12
    boxes = random_boxes(rng, scenes, objects)
    labels = rng.integers(0, 7, (scenes, objects))
    near = boxes[:, rng.integers(0, objects, most)]
    near = near + rng.normal(0, 1.5, near.shape)
    near[..., 2:] = np.maximum(near[..., 2:], near[..., :2] + 1)
    scores = np.sort(rng.uniform(0, 1, (scenes, most)), axis=1)[:, ::-1]
    scores = scores * (rng.random(scores.shape) < 0.8)
    found = detector.Detections(
        torch.as_tensor(near),
        torch.as_tensor(scores.copy()),
        torch.as_tensor(rng.integers(0, 7, (scenes, most))),
    )
    truth = torch.as_tensor(boxes), torch.as_tensor(labels)
    ours = detector.average_precision(found, *truth)
    theirs = by_pycocotools(found, *truth)
    assert 0.02 < theirs[0] < 0.98
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("name", ["losses", "imbalance", "longer"])
def test_the_record_measures_what_no_neighbour_beat(name):
    """Each recipe by its own settings: the best of five, on both seeds."""
    cases, steps = {}, {"rate": 2, "box_weight": 4}
    for row in recorded.load(f"detector_{name}")["rows"]:
        case = tuple(row[k] for k in ("loss", "gamma", "alpha", "size"))
        stages = cases.setdefault(case, {"choose": {}, "measure": {}})
        settings = tuple(row[k] for k in steps)
        seeds = stages[row["stage"]].setdefault(settings, {})
        seeds[row["seed"]] = row["ap"]
    for case, stages in cases.items():
        tried = {
            settings: np.mean(list(ap.values()))
            for settings, ap in stages["choose"].items()
            if len(ap) == 2
        }
        ((rate, weight),) = stages["measure"]
        near = [(rate * f, weight) for f in (0.5, 2)]
        near += [(rate, weight * f) for f in (0.25, 4)]
        assert tried[rate, weight] >= max(tried[s] for s in near), case
        assert set(stages["measure"][rate, weight]) == set(range(20)), case


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_short_training_finds_digits(seed):
    known = detection_scenes("train", 500, size=40, objects=1, seed=seed)
    images, boxes, labels = tensors(
        detection_scenes("test", 200, size=40, objects=1, seed=seed)
    )
    ap = []
    for steps in (0, 150):
        model = detector.train(focal(1, 0.5), known, seed=seed, steps=steps)
        found = detector.detect(model, images)
        ap.append(detector.average_precision(found, boxes, labels)[0])
    assert ap[0] < 0.02 and ap[1] > ap[0] + 0.1
