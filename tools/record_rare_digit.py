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
    TOLERANCE,
    Contest,
    distinct,
    every,
    judge_anew,
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
FEWER = STEPS[:-1]
CHANGES = [
    ("none", None, {}),
    ("prior", "off", {"prior": None}),
    *(("noise", part, {"flipped": part}) for part in (0.05, 0.1, 0.2)),
    *(
        ("ratio", [few, many], {"positives": few, "negatives": many})
        for few, many in ((10, 100), (10, 300), (3, 1000), (1, 1000))
    ),
]


def recording(name, experiment, steps=STEPS, **about):
    about = {"processes": 2, "rates": RATES, "steps": steps} | about
    return Recording(name, f"{COMMAND} {experiment}", **about)


def rounded(values):
    return np.round(values, 4).tolist()


def only(setting):
    """The grid of one setting."""
    return {name: (value,) for name, value in setting.items()}


def chosen(contest, grid):
    """What either half chooses."""
    return [contest.tune(half, **grid) for half in (0, 1)]


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
    tuned = chosen(contest, only(setting))
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
    tuned = chosen(contest, only(setting))
    return [
        {"chosen on": half, **setting, "rate": rate}
        | {"ap": rounded([r["score"] for r in t.rows if r["rate"] == rate])}
        for half, t in enumerate(tuned)
        for rate in contest.rates
    ]


def with_more_steps(tuned, pool):
    """Double the steps of all losses of which some choice has the most."""
    steps = STEPS
    while ends := [n for n in tuned if at_edge(tuned[n], "steps")]:
        steps = (*steps, 2 * steps[-1])
        settings = settings_of(RIVALS[name] for name in ends)
        contest = Contest(
            DIGITS, CHOOSING, settings, steps=steps, each=pool.map
        )
        tuned |= {name: chosen(contest, RIVALS[name]) for name in ends}
    return tuned


def at_edge(tuned, name):
    return any(name in t.at_edge for t in tuned)


def settings_of(grids):
    """The settings of several grids, each once."""
    return distinct(setting for grid in grids for setting in every(grid))


def rivals(pool):
    record = recording(
        "rare_digit",
        "rivals",
        choosing=CHOOSING,
        judging=JUDGING,
        tolerance=TOLERANCE,
        grids=RIVALS,
    )
    settings = settings_of(RIVALS.values())
    contest = Contest(DIGITS, CHOOSING, settings, each=pool.map)
    rows = [row for setting in settings for row in tried(contest, setting)]
    tuned = {name: chosen(contest, grid) for name, grid in RIVALS.items()}
    tuned = with_more_steps(tuned, pool)
    record.head["chosen"] = {n: [t.best for t in p] for n, p in tuned.items()}
    record.head["tried"] = {
        n: {k: list(p[0].profile(k)) for k in p[0].best if k != "score"}
        for n, p in tuned.items()
    }
    record.write(rows)
    for name, pair in judge_anew(
        DIGITS, JUDGING, tuned, each=pool.map
    ).items():
        rows += rows_of(pair, loss=name)
    record.write(rows)
    swept = [s for s in settings if "alpha" in s]
    pairs = {str(s): chosen(contest, only(s)) for s in swept}
    judged = judge_anew(DIGITS, JUDGING[:5], pairs, each=pool.map)
    for setting in swept:
        rows += ap_only(
            rows_of(judged[str(setting)], lever="none", **setting)
        )
    return record, rows


def levers(pool):
    """Every change with each loss; "none" to lay beside the others."""
    record = recording(
        "rare_digit_levers",
        "levers",
        FEWER,
        seeds=CHOOSING,
        losses=LEVER_LOSSES,
    )
    rows, losses = [], list(LEVER_LOSSES.values())
    for lever, value, change in CHANGES:
        contest = Contest(
            DIGITS, CHOOSING, losses, steps=FEWER, each=pool.map, **change
        )
        for name, setting in LEVER_LOSSES.items():
            about = {"lever": lever, "value": value, "loss": name}
            rows += ap_only(same_seeds(contest, setting, **about))
        record.write(rows)
    return record, rows


def mistakes(pool):
    record = recording(
        "rare_digit_mistakes", "mistakes", FEWER, seeds=CHOOSING, **PAIR
    )
    tried = {"CE": CE, "focal loss": PAIR}
    tried |= {name: PAIR | {"mistake": name} for name in MISTAKES}
    contest = Contest(
        DIGITS, CHOOSING, list(tried.values()), steps=FEWER, each=pool.map
    )
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
