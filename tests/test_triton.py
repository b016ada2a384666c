"""The Triton kernels against the formulas: in Triton's interpreter, or on a
GPU where there is one. They are compiled for a card in any case."""

import os
import subprocess
import sys
from functools import partial
from itertools import product

import mpmath
import pytest
import torch

from focal_edu import FocalLoss, accuracy
from focal_edu.kernels import fused
from focal_edu.pytorch import sigmoid_focal_loss, softmax_focal_loss

pytest.importorskip("triton")
from focal_edu.kernels import triton_kernels

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
GAMMAS = accuracy.GAMMAS if CUDA else (0, 0.5, 2, 5)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@pytest.fixture(autouse=True)
def by_triton(monkeypatch):
    monkeypatch.setattr(fused, "engine_for", lambda *_: triton_kernels)


def value_and_slope(loss, z, *arguments, **settings):
    leaf = z.detach().clone().requires_grad_()
    value = loss(leaf, *arguments, **settings)
    value.sum().backward()
    return value.detach().cpu().double(), leaf.grad.cpu().double()


def both_ways(monkeypatch, loss, z, target, dtype, **settings):
    """By Triton in `dtype`, and by the formulas in float64."""
    given = z.to(DEVICE, dtype)
    ours = value_and_slope(loss, given, target.to(DEVICE), **settings)
    with monkeypatch.context() as patch:
        patch.setattr(fused, "engine_for", lambda *_: None)
        known = value_and_slope(
            loss, given.cpu().double(), target, **settings
        )
    return ours, known


def draw(*shape, scale=4.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=g), g


def close(ours, known, dtype):
    rtol = {torch.float32: 2e-5}.get(dtype, 2 * torch.finfo(dtype).eps)
    for one, other in zip(ours, known, strict=True):
        # where the slopes of a soft target cancel, beside the largest
        least = 1e-6 * other.abs().max().item() + torch.finfo(dtype).tiny
        torch.testing.assert_close(one, other, rtol=rtol, atol=least)


def wrong(check, dtype):
    """The interpreter cuts bfloat16 off where a card rounds it."""
    if CUDA or dtype != torch.bfloat16:
        return True
    return not abs(check.given / check.true - 1) <= 2 * 2**-7


@every_dtype
@pytest.mark.parametrize(
    "examine, loss",
    [
        (partial(accuracy.examine_sigmoid, order=1), sigmoid_focal_loss),
        (accuracy.examine_softmax, softmax_focal_loss),
    ],
    ids=["sigmoid", "softmax"],
)
def test_no_check_of_it_fails(dtype, examine, loss):
    """As `test_numerics`: every extreme logit against 80 digits."""

    def there_and_back(logits, target, gamma):
        there = logits.to(DEVICE), target.to(DEVICE)
        return loss(*there, gamma=gamma, reduction="none").cpu()

    checks = examine(there_and_back, dtype, GAMMAS)
    assert len(checks) > 1000
    assert [
        c for c in checks if c.outcome != "right" and wrong(c, dtype)
    ] == []


@every_dtype
@pytest.mark.parametrize("reduction", ["none", "mean", "mean_positive"])
@pytest.mark.parametrize("alpha", [None, 0.25, [0.1, 0.5, 0.9]])
def test_sigmoid_is_the_formulas(monkeypatch, dtype, reduction, alpha):
    z, g = draw(900, 3, 2)
    soft = torch.rand(z.shape, generator=g).to(dtype).float()
    targets = soft, soft.round(), soft > 0.9, (soft > 0.5).long()
    for y, gamma in product(targets, (1.5, 2)):
        ours, known = both_ways(
            monkeypatch,
            sigmoid_focal_loss,
            z,
            y,
            dtype,
            alpha=alpha,
            reduction=reduction,
            gamma=gamma,
        )
        close(ours, known, dtype)


@every_dtype
@pytest.mark.parametrize("shape", [(7, 3), (5, 80), (3, 10, 4, 2), (5,)])
@pytest.mark.parametrize("alpha", [False, True])
def test_softmax_is_the_formulas(monkeypatch, dtype, shape, alpha):
    z, g = draw(*shape)
    classes = shape[1 if len(shape) > 1 else 0]
    where = (*shape[:1], *shape[2:]) if len(shape) > 1 else ()
    t = torch.randint(0, classes, where, generator=g)
    if where:
        t.view(-1)[1] = -100
    weights = torch.rand(classes, generator=g).tolist() if alpha else None
    for reduction in ("none", "mean"):
        ours, known = both_ways(
            monkeypatch,
            softmax_focal_loss,
            z,
            t,
            dtype,
            alpha=weights,
            reduction=reduction,
            gamma=1.5,
        )
        close(ours, known, dtype)


def test_rows_wider_than_a_program(monkeypatch):
    monkeypatch.setattr(triton_kernels, "WIDEST", 16)
    z, g = draw(5, 300, scale=20.0)
    t = torch.randint(0, 300, (5,), generator=g)
    ours, known = both_ways(
        monkeypatch, softmax_focal_loss, z, t, torch.float32
    )
    close(ours, known, torch.float32)


def test_soft_class_targets(monkeypatch):
    z, g = draw(6, 4)
    y = torch.softmax(torch.randn(6, 4, generator=g), 1)
    ours, known = both_ways(
        monkeypatch, softmax_focal_loss, z, y, torch.float32
    )
    close(ours, known, torch.float32)


