"""A split of the training set on disk: read by column or by batch, refused where it is unusable."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.spec.tasks import CategoryTask, Task
from shopguide.training.hashing import hash_share

SplitName = Literal["train", "valid", "test"]
KEYS = ("request_id", "user_id", "item_id", "shown_at")
WEIGHT = "sample_weight"

_BATCH_ROWS = 32_768
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SplitFile:
    """One split: what is read of it at a time is one column, or one batch of rows.

    Args:
        path: Parquet file.
        rows: rows to use.
        kept: which of the file's rows these are; None: all.
    """

    path: Path
    rows: int
    kept: NDArray[np.bool_] | None

    def columns(self, *names: str, most: int | None = None) -> pa.Table:
        """Return whole columns.

        Args:
            names: of the columns.
            most: rows above which every n-th row stands for n; None: all rows.
        """
        step = 1 if most is None else -(-self.rows // most)
        parts, seen = [], 0
        for table in self.batches(names):
            first = -seen % step
            seen += table.num_rows
            if step > 1:
                table = table.take(pa.array(np.arange(first, table.num_rows, step)))
            parts.append(table)
        return pa.concat_tables(parts)

    def batches(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns in batches of rows, in the order of the file."""
        start = 0
        with (
            _readable(self.path),
            pq.ParquetFile(self.path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file,
        ):
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(names))):
                table = pa.Table.from_batches([batch])
                if self.kept is not None:
                    mask = self.kept[start : start + table.num_rows]
                    start += table.num_rows
                    table = table.filter(pa.array(mask))
                yield table


def open_split(
    training_set: TrainingSet,
    split: SplitName,
    *,
    inputs: Sequence[str],
    tasks: Mapping[str, Task],
    fraction: float = 1.0,
    negatives: Mapping[str, float] | None = None,
) -> SplitFile:
    """Check a split and the columns that training needs.

    Args:
        training_set: opened.
        split: which of its files.
        inputs: columns that the model reads.
        tasks: tasks, whose labels are columns of the same name.
        fraction: share of requests to keep, by a hash of the request.
        negatives: share of the rows without a task's event to keep, by a hash of the impression.

    Raises:
        ShopguideError: the file or a column of it is missing.
        InvalidDataError: there are no rows, or labels or weights that cannot be used; all at once.
    """
    path = training_set.file(split)
    with _readable(path):
        return _checked(path, split, inputs, tasks, fraction, negatives or {})


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the file that pyarrow cannot read, or whose columns are of other types."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        what = f"cannot be read as a split: {str(error).splitlines()[0][:200]}"
        raise ShopguideError(
            str(path), what, "Write the training set again with `shopguide features`"
        ) from None


def _checked(
    path: Path,
    split: SplitName,
    inputs: Sequence[str],
    tasks: Mapping[str, Task],
    fraction: float,
    negatives: Mapping[str, float],
) -> SplitFile:
    absent = sorted({*KEYS, WEIGHT, *tasks, *inputs} - set(pq.read_schema(path).names))
    if absent:
        raise ShopguideError(
            str(path),
            f"lacks the columns {', '.join(absent)} that the spec's tasks and features name",
            "Write the training set again with this spec",
        )
    every = SplitFile(path, pq.read_metadata(path).num_rows, None)
    chosen = _thinned(_choose(every, fraction), negatives)
    if chosen.rows < 2:
        raise InvalidDataError(
            str(path),
            f"{chosen.rows} rows to use, needs at least 2",
            f"Widen split.{split} or raise the sampling rates",
        )
    _refuse_labels(chosen, tasks)
    return chosen


def _refuse_labels(split: SplitFile, tasks: Mapping[str, Task]) -> None:
    problems = [problem for name, task in tasks.items() for problem in _label(split, name, task)]
    problems += _stages(split, tasks) + _weights(split)
    if problems:
        raise InvalidDataError.combined([InvalidDataError(str(split.path), *p) for p in problems])


def _choose(split: SplitFile, fraction: float) -> SplitFile:
    if fraction >= 1 or split.rows == 0:
        return split
    shares = [
        hash_share(batch.column("request_id"), salt="row_fraction")
        for batch in split.batches(["request_id"])
    ]
    kept = np.concatenate(shares) < fraction
    return SplitFile(split.path, int(kept.sum()), kept)


def _thinned(split: SplitFile, negatives: Mapping[str, float]) -> SplitFile:
    for name, rate in negatives.items():
        split = _thin(split, name, rate)
    return split


def _thin(split: SplitFile, task: str, rate: float) -> SplitFile:
    """Keep the rows with a task's event, and a share of the others."""
    parts = []
    for batch in split.batches(["request_id", "item_id", task]):
        ids = [batch.column(name).cast(pa.string()) for name in ("request_id", "item_id")]
        share = hash_share(pc.binary_join_element_wise(*ids, "|"), salt="negatives")
        happened = pc.greater(batch.column(task).cast(pa.float64()), 0)
        parts.append(
            pc.fill_null(happened, True).to_numpy() | (share < rate)
        )  # null: refused later
    drawn = np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
    kept = drawn
    if split.kept is not None:
        kept = split.kept.copy()
        kept[split.kept] = drawn
    return SplitFile(split.path, int(kept.sum()), kept)


def _stages(split: SplitFile, tasks: Mapping[str, Task]) -> list[tuple[str, str]]:
    """Find labels that are positive where the stage before them is not."""
    problems = []
    counts = _floats(split, WEIGHT) != 0
    for name, task in tasks.items():
        if task.after is None:
            continue
        early = (_floats(split, name) > 0) & (_floats(split, task.after) == 0) & counts
        if early.any():
            row = int(np.argmax(early))
            what = (
                f"label {name} is positive and {task.after}, which it comes after, is 0 in "
                f"{int(early.sum()):,} rows, the first of them {row}"
            )
            fix = f"Export the missing {task.after} events, or take `after` from tasks.{name}"
            problems.append((what, fix))
    return problems


def _label(split: SplitFile, name: str, task: Task) -> list[tuple[str, str]]:
    rebuild = "Mend the label and write the training set again"
    labels = _floats(split, name)
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


def _weights(split: SplitFile) -> list[tuple[str, str]]:
    weight = _floats(split, WEIGHT)
    usable = np.isfinite(weight) & (weight >= 0)
    if not usable.all():
        row = int(np.argmin(usable))
        return [(f"{WEIGHT} is {weight[row]:g} in row {row}, must be finite, ≥ 0", "Mend the log")]
    if weight.sum() == 0:
        return [(f"{WEIGHT} is 0 in every row", "Mend the log")]
    return []


def _floats(split: SplitFile, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = pc.cast(split.columns(name).column(name), pa.float64()).to_numpy()
    return values
