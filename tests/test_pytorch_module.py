"""`FocalLoss` inside PyTorch: compile, transforms, autocast, state, memory,
devices."""

import re
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch.autograd.functional import hessian as autograd_hessian
from torch.autograd.functional import jacobian
from torch.func import functional_call, grad, jacrev, vmap

import focal_edu
from focal_edu import FocalLoss
from focal_edu.benchmark import saved_bytes

WEIGHTS = [0.25, 0.75, 0.5]
SETTINGS = (
    {"alpha": 0.25, "reduction": "mean_positive"},
    {"task_type": "multi-label", "alpha": WEIGHTS, "gamma": 0.5},
    {"task_type": "multi-class", "alpha": WEIGHTS},
    {"task_type": "multi-class", "reduction": "sum", "gamma": 1.5},
)
every_setting = pytest.mark.parametrize(
    "settings", SETTINGS, ids=["binary", "labels", "weighted", "classes"]
)


def batch(loss, dtype=torch.float32, size=8):
    g = torch.Generator().manual_seed(0)
    z = 4 * torch.randn(size, 3, generator=g, dtype=torch.float64)
    if loss.task_type == "multi-class":
        target = torch.randint(0, 3, (size,), generator=g)
    else:
        target = torch.rand(size, 3, generator=g).round()
    return z.to(dtype).requires_grad_(), target


def value_and_gradient(loss, z, target):
    value = loss(z, target)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), gradient


@pytest.mark.slow
@every_setting
def test_compiled_is_eager(settings):
    if not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("torch.compile needs a C++ compiler on a CPU")
    loss = FocalLoss(**settings)
    z, target = batch(loss)
    compiled = torch.compile(loss, fullgraph=True)
    torch.testing.assert_close(
        value_and_gradient(compiled, z, target),
        value_and_gradient(loss, z, target),
    )


@every_setting
def test_transforms(settings):
    """Per-example gradients by `vmap` and `grad` are those of a loop."""
    loss = FocalLoss(**settings)
    z, target = batch(loss, torch.float64)
    looped = [grad(loss)(*pair) for pair in zip(z, target, strict=True)]
    looped = torch.stack(looped).detach()
    torch.testing.assert_close(vmap(grad(loss))(z, target).detach(), looped)
    total = grad(lambda z: vmap(loss)(z, target).sum())(z)
    torch.testing.assert_close(total.detach(), looped)
    (outside,) = torch.autograd.grad(vmap(loss)(z, target).sum(), z)
    torch.testing.assert_close(outside, looped)
    columns = vmap(loss, in_dims=(1, 0), out_dims=0)(z.T, target)
    torch.testing.assert_close(columns, vmap(loss)(z, target))


@every_setting
def test_a_target_that_all_examples_share(settings):
    loss = FocalLoss(**settings)
    z, target = batch(loss)
    first = target[0]
    each = torch.stack([loss(row, first) for row in z])
    shared = vmap(loss, in_dims=(0, None))(z, first)
    torch.testing.assert_close(shared, each)
    with pytest.raises(ValueError, match="target"):
        vmap(loss, in_dims=(0, None))(z, first + 3)


def test_nothing_private_of_pytorch_is_asked_for():
    for path in Path(focal_edu.__file__).parent.rglob("*.py"):
        assert not re.search(r"\btorch\._(?!_)", path.read_text()), path


@every_setting
def test_hessians(settings):
    loss = FocalLoss(**settings)
    z, target = batch(loss, torch.float64, size=2)
    known = autograd_hessian(lambda z: loss(z, target), z)
    ours = jacrev(jacrev(loss))(z, target).detach()
    torch.testing.assert_close(ours, known)


@every_setting
def test_batched_jacobian_and_hessian(settings):
    """Those of ``torch.autograd`` batch the gradients in a way of old."""
    loss = FocalLoss(**{**settings, "reduction": "none"})
    z, target = batch(loss, torch.float64, size=2)

    def each(z):
        return loss(z, target)

    def total(z):
        return each(z).sum()

    for derivative, function in ((jacobian, each), (autograd_hessian, total)):
        looped, batched = (
            derivative(function, z, vectorize=vectorize)
            for vectorize in (False, True)
        )
        torch.testing.assert_close(batched, looped)


def test_inference_mode_reaches_every_thread():
    z = torch.randn(300_000, 3)
    for settings in SETTINGS:
        loss = FocalLoss(**settings)
        target = (z > 0).long()
        target = target[:, 0] if loss.task_type == "multi-class" else target
        with torch.inference_mode():
            inferred = loss(z.clone(), target)
        torch.testing.assert_close(inferred, loss(z, target))
        assert inferred.is_inference()


def test_functional_call_replaces_alpha():
    loss = FocalLoss(task_type="multi-class", alpha=WEIGHTS)
    z, target = batch(loss)
    other = {"alpha": torch.tensor([1.0, 2.0, 3.0])}
    torch.testing.assert_close(
        functional_call(loss, other, (z, target)),
        FocalLoss(task_type="multi-class", alpha=other["alpha"])(z, target),
    )


