"""The canonical log in dated partitions: each day lands once, whole, and in its order.

    STORE/date=2024-01-15/{impressions,events,users,items,…}.parquet, day.json

A day of the store is what happened on that day (UTC): impressions by `shown_at`, events by `at`.
It never changes. What a delivery says otherwise about it is refused, and the store stays as it was.
"""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.files import atomic_directory, write_json
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.logs._writing import LogSummary, write_log
from shopguide.logs.schema import FORMAT, TABLES

_log = logging.getLogger(__name__)

DAY = "day.json"
"""File of a day that is written last: its presence means that the day is whole."""

_DATED = {"impressions": "shown_at", "events": "at", "promotions": "at", "exposures": "at"}
_NAMED = {"users": "user_id", "items": "item_id"}
_ONE = timedelta(days=1)
_SHOWN = 3  # days that a message names

Prints = Mapping[date, Mapping[str, str]]
"""By day and table: the number of rows and a sum of their hashes, free of their order."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What a delivery brought.

    Args:
        new: days that were not there.
        known: days that were there, and are the same.
    """

    new: tuple[date, ...]
    known: tuple[date, ...]


def days_of(store: str | Path) -> list[date]:
    """Return the days that are there, in their order."""
    found = (path.parent.name.partition("=")[2] for path in Path(store).glob(f"date=*/{DAY}"))
    return sorted(date.fromisoformat(name) for name in found)


def print_of(store: str | Path, day: date) -> dict[str, str]:
    """Return what tells a day's rows from others, by table."""
    content = json.loads((_folder(Path(store), day) / DAY).read_text(encoding="utf-8"))
    return {str(name): str(value) for name, value in content["prints"].items()}


def land(
    store: str | Path,
    log: str | Path,
    *,
    until: date | None = None,
    closed: Collection[date] = (),
) -> Landed:
    """Cut a canonical log into days, and keep those that are new.

    A log may hold days that are there already: they are compared. Landing it again changes
    nothing, and landing that was cut off goes on where it was.

    Args:
        store: folder of the days; it is made.
        log: canonical log, of an export or of feedback; its last day counts once it is over.
        until: the first day to leave out; None: every day that is over.
        closed: days on which nothing was shown, and nothing is missing.

    Raises:
        ShopguideError: there is no such log, a day is missing between the store's last and the
            log's, a day was delivered before with other rows, the log ends before the store does,
            or it holds rows from after its own end. Nothing has landed then.
    """
    store, log = Path(store), Path(log)
    content = _summary(log)
    end = datetime.fromisoformat(content["end"]).astimezone(UTC)
    with connect() as connection:
        tables = _open(connection, log)
        _refuse_future(connection, tables, end, log)
        prints = _prints(connection, tables)
        over = min(end.date(), until) if until is not None else end.date()
        offered = {day: prints.get(day, {}) for day in _span(prints, closed, over, log)}
        there = days_of(store)
        _refuse_return(offered, there, until, log)
        _refuse_gap(offered, there, log)
        _refuse_other(store, offered, there, log)
        new = [day for day in offered if day not in set(there)]
        for day in new:
            _write(connection, store, day, tables, offered[day], list(content["notes"]))
    known = tuple(day for day in offered if day not in set(new))
    _log.info("days: %d landed, %d were there", len(new), len(known))
    return Landed(tuple(new), known)


