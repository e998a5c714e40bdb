"""Point-in-time join: each impression sees the last snapshot at or before its `shown_at`.

A view is looked up for the distinct keys and times of the impressions rather than for each of them:
297 thousand impressions have 4 thousand distinct (item, week). What is found is attached by key and
time, and every join is counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from shopguide.features.catalogue import TIMESTAMP
from shopguide.logs._duckdb import count, identifier, quote


def join_view(
    connection: duckdb.DuckDBPyConnection,
    *,
    table: str,
    view: str,
    snapshots: Path,
    keys: Sequence[str],
    columns: Sequence[str],
) -> str:
    """Look up a view as of the `shown_at` of some impressions.

    Args:
        connection: holds the table, with the keys and `shown_at`.
        table: impressions.
        view: name of the feature view.
        snapshots: Parquet file of the view's snapshots.
        keys: its join keys.
        columns: its features.

    Returns:
        Name of a temporary table: the keys, `shown_at` and the columns, a row for each distinct
        combination of keys that are all known.

    Raises:
        AssertionError: a key was lost or doubled; the message counts them.
    """
    names = ", ".join(identifier(key) for key in keys)
    known = " AND ".join(f"{identifier(key)} IS NOT NULL" for key in keys)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE asked AS "
        f"SELECT row_number() OVER () AS asked_id, shown_at, {names} "
        f"FROM (SELECT DISTINCT shown_at, {names} FROM {identifier(table)} WHERE {known})"
    )
    same = " AND ".join(f"asked.{identifier(key)} = s.{identifier(key)}" for key in keys)
    chosen = ", ".join(f"s.{identifier(column)}" for column in columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE answer AS SELECT asked.*, {chosen} "
        "FROM asked ASOF LEFT JOIN "
        f"(FROM read_parquet({quote(str(snapshots))}) SEMI JOIN asked USING ({names})) AS s "
        f"ON {same} AND asked.shown_at >= s.{identifier(TIMESTAMP)}"
    )
    _assert_same_keys(connection, view)
    joined = f"joined_{view}"
    connection.execute(
        f"ALTER TABLE answer DROP COLUMN asked_id; DROP TABLE asked; "
        f"ALTER TABLE answer RENAME TO {identifier(joined)}"
    )
    return joined


def attach(
    connection: duckdb.DuckDBPyConnection,
    *,
    table: str,
    joined: Mapping[str, Sequence[str]],
    chosen: Sequence[str],
    block: int,
) -> Iterator[pa.Table]:
    """Yield impressions with the columns of joined views, in the order of `row_id`.

    Args:
        connection: holds the tables; it is busy until the last block is taken.
        table: impressions, with `row_id` from 0 up.
        joined: keys of each table from `join_view`.
        chosen: SQL expressions to select, `row_id` among them.
        block: rows of a table that is yielded, at most.

    Raises:
        AssertionError: a row was lost or doubled; the message names the first one.
    """
    joins = " ".join(
        f"LEFT JOIN {identifier(name)} USING "
        f"({', '.join(['shown_at', *(identifier(key) for key in keys)])})"
        for name, keys in joined.items()
    )
    rows = count(connection, f"SELECT count(*) FROM {identifier(table)}")
    found = connection.execute(
        f"SELECT {', '.join(chosen)} FROM {identifier(table)} {joins} ORDER BY row_id"
    ).to_arrow_reader(block)
    done = 0
    for batch in found:
        part = pa.Table.from_batches([batch])
        expected = pa.array(range(done, done + part.num_rows), pa.int64())
        if not part.column("row_id").combine_chunks().equals(expected):
            numbers = part.column("row_id").to_pylist()
            first = next(i for i, number in enumerate(numbers) if number != done + i)
            raise AssertionError(
                f"row {done + first} of {table} is {numbers[first]} after the joins"
            )
        done += part.num_rows
        yield part
    assert done == rows, f"{done} rows of {rows} after the joins"


def _assert_same_keys(connection: duckdb.DuckDBPyConnection, view: str) -> None:
    asked = count(connection, "SELECT count(*) FROM asked")
    answered = count(connection, "SELECT count(*) FROM answer")
    distinct = count(connection, "SELECT count(DISTINCT asked_id) FROM answer")
    missing = connection.execute(
        "SELECT * FROM asked ANTI JOIN answer USING (asked_id) LIMIT 3"
    ).fetchall()
    assert (answered, distinct, missing) == (asked, asked, []), (
        f"view {view}: asked for {asked} keys, got {answered} rows of {distinct}; missing {missing}"
    )
