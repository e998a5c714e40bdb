"""Which impressions an export tells of: views, logged ones, or what was touched and drawn items."""

from collections.abc import Mapping, Sequence

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.logs.event_columns import text_of
from shopguide.spec.event_log import EventLog

Kinds = Mapping[str, str]
"""Column of the impressions → `categorical` or `numeric`."""


def find_impressions(
    connection: duckdb.DuckDBPyConnection, data: EventLog, context: Kinds, seed: int
) -> tuple[Sequence[str], dict[str, int]]:
    """Create the table `impressions`, as the exposure rule says.

    Args:
        connection: holds `unique_events` with `_list`, the request of each row, and `events`.
        data: the mapping.
        context: kinds of the columns that the model reads; others stay text.
        seed: of the draws of negatives.

    Returns:
        Notes, and rows of the export that are no impression of their own, by reason.

    Raises:
        ShopguideError: there is no impression, or a column of the context does not fit its kind.
    """
    _refuse_unknown(data, context)
    _refuse_text(connection, data, context)
    rule = data.exposure.rule
    shown = "true" if data.outcomes else f"_kind = {quote(data.exposure.event)}"
    columns = ", ".join(_columns(data, context).values())
    connection.execute(
        f"""
        CREATE TABLE impressions AS
        SELECT _list AS request_id, {user(data)} AS user_id, _item AS item_id, _at AS shown_at,
               {columns}
        FROM unique_events WHERE {shown}
        QUALIFY row_number() OVER (
            PARTITION BY _list, _item ORDER BY _at, _file_number, _line
        ) = 1
        """
    )
    _drop_empty(connection, ("position", "propensity"))
    number = count(connection, "SELECT count(*) FROM impressions")
    if not number:
        event = data.exposure.event
        raise ShopguideError(
            "data.exposure.event", f"no event of kind {event!r}", "Name the kind that is a view"
        )
    again = count(connection, f"SELECT count(*) FROM unique_events WHERE {shown}") - number
    if rule == "logged":
        return _logged_notes(data), {"shown again in the same request": again} if again else {}
    if rule == "sampled":
        return _draw_negatives(connection, data, seed), {}
    requests = _requests(data)
    return [
        f"Impressions are inferred: the first {data.exposure.event} of a user and item in "
        f"{requests}, which is the request. What was shown and not opened is not known."
    ], {}


def list_of(data: EventLog) -> str:
    """Return the SQL of the request that a row of `unique_events` belongs to.

    An id that two users share makes two requests. Rows without any id are pooled by time, the n-th
    of an item going to the n-th list of its time, or are a list each.
    """
    own = "_file_number || ':' || _line"
    who = "" if data.columns.user_id is None else "_user || ':' || "
    day = "coalesce(_session, strftime(_at, '%Y-%m-%d'))"
    if data.exposure.rule != "logged":
        return f"{who}{day}"
    named = "_request" if data.columns.request_id is not None else "_session"
    if data.columns.request_id is None and data.columns.session_id is None:
        if data.exposure.pool_minutes is None:
            return own
        place = "_position, " if data.columns.position is not None else ""
        return (
            f"{_pool(data)} || '#' || row_number() OVER (PARTITION BY {_pool(data)}, _item "
            f"ORDER BY {place}_at, _file_number, _line)"
        )
    return f"{who}coalesce({named}, {own})"


def user(data: EventLog) -> str:
    """Return the SQL of the user: without one, the request or the pool is its own."""
    if data.columns.user_id is not None:
        return "_user"
    return _pool(data) if data.exposure.pool_minutes is not None else "_list"


def _pool(data: EventLog) -> str:
    seconds = round((data.exposure.pool_minutes or 0) * 60)
    start = f"to_timestamp(floor(epoch(_at) / {seconds}) * {seconds})"
    return f"strftime(timezone('UTC', {start}), '%Y-%m-%dT%H:%M:%S')"


def _columns(data: EventLog, context: Kinds) -> dict[str, str]:
    found = {
        "sample_weight": "coalesce(_weight, 1.0)::DOUBLE AS sample_weight",
        "position": "_position::INTEGER AS position",
        "propensity": "_propensity AS propensity",
        "place_id": "_place AS place_id",
    }
    for name, column in data.context.items():
        text = text_of(column, data)
        value = f"try_cast({text} AS DOUBLE)" if context.get(name) == "numeric" else text
        found[name] = f"{value} AS {identifier(name)}"
    return found


