"""The training set: labelled impressions with their features, split by time."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopguide.errors import InvalidDataError
from shopguide.features.catalogue import ModelInput, model_inputs
from shopguide.features.versions import feature_service
from shopguide.files import atomic_directory, sha256, write_json
from shopguide.logs._duckdb import count, identifier
from shopguide.logs.splits import SPLITS, horizon_expression, instants, split_expression
from shopguide.spec import Spec

FORMAT = 2
"""Version of the training set's layout."""

SUMMARY = "training_set.json"
"""File of a training set that is written last: its presence means complete."""

_KEYS = ("row_id", "request_id", "user_id", "item_id", "shown_at", "sample_weight")
_OPTIONAL = ("position", "propensity")

_ROW_GROUP = 131_072

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSetSummary:
    """What a training set holds.

    Args:
        rows: impressions by split.
        users: distinct users by split.
        label_means: mean of each task's label by split.
        dropped: impressions left out, by reason.
        log_end: time at which the log ends, ISO 8601: the latest that a feature can know.
    """

    rows: Mapping[str, int]
    users: Mapping[str, int]
    label_means: Mapping[str, Mapping[str, float]]
    dropped: Mapping[str, int]
    log_end: str


def assign_splits(
    connection: duckdb.DuckDBPyConnection, spec: Spec, *, log_end: datetime
) -> dict[str, int]:
    """Turn the table `labelled` into `impressions`, with `row_id` and `split`; it is gone then.

    Left out, and counted: impressions outside the three periods, and those whose attribution window
    is not over when the next period begins or the log ends (with labels by request, the window is
    the request's).

    Args:
        connection: holds `labelled`.
        spec: reads `split` and `attribution`.
        log_end: time after which nothing is known.

    Raises:
        InvalidDataError: a period has no impression.
    """
    inside = f"SELECT *, {split_expression(spec.split, 'shown_at')} AS split FROM labelled"
    whole = "TRUE"
    if spec.attribution.match == "user_item":
        window = round(spec.attribution.window_hours * 3_600_000_000)
        whole = (
            f"shown_at + to_microseconds({window}) <= "
            f"least({horizon_expression(spec.split, 'split')}, TIMESTAMPTZ '{log_end.isoformat()}')"
        )
    outside, cut = (
        count(connection, f"SELECT count(*) FROM ({inside}) WHERE {condition}")
        for condition in ("split IS NULL", f"split IS NOT NULL AND NOT ({whole})")
    )
    connection.execute(
        "CREATE OR REPLACE TABLE impressions AS "
        "SELECT row_number() OVER (ORDER BY request_id, item_id) - 1 AS row_id, * "
        f"FROM ({inside}) WHERE split IS NOT NULL AND {whole}"
    )
    _refuse_empty(connection, spec)
    connection.execute("DROP TABLE labelled")
    return {"outside the periods": outside, "window not over": cut}


