"""Write the tables of a DuckDB connection as a canonical log."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from shopguide.errors import InvalidDataError
from shopguide.files import atomic_directory, sha256, write_json
from shopguide.logs import quarantine
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.logs.schema import FORMAT, TABLES

_log = logging.getLogger(__name__)

_ORDER = {
    "impressions": "request_id, item_id",
    "events": '"at", user_id, item_id, kind, event_id',
    "users": "user_id",
    "items": "item_id",
    "promotions": '"at", place_id, item_id',
    "exposures": '"at", place_id, item_id',
}


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What a canonical log holds.

    Args:
        source: kind of source.
        rows: rows by table.
        dropped: rows left out, by reason.
        notes: how impressions are known, and what a reader must bear in mind.
        start: time of the first event, ISO 8601.
        end: time after which nothing is known, ISO 8601.
        examples: a few of the rows that could not be used.
    """

    source: str
    rows: Mapping[str, int]
    dropped: Mapping[str, int]
    notes: Sequence[str]
    start: str
    end: str
    examples: Sequence[str] = field(default_factory=tuple)


def write_log(
    connection: duckdb.DuckDBPyConnection,
    out: str | Path,
    *,
    source: str,
    dropped: Mapping[str, int],
    notes: Sequence[str],
    examples: Sequence[str] = (),
    end: str | None = None,
) -> LogSummary:
    """Write every canonical table that the connection has, and log.json last.

    Args:
        connection: holds tables named as in `schema.TABLES`.
        out: directory to write, whole or not at all.
        source: kind of source.
        dropped: rows left out, by reason.
        notes: what a reader must bear in mind.
        examples: a few of the rows that could not be used.
        end: ISO time after which nothing is known; None: that of the last event.

    Raises:
        InvalidDataError: no impression or no event is left.
    """
    started = time.monotonic()
    _refuse_empty(connection, source, dropped)
    present = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    rows: dict[str, int] = {}
    with atomic_directory(out, marker="log.json") as folder:
        for table in (name for name in TABLES if name in present):
            rows[table] = count(connection, f"SELECT count(*) FROM {identifier(table)}")
            target = quote(str(folder / f"{table}.parquet"))
            connection.execute(
                f"COPY (FROM {identifier(table)} ORDER BY {_ORDER[table]}) TO {target} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        if "quarantine" in present and count(connection, "SELECT count(*) FROM quarantine"):
            quarantine.copy_sample(connection, str(folder / "quarantine.csv"))
        first, last = connection.execute('SELECT min("at"), max("at") FROM events').fetchall()[0]
        summary = LogSummary(
            source=source,
            rows=rows,
            dropped={reason: number for reason, number in dropped.items() if number},
            notes=tuple(notes),
            start=first.isoformat() if first else "",
            end=end or (last.isoformat() if last else ""),
            examples=tuple(examples),
        )
        checksums = {path.name: sha256(path) for path in sorted(folder.glob("*.parquet"))}
        write_json(
            folder / "log.json", {"format": FORMAT, **asdict(summary), "checksums": checksums}
        )
    shown = ", ".join(f"{number:,} {table}" for table, number in rows.items())
    for reason, number in summary.dropped.items():
        _log.info("left out: %s rows, %s", f"{number:,}", reason)
    _log.info("canonical log: %s, written in %.1f s", shown, time.monotonic() - started)
    return summary


def _refuse_empty(
    connection: duckdb.DuckDBPyConnection, source: str, dropped: Mapping[str, int]
) -> None:
    """Refuse a log from which nothing can be learnt, and say where its rows went."""
    went = "; ".join(f"{number:,} {reason}" for reason, number in dropped.items() if number)
    problems = [
        InvalidDataError(
            f"data ({source})",
            f"no {what} is left" + (f" (left out: {went})" if went else ""),
            fix,
        )
        for table, what, fix in (
            ("events", "event", "Check that the export has purchases with a product and a value"),
            ("impressions", "impression", "Export what was shown in the periods of the split"),
        )
        if not count(connection, f"SELECT count(*) FROM {table}")
    ]
    if problems:
        raise InvalidDataError.combined(problems)
