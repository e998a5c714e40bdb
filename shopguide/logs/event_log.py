"""A shop's own export → canonical log, through the mapping in the spec.

A raw record (REES46): 2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,
541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import duckdb

from shopguide.logs import quarantine
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.logs._writing import LogSummary, write_log
from shopguide.logs.event_columns import (
    check_time_formats,
    convert_money,
    id_of,
    money_of,
    set_apart,
    text_of,
    time_of,
    type_columns,
)
from shopguide.logs.event_reader import find_files, read_export, refuse_full_disk
from shopguide.logs.event_rows import clock_notes, cut_sessions, find_bots, keep_once
from shopguide.logs.exposures import find_impressions, list_of, user
from shopguide.logs.zones import zone
from shopguide.spec import Spec
from shopguide.spec.event_log import Attributes, EventLog

_log = logging.getLogger(__name__)


def prepare_event_log(spec: Spec, data: EventLog, out: str | Path) -> LogSummary:
    """Build the canonical log of a shop's own export.

    Args:
        spec: its context says which columns of the impressions are numbers.
        data: the spec's data section: the mapping.
        out: directory to write.

    Raises:
        ShopguideError: a file or column is not as the mapping says, or too many rows are not.
    """
    zone(data.timezone, "spec data.timezone")
    try:
        with connect() as connection:
            connection.execute(f"SET TimeZone = {quote(data.timezone)}")
            dropped, notes = build_tables(connection, spec, data)
            return write_log(
                connection,
                out,
                source=data.source,
                dropped=dropped,
                notes=notes,
                examples=[str(problem) for problem in quarantine.examples(connection)],
            )
    except (duckdb.Error, OSError) as error:
        refuse_full_disk(error)
        raise


def build_tables(
    connection: duckdb.DuckDBPyConnection, spec: Spec, data: EventLog
) -> tuple[dict[str, int], list[str]]:
    """Create the canonical tables; every row of the export is in them or is counted.

    Args:
        connection: in the shop's time zone.
        spec: reads `features.context` and `seed`.
        data: the mapping.

    Returns:
        Rows left out, by reason, and what a reader must bear in mind.

    Raises:
        ShopguideError: as in `prepare_event_log`.
    """
    check_time_formats(connection, data)
    quarantine.create(connection)
    files = find_files(data, "data.path")
    connection.execute("SET preserve_insertion_order = true")
    rows = read_export(connection, data, files, columns=_named(data))
    type_columns(connection, data)
    convert_money(connection, data)
    dropped = set_apart(connection, data)
    where = "data.path " + (data.path if isinstance(data.path, str) else " ".join(data.path))
    quarantine.refuse_too_many(connection, where, rows, data.max_bad_share)
    dropped["duplicates"] = keep_once(connection, data)
    dropped |= {
        f"unusable, {reason}": number for reason, number in quarantine.by_reason(connection).items()
    }
    bots, notes = find_bots(connection, data)
    dropped |= bots
    kept = count(connection, "SELECT count(*) FROM unique_events")
    assert kept + sum(dropped.values()) == rows, f"{rows} rows, {kept} kept, {dropped} left out"
    notes += clock_notes(connection, data)
    cut_sessions(connection, data)
    connection.execute(
        f"CREATE OR REPLACE TABLE unique_events AS SELECT *, {list_of(data)} AS _list "
        "FROM unique_events"
    )
    notes += _events(connection, data)
    notes += _entities(connection, data)
    told, again = find_impressions(connection, data, spec.features.context, spec.seed)
    notes = [*told, *notes, *_unexposed(connection, data)]
    if data.exposure.rule == "logged":
        notes += _forget_unshown(connection, spec.validation.max_unexposed)
    return dropped | again, notes


def _named(data: EventLog) -> list[tuple[str, str]]:
    """Return the columns that the mapping names, each with the field that names it."""
    named = {f"data.columns.{k}": v for k, v in data.columns.model_dump().items() if v is not None}
    for section in ("item_attributes", "user_attributes", "context"):
        named |= {f"data.{section}.{k}": v for k, v in getattr(data, section).items()}
    for name, outcome in data.outcomes.items():
        named |= {
            f"data.outcomes.{name}.{k}": v for k, v in outcome.model_dump().items() if v is not None
        }
    return list(named.items())


def _events(connection: duckdb.DuckDBPyConnection, data: EventLog) -> list[str]:
    """Create `events`: one row an event; a wide row is its impression and its outcomes."""
    logged = data.exposure.rule == "logged" and data.columns.request_id is not None
    request = "_list" if data.outcomes or logged else "NULL"
    if logged and not data.outcomes:  # an event that names no request belongs to no list
        view = quote(data.exposure.event)
        request = f"CASE WHEN _request IS NOT NULL OR _kind = {view} THEN _list END"
    currency = "NULL" if data.currency is None else quote(data.currency)
    number = "coalesce(_event, _file_number || ':' || _line)"

    def rows(kind: str, at: str, value: str, where: str, suffix: str = "") -> str:
        return (
            f"SELECT {number}{suffix} AS event_id, {request}::VARCHAR AS request_id, "
            f'{user(data)} AS user_id, _item AS item_id, {kind}::VARCHAR AS kind, {at} AS "at", '
            f"{value} AS value, {currency}::VARCHAR AS currency, _session AS basket_id, "
            f"_place AS place_id FROM unique_events WHERE {where}"
        )

    parts = [rows("_kind", "_at", "_value", "true")]
    if data.outcomes:
        parts = [rows(quote(data.exposure.event), "_at", "NULL::DOUBLE", "true")]
    for kind, outcome in data.outcomes.items():
        happened = _happened(text_of(outcome.column, data), data)
        at = "_at"
        if outcome.at is not None:
            at = f"coalesce(greatest({time_of(outcome.at, data)}, _at), _at)"
        elif outcome.delay_seconds is not None:
            delay = f"try_cast({text_of(outcome.delay_seconds, data)} AS DOUBLE)"
            at = f"_at + to_seconds(greatest(coalesce({delay}, 0), 0))"
        value = money_of(outcome.value, data)
        parts.append(rows(quote(kind), at, value, happened, f" || {quote(':' + kind)}"))
    connection.execute(f"CREATE TABLE events AS {' UNION ALL '.join(parts)}")
    return _take_back(connection, data)


def _forget_unshown(connection: duckdb.DuckDBPyConnection, most: float) -> list[str]:
    """Take the request from events of a list that did not show their item, if they are few.

    Anybody who can send feedback can name a request that there never was; such an event is one of
    the user and the item, and no outcome of a list. Where many are so, impressions are missing from
    the export: those keep their request, and validation refuses them.

    Args:
        connection: holds `events` and `impressions`.
        most: share of the events with a request.
    """
    unshown = (
        "request_id IS NOT NULL AND NOT EXISTS (FROM impressions AS i "
        "WHERE i.request_id = events.request_id AND i.item_id = events.item_id)"
    )
    number = count(connection, f"SELECT count(*) FROM events WHERE {unshown}")
    named = count(connection, "SELECT count(*) FROM events WHERE request_id IS NOT NULL")
    if not number or number > most * named:
        return []
    connection.execute(f"UPDATE events SET request_id = NULL WHERE {unshown}")
    named_by = "1 event names" if number == 1 else f"{number:,} events name"
    whose = "its item: it loses" if number == 1 else "their item: they lose"
    return [f"{named_by} a request that did not show {whose} the request."]


def _happened(text: str, data: EventLog) -> str:
    number = text if data.decimal == "." else f"replace({text}, ',', '.')"
    return (
        f"coalesce(try_cast({number} AS DOUBLE) > 0 OR "
        f"lower({text}) IN ('true', 't', 'yes', 'y'), false)"
    )


def _take_back(connection: duckdb.DuckDBPyConnection, data: EventLog) -> list[str]:
    """Mark the last order before a return of the same user and item: `voided_at`."""
    returns = data.returns
    if returns is None:
        return []
    event, kinds = quote(returns.event), ", ".join(map(quote, returns.kinds)) or "NULL"
    back = f"kind IN ({kinds})"
    if returns.negative:
        back = f"(coalesce({back}, false) OR (kind = {event} AND value < 0))"
    connection.execute(
        f"""
        CREATE TEMP TABLE taken_back AS
        SELECT o.event_id, min(r."at") AS voided_at
        FROM (SELECT user_id, item_id, "at" FROM events WHERE {back}) AS r
        ASOF JOIN (
            SELECT user_id, item_id, "at", max(event_id) AS event_id FROM events
            WHERE kind = {event} AND coalesce(value, 0) >= 0 GROUP BY ALL
        ) AS o ON r.user_id = o.user_id AND r.item_id = o.item_id AND r."at" >= o."at"
        GROUP BY o.event_id
        """
    )
    found = count(connection, f"SELECT count(*) FROM events WHERE {back}")
    matched = count(connection, "SELECT count(*) FROM taken_back")
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE events AS
        SELECT e.* REPLACE (
            CASE WHEN e.kind = {event} AND e.value < 0 THEN 'return' ELSE e.kind END AS kind,
            abs(e.value) AS value
        ), t.voided_at FROM events AS e LEFT JOIN taken_back AS t USING (event_id)
        """
    )
    return [
        f"{matched:,} of the orders were returned or cancelled and are no outcome; {found:,} "
        "returns were logged. Returns after the end of the log are not known."
    ]


