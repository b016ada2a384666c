"""Record lesson 05's experiments: rivals, levers, mistakes.

python tools/record_rare_digit.py [EXPERIMENT ...]
"""

import sys

import numpy as np
import torch

from focal_edu.comparison import (
    ALPHAS,
    GAMMAS,
    MISTAKES,
    RATES,
    RIVALS,
    STEPS,
    Contest,
    every,
    judge_anew,
)
from focal_edu.recorded import Recording

COMMAND = "python tools/record_rare_digit.py"
DIGITS = list(range(10))
CHOOSING, JUDGING = [0, 1, 2], list(range(3, 23))
PAIR = {"gamma": 2, "alpha": 0.25}
FEW_RATES = (0.0015, 0.005)  # those that CE and FL choose among four


def rounded(values, places=4):
    return np.round(values, places).tolist()


def rows_of(verdicts, **about):
    """A row a digit: each seed's numbers, the mean of the two halves."""
    both = {
        key: (verdicts[0][key] + verdicts[1][key]) / 2 for key in verdicts[0]
    }
    return [
        about | {"digit": d} | {key: rounded(v[i]) for key, v in both.items()}
        for i, d in enumerate(DIGITS)
    ]


def same_seeds(contest, grid, **about):
    """Rows of what each half chose, judged on the other by the same seeds."""
    tuned = [contest.tune(half, **grid) for half in (0, 1)]
    verdicts = [contest.judge(h, tuned[1 - h].best) for h in (0, 1)]
    edges = sorted({name for t in tuned for name in t.at_edge})
    chosen = [{k: t.best[k] for k in ("rate", "steps")} for t in tuned]
    return rows_of(verdicts, **about, chosen=chosen, edges=edges)


def rivals():
    record = Recording(
        "rare_digit",
        f"{COMMAND} rivals",
        choosing=CHOOSING,
        judging=JUDGING,
        rates=RATES,
        steps=STEPS,
        grids=RIVALS,
    )
    levers = Recording(
        "rare_digit_grid", f"{COMMAND} rivals", seeds=CHOOSING, steps=STEPS
    )
    uniform, resampled = [], []
    for grid in RIVALS.values():
        for setting in every(grid):
            known = resampled if "share" in setting else uniform
            if setting not in known:
                known.append(setting)
    contests = [Contest(DIGITS, CHOOSING, s) for s in (uniform, resampled)]
    tried = grid_rows(contests[0]) + grid_rows(contests[1])
    levers.write(tried)
    chosen, rows = {}, []
    for name, grid in RIVALS.items():
        contest = contests["share" in grid]
        chosen[name] = [contest.tune(half, **grid) for half in (0, 1)]
        print(name, [(t.best, t.at_edge) for t in chosen[name]], flush=True)
    record.head["chosen"] = {
        n: [t.best for t in c] for n, c in chosen.items()
    }
    record.head["at edge"] = {
        n: [t.at_edge for t in c] for n, c in chosen.items()
    }
    for name, verdicts in judge_anew(DIGITS, JUDGING, chosen).items():
        rows += rows_of(verdicts, loss=name)
        record.write(rows)
    for name, grid in RIVALS.items():
        contest = contests["share" in grid]
        for place, digit in enumerate(DIGITS):
            scores = []
            for half in (0, 1):
                best = contest.tune(1 - half, digits=[digit], **grid).best
                scores.append(contest.judge(half, best)["ap"][place])
            rows.append(
                {
                    "loss": name,
                    "digit": digit,
                    "chosen for it": rounded(np.mean(scores, axis=0)),
                }
            )
    record.write(rows)
    lever_rows = []
    for alpha in (0.25, 0.5):
        for gamma in (0, *GAMMAS):
            grid = {"gamma": (gamma,), "alpha": (alpha,)}
            lever_rows += same_seeds(
                contests[0], grid, lever="gamma", gamma=gamma, alpha=alpha
            )
    for gamma in (0, 2):
        for alpha in ALPHAS[: 7 if gamma == 0 else 5]:
            grid = {"gamma": (gamma,), "alpha": (alpha,)}
            lever_rows += same_seeds(
                contests[0], grid, lever="alpha", gamma=gamma, alpha=alpha
            )
    levers.write(tried + lever_rows)


LEVER_LOSSES = {
    "CE": {"gamma": 0, "alpha": 0.5},
    "FL": PAIR,
    "hard mining": {"gamma": 0, "keep": 4},
}


