"""What a GPU shows: tests, numerics, the curve, a training; in one JSON.

    python tools/bench_gpu.py [--seconds 540] [--json FILE]

It needs PyTorch, Triton and pytest, and takes what else there is; without a
card it says what it leaves out. The file is written after each step, and
the last step ends within the time given.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from focal_edu import accuracy, benchmark  # noqa: E402
from focal_edu import pytorch as ours  # noqa: E402

CUDA = torch.cuda.is_available()
DTYPES = torch.float32, torch.bfloat16
SIGMOID = [(10**k,) for k in range(3, 9)]
SOFTMAX = [(32, 10), (256, 1000), (4096, 80), (10**6, 80), (8192, 32_000)]
MOVED = {"sigmoid": 3, "softmax": 2}  # arrays the size of the logits


def cuda_tests():
    """What pytest says of the tests that need a card."""
    run = [sys.executable, "-m", "pytest", "-q", "-n", "8"]
    files = ["tests/test_triton.py", "tests/test_pytorch_module.py"]
    done = subprocess.run(
        [*run, *files, "-k", "triton or cuda"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    lines = done.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"said": lines[-1], "failed": failed}


def numerics():
    """How many checks of extreme logits come out how, by dtype."""

    def on_card(loss):
        return lambda z, t, gamma: loss(
            z.cuda(), t.cuda(), gamma=gamma, reduction="none"
        ).cpu()

    counts = {}
    for dtype in accuracy.TOLERANCES:
        checks = accuracy.examine_sigmoid(
            on_card(ours.sigmoid_focal_loss), dtype
        )
        checks += accuracy.examine_softmax(
            on_card(ours.softmax_focal_loss), dtype
        )
        counts[str(dtype)] = dict(Counter(c.outcome for c in checks))
    return counts


def bandwidth(elements, dtype):
    """Microseconds of a copy, and the bytes a second that it moves."""
    x = torch.zeros(elements, device="cuda", dtype=dtype)
    out = torch.empty_like(x)
    took = _microseconds(lambda: out.copy_(x))
    return took, 2 * x.nbytes / took * 1e6


def curve(seconds, deadline, keep):
    """Times over sizes and dtypes, each beside a copy of as many bytes."""
    for task, shapes in (("sigmoid", SIGMOID), ("softmax", SOFTMAX)):
        for dtype in DTYPES:
            losses = benchmark.losses_of(task, compiled=True)
            torch._dynamo.reset()
            for shape in shapes:
                if time.time() > deadline:
                    return
                batch = benchmark.batch_for(
                    task, shape, device="cuda", dtype=dtype
                )
                rows = benchmark.measure(
                    task, losses, *batch, seconds=seconds, rounds=3
                )
                elements = batch[0].numel()
                took, _ = bandwidth(elements, dtype)
                floor = took * MOVED[task] / 2
                peaks = {n: _peak(f, *batch) for n, f in losses.items()}
                for row in rows:
                    keep(
                        {
                            **row._asdict(),
                            "where": str(dtype).removeprefix("torch."),
                            "floor": round(floor, 2),
                            "peak": peaks[row.loss],
                        }
                    )


def kernels_alone(keep):
    """The device time of the kernels, without what Python adds to it."""
    from focal_edu.kernels import triton_kernels

    for task, shapes in (("sigmoid", SIGMOID), ("softmax", SOFTMAX)):
        for dtype in DTYPES:
            for shape in shapes[2:]:
                z, t = benchmark.batch_for(
                    task, shape, device="cuda", dtype=dtype
                )
                settings = (1.0, 1.0, 2.0) if task == "sigmoid" else None
                settings = settings or (1.0, 2.0, None)
                run = getattr(triton_kernels, task)
                took = _microseconds(
                    lambda: run(z, t, *settings, up=None, slope=True)  # noqa
                )
                copy, speed = bandwidth(z.numel(), dtype)
                floor = copy * MOVED[task] / 2
                keep(
                    {
                        "task": task,
                        "shape": shape,
                        "dtype": str(dtype).removeprefix("torch."),
                        "microseconds": round(took, 2),
                        "floor": round(floor, 2),
                        "of_bandwidth": round(floor / took, 3),
                        "terabytes_a_second": round(speed / 1e12, 2),
                    }
                )


def detector():
    """Seconds of a short training of lesson 06's detector, CPU and card."""
    from focal_edu.detector import train
    from focal_edu.digits import detection_scenes

    def classification(logits, one_hot):
        return ours.sigmoid_focal_loss(
            logits, one_hot, alpha=0.25, reduction="none", check_values=False
        ).sum(1)

    scenes, seconds = detection_scenes("train", 32, seed=0), {}
    for device in ("cpu", "cuda"):
        train(classification, scenes, seed=0, steps=5, device=device)
        start = time.perf_counter()
        train(classification, scenes, seed=0, steps=100, device=device)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds[device] = round(time.perf_counter() - start, 3)
    return seconds


