"""The data sets of the lessons, all made from scikit-learn's handwritten
digits: 1797 grey images of 8 × 8 pixels, without a download."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits


class Split(NamedTuple):
    """Images as rows of 64 numbers in [0, 1], and labels, in two parts."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def rare_digit(digit=8, *, negatives=1000, positives=10, seed=0):
    """Return a binary set: is it `digit`? One positive in a hundred.

    Parameters
    ----------
    digit : int from 0 to 9
        The positive class; every other digit is negative.
    negatives, positives : int
        How many of each are drawn for training. All others are for testing,
        so positives are not rare there.
    seed : int
        The draw: the same seed gives the same split.

    Returns
    -------
    Split
        Labels are 1.0 for `digit` and 0.0 for the rest.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above, or larger than there are
        images to draw and one to test on.
    """
    images, digits = _images()
    _check_integer("digit", digit, 0, 9)
    _check_integer("seed", seed, 0, 2**32 - 1)
    draw = np.random.default_rng(seed)
    train, test = [], []
    for name, count, label in (
        ("negatives", negatives, digits != digit),
        ("positives", positives, digits == digit),
    ):
        _check_integer(name, count, 1, label.sum() - 1)
        rows = draw.permutation(np.flatnonzero(label))
        train.append(rows[:count])
        test.append(rows[count:])
    train, test = np.concatenate(train), np.concatenate(test)
    labels = (digits == digit).astype(float)
    return Split(images[train], labels[train], images[test], labels[test])


def rare_digit_runs(
    runs, *, negatives=1000, positives=10, flipped=0.0, share=0.65
):
    """Return many training sets, and two halves that none of them touches.

    All images are split once, digit by digit, into a pool, which training
    sets are drawn from, and two halves.

    Parameters
    ----------
    runs : sequence of pairs (digit, seed)
        A training set each: which digit is the positive one, and the draw.
    negatives, positives : int
        How many of each a training set holds.
    flipped : float in [0, 1)
        The part of the negatives that is labelled positive by mistake.
    share : float between 0 and 1
        The part of the images that makes up the pool.

    Returns
    -------
    images, labels : arrays (runs, N, 64) and (runs, N)
    halves : two pairs of images (M, 64) and their digits (M,)
    """
    images, digits = _images()
    draw = np.random.default_rng(0)
    pool, halves = [], [[], []]
    for digit in range(10):
        rows = draw.permutation(np.flatnonzero(digits == digit))
        size = round(share * len(rows))
        pool.append(rows[:size])
        for half, part in enumerate(np.array_split(rows[size:], 2)):
            halves[half].append(part)
    pool = np.concatenate(pool)
    sets, labels = [], []
    for digit, seed in runs:
        draw = np.random.default_rng([digit, seed])
        rows = draw.permutation(pool)
        rare, rest = (
            rows[digits[rows] == digit],
            rows[digits[rows] != digit],
        )
        sets.append(np.concatenate([rare[:positives], rest[:negatives]]))
        mistaken = round(flipped * negatives)
        counts = positives + mistaken, negatives - mistaken
        labels.append(np.repeat([1.0, 0.0], counts))
    halves = [np.concatenate(half) for half in halves]
    return (
        images[np.stack(sets)],
        np.stack(labels),
        tuple((images[half], digits[half]) for half in halves),
    )


def _images():
    digits = load_digits()
    return digits.data / 16.0, digits.target


def _check_integer(name, value, least, most):
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name} must be an integer, got {type(value).__name__}"
        )
    if not least <= value <= most:
        raise ValueError(
            f"{name} must lie from {least} to {most}, got {value}"
        )


def digit_pairs(*, train=1000, test=500, seed=0):
    """Return a multi-label set: canvases of two different digits.

    Parameters
    ----------
    train, test : int
        How many canvases of each. Training and testing share no image.
    seed : int
        The draw: the same seed gives the same canvases.

    Returns
    -------
    Split
        A canvas is a row of 128 numbers, 8 rows of 16 pixels; its labels
        are ten numbers, 1.0 for each digit on it and 0.0 otherwise.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.
    """
    _check_integer("train", train, 1, 10**6)
    _check_integer("test", test, 1, 10**6)
    _check_integer("seed", seed, 0, 2**32 - 1)
    images, digits = _images()
    draw = np.random.default_rng(seed)
    halves = np.array_split(draw.permutation(len(images)), 2)
    parts = []
    for count, rows in zip((train, test), halves, strict=True):
        pairs = _pairs(draw, rows, digits, count)
        labels = np.eye(10)[digits[pairs]].sum(axis=1)
        parts += [_canvases(images[pairs]), labels]
    return Split(*parts)


