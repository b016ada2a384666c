"""Record lesson 07's experiment: nine recipes against a long tail.

python tools/record_long_tail.py

Settings are chosen on the validation part, for draws of the training set
that are not among those then measured on the test part. Two processes share
the work, and take numbers below 1e-38 for 0.
"""

from concurrent.futures import ProcessPoolExecutor

import torch

from focal_edu import long_tail as lt
from focal_edu.recorded import Recording
from focal_edu.training import tune

FACTORS = {50: 12800, 100: 6400, 10: 6400, 1: 6400}  # steps, at most
CHOOSING, MEASURED = range(100, 106), range(20)
# With classes of one size the others are cross entropy.
EVEN = ("CE", "FL")


def main():
    torch.set_num_threads(1)
    recording = Recording(
        "long_tail",
        "python tools/record_long_tail.py",
        draws_to_choose=len(CHOOSING),
        draws_measured=len(MEASURED),
        tolerance=lt.TOLERANCE,
        processes=2,
    )
    jobs = [
        (factor, name)
        for factor in FACTORS
        for name in (EVEN if factor == 1 else lt.RECIPES)
    ]
    rows = []
    with ProcessPoolExecutor(
        2, initializer=torch.set_flush_denormal, initargs=(True,)
    ) as pool:
        for done in pool.map(row, *zip(*jobs, strict=True)):
            rows.append(done)
            recording.write(rows)
            print(
                done["factor"], done["recipe"], done["settings"], flush=True
            )
    recording.write(rows)  # the pool is closed: all its CPU time counts


def row(factor, name):
    choosing, measured = (lt.draws(factor, s) for s in (CHOOSING, MEASURED))
    grid = {"rate": lt.RATES} | lt.RECIPES[name].grid
    trial = lt.trial(name, CHOOSING, FACTORS[factor])
    tuned = tune(trial, choosing, tolerance=lt.TOLERANCE, **grid)
    best = {k: v for k, v in tuned.best.items() if k != "score"}
    settings = {k: (v,) for k, v in best.items() if k != "rate"}
    runs = lt.fit(
        name, measured.train, MEASURED, rate=best["rate"], **settings
    )
    ((_, predict),) = runs
    images, labels = measured.test
    known, truth = measured.train
    return {
        "factor": factor,
        "recipe": name,
        "settings": best,
        "edges": tuned.at_edge,
        "grid": {key: scores(tuned.profile(key)) for key in best},
        "accuracy": rounded(lt.accuracies(predict(images), labels), 2),
        "p_t_train": rounded(lt.mean_p_t(predict(known), truth).mean(0), 7),
        "p_t_test": rounded(lt.mean_p_t(predict(images), labels).mean(0), 4),
    }


def scores(profile):
    return {str(value): round(score, 4) for value, score in profile.items()}


def rounded(tensor, digits):
    return (
        [rounded(part, digits) for part in tensor]
        if tensor.ndim
        else round(tensor.item(), digits)
    )


if __name__ == "__main__":
    main()