@every_setting
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(settings, dtype):
    """As the float32 loss of the same rounded logits, rounded once."""
    loss = FocalLoss(**settings)
    z, target = batch(loss, dtype)
    value, gradient = value_and_gradient(loss, z, target)
    wide = z.detach().float().requires_grad_()
    known = value_and_gradient(loss, wide, target)
    assert value.dtype == gradient.dtype == dtype
    torch.testing.assert_close(value, known[0].to(dtype))
    torch.testing.assert_close(gradient, known[1].to(dtype))
    with torch.autocast("cpu"):
        value, gradient = value_and_gradient(loss, z, target)
    assert value.dtype == torch.float32 and gradient.dtype == dtype
    torch.testing.assert_close(value, known[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_takes_soft_targets_of_the_other_half_precision(dtype):
    z, soft = torch.randn(5, 3), torch.rand(5, 3)
    for settings in SETTINGS:
        loss = FocalLoss(**settings)
        with torch.autocast("cpu", dtype):
            for half in (torch.bfloat16, torch.float16):
                given = z.to(half), soft.to(half)
                value = loss(*given)
                torch.testing.assert_close(
                    value, loss(*(tensor.float() for tensor in given))
                )


def test_a_gradient_scaler_saves_small_float16_gradients():
    """2^−30 is 0 in float16; 2^16 times as much is not."""
    z = torch.full((4,), 7.0, dtype=torch.float16, requires_grad=True)
    with torch.autocast("cpu", torch.float16):
        loss = FocalLoss(reduction="sum")(z, torch.ones(4))
    (loss * 2.0**16).backward()
    wide = z.detach().double().requires_grad_()
    FocalLoss(reduction="sum")(wide, torch.ones(4)).backward()
    known = wide.grad * 2**16
    assert (wide.grad.half() == 0).all()
    torch.testing.assert_close(z.grad.double(), known, rtol=5e-4, atol=0)


@every_setting
def test_state(settings):
    loss = FocalLoss(**settings)
    copy = deepcopy(loss)
    z, target = batch(loss)
    before = repr(loss), {k: v.clone() for k, v in loss.state_dict().items()}
    first = [value_and_gradient(loss, z, target) for _ in range(3)]
    torch.testing.assert_close(first[0], first[2], rtol=0, atol=0)
    torch.testing.assert_close(copy(z, target), first[0][0])
    assert repr(loss) == before[0]
    torch.testing.assert_close(dict(loss.state_dict()), before[1])
    keys = ["alpha"] if isinstance(settings.get("alpha"), list) else []
    assert list(loss.state_dict()) == keys
    other = FocalLoss(
        **{**settings, "alpha": [1.0, 1.0, 1.0]} if keys else settings
    )
    other.load_state_dict(loss.state_dict())
    torch.testing.assert_close(other(z, target), first[0][0])


def test_alpha_is_a_buffer_of_its_own():
    given = torch.tensor(WEIGHTS, dtype=torch.float64)
    loss = FocalLoss(task_type="multi-class", alpha=given)
    given[0] = 100
    assert loss.alpha.tolist() == WEIGHTS and loss.alpha.dtype == given.dtype
    assert loss.to("meta").alpha.device.type == "meta"


def test_repr_shows_the_configuration():
    loss = FocalLoss(1.5, WEIGHTS, "sum", "multi-class", 3, -1)
    assert repr(loss) == (
        "FocalLoss(gamma=1.5, alpha=[0.25, 0.75, 0.5], reduction='sum', "
        "task_type='multi-class', num_classes=3, ignore_index=-1)"
    )
    assert "alpha=None" in repr(FocalLoss())


def test_inputs_are_left_alone_and_nothing_is_printed(capfd):
    for settings in SETTINGS:
        loss = FocalLoss(**settings)
        z, target = batch(loss)
        kept = z.detach().clone(), target.clone()
        value_and_gradient(loss, z, target)
        torch.testing.assert_close((z.detach(), target), kept)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_memory_of_sigmoid(alpha):
    """One number of the input's type an element; float16, none at all."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        loss = FocalLoss(alpha=alpha)
        z, target = batch(loss, dtype, size=1000)
        assert saved_bytes(loss, z, target) <= z.nbytes + 16
    z, target = batch(loss, torch.float16, size=1000)
    assert saved_bytes(loss, z, target) <= 16


def test_memory_of_softmax():
    """The gradient itself, so that backward has nothing left to make."""
    loss = FocalLoss(task_type="multi-class")
    z = torch.randn(1000, 80, requires_grad=True)
    target = torch.randint(0, 80, (1000,))
    assert saved_bytes(loss, z, target) <= z.nbytes + 16
    assert saved_bytes(loss, 100 * z, target) <= z.nbytes + 16


@every_setting
def test_no_gradient_no_memory(settings):
    loss = FocalLoss(**settings)
    z, target = batch(loss)
    with torch.no_grad():
        assert saved_bytes(loss, z, target) == 0
    assert not loss(z.detach(), target).requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_setting
def test_cuda_is_cpu(settings):
    loss = FocalLoss(**settings)
    z, target = batch(loss)
    known = value_and_gradient(loss, z, target)
    z = z.detach().cuda().requires_grad_()
    ours = value_and_gradient(loss.cuda(), z, target.cuda())
    torch.testing.assert_close([t.cpu() for t in ours], list(known))


def test_the_examples_of_the_repository_that_began_this():
    """Its three usage examples, as its README has them."""
    torch.manual_seed(0)
    num_classes = 5
    inputs, targets = torch.randn(16), torch.randint(0, 2, (16,)).float()
    criterion = FocalLoss(gamma=2, alpha=0.25, task_type="binary")
    losses = [criterion(inputs, targets)]
    criterion = FocalLoss(
        gamma=2,
        alpha=[1.0] * num_classes,
        task_type="multi-class",
        num_classes=num_classes,
    )
    inputs = torch.randn(16, num_classes)
    losses += [criterion(inputs, torch.randint(0, num_classes, (16,)))]
    criterion = FocalLoss(gamma=2, alpha=0.25, task_type="multi-label")
    targets = torch.randint(0, 2, (16, num_classes)).float()
    losses += [criterion(inputs, targets)]
    assert all(loss.ndim == 0 and loss > 0 for loss in losses)
