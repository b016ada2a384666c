"""The PyTorch losses: values, derivatives, and what they equal."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from focal_edu import FocalLoss, gradients, reference
from focal_edu.kernels import cpu, pairs
from focal_edu.pytorch import sigmoid_focal_loss, softmax_focal_loss

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
GAMMAS = (0, 0.5, 1, 2, 5)
SHAPES = ((3,), (5, 3), (2, 3, 4), (2, 3, 2, 2))
Z = torch.tensor(
    [[2, -1, 3], [1, 0, -0.5], [2, 1, -0.5], [1, 8, 2]], dtype=torch.float64
)
T = torch.tensor([2, 0, 1, 1])


def draw(shape, seed=0, scale=3.0):
    """Logits, hard, soft and class targets for 3 classes on their axis."""
    g = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(shape, generator=g, dtype=torch.float64)
    soft = torch.rand(shape, generator=g, dtype=torch.float64)
    where = shape[2:] if len(shape) == 1 else (shape[0], *shape[2:])
    t = torch.randint(0, 3, where, generator=g)
    return x.requires_grad_(), soft.round(), soft, t


@pytest.mark.parametrize("case", VECTORS["binary"])
def test_published_binary_values(case):
    x = torch.tensor(
        case["logits"] if "logits" in case else np.log(case["p"]), dtype=float
    )
    if "p" in case:
        x = x - torch.log1p(-torch.tensor(case["p"], dtype=float))
    y = torch.tensor(case["y"], dtype=float)
    keys = {"gamma": case.get("gamma", 2), "alpha": case.get("alpha")}
    for name, rtol in (("per_element", 2e-9), ("mean", 5e-6)):
        if name in case:
            loss = sigmoid_focal_loss(x, y, reduction="none", **keys)
            loss = loss.mean() if name == "mean" else loss
            np.testing.assert_allclose(loss, case[name], rtol, atol=1e-10)


def test_the_three_class_example():
    loss = softmax_focal_loss(Z, T, reduction="none")
    known = [0.0253472745, 0.0640776372, 0.7638643141, 3.8651600e-8]
    np.testing.assert_allclose(loss, known, rtol=2e-8)
    weighted = softmax_focal_loss(Z, T, alpha=[0.25, 0.75, 0.75])
    assert weighted.item() == pytest.approx(0.1519820324, abs=1e-10)
    assert softmax_focal_loss(Z, T, gamma=0).item() == pytest.approx(
        0.5414638390, abs=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [None, 0.25, [0.1, 0.5, 0.9]])
def test_sigmoid_is_the_reference(shape, alpha):
    x, hard, soft, _ = draw(shape)
    for y in (hard, soft):
        keys = {"gamma": 1.5, "alpha": alpha}
        ours = sigmoid_focal_loss(x, y, reduction="none", **keys).detach()
        arrays = x.detach().numpy(), y.numpy()
        theirs = reference.sigmoid_focal_loss(*arrays, **keys)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    whole = sigmoid_focal_loss(x, hard, alpha=alpha)
    for integer in (torch.bool, torch.uint8, torch.int64):
        assert sigmoid_focal_loss(x, hard.to(integer), alpha=alpha) == whole


@pytest.mark.parametrize("alpha", [1e-9, 1 - 1e-7, [1e-9, 1e-7, 1e-3]])
@pytest.mark.parametrize("n", [5, 20_000])
def test_a_tiny_weight_keeps_its_digits(n, alpha):
    x, y, *_ = draw((n, 3))
    slopes = []
    for logits in (x.detach(), x.detach().float()):
        logits.requires_grad_()
        sigmoid_focal_loss(logits, y.to(logits), alpha=alpha).backward()
        slopes.append(logits.grad)
    np.testing.assert_allclose(*slopes, rtol=3e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [None, [0.1, 2, 0.9]])
def test_softmax_is_the_reference(shape, alpha):
    x, _, soft, t = draw(shape)
    for y in (t, soft):
        keys = {"gamma": 1.5, "alpha": alpha}
        ours = softmax_focal_loss(x, y, reduction="none", **keys).detach()
        theirs = reference.softmax_focal_loss(
            x.detach().numpy(), y.numpy(), **keys
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_gradcheck(gamma):
    x, hard, soft, t = draw((4, 3))
    cases = [
        lambda x, y=y, a=a: sigmoid_focal_loss(
            x, y, gamma=gamma, alpha=a, reduction="none"
        )
        for y in (hard, soft, hard.bool())
        for a in (None, 0.25, [0.1, 0.5, 0.9])
    ] + [
        lambda x, y=y, a=a: softmax_focal_loss(x, y, gamma=gamma, alpha=a)
        for y in (t, soft)
        for a in (None, [0.1, 2.0, 0.9])
    ]
    for loss in cases:
        assert gradcheck(loss, x)
        assert gradgradcheck(loss, x)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gamma_zero_is_cross_entropy(reduction):
    x, hard, soft, _ = draw((6, 3))
    for y in (hard, soft):
        torch.testing.assert_close(
            sigmoid_focal_loss(x, y, gamma=0, reduction=reduction),
            F.binary_cross_entropy_with_logits(x, y, reduction=reduction),
        )
    z, _, soft, t = draw((6, 3, 4))
    t[0, 1] = t[3] = -1
    for keys in ({"target": t, "ignore_index": -1}, {"target": soft}):
        torch.testing.assert_close(
            softmax_focal_loss(z, gamma=0, reduction=reduction, **keys),
            F.cross_entropy(z, reduction=reduction, **keys),
        )


def test_weights_are_those_of_cross_entropy_but_for_the_mean():
    """PyTorch's weighted mean divides by the weights met; ours by N."""
    z, _, soft, t = draw((6, 3))
    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    for target in (t, soft):
        for reduction in ("none", "sum"):
            torch.testing.assert_close(
                softmax_focal_loss(
                    z, target, gamma=0, alpha=weight, reduction=reduction
                ),
                F.cross_entropy(z, target, weight, reduction=reduction),
            )
    total = F.cross_entropy(z, t, weight, reduction="sum")
    torch.testing.assert_close(
        softmax_focal_loss(z, t, gamma=0, alpha=weight), total / 6
    )


