"""Canonical log → offline feature files: one Parquet of snapshots a view."""

import json
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import ibis
import ibis.expr.types as ir

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import ITEM_VIEW, TIMESTAMP, USER_VIEW, ModelInput
from shopguide.features.sequences import sequence_columns
from shopguide.features.snapshots import view_snapshots
from shopguide.features.spark import spark_backend, write_by_spark
from shopguide.features.store import offline_file, view_inputs, view_keys
from shopguide.files import atomic_file
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.logs.schema import FORMAT
from shopguide.logs.zones import zone
from shopguide.spec import Spec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogPeriod:
    """The time that a canonical log covers, and its notes."""

    start: datetime
    end: datetime

    @classmethod
    def read(cls, log: str | Path) -> Self:
        """Read it from log.json.

        Raises:
            ShopguideError: there is no such log, or it has another format.
        """
        path = Path(log) / "log.json"
        if not path.is_file():
            raise ShopguideError(str(path), "no such file", "Run `shopguide prepare` first")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ShopguideError(
                str(path), f"format {content['format']}, expected {FORMAT}", "Prepare the log again"
            )
        return cls(
            datetime.fromisoformat(content["start"]).astimezone(UTC),
            datetime.fromisoformat(content["end"]).astimezone(UTC),
        )


def build_offline(spec: Spec, log: str | Path, home: str | Path) -> dict[str, int]:
    """Compute every view's snapshots and write them where Feast's sources point.

    Args:
        spec: checked spec; reads `features`.
        log: canonical log.
        home: the spec's home.

    Returns:
        Rows by view.

    Raises:
        ShopguideError: the log lacks a table or a column that the catalogue names, or there is no
            such time zone.
    """
    zone(spec.features.timezone, "spec features.timezone")
    period = LogPeriod.read(log)
    with spark_backend() if spec.features.engine == "spark" else _duckdb_backend() as connection:
        return _build_views(connection, spec, log, home, period)


@contextmanager
def _duckdb_backend() -> Iterator[Any]:
    """Open DuckDB with bounded memory; above it, it writes to a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="shopguide-duckdb-") as spill:
        connection = ibis.duckdb.connect()
        connection.raw_sql(
            "SET TimeZone = 'UTC'; SET memory_limit = '3GB'; SET enable_progress_bar = false; "
            f"SET temp_directory = {quote(spill)}; SET preserve_insertion_order = false"
        )
        try:
            yield connection
        finally:
            connection.disconnect()


def _build_views(
    connection: Any,  # noqa: ANN401 - ibis has no stubs
    spec: Spec,
    log: str | Path,
    home: str | Path,
    period: LogPeriod,
) -> dict[str, int]:
    tables = _tables(connection, Path(log))
    _check_columns(spec, tables, log)
    rows: dict[str, int] = {}
    for name, columns in view_inputs(spec).items():
        started = time.monotonic()
        if name in (USER_VIEW, ITEM_VIEW):
            snapshots = _static(name, columns, tables, period.start)
        else:
            view = spec.features.views[name]
            snapshots = view_snapshots(
                name, view, spec.features, tables, start=period.start, end=period.end
            )
        with atomic_file(offline_file(spec, home, name)) as path:
            if spec.features.engine == "spark":
                write_by_spark(connection, snapshots, path)
            else:
                snapshots.to_parquet(path, compression="zstd")
            rows[name] = _assert_unique(path, view_keys(spec)[name])
        _log.info("view %s: %s rows, %.1f s", name, f"{rows[name]:,}", time.monotonic() - started)
    return rows


def _tables(connection: Any, log: Path) -> dict[str, ir.Table]:  # noqa: ANN401 - ibis has no stubs
    return {
        path.stem: connection.read_parquet(path, table_name=path.stem)
        for path in sorted(log.glob("*.parquet"))
    }


def _static(
    name: str, columns: list[ModelInput], tables: Mapping[str, ir.Table], start: datetime
) -> ir.Table:
    """Attributes that never change, as if known since the log began."""
    table, key = (tables["users"], "user_id") if name == USER_VIEW else (tables["items"], "item_id")
    if "kept" in table.columns:
        table = table.filter(table.kept)
    _refuse_text(name, columns, table)
    types = {"categorical": "string", "numeric": "float64", "recency": "timestamp('UTC', 6)"}
    values = {column.name: table[column.name].cast(types[column.kind]) for column in columns}
    since = ibis.literal(start, type="timestamp('UTC', 6)")
    return table.select(key, **{TIMESTAMP: since}, **values)


def _refuse_text(view: str, columns: list[ModelInput], table: ir.Table) -> None:
    """Refuse an attribute that is declared numeric and holds text."""
    for column in columns:
        values = table[column.name]
        if column.kind != "numeric" or not values.type().is_string():
            continue
        odd = table.filter(values.notnull() & values.try_cast("float64").isnull()).limit(1)
        found = odd[column.name].execute().tolist()
        if found:
            section = "user_attributes" if view == USER_VIEW else "item_attributes"
            raise ShopguideError(
                f"spec features.{section}.{column.name}",
                f"is numeric, and the log holds the text {found[0]!r}",
                "Declare it categorical",
            )


def _check_columns(spec: Spec, tables: Mapping[str, ir.Table], log: str | Path) -> None:
    problems = [
        ShopguideError(
            f"spec features.context.{name}",
            f"table impressions of the log has no column {name!r}; it has "
            f"{', '.join(tables['impressions'].columns)}",
            "Name one of these",
        )
        for name in spec.features.context
        if name not in tables["impressions"].columns
    ]
    for name, columns in view_inputs(spec).items():
        if name in (USER_VIEW, ITEM_VIEW):
            table = "users" if name == USER_VIEW else "items"
            needed = {column.name for column in columns}
        else:
            view = spec.features.views[name]
            table = view.table
            of_items = tables["items"].columns
            needed = {
                column
                for measure in view.measures.values()
                for column in (measure.count_distinct, measure.sum)
                if column not in (None, "period")
            } | {key for key in view.keys if key in ("user_id", "item_id", "place_id")}
            needed |= {column for column in sequence_columns(view) if column not in of_items}
        if table not in tables:
            problems.append(
                ShopguideError(
                    f"spec features.views.{name}.table",
                    f"the log {log} has no table {table!r}",
                    "Remove the view, or give the source that table",
                )
            )
            continue
        problems += [
            ShopguideError(
                f"spec features, view {name}",
                f"table {table} of the log has no column {column!r}; it has "
                f"{', '.join(tables[table].columns)}",
                "Name one of these, or map it in `data`",
            )
            for column in sorted(map(str, needed))
            if column not in tables[table].columns
        ]
    if problems:
        raise ShopguideError.combined(problems)


def _assert_unique(path: Path, keys: list[str]) -> int:
    columns = ", ".join(identifier(name) for name in [*keys, TIMESTAMP])
    # hashes first: to compare texts takes as long as to compute the view
    found = f"FROM read_parquet({quote(str(path))})"
    with connect() as connection:
        rows = count(connection, f"SELECT count(*) {found}")
        distinct = count(connection, f"SELECT count(DISTINCT hash({columns})) {found}")
        if rows != distinct:
            distinct = count(connection, f"SELECT count(DISTINCT ({columns})) {found}")
    assert rows == distinct, f"{path.stem}: {rows} rows, {distinct} keys"
    return rows
