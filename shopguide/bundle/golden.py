"""`golden.parquet`: real rows, and what the bundle predicted for them when it was written."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shopguide.bundle.manifest import TaskEntry
from shopguide.errors import ShopguideError

PREDICTION = "prediction_{}"
"""Column of the golden rows with a task's expected prediction."""

GOLDEN_ROWS = 200
"""Most golden rows that a bundle has."""

_FIX = "Train the bundle again with this version of shopguide"


def read_golden(path: Path, tasks: Sequence[TaskEntry]) -> pa.Table:
    """Read the golden rows of a bundle.

    Args:
        path: of the Parquet file.
        tasks: each must have its column `prediction_TASK`.

    Raises:
        ShopguideError: it is not a readable Parquet file, has too many rows, or lacks predictions.
    """
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            if rows > GOLDEN_ROWS:
                raise ShopguideError(
                    str(path), f"has {rows:,} rows, expected at most {GOLDEN_ROWS}", _FIX
                )
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        gist = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(". ")
        raise ShopguideError(str(path), f"not a readable Parquet file: {gist}", _FIX) from None
    for task in tasks:
        _require_numbers(table, PREDICTION.format(task.name), path)
    return table


def _require_numbers(table: pa.Table, name: str, path: Path) -> None:
    if table.column_names.count(name) != 1:
        raise ShopguideError(str(path), f"lacks the column {name}", _FIX)
    kind = table.schema.field(name).type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise ShopguideError(
            f"{path}, column {name}", f"is of type {kind}, expected the predicted numbers", _FIX
        )
