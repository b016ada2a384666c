"""Record lesson 05's experiments: rivals, levers, mistakes, beyond.

python tools/record_rare_digit.py [EXPERIMENT ...]

Two processes share the work. Rows are written as they come. Numbers below
1e-38 are taken for 0: what the momentum of a unit that no longer answers
becomes, where arithmetic is slow.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import torch

from focal_edu.comparison import (
    GAMMAS,
    LEVELS,
    MISTAKES,
    RATES,
    RIVALS,
    STEPS,
    TOLERANCE,
    Contest,
    judge_anew,
    settings_of,
)
from focal_edu.recorded import Recording
from focal_edu.training import ADAM

COMMAND = "python tools/record_rare_digit.py"
DIGITS = list(range(10))
CHOOSING, JUDGING = [0, 1, 2, 3], list(range(4, 24))
FEW, FEWER, SHORTER = CHOOSING[:3], JUDGING[:10], STEPS[:-1]  # for levers
CE, PAIR = {"gamma": 0, "alpha": 0.5}, {"gamma": 2, "alpha": 0.25}
LEVER_LOSSES = {
    "CE": CE,
    "FL, the paper's pair": PAIR,
    "FL, tuned": {"gamma": 8, "level": 0.05},
    "hard mining": {"gamma": 0, "keep": 2},
}
SWEPT = settings_of(  # levers 1 and 2
    [
        {"gamma": (0, *GAMMAS), "alpha": (0.25,)},
        {"gamma": GAMMAS, "level": (0.05,)},
        {"gamma": (2, 8), "level": LEVELS},
        RIVALS["CE, best α"],
    ]
)
CHANGES = [
    ("none", None, {}),
    ("prior", "off", {"prior": None}),
    *(("noise", part, {"flipped": part}) for part in (0.05, 0.1, 0.2)),
    *(
        ("ratio", [few, many], {"positives": few, "negatives": many})
        for few, many in ((10, 100), (3, 1000), (1, 1000))
    ),
]
SLOW = (0.0005, 0.0015, 0.005, 0.015)  # rates for Adam
ADAMS = [
    ("Adam", eps, {"optimizer": partial(ADAM, eps=eps), "rates": SLOW})
    for eps in (1e-8, 1e-3)
]
WEIGHTED = {
    "CE, best α": {
        "gamma": (0,),
        "alpha": (0.001, 0.003, 0.01, 0.03, 0.1, 0.5),
    }
}
ANEW = WEIGHTED | {  # all that is chosen under wrong labels
    "FL, tuned": {"gamma": (2, 5, 8), "level": (0.05, 0.1, 0.2, 0.5)},
    "hard mining": {"gamma": (0,), "keep": (2, 4, 8, 16, 32, 48)},
}


def recording(name, experiment, choosing, judging, steps, **about):
    about |= {"choosing": choosing, "judging": judging, "processes": 2}
    about |= {"rates": RATES, "steps": steps, "tolerance": TOLERANCE}
    return Recording(name, f"{COMMAND} {experiment}", **about)


def rounded(values):
    return np.round(values, 4).tolist()


def only(setting):
    """The grid of one setting."""
    return {name: (value,) for name, value in setting.items()}


def each_alone(losses):
    return {name: only(setting) for name, setting in losses.items()}


def rows_of(verdicts, **about):
    """A row a digit: each seed's numbers, the mean of the two halves."""
    both = {
        key: (verdicts[0][key] + verdicts[1][key]) / 2 for key in verdicts[0]
    }
    return [
        about | {"digit": d} | {key: rounded(v[i]) for key, v in both.items()}
        for i, d in enumerate(DIGITS)
    ]


def settled(pool, grids, rates=RATES, **change):
    """Rows of losses: all is chosen by some seeds, and others judge."""
    settings = settings_of(grids.values())
    how = {"each": pool.map} | change
    contest = Contest(
        DIGITS, FEW, settings, rates=rates, steps=SHORTER, **how
    )
    return judged(contest, grids, **how)


