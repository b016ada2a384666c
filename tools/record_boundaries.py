"""Record the moving picture that opens lesson 05: two boundaries that move.

python tools/record_boundaries.py

One positive to a hundred negatives in the plane, from two normal clouds, so
that the truth is known. One network is trained with cross entropy and one
with focal loss, on the same batches, from the same start. What they say is
written into ``focal_edu/explore/boundaries.json``.
"""

import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score

import focal_edu.explore
from focal_edu.pytorch import sigmoid_focal_loss
from focal_edu.training import Perceptrons, batches, train

STEPS = (0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)
GAMMAS = {"cross entropy": 0, "focal loss": 2}
CENTRE, SPREAD = np.array([2.2, 1.6]), 0.5  # of the positives
AXIS = np.linspace(-3.6, 4.4, 81)
FILE = Path(focal_edu.explore.__file__).with_name("boundaries.json")


def clouds(positives, seed):
    """Return points (N, 2) and labels, a hundred negatives a positive."""
    draw = np.random.default_rng(seed)
    rare = CENTRE + SPREAD * draw.normal(size=(positives, 2))
    rest = draw.normal(size=(100 * positives, 2))
    labels = np.repeat([1.0, 0.0], [positives, 100 * positives])
    return np.concatenate([rare, rest]), labels


def true_logit(points):
    """Return log(p / (1 − p)) as the two clouds have it, at 1 to 100."""
    rare = ((points - CENTRE) ** 2).sum(-1) / SPREAD**2
    return (points**2).sum(-1) / 2 - rare / 2 - np.log(100 * SPREAD**2)


def boundary(logits):
    """Return the lines p = 0.5 on the grid, as lists of points."""
    axes = Figure().add_subplot()
    (lines,) = axes.contour(AXIS, AXIS, logits, levels=[0]).allsegs
    return [line.round(2).tolist() for line in lines]


def main():
    points, labels = clouds(10, seed=0)
    fresh, truth = clouds(300, seed=1)
    grid = np.stack(np.meshgrid(AXIS, AXIS), axis=-1)
    model = Perceptrons((0,), 2, copies=2, prior=0.01)
    asked = [torch.tensor(p, dtype=torch.float32) for p in (points, fresh)]
    asked.append(torch.tensor(grid.reshape(-1, 2), dtype=torch.float32))
    target = torch.tensor(labels, dtype=torch.float32)
    first, curves, lines = [], [], []

    def loss(logits, targets):
        each = [
            sigmoid_focal_loss(
                logits[:, place], targets, gamma=gamma, reduction="none"
            )
            for place, gamma in enumerate(GAMMAS.values())
        ]
        return torch.stack(each).mean(dim=-1)

    def note(step):
        with torch.no_grad():
            known, new, plane = (model(part)[0] for part in asked)
            losses = loss(known[None], target[None])[:, 0]
            first.append(losses)
        for place, name in enumerate(GAMMAS):
            row = {"loss": name, "k": STEPS.index(step), "steps": step}
            ap = average_precision_score(truth, new[place])
            curves.append(
                row
                | {"relative": round((losses / first[0])[place].item(), 4)}
                | {"ap": round(ap, 3)}
            )
            plane_of_one = plane[place].reshape(grid.shape[:2]).numpy()
            for piece, line in enumerate(boundary(plane_of_one)):
                for order, (x, y) in enumerate(line):
                    lines.append(
                        {"loss": name, "k": row["k"], "piece": piece}
                        | {"order": order, "x": x, "y": y}
                    )

    note(0)
    stream = batches(asked[0][None], target[None], 101, (0,))
    for step in train(model, stream, loss, rate=0.005, watch=STEPS[1:]):
        note(step)
    best = average_precision_score(truth, true_logit(fresh))
    (circle,) = boundary(true_logit(grid))
    specification = json.loads(FILE.read_text())
    specification["datasets"] = {
        "points": [
            {"x": round(x, 2), "y": round(y, 2), "positive": int(label)}
            for (x, y), label in zip(points, labels, strict=True)
        ],
        "truth": [
            {"x": x, "y": y, "order": order}
            for order, (x, y) in enumerate(circle)
        ],
        "best": [{"ap": round(best, 3)}],
        "curves": curves,
        "boundaries": lines,
    }
    for name, rows in specification["datasets"].items():
        specification["datasets"][name] = csv(rows)
    text = json.dumps(specification, indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n")


def csv(rows):
    """Return rows as one CSV text: a notebook would indent each number."""
    lines = [",".join(rows[0])]
    lines += [",".join(str(value) for value in row.values()) for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
