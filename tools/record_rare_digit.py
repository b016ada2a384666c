"""Record lesson 05's experiments: rivals, levers, epsilon, mistakes.

python tools/record_rare_digit.py [EXPERIMENT ...]

Two processes share the work. Rows are written as they come. Numbers below
1e-38 are taken for 0: what Adam remembers of a unit that no longer answers
ends there, where arithmetic is slow.
"""

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from focal_edu.comparison import (
    ALPHAS,
    GAMMAS,
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
FEWER, EPS = STEPS[:-1], 1e-16
SWEPT = settings_of(  # levers 1 and 2
    [
        {"gamma": (0, *GAMMAS), "alpha": (0.25,)},
        {"gamma": GAMMAS, "alpha": (1e-4,)},
        {"gamma": (2, 5), "alpha": ALPHAS},
        RIVALS["CE, best α"],
    ]
)
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
    about |= {"processes": 2, "rates": RATES, "steps": steps}
    return Recording(name, f"{COMMAND} {experiment}", **about)


def rounded(values):
    return np.round(values, 4).tolist()


def only(setting):
    """The grid of one setting."""
    return {name: (value,) for name, value in setting.items()}


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


def same_seeds(pool, losses, **change):
    """Rows of losses that the same seeds choose for and judge."""
    contest = Contest(
        DIGITS,
        CHOOSING,
        list(losses.values()),
        steps=FEWER,
        each=pool.map,
        **change,
    )
    rows = []
    grids = {name: only(setting) for name, setting in losses.items()}
    tuned = contest.settle(grids, times=2)
    for name, pair in tuned.items():
        chosen = [{k: t.best[k] for k in ("rate", "steps")} for t in pair]
        about = {"loss": name, "chosen": chosen, "edges": edges(pair)}
        rows += ap_only(rows_of(swapped(contest, pair), **about))
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
    tuned = contest.settle(RIVALS)
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
    pairs = contest.settle({str(s): only(s) for s in SWEPT}, times=1)
    judged = judge_anew(DIGITS, JUDGING[:5], pairs, each=pool.map)
    for setting in SWEPT:
        name = str(setting)
        about = {"lever": "none", "edges": edges(pairs[name])} | setting
        rows += ap_only(rows_of(judged[name], **about))
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
    rows = []
    for lever, value, change in CHANGES:
        about = {"lever": lever, "value": value}
        found = same_seeds(pool, LEVER_LOSSES, **change)
        rows += [about | row for row in found]
        record.write(rows)
    return record, rows


def mistakes(pool):
    record = recording(
        "rare_digit_mistakes", "mistakes", FEWER, seeds=CHOOSING, **PAIR
    )
    losses = {"CE": CE, "focal loss": PAIR}
    losses |= {name: PAIR | {"mistake": name} for name in MISTAKES}
    return record, same_seeds(pool, losses)


def epsilon(pool):
    """With Adam's ε next to 0; a smaller α, which is better off so, too."""
    losses = LEVER_LOSSES | {"FL, smaller α": {"gamma": 5, "alpha": 1e-6}}
    record = recording(
        "rare_digit_epsilon",
        "epsilon",
        FEWER,
        seeds=CHOOSING,
        eps=EPS,
        losses=losses,
    )
    return record, same_seeds(pool, losses, eps=EPS)


EXPERIMENTS = {
    "rivals": rivals,
    "levers": levers,
    "epsilon": epsilon,
    "mistakes": mistakes,
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
