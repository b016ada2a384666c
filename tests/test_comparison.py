"""The comparison of lesson 05: what a rival learns from, who judges whom."""

import numpy as np
import pytest
import torch

from focal_edu.comparison import (
    Contest,
    loss_of,
    oversampled,
    verdict,
    widened,
)
from focal_edu.digits import rare_digit_runs
from focal_edu.reference import sigmoid_focal_loss
from focal_edu.training import Tuned

SETTINGS = [
    {"gamma": 0, "alpha": 0.5},
    {"gamma": 2, "alpha": 0.25},
    {"gamma": 0, "keep": 4},
    {"gamma": 2, "alpha": 0.1},
    {"gamma": 3, "level": 0.2},
]


def batch(runs=3, size=16, seed=0):
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 3, (runs, len(SETTINGS), size))
    targets = (draw.random((runs, size)) < 0.3).astype(float)
    return logits, targets


def test_each_setting_has_its_own_loss():
    logits, targets = batch()
    found = loss_of(SETTINGS)(torch.tensor(logits), torch.tensor(targets))
    expected = 0
    for place, setting in enumerate(SETTINGS):
        for run in range(len(logits)):
            alpha = setting.get("alpha", 0.5)
            if "level" in setting:  # where a negative's factor is α
                alpha = setting["level"] ** 3
            each = sigmoid_focal_loss(
                logits[run, place],
                targets[run],
                gamma=setting["gamma"],
                alpha=alpha,
            )
            each = np.sort(each)[-setting.get("keep", 16) :]
            expected += each.sum() / 16 / alpha
    assert found.shape == (3,)
    assert found.sum().item() == pytest.approx(expected)


def test_a_mistake_is_the_clinics():
    logits, targets = (torch.tensor(part) for part in batch())
    setting = {"gamma": 2, "alpha": 0.25}
    wrong = setting | {"mistake": "alpha to both"}
    found = loss_of([wrong])(logits[:, 1], targets)
    each = sigmoid_focal_loss(logits[:, 1].numpy(), targets.numpy())
    np.testing.assert_allclose(found, each.mean(1), rtol=1e-6)


def test_oversampling_draws_the_share_it_is_asked_for():
    runs = [(8, 0), (1, 4)]
    images, labels, _ = rare_digit_runs(runs, negatives=300)
    parts = (torch.tensor(part) for part in (images, labels))
    stream = oversampled(*parts, 400, (0, 1), (0.1, 0.5))
    inputs, targets = next(stream)
    assert inputs.shape == (4, 400, 64) and targets.shape == (2, 2, 400)
    share = targets.mean(dim=2).numpy()
    np.testing.assert_allclose(share, [[0.1, 0.5]] * 2, atol=0.06)
    for run, rows in enumerate(inputs.unflatten(0, (2, 2))):
        label = {
            image.tobytes(): label
            for image, label in zip(images[run], labels[run], strict=True)
        }
        for shares, truth in zip(rows, targets[run], strict=True):
            seen = [label[image.numpy().tobytes()] for image in shares]
            assert seen == truth.tolist()


def test_runs_share_no_image_with_either_half():
    runs = [(digit, seed) for digit in range(10) for seed in range(3)]
    images, labels, halves = rare_digit_runs(runs)
    assert images.shape == (30, 1010, 64)
    assert set(labels.sum(axis=1)) == {10}
    sets = [images.reshape(-1, 64), *(half[0] for half in halves)]
    rows = [{row.tobytes() for row in part} for part in sets]
    assert not (rows[0] & rows[1] or rows[0] & rows[2] or rows[1] & rows[2])
    for _, digits in halves:
        assert (
            30 <= min(np.bincount(digits)) <= max(np.bincount(digits)) <= 33
        )


def test_flipped_labels_are_negatives_called_positive():
    clean = rare_digit_runs([(8, 0)])
    noisy = rare_digit_runs([(8, 0)], flipped=0.2)
    np.testing.assert_array_equal(clean[0], noisy[0])
    assert noisy[1].sum() == 10 + 200
    assert noisy[1][0, clean[1][0] == 1].all()


