"""Measure a bundle on a split of a training set."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.calibration import pcoc, reliability
from shopguide.evaluation.categories import CategoryMetrics, category_metrics
from shopguide.evaluation.evaluate import evaluate
from shopguide.evaluation.lists import sums
from shopguide.evaluation.rankings import Catalogue, Ranking, rankings
from shopguide.evaluation.reading import codes, floats, read_split
from shopguide.evaluation.result import Evaluation, Uncalibrated
from shopguide.evaluation.slices import evaluate_slices
from shopguide.files import sha256
from shopguide.objective.replay import Requests

_log = logging.getLogger(__name__)


def evaluate_bundle(
    bundle: str | Path,
    training_set: str | Path,
    *,
    split: str = "test",
    slices: Sequence[str] | None = None,
    k: int | None = None,
) -> Evaluation:
    """Measure a bundle on a split.

    Args:
        bundle: folder of the bundle; its own spec says the tasks.
        training_set: directory of the training set, or a Parquet file of its kind.
        split: which of the directory's files.
        slices: columns whose values are looked at apart; None: the spec's `gate.slices`.
        k: places of a list that count; None: the spec's `objective.discount.k`.

    Raises:
        ShopguideError: the bundle or the file is not whole, or a column is missing.
        InvalidDataError: outcomes or weights that cannot be; no impression.
    """
    started, loaded = time.perf_counter(), load_bundle(bundle)
    spec = loaded.spec
    named = spec.gate.slices if slices is None else slices
    columns = [*loaded.preprocessing.names, *named]
    table, file = read_split(training_set, split, spec, columns)
    requests = replace(
        Requests.from_table(table, spec, where=str(file)), weight=floats(table, "sample_weight")
    )
    raw = loaded.predict_raw(table)
    predictions = loaded.calibrators.apply(raw, loaded.manifest.tasks)
    tasks = evaluate(requests, predictions, spec)
    places = k or spec.objective.discount.k
    rank = _ranker(
        loaded, requests, predictions, _catalogue(table, file, next(iter(tasks))), places
    )
    times = pc.min_max(table.column("shown_at")).as_py()
    found = Evaluation(
        title=spec.title or spec.name,
        bundle=loaded.manifest.model_dump(include={"name", "version", "checksum"}),
        file=str(file),
        checksum=sha256(file),
        split=split if Path(training_set).is_dir() else file.stem,
        rows=table.num_rows,
        requests=len(requests.user),
        users=requests.users,
        first=times["min"],
        last=times["max"],
        k=places,
        units={name: task.unit for name, task in spec.amount_tasks().items()},
        titles={name: task.title or name for name, task in spec.tasks.items()},
        tasks=tasks,
        uncalibrated=_uncalibrated(loaded, requests, raw),
        categories=_categories(loaded, table, requests.weight, str(file)),
        rankings=rank(None),
        slices=evaluate_slices(requests, predictions, spec.quantities(), table, named, rank),
        notes=list(spec.notes),
    )
    seconds = time.perf_counter() - started
    _log.info("evaluation: %d impressions, %d tasks, %.1f s", found.rows, len(tasks), seconds)
    return found


def _ranker(
    loaded: Bundle,
    requests: Requests,
    predictions: dict[str, NDArray[np.float64]],
    catalogue: Catalogue,
    k: int,
) -> Callable[[NDArray[np.int64] | None], list[Ranking]]:
    """Return what measures the lists, all or cut down to some rows."""
    tasks = list(loaded.spec.quantities())
    scores = {name: predictions[name] for name in tasks}
    if loaded.fusion is not None:
        scores = {"score": loaded.score(predictions)} | scores

    def rank(rows: NDArray[np.int64] | None) -> list[Ranking]:
        return rankings(requests, scores, tasks, catalogue, k=k, rows=rows)

    return rank


def _uncalibrated(
    loaded: Bundle, requests: Requests, raw: dict[str, NDArray[np.float64]]
) -> dict[str, Uncalibrated]:
    return {
        name: Uncalibrated(
            calibrator.kind,
            pcoc(requests.outcomes[name], raw[name], requests.weight),
            reliability(requests.outcomes[name], raw[name], requests.weight),
        )
        for name, calibrator in loaded.calibrators.tasks.items()
    }


def _categories(
    loaded: Bundle, table: pa.Table, weight: NDArray[np.float64], where: str
) -> dict[str, CategoryMetrics]:
    tasks = loaded.spec.category_tasks()
    if not tasks:
        return {}
    probabilities = loaded.probabilities(table)
    return {
        name: category_metrics(
            _labels(table, name, task.labels, where), probabilities[name], weight, task.labels
        )
        for name, task in tasks.items()
    }


def _labels(table: pa.Table, name: str, labels: tuple[str, ...], where: str) -> NDArray[np.int64]:
    values = floats(table, name)
    bad = ~np.isin(values, np.arange(len(labels)))
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidDataError(
            f"{where}, column {name}, row {row + 1}",
            f"is {values[row]:g}, must be a code from 0 to {len(labels) - 1}: {', '.join(labels)}",
            "Build the training set again with this spec",
        )
    return values.astype(np.int64)


def _catalogue(table: pa.Table, file: Path, task: str) -> Catalogue:
    """Return the items of the split and of training, with their popularity in training.

    Popularity is an item's share of the first task's outcomes in training, one added to each.
    """
    train = file.parent / "train.parquet"
    if not train.is_file() or train == file:
        (item,), names = codes([table.column("item_id")])
        return Catalogue(item, len(names), None)
    try:
        former = pq.read_table(train, columns=["item_id", task, "sample_weight"])
    except (OSError, pa.ArrowInvalid) as error:
        raise ShopguideError(
            str(train), f"cannot be read: {error}", "Build the training set again"
        ) from None
    (item, learnt), names = codes([table.column("item_id"), former.column("item_id")])
    liked = (floats(former, task) > 0) * floats(former, "sample_weight")
    count = sums(learnt, liked, len(names)) + 1.0
    return Catalogue(item, len(names), count / count.sum())
