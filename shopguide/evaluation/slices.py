"""The same metrics within slices of the rows, such as a region or a category."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.evaluation.evaluate import evaluate_rows
from shopguide.evaluation.rankings import Ranking
from shopguide.evaluation.task_metrics import TaskMetrics
from shopguide.objective.replay import Requests
from shopguide.spec.tasks import Task

Floats = NDArray[np.float64]

MOST_VALUES = 20
"""Values of a column that are shown, those with the most rows first."""


@dataclass(frozen=True, slots=True)
class SliceMetrics:
    """One value of a column.

    Args:
        column: of the test set.
        value: as text; None is where the column has none.
        rows: impressions with the value.
        tasks: metrics by task.
        rankings: of the lists, cut down to these rows.
    """

    column: str
    value: str | None
    rows: int
    tasks: Mapping[str, TaskMetrics]
    rankings: Sequence[Ranking] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        return {
            "column": self.column,
            "value": self.value,
            "rows": self.rows,
            "tasks": {name: found.to_dict() for name, found in self.tasks.items()},
            "rankings": [found.to_dict() for found in self.rankings],
        }

    def ndcg(self, task: str) -> float:
        """Return the NDCG of a task's outcomes in the first ranking judged on them; else NaN."""
        values = (r.tasks[task].ndcg for r in self.rankings if task in r.tasks)
        return next(values, float("nan"))


def evaluate_slices(
    requests: Requests,
    predictions: Mapping[str, Floats],
    tasks: Mapping[str, Task],
    table: pa.Table,
    columns: Sequence[str],
    rank: Callable[[NDArray[np.int64]], Sequence[Ranking]] | None = None,
) -> list[SliceMetrics]:
    """Return the metrics of every value of some columns, the values with the most rows first.

    Args:
        requests: of the same rows.
        predictions: expected outcome by task [N], checked.
        tasks: of the spec.
        table: holds the columns [N].
        columns: whose values are the slices; at most 20 values each are kept.
        rank: measures the lists cut down to some rows; None: only predictions are.

    Raises:
        ShopguideError: there is no such column.
    """
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        raise ShopguideError(
            "slices",
            f"no column {', '.join(absent)} among {', '.join(table.column_names)}",
            "Name columns of the training set",
        )
    return [
        SliceMetrics(
            column,
            value,
            len(rows),
            evaluate_rows(requests, predictions, tasks, rows),
            rank(rows) if rank else (),
        )
        for column in columns
        for value, rows in _values(table.column(column))
    ]


def _values(column: pa.ChunkedArray) -> list[tuple[str | None, NDArray[np.int64]]]:
    """Return the values with the most rows, and their rows."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    names = encoded.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(names))
    largest = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return [
        (None if names[code] is None else str(names[code]), np.flatnonzero(codes == code))
        for code in largest
    ]
