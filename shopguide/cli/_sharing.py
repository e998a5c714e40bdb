"""Does sharing help? Two bundles on the same rows, a paired interval per task."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import load_bundle
from shopguide.evaluation import grouped_auc
from shopguide.evaluation.bootstrap import bootstrap_totals
from shopguide.spec import Spec

Floats = NDArray[np.float64]

_REPLICATES = 1000
_LEVEL = 0.95
_BATCH = 65_536
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """What the model gains over the other one.

    Args:
        task: name.
        metric: `gauc` (larger is better) and `log_loss`, or for an amount
            `mse`, an impression: both are least for the right probability and the right mean.
        model: the metric of the model.
        other: the metric of the other one.
        gain: how much better the model is, in the metric's unit; ± the bounds.
        lower: of the two-sided 95 % interval.
        upper: of it.
    """

    task: str
    metric: str
    model: float
    other: float
    gain: float
    lower: float
    upper: float


def compare_bundles(spec: Spec, test: Path, model: Path, other: Path) -> list[Difference]:
    """Compare two bundles on the test period, users resampled in pairs.

    Args:
        spec: whose tasks are compared.
        test: `test.parquet` of the training set.
        model: bundle.
        other: bundle that it is compared with.
    """
    table = pq.read_table(test, columns=["user_id", "sample_weight", *spec.tasks])
    users, index = np.unique(
        pc.dictionary_encode(table["user_id"].combine_chunks()).indices.to_numpy(),
        return_inverse=True,
    )
    weight = _column(table, "sample_weight")
    predictions = [_predict(bundle, test) for bundle in (model, other)]
    found = []
    for name, task in spec.tasks.items():
        if task.kind not in ("binary", "amount"):
            continue
        label, pair = _column(table, name), [p[name] for p in predictions]
        if task.kind == "binary":
            areas = [_areas(label, p, index, len(users), weight) for p in pair]
            found.append(_difference(name, "gauc", areas, sign=1, seed=spec.seed))
            sums = [_sums(_log_loss(label, p), index, len(users), weight) for p in pair]
            found.append(_difference(name, "log_loss", sums, sign=-1, seed=spec.seed))
        else:
            sums = [_sums(np.square(label - p), index, len(users), weight) for p in pair]
            found.append(_difference(name, "mse", sums, sign=-1, seed=spec.seed))
    return found


_Sums = tuple[Floats, Floats]  # numerator and denominator of each user [U]


def _difference(task: str, metric: str, pair: list[_Sums], *, sign: int, seed: int) -> Difference:
    (model, weight), (other, _) = pair
    totals = bootstrap_totals(
        np.stack([model, other, weight], axis=1), replicates=_REPLICATES, seed=seed
    )
    draws = sign * (totals[:, 0] - totals[:, 1]) / totals[:, 2]
    tail = (1 - _LEVEL) / 2
    lower, upper = np.quantile(draws, (tail, 1 - tail))
    values = model.sum() / weight.sum(), other.sum() / weight.sum()
    gain = sign * (values[0] - values[1])
    return Difference(task, metric, *map(float, (*values, gain, lower, upper)))


def _areas(label: Floats, p: Floats, users: NDArray[np.int64], count: int, w: Floats) -> _Sums:
    grouped = grouped_auc(label, p, users, w)
    weight = np.where(grouped.defined, grouped.weight, 0.0)
    area = np.where(grouped.defined, grouped.auc, 0.0) * weight
    return area[:count], weight[:count]


def _sums(rows: Floats, users: NDArray[np.int64], count: int, w: Floats) -> _Sums:
    sums = np.bincount(users, weights=rows * w, minlength=count)
    weights = np.bincount(users, weights=w, minlength=count)
    return sums.astype(np.float64), weights.astype(np.float64)


def _log_loss(label: Floats, p: Floats) -> Floats:
    inside = np.clip(p, _LEAST, 1 - _LEAST)
    loss: Floats = -label * np.log(inside) - (1 - label) * np.log1p(-inside)
    return loss


def _predict(path: Path, test: Path) -> dict[str, Floats]:
    bundle = load_bundle(path)
    names = list(dict.fromkeys([*bundle.preprocessing.names, "shown_at"]))
    parts: dict[str, list[Floats]] = {}
    with pq.ParquetFile(test) as file:
        for batch in file.iter_batches(_BATCH, columns=names):
            for task, values in bundle.predict(pa.Table.from_batches([batch])).items():
                parts.setdefault(task, []).append(values)
    return {task: np.concatenate(values) for task, values in parts.items()}


def _column(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).to_numpy()
    return values