def test_a_second_backward_pass_and_a_second_derivative(monkeypatch):
    z, g = draw(40)
    y = torch.rand(40, generator=g).round().to(DEVICE)
    x = z.to(DEVICE).requires_grad_()
    loss = 3 * sigmoid_focal_loss(x, y)
    first, again = (
        torch.autograd.grad(loss, x, retain_graph=True)[0].clone()
        for _ in range(2)
    )
    torch.testing.assert_close(again, first)
    (slope,) = torch.autograd.grad(loss, x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    assert bend.isfinite().all() and (bend != 0).any()
    torch.testing.assert_close(slope, first)


def test_an_index_out_of_range_gives_nan():
    """Where values are not looked at, as documented."""
    z = torch.zeros(2, 3, device=DEVICE)
    t = torch.tensor([0, 7], device=DEVICE)
    loss = softmax_focal_loss(z, t, reduction="none", check_values=False)
    assert loss.isnan().tolist() == [False, True]


def test_what_is_ignored_may_hold_no_numbers():
    z = torch.zeros(2, 3, device=DEVICE)
    z[1] = float("nan")
    z.requires_grad_()
    loss = FocalLoss(task_type="multi-class")(
        z, torch.tensor([0, -100], device=DEVICE)
    )
    loss.backward()
    assert loss.isfinite() and (z.grad[1] == 0).all()


@every_dtype
def test_the_largest_logits_there_are(dtype):
    x = torch.finfo(dtype).max * torch.tensor([1.0, -1.0], device=DEVICE)
    x = x.to(dtype).requires_grad_()
    for y in torch.eye(2, device=DEVICE), torch.full((2, 2), 0.5):
        loss = sigmoid_focal_loss(x.expand(2, 2), y.to(x))
        (slope,) = torch.autograd.grad(loss, x)
        assert loss > 1e4 and slope.isfinite().all() and slope.any()


COMPILED = """
import subprocess
import sys
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from focal_edu.kernels import triton_kernels

def compiled(kernel, types, num_warps, **constants):
    types = dict.fromkeys(kernel.arg_names, "i32") | types
    types |= dict.fromkeys(constants, "constexpr")
    places = {kernel.arg_names.index(k): v for k, v in constants.items()}
    aligned = [
        i
        for i, (name, kind) in enumerate(types.items())
        if kind[0] == "*" or name == "size"
    ]
    source = ASTSource(
        kernel,
        types,
        {(i,): value for i, value in places.items()},
        {(i,): [["tt.divisibility", 16]] for i in aligned},
    )
    card = GPUTarget("cuda", 90, 32)
    made = triton.compile(source, card, {"num_warps": num_warps}).asm
    cubin = Path(sys.argv[1], "cubin")
    cubin.write_bytes(made["cubin"])
    tool = triton.knobs.nvidia.cuobjdump.path
    show = [tool, "--dump-resource-usage", str(cubin)]
    said = subprocess.run(show, capture_output=True, text=True).stdout
    assert " STACK:0 " in said, "the registers do not suffice:" + said
    return made["ptx"]

for dtype in "fp32", "bf16", "fp16":
    numbers = dict.fromkeys(("gamma", "a", "b"), "fp32")
    arrays = {"LOSS": "*fp32", "SLOPE": "*" + dtype}
    for flag in False, True:
        made = compiled(
            triton_kernels.sigmoid_kernel,
            numbers | arrays | {"X": "*" + dtype, "Y": "*fp32"},
            4, A=None, B=None, UP=None, UP_STEP=0, EACH=flag,
            PRECISE=dtype == "fp32", SQUARE=flag, BLOCK=triton_kernels.BLOCK,
        )
        assert "ld.global.v4" in made
    numbers = dict.fromkeys(("gamma", "alpha"), "fp32")
    indices = {"T": "*i64", "ignored": "i64"}
    for classes in 100, 32_000, 50_257:
        made = compiled(
            triton_kernels.softmax_kernel,
            numbers | arrays | indices | {"Z": "*" + dtype},
            ALPHA=None, UP=None, UP_STEP=0, **triton_kernels.tiling(classes),
        )
        assert ("ld.global.v" in made) == (classes % 4 == 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Triton is for Linux")
def test_they_compile_for_a_card_that_is_not_here(tmp_path):
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED, str(tmp_path)],
        env=os.environ
        | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr


def test_the_polynomials_are_chebyshevs():
    for precise, degree, bound in ((True, 8, 4e-8), (False, 4, 7e-5)):
        e = torch.linspace(0, 1, 1001, dtype=torch.float64)
        fitted = polynomial(e, precise)
        exact = torch.where(e > 0, torch.log1p(e) / e, 1.0)
        assert (fitted - exact).abs().max() < bound
        with mpmath.workdps(30):
            best = mpmath.chebyfit(
                lambda e: mpmath.log1p(e) / e, [0, 1], degree + 1
            )
        known = torch.zeros_like(e)
        for c in best:
            known = known * e + float(c)
        torch.testing.assert_close(fitted, known, rtol=0, atol=2e-9)


def polynomial(e, precise):
    return triton_kernels.log1p_ratio.fn(e, precise)
