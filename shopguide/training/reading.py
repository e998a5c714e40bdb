"""Read a split of the training set, and refuse what cannot be trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.spec.tasks import CategoryTask, Task
from shopguide.training.hashing import hash_share

SplitName = Literal["train", "valid", "test"]
KEYS = ("request_id", "user_id", "item_id", "shown_at")
WEIGHT = "sample_weight"


def read_split(
    folder: Path,
    split: SplitName,
    *,
    inputs: Sequence[str],
    tasks: Mapping[str, Task],
    fraction: float = 1.0,
) -> pa.Table:
    """Read the columns that training needs.

    Args:
        folder: training set.
        split: which of its files.
        inputs: columns that the model reads.
        tasks: tasks, whose labels are columns of the same name.
        fraction: share of requests to keep, by a hash of the request.

    Raises:
        ShopguideError: the file or a column of it is missing.
        InvalidDataError: there are no rows, or labels or weights that cannot be used; all at once.
    """
    path = folder / f"{split}.parquet"
    if not path.is_file():
        raise ShopguideError(
            str(path), "there is no such file", "Write the training set with `shopguide features`"
        )
    wanted = list(dict.fromkeys((*KEYS, WEIGHT, *tasks, *inputs)))
    absent = sorted(set(wanted) - set(pq.read_schema(path).names))
    if absent:
        raise ShopguideError(
            str(path),
            f"lacks the columns {', '.join(absent)} that the spec's tasks and features name",
            "Write the training set again with this spec",
        )
    table = pq.read_table(path, columns=wanted)
    if fraction < 1 and table.num_rows:
        kept = hash_share(table.column("request_id"), salt="row_fraction") < fraction
        table = table.filter(pa.array(kept))
    if table.num_rows < 2:
        raise InvalidDataError(
            str(path),
            f"{table.num_rows} rows to use, needs at least 2",
            f"Widen split.{split} or raise the sampling rates",
        )
    problems = [problem for name, task in tasks.items() for problem in _label(table, name, task)]
    problems += _weights(table)
    if problems:
        raise InvalidDataError.combined([InvalidDataError(str(path), *p) for p in problems])
    return table


def _label(table: pa.Table, name: str, task: Task) -> list[tuple[str, str]]:
    rebuild = "Mend the label and write the training set again"
    labels = _floats(table, name)
    absent = int(np.isnan(labels).sum())
    if absent:
        return [(f"label {name} is null or NaN in {absent:,} rows", rebuild)]
    if task.kind == "binary":
        odd = ~np.isin(labels, (0.0, 1.0))
        if odd.any():
            row = int(np.argmax(odd))
            return [(f"label {name} is {labels[row]:g} in row {row}, must be 0 or 1", rebuild)]
    elif isinstance(task, CategoryTask):
        return _codes(labels, name, task)
    elif not (np.isfinite(labels) & (labels >= 0)).all():
        row = int(np.argmin(np.isfinite(labels) & (labels >= 0)))
        return [(f"label {name} is {labels[row]:g} in row {row}, must be finite, ≥ 0", rebuild)]
    positive = int((labels > 0).sum())
    wanted = " and ".join(map(repr, task.events))
    advice = f"Check that the log has {wanted} events, widen the period, or drop the task"
    if positive == 0:
        return [(f"label {name} has no positive row among {len(labels):,}", advice)]
    if positive == len(labels) and task.kind == "binary":
        return [(f"label {name} is positive in all {positive:,} rows", advice)]
    return []


def _codes(labels: NDArray[np.float64], name: str, task: CategoryTask) -> list[tuple[str, str]]:
    most = len(task.labels) - 1
    odd = ~np.isin(labels, np.arange(most + 1))
    if odd.any():
        row = int(np.argmax(odd))
        wanted = f"must be a code from 0 to {most}: {', '.join(task.labels)}"
        fix = "Write the training set again with this spec"
        return [(f"label {name} is {labels[row]:g} in row {row}, {wanted}", fix)]
    if (labels == labels[0]).all():
        only = task.labels[int(labels[0])]
        fix = "Widen the period, or drop the task"
        return [(f"label {name} has one class alone, {only}, in {len(labels):,} rows", fix)]
    return []


def _weights(table: pa.Table) -> list[tuple[str, str]]:
    weight = _floats(table, WEIGHT)
    usable = np.isfinite(weight) & (weight >= 0)
    if not usable.all():
        row = int(np.argmin(usable))
        return [(f"{WEIGHT} is {weight[row]:g} in row {row}, must be finite, ≥ 0", "Mend the log")]
    if weight.sum() == 0:
        return [(f"{WEIGHT} is 0 in every row", "Mend the log")]
    return []


def _floats(table: pa.Table, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    column = pc.cast(table.column(name), pa.float64())
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = column.to_numpy()
    return values