def digit_masks(digit, *, seed=0):
    """Return canvases of two digits, and where the ink of `digit` is.

    Parameters
    ----------
    digit : int from 0 to 9
        About one canvas in five has it.
    seed : int
        The draw: the same seed gives the same canvases.

    Returns
    -------
    three pairs (canvases, masks)
        600, 300 and 600 rows of 128 numbers, 8 rows of 16 pixels. A mask is
        1.0 where `digit` stands and its pixel is at least half dark. No
        image of a digit is in two parts.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.
    """
    images, digits = _images()
    _check_integer("digit", digit, 0, 9)
    _check_integer("seed", seed, 0, 2**32 - 1)
    draw = np.random.default_rng(seed)
    thirds = np.array_split(draw.permutation(len(images)), 3)
    parts = []
    for count, rows in zip((600, 300, 600), thirds, strict=True):
        pairs = _pairs(draw, rows, digits, count)
        ink = (images[pairs] >= 0.5) & (digits[pairs] == digit)[..., None]
        parts.append((_canvases(images[pairs]), _canvases(ink.astype(float))))
    return tuple(parts)


def _pairs(draw, rows, digits, count):
    """Return `count` pairs of rows whose digits differ, (count, 2)."""
    pairs = draw.choice(rows, (4 * count + 20, 2))
    return pairs[digits[pairs[:, 0]] != digits[pairs[:, 1]]][:count]


def _canvases(pairs):
    """Put two images side by side: (N, 2, 64) -> (N, 128)."""
    return pairs.reshape(-1, 2, 8, 8).swapaxes(1, 2).reshape(-1, 128)


def long_tail_counts(factor, *, largest=100):
    """Return ten class sizes that fall by `factor`, evenly in logarithm.

    n_k = largest · factor^(−k/9), rounded, and at least 1.
    """
    sizes = largest * float(factor) ** (-np.arange(10) / 9)
    return np.maximum(1, np.round(sizes)).astype(int)


def long_tail(factor, *, seed=0):
    """Return ten classes of falling size: train, validation and test.

    Parameters
    ----------
    factor : number from 1 to 100
        How many times the largest class, of 100 images, is the smallest.
    seed : int
        Which digit gets which place, and which images are drawn. The test
        images, 50 a class, and the validation images, 24 a class, are the
        same for every seed.

    Returns
    -------
    three pairs (images, labels)
        Label 0 is the largest class and 9 the smallest, whichever digits
        they are. No image is in two parts.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.
    """
    if not 1 <= factor <= 100:
        raise ValueError(f"factor must lie from 1 to 100, got {factor}")
    _check_integer("seed", seed, 0, 2**32 - 1)
    images, digits = _images()
    fixed, draw = np.random.default_rng(0), np.random.default_rng(seed)
    rows = [fixed.permutation(np.flatnonzero(digits == d)) for d in range(10)]
    rows = [rows[d] for d in draw.permutation(10)]
    train = [
        draw.permutation(own[74:])[:count]
        for own, count in zip(rows, long_tail_counts(factor), strict=True)
    ]
    validation = [own[50:74] for own in rows]
    test = [own[:50] for own in rows]
    return tuple(
        (
            images[np.concatenate(part)],
            np.repeat(range(10), list(map(len, part))),
        )
        for part in (train, validation, test)
    )


_HELD_OUT = ((50, 74), (0, 50))  # of each class, validation and test


