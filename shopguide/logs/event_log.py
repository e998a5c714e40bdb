"""A shop's event export → canonical log, through the mapping in the spec.

A raw record (REES46): 2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,
541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c.
"""

import glob
import logging
from collections.abc import Sequence
from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.logs._writing import LogSummary, write_log
from shopguide.logs.event_reader import read_export
from shopguide.logs.zones import zone
from shopguide.spec import Spec
from shopguide.spec.data import EventLog

_log = logging.getLogger(__name__)

_EXAMPLES = 3  # of each kind of problem: enough to see it, few enough to read

_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}  # microseconds a unit
_FIRST, _LAST = "0001-01-01", "9999-12-31"  # years that people write, and that Python has


def prepare_event_log(spec: Spec, data: EventLog, out: str | Path) -> LogSummary:
    """Build the canonical log of an export with one event a row.

    Args:
        spec: its tasks say which kinds of event must occur.
        data: the spec's data section: the mapping.
        out: directory to write.

    Raises:
        ShopguideError: a file, column, row or value is not as the mapping says; all at once.
    """
    zone(data.timezone, "spec data.timezone")
    with connect() as connection:
        connection.execute(f"SET TimeZone = {quote(data.timezone)}")
        _check_time_format(connection, data.time_format)
        reading = read_export(connection, data, _files(data.path))
        connection.execute("SET preserve_insertion_order = true")
        _typed(connection, data)
        _refuse_bad_values(connection, data)
        dropped = {"unreadable rows": len(reading.problems)} | _events(connection, data)
        notes = _impressions(connection, spec, data)
        _entities(connection, data)
        return write_log(
            connection,
            out,
            source=data.source,
            dropped=dropped,
            notes=notes,
            examples=[str(problem) for problem in reading.problems[:_EXAMPLES]],
        )


def _files(path: str) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(path, recursive=True))]  # noqa: PTH207 - a glob may be absolute
    files = [file for file in found if file.is_file()]
    if not files:
        raise ShopguideError(
            f"data.path {path}", "no such file", "Give the path of the export, or a glob"
        )
    return files


def _check_time_format(connection: duckdb.DuckDBPyConnection, time_format: str) -> None:
    try:
        connection.execute("SELECT try_strptime('', $time_format)", {"time_format": time_format})
    except duckdb.Error as error:
        raise ShopguideError(
            "spec data.time_format",
            str(error).splitlines()[0].removeprefix("Invalid Input Error: "),
            "Give iso, epoch_s, epoch_ms, epoch_us or a strptime format",
        ) from None


