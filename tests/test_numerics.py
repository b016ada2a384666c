"""Every value and derivative of the PyTorch losses, on extreme logits,
against high-precision arithmetic: not one may be wrong."""

import math
from itertools import product

import mpmath
import pytest
import torch

from focal_edu import accuracy, gradients, reference
from focal_edu.kernels import cpu, odds
from focal_edu.pytorch import sigmoid_focal_loss, softmax_focal_loss

pytestmark = pytest.mark.slow

DTYPES = tuple(accuracy.TOLERANCES)
OFF = dict(zip(DTYPES, (1e-12, 1e-4, 2**-6, 2**-9), strict=True))


def ours_sigmoid(x, y, gamma):
    return sigmoid_focal_loss(x, y, gamma=gamma, reduction="none")


def ours_beside_soft(x, y, gamma):
    """One soft target makes the whole batch a soft one."""
    x, y = (torch.cat([v, torch.full_like(v[:1], 0.5)]) for v in (x, y))
    return ours_sigmoid(x, y, gamma)[:-1]


def ours_softmax(z, t, gamma):
    return softmax_focal_loss(z, t, gamma=gamma, reduction="none")


def ours_one_hot(z, t, gamma):
    """Class probabilities, all of them on one class."""
    y = torch.nn.functional.one_hot(t, z.shape[1]).to(z.dtype)
    return ours_softmax(z, y, gamma)