def _drop_empty(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Drop optional columns that hold nothing: a reader takes their presence for knowledge."""
    for name in names:
        if not count(connection, f"SELECT count({identifier(name)}) FROM impressions"):
            connection.execute(f"ALTER TABLE impressions DROP COLUMN {identifier(name)}")


def _refuse_unknown(data: EventLog, context: Kinds) -> None:
    known = ["place_id", *data.context]
    unknown = [name for name in context if name not in known]
    if unknown:
        raise ShopguideError(
            "spec features.context",
            f"an impression has no column {', '.join(unknown)}; it has {', '.join(known)}",
            "Map it in data.context, or take it out",
        )


def _refuse_text(connection: duckdb.DuckDBPyConnection, data: EventLog, context: Kinds) -> None:
    for name, column in data.context.items():
        if context.get(name) != "numeric":
            continue
        text = text_of(column, data)
        odd = connection.execute(
            f"SELECT _file, _line, {text} FROM unique_events WHERE {text} IS NOT NULL "
            f"AND try_cast({text} AS DOUBLE) IS NULL ORDER BY _file_number, _line LIMIT 1"
        ).fetchone()
        if odd is not None:
            raise ShopguideError(
                f"{odd[0]}, row {odd[1]}, column {column}",
                f"{odd[2]!r} is no number, and features.context.{name} is numeric",
                "Declare it categorical, or list the text in data.nulls",
            )


def _requests(data: EventLog) -> str:
    if data.columns.session_id is not None or data.exposure.session_minutes is not None:
        return "a session"
    return "a user's day"


def _logged_notes(data: EventLog) -> list[str]:
    if data.exposure.pool_minutes is None or data.columns.request_id is not None:
        return []
    minutes = f"{data.exposure.pool_minutes:g} minutes"
    return [
        f"No list was logged: rows of the same {minutes} are ranked against each other, whoever "
        "saw them. The figures say whether likely outcomes come first, and nothing about a list."
    ]


def _draw_negatives(
    connection: duckdb.DuckDBPyConnection, data: EventLog, seed: int
) -> Sequence[str]:
    """Add drawn items to every request, weighted by how rarely they are drawn.

    Items stand in the order in which they were first seen, each as long as its weight; a draw is a
    point on the part of that line which was known when the request began.
    """
    rule = data.exposure.negatives
    stratum = "category" if rule.among == "category" else "''"
    weight = "count(*)::DOUBLE" if rule.among == "popularity" else "1.0::DOUBLE"
    connection.execute(
        f"""
        CREATE TEMP TABLE known_items AS
        WITH seen AS (
            SELECT item_id, min("at") AS since, {weight} AS weight FROM events GROUP BY item_id
        ), named AS (
            SELECT item_id, since, weight, coalesce({stratum}, '') AS stratum
            FROM seen JOIN items USING (item_id)
        )
        SELECT *, sum(weight) OVER (
            PARTITION BY stratum ORDER BY since, item_id ROWS UNBOUNDED PRECEDING
        ) AS reaches FROM named
        """
    )
    inherited = ", ".join(f"p.{identifier(name)}" for name in (*data.context, "place_id"))
    connection.execute(
        f"""
        CREATE TEMP TABLE drawn AS
        WITH requests AS (
            SELECT i.request_id, k.stratum, min(i.shown_at) AS began, count(*) AS positives
            FROM impressions AS i JOIN known_items AS k USING (item_id) GROUP BY ALL
        ), lines AS (
            SELECT r.*, k.reaches AS length FROM requests AS r ASOF JOIN (
                SELECT stratum, since, max(reaches) AS reaches FROM known_items GROUP BY ALL
            ) AS k ON r.stratum = k.stratum AND r.began >= k.since
        ), draws AS (
            SELECT *, unnest(range(positives * {rule.per_positive})) AS draw FROM lines
        ), points AS (
            SELECT *, length * (md5_number_lower(
                concat_ws(':', {seed}, request_id, stratum, draw)) >> 11
            )::DOUBLE / 9007199254740992.0 AS point FROM draws
        )
        SELECT p.request_id, k.item_id, p.began AS shown_at,
               sum(p.length / (k.weight * p.positives * {rule.per_positive})) AS sample_weight
        FROM points AS p ASOF JOIN (
            SELECT item_id, stratum, weight, reaches - weight AS begins FROM known_items
        ) AS k ON p.stratum = k.stratum AND p.point >= k.begins
        GROUP BY ALL
        """
    )
    connection.execute(
        f"""
        INSERT INTO impressions BY NAME
        SELECT d.*, p.user_id, {inherited}
        FROM drawn AS d ANTI JOIN impressions AS i USING (request_id, item_id)
        JOIN (SELECT * FROM impressions QUALIFY row_number() OVER (
            PARTITION BY request_id ORDER BY shown_at, item_id) = 1) AS p USING (request_id)
        """
    )
    kept = count(connection, "SELECT count(*) FROM impressions")
    return [
        f"Impressions are inferred: what has a {data.exposure.event}, and items drawn at random "
        f"({rule.among}, {rule.per_positive} for each; {kept:,} rows in all), weighted to stand "
        "for all that might have been shown. What was really shown is not known."
    ]
