"""Record lesson 06's experiments: a small detector under many losses.

python tools/record_detector.py losses      the paper's Table 1 in miniature
python tools/record_detector.py imbalance   fewer and more negatives

For each recipe the learning rate, then the weight of the box loss are chosen
on validation scenes; a grid grows until its best value is inside. Then each
seed draws new training scenes, new test scenes, first weights and batches.
What has been measured is written as it comes; a stop leaves whole rows.
"""

import sys

import torch
from torch.nn import functional as F

from focal_edu import detector
from focal_edu.digits import detection_scenes
from focal_edu.pytorch import sigmoid_focal_loss
from focal_edu.recorded import Recording

CHOOSING = 1000  # the seed that settings are chosen by


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


LOSSES = {
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
    ("CE", 0, 0.9): fl(0, 0.9),
}
FEW = [(recipe, 40, 2) for recipe in LOSSES]
SOME = [(recipe, 80, 2) for recipe in LOSSES]
MANY = [(recipe, 120, 1) for recipe in LOSSES]
FIRST = {"rate": (0.01, 2), "box_weight": (0.25, 4)}  # middle, factor


def scenes(part, seed, size, objects):
    """2000 objects to learn from, 600 to find."""
    count = (2000 if part == "train" else 600) // objects
    return detection_scenes(
        part, count, size=size, objects=objects, seed=seed
    )


def trained(recipe, known, objects, seed, settings):
    prior = 0.001 if "0.001" in recipe[0] else 0.01
    return detector.train(
        LOSSES[recipe],
        known,
        seed=seed,
        batch=8 // objects,
        prior=prior,
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


def choose(recipe, size, objects):
    """Settings by the AP of validation scenes, one after the other."""
    known = scenes("train", CHOOSING, size, objects)
    unseen = scenes("validation", CHOOSING, size, objects)
    settings = {name: middle for name, (middle, _) in FIRST.items()}
    tried = {}
    for name, (middle, factor) in FIRST.items():
        values = [middle / factor, middle, middle * factor]
        while True:
            for value in values:
                here = settings | {name: value}
                if (key := tuple(here.values())) not in tried:
                    model = trained(recipe, known, objects, CHOOSING, here)
                    tried[key] = here | score(model, unseen)
            line = [
                tried[tuple((settings | {name: v}).values())] for v in values
            ]
            best = max(line, key=lambda row: row["ap"])[name]
            if best == values[0]:
                values = [best / factor, *values]
            elif best == values[-1]:
                values = [*values, best * factor]
            else:
                break
        settings[name] = best
    return settings, list(tried.values())


def record(name, groups, seeds):
    """For each group of cases choose for all, then measure seed by seed."""
    recording = Recording(
        f"detector_{name}", f"python tools/record_detector.py {name}", **ABOUT
    )
    rows, chosen = [], {}
    for cases in groups:
        for case in cases:
            chosen[case], tried = choose(*case)
            rows += [row("choose", *case, one) for one in tried]
            recording.write(rows)
            print(case, chosen[case], flush=True)
        for seed in seeds:
            known, unseen = None, None
            for recipe, size, objects in cases:
                if known is None or known.images.shape[1] != size:
                    known = scenes("train", seed, size, objects)
                    unseen = scenes("test", seed, size, objects)
                settings = chosen[recipe, size, objects]
                model = trained(recipe, known, objects, seed, settings)
                one = {"seed": seed} | settings | score(model, unseen)
                rows.append(row("measure", recipe, size, objects, one))
                recording.write(rows)
                print(rows[-1], flush=True)


def row(stage, recipe, size, objects, more):
    loss, gamma, alpha = recipe
    return {
        "stage": stage,
        "loss": loss,
        "gamma": gamma,
        "alpha": alpha,
        "size": size,
        "objects": objects,
    } | more


ABOUT = {"steps": 500, "objects_a_step": 8, "objects_to_learn": 2000}
CASES = {
    "losses": [SOME[:8], SOME[8:]],
    "imbalance": [FEW[:2] + MANY[:2], FEW[2:4] + MANY[2:4]],
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    record(sys.argv[1], CASES[sys.argv[1]], range(6))