def columns_to_write(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[str]:
    """Return the columns of a training set as SQL expressions, `split` last.

    Args:
        connection: holds `impressions`.
        spec: reads `tasks` and `features`.
    """
    present = {row[0] for row in connection.execute("DESCRIBE impressions").fetchall()}
    columns = [*_KEYS, *(name for name in _OPTIONAL if name in present), *spec.tasks]
    return [
        *(identifier(name) for name in columns),
        *(_typed(column) for column in model_inputs(spec) if column.name not in columns),
        "split",
    ]


def write_training_set(
    connection: duckdb.DuckDBPyConnection,
    spec: Spec,
    out: str | Path,
    *,
    blocks: Iterable[pa.Table],
    dropped: Mapping[str, int],
    log_end: str,
) -> TrainingSetSummary:
    """Write train, valid and test, and training_set.json last.

    Args:
        connection: holds `impressions` with labels and `split`.
        spec: reads `tasks` and `features`.
        out: directory to write, whole or not at all.
        blocks: the impressions with every input of the model and `split`, in order of `row_id`.
        dropped: impressions left out, by reason.
        log_end: time at which the log ends, ISO 8601.

    Raises:
        AssertionError: the blocks have other rows than the impressions.
    """
    summary = _summarise(connection, spec, dropped, log_end)
    with atomic_directory(out, marker=SUMMARY) as folder:
        written = _write_splits(folder, blocks)
        assert written == summary.rows, f"wrote {written}, the impressions are {summary.rows}"
        seal(folder, spec, asdict(summary))
    shown = ", ".join(f"{number:,} {split}" for split, number in summary.rows.items())
    _log.info("training set: %s impressions", shown)
    return summary


def seal(folder: Path, spec: Spec, summary: Mapping[str, object]) -> None:
    """Write training_set.json, which says that the files beside it are whole.

    Args:
        folder: holds the Parquet files of the splits.
        spec: reads `name` and `features`.
        summary: what the training set holds; `log_end` at least.
    """
    content = {
        "format": FORMAT,
        "spec": spec.name,
        "feature_service": feature_service(spec),
        **summary,
        "inputs": [asdict(column) for column in model_inputs(spec)],
        "checksums": {path.name: sha256(path) for path in sorted(folder.glob("*.parquet"))},
    }
    write_json(folder / SUMMARY, content)


def _write_splits(folder: Path, blocks: Iterable[pa.Table]) -> dict[str, int]:
    rows = dict.fromkeys(SPLITS, 0)
    writers: dict[str, pq.ParquetWriter] = {}
    with ExitStack() as stack:
        for block in blocks:
            split = block.column("split")
            columns = block.drop_columns("split")
            for name in SPLITS:
                part = columns.filter(pc.equal(split, name))
                if name not in writers:
                    writers[name] = stack.enter_context(
                        pq.ParquetWriter(
                            folder / f"{name}.parquet", part.schema, compression="zstd"
                        )
                    )
                if part.num_rows:
                    writers[name].write_table(part, row_group_size=_ROW_GROUP)
                rows[name] += part.num_rows
    return rows


def _typed(column: ModelInput) -> str:
    types = {
        "categorical": "VARCHAR",
        "numeric": "DOUBLE",
        "recency": "TIMESTAMP WITH TIME ZONE",
        "sequence": "VARCHAR[]",
    }
    name = identifier(column.name)
    return f"{name}::{types[column.kind]} AS {name}"


def _summarise(
    connection: duckdb.DuckDBPyConnection, spec: Spec, dropped: Mapping[str, int], log_end: str
) -> TrainingSetSummary:
    means = ", ".join(f"avg({identifier(task)})" for task in spec.tasks)
    found = connection.execute(
        f"SELECT split, count(*), count(DISTINCT user_id), {means} FROM impressions GROUP BY split"
    ).fetchall()
    by_split = {row[0]: row[1:] for row in found}
    return TrainingSetSummary(
        rows={split: by_split[split][0] for split in SPLITS},
        users={split: by_split[split][1] for split in SPLITS},
        label_means={
            split: dict(zip(spec.tasks, map(float, by_split[split][2:]), strict=True))
            for split in SPLITS
        },
        dropped={reason: number for reason, number in dropped.items() if number},
        log_end=log_end,
    )


def _refuse_empty(connection: duckdb.DuckDBPyConnection, spec: Spec) -> None:
    present = {
        row[0] for row in connection.execute("SELECT DISTINCT split FROM impressions").fetchall()
    }
    span = connection.execute("SELECT min(shown_at), max(shown_at) FROM labelled").fetchall()[0]
    problems = [
        InvalidDataError(
            f"spec split.{name}",
            f"no complete impression between {start} and {end}; "
            f"the log has impressions from {span[0]} to {span[1]}",
            "Set periods that the log covers, or a shorter attribution.window_hours",
        )
        for name, (start, end) in instants(spec.split).items()
        if name not in present
    ]
    if problems:
        raise InvalidDataError.combined(problems)