def assemble(store: str | Path, out: str | Path, *, first: date, last: date) -> LogSummary:
    """Write days of the store as one canonical log, which ends with the last of them.

    Users and items are those of the latest day that knows them.

    Args:
        store: folder of the days.
        out: directory to write, whole or not at all.
        first: day.
        last: day, included.

    Raises:
        ShopguideError: a day between the two is not there.
        InvalidDataError: an impression stands in two days, or nothing was shown.
    """
    store = Path(store)
    there = set(days_of(store))
    wanted = [first + number * _ONE for number in range((last - first).days + 1)]
    missing = [day for day in wanted if day not in there]
    if missing:
        raise ShopguideError(
            str(store), f"lacks {_named(missing)}", "Land what was delivered on these days first"
        )
    notes = json.loads((_folder(store, last) / DAY).read_text(encoding="utf-8"))["notes"]
    with connect() as connection:
        for table in TABLES:
            files = [_folder(store, day) / f"{table}.parquet" for day in wanted]
            present = [str(file) for file in files if file.is_file()]
            if present:
                _view(connection, table, present)
        _refuse_doubled(connection, store)
        return write_log(
            connection,
            out,
            source="days",
            dropped={},
            notes=notes,
            end=_midnight(last + _ONE).isoformat(),
        )


def _summary(log: Path) -> dict[str, Any]:
    path = log / "log.json"
    if not path.is_file():
        raise ShopguideError(str(path), "no such file", "Run `shopguide prepare` first")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        what = f"format {content['format']}, expected {FORMAT}"
        raise ShopguideError(str(path), what, "Prepare the log again")
    return content


def _open(connection: duckdb.DuckDBPyConnection, log: Path) -> list[str]:
    """Make a view of every table of the log; return their names."""
    found = [table for table in TABLES if (log / f"{table}.parquet").is_file()]
    for table in found:
        source = quote(str(log / f"{table}.parquet"))
        connection.execute(f"CREATE VIEW {identifier(table)} AS FROM read_parquet({source})")
    return found


def _prints(connection: duckdb.DuckDBPyConnection, tables: list[str]) -> Prints:
    found: dict[date, dict[str, str]] = {}
    for table in (name for name in tables if name in _DATED):
        rows = connection.execute(
            f"SELECT {identifier(_DATED[table])}::DATE AS day, count(*), "
            "sum(md5_number_lower(to_json(t)::VARCHAR)::HUGEINT)::VARCHAR "
            f"FROM {identifier(table)} AS t GROUP BY day ORDER BY day"
        ).fetchall()
        for day, number, hashes in rows:
            found.setdefault(day, {})[table] = f"{number}:{hashes}"
    return found


def _span(prints: Prints, closed: Collection[date], over: date, log: Path) -> list[date]:
    """Return every day of a log that is over; a day between them without impressions is missing."""
    shown = sorted(day for day, tables in prints.items() if "impressions" in tables and day < over)
    if not shown:
        raise ShopguideError(
            f"{log}/impressions.parquet",
            f"holds no impression of a day that is over on {over}",
            "Deliver a day once it is over (UTC)",
        )
    last = max([shown[-1], *(day for day in closed if day < over)])
    days = [shown[0] + number * _ONE for number in range((last - shown[0]).days + 1)]
    missing = [day for day in days if day not in set(shown) | set(closed)]
    if missing:
        raise ShopguideError(
            f"{log}/impressions.parquet",
            f"holds nothing of {_named(missing)}, and days before and after",
            "Deliver them, or say that nothing was shown then (--closed DATE)",
        )
    return days


def _refuse_future(
    connection: duckdb.DuckDBPyConnection, tables: list[str], end: datetime, log: Path
) -> None:
    for table in (name for name in tables if name in ("impressions", "events")):
        column = identifier(_DATED[table])
        limit = f"TIMESTAMPTZ '{end.isoformat()}'"
        later = count(connection, f"SELECT count(*) FROM {table} WHERE {column} > {limit}")
        if later:
            first = connection.execute(
                f"SELECT min({column})::VARCHAR FROM {table} WHERE {column} > {limit}"
            ).fetchone()
            raise ShopguideError(
                f"{log}/{table}.parquet, column {_DATED[table]}",
                f"{later:,} rows lie after the log's end, {end.isoformat()}; the first at "
                f"{first[0] if first else ''}",
                "Check the clock of what wrote them, and prepare the log again",
            )


