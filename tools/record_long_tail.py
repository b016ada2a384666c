"""Record lesson 07's experiment: nine recipes against a long tail.

python tools/record_long_tail.py

Settings are chosen on the validation part, for draws of the training set
that are not among those then measured on the test part.
"""

import torch

from focal_edu import long_tail as lt
from focal_edu.recorded import Recording
from focal_edu.training import tune

FACTORS = (1, 10, 50, 100)
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
    )
    rows = []
    for factor in FACTORS:
        choosing = lt.draws(factor, CHOOSING)
        measured = lt.draws(factor, MEASURED)
        for name in EVEN if factor == 1 else lt.RECIPES:
            rows.append(row(name, factor, choosing, measured))
            recording.write(rows)
            print(factor, name, rows[-1]["settings"], flush=True)


def row(name, factor, choosing, measured):
    grid = {"rate": lt.RATES} | lt.RECIPES[name].grid
    tuned = tune(lt.trial(name, CHOOSING), choosing, **grid)
    best = {k: v for k, v in tuned.best.items() if k != "score"}
    settings = best | {"steps": (best["steps"],)}
    runs = lt.fit(name, measured.train, MEASURED, **settings)
    ((_, predict),) = runs
    images, labels = measured.test
    known, truth = measured.train
    return {
        "factor": factor,
        "recipe": name,
        "settings": best,
        "grid": {key: scores(tuned.profile(key)) for key in best},
        "accuracy": rounded(lt.accuracies(predict(images), labels), 2),
        "p_t_train": rounded(lt.mean_p_t(predict(known), truth).mean(0), 4),
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