def _typed(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Give the mapped columns their types; what does not fit becomes null and is told later."""
    columns = data.columns
    at = _time(f"nullif(trim({identifier(columns.at)}), '')", data.time_format)
    kinds = " ".join(
        f"WHEN {quote(raw)} THEN {quote(kind)}" for raw, kind in sorted(data.kinds.items())
    )
    value = _optional(columns.value)
    connection.execute(
        f"""
        CREATE TABLE typed AS
        SELECT *, nullif({identifier(columns.user_id)}, '') AS _user,
               nullif({identifier(columns.item_id)}, '') AS _item,
               CASE {identifier(columns.kind)} {kinds} END AS _kind,
               CASE WHEN {at} >= '{_FIRST}' AND {at} < '{_LAST}' THEN {at} END AS _at,
               {value} AS _value_text, try_cast({value} AS DOUBLE) AS _value,
               {_optional(columns.session_id)} AS _session, {_optional(columns.event_id)} AS _event,
               {_optional(columns.place_id)} AS _place
        FROM raw
        """
    )


def _time(text: str, time_format: str) -> str:
    """Return the SQL of an instant; a time without a zone is in the connection's zone."""
    if time_format == "iso":
        return f"try_cast({text} AS TIMESTAMPTZ)"
    if time_format not in _EPOCHS:
        return f"try_strptime({text}, {quote(time_format)})::TIMESTAMPTZ"
    microseconds = f"try_cast({text} AS DOUBLE) * {_EPOCHS[time_format]}"
    instant = f"make_timestamptz(({microseconds})::BIGINT)"
    return f"(CASE WHEN abs({microseconds}) < 1e18 THEN {instant} END)"


def _optional(column: str | None) -> str:
    return "NULL::VARCHAR" if column is None else f"nullif({identifier(column)}, '')"


def _refuse_bad_values(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    columns = data.columns
    allowed = ", ".join(sorted(data.kinds))
    rules = [
        ("_user IS NULL", columns.user_id, "empty", "Fill it, or leave the row out"),
        ("_item IS NULL", columns.item_id, "empty", "Fill it, or leave the row out"),
        ("_kind IS NULL", columns.kind, f"not one of {allowed}", "Map it in data.kinds"),
        ("_at IS NULL", columns.at, f"no time as {data.time_format!r}", "Set data.time_format"),
        (
            "_at > now() + INTERVAL 1 DAY",
            columns.at,
            "in the future, which would move the end of the log",
            "Mend the clock, or leave the row out",
        ),
    ]
    if columns.value is not None:
        rules += [
            (
                "_value_text IS NOT NULL AND (_value IS NULL OR NOT isfinite(_value))",
                columns.value,
                "not a finite number",
                "Mend the value, or leave it empty",
            ),
            (
                "_value < 0 AND isfinite(_value)",
                columns.value,
                "negative money",
                "Export returns as a kind of their own",
            ),
        ]
    problems = [
        problem
        for condition, column, what, fix in rules
        for problem in _problems(connection, condition, column, what, fix)
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _problems(
    connection: duckdb.DuckDBPyConnection, condition: str, column: str, what: str, fix: str
) -> list[ShopguideError]:
    number = count(connection, f"SELECT count(*) FROM typed WHERE {condition}")
    if not number:
        return []
    rows = connection.execute(
        f"SELECT _file, _line, {identifier(column)} FROM typed WHERE {condition} "
        f"ORDER BY _file, _line LIMIT {_EXAMPLES}"
    ).fetchall()
    more = f" ({number:,} rows in all)" if number > len(rows) else ""
    return [
        ShopguideError(
            f"{file}, row {line}, column {column}", f"{found or ''!r} is {what}{more}", fix
        )
        for file, line, found in rows
    ]


def _events(connection: duckdb.DuckDBPyConnection, data: EventLog) -> dict[str, int]:
    """Drop what was exported twice: the same event id, or without one, the same row."""
    names = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()]
    fields = [identifier(name) for name in names if name not in ("_file", "_file_number", "_line")]
    connection.execute(
        f"""
        CREATE TABLE unique_events AS
        SELECT * FROM typed
        QUALIFY row_number() OVER (
            PARTITION BY _event, CASE WHEN _event IS NULL THEN row({", ".join(fields)}) END
            ORDER BY _file_number, _line
        ) = 1
        """
    )
    currency = "NULL" if data.currency is None else quote(data.currency)
    connection.execute(
        f"""
        CREATE TABLE events AS
        SELECT coalesce(_event, _file_number || ':' || _line) AS event_id,
               NULL::VARCHAR AS request_id, _user AS user_id, _item AS item_id, _kind AS kind,
               _at AS at, _value AS value, {currency}::VARCHAR AS currency,
               _session AS basket_id, _place AS place_id
        FROM unique_events
        """
    )
    typed = count(connection, "SELECT count(*) FROM typed")
    return {"duplicates": typed - count(connection, "SELECT count(*) FROM events")}


def _impressions(
    connection: duckdb.DuckDBPyConnection, spec: Spec, data: EventLog
) -> Sequence[str]:
    """Views are impressions: the first of a user and item in a session; a session is a request.

    A session id that two users share makes two requests. Without sessions, a request is a user's
    day.
    """
    event = data.exposure.event
    session = "coalesce(basket_id, strftime(events.at, '%Y-%m-%d'))"
    context = [name for name in spec.features.context if name != "place_id"]
    if context:
        raise ShopguideError(
            "spec features.context",
            f"an export of events has no column for {', '.join(context)}",
            "Keep place_id alone, or none",
        )
    connection.execute(
        f"""
        CREATE TABLE impressions AS
        SELECT user_id || ':' || {session} AS request_id, user_id, item_id,
               min(events.at) AS shown_at, 1.0::DOUBLE AS sample_weight,
               arg_min(place_id, events.at) AS place_id
        FROM events WHERE kind = {quote(event)} GROUP BY user_id, item_id, {session}
        """
    )
    if not count(connection, "SELECT count(*) FROM impressions"):
        raise ShopguideError(
            "data.exposure.event", f"no event of kind {event!r}", "Name the kind that is a view"
        )
    unexposed = count(
        connection,
        "SELECT count(*) FROM events AS e ANTI JOIN impressions AS i USING (user_id, item_id) "
        f"WHERE kind <> {quote(event)}",
    )
    requests = "a session" if data.columns.session_id is not None else "a user's day"
    notes = [
        f"Impressions are inferred: the first {event} of a user and item in {requests}, which is "
        "the request. What was shown and not opened is not known.",
    ]
    if unexposed:
        notes.append(f"{unexposed:,} other events are of a user and item without any impression.")
    return tuple(notes)


def _entities(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Users and items with their attributes as last seen."""
    for table, key, attributes in (
        ("users", "_user", data.user_attributes),
        ("items", "_item", data.item_attributes),
    ):
        order = "(_at, _file_number, _line)"
        latest = "".join(
            f", arg_max(nullif({identifier(column)}, ''), {order}) AS {identifier(name)}"
            for name, column in attributes.items()
        )
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {key} AS {table[:-1]}_id{latest} "
            f"FROM unique_events GROUP BY {key}"
        )
