"""How long losses take, forward and backward, over all sizes of a batch.

    python -m focal_edu.benchmark [--compiled] [--seconds S]

All losses of a size are timed in turn, so that another program's load falls
on all alike; read the ratios, not the microseconds. torchvision is measured
where it can be imported; "usual" is the same arithmetic.
"""

import argparse
import json
import math
import shutil
import time
import timeit
from functools import partial
from importlib import import_module, metadata, resources
from random import Random
from statistics import median
from typing import NamedTuple

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from .pytorch import sigmoid_focal_loss, softmax_focal_loss

SIGMOID_SHAPES = tuple((n,) for n in (1, 16, 10**3, 10**4, 10**5, 10**6))
SIGMOID_SHAPES += ((10**7,),)
SOFTMAX_SHAPES = ((32, 10), (256, 1000), (4096, 80), (8, 32_000))
SOFTMAX_SHAPES += ((10**5, 10), (10**5, 80), (10**6, 10))


class Row(NamedTuple):
    """How one loss did on logits of one shape."""

    task: str  # "sigmoid" or "softmax"
    shape: tuple
    loss: str
    microseconds: float  # forward + backward, median
    saved: float | None  # for backward, in sizes of the logits
    where: str = "here"


def usual_sigmoid(logits, targets):
    """Return the focal loss as it is usually written, γ = 2, its mean."""
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    return (ce * (1 - p_t) ** 2).mean()


def usual_softmax(logits, targets):
    """Return the multi-class loss as it is usually written, γ = 2."""
    p = torch.softmax(logits, 1)
    p_t = p.gather(1, targets.unsqueeze(1)).squeeze(1)
    return (-((1 - p_t) ** 2) * torch.log(p_t)).mean()


def losses_of(task, compiled=False):
    """Return the losses at hand, by name: ours first, then rivals.

    Each takes logits and targets and returns a mean, unweighted, at γ = 2.
    Compiled ones are added if `compiled`, and if a C++ compiler is found.
    """
    if task == "softmax":
        losses = {"ours": softmax_focal_loss, "usual": usual_softmax}
        plain = {"cross entropy": F.cross_entropy}
    else:
        losses = {"ours": sigmoid_focal_loss, "usual": usual_sigmoid}
        if theirs := _torchvision():
            losses["torchvision"] = partial(
                theirs, alpha=-1, gamma=2, reduction="mean"
            )
        plain = {"cross entropy": F.binary_cross_entropy_with_logits}
    if compiled and can_compile():
        rival = "torchvision" if "torchvision" in losses else "usual"
        for name in ("ours", rival):
            losses[f"{name}, compiled"] = torch.compile(losses[name])
    return losses | plain


def measure(task, losses, logits, targets, *, seconds=0.5, rounds=5):
    """Return a list of `Row`, one for each of the `losses`.

    Parameters
    ----------
    task : str
        What the rows say was done.
    losses : dict of name to function of logits and targets
    logits, targets : tensors
        Left as they are.
    seconds : float
        For how long rounds go on, once there were `rounds` of them. Each
        goes through the losses in an order of its own, and runs each as
        often as fills two milliseconds.
    """
    x = logits.detach().clone().requires_grad_()

    def run(loss, times=1):
        _wait(x)
        start = time.perf_counter()
        for _ in range(times):
            x.grad = None
            loss(x, targets).backward()
        _wait(x)
        return (time.perf_counter() - start) / times

    for loss in losses.values():
        run(
            loss
        )  # the first call compiles, or meets memory as others left it
    often = {
        name: min(200, 1 + int(2e-3 / run(loss, 2)))
        for name, loss in losses.items()
    }
    took = {name: [] for name in losses}
    order, start = Random(0), time.perf_counter()
    while rounds > 0 or time.perf_counter() - start < seconds:
        rounds -= 1
        for name in order.sample(list(losses), len(losses)):
            took[name].append(run(losses[name], often[name]))
    return [
        Row(
            task,
            tuple(x.shape),
            name,
            round(1e6 * median(took[name]), 2),
            _saved(loss, x, targets),
        )
        for name, loss in losses.items()
    ]


def batch_for(task, shape, *, device="cpu", dtype=torch.float32):
    """Return logits and targets: 1 positive in 100, or one of C classes."""
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=g) - (task == "sigmoid") * 2
    if task == "sigmoid":
        targets = (torch.rand(shape, generator=g) < 0.01).to(dtype)
    else:
        targets = torch.randint(0, shape[1], shape[:1], generator=g)
    return logits.to(device, dtype), targets.to(device)


def copy_speed(elements, repeat=9):
    """Return how many bytes a second a copy of float32 moves, at best."""
    source, copy = torch.ones(2, elements)
    took = timeit.repeat(lambda: copy.copy_(source), number=1, repeat=repeat)
    return 2 * source.nbytes / min(took)


