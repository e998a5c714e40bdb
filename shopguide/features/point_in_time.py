"""Point-in-time join through Feast: each impression sees the last snapshot at its `shown_at`.

Feast is asked once a view, with the distinct keys and times of the impressions rather than with
every impression: 297 thousand impressions have 4 thousand distinct (item, week). Its answer is
attached by key and time, and every join is counted.
"""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pyarrow as pa

from shopguide.features.catalogue import TIMESTAMP
from shopguide.logs._duckdb import count, identifier

if TYPE_CHECKING:
    from feast import FeatureStore

_log = logging.getLogger(__name__)

CHUNK = 1_000_000
"""Distinct keys a call: bounds the memory of Feast's pandas entity frame."""


def attach_view(
    connection: duckdb.DuckDBPyConnection,
    store: "FeatureStore",
    *,
    table: str,
    view: str,
    keys: Sequence[str],
    columns: Sequence[str],
) -> None:
    """Add a view's columns to a table of impressions, as of each row's `shown_at`.

    Args:
        connection: holds the table, with the keys and `shown_at`.
        store: Feast store where the view is registered.
        table: replaced by itself with the columns added.
        view: name of the feature view.
        keys: its join keys.
        columns: its features.

    Raises:
        AssertionError: a row or key was lost or doubled; the message counts them.
    """
    started = time.monotonic()
    rows = count(connection, f"SELECT count(*) FROM {identifier(table)}")
    names = ", ".join(identifier(key) for key in keys)
    known = " AND ".join(f"{identifier(key)} IS NOT NULL" for key in keys)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE asked AS "
        f"SELECT row_number() OVER (ORDER BY shown_at, {names}) AS asked_id, shown_at, {names} "
        f"FROM (SELECT DISTINCT shown_at, {names} FROM {identifier(table)} WHERE {known})"
    )
    asked = count(connection, "SELECT count(*) FROM asked")
    chosen = ", ".join(["asked_id", *(identifier(column) for column in columns)])
    for first in range(0, max(asked, 1), CHUNK):
        frame = connection.execute(
            f"SELECT * FROM asked WHERE asked_id > {first} AND asked_id <= {first + CHUNK}"
        ).df()
        connection.register("answer", _ask(store, view, columns, frame))
        into = "INSERT INTO answered" if first else "CREATE OR REPLACE TEMP TABLE answered AS"
        connection.execute(f"{into} SELECT {chosen} FROM answer")
        connection.unregister("answer")
    _assert_same_keys(connection, view, asked)
    added = ", ".join(f"f.{identifier(column)}" for column in columns)
    connection.execute(
        f"CREATE OR REPLACE TABLE {identifier(table)} AS SELECT t.*, {added} "
        f"FROM {identifier(table)} AS t LEFT JOIN asked USING (shown_at, {names}) "
        f"LEFT JOIN answered AS f USING (asked_id)"
    )
    after = count(connection, f"SELECT count(*) FROM {identifier(table)}")
    assert after == rows, f"view {view}: {after} rows of {rows} after the join"
    _log.info("join %s: %s keys, %.1f s", view, f"{asked:,}", time.monotonic() - started)


def _ask(store: "FeatureStore", view: str, columns: Sequence[str], frame: pd.DataFrame) -> pa.Table:
    entities = frame.rename(columns={"shown_at": TIMESTAMP})
    entities[TIMESTAMP] = entities[TIMESTAMP].dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    references = [f"{view}:{column}" for column in columns]
    job = store.get_historical_features(entity_df=entities, features=references)
    return job.to_arrow()


def _assert_same_keys(connection: duckdb.DuckDBPyConnection, view: str, asked: int) -> None:
    answered = count(connection, "SELECT count(*) FROM answered")
    distinct = count(connection, "SELECT count(DISTINCT asked_id) FROM answered")
    missing = connection.execute(
        "SELECT * FROM asked ANTI JOIN answered USING (asked_id) LIMIT 3"
    ).fetchall()
    assert answered == distinct == asked, (
        f"view {view}: asked for {asked} keys, got {answered} rows of {distinct}; missing {missing}"
    )