def test_reductions():
    x, hard, soft, _ = draw((6, 3))
    total = sigmoid_focal_loss(x, soft, reduction="none").sum()
    for reduction, count in (("sum", 1), ("mean", 18)):
        torch.testing.assert_close(
            sigmoid_focal_loss(x, soft, reduction=reduction), total / count
        )
    torch.testing.assert_close(
        sigmoid_focal_loss(x, soft, reduction="mean_positive"),
        total / (soft > 0.5).sum(),
    )
    none = torch.zeros_like(hard)
    torch.testing.assert_close(
        sigmoid_focal_loss(x, none, reduction="mean_positive"),
        sigmoid_focal_loss(x, none, reduction="sum"),
    )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ignored_examples_count_for_nothing(reduction):
    z, _, _, t = draw((6, 3))
    t[1] = t[4] = -100
    kept = t >= 0
    loss = softmax_focal_loss(z, t, reduction=reduction)
    alone = softmax_focal_loss(z[kept], t[kept], reduction=reduction)
    if reduction == "none":
        assert (loss[~kept] == 0).all()
        loss = loss[kept]
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert (gradient[~kept] == 0).all() and (gradient[kept] != 0).all()


@pytest.mark.parametrize("task", ["binary", "multi-class", "multi-label"])
def test_nothing_to_average_gives_zero(task):
    z = torch.randn(0, 3, requires_grad=True)
    t = (
        torch.zeros(0, dtype=int)
        if task == "multi-class"
        else torch.zeros(0, 3)
    )
    loss = FocalLoss(task_type=task)(z, t)
    loss.backward()
    assert loss == 0 and z.grad.shape == (0, 3)


def test_everything_ignored_gives_zero():
    z = torch.randn(4, 3, requires_grad=True)
    loss = FocalLoss(task_type="multi-class")(z, torch.full((4,), -100))
    loss.backward()
    assert loss == 0 and (z.grad == 0).all()


