"""Every architecture on one training set: AUC and GAUC per task, and what it gains over no sharing.

    python benchmarks/architectures.py --training-set runs/training_set --seeds 3 --json

Each architecture is trained as the spec says, but for its name, once for each seed; figures are
means over the seeds on the test period. The GAUC, and its gain over `single_task`, have a 95 %
interval from a bootstrap over users, the same users for both.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import load_bundle
from shopguide.evaluation import auc, grouped_auc
from shopguide.evaluation.bootstrap import bootstrap_totals
from shopguide.features.reading import TrainingSet
from shopguide.models.registry import ARCHITECTURES
from shopguide.spec import Spec, load_spec
from shopguide.training import train_mtl

ALONE, REPLICATES, LEVEL = "single_task", 1000, 0.95
Array = NDArray[np.float64]


class TestPeriod:
    """The test rows: what was shown to whom, and what came of it.

    Args:
        spec: names the tasks.
        training_set: folder of the training set.
    """

    def __init__(self, spec: Spec, training_set: Path) -> None:
        self.rows = pq.read_table(TrainingSet.open(training_set, spec).file("test"))
        users = pc.dictionary_encode(self.rows["user_id"].combine_chunks()).indices
        self.user = users.to_numpy().astype(np.int64)
        self.users = int(self.user.max()) + 1
        self.weight = self.rows["sample_weight"].to_numpy()
        self.labels = {
            task: self.rows[task].to_numpy().astype(np.float64) for task in spec.binary_tasks()
        }

    def measure(self, bundle: Path) -> dict[str, tuple[float, Array, Array]]:
        """Return each task's AUC, and the area and weight of each user [U] that GAUC is made of."""
        predicted, found = load_bundle(bundle).predict(self.rows), {}
        for task, label in self.labels.items():
            grouped = grouped_auc(label, predicted[task], self.user, self.weight)
            weight = np.where(grouped.defined, grouped.weight, 0.0)
            area = np.where(grouped.defined, grouped.auc, 0.0) * weight
            found[task] = auc(label, predicted[task], self.weight), area, weight
        return found


def trained(
    spec: Spec, architecture: str, training_set: Path, seeds: int, test: TestPeriod
) -> tuple[dict[str, tuple[float, Array, Array]], float]:
    """Return the means over seeds of `TestPeriod.measure`, and the seconds of a training."""
    found, started = [], time.monotonic()
    for seed in range(seeds):
        model = spec.model.model_copy(update={"architecture": architecture})
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "model"
            train_mtl(spec.model_copy(update={"model": model, "seed": seed}), training_set, out)
            found.append(test.measure(out))
    seconds = (time.monotonic() - started) / seeds
    means = {
        task: (
            float(np.mean([f[task][0] for f in found])),
            np.mean([f[task][1] for f in found], axis=0),
            found[0][task][2],
        )
        for task in found[0]
    }
    return means, seconds


def interval(area: Array, alone: Array, weight: Array) -> list[float]:
    """Return how much larger a GAUC is than another, and the bounds; `alone` of zeros: itself."""
    sums = np.stack([area, alone, weight], axis=1)
    totals = bootstrap_totals(sums, replicates=REPLICATES, seed=0)
    draws = (totals[:, 0] - totals[:, 1]) / totals[:, 2]
    tail = (1 - LEVEL) / 2
    point = (area.sum() - alone.sum()) / weight.sum()
    return [round(float(v), 4) for v in (point, *np.quantile(draws, (tail, 1 - tail)))]


def main() -> None:
    """Train all, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, default=Path("specs/complete_journey.yaml"))
    parser.add_argument("--profile", default=None)
    parser.add_argument("--training-set", type=Path, default=Path("runs/training_set"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=sorted(ARCHITECTURES))
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the spec, as A.B=VALUE")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    spec = load_spec(options.spec, profile=options.profile, overrides=options.set)
    test, found = TestPeriod(spec, options.training_set), {}
    areas: dict[str, dict[str, Array]] = {}
    for name in [ALONE, *(name for name in options.only if name != ALONE)]:
        means, seconds = trained(spec, name, options.training_set, options.seeds, test)
        areas[name] = {task: area for task, (_, area, _) in means.items()}
        tasks: dict[str, dict[str, float | list[float]]] = {
            task: {
                "auc": round(value, 4),
                "gauc": interval(area, np.zeros_like(area), weight),
                "gain": interval(area, areas[ALONE][task], weight),
            }
            for task, (value, area, weight) in means.items()
        }
        found[name] = {"tasks": tasks, "seconds": round(seconds, 1)}
        print(line(name, tasks, seconds), file=sys.stderr)
    result = {
        "benchmark": "architectures",
        "spec": spec.name,
        "seeds": options.seeds,
        "rows": test.rows.num_rows,
        "users": test.users,
        "architectures": found,
    }
    if options.json:
        print(json.dumps(result))


def line(name: str, tasks: dict[str, dict[str, float | list[float]]], seconds: float) -> str:
    """Return a row of the table in Markdown: AUC / GAUC (bounds), gain (bounds), a task."""
    form = "{:.4f} / {:.4f} ({:.4f} … {:.4f}), {:+.4f} ({:+.4f} … {:+.4f})"
    cells = [
        form.format(row["auc"], *_bounds(row["gauc"]), *_bounds(row["gain"]))
        for row in tasks.values()
    ]
    return f"| {name} | {' | '.join(cells)} | {seconds:.0f} s |"


def _bounds(value: float | list[float]) -> list[float]:
    assert isinstance(value, list)
    return value


if __name__ == "__main__":
    main()
