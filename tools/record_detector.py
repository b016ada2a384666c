"""Record lesson 06's experiments: a small detector under many losses.

python tools/record_detector.py losses      the paper's Table 1 in miniature
python tools/record_detector.py imbalance   fewer and more negatives
python tools/record_detector.py longer      three times as many steps

With no name it records all three. For each recipe the learning rate and the
weight of the box loss are chosen on validation scenes, by the mean AP of two
seeds: from a common start to the best neighbour, until none is better. Then
each of twenty seeds draws new training scenes, new test scenes, first weights
and batches. Rows are written as they come, and after a stop the same command
goes on; to begin anew, remove the record.
"""

import sys
from functools import lru_cache
from statistics import mean

import torch
from torch.nn import functional as F

from focal_edu import detector
from focal_edu.digits import detection_scenes
from focal_edu.pytorch import sigmoid_focal_loss
from focal_edu.recorded import Recording

CHOOSING, MEASURED = (1000, 1001), range(20)  # seeds
START = {"rate": 0.01, "box_weight": 1 / 16}
FACTOR = {"rate": 2, "box_weight": 4}


def fl(gamma, alpha):
    def loss(logits, one_hot):
        return sigmoid_focal_loss(
            logits, one_hot, gamma=gamma, alpha=alpha, reduction="sum"
        )

    return loss


def ohem(ratio):
    return lambda x, y: detector.hard_example_mining(x, y, ratio=ratio)


def fl_star(gamma, beta):
    """Lin et al. 2017, appendix A: −log σ(γ x_t + β) / γ."""
    return lambda x, y: (
        -F.logsigmoid(gamma * x * (2 * y - 1) + beta).sum() / gamma
    )


AT_120_ALONE = {  # where 0.0001 is near the share of yes
    ("CE, prior 0.0001", 0, 0.5): fl(0, 0.5),
    ("CE 0.25, prior 0.0001", 0, 0.25): fl(0, 0.25),
    ("CE 0.75, prior 0.0001", 0, 0.75): fl(0, 0.75),
    ("FL 1, prior 0.0001", 1, 0.5): fl(1, 0.5),
    ("CE", 0, 0.99): fl(0, 0.99),
}
LOSSES = AT_120_ALONE | {
    ("CE", 0, 0.5): fl(0, 0.5),
    ("FL", 2, 0.25): fl(2, 0.25),
    ("FL", 1, 0.5): fl(1, 0.5),
    ("CE", 0, 0.75): fl(0, 0.75),
    ("OHEM", 3, None): ohem(3),
    ("FL*", 2, 1): fl_star(2, 1),
    ("FL", 2, 0.5): fl(2, 0.5),
    ("CE, prior 0.001", 0, 0.5): fl(0, 0.5),
    ("CE", 0, 0.25): fl(0, 0.25),
    ("FL", 0.5, 0.5): fl(0.5, 0.5),
    ("FL", 1, 0.25): fl(1, 0.25),
    ("FL", 5, 0.25): fl(5, 0.25),
    ("FL, prior 0.001", 2, 0.25): fl(2, 0.25),
    ("CE", 0, 0.9): fl(0, 0.9),
    ("CE", 0, 0.97): fl(0, 0.97),
    ("CE 0.25, prior 0.001", 0, 0.25): fl(0, 0.25),
    ("CE 0.75, prior 0.001", 0, 0.75): fl(0, 0.75),
    ("CE 0.9, prior 0.001", 0, 0.9): fl(0, 0.9),
    ("FL 1, prior 0.001", 1, 0.5): fl(1, 0.5),
}
RIVALS = [("CE", 0, 0.5), ("FL", 2, 0.25), ("CE", 0, 0.75)]
RIVALS += [("CE, prior 0.001", 0, 0.5)]
CASES = {  # recipe, size of the scenes, objects in each
    "losses": [
        (recipe, 80, 2) for recipe in LOSSES if recipe not in AT_120_ALONE
    ],
    "imbalance": [
        (recipe, *scene)
        for scene in ((40, 2), (120, 1))
        for recipe in [*RIVALS, ("FL", 1, 0.5)]
    ]
    + [
        (recipe, 120, 1)
        for recipe in (*AT_120_ALONE, ("CE", 0, 0.9), ("CE", 0, 0.97))
    ]
    + [(("CE", 0, alpha), 40, 2) for alpha in (0.9, 0.25)],
    "longer": [
        (recipe, 80, 2)
        for recipe in [*RIVALS, ("FL", 1, 0.5), ("CE", 0, 0.9)]
        + [(f"CE {alpha}, prior 0.001", 0, alpha) for alpha in (0.25, 0.75)]
    ],
}


@lru_cache(4)
def scenes(part, seed, size, objects):
    """2000 objects to learn from, 600 to find."""
    count = (2000 if part == "train" else 600) // objects
    return detection_scenes(
        part, count, size=size, objects=objects, seed=seed
    )


def trained(recipe, size, objects, *, seed, steps, **settings):
    _, _, prior = recipe[0].partition("prior ")
    return detector.train(
        LOSSES[recipe],
        scenes("train", seed, size, objects),
        seed=seed,
        batch=8 // objects,
        prior=float(prior or 0.01),
        steps=steps,
        **settings,
    )


def score(model, found_in):
    images, boxes, labels = (torch.as_tensor(x) for x in found_in)
    found = detector.detect(model, images)
    ap = detector.average_precision(found, boxes.float(), labels)
    return {
        "ap50": round(ap[0].item(), 4),
        "ap": round(ap.mean().item(), 4),
    }


def choose(ap):
    """Return settings to which no neighbour is better."""
    chosen = START
    while True:
        near = [
            chosen | {name: chosen[name] * step}
            for name, factor in FACTOR.items()
            for step in (1 / factor, factor)
        ]
        best = max([chosen, *near], key=ap)
        if best == chosen:
            return chosen
        chosen = best


def record(name):
    """Choose for all cases, then measure seed by seed."""
    steps = 1500 if name == "longer" else 500
    recording = Recording(
        f"detector_{name}",
        f"python tools/record_detector.py {name}",
        resume=True,
        steps=steps,
        objects_a_step=8,
        objects_to_learn=2000,
        threads=torch.get_num_threads(),
    )
    rows = recording.rows

    def ap(stage, case, seed, settings):
        (loss, gamma, alpha), size, objects = case
        row = {"stage": stage, "loss": loss, "gamma": gamma, "alpha": alpha}
        row |= {"size": size, "objects": objects, "seed": seed} | settings
        for done in rows:
            if row.items() <= done.items():
                return done["ap"]
        part = "validation" if stage == "choose" else "test"
        model = trained(*case, seed=seed, steps=steps, **settings)
        rows.append(row | score(model, scenes(part, seed, size, objects)))
        recording.write(rows)
        print(rows[-1], flush=True)
        return rows[-1]["ap"]

    def chosen(case):
        return choose(
            lambda here: mean(ap("choose", case, s, here) for s in CHOOSING)
        )

    settings = {case: chosen(case) for case in CASES[name]}
    for seed in MEASURED:
        for case in CASES[name]:
            ap("measure", case, seed, settings[case])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or CASES:
        record(name)