def page_faults():
    """Return how many pages of memory this process was given so far.

    NaN on Windows, which does not count them for Python.
    """
    try:
        usage = import_module("resource")
    except ImportError:
        return math.nan
    return usage.getrusage(usage.RUSAGE_SELF).ru_minflt


def saved_bytes(loss, *arguments):
    """Return the bytes that `loss` saves for backward, arguments aside."""
    sizes = {tensor.untyped_storage().data_ptr(): 0 for tensor in arguments}

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        loss(*arguments)
    return sum(sizes.values())


def passes(loss, *arguments):
    """Return how many passes `loss` makes, and the bytes that they move.

    A pass is an operation, forward or backward, that reads or writes as
    many numbers as the first argument holds; one on a part of them counts
    for that part. Views and new tensors without content do not count, nor
    what an operation does inside. NumPy's are not seen, so that it is done
    on two threads or more, where PyTorch does all. NaN where this PyTorch
    does not let its operations be watched.
    """
    try:
        watch = _watch()
    except ImportError:
        return math.nan, math.nan
    x = arguments[0].detach().requires_grad_()  # no gradient to add to
    threads = torch.get_num_threads()
    torch.set_num_threads(max(2, threads))
    try:
        with watch:
            loss(x, *arguments[1:]).backward()
    finally:
        torch.set_num_threads(threads)
    return round(watch.numbers / x.numel()), watch.moved


def _watch():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        numbers = moved = 0

        @classmethod
        def _should_skip_dynamo(cls):
            return False  # else PyTorch imports its compiler

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            made = operation(*args, **(kwargs or {}))
            name = operation.name()
            idle = operation.is_view or "empty" in name
            if isinstance(made, torch.Tensor) and not idle:
                used = [v for v in args if isinstance(v, torch.Tensor)]
                used = [made] if "::new_" in name else [made, *used]
                self.numbers += max(tensor.numel() for tensor in used)
                self.moved += sum(map(_bytes, used))
            return made

    return Watch()


def _bytes(tensor):
    """Of what is in memory: of an expanded number that alone."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


def table(rows):
    """Return the rows as text: ours in microseconds, others beside ours."""
    lines = []
    for task in dict.fromkeys(row.task for row in rows):
        of_task = [row for row in rows if row.task == task]
        names = list(dict.fromkeys(row.loss for row in of_task))
        lines.append(
            f"{task:<13}{'ours':>10}" + "".join(map(_head, names[1:]))
        )
        for shape in dict.fromkeys(row.shape for row in of_task):
            took = {
                r.loss: r.microseconds for r in of_task if r.shape == shape
            }
            line = f"{' × '.join(map(str, shape)):<13}{took['ours']:>7.0f} µs"
            for name in names[1:]:
                ratio = took.get(name, 0) / took["ours"]
                line += f"{ratio:>{WIDTH}.2f}" if ratio else " " * WIDTH
            lines.append(line)
    return "\n".join(lines)


WIDTH = 13


def _head(name):
    short = name.replace("torchvision", "vision")
    return f"{short.replace('cross entropy', 'CE'):>{WIDTH}}"


def recorded(file):
    """Return what was recorded with the package, on a "gpu" or a "cpu".

    A dict; ``curve`` (of the GPU) and ``threads`` (of the CPU) are lists of
    `Row`.
    """
    path = resources.files(__package__) / "data" / f"{file}.json"
    record = json.loads(path.read_text())
    for name in {"curve", "threads"} & set(record):
        record[name] = [
            Row(*(row[key] for key in Row._fields))._replace(
                shape=tuple(row["shape"])
            )
            for row in record[name]
        ]
    return record


def can_compile():
    """Return whether ``torch.compile`` will find a C++ compiler."""
    return any(map(shutil.which, ("c++", "g++", "clang++", "cl")))


def _torchvision():
    try:
        return import_module("torchvision.ops").sigmoid_focal_loss
    except (ImportError, OSError, RuntimeError):
        return None


def versions():
    """Return the versions at hand of what is measured, by name."""
    return {
        found.metadata["Name"]: found.version
        for name in ("torch", "torchvision", "triton")
        for found in metadata.distributions(name=name)
    }


def _saved(loss, x, targets):
    if x.is_cuda:  # there the peak of memory says more
        return None
    return round(saved_bytes(loss, x, targets) / x.nbytes, 3)


def _wait(tensor):
    if tensor.is_cuda:
        torch.cuda.synchronize()


def main():
    """Measure all sizes, and print each table when it is whole."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    print(torch.get_num_threads(), "threads;", versions())
    for task, shapes in (
        ("sigmoid", SIGMOID_SHAPES),
        ("softmax", SOFTMAX_SHAPES),
    ):
        losses, rows = losses_of(task, options.compiled), []
        for shape in shapes:
            batch = batch_for(task, shape)
            rows += measure(task, losses, *batch, seconds=options.seconds)
        print(table(rows), flush=True)


if __name__ == "__main__":
    main()