def judged(contest, grids, **how):
    chosen, rows = contest.settle(grids, times=1), []
    verdicts = judge_anew(DIGITS, FEWER, chosen, **how)
    for name, pair in chosen.items():
        free = [k for k, values in grids[name].items() if len(values) > 1]
        best = [
            {k: t.best[k] for k in ("rate", "steps", *free)} for t in pair
        ]
        about = {"loss": name, "chosen": best, "edges": edges(pair)}
        rows += ap_only(rows_of(verdicts[name], **about))
    return rows


def edges(pair):
    """Of what the grids held at last, whatever is chosen at an end."""
    return sorted({name for tuned in pair for name in tuned.at_edge})


def ap_only(rows):
    """The rows without what p > 0.5 finds."""
    cut = ("found", "alarms")
    return [{k: v for k, v in r.items() if k not in cut} for r in rows]


def tried(contest, setting):
    """A row a half and rate: the mean AP after each number of steps."""
    rows = []
    for half in (0, 1):
        found = contest.tune(half, **only(setting)).rows
        for rate in contest.rates:
            ap = [row["score"] for row in found if row["rate"] == rate]
            here = {"chosen on": half, "rate": rate, "ap": rounded(ap)}
            rows += [here | setting]
    return rows


def rivals(pool):
    record = recording(
        "rare_digit", "rivals", CHOOSING, JUDGING, STEPS, grids=RIVALS
    )
    settings = settings_of([*RIVALS.values(), *map(only, SWEPT)])
    contest = Contest(DIGITS, CHOOSING, settings, each=pool.map)
    rows = [row for setting in settings for row in tried(contest, setting)]
    tuned = contest.settle(RIVALS, times=2)
    record.head["chosen"] = {n: [t.best for t in p] for n, p in tuned.items()}
    record.head["tried"] = {
        n: {k: list(p[0].profile(k)) for k in p[0].best if k != "score"}
        for n, p in tuned.items()
    }
    record.write(rows)
    verdicts = judge_anew(DIGITS, JUDGING, tuned, each=pool.map)
    for name, pair in verdicts.items():
        rows += rows_of(pair, loss=name)
    record.write(rows)
    swept = {str(setting): setting for setting in SWEPT}
    for row in judged(contest, each_alone(swept), each=pool.map):
        about = swept[row.pop("loss")]
        rows += [{"lever": "none"} | about | row]
    return record, rows


def moved(pool, record, *parts):
    """Of each part its losses under its changes; written as they come."""
    rows = []
    for grids, changes in parts:
        for lever, value, change in changes:
            about = {"lever": lever, "value": value}
            rows += [about | row for row in settled(pool, grids, **change)]
            record.write(rows)
    return record, rows


def levers(pool):
    """All changes; "none" to lay beside the others."""
    record = recording(
        "rare_digit_levers",
        "levers",
        FEW,
        FEWER,
        SHORTER,
        losses=LEVER_LOSSES,
    )
    return moved(pool, record, (each_alone(LEVER_LOSSES), CHANGES))


def beyond(pool):
    """Adam in place of SGD; class weights; wrong labels, all chosen anew."""
    record = recording(
        "rare_digit_beyond",
        "beyond",
        FEW,
        FEWER,
        SHORTER,
        losses=LEVER_LOSSES,
        grids=ANEW,
        adam_rates=SLOW,
    )
    noise = [("noise, anew", v, c) for k, v, c in CHANGES if k == "noise"]
    rarer = [change for change in CHANGES if change[0] == "ratio"][1:]
    return moved(
        pool,
        record,
        (each_alone(LEVER_LOSSES), ADAMS),
        (ANEW, noise),
        (WEIGHTED, rarer + ADAMS),
    )


def mistakes(pool):
    record = recording(
        "rare_digit_mistakes", "mistakes", FEW, FEWER, SHORTER, **PAIR
    )
    losses = {"CE": CE, "focal loss": PAIR}
    losses |= {name: PAIR | {"mistake": name} for name in MISTAKES}
    return record, settled(pool, each_alone(losses))


EXPERIMENTS = {
    "rivals": rivals,
    "levers": levers,
    "mistakes": mistakes,
    "beyond": beyond,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or EXPERIMENTS:
        with ProcessPoolExecutor(
            2, initializer=torch.set_flush_denormal, initargs=(True,)
        ) as pool:
            record, rows = EXPERIMENTS[name](pool)
        record.write(rows)  # the pool is closed: all its CPU time counts
        print(name, record.head, flush=True)