def checks_of(dtype):
    """Every check of both losses in one accuracy.

    The logits come all at once, and each size on its own: how they are
    worked depends on those around them.
    """
    checks = []
    for sizes in (accuracy.SIZES, *((size,) for size in accuracy.SIZES)):
        logits = sorted({sign * size for sign in (-1, 1) for size in sizes})
        for sigmoid in (ours_sigmoid, ours_beside_soft):
            checks += accuracy.examine_sigmoid(sigmoid, dtype, logits=logits)
        checks += accuracy.examine_softmax(ours_softmax, dtype, sizes=sizes)
    return checks + accuracy.examine_softmax(ours_one_hot, dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    "small, products",
    ((cpu.SMALL, odds.PRODUCT), (cpu.SMALL, 0), (0, 0)),
    ids=["products", "arrays", "tensors"],
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_check_fails(dtype, small, products, monkeypatch):
    monkeypatch.setattr(cpu, "SMALL", small)
    monkeypatch.setattr(cpu, "QUICK", small > 0)
    monkeypatch.setattr(odds, "PRODUCT", products)
    checks = checks_of(dtype)
    assert len(checks) > 15_000
    assert [check for check in checks if check.outcome != "right"] == []


@pytest.mark.slow
@pytest.mark.parametrize("classes", (10, 63, 64, 80))
@pytest.mark.parametrize("scale", (1, 4, 15, 40, 1000))
def test_many_classes_in_float32(classes, scale):
    """Against the reference in float64, half of the truths on top."""
    g = torch.Generator().manual_seed(0)
    z = scale * torch.randn(300, classes, generator=g)
    t = torch.randint(0, classes, (300,), generator=g)
    t[::2] = z[::2].argmax(1)
    for gamma, ours in product(accuracy.GAMMAS, (ours_softmax, ours_one_hot)):
        leaf = z.clone().requires_grad_()
        loss = ours(leaf, t, gamma)
        loss.sum().backward()
        arguments = z.double().numpy(), t.numpy()
        value = reference.softmax_focal_loss(*arguments, gamma=gamma)
        slope = gradients.softmax_focal_gradient(*arguments, gamma=gamma)
        least = (1 + 1e-6) * torch.finfo(torch.float32).tiny
        for found, known in ((loss.detach(), value), (leaf.grad, slope)):
            torch.testing.assert_close(
                found.double(), torch.from_numpy(known), rtol=1e-5, atol=least
            )


@pytest.mark.parametrize("small", (cpu.SMALL, 0), ids=["arrays", "tensors"])
@pytest.mark.parametrize("row", ((-39, -39, -100), (17, 9, 40), (1, 12, -70)))
def test_the_smallest_slopes_of_a_large_batch(row, small, monkeypatch):
    """Of classes with next to no share, at logits far from 0."""
    monkeypatch.setattr(cpu, "SMALL", small)
    z = torch.tensor([row]).repeat(odds.FEW, 1)
    slopes = []
    for dtype in (torch.float32, torch.float64):
        leaf = z.to(dtype).requires_grad_()
        ours_softmax(leaf, torch.zeros(len(z)).long(), 2).sum().backward()
        slopes.append(leaf.grad.double())
    torch.testing.assert_close(*slopes, rtol=1e-5, atol=1.2e-38)


@pytest.mark.parametrize("small", (cpu.SMALL, 0), ids=["arrays", "tensors"])
@pytest.mark.parametrize("size", (20, 80, 1e4))
def test_soft_targets_share_out_the_loss(size, small, monkeypatch):
    """Linear in y; slopes that cancel, within rounding of the larger."""
    monkeypatch.setattr(cpu, "SMALL", small)
    monkeypatch.setattr(cpu, "QUICK", small > 0)
    x = torch.linspace(-size, size, 101)
    for gamma in accuracy.GAMMAS:
        parts = []
        for y in (1.0, 0.0):
            leaf = x.double().requires_grad_()
            loss = ours_sigmoid(leaf, torch.full_like(leaf, y), gamma)
            parts += loss, torch.autograd.grad(loss.sum(), leaf)[0]
        leaf = x.clone().requires_grad_()
        loss = ours_sigmoid(leaf, torch.full_like(x, 0.25), gamma)
        (slope,) = torch.autograd.grad(loss.sum(), leaf)
        for ours, yes, no in zip(
            (loss, slope), parts[:2], parts[2:], strict=True
        ):
            off = (ours - 0.25 * yes - 0.75 * no).abs()
            largest = 0.25 * yes.abs() + 0.75 * no.abs()
            assert (off <= 1e-5 * largest + 1e-37).all(), gamma


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("gamma", (0, 0.5, 2))
def test_second_derivative_of_softmax(dtype, gamma):
    """Every entry, within rounding of the largest."""
    scales = (3.0, 16.7, 88.0, 1e4)
    rows = [[s * v for v in p] for p in accuracy.PATTERNS for s in scales]
    for row in torch.tensor(rows, dtype=dtype).tolist():
        for t in range(3):
            z = torch.tensor([row], dtype=dtype, requires_grad=True)
            loss = ours_softmax(z, torch.tensor([t]), gamma)
            (g,) = torch.autograd.grad(loss, z, create_graph=True)
            hessian = torch.stack(
                [
                    torch.autograd.grad(v, z, retain_graph=True)[0][0]
                    for v in g[0]
                ]
            )
            true = hessian_truth(tuple(row), t, gamma)
            slack = 20 * accuracy.TOLERANCES[dtype] * true.abs().max()
            slack = slack + torch.finfo(dtype).tiny
            assert ((hessian - true).abs() <= slack).all(), (row, t)


def hessian_truth(z, t, gamma):
    """Central differences of the definition, in 200 digits."""

    def loss(z):
        own = mpmath.exp(z[t])
        odds = (mpmath.fsum(map(mpmath.exp, z)) - own) / own
        return (odds / (1 + odds)) ** gamma * mpmath.log1p(odds)

    def at(j, a, k, b):
        return [v + a * (i == j) + b * (i == k) for i, v in enumerate(z)]

    with mpmath.workdps(200):
        z, h = [mpmath.mpf(v) for v in z], mpmath.mpf("1e-20")
        corners = ((1, 1), (1, -1), (-1, 1), (-1, -1))
        return torch.tensor(
            [
                [
                    float(
                        sum(
                            a * b * loss(at(j, a * h, k, b * h))
                            for a, b in corners
                        )
                        / (4 * h**2)
                    )
                    for k in range(3)
                ]
                for j in range(3)
            ],
            dtype=torch.float64,
        )


def test_the_truth_is_true():
    """At x = 0 and γ = 2, by hand: FL = ¼ ln 2, FL′ = −(ln 2 + ½)/4."""
    ln2 = math.log(2)
    value, slope, curvature = map(float, accuracy.sigmoid_truth(0.0, 2))
    assert value == pytest.approx(ln2 / 4, rel=1e-15)
    assert slope == pytest.approx(-(ln2 + 0.5) / 4, rel=1e-15)
    assert curvature == pytest.approx((2.5 + ln2) / 8, rel=1e-15)
    value, gradient = accuracy.softmax_truth((1.0, 1.0, 1.0), 2, 1)
    assert float(value) == pytest.approx(2 / 3 * math.log(3), rel=1e-15)
    a = 2 / 3 * (-math.log(3) / 3 - 2 / 3)
    assert [float(g) for g in gradient] == pytest.approx([-a / 2, -a / 2, a])


def test_a_mean_is_refused():
    def mean(x, y, gamma):
        return sigmoid_focal_loss(x, y, gamma=gamma)

    with pytest.raises(ValueError, match="a value for each element"):
        accuracy.examine_sigmoid(mean, torch.float32)


def test_the_textbook_form_fails():
    """The check sees the faults of log σ(x) and (1 − p)^γ written out."""

    def textbook(x, y, gamma):
        p = torch.sigmoid(x)
        p_t = torch.where(y > 0, p, 1 - p)
        return -((1 - p_t) ** gamma) * torch.log(p_t)

    checks = accuracy.examine_sigmoid(textbook, torch.float32)
    counts = accuracy.outcomes(checks)
    assert min(counts[k] for k in ("inaccurate", "zero", "inf", "nan")) > 50


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_loss_a_little_off_is_never_called_right(dtype):
    """By four units in the last place of a half precision, or by more."""
    least = 2**-24 if dtype == torch.float16 else torch.finfo(dtype).tiny
    for sign in (-1, 1):

        def off(x, y, gamma, sign=sign):
            loss = ours_sigmoid(x, y, gamma) * (1 + sign * OFF[dtype])
            return loss + sign * 3 * least

        found = accuracy.outcomes(
            accuracy.examine_sigmoid(off, dtype, order=0)
        )
        assert found["right"] == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_soft_class_targets_at_extreme_logits(dtype):
    """One-hot probabilities give what indices give, ties and all."""
    rows = [
        [s * v for v in p] for p in accuracy.PATTERNS for s in accuracy.SIZES
    ]
    z = torch.tensor(rows, dtype=dtype)
    for t in range(3):
        index = torch.full((len(rows),), t)
        one_hot = torch.nn.functional.one_hot(index, 3).to(dtype)
        results = []
        for target in (index, one_hot):
            leaf = z.clone().requires_grad_()
            loss = ours_softmax(leaf, target, 1.5)
            loss.sum().backward()
            results.append((loss.detach(), leaf.grad))
        for hard, soft in zip(*results, strict=True):
            rtol = 2 * accuracy.TOLERANCES[dtype]
            torch.testing.assert_close(
                soft, hard, rtol=rtol, atol=torch.finfo(dtype).tiny
            )


@pytest.mark.parametrize("shift", (-39.0, 0.0, 45.0, 1e3))
def test_a_shift_of_all_logits_changes_no_digit(shift, monkeypatch):
    """Also where the exponentials of some are too small to have digits."""
    monkeypatch.setattr(cpu, "SMALL", 0)
    monkeypatch.setattr(cpu, "QUICK", False)
    z = shift + torch.tensor([[0.0, -55.0], [0.0, -0.5], [0.0, 60.0]])
    t = torch.tensor([0, 1, 0])
    found = []
    for leaf in (z.clone(), z.double()):
        loss = ours_softmax(leaf.requires_grad_(), t, 0.0)
        loss.sum().backward()
        found += [(loss.double(), leaf.grad.double())]
    torch.testing.assert_close(*found, rtol=2e-6, atol=0)


@pytest.mark.parametrize("size", (10**3, 3 * 10**4, 3 * 10**5))
def test_a_sum_of_many_equal_losses_keeps_its_digits(size):
    """As a detector's first batch is, where every error has one sign."""
    x, t = torch.full((size, 2), -4.6), torch.zeros(size, dtype=torch.int64)
    for loss, y in (
        (sigmoid_focal_loss, torch.zeros_like(x)),
        (sigmoid_focal_loss, torch.full_like(x, 0.1)),
        (softmax_focal_loss, t),
        (softmax_focal_loss, torch.full_like(x, 0.5)),
    ):
        total = loss(x, y, reduction="sum").double()
        first = y[:1].double() if y.is_floating_point() else y[:1]
        one = loss(x[:1].double(), first, reduction="sum")
        torch.testing.assert_close(total, size * one, rtol=1e-6, atol=0)
