"""The data sets: what is drawn, and that no image is drawn twice."""

import numpy as np
import pytest

from focal_edu import digits
from focal_edu.digits import detection_scenes, digit_pairs, rare_digit


@pytest.mark.parametrize("seed", range(3))
def test_one_positive_in_a_hundred_and_no_image_shared(seed):
    split = rare_digit(8, seed=seed)
    assert split.train_labels.sum() * 100 == (split.train_labels == 0).sum()
    images = np.concatenate([split.train_images, split.test_images])
    assert images.shape == (1797, 64)
    assert len(np.unique(images, axis=0)) == 1797
    assert images.min() == 0 and images.max() == 1


def test_every_digit_can_be_the_rare_one():
    counts = [
        int(sum(labels.sum() for labels in rare_digit(digit)[1::2]))
        for digit in range(10)
    ]
    assert sum(counts) == 1797


def test_the_same_seed_gives_the_same_draw():
    one, again, other = (rare_digit(8, seed=seed) for seed in (0, 0, 1))
    for name in one._fields:
        same = np.array_equal(getattr(one, name), getattr(again, name))
        assert same, name
    assert not np.array_equal(one.train_images, other.train_images)


def test_a_box_is_the_smallest_around_its_digit():
    images, boxes, labels = detection_scenes(
        "test", 30, objects=3, noise=0, scraps=0, seed=2
    )
    assert labels.shape == (30, 3) and set(labels.ravel()) <= set(range(10))
    for image, own in zip(images, boxes.astype(int), strict=True):
        outside = image.copy()
        for left, top, right, bottom in own:
            digit = image[top:bottom, left:right]
            for edge in (digit[0], digit[-1], digit[:, 0], digit[:, -1]):
                assert edge.max() > 0.6 / 4
            assert 8 <= bottom - top + 1 and bottom - top <= 16
            outside[top:bottom, left:right] = 0
        assert outside.max() <= 1 / 4


def test_no_digit_of_a_scene_is_in_two_parts(monkeypatch):
    drawn = {part: set() for part in digits.PARTS}
    images = np.zeros((1797, 64))
    images[:, 0] = 1
    images[:, 63] = np.arange(1797) / 1797
    monkeypatch.setattr(digits, "_images", lambda: (images, np.arange(1797)))
    for part in drawn:
        scenes = detection_scenes(part, 400, objects=16)
        drawn[part] = set(scenes.labels.ravel())
    one, two, three = drawn.values()
    assert not one & two and not one & three and not two & three
    assert min(map(len, drawn.values())) > 400


def test_scenes_are_drawn_by_part_and_seed():
    one, again = (detection_scenes("train", 3, seed=5) for _ in range(2))
    for name in one._fields:
        assert np.array_equal(getattr(one, name), getattr(again, name))
    other = detection_scenes("train", 3, seed=6)
    assert not np.array_equal(one.images, other.images)
    assert detection_scenes("test", 2, objects=0).boxes.shape == (2, 0, 4)


@pytest.mark.parametrize(
    "bad",
    [{"part": "all"}, {"count": 0}, {"size": 50}, {"objects": 17}],
)
def test_a_bad_scene_is_refused_by_name(bad):
    arguments = {"part": "train", "count": 1} | bad
    with pytest.raises(ValueError, match=next(iter(bad))):
        detection_scenes(**arguments)


def test_one_canvas_of_two_digits_is_a_set():
    split = digit_pairs(train=2, test=1)
    assert [len(part) for part in split] == [2, 2, 1, 1]
    assert split.test_images.shape == (1, 128)
    assert split.test_labels.sum() == 2


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_set_without_a_canvas_is_refused(name):
    with pytest.raises(ValueError, match=name):
        digit_pairs(**{name: 0})