def _unexposed(connection: duckdb.DuckDBPyConnection, data: EventLog) -> list[str]:
    """Say how many outcomes no impression can explain."""
    others = f"kind <> {quote(data.exposure.event)}"
    notes = []
    never = count(
        connection,
        "SELECT count(*) FROM events AS e ANTI JOIN impressions AS i USING (user_id, item_id) "
        f"WHERE {others}",
    )
    if never:
        notes.append(f"{never:,} other events are of a user and item without any impression.")
    early = count(
        connection,
        "SELECT count(*) FROM events AS e JOIN (SELECT user_id, item_id, min(shown_at) AS first "
        f"FROM impressions GROUP BY ALL) AS i USING (user_id, item_id) WHERE {others} "
        'AND e."at" < i.first',
    )
    if early:
        notes.append(
            f"{early:,} other events come before the first impression of their user and item, and "
            "are no outcome of any."
        )
    return notes


def _entities(connection: duckdb.DuckDBPyConnection, data: EventLog) -> list[str]:
    """Create `users` and `items` with their attributes as last seen, or as their files say."""
    notes: list[str] = []
    for table, key, attributes, file in (
        ("users", user(data), data.user_attributes, data.users),
        ("items", "_item", data.item_attributes, data.items),
    ):
        order = "(_at, _file_number, _line)"
        latest = "".join(
            f", arg_max({text_of(column, data)}, {order}) AS {identifier(name)}"
            for name, column in attributes.items()
        )
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {key} AS {table[:-1]}_id{latest} "
            f"FROM unique_events GROUP BY {key}"
        )
        if file is not None:
            notes += _join_attributes(connection, data, table, file)
    return notes


