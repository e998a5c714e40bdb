"""Read logged decisions from a training set or from a canonical log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.reading import codes, floats, read_split
from shopguide.objective.reading import MOST
from shopguide.spec import Spec

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was shown, with which probability, and what came of it; N rows.

    Args:
        where: file or folder that was read, for messages.
        table: as it was read.
        request: index of each row's list [N], 0 … R − 1.
        user: index of each row's user [N].
        item: name of each row's item [N].
        position: from 1 [N]; None where none was logged.
        propensity: [N], NaN where it is missing; None where none was logged.
        weight: [N].
        outcomes: by task [N].
    """

    where: str
    table: pa.Table
    request: Indices
    user: Indices
    item: pa.ChunkedArray
    position: Indices | None
    propensity: Floats | None
    weight: Floats
    outcomes: Mapping[str, Floats]

    @property
    def lists(self) -> bool:
        """Whether some request has several rows, so that a decision is a place of a list."""
        return bool(np.bincount(self.request).max() > 1)


def is_log(path: str | Path) -> bool:
    """Whether a path is a canonical log's directory."""
    return (Path(path) / "log.json").is_file()


def read_decisions(
    path: str | Path, spec: Spec, *, split: str = "test", columns: Iterable[str] = ()
) -> Decisions:
    """Read decisions.

    Args:
        path: a training set, a Parquet file of its kind, or a canonical log.
        spec: reads the tasks and, for a log, the attribution.
        split: of a training set.
        columns: further columns of a training set.

    Raises:
        ShopguideError: it is none of these, or lacks a column.
        InvalidDataError: there is no impression, an outcome is negative or not finite, or a
            position is below 1.
    """
    if is_log(path):
        table, where = _labelled(Path(path), spec), str(Path(path) / "impressions.parquet")
    else:
        table, file = read_split(path, split, spec, columns)
        where = str(file)
    (request,), _ = codes([table.column("request_id")])
    (user,), _ = codes([table.column("user_id")])
    return Decisions(
        where=where,
        table=table,
        request=request,
        user=user,
        item=table.column("item_id"),
        position=_positions(table, where),
        propensity=_logged(table, "propensity"),
        weight=floats(table, "sample_weight"),
        outcomes={task: _outcome(table, task, where) for task in spec.quantities()},
    )


def _labelled(log: Path, spec: Spec) -> pa.Table:
    """Return a log's impressions with their outcomes; those whose window is not over are left out.

    The log ends with its last impression or event.
    """
    from shopguide.logs import label_impressions
    from shopguide.logs._duckdb import connect  # both load DuckDB, which a training set needs not

    window = round(spec.attribution.window_hours * 3_600_000_000)
    with connect() as connection:
        label_impressions(connection, log, spec)
        table = connection.execute(
            f"""
            SELECT * FROM labelled
            WHERE shown_at <= (
                SELECT greatest((SELECT max(shown_at) FROM log_impressions),
                                (SELECT max("at") FROM log_events))
            ) - to_microseconds({window})
            ORDER BY request_id, item_id
            """  # noqa: S608 - a whole number of microseconds
        ).to_arrow_table()
    if not table.num_rows:
        raise InvalidDataError(
            str(log),
            "no impression is older than the attribution window at the end of the log",
            "Shorten attribution.window_hours, or give a longer log",
        )
    return table


def _outcome(table: pa.Table, task: str, where: str) -> Floats:
    values = floats(table, task)
    bad = ~((values >= 0) & (values <= MOST))  # true for NaN too
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidDataError(
            f"{where}, column {task}, row {row + 1}",
            f"is {values[row]:g}, must be finite, not negative and at most {MOST:g} "
            f"({int(bad.sum()):,} rows in all)",
            "Mend the log and build the training set again",
        )
    return values


def _logged(table: pa.Table, name: str) -> Floats | None:
    if name not in table.column_names or table.column(name).null_count == table.num_rows:
        return None
    return floats(table, name)


def _positions(table: pa.Table, where: str) -> Indices | None:
    values = _logged(table, "position")
    if values is None:
        return None
    bad = ~(np.isfinite(values) & (values >= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidDataError(
            f"{where}, column position, row {row + 1}",
            f"is {values[row]:g}, must be a whole number from 1",
            "Log the place of every impression",
        )
    return values.astype(np.int64)


def require_position(decisions: Decisions, what: str) -> Indices:
    """Return the positions.

    Raises:
        ShopguideError: none were logged.
    """
    if decisions.position is None:
        raise ShopguideError(
            f"{decisions.where}, column position",
            f"there is none, and {what} needs the place of every impression",
            "Log the position beside the propensity",
        )
    return decisions.position