def test_order_of_examples_and_of_classes_and_shift():
    z, _, _, t = draw((6, 3, 4))
    loss = softmax_focal_loss(z, t, reduction="none")
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(
        softmax_focal_loss(z[order], t[order], reduction="none"), loss[order]
    )
    classes = torch.tensor([2, 0, 1])
    moved = torch.argsort(classes)[t]
    torch.testing.assert_close(
        softmax_focal_loss(z[:, classes], moved, reduction="none"), loss
    )
    torch.testing.assert_close(
        softmax_focal_loss(z + 100, t, reduction="none"), loss
    )


def test_two_classes_are_the_sigmoid_of_their_difference():
    x, hard, _, _ = draw((7,))
    z = torch.stack([torch.zeros_like(x), x], 1)
    torch.testing.assert_close(
        softmax_focal_loss(z, hard.long()), sigmoid_focal_loss(x, hard)
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(300_000,), (3, 7, 40_000), (60_000, 7)])
def test_pieces_leave_no_seam(size, threads, monkeypatch):
    """More elements than a piece holds, laid out against the grain."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(cpu, "QUICK", True)
    monkeypatch.setattr(cpu, "SMALL", 2**11)
    monkeypatch.setattr(cpu, "SHARE", 2**14)
    g = torch.Generator().manual_seed(1)
    whole = torch.randn(size, generator=g, dtype=torch.float64)
    x = whole.transpose(0, -1).contiguous().transpose(0, -1)
    soft = torch.rand(size, generator=g, dtype=torch.float64)
    soft.view(-1)[:200_000] = soft.view(-1)[:200_000].round()
    for y in (soft, soft.round()):
        ours = sigmoid_focal_loss(x, y, reduction="none")
        p = torch.sigmoid(whole)
        known = -y * (1 - p) ** 2 * p.log() - (1 - y) * p**2 * (1 - p).log()
        torch.testing.assert_close(ours, known)
    if len(size) > 1:
        t = torch.randint(0, 7, (size[0], *size[2:]), generator=g)
        leaves = [whole.clone().requires_grad_(), x.clone().requires_grad_()]
        p_t = leaves[0].softmax(1).gather(1, t.unsqueeze(1)).squeeze(1)
        known = -((1 - p_t) ** 2) * p_t.log()
        ours = softmax_focal_loss(leaves[1], t, reduction="none")
        torch.testing.assert_close(ours, known)
        known.sum().backward()
        ours.sum().backward()
        torch.testing.assert_close(leaves[1].grad, leaves[0].grad)


@pytest.mark.parametrize("shape", [(900, 5), (400, 64), (4, 5, 70)])
@pytest.mark.parametrize("alpha", [False, True])
def test_pieces_of_any_size_of_logits(shape, alpha, monkeypatch):
    """Some pieces hold logits that need a shift, some hold none."""
    monkeypatch.setattr(cpu, "SHARE", 2**7)
    g = torch.Generator().manual_seed(2)
    z = torch.randn(shape, generator=g, dtype=torch.float64)
    z[: shape[0] // 2] *= 100
    where = shape[:1] + shape[2:]
    t = torch.randint(0, shape[1], where, generator=g)
    keys = {"alpha": torch.rand(shape[1], generator=g).double().tolist()}
    keys = keys if alpha else {}
    leaf = z.clone().requires_grad_()
    loss = softmax_focal_loss(leaf, t, reduction="none", **keys)
    upstream = torch.rand(where, generator=g, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss, leaf, upstream)
    arguments = z.numpy(), t.numpy()
    known = reference.softmax_focal_loss(*arguments, **keys)
    np.testing.assert_allclose(loss.detach(), known, rtol=1e-11)
    known = gradients.softmax_focal_gradient(*arguments, **keys)
    known = upstream.unsqueeze(1).numpy() * known
    np.testing.assert_allclose(gradient, known, rtol=1e-11, atol=1e-300)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_late_threads_left_is_worked_by_one(dtype, monkeypatch):
    """In small pieces, by NumPy; nothing that is found depends on it."""
    g = torch.Generator().manual_seed(3)
    x = (20 * torch.randn(300_000, generator=g)).to(dtype)
    z = x.view(2, 3, 50_000)
    hard, t = (x > 0).to(dtype), z.argmax(1)
    soft = torch.rand(300_000, generator=g).to(dtype)
    late = []

    def spy(work, again, values, up, small, out=None):
        late.append((values[0].numel() <= small, values[0].numel()))
        return piece(work, again, values, up, small, out)

    piece = cpu._piece
    monkeypatch.setattr(cpu, "_piece", spy)
    monkeypatch.setattr(cpu, "QUICK", True)
    monkeypatch.setattr(cpu, "SMALL", 2**11)
    monkeypatch.setattr(cpu, "SHARE", 2**13)
    monkeypatch.setattr(cpu, "ALONE", 2**13)
    for loss, logits, target in (
        (sigmoid_focal_loss, x, hard),
        (sigmoid_focal_loss, x, soft),
        (softmax_focal_loss, z, t),
        (softmax_focal_loss, z, soft.view_as(z)),
    ):
        for reduction in ("none", "sum"):
            found = []
            for limit in (torch.inf, 0):
                monkeypatch.setattr(cpu, "LATE", limit)
                late.clear()
                leaf = logits.detach().clone().requires_grad_()
                losses = loss(leaf, target, reduction=reduction)
                losses.sum().backward()
                found.append((losses.detach(), leaf.grad))
                first, *others = late
                assert not first[0] and first[1] > cpu.ALONE
                assert all(small == (limit == 0) for small, _ in others)
                assert not limit == 0 or max(others)[1] <= cpu.ALONE
            torch.testing.assert_close(*found)


@pytest.mark.parametrize("size", (5000, 100_000))
@pytest.mark.parametrize("each", (False, True))
@pytest.mark.parametrize("far", (200, 1e4))
def test_what_is_beyond_the_odds_is_worked_alone(
    size, each, far, monkeypatch
):
    """One wrong logit among many costs no other a slow path, and none at
    all where float64 has the range for it."""
    worked = []

    def spy(work):
        def seen(x, *others, **settings):
            worked.append(x.shape[:1] if x.ndim > 1 else x.shape)
            return work(x, *others, **settings)

        return seen

    for name in ("sigmoid_each", "softmax_each"):
        monkeypatch.setattr(pairs, name, spy(getattr(pairs, name)))
    g = torch.Generator().manual_seed(5)
    x = torch.randn(size, generator=g)
    x[7] = far
    z = torch.stack([torch.zeros_like(x), x], 1)
    soft = torch.full_like(x, 0.25)
    up = torch.rand(size, generator=g)
    for loss, logits, y in (
        (sigmoid_focal_loss, x, soft.round()),
        (sigmoid_focal_loss, x, soft),
        (softmax_focal_loss, z, soft.long()),
    ):
        found = []
        for leaf in (logits, logits.double()):
            leaf = leaf.detach().requires_grad_()
            worked.clear()
            losses = loss(leaf, y, reduction="none" if each else "sum")
            losses.backward(up.to(leaf.dtype) if each else None)
            sizes = {shape.numel() for shape in worked}
            assert sizes == ({1} if far > 200 else set())
            found.append((losses.double(), leaf.grad.double()))
        torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


def test_a_logit_that_is_no_number_spoils_its_own_example_only():
    z, _, _, t = draw((6, 3))
    with torch.no_grad():
        z[2, 1] = float("nan")
    loss = softmax_focal_loss(z, t, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert loss.isnan().tolist() == [i == 2 for i in range(6)]
    assert gradient.isfinite().all(1).tolist() == [i != 2 for i in range(6)]


FAULTS = """
from resource import RUSAGE_SELF, getrusage
import torch
from focal_edu.pytorch import sigmoid_focal_loss

torch.set_num_threads(1)
x, y = torch.zeros(2, 200_000)
x.requires_grad_()
found = []
for _ in range(20):
    before = getrusage(RUSAGE_SELF).ru_minflt
    x.grad = None
    sigmoid_focal_loss(x, y).backward()
    found.append(getrusage(RUSAGE_SELF).ru_minflt - before)
print(sorted(found)[10])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_a_call_uses_the_memory_that_the_last_one_freed():
    run = [sys.executable, "-c", FAULTS]
    pages = subprocess.run(run, capture_output=True, text=True, check=True)
    assert int(pages.stdout) < 50  # an array of them has 196