def levers():
    """Rows to lay beside those of `longer` with 1600 steps."""
    record = Recording(
        "rare_digit_levers",
        f"{COMMAND} levers",
        seeds=CHOOSING,
        rates=FEW_RATES,
        steps=STEPS,
        losses=LEVER_LOSSES,
    )
    rows = []

    def add(lever, value, **changes):
        contest = Contest(
            DIGITS,
            CHOOSING,
            list(LEVER_LOSSES.values()),
            rates=FEW_RATES,
            **changes,
        )
        for name, setting in LEVER_LOSSES.items():
            grid = {k: (v,) for k, v in setting.items()}
            about = {"lever": lever, "value": value, "loss": name}
            rows.extend(same_seeds(contest, grid, **about))
        record.write(rows)
        print(lever, value, flush=True)

    add("prior", "off", prior=None)
    for part in (0.05, 0.1, 0.2):
        add("noise", part, flipped=part)
    for positives, negatives in ((10, 100), (1, 1000), (3, 1000), (10, 300)):
        counts = {"positives": positives, "negatives": negatives}
        add("ratio", [positives, negatives], **counts)


def mistakes():
    seeds = CHOOSING
    record = Recording(
        "rare_digit_mistakes",
        f"{COMMAND} mistakes",
        seeds=seeds,
        rates=RATES,
        steps=STEPS,
        **PAIR,
    )
    tried = {"CE": {"gamma": 0, "alpha": 0.5}, "focal loss": PAIR}
    tried |= {name: PAIR | {"mistake": name} for name in MISTAKES}
    contest = Contest(DIGITS, seeds, list(tried.values()))
    rows = []
    for name, setting in tried.items():
        grid = {k: (v,) for k, v in setting.items()}
        rows += same_seeds(contest, grid, loss=name)
    record.write(rows)


def wider():
    """Focal loss with far smaller α: its best lay at the end of the grid."""
    steps = (400, 800, 1600)
    grid = {"gamma": (2, 3), "alpha": (0.001, 0.003, 0.01, 0.025)}
    record = Recording(
        "rare_digit_wider",
        f"{COMMAND} wider",
        choosing=CHOOSING,
        judging=JUDGING,
        rates=FEW_RATES,
        steps=steps,
        grid=grid,
    )
    contest = Contest(
        DIGITS, CHOOSING, every(grid), rates=FEW_RATES, steps=steps
    )
    rows = grid_rows(contest)
    name = "FL, smaller α"
    tuned = [contest.tune(half, **grid) for half in (0, 1)]
    record.head["chosen"] = [t.best for t in tuned]
    verdicts = judge_anew(DIGITS, JUDGING, {name: tuned})[name]
    record.write(rows_of(verdicts, loss=name) + rows)


def grid_rows(contest):
    """A row a setting, rate and half: the mean AP at each number of steps."""
    return [
        {"chosen on": half, **setting, "rate": rate}
        | {
            "ap": rounded(
                [
                    contest.precision(half, setting, rate, step).mean()
                    for step in contest.steps
                ]
            )
        }
        for setting in contest.settings
        for rate in contest.rates
        for half in (0, 1)
    ]


def longer():
    """Does any loss gain from four times as many steps?"""
    steps, rates = (1600, 3200, 6400), FEW_RATES
    record = Recording(
        "rare_digit_longer",
        f"{COMMAND} longer",
        seeds=CHOOSING,
        rates=rates,
        steps=steps,
    )
    settings = {
        "CE": {"gamma": 0, "alpha": 0.5},
        "CE, α = 0.75": {"gamma": 0, "alpha": 0.75},
        "FL, the paper's pair": PAIR,
        "FL, γ = 3, α = 0.1": {"gamma": 3, "alpha": 0.1},
        "hard mining, 4 of 64": {"gamma": 0, "keep": 4},
        "hard mining, 2 of 64": {"gamma": 0, "keep": 2},
    }
    contest = Contest(
        DIGITS, CHOOSING, list(settings.values()), rates=rates, steps=steps
    )
    rows = []
    for name, setting in settings.items():
        grid = {key: (value,) for key, value in setting.items()}
        for last in steps:
            contest.steps = steps[: steps.index(last) + 1]
            rows += same_seeds(contest, grid, loss=name, steps=last)
    record.write(rows)


EXPERIMENTS = ("rivals", "wider", "longer", "levers", "mistakes")
torch.set_num_threads(1)
for name in sys.argv[1:] or EXPERIMENTS:
    globals()[name]()
