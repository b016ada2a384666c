"""What the figures of lessons 04 to 06 draw, against independent values."""

import math
import mmap
import sys

import numpy as np
import pytest
import torch

from focal_edu import benchmark, figures
from focal_edu.accuracy import GAMMAS
from focal_edu.digits import digit_pairs
from focal_edu.figures.breaking import KINDS, LOGITS
from focal_edu.kernels import cpu
from focal_edu.pytorch import sigmoid_focal_loss


def textbook(x, y, gamma):
    p = torch.sigmoid(x)
    p_t = torch.where(y == 1, p, 1 - p)
    return -((1 - p_t) ** gamma) * torch.log(p_t)


def ours(x, y, gamma):
    return sigmoid_focal_loss(x, y, gamma=gamma, reduction="none")


def test_map_of_breaks():
    forms = {f"form {i}": ours for i in range(5)} | {"textbook": textbook}
    *good, bad = figures.map_of_breaks(forms, torch.float32).axes
    assert [axes.get_title(loc="left") for axes in (*good, bad)] == [*forms]
    for axes in good:
        assert (axes.images[0].get_array() == 0).all()
        assert not axes.patches
    drawn = bad.images[0].get_array()
    kinds = [kind[0] for kind in KINDS]
    below_one = [GAMMAS.index(g) for g in (0.1, 0.5, 0.9)]
    beyond = np.array(LOGITS) >= 17
    assert (drawn[:, np.array(LOGITS) <= -89] == kinds.index("nan")).all()
    assert (drawn[below_one][:, beyond] == kinds.index("nan")).all()
    assert drawn[GAMMAS.index(2), LOGITS.index(17)] == kinds.index("zero")
    assert (drawn[:, np.isin(LOGITS, (-3, 0, 3))] == 0).all()
    hatched = np.isin(drawn, [k for k, kind in enumerate(KINDS) if kind[3]])
    corners = {tuple(patch.get_xy()) for patch in bad.patches}
    cells = {(x - 0.5, y - 0.5) for y, x in np.argwhere(hatched)}
    assert corners == cells


def test_winning_can_be_hard():
    (axes,) = figures.winning_can_be_hard().axes
    drawn = {line.get_label(): line.get_data() for line in axes.lines}
    p, ratio = drawn["ratio"]
    slope = (1 - p) ** 2 * (1 - p - 2 * p * np.log(p))
    np.testing.assert_allclose(ratio, slope / (1 - p), rtol=1e-12)
    for classes in (2, 4, 10):
        at, height = drawn[f"C = {classes}"]
        assert at[0] == 1 / classes
        np.testing.assert_allclose(height, np.interp(at, p, ratio), rtol=1e-4)


def test_three_tasks():
    binary, softmax, labels = figures.three_tasks((2, -1, 3), (1, 0, 1)).axes
    z = torch.tensor([2.0, -1.0, 3.0])
    p, one_of = torch.sigmoid(z).tolist(), torch.softmax(z, 0).tolist()

    def columns(axes):
        """Heights from the floor up, and which parts are solid."""
        parts = [(bar.get_height(), bar.get_y()) for bar in axes.patches]
        solid = [not bar.get_hatch() for bar in axes.patches]
        return [height for height, _ in parts], solid

    heights, solid = columns(binary)
    assert solid == [False, True] and heights[1] == pytest.approx(p[0])
    heights, solid = columns(softmax)
    assert solid == [False, False, True]
    assert heights == pytest.approx(one_of) and sum(heights) == 1
    heights, solid = columns(labels)
    assert solid == [False, True, True, False, False, True]
    assert heights[1::2] == pytest.approx(p)
    assert heights[::2] == pytest.approx([1 - one for one in p])


