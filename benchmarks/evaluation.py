"""Metrics beside scikit-learn on a million impressions, and the coverage of off-policy intervals.

    python benchmarks/evaluation.py --json

The same values first: AUC, average precision, NDCG@10 of 40,000 lists, mean AUC within 10,000
users. Then the times, both in turn, the median of some repeats. scikit-learn has no AUC within
groups: a loop over its own AUC stands for it.

Then 600 simulated shops, each asked by its log what another ranking would have brought in clicks:
the share of 95 % intervals that cover the simulator's truth, and bias and spread of each estimator.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from shopguide.evaluation import (
    RankedLists,
    auc,
    average_precision,
    catalogue_metrics,
    gauc,
    list_metrics,
)
from shopguide.evaluation.off_policy import (
    Logged,
    Terms,
    doubly_robust,
    intervals,
    ips,
    ranking_target,
    snips,
)
from shopguide.evaluation.off_policy.list_model import list_model
from shopguide.logs.simulator import simulate
from shopguide.spec.simulator import Simulator

LISTS, LENGTH, USERS, ITEMS, K, REPEATS = 40_000, 25, 10_000, 300, 10, 3
SHOPS = 600
MOST_SECONDS = 2.0
Array = NDArray[np.float64]


class Impressions:
    """A million impressions in lists; scores with ties."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        rows = LISTS * LENGTH
        self.request = np.repeat(np.arange(LISTS), LENGTH)
        self.user = self.request % USERS
        self.item = rng.integers(0, ITEMS, rows)
        self.scores = np.round(rng.random(rows), 4)
        self.labels = (rng.random(rows) < 0.02 + 0.06 * self.scores).astype(np.float64)

    def ours(self) -> dict[str, float]:
        """Return the metrics that scikit-learn has too, by shopguide."""
        ranked = RankedLists.of(self.request, self.scores)
        every = list_metrics(ranked, self.labels, k=K)
        return {
            "auc": auc(self.labels, self.scores),
            "average_precision": average_precision(self.labels, self.scores),
            "ndcg": every.ndcg,
            "gauc": gauc(self.labels, self.scores, self.user),
        }

    def peers(self) -> dict[str, float]:
        """Return the same by scikit-learn."""
        labels, scores = (a.reshape(LISTS, LENGTH) for a in (self.labels, self.scores))
        judged = labels.any(axis=1)
        order = np.argsort(self.user, kind="stable").reshape(USERS, -1)
        mixed = [rows for rows in order if 0 < self.labels[rows].sum() < len(rows)]
        within = [roc_auc_score(self.labels[rows], self.scores[rows]) for rows in mixed]
        return {
            "auc": float(roc_auc_score(self.labels, self.scores)),
            "average_precision": float(average_precision_score(self.labels, self.scores)),
            "ndcg": float(ndcg_score(labels[judged], scores[judged], k=K)),
            "gauc": float(np.mean(within)),  # all users have as many impressions
        }

    def lists(self) -> None:
        """Rank the lists and measure all that is measured of them."""
        ranked = RankedLists.of(self.request, self.scores)
        list_metrics(ranked, self.labels, k=K)
        catalogue_metrics(ranked, self.item, items=ITEMS, k=K)


def seconds_of(run: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def estimators_of(seed: int) -> tuple[float, Logged, dict[str, Terms]]:
    """Draw a shop; return the truth about "the cheapest first" and its estimators."""
    parameters = Simulator(
        source="simulator", users=300, items=40, list_length=5, requests_per_user=8, days=7
    )
    shop = simulate(parameters, seed=seed)
    scores, requests = -shop.items.price[shop.lists.item], len(shop.lists.user)
    request = np.repeat(np.arange(requests), 5)
    position = np.tile(np.arange(1, 6), requests)
    logged = Logged.of(
        reward=shop.drawn.of("click").ravel().astype(np.float64),
        propensity=shop.lists.propensity.ravel(),
        target=ranking_target(request, position, scores.ravel(), "simulated log"),
        unit=np.repeat(shop.lists.user, 5),
    )
    good = shop.expected("click", examined=True).ravel()
    models = {
        "dr_good_model": list_model(logged, request, position, scores.ravel(), good),
        "dr_wrong_model": list_model(logged, request, position, scores.ravel(), 1 - good),
    }
    terms = {"ips": ips(logged), "snips": snips(logged)}
    terms |= {name: doubly_robust(logged, model) for name, model in models.items()}
    return shop.true_value(scores, "click") / 5, logged, terms


def coverage() -> dict[str, object]:
    """Return how often intervals cover, and how far off the estimators are, over the shops."""
    covered: dict[str, dict[str, int]] = {"bootstrap": {}, "delta": {}}
    missed: dict[str, list[float]] = {}
    for seed in range(SHOPS):
        truth, logged, terms = estimators_of(seed)
        for method in ("bootstrap", "delta"):
            found = intervals(terms, logged.unit, method=method, replicates=1000, seed=seed)
            for name, one in found.items():
                inside = one.lower < truth < one.upper
                covered[method][name] = covered[method].get(name, 0) + inside
        for name, one in terms.items():
            missed.setdefault(name, []).append(one.value / truth - 1)
    return {
        "shops": SHOPS,
        "coverage": {
            method: {name: round(count / SHOPS, 3) for name, count in counts.items()}
            for method, counts in covered.items()
        },
        "coverage_error": round((0.95 * 0.05 / SHOPS) ** 0.5, 4),
        "relative_bias": {n: round(float(np.mean(x)), 4) for n, x in missed.items()},
        "bias_error": {n: round(float(np.std(x) / SHOPS**0.5), 4) for n, x in missed.items()},
        "relative_spread": {n: round(float(np.std(x)), 4) for n, x in missed.items()},
    }


def main() -> None:
    """Compare, time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    shown = Impressions()
    ours, peers = shown.ours(), shown.peers()
    difference = max(abs(ours[name] - peers[name]) for name in ours)
    assert difference < 1e-9, (ours, peers)
    pairs = [(seconds_of(shown.ours), seconds_of(shown.peers)) for _ in range(REPEATS)]
    mine, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    lists = statistics.median(seconds_of(shown.lists) for _ in range(REPEATS))
    result = {
        "benchmark": "evaluation",
        "impressions": LISTS * LENGTH,
        "lists_seconds": round(lists, 3),
        "metrics_seconds": round(mine, 3),
        "scikit_learn_seconds": round(theirs, 2),
        "speedup": round(theirs / mine, 1),
        "largest_difference": difference,
        **coverage(),
        "cores": os.cpu_count(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "met": lists <= MOST_SECONDS,
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
