"""Record lesson 08's experiment: noisy digits, trained too long or not.

python tools/record_calibration.py

"Too long" is the same rate and number of steps for every γ. "In time" has
both chosen for each γ by the log loss on the validation part, of draws that
are not among those then measured. A temperature is fitted on a network's own
validation part.
"""

import numpy as np
import torch

from focal_edu import overtrained as ot
from focal_edu.calibration import fit_temperature, scaled
from focal_edu.recorded import Recording
from focal_edu.training import tune

GAMMAS = (0, 1, 2, 3, 4, 5)
TOO_LONG = {"rate": 0.01, "steps": 2000}
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
STEPS = (25, 50, 100, 200, 400, 800, 1600, 3200, 6400)
CHOOSING, MEASURED = range(100, 106), range(20)
BINS = 10


def main():
    torch.set_num_threads(1)
    recording = Recording(
        "calibration",
        "python tools/record_calibration.py",
        draws_to_choose=len(CHOOSING),
        draws_measured=len(MEASURED),
    )
    choosing, measured = ot.draws(CHOOSING), ot.draws(MEASURED)
    rows = []
    for gamma in GAMMAS:
        chosen = tune(trial(gamma), choosing, rate=RATES)
        in_time = {key: chosen.best[key] for key in TOO_LONG}
        for regime, settings in (
            ("too long", TOO_LONG),
            ("in time", in_time),
        ):
            grid = {key: profile(chosen, key) for key in TOO_LONG}
            head = {"gamma": gamma, "regime": regime, "settings": settings}
            head |= {"grid": grid} if regime == "in time" else {}
            rows.append(head | row(gamma, settings, measured))
            recording.write(rows)
            print(gamma, regime, settings, flush=True)


def less_nll(p, labels):
    labels = np.asarray(labels)
    return np.log(np.take_along_axis(p, labels[..., None], -1)).mean()


def trial(gamma):
    """Return what `tune` calls: the negative log loss by steps."""

    def scored(train, validation, rate):
        images, labels = validation
        runs = ot.fit(train, CHOOSING, gamma=gamma, rate=rate, steps=STEPS)
        return {
            step: less_nll(scaled(ot.logits(model, images), 1), labels)
            for step, model in runs
        }

    return scored


def row(gamma, settings, measured):
    rate, steps = settings["rate"], settings["steps"]
    ((_, model),) = ot.fit(
        measured.train, MEASURED, gamma=gamma, rate=rate, steps=(steps,)
    )
    held, test = (
        (ot.logits(model, images), labels.numpy())
        for images, labels in (measured.validation, measured.test)
    )
    known, truth = measured.train
    right = ot.logits(model, known).argmax(-1) == truth.numpy()
    result = {"train_accuracy": round(float(right.mean()), 4)}
    ways, found = each_way(gamma, held, test)
    for way, p in ways.items():
        each = [ot.scores(*pair) for pair in zip(p, test[1], strict=True)]
        result[way] = {
            name: [round(s[name], 4) for s in each] for name in each[0]
        }
    result |= {name: np.round(t, 3).tolist() for name, t in found.items()}
    result["bins"] = {
        way: bins(ways[way], test[1]) for way in ("as trained", "temperature")
    }
    return result


def each_way(gamma, held, test):
    """Probabilities of the test part, by what is done to the logits."""
    pairs = [*zip(*held, strict=True)]
    plain = [fit_temperature(z, y) for z, y in pairs]
    focal = [fit_temperature(z, y, gamma=gamma) for z, y in pairs]
    # focal temperature scaling, both parts fitted, whatever the loss was
    both = [best_pair(z, y) for z, y in pairs]
    z = test[0]
    return {
        "as trained": scaled(z, 1),
        "temperature": scaled(z, column(plain)),
        "recovery": scaled(z, 1, gamma=gamma),
        "recovery and temperature": scaled(z, column(focal), gamma=gamma),
        "focal temperature scaling": np.stack(
            [scaled(z, t, gamma=g) for z, (t, g) in zip(z, both, strict=True)]
        ),
    }, {
        "temperatures": plain,
        "focal_temperatures": focal,
        "fts_gammas": [g for _, g in both],
    }


def best_pair(z, y):
    """Return the (temperature, γ) of the least log loss."""
    pairs = [(fit_temperature(z, y, gamma=g), g) for g in GAMMAS]
    good = [less_nll(scaled(z, t, gamma=g), y) for t, g in pairs]
    return pairs[np.argmax(good)]


def profile(chosen, key):
    return {str(k): round(v, 4) for k, v in chosen.profile(key).items()}


def bins(p, labels):
    """Of each bin of the confidence: confidence, accuracy, part of all."""
    confidence = p.max(-1).ravel()
    right = (p.argmax(-1) == labels).ravel()
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    return [
        [
            round(float(confidence[place == b].mean()), 4),
            round(float(right[place == b].mean()), 4),
            round(float(count[b] / count.sum()), 4),
        ]
        for b in range(BINS)
        if count[b]
    ]


def column(numbers):
    return np.array(numbers)[:, None, None]


if __name__ == "__main__":
    main()
