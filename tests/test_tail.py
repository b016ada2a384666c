"""The data sets of lessons 07 and 08, and their losses in PyTorch beside the
NumPy ones."""

import numpy as np
import pytest
import torch

from focal_edu import digits, relatives
from focal_edu import long_tail as tail
from focal_edu import segmentation as sg
from focal_edu.training import every


def rows_of(images):
    return {row.tobytes() for row in images}


@pytest.mark.parametrize("factor", (1, 10, 50, 100))
def test_long_tail_falls_by_its_factor(factor):
    train, validation, test = digits.long_tail(factor, seed=3)
    counts = np.bincount(train[1])
    np.testing.assert_array_equal(counts, digits.long_tail_counts(factor))
    assert counts[0] == 100 and counts[9] == 100 // factor
    assert (np.diff(counts) <= 0).all()
    assert (np.bincount(test[1]) == 50).all()
    assert (np.bincount(validation[1]) == 24).all()
    parts = [rows_of(x) for x, _ in (train, validation, test)]
    assert not parts[0] & parts[1] and not (parts[0] | parts[1]) & parts[2]


def test_draws_change_the_digits_places_and_keep_the_test_images():
    one, other = (digits.long_tail(50, seed=s) for s in (0, 1))
    assert rows_of(one[2][0]) == rows_of(other[2][0])
    assert rows_of(one[0][0]) != rows_of(other[0][0])
    again = digits.long_tail(50, seed=0)
    np.testing.assert_array_equal(one[0][0], again[0][0])


def test_noisy_digits():
    parts = digits.noisy_digits(seed=1)
    assert [len(y) for _, y in parts] == [300, 400, 1097]
    clean = digits.noisy_digits(noise=0, seed=1)
    noise = np.concatenate(
        [(a - b).ravel() for (a, _), (b, _) in zip(parts, clean, strict=True)]
    )
    assert abs(noise.std() - 0.3) < 0.003 and abs(noise.mean()) < 0.003


def test_digit_masks_mark_the_ink_of_one_digit():
    parts = digits.digit_masks(8, seed=2)
    assert [len(x) for x, _ in parts] == [600, 300, 600]
    for canvases, masks in parts:
        assert set(np.unique(masks)) == {0, 1}
        assert (canvases[masks == 1] >= 0.5).all()
        halves = masks.reshape(-1, 8, 2, 8).any(axis=(1, 3))
        assert (halves.sum(axis=1) <= 1).all()
        assert 0.1 < halves.any(axis=1).mean() < 0.3


@pytest.mark.parametrize(
    "call",
    [
        lambda: digits.long_tail(0),
        lambda: digits.long_tail(101),
        lambda: digits.noisy_digits(noise=-1),
        lambda: digits.digit_masks(10),
    ],
)
def test_bad_arguments_are_named(call):
    with pytest.raises(ValueError, match="must"):
        call()


def test_recipes_are_the_relatives():
    draw = np.random.default_rng(0)
    z, t = draw.normal(size=(6, 10)), draw.integers(0, 10, 6)
    counts = digits.long_tail_counts(50)
    x, y = torch.tensor(z), torch.tensor(t)
    for found, expected in (
        (
            tail.ldam(x, y, counts, margin=2.0),
            relatives.ldam_loss(z, t, counts, margin=2.0),
        ),
        (
            tail.logit_adjusted(x, y, counts, tau=1.5),
            relatives.logit_adjusted_loss(z, t, counts, tau=1.5),
        ),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_dice_is_the_relatives_dice():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2, 3, 8))
    y = (draw.random((2, 3, 8)) < 0.3).astype(float)
    found = sg.dice(torch.tensor(x), torch.tensor(y))
    flat = relatives.dice_loss(x.reshape(2, -1), y.reshape(2, -1))
    np.testing.assert_allclose(found, flat)
    y[:, :, 0] = 1  # no canvas is empty
    each = relatives.dice_loss(x, y).mean(axis=1)
    found = sg.dice_each(torch.tensor(x), torch.tensor(y))
    np.testing.assert_allclose(found, each)


def test_oversampling_makes_classes_as_large():
    images = torch.arange(8.0).reshape(1, 8, 1)
    labels = torch.tensor([[0, 0, 0, 0, 0, 1, 1, 2]])
    x, y = tail._oversampled(images, labels)
    assert y[0].bincount().tolist() == [5, 5, 5]
    assert set(x[0, y[0] == 2, 0].tolist()) == {7.0}
    assert set(x[0, y[0] == 1, 0].tolist()) == {5.0, 6.0}


def test_a_shift_after_training_moves_predictions_to_the_tail():
    parts = tail.draws(50, (0,))
    logits = {}
    for name, settings in (("CE", {}), ("CE, shifted after", {"tau": (1,)})):
        run = tail.fit(
            name, parts.train, (0,), rate=0.01, steps=(20,), **settings
        )
        logits[name] = next(predict(parts.test[0]) for _, predict in run)
    prior = torch.tensor(digits.long_tail_counts(50) / 280).float().log()
    apart = logits["CE"] - logits["CE, shifted after"]
    torch.testing.assert_close(apart, prior.expand_as(apart))


@pytest.mark.parametrize("name", ("FL", "LDAM", "CE, shifted after"))
def test_settings_side_by_side_are_networks_alone(name):
    parts, seeds = tail.draws(50, (0, 1)), (0, 1)
    grid = {
        key: values[::2] for key, values in tail.RECIPES[name].grid.items()
    }
    how = {"rate": 0.01, "steps": (20,)}
    together = tail.fit(name, parts.train, seeds, **how, **grid)
    many = next(predict(parts.test[0]) for _, predict in together)
    assert (many[0] - many[1]).abs().max() > 0.1
    for found, setting in zip(many, every(grid), strict=True):
        one = {key: (value,) for key, value in setting.items()}
        alone = tail.fit(name, parts.train, seeds, **how, **one)
        expected = next(predict(parts.test[0]) for _, predict in alone)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_trial_scores_the_setting_it_is_asked_for():
    parts, seeds = tail.draws(50, (0, 1)), (0, 1)
    trial = tail.trial("FL", seeds, longest=400)
    found = trial(parts.train, parts.validation, rate=0.03, gamma=2)
    assert list(found) == [25, 50]  # an eighth of 400, at the most
    run = tail.fit(
        "FL", parts.train, seeds, rate=0.03, steps=(25, 50), gamma=(2,)
    )
    images, labels = parts.validation
    for step, predict in run:
        right = (predict(images).argmax(-1) == labels).float().mean()
        assert found[step] == pytest.approx(right.item())
