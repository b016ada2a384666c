"""Record lesson 06's experiments: a small detector under many losses.

python tools/record_detector.py losses      the paper's Table 1 in miniature
python tools/record_detector.py imbalance   fewer and more negatives
python tools/record_detector.py longer      three times as many steps

For each recipe the learning rate, then the weight of the box loss are chosen
on validation scenes; a grid grows until its best value is inside. Then each
seed draws new training scenes, new test scenes, first weights and batches.
Rows are written as they come; after a stop the same command goes on.
"""

import sys

import torch
from torch.nn import functional as F

from focal_edu import detector
from focal_edu.digits import detection_scenes
from focal_edu.pytorch import sigmoid_focal_loss
from focal_edu.recorded import Recording, load

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


def trained(recipe, known, objects, seed, settings, steps):
    prior = 0.001 if "0.001" in recipe[0] else 0.01
    return detector.train(
        LOSSES[recipe],
        known,
        seed=seed,
        batch=8 // objects,
        prior=prior,
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


def choose(case, steps, tried):
    """Settings by the AP of validation scenes, one after the other.

    ``tried`` maps settings to what they scored; what is missing is added.
    """
    recipe, size, objects = case
    known = scenes("train", CHOOSING, size, objects)
    unseen = scenes("validation", CHOOSING, size, objects)
    chosen = {name: middle for name, (middle, _) in FIRST.items()}
    for name, (middle, factor) in FIRST.items():
        values = [middle / factor, middle, middle * factor]
        while True:
            line = {value: chosen | {name: value} for value in values}
            for here in line.values():
                key = tuple(here.values())
                if key not in tried:
                    model = trained(
                        recipe, known, objects, CHOOSING, here, steps
                    )
                    tried[key] = here | score(model, unseen)
            best = max(
                line, key=lambda v: tried[tuple(line[v].values())]["ap"]
            )
            if best == values[0]:
                values = [best / factor, *values]
            elif best == values[-1]:
                values = [*values, best * factor]
            else:
                break
        chosen[name] = best
    return chosen


def record(name, groups, seeds, steps):
    """For each group of cases choose for all, then measure seed by seed.

    What the file holds already is not run again.
    """
    recording = Recording(
        f"detector_{name}",
        f"python tools/record_detector.py {name}",
        steps=steps,
        **ABOUT,
    )
    rows = load(f"detector_{name}")["rows"] if recording.path.exists() else []
    chosen = {}
    for cases in groups:
        for case in cases:
            before = [r for r in rows if belongs(r, "choose", case)]
            tried = {tuple(r[k] for k in FIRST): r for r in before}
            chosen[case] = choose(case, steps, tried)
            new = list(tried.values())[len(before) :]
            rows += [row("choose", *case, one) for one in new]
            recording.write(rows)
            print(case, chosen[case], flush=True)
        for seed in seeds:
            known, unseen = None, None
            for case in cases:
                done = [r for r in rows if belongs(r, "measure", case)]
                if seed in [r["seed"] for r in done]:
                    continue
                recipe, size, objects = case
                if known is None or known.images.shape[1] != size:
                    known = scenes("train", seed, size, objects)
                    unseen = scenes("test", seed, size, objects)
                model = trained(
                    recipe, known, objects, seed, chosen[case], steps
                )
                one = {"seed": seed} | chosen[case] | score(model, unseen)
                rows.append(row("measure", *case, one))
                recording.write(rows)
                print(rows[-1], flush=True)


def belongs(one, stage, case):
    (loss, gamma, alpha), size, objects = case
    wanted = [stage, loss, gamma, alpha, size, objects]
    return list(one.values())[:6] == wanted


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


ABOUT = {"objects_a_step": 8, "objects_to_learn": 2000}
CASES = {
    "losses": [SOME[:4], SOME[4:8], SOME[8:]],
    "imbalance": [FEW[:2] + MANY[:2], FEW[2:4] + MANY[2:4]],
    "longer": [SOME[:2]],
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    (name,) = sys.argv[1:]
    steps = 1500 if name == "longer" else 500
    record(name, CASES[name], range(6), steps)