def _join_attributes(
    connection: duckdb.DuckDBPyConnection, data: EventLog, table: str, file: Attributes
) -> Sequence[str]:
    """Add the attributes of a file of users or items, by key; the last row of a key counts."""
    section, key = f"data.{table}", f"{table[:-1]}_id"
    wanted = [(f"{section}.key", file.key)]
    wanted += [(f"{section}.attributes.{k}", v) for k, v in file.attributes.items()]
    paths = find_files(file, f"{section}.path")
    read_export(connection, file, paths, table=f"raw_{table}", columns=wanted)
    named = id_of(connection, file.key, data, f"raw_{table}")
    values = ", ".join(
        f"{text_of(column, data)} AS {identifier(name)}" for name, column in file.attributes.items()
    )
    connection.execute(
        f"CREATE TABLE own_{table} AS SELECT {named} AS {key}, {values} FROM raw_{table} "
        f"WHERE {named} IS NOT NULL QUALIFY row_number() OVER "
        f"(PARTITION BY {named} ORDER BY _file_number DESC, _line DESC) = 1"
    )
    rows, keys = (count(connection, f"SELECT count(*) FROM {t}_{table}") for t in ("raw", "own"))
    known = count(connection, f"SELECT count(*) FROM {table}")
    without = count(connection, f"SELECT count(*) FROM {table} ANTI JOIN own_{table} USING ({key})")
    connection.execute(
        f"CREATE OR REPLACE TABLE {table} AS "
        f"SELECT * FROM {table} LEFT JOIN own_{table} USING ({key})"
    )
    assert count(connection, f"SELECT count(*) FROM {table}") == known, f"{table} doubled"
    notes = []
    if without:
        notes.append(f"{without:,} of {known:,} {table} of the log are not in {file.path}.")
    if rows > keys:
        notes.append(
            f"{rows - keys:,} rows of {file.path} are of a {key} that is empty or stands again."
        )
    return notes
