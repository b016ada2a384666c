"""Record lesson 05's experiments: rivals, levers, mistakes.

python tools/record_rare_digit.py [EXPERIMENT ...]

Two processes share the work. Rows are written as they come.
"""

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from focal_edu.comparison import (
    MISTAKES,
    RATES,
    RIVALS,
    STEPS,
    Contest,
    every,
    judge_anew,
    setting_of,
)
from focal_edu.recorded import Recording

COMMAND = "python tools/record_rare_digit.py"
DIGITS = list(range(10))
CHOOSING, JUDGING = [0, 1, 2], list(range(3, 23))
CE, PAIR = {"gamma": 0, "alpha": 0.5}, {"gamma": 2, "alpha": 0.25}
LEVER_LOSSES = {
    "CE": CE,
    "FL, the paper's pair": PAIR,
    "FL, small α": {"gamma": 5, "alpha": 1e-4},
    "hard mining": {"gamma": 0, "keep": 2},
}
CHANGES = [
    ("prior", "off", {"prior": None}),
    *(("noise", part, {"flipped": part}) for part in (0.05, 0.1, 0.2)),
    *(
        ("ratio", [few, many], {"positives": few, "negatives": many})
        for few, many in ((10, 100), (10, 300), (3, 1000), (1, 1000))
    ),
]


def recording(name, experiment, **about):
    about = {"processes": 2, "rates": RATES, "steps": STEPS} | about
    return Recording(name, f"{COMMAND} {experiment}", **about)


def rounded(values):
    return np.round(values, 4).tolist()


def chosen(contest, grid, **some):
    """What either half chooses."""
    return [contest.tune(half, **some, **grid) for half in (0, 1)]


def swapped(contest, tuned):
    """Verdicts on each half, by what the other has chosen."""
    return [contest.judge(half, tuned[1 - half].best) for half in (0, 1)]


def rows_of(verdicts, **about):
    """A row a digit: each seed's numbers, the mean of the two halves."""
    both = {
        key: (verdicts[0][key] + verdicts[1][key]) / 2 for key in verdicts[0]
    }
    return [
        about | {"digit": d} | {key: rounded(v[i]) for key, v in both.items()}
        for i, d in enumerate(DIGITS)
    ]


def same_seeds(contest, setting, **about):
    """Rows of what was chosen for a setting, judged by the same seeds."""
    tuned = chosen(contest, {name: (v,) for name, v in setting.items()})
    about["chosen"] = [
        {name: t.best[name] for name in ("rate", "steps")} for t in tuned
    ]
    about["edges"] = sorted({name for t in tuned for name in t.at_edge})
    return rows_of(swapped(contest, tuned), **about)


def ap_only(rows):
    """The rows without what p > 0.5 finds."""
    cut = ("found", "alarms")
    return [{k: v for k, v in r.items() if k not in cut} for r in rows]


def tried(contest, setting):
    """A row a half and rate: the mean AP after each number of steps."""
    tuned = chosen(contest, {name: (v,) for name, v in setting.items()})
    return [
        {"chosen on": half, **setting, "rate": rate}
        | {"ap": rounded([r["score"] for r in t.rows if r["rate"] == rate])}
        for half, t in enumerate(tuned)
        for rate in contest.rates
    ]


def over_steps(tuned):
    """Each digit's AP over the steps, with what was chosen beside them."""
    best = setting_of(tuned.best) | {"rate": tuned.best["rate"]}
    return {
        row["steps"]: rounded(apart)
        for row, apart in zip(tuned.rows, tuned.apart, strict=True)
        if best.items() <= row.items()
    }


def rivals(pool):
    record = recording(
        "rare_digit",
        "rivals",
        choosing=CHOOSING,
        judging=JUDGING,
        grids=RIVALS,
    )
    settings = [s for values in RIVALS.values() for s in every(values)]
    settings = list({str(s): s for s in settings}.values())
    contest = Contest(DIGITS, CHOOSING, settings, each=pool.map)
    rows = []
    for setting in settings:
        rows += tried(contest, setting)
        rows += ap_only(same_seeds(contest, setting, lever="none", **setting))
    tuned = {name: chosen(contest, grid) for name, grid in RIVALS.items()}
    for title, of in (
        ("chosen", lambda t: t.best),
        ("at edge", lambda t: t.at_edge),
        ("over steps", over_steps),
    ):
        record.head[title] = {n: [of(t) for t in p] for n, p in tuned.items()}
    record.write(rows)
    for name, grid in RIVALS.items():
        for place, digit in enumerate(DIGITS):
            own = swapped(contest, chosen(contest, grid, digits=[digit]))
            ap = rounded(np.mean([half["ap"][place] for half in own], axis=0))
            rows.append({"loss": name, "digit": digit, "chosen for it": ap})
    for name, pair in judge_anew(
        DIGITS, JUDGING, tuned, each=pool.map
    ).items():
        rows += rows_of(pair, loss=name)
    return record, rows


def levers(pool):
    """Every change with each loss; without a change they are in `rivals`."""
    record = recording(
        "rare_digit_levers", "levers", seeds=CHOOSING, losses=LEVER_LOSSES
    )
    rows, losses = [], list(LEVER_LOSSES.values())
    for lever, value, change in CHANGES:
        contest = Contest(DIGITS, CHOOSING, losses, each=pool.map, **change)
        for name, setting in LEVER_LOSSES.items():
            about = {"lever": lever, "value": value, "loss": name}
            rows += ap_only(same_seeds(contest, setting, **about))
        record.write(rows)
    return record, rows


def mistakes(pool):
    record = recording(
        "rare_digit_mistakes", "mistakes", seeds=CHOOSING, **PAIR
    )
    tried = {"CE": CE, "focal loss": PAIR}
    tried |= {name: PAIR | {"mistake": name} for name in MISTAKES}
    contest = Contest(DIGITS, CHOOSING, list(tried.values()), each=pool.map)
    rows = []
    for name, setting in tried.items():
        rows += same_seeds(contest, setting, loss=name)
    return record, rows


EXPERIMENTS = {"rivals": rivals, "levers": levers, "mistakes": mistakes}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or EXPERIMENTS:
        with ProcessPoolExecutor(2) as pool:
            record, rows = EXPERIMENTS[name](pool)
        record.write(rows)  # the pool is closed: all its CPU time counts
        print(name, record.head, flush=True)
