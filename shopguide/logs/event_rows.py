"""Which rows of an export count: once each, without bots, and in sessions."""

import duckdb

from shopguide.logs._duckdb import count, identifier
from shopguide.spec.event_log import EventLog


def keep_once(connection: duckdb.DuckDBPyConnection, data: EventLog) -> int:
    """Create `unique_events` from `typed`; return how many were exported twice.

    Twice is the same event id, or without one the same row of a user at a time. Rows of a log
    without users or times may well be alike.
    """
    names = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()]
    fields = [identifier(name) for name in names if name not in ("_file", "_file_number", "_line")]
    row = f"row({', '.join(fields)})"
    if data.columns.user_id is None or data.columns.at is None:
        row = "row(_file_number, _line)"
    key = f"_event, CASE WHEN _event IS NULL THEN {row} END"
    connection.execute(  # hashes are cheap to group by; only rows that share one are compared
        f"""
        CREATE TEMP TABLE again AS
        WITH hashed AS (SELECT hash({key}) AS h FROM typed),
             shared AS (SELECT h FROM hashed GROUP BY h HAVING count(*) > 1),
             candidates AS (SELECT * FROM typed WHERE hash({key}) IN (FROM shared))
        SELECT _file_number, _line FROM candidates
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _file_number, _line) > 1
        """
    )
    again = count(connection, "SELECT count(*) FROM again")
    if again:
        connection.execute("DELETE FROM typed WHERE (_file_number, _line) IN (FROM again)")
    connection.execute("ALTER TABLE typed RENAME TO unique_events")
    return again


def find_bots(
    connection: duckdb.DuckDBPyConnection, data: EventLog
) -> tuple[dict[str, int], list[str]]:
    """Count the users who act faster than people do; leave them out if the spec says so.

    Returns:
        Rows left out, by reason, and notes.
    """
    if data.columns.user_id is None or data.columns.at is None:
        return {}, []
    limit = data.bots.events_per_hour
    connection.execute(
        "CREATE TEMP TABLE bots AS SELECT DISTINCT _user FROM (SELECT _user FROM unique_events "
        f"GROUP BY _user, date_trunc('hour', _at) HAVING count(*) > {limit})"
    )
    users = count(connection, "SELECT count(*) FROM bots")
    rows = count(connection, "SELECT count(*) FROM unique_events SEMI JOIN bots USING (_user)")
    if not users:
        return {}, []
    told = f"{users:,} users have more than {limit:,} events in an hour"
    if not data.bots.drop:
        return {}, [f"{told}, {rows:,} events in all; data.bots.drop leaves them out."]
    connection.execute("DELETE FROM unique_events WHERE _user IN (SELECT _user FROM bots)")
    return {f"of users with more than {limit:,} events in an hour": rows}, []


def cut_sessions(connection: duckdb.DuckDBPyConnection, data: EventLog) -> None:
    """Give rows without a session one: it ends where the user pauses as long as the spec says."""
    minutes = data.exposure.session_minutes
    if minutes is None or data.columns.user_id is None:
        return
    pause = f"to_microseconds({round(minutes * 60_000_000)})"
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE unique_events AS
        WITH steps AS (
            SELECT _file_number, _line, _user, _at,
                   coalesce(_at - lag(_at) OVER visits > {pause}, true) AS begins
            FROM unique_events
            WINDOW visits AS (PARTITION BY _user ORDER BY _at, _file_number, _line)
        ), named AS (
            SELECT _file_number, _line, max(CASE WHEN begins THEN _at END) OVER (
                PARTITION BY _user ORDER BY _at, _file_number, _line
            ) AS began FROM steps
        )
        SELECT u.* REPLACE (coalesce(u._session, strftime(timezone('UTC', n.began),
                            '%Y-%m-%dT%H:%M:%S.%f')) AS _session)
        FROM unique_events AS u JOIN named AS n USING (_file_number, _line)
        """
    )


def clock_notes(connection: duckdb.DuckDBPyConnection, data: EventLog) -> list[str]:
    """Say how many events came late, and how many clocks were ahead of the server's."""
    if data.columns.received_at is None:
        return []
    late, ahead, most = connection.execute(
        "SELECT count(*) FILTER (_received > _at + INTERVAL 1 DAY), "
        "count(*) FILTER (_at > _received + INTERVAL 1 MINUTE), "
        "max(date_diff('second', _received, _at)) FROM unique_events"
    ).fetchall()[0]
    notes = []
    if late:
        notes.append(
            f"{late:,} events were received more than a day late: what is computed within a day "
            "of an event does not have them."
        )
    if ahead:
        notes.append(
            f"{ahead:,} events are stamped later than they were received, by up to {most:,} "
            "seconds: their clocks are ahead."
        )
    return notes
