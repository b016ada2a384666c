"""Record lesson 08's experiment: noisy digits, trained too long or not.

python tools/record_calibration.py

"Too long" is the same rate and number of steps for every γ. "In time" has
both chosen for each γ and each way of using the outputs, by the log loss that
this way has on the validation part, of draws that are not among those then
measured. A temperature is fitted on a network's own validation part.
"""

from functools import cache, partial

import numpy as np
import torch

from focal_edu import overtrained as ot
from focal_edu.calibration import fit_temperature, scaled
from focal_edu.recorded import Recording
from focal_edu.training import Tuned

GAMMAS = (0, 1, 2, 3, 4, 5)
TOO_LONG = {"rate": 0.01, "steps": 2000}
RATES = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)
STEPS = tuple(round(25 * 2 ** (k / 2)) for k in range(19))  # to 12800
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
    choosing = ot.draws(CHOOSING)
    measured = cache(partial(measure, ot.draws(MEASURED)))
    rows = []
    for gamma in GAMMAS:
        for way, tried in choose(choosing, gamma).items():
            in_time = {key: tried.best[key] for key in TOO_LONG}
            about = {
                "grid": {key: profile(tried, key) for key in TOO_LONG},
                "edges": tried.at_edge,
            }
            for head in (
                {"regime": "too long", **TOO_LONG},
                {"regime": "in time", **in_time, **about},
            ):
                found = measured(gamma, head["rate"], head["steps"])[way]
                rows.append({"gamma": gamma, "way": way, **head, **found})
            print(gamma, way, in_time, flush=True)
        recording.write(rows)


def choose(parts, gamma):
    """Return what was tried, by way: its score is less log loss."""
    images, labels = parts.validation
    labels, tried = labels.numpy(), {}
    for rate in RATES:
        for steps, model in ot.fit(
            parts.train, CHOOSING, gamma=gamma, rate=rate, steps=STEPS
        ):
            z = ot.logits(model, images)
            for way, p, _ in each_way(gamma, (z, labels), z):
                score = less_nll(p, labels)
                one = {"rate": rate, "steps": steps, "score": score}
                tried.setdefault(way, []).append(one)
    return {way: Tuned(rows) for way, rows in tried.items()}


def measure(parts, gamma, rate, steps):
    """Return the scores of each draw's test part, by way."""
    ((_, model),) = ot.fit(
        parts.train, MEASURED, gamma=gamma, rate=rate, steps=(steps,)
    )
    images, labels = parts.validation
    held = ot.logits(model, images), labels.numpy()
    images, labels = parts.test
    labels, result = labels.numpy(), {}
    ways = each_way(gamma, held, ot.logits(model, images))
    for way, p, fitted in ways:
        each = [ot.scores(*pair) for pair in zip(p, labels, strict=True)]
        result[way] = {
            name: [round(s[name], 4) for s in each] for name in each[0]
        }
        temperatures, gammas = zip(*fitted, strict=True)
        result[way] |= {
            "temperatures": np.round(temperatures, 3).tolist(),
            "gammas": gammas,
            "bins": bins(p, labels),
        }
    return result


def each_way(gamma, held, logits):
    """Yield way, probabilities and the (temperature, γ) of each draw."""
    draws = [pairs(gamma, *draw) for draw in zip(*held, strict=True)]
    for way in draws[0]:
        fitted = [draw[way] for draw in draws]
        each = zip(logits, fitted, strict=True)
        p = np.stack([scaled(z, t, gamma=g) for z, (t, g) in each])
        yield way, p, fitted


def pairs(gamma, z, labels):
    """Return the (temperature, γ) that makes probabilities, by way."""

    def fitted(g):
        return fit_temperature(z, labels, gamma=g), g

    def good(pair):
        return less_nll(scaled(z, pair[0], gamma=pair[1]), labels)

    ways = {"as trained": (1, 0), "temperature": fitted(0)}
    if gamma == 0:
        both = max(map(fitted, GAMMAS), key=good)
        return ways | {"focal temperature scaling": both}
    both = fitted(gamma)
    return ways | {"recovery": (1, gamma), "recovery and temperature": both}


def less_nll(p, labels):
    return np.log(np.take_along_axis(p, labels[..., None], -1)).mean()


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


if __name__ == "__main__":
    main()