def test_digit_pair_sheet():
    data = digit_pairs(train=20, test=10, seed=3)
    sheet = figures.digit_pair_sheet(data.train_images, data.train_labels)
    for i, axes in enumerate(sheet.axes):
        left, _, right = axes.get_title(loc="center").split()
        assert {int(left), int(right)} == set(
            np.flatnonzero(data.train_labels[i])
        )
        shown = np.asarray(axes.images[0].get_array())
        np.testing.assert_array_equal(shown.ravel(), data.train_images[i])


def test_time_over_size():
    times = {"ours": (50.0, 80.0), "usual": (100.0, 240.0)}
    rows = [
        benchmark.Row("sigmoid", (size,), loss, time, 1.0)
        for loss, both in times.items()
        for size, time in zip((10, 1000), both, strict=True)
    ]
    figure = figures.time_over_size({"here": rows})
    (axes,) = figure.axes
    (usual,) = (line for line in axes.lines if line.get_label() == "usual")
    np.testing.assert_allclose(usual.get_xydata(), [[10, 2], [1000, 3]])


def test_digit_pairs_are_two_digits_and_no_image_is_on_both_sides():
    data = digit_pairs(train=200, test=100, seed=1)
    assert data.train_images.shape == (200, 128)
    assert (data.train_labels.sum(1) == 2).all()
    assert (data.test_labels.sum(1) == 2).all()

    def halves(images):
        return {
            half.tobytes()
            for image in images.reshape(-1, 8, 16)
            for half in (image[:, :8].copy(), image[:, 8:].copy())
        }

    assert not halves(data.train_images) & halves(data.test_images)
    again = digit_pairs(train=200, test=100, seed=1)
    np.testing.assert_array_equal(data.train_images, again.train_images)
    with pytest.raises(TypeError, match="train"):
        digit_pairs(train="many")
    with pytest.raises(ValueError, match="test"):
        digit_pairs(test=0)


def test_the_benchmark_measures_and_tabulates():
    for task, shape in (("sigmoid", (1000,)), ("softmax", (30, 10))):
        batch = benchmark.batch_for(task, shape)
        losses = benchmark.losses_of(task)
        rows = benchmark.measure(task, losses, *batch, seconds=0, rounds=1)
        by_name = {row.loss: row for row in rows}
        assert by_name["ours"].saved == pytest.approx(1, abs=0.05)
        assert by_name["usual"].saved > 1.2
        assert all(row.microseconds > 0 for row in rows)
        head, line = benchmark.table(rows).splitlines()
        assert head.split()[:2] == [task, "ours"]
        ratio = rows[-1].microseconds / by_name["ours"].microseconds
        assert line.split()[-1] == f"{ratio:.2f}"
        assert not batch[0].requires_grad
        values = [losses[name](*batch).item() for name in ("ours", "usual")]
        assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_passes_are_counted_with_their_bytes():
    x, y = torch.ones(1000, requires_grad=True), torch.ones(1000)
    arrays = 3 + 1 + 2  # x y; its sum; and on the way back y times one number
    count, moved = benchmark.passes(lambda x, y: (x * y).sum(), x, y)
    assert count == 3
    assert moved == arrays * 4000 + 4 * 4  # the sum, and what comes back
    count, _ = benchmark.passes(lambda x: x.view(10, 100).sum(), x)
    assert count == 2  # its sum, and its gradient; a view moves nothing


def test_passes_in_place_count():
    x = torch.ones(1000)
    count, moved = benchmark.passes(lambda x: (x * 2).exp_().sum(), x)
    arrays = 2 + 2 + 1 + 2 + 2  # × 2; e^; its sum; and back, × e^ and × 2
    assert (count, moved) == (5, arrays * 4000 + 4 * 4)


def test_passes_of_pieces_are_those_of_a_whole(monkeypatch):
    monkeypatch.setattr(cpu, "LATE", math.inf)
    monkeypatch.setattr(cpu, "SMALL", 2**11)
    found = []
    for share in (2**17, 2**15 + 1):
        monkeypatch.setattr(cpu, "SHARE", share)
        x, y = benchmark.batch_for("sigmoid", (100_000,))
        count, moved = benchmark.passes(sigmoid_focal_loss, x, y)
        found.append((count, round(moved / x.nbytes)))
    assert found[0] == found[1]
    assert found[0][0] > 10


