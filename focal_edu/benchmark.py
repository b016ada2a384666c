"""Time and memory of focal losses, side by side, in one run.

    python -m focal_edu.benchmark [--rivals FOLDER] [--json FILE]

torchvision and kornia are measured if they can be imported, or found in
FOLDER, which this fills without installing anything else:

    pip install --no-deps --target FOLDER torchvision kornia kornia_rs

The rounds go through all losses, so that another program's load falls on
all alike; read the ratios, not the milliseconds. On Linux, with
``THP_MEM_ALLOC_ENABLE=1`` in the environment, PyTorch asks for large pages
for all its arrays; FILE keeps that run beside the usual one.
"""

import argparse
import json
import os
import shutil
import sys
import time
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from .clinic.libraries import BARE_VISION, load
from .pytorch import sigmoid_focal_loss, softmax_focal_loss

LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # of PyTorch's environment variables


class Row(NamedTuple):
    """How one loss did at one task."""

    task: str
    loss: str
    milliseconds: float  # median of forward + backward
    saved: float | None  # for backward, in sizes of the logits


def sigmoid_losses(folder=None, compiled=True):
    """Return the sigmoid losses at hand, by name: ours first, then rivals.

    Each takes logits and float targets and returns a mean, unweighted, at
    γ = 2. "compiled" ones are left out where no C++ compiler is found.
    """
    losses = {"ours": sigmoid_focal_loss}
    if theirs := _loaded("torchvision.ops.focal_loss", folder, **BARE_VISION):
        losses["torchvision"] = partial(
            theirs.sigmoid_focal_loss, alpha=-1, gamma=2, reduction="mean"
        )
    if compiled and can_compile():
        for name, loss in list(losses.items()):
            losses[f"{name}, compiled"] = torch.compile(loss)
    losses["PyTorch's BCE"] = F.binary_cross_entropy_with_logits
    return losses


def softmax_losses(folder=None, compiled=True):
    """Return the softmax losses at hand, by name, as `sigmoid_losses`.

    "weighted" ones weight the classes, each by 1. Without weights kornia
    takes a path of its own.
    """

    def ours_weighted(z, t):
        return softmax_focal_loss(z, t, alpha=z.new_ones(z.shape[1]))

    losses = {"ours": softmax_focal_loss, "ours, weighted": ours_weighted}
    if compiled and can_compile():
        losses["ours, compiled"] = torch.compile(softmax_focal_loss)
    if kornia := _loaded("kornia.losses", folder):
        mean = partial(
            kornia.focal_loss, alpha=None, gamma=2.0, reduction="mean"
        )
        losses["kornia"] = mean
        losses["kornia, weighted"] = lambda z, t: mean(
            z, t, weight=z.new_ones(z.shape[1])
        )
    losses["PyTorch's CE"] = F.cross_entropy
    return losses


def measure(task, losses, logits, targets, repeats=15):
    """Return a list of `Row`, one for each of the `losses`.

    Parameters
    ----------
    task : str
        What the rows say was done.
    losses : dict of name to function of logits and targets
    logits, targets : tensors
        Left as they are.
    repeats : int
        Rounds; each goes through the losses in an order of its own, runs
        each four times, forward and backward, and times all but the first:
        that meets memory as another loss left it.
    """
    x = logits.detach().clone().requires_grad_()

    def run(loss):
        x.grad = None
        _wait(x)
        start = time.perf_counter()
        loss(x, targets).backward()
        _wait(x)
        return 1e3 * (time.perf_counter() - start)

    times = {name: [] for name in losses}
    order = Random(0)
    for _ in range(repeats):
        for name in order.sample(list(losses), len(losses)):
            loss = losses[name]
            run(loss)
            times[name] += [run(loss) for _ in range(3)]
    return [
        Row(
            task,
            name,
            median(times[name]),
            saved_bytes(loss, x, targets) / x.nbytes,
        )
        for name, loss in losses.items()
    ]


def floors(logits, targets, repeats=15):
    """Return the rows of a sum of two tensors: 12 bytes an element.

    Once into an array that is there already, once into a new one.
    """
    out = torch.empty_like(logits)
    rows = []
    for name, into in (("into place", out), ("into a new array", None)):

        def add(into=into):
            torch.add(logits, targets, out=into)
            _wait(logits)

        _wait(logits)
        milliseconds = _median(add, repeats, time.perf_counter)
        rows.append(Row("sigmoid", f"x + y {name}", milliseconds, None))
    return rows


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