def _refuse_return(
    offered: Collection[date], there: list[date], until: date | None, log: Path
) -> None:
    if there and until is None and max(offered) < there[-1]:
        raise ShopguideError(
            str(log),
            f"ends with {max(offered)}, and days up to {there[-1]} landed before: the clock moved "
            "back, or it is an old delivery",
            "Deliver what came since, and check the clock of what exports it",
        )


def _refuse_gap(offered: Collection[date], there: list[date], log: Path) -> None:
    first = min(offered)
    if there and first > there[-1] + _ONE:
        days = [there[-1] + number * _ONE for number in range(1, (first - there[-1]).days)]
        raise ShopguideError(
            str(log),
            f"begins with {first}, and the last day that landed is {there[-1]}: "
            f"{_named(days)} {'is' if len(days) == 1 else 'are'} missing",
            "Deliver the missing days first, in one log with these or by itself",
        )
    if there and first < there[0]:
        raise ShopguideError(
            str(log),
            f"begins with {first}, before the first day that landed, {there[0]}",
            "Begin another store with it; days before the first cannot be added",
        )


def _refuse_other(store: Path, offered: Prints, there: list[date], log: Path) -> None:
    for day in (day for day in there if day in offered):
        former = print_of(store, day)
        tables = sorted({*former, *offered[day]})
        other = [table for table in tables if former.get(table) != offered[day].get(table)]
        if other:
            table = other[0]
            rows = [
                f"{int(prints.get(table, '0:').partition(':')[0]):,}"
                for prints in (former, offered[day])
            ]
            raise ShopguideError(
                f"{log}/{table}.parquet",
                f"says of {day} what it did not say before: {rows[0]} rows landed, {rows[1]} are "
                f"delivered now, and they are not the same ({', '.join(other)})",
                "Deliver each day as it was, or remove the days from there on from the store and "
                "land them again",
            )


def _refuse_doubled(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    found = connection.execute(
        "SELECT request_id, item_id, min(shown_at)::VARCHAR, max(shown_at)::VARCHAR "
        "FROM impressions GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
    ).fetchone()
    if found is not None:
        raise InvalidDataError(
            f"{store}, request_id {found[0]}, item_id {found[1]}",
            f"stands in two days: at {found[2]} and at {found[3]}",
            "Give every list an id of its own, and land the days again",
        )


def _write(
    connection: duckdb.DuckDBPyConnection,
    store: Path,
    day: date,
    tables: list[str],
    prints: Mapping[str, str],
    notes: list[str],
) -> None:
    with atomic_directory(_folder(store, day), marker=DAY) as folder:
        for table in tables:
            column = _DATED.get(table)
            inside = f"WHERE {identifier(column)}::DATE = DATE '{day}'" if column else ""
            target = quote(str(folder / f"{table}.parquet"))
            connection.execute(
                f"COPY (SELECT * FROM {identifier(table)} {inside} ORDER BY ALL) TO {target} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        write_json(
            folder / DAY,
            {"format": FORMAT, "date": str(day), "prints": dict(prints), "notes": notes},
        )


def _view(connection: duckdb.DuckDBPyConnection, table: str, files: list[str]) -> None:
    listed = ", ".join(map(quote, files))
    terms = "union_by_name = true, filename = true, hive_partitioning = false"
    rows = f"read_parquet([{listed}], {terms})"
    latest = (
        f"QUALIFY row_number() OVER (PARTITION BY {identifier(_NAMED[table])} "
        "ORDER BY filename DESC) = 1"
        if table in _NAMED
        else ""
    )
    connection.execute(
        f"CREATE TABLE {identifier(table)} AS SELECT * EXCLUDE (filename) FROM "
        f"(SELECT * FROM {rows} {latest})"
    )


def _folder(store: Path, day: date) -> Path:
    return store / f"date={day}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _named(days: list[date]) -> str:
    shown = ", ".join(map(str, days[:_SHOWN]))
    return shown if len(days) <= _SHOWN else f"{shown} and {len(days) - _SHOWN} more days"