def test_a_network_that_diverged_ranks_nothing():
    logits = np.full((1, 1, 1, 50), np.nan)
    truth = np.arange(50)[None] < 5
    assert verdict(logits, truth)["ap"] == pytest.approx(0.01)


@pytest.fixture(scope="module")
def contest():
    return Contest(
        [1, 8], [0, 1], SETTINGS, rates=(0.005, 0.015), steps=(50, 100)
    )


def test_one_half_chooses_and_the_other_has_no_say(contest):
    grid = {"gamma": (2,), "alpha": (0.1, 0.25)}
    chosen = contest.tune(0, **grid)
    kept = dict(contest.seen)
    for half, same in ((1, True), (0, False)):
        for key in kept:
            if key[0] == half:
                contest.seen[key] = [1 - part for part in kept[key]]
        assert (contest.tune(0, **grid) == chosen) == same
    contest.seen.update(kept)


def test_a_choice_at_an_end_is_tried_beyond_it():
    """The choice is that of the wide grid, given from the start."""
    run = {"digits": [8], "seeds": [0], "settings": SETTINGS[:1]}
    narrow = Contest(**run, rates=(0.003, 0.01), steps=(25, 50))
    grid = {name: (value,) for name, value in SETTINGS[0].items()}
    (pair,) = narrow.settle({"CE": grid}, times=2).values()
    rates, steps = (list(pair[0].profile(k)) for k in ("rate", "steps"))
    assert len(rates) > 2 and len(steps) > 2
    wide = Contest(**run, rates=rates, steps=steps)
    for half, tuned in enumerate(pair):
        whole = wide.tune(half, **grid)
        assert tuned.best == whole.best
        assert all(row in whole.rows for row in tuned.rows)
    ap = [c.judge(0, pair[1].best)["ap"] for c in (narrow, wide)]
    np.testing.assert_array_equal(*ap)


@pytest.mark.parametrize(
    "rate, steps, expected",
    [
        (0.005, 50, ((0.0015, 0.005, 0.015), (25, 50, 100))),
        (0.015, 50, ((0.0015, 0.005, 0.015, 0.05), (25, 50, 100))),
        (0.0015, 100, ((0.0005, 0.0015, 0.005, 0.015), (25, 50, 100, 200))),
    ],
)
def test_only_the_end_that_was_chosen_is_widened(rate, steps, expected):
    tuned = Tuned([{"rate": rate, "steps": steps, "score": 1.0}])
    found = widened((0.0015, 0.005, 0.015), (25, 50, 100), [tuned])
    assert found[0] == pytest.approx(expected[0])
    assert found[1] == expected[1]


def test_work_that_is_shared_comes_out_in_its_place(contest):
    def backwards(work, *jobs):
        jobs = list(zip(*jobs, strict=True))
        found = [work(*job) for job in jobs[::-1]]
        return found[::-1]

    settings = [SETTINGS[0], {"gamma": 0, "share": 0.1}, SETTINGS[1]]
    shared = Contest(
        range(8), [1], settings, rates=(0.005,), steps=(50,), each=backwards
    )
    for setting in SETTINGS[:2]:
        best = setting | {"rate": 0.005, "steps": 50}
        alone = contest.judge(1, best)["ap"][0, 1]
        assert shared.judge(1, best)["ap"].shape == (8, 1)
        together = shared.judge(1, best)["ap"][1, 0]
        assert together == pytest.approx(alone, abs=0.02)


def test_a_verdict_counts_what_is_called_positive():
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(2, 3, 4, 50))
    truth = draw.random((2, 50)) < 0.3
    found = verdict(logits, truth)
    x, t = logits[1, 2, 0], truth[1]
    assert found["found"][1, 2, 0] == pytest.approx(100 * np.mean(x[t] > 0))
    expected = 100 * np.mean(x[~t] > 0)
    assert found["alarms"][1, 2, 0] == pytest.approx(expected)
    # precision at each positive, with the weights written out
    weight = np.where(t, 0.01 / t.sum(), 0.99 / (~t).sum())
    ap = [
        weight[t & (x >= cut)].sum() / weight[x >= cut].sum() for cut in x[t]
    ]
    assert found["ap"][1, 2, 0] == pytest.approx(np.mean(ap))