def threads(seconds, keep, deadline):
    """The CPU's curve with 1, 2, 4, 8 and 16 threads."""
    for count in (1, 2, 4, 8, 16):
        if count > (os.cpu_count() or 1):
            break
        torch.set_num_threads(count)
        for task, shapes in (
            ("sigmoid", benchmark.SIGMOID_SHAPES),
            ("softmax", benchmark.SOFTMAX_SHAPES),
        ):
            losses = benchmark.losses_of(task)
            for shape in shapes:
                if time.time() > deadline - 10:
                    return
                batch = benchmark.batch_for(task, shape)
                for row in benchmark.measure(
                    task, losses, *batch, seconds=seconds, rounds=3
                ):
                    keep(row._replace(where=_threads(count))._asdict())


def copies(keep):
    """What a copy moves on the CPU, in its cache and beyond it."""
    for count in (1, 2):
        torch.set_num_threads(count)
        for elements in (10**6, 10**7):
            speed = benchmark.copy_speed(elements, 100)
            row = {"where": _threads(count), "elements": elements}
            keep(row | {"gigabytes_a_second": round(speed / 1e9, 1)})


def _threads(count):
    return f"{count} thread" + "s" * (count > 1)


def _microseconds(run):
    """The median time of a run on the device, its cache emptied before."""
    from triton.testing import do_bench

    return 1e3 * do_bench(run, warmup=10, rep=50, return_mode="median")


def _peak(loss, logits, targets):
    """Bytes at the peak of a step beyond its arguments, in logits' sizes."""
    x = logits.detach().requires_grad_()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    loss(x, targets).backward()
    return round((torch.cuda.max_memory_allocated() - before) / x.nbytes, 2)


def main():
    """Take the steps one after the other, as far as the time allows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--json", default="build/gpu.json")
    parser.add_argument("--steps", help="some of them, by commas")
    options = parser.parse_args()
    start = time.time()
    file = Path(options.json)
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "card": torch.cuda.get_device_name() if CUDA else None,
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": benchmark.versions(),
        "command": "python tools/bench_gpu.py",
    }

    def rows(name):
        record[name] = []
        return record[name].append

    end = start + options.seconds
    halfway = start + 0.6 * options.seconds
    steps = [
        ("kernels", True, lambda: kernels_alone(rows("kernels"))),
        ("tests", True, cuda_tests),
        ("curve", True, lambda: curve(0.15, halfway, rows("curve"))),
        ("detector", True, detector),
        ("numerics", True, numerics),
        ("threads", False, lambda: threads(0.3, rows("threads"), end)),
        ("copies", False, lambda: copies(rows("copies"))),
    ]
    for name, needs_card, step in steps:
        before = time.time()
        if options.steps and name not in options.steps.split(","):
            continue
        if needs_card and not CUDA:
            print(f"{name}: left out, for want of a card", flush=True)
            continue
        if before > end - 15:
            print(f"{name}: left out, for want of time", flush=True)
            continue
        try:
            result = step()
        except Exception as error:  # what was measured is kept
            result = f"{type(error).__name__}: {error}"
        if result is not None:
            record[name] = result
        print(f"{name}: {time.time() - before:.0f} s", flush=True)
        file.write_text(json.dumps(record, indent=0) + "\n")
    show(record)


def show(record):
    """Print the results in few lines."""
    for name in ("card", "tests", "numerics", "detector"):
        print(name, record.get(name))
    for row in record.get("kernels", ()):
        print(
            row["task"],
            row["shape"],
            row["dtype"],
            row["microseconds"],
            row["of_bandwidth"],
        )
    lines = {}
    for row in [*record.get("curve", ()), *record.get("threads", ())]:
        key = f"{row['task']} {row['shape']} {row['where']}"
        lines.setdefault(key, []).append(
            f"{row['loss']} {row['microseconds']:.0f}"
        )
    for key, losses in lines.items():
        print(key, "|", " · ".join(losses))


if __name__ == "__main__":
    main()