def test_passes_are_not_known_without_pytorch_s_private_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils._python_dispatch", None)
    x = torch.ones(10, requires_grad=True)
    assert all(map(math.isnan, benchmark.passes(torch.sum, x)))
    assert x.grad is None


@pytest.mark.skipif(sys.platform != "linux", reason="mmap's pages")
def test_page_faults_are_counted():
    with mmap.mmap(-1, 1000 * mmap.PAGESIZE) as memory:
        before = benchmark.page_faults()
        for start in range(0, len(memory), mmap.PAGESIZE):
            memory[start] = 1
        assert 1000 <= benchmark.page_faults() - before < 1500


def test_page_faults_are_not_known_on_windows(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert math.isnan(benchmark.page_faults())


def test_what_lesson_10_concludes_of_the_recorded_tables():
    cpu, record = map(benchmark.recorded, ("cpu", "gpu"))
    took = {
        (r.where, r.task, r.shape, r.loss): r.microseconds
        for r in cpu["threads"] + record["curve"]
    }

    def ratio(where, shape, loss, task="sigmoid"):
        ours = took[where, task, shape, "ours"]
        return took[where, task, shape, loss] / ours

    def on_cpu(shape, loss="usual", task="sigmoid"):
        threads = ("1 thread", "2 threads")
        return [ratio(where, shape, loss, task) for where in threads]

    least, most = sorted(on_cpu((10**7,)))
    assert 9.95 < least < 10.05 and 13.4 < most < 13.5
    assert 1.735 < min(on_cpu((10**6,))) < max(on_cpu((10**6,))) < 2.765
    short = [
        r for size in (1, 16, 10**3, 10**4, 10**5) for r in on_cpu((size,))
    ]
    assert 1.155 < min(short) < max(short) < 2.085
    assert all(
        time < 1000  # microseconds
        for (where, task, shape, _), time in took.items()
        if "thread" in where and task == "sigmoid" and shape <= (10**5,)
    )
    few = (10**5, 10), (10**6, 10)
    for loss, least, most in (
        ("usual", 4.50, 6.78),
        ("cross entropy", 3.63, 6.05),
    ):
        found = [r for shape in few for r in on_cpu(shape, loss, "softmax")]
        assert [round(min(found), 2), round(max(found), 2)] == [least, most]
    others = set(benchmark.SOFTMAX_SHAPES) - set(few)
    found = [r for shape in others for r in on_cpu(shape, task="softmax")]
    assert [round(min(found), 2), round(max(found), 2)] == [0.91, 1.34]
    counted = 268 * 10**7 / cpu["copies"][-1]["gigabytes_a_second"] / 1e3
    assert took["2 threads", "sigmoid", (10**7,), "usual"] > 8 * counted
    copy = record["kernels"][3]
    assert (copy["shape"], copy["dtype"]) == ([10**8], "float32")
    counted = 268 * 10**8 / copy["terabytes_a_second"] / 1e6
    measured = took["float32", "sigmoid", (10**8,), "usual"]
    assert counted < measured < 1.2 * counted
    for size in (10**3, 10**4, 10**5, 10**6, 10**7):
        ours, usual = (
            took["float32", "sigmoid", (size,), loss]
            for loss in ("ours", "usual")
        )
        assert 100 < usual - ours < 350  # microseconds saved on the card
    assert ratio("float32", (10**8,), "usual") > 9
    on_card = [
        ratio("float32", shape, "usual", "softmax")
        for shape in ((32, 10), (256, 1000), (4096, 80), (8192, 32_000))
    ]
    assert max(on_card[:3]) < 1 and on_card[3] > 3
