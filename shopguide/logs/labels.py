"""Outcomes of impressions: which events are credited to which impression."""

from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.spec import Spec
from shopguide.spec.tasks import BinaryTask, CategoryTask, Task


def label_impressions(connection: duckdb.DuckDBPyConnection, log: str | Path, spec: Spec) -> None:
    """Create the table `labelled`: every impression, and one column a task.

    A binary label is 1 if an event of the task's kind is credited to the impression; an amount is
    the sum of such events' values. Which events those are, `spec.attribution` says: with `request`,
    the events that name the request and item; with `user_item`, those of the same user and item
    in [shown_at, shown_at + window), each credited once, to the last impression before it, or to
    the first whose window it is in (`touch`). An order that was taken back is no outcome.

    Args:
        connection: where the table is made; `labelled` must not exist.
        log: canonical log.
        spec: reads `tasks` and `attribution`.

    Raises:
        ShopguideError: a task's kind of event does not occur in the log.
    """
    log = Path(log)
    for table in ("impressions", "events"):
        source = quote(str(log / f"{table}.parquet"))
        connection.execute(f"CREATE OR REPLACE VIEW log_{table} AS FROM read_parquet({source})")
    _check_kinds(connection, log, spec)
    _credit(connection, spec)
    outcomes = ", ".join(_outcome(name, task) for name, task in spec.tasks.items())
    labels = ", ".join(_label(name, task) for name, task in spec.tasks.items())
    connection.execute(
        f"""
        CREATE TABLE labelled AS
        WITH outcomes AS (SELECT request_id, item_id, {outcomes} FROM credited GROUP BY ALL)
        SELECT i.*, {labels}
        FROM log_impressions AS i LEFT JOIN outcomes AS o USING (request_id, item_id)
        """
    )
    rows = count(connection, "SELECT count(*) FROM labelled")
    shown = count(connection, "SELECT count(*) FROM log_impressions")
    assert rows == shown, f"labelling made {rows} rows of {shown} impressions"


def _check_kinds(connection: duckdb.DuckDBPyConnection, log: Path, spec: Spec) -> None:
    known = {
        row[0] for row in connection.execute("SELECT DISTINCT kind FROM log_events").fetchall()
    }
    problems = [
        ShopguideError(
            f"{log}/events.parquet kind",
            f"no event of kind {event!r}, which task {name!r} predicts; found "
            f"{', '.join(sorted(known)) or 'none'}",
            f"Map it in data.kinds, or change tasks.{name}.{_event_field(task)}",
        )
        for name, task in spec.tasks.items()
        for event in task.events
        if event not in known
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _event_field(task: Task) -> str:
    return "classes" if isinstance(task, CategoryTask) else "event"


def _credit(connection: duckdb.DuckDBPyConnection, spec: Spec) -> None:
    """Create `credited`: one row an event that is an outcome, with its impression's key."""
    wanted = {event for task in spec.tasks.values() for event in task.events}
    kinds = ", ".join(quote(kind) for kind in sorted(wanted))
    present = [row[0] for row in connection.execute("DESCRIBE log_events").fetchall()]
    held = " AND voided_at IS NULL" if "voided_at" in present else ""
    outcomes = f"SELECT * FROM log_events WHERE kind IN ({kinds}){held}"
    if spec.attribution.match == "request":
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE credited AS "
            f"SELECT request_id, item_id, kind, value FROM ({outcomes}) "
            "WHERE request_id IS NOT NULL"
        )
        return
    window = f"to_microseconds({round(spec.attribution.window_hours * 3_600_000_000)})"
    nearest = "e.at >= i.shown_at"
    if spec.attribution.touch == "first":  # the earliest whose window is not over
        nearest = f"e.at - {window} < i.shown_at"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE credited AS
        SELECT i.request_id, e.item_id, e.kind, e.value
        FROM ({outcomes}) AS e
        ASOF JOIN (
            SELECT user_id, item_id, shown_at, min(request_id) AS request_id
            FROM log_impressions GROUP BY ALL
        ) AS i ON e.user_id = i.user_id AND e.item_id = i.item_id AND {nearest}
        WHERE e.at >= i.shown_at AND e.at < i.shown_at + {window}
        """
    )


def _outcome(name: str, task: Task) -> str:
    if isinstance(task, CategoryTask):
        codes = " ".join(f"WHEN {quote(e)} THEN {code}" for code, e in enumerate(task.events))
        return f"min(CASE kind {codes} END) AS {identifier(name)}"
    happened = f"kind = {quote(task.event)}"
    if isinstance(task, BinaryTask):
        return f"bool_or({happened}) AS {identifier(name)}"
    return f"sum(value) FILTER ({happened}) AS {identifier(name)}"


def _label(name: str, task: Task) -> str:
    column = f"o.{identifier(name)}"
    if isinstance(task, CategoryTask):
        other = len(task.classes)
        return f"coalesce({column}, {other})::TINYINT AS {identifier(name)}"
    if isinstance(task, BinaryTask):
        return f"coalesce({column}, false)::TINYINT AS {identifier(name)}"
    return f"coalesce({column}, 0)::DOUBLE AS {identifier(name)}"
