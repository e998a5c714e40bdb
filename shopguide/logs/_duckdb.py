"""A DuckDB connection as the rooms use it: UTC, bounded memory, spilling to disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

MEMORY_LIMIT = "2GB"


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an in-memory connection that spills to a temporary folder above the memory limit."""
    with tempfile.TemporaryDirectory(prefix="shopguide-duckdb-") as folder:
        connection = duckdb.connect()
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("SET temp_directory = $folder", {"folder": folder})
            connection.execute("SET enable_progress_bar = false")
            yield connection
        finally:
            connection.close()


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """Return the one number that a query yields."""
    row = connection.execute(query).fetchone()
    assert row is not None, query
    return int(row[0] or 0)


def quote(text: str) -> str:
    """Quote a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
