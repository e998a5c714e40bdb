"""Inputs of the rows of a request, as numpy and Python hold them.

Arrow is made for long tables: with 200 rows it takes longer to wrap a column than to read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).min
"""Microseconds that stand for no time, as numpy's NaT does."""

Datum = str | float | int | list[str] | None
"""A number, a time in microseconds since the epoch, a text, a list of texts; None: missing."""


@dataclass(frozen=True, slots=True)
class Same:
    """One value for all rows."""

    value: Datum


Values = Same | NDArray[np.float64] | NDArray[np.int64] | list[str] | list[Datum]
"""A column: one value for all rows; or numbers [N], NaN where missing; times [N], NEVER where
missing; or texts or lists of texts [N], None where missing."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Every input of a model for the rows of a request.

    Args:
        values: by input.
        rows: N.
        shown_at: time of the request, microseconds since the epoch.
    """

    values: Mapping[str, Values]
    rows: int
    shown_at: int


def as_arrow(values: Values, rows: int, kind: pa.DataType) -> pa.Array:
    """Return a column [N] of Arrow's, null where missing."""
    if isinstance(values, Same):
        return pa.repeat(pa.scalar(values.value, type=kind, from_pandas=True), rows)
    if isinstance(values, list):
        return pa.array(values, type=kind)
    if values.dtype == np.int64:
        return pa.array(values.view("datetime64[us]"), type=kind)
    return pa.array(values, type=kind, from_pandas=True)


def as_cells(values: Values, rows: int) -> list[Datum]:
    """Return texts, or lists of texts, row by row [N]."""
    if isinstance(values, Same):
        return [values.value] * rows
    return list(values) if isinstance(values, list) else values.tolist()


def replaced(values: Values, rows: int, kind: str, changes: Mapping[int, Datum]) -> Values:
    """Return a column with other values in some rows.

    Args:
        values: the column.
        rows: N.
        kind: of the input: numeric, recency, or one of texts.
        changes: by row.
    """
    if kind not in ("numeric", "recency"):
        cells = as_cells(values, rows)
        for row, value in changes.items():
            cells[row] = value
        return cells
    found = np.full(rows, np.nan) if kind == "numeric" else np.full(rows, NEVER)
    if not isinstance(values, Same):
        found[:] = values
    elif values.value is not None:
        found[:] = values.value
    for row, value in changes.items():
        found[row] = (np.nan if kind == "numeric" else NEVER) if value is None else value
    return cast("NDArray[np.float64] | NDArray[np.int64]", found)
