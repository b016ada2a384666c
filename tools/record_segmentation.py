"""Record lesson 07's experiment on masks: focal loss, Dice and both.

python tools/record_segmentation.py

Settings are chosen on the validation part, for draws of the canvases that
are not among those then measured on the test part. Each digit is looked for
in two draws. Two processes share the work, and take numbers below 1e-38 for
0.
"""

from concurrent.futures import ProcessPoolExecutor

import torch

from focal_edu import segmentation as sg
from focal_edu.recorded import Recording
from focal_edu.training import TOLERANCE, tune

CHOOSING, MEASURED = range(100, 110), range(20)


def main():
    torch.set_num_threads(1)
    recording = Recording(
        "segmentation",
        "python tools/record_segmentation.py",
        draws_to_choose=len(CHOOSING),
        draws_measured=len(MEASURED),
        tolerance=TOLERANCE,
        processes=2,
    )
    rows = []
    with ProcessPoolExecutor(
        2, initializer=torch.set_flush_denormal, initargs=(True,)
    ) as pool:
        for done in pool.map(row, sg.RECIPES):
            rows.append(done)
            recording.write(rows)
            print(done["recipe"], done["settings"], flush=True)
    recording.write(rows)  # the pool is closed: all its CPU time counts


def row(name):
    choosing, measured = sg.draws(CHOOSING), sg.draws(MEASURED)
    _, grid = sg.RECIPES[name]
    grid = {"rate": sg.RATES} | grid
    tuned = tune(trial(name), choosing, tolerance=TOLERANCE, **grid)
    best = {k: v for k, v in tuned.best.items() if k != "score"}
    settings = best | {"steps": (best["steps"],)}
    ((_, model),) = sg.fit(name, measured.train, MEASURED, **settings)
    profiles = {key: tuned.profile(key) for key in best}
    return {
        "recipe": name,
        "settings": best,
        "edges": tuned.at_edge,
        "grid": {
            key: {str(v): round(s, 4) for v, s in profile.items()}
            for key, profile in profiles.items()
        },
        "overlap": [
            round(score, 4)
            for score in sg.overlap(model, *measured.test).tolist()
        ],
    }


def trial(name):
    """Return what `tune` calls: the mean Dice score by steps."""

    def mean_overlap(train, validation, **settings):
        return {
            step: sg.overlap(model, *validation).mean()
            for step, model in sg.fit(name, train, CHOOSING, **settings)
        }

    return mean_overlap


if __name__ == "__main__":
    main()
