"""The gate's bootstrap beside scipy.stats.bootstrap: the same paired interval, the same data.

    python benchmarks/gate.py --json

10,000 replicates × 100,000 users × 6 statistics (three goals, champion and challenger). scipy draws
all six columns with one set of indices a resample (`paired=True`); by default it does a twentieth
of the resamples, and its time is scaled by 20, as its cost is proportional to them: `--full`
measures all. Before timing counts, both intervals must agree within Monte Carlo error.

Then the error rates, each over 2,000 A/A runs by relabelling 2,000 users: one challenger, five at
once (max-T), and 30 nightly runs of one champion (α-spending); and the power for planted gains
beside the oracle test, which knows the variance.
"""

import argparse
import json
import math
import os
import platform
import statistics
import time

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.stats import bootstrap

from shopguide.gate.arms import Arms
from shopguide.gate.families import nightly, several
from shopguide.gate.family_audit import spent_by_night
from shopguide.gate.relabelling import relabel
from shopguide.gate.spending import replicates_for
from shopguide.gate.statistics import Comparison, compare
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

USERS, REPLICATES, SHORT, REPEATS = 100_000, 10_000, 500, 5
TASKS = ("click", "purchase", "money")
GOALS = {
    task: Goal(task=task, weight=weight)
    for task, weight in zip(TASKS, (0.2, 0.4, 0.4), strict=True)
}
MOST_SECONDS, LEAST_SPEEDUP = 5.0, 20.0
AUDITED_USERS, AUDIT_RUNS, AUDIT_REPLICATES = 2_000, 2_000, 1_000
CHALLENGERS, NIGHTS = 5, 30
FALSE_PROMOTION_LIMIT = 0.05 + 2 * math.sqrt(0.05 * 0.95 / AUDIT_RUNS)
MOST_POWER_GAP = 0.05

Array = NDArray[np.float64]


def arms(users: int) -> Arms:
    """Draw the per-user sums of two correlated models: clicks, purchases, money."""
    rng = np.random.default_rng(0)
    taste = rng.gamma(2.0, 0.5, users)

    def outcomes(gain: float) -> Array:
        clicks, orders = rng.poisson(4 * gain * taste), rng.poisson(gain * taste)
        money = np.where(orders > 0, rng.lognormal(1.0, 0.8, users) * orders, 0.0)
        return np.column_stack([clicks, orders, money]).astype(np.float64)

    return Arms(TASKS, outcomes(1.0), outcomes(1.01), np.ones(users))


def ours(pair: Arms) -> tuple[float, Comparison]:
    """Time the gate's comparison: every goal's interval and that of J."""
    started = time.perf_counter()
    found = compare([pair], GOALS, confidence=0.95, replicates=REPLICATES, seed=1)[0]
    return time.perf_counter() - started, found


def scipys(pair: Arms, resamples: int) -> tuple[float, Array]:
    """Time scipy's bootstrap of J − 1 over the same six columns; return seconds and interval."""
    weights = np.array([goal.weight for goal in GOALS.values()])

    def gain(*columns: Array, axis: int = -1) -> Array:
        sums = [column.sum(axis=axis) for column in columns]
        changes = [sums[k + 3] / sums[k] - 1 for k in range(3)]
        return np.asarray(sum(w * c for w, c in zip(weights, changes, strict=True)))

    started = time.perf_counter()
    found = bootstrap(
        (*pair.reference.T, *pair.challenger.T),
        gain,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=50,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    return time.perf_counter() - started, np.array([found.low, found.high])


def error_rates(pair: Arms, gate: Gate) -> dict[str, float]:
    """Return the rate of false promotions and the largest gap to the oracle's power."""
    found = relabel(pair, GOALS, gate, runs=AUDIT_RUNS, seed=1)
    normal, spread = statistics.NormalDist(), float(found.estimates.std())
    gaps = []
    for errors in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0):
        gain = errors * spread
        oracle = normal.cdf(math.log1p(gain) / spread - normal.inv_cdf(gate.confidence))
        gaps.append(abs(float(found.promoted(gain).mean()) - oracle))
    return {
        "false_promotion": round(float(found.promoted().mean()), 4),
        "power_gap_to_oracle": round(max(gaps), 4),
    }


def family_rates(pair: Arms, gate: Gate) -> dict[str, float]:
    """Return the rates at which any of several challengers, and of many nights, is promoted."""
    at_once = several(pair, GOALS, gate, challengers=CHALLENGERS, runs=AUDIT_RUNS, seed=1)
    alphas = spent_by_night(gate, NIGHTS)
    numbers = [replicates_for(alpha, 1, gate.replicates) for alpha in alphas]
    season = nightly(pair, GOALS, gate, alphas=alphas, replicates=numbers, runs=AUDIT_RUNS, seed=1)
    return {
        f"false_promotion_{CHALLENGERS}_challengers": round(float(at_once.promoted.mean()), 4),
        f"uncorrected_{CHALLENGERS}_challengers": round(float(at_once.uncorrected.mean()), 4),
        f"false_promotion_{NIGHTS}_nights": round(float(season.promoted.mean()), 4),
        f"uncorrected_{NIGHTS}_nights": round(float(season.uncorrected.mean()), 4),
    }


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--full", action="store_true", help="all 10,000 resamples by scipy too")
    options = parser.parse_args()
    began = time.perf_counter()
    pair = arms(USERS)
    ours(pair)  # warm-up
    resamples = REPLICATES if options.full else SHORT
    scipy_run, interval = scipys(pair, resamples)
    scipy_seconds = scipy_run * REPLICATES / resamples
    runs = [ours(pair) for _ in range(REPEATS)]
    seconds = statistics.median(run[0] for run in runs)
    objective = runs[0][1].objective
    assert objective is not None
    width = objective.upper - objective.lower
    # a 5 % quantile of R normal draws has the standard error 2.1 σ/√R, and the width is 3.3 σ
    tolerance = 4 * 2.1 / 3.3 * width / np.sqrt(resamples)
    difference = float(np.abs(interval - [objective.lower, objective.upper]).max())
    assert difference < tolerance, (difference, tolerance)
    speedup = scipy_seconds / seconds
    gate = Gate(min_gain=0.0, replicates=AUDIT_REPLICATES, margins=dict.fromkeys(TASKS, 0.5))
    audited = arms(AUDITED_USERS)
    rates = error_rates(audited, gate) | family_rates(audited, gate)
    false = [rate for name, rate in rates.items() if name.startswith("false_promotion")]
    result = {
        "benchmark": "gate",
        "seconds": round(seconds, 3),
        "seconds_range": [round(f(run[0] for run in runs), 3) for f in (min, max)],
        "scipy_seconds": round(scipy_seconds, 1),
        "scipy_resamples_measured": resamples,
        "speedup_over_scipy": round(speedup, 1),
        "interval": [round(objective.lower, 6), round(objective.upper, 6)],
        "scipy_interval": [round(float(x), 6) for x in interval],
        **rates,
        "false_promotion_limit": round(FALSE_PROMOTION_LIMIT, 4),
        "audit_runs": AUDIT_RUNS,
        "total_seconds": round(time.perf_counter() - began, 1),
        "replicates": REPLICATES,
        "users": USERS,
        "statistics": 6,
        "cores": os.cpu_count(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "met": seconds <= MOST_SECONDS
        and speedup >= LEAST_SPEEDUP
        and max(false) <= FALSE_PROMOTION_LIMIT
        and rates["power_gap_to_oracle"] <= MOST_POWER_GAP,
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:30} {value}")


if __name__ == "__main__":
    main()