def detection_logits(elements=10**7, device="cpu"):
    """Return logits and targets like those of a detector's anchors.

    10⁷ is about one image's worth for RetinaNet; 1 target in 100 is 1.
    """
    g = torch.Generator().manual_seed(0)
    x = torch.randn(elements, generator=g) - 2
    y = (torch.rand(elements, generator=g) < 0.01).float()
    return x.to(device), y.to(device)


def table(rows):
    """Return the rows as lines of text, each time beside the first one's."""
    lines = [f"{'':26}{'ms':>8}{'ratio':>8}{'saved':>8}"]
    first = {}
    for row in rows:
        first.setdefault(row.task, row.milliseconds)
        ratio = row.milliseconds / first[row.task]
        saved = "" if row.saved is None else f"{row.saved:.1f}"
        if row.milliseconds == first[row.task]:
            lines.append(row.task)
        lines.append(
            f"  {row.loss:24}{row.milliseconds:8.1f}{ratio:8.2f}{saved:>8}"
        )
    return "\n".join(lines)


def recorded(large_pages=False):
    """Return the table recorded with the package: machine, date and rows.

    With `large_pages` the rows are those of a run in which PyTorch asked
    Linux for large pages for all its arrays.
    """
    file = resources.files(__package__) / "data" / "timings.json"
    record = json.loads(file.read_text())
    rows = record[LARGE_PAGES if large_pages else "rows"]
    record["rows"] = [Row(*row) for row in rows]
    return record


def can_compile():
    """Return whether ``torch.compile`` will find a C++ compiler."""
    return any(map(shutil.which, ("c++", "g++", "clang++", "cl")))


def _loaded(module, folder, bare=()):
    """A module, or None if it, or something that it needs, is not there."""
    path = list(sys.path)
    sys.path += [str(folder)] if folder else []
    try:
        return load(module, bare)
    except (ImportError, OSError, RuntimeError):
        return None
    finally:
        sys.path[:] = path


def _versions(folder):
    """The versions at hand of what was measured, by name."""
    places = [*sys.path, *([str(folder)] if folder else [])]
    names = ("torch", "torchvision", "kornia")
    return {
        found.metadata["Name"]: found.version
        for name in names
        for found in metadata.distributions(name=name, path=places)
    }


def _median(run, repeats, clock):
    """The median milliseconds of a run, after two to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = clock()
        run()
        times.append(1e3 * (clock() - start))
    return median(times[2:])


def _wait(tensor):
    if tensor.is_cuda:
        torch.cuda.synchronize()


def main():
    """Measure, print the table, and write it to a file if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rivals", help="folder of rival packages")
    parser.add_argument("--json", help="file to write the rows to")
    parser.add_argument("--machine", default="", help="what it ran on")
    parser.add_argument("--elements", type=int, default=10**7)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()

    x, y = detection_logits(options.elements)
    losses = sigmoid_losses(options.rivals)
    rows = measure("sigmoid", losses, x, y, options.repeats)
    rows += floors(x, y, options.repeats)
    losses = softmax_losses(options.rivals)
    for classes in (10, 80):
        examples = options.elements // (10 if classes == 10 else 100)
        g = torch.Generator().manual_seed(0)
        z = torch.randn(examples, classes, generator=g)
        t = torch.randint(0, classes, (examples,), generator=g)
        task = f"softmax, {examples} × {classes}"
        rows += measure(task, losses, z, t, options.repeats)
    print(table(rows))
    named = " ".join(row.loss for row in rows)
    for rival in ("torchvision", "kornia", "compiled"):
        if rival not in named:
            print(f"left out, as it was not found: {rival}")
    if options.json:
        file = Path(options.json)
        record = json.loads(file.read_text()) if file.exists() else {}
        large = os.environ.get(LARGE_PAGES) == "1"
        record |= {
            "machine": options.machine,
            "date": time.strftime("%Y-%m"),
            "versions": _versions(options.rivals),
            LARGE_PAGES if large else "rows": rows,
        }
        file.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