def noisy_digits(*, noise=0.3, seed=0):
    """Return all digits under pixel noise: train, validation and test.

    Parameters
    ----------
    noise : float >= 0
        Standard deviation of what is added to each pixel, once; the pixels
        lie from 0 to 1 before.
    seed : int
        The split and the noise.

    Returns
    -------
    three pairs (images, labels)
        300, 400 and 1097 images, of which no two are the same.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.
    """
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be finite and >= 0, got {noise}")
    _check_integer("seed", seed, 0, 2**32 - 1)
    images, digits = _images()
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(images))
    images = images + draw.normal(0, noise, images.shape)
    return tuple(
        (images[rows], digits[rows]) for rows in np.split(order, (300, 700))
    )


class Scenes(NamedTuple):
    """N grey scenes, each with M digits to find."""

    images: np.ndarray  # (N, size, size), in [0, 1]
    boxes: np.ndarray  # (N, M, 4): left, top, right, bottom, in pixels
    labels: np.ndarray  # (N, M), 0 to 9


PARTS = ("train", "validation", "test")
PLOT = 20  # a scene is divided into plots of so many pixels


def detection_scenes(
    part, count, *, size=80, objects=2, noise=0.1, scraps=0.75, seed=0
):
    """Return scenes of whole digits among scraps of digits, and noise.

    A scene is divided into plots of 20 × 20 pixels. `objects` of them hold a
    digit, most of the others a scrap, the half of a digit. Digits and scraps
    are 8 to 16 pixels high and lie anywhere in their plots.

    Parameters
    ----------
    part : "train", "validation" or "test"
        Whose images of digits are used: no two parts share one, in scraps
        neither.
    count : int
        How many scenes.
    size : int, a multiple of 40
        Height and width of a scene.
    objects : int
        How many digits are in each scene; 0 makes pure background.
    noise : float
        Standard deviation of what is added to each pixel.
    scraps : float in [0, 1]
        Part of the other plots that hold a scrap.
    seed : int
        The draw: the same seed gives the same scenes.

    Returns
    -------
    Scenes
        A box is the smallest that holds all pixels above a quarter.

    Raises
    ------
    TypeError, ValueError
        Names the argument that is not as above.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    _check_integer("count", count, 1, 10**6)
    _check_integer("size", size, 40, 4000)
    if size % 40:
        raise ValueError(f"size must be a multiple of 40, got {size}")
    across = size // PLOT
    _check_integer("objects", objects, 0, across**2)
    _check_integer("seed", seed, 0, 2**32 - 1)
    images, digits = _images()
    order = np.random.default_rng(0).permutation(len(images))
    rows = np.split(order, [900, 1350])[PARTS.index(part)]
    draw = np.random.default_rng([PARTS.index(part), seed])

    shape = count, across**2
    picked = draw.choice(rows, shape)
    height = draw.integers(8, 17, shape)
    ink = draw.uniform(0.6, 1, shape)
    half = draw.integers(0, 4, shape)
    shown = draw.random(shape) < scraps
    shown[:, :objects] = True
    plot = draw.permuted(np.tile(np.arange(across**2), (count, 1)), axis=1)
    corner = PLOT * np.stack([plot % across, plot // across], -1)
    room = (PLOT - height + 1)[..., None]
    corner += draw.integers(0, room, corner.shape)

    scenes = np.zeros((count, size, size))
    boxes = np.zeros((count, objects, 4))
    for scene, item in np.argwhere(shown):
        side, (x, y) = height[scene, item], corner[scene, item]
        image = images[picked[scene, item]].reshape(8, 8)
        if item >= objects:
            image = np.rot90(image, half[scene, item]).copy()
            image[4:] = 0
            image = np.rot90(image, -half[scene, item])
        patch = _stretched(side) @ image @ _stretched(side).T
        scenes[scene, y : y + side, x : x + side] = ink[scene, item] * patch
        if item < objects:
            boxes[scene, item] = np.add(_ink_box(patch), [x, y, x, y])
    scenes += draw.normal(0, noise, scenes.shape)
    labels = digits[picked[:, :objects]]
    return Scenes(scenes.clip(0, 1).astype(np.float32), boxes, labels)


@lru_cache
def _stretched(side):
    """The matrix that interpolates 8 numbers to `side` of them, linearly."""
    at = np.linspace(0, 7, side)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(8)))


def _ink_box(patch):
    columns = np.flatnonzero(patch.max(0) > 0.25)
    rows = np.flatnonzero(patch.max(1) > 0.25)
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
