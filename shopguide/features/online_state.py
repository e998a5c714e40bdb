"""What an online store really holds, against what was written last; the note that it is whole."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shopguide.errors import ShopguideError
from shopguide.features.layout import entity_keys
from shopguide.features.marker import (
    MARKER_KEY,
    MARKER_NAME,
    Marker,
    count_cells,
    opened,
    read_marker,
    write_marker,
)
from shopguide.features.online_store import connection_of
from shopguide.features.online_views import OnlineView
from shopguide.features.postgres_reader import connect as open_postgres
from shopguide.features.postgres_reader import quoted
from shopguide.features.redis_reader import connect, markers_key, timestamp_field
from shopguide.features.store import online_file
from shopguide.files import sha256
from shopguide.logs._duckdb import connect as open_duckdb
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.spec import Spec

if TYPE_CHECKING:
    from redis import Redis

_SAMPLE = 2_000
"""Entities of a view that are looked for in Redis, which cannot be counted without a scan."""

_PATIENCE = 30.0  # seconds that a server may take to answer the one who fills it


class OnlineState(Protocol):
    """Compares the store with what was written last, and marks views that are whole."""

    def compare(self, view: OnlineView, latest: Path) -> tuple[bool, int]:
        """Say whether the store holds what was written last, and how many entities are gone.

        Args:
            view: of which.
            latest: Parquet file of the rows that were written last; it may not be there.
        """

    def mark(self, view: OnlineView, latest: Path) -> None:
        """Note that the store holds the rows of a file, and when that was."""

    def close(self) -> None:
        """Close what is open."""


def online_state(spec: Spec) -> OnlineState:
    """Open the state of a spec's online store, made ready to be written.

    Raises:
        ShopguideError: the environment does not name the server, or it does not answer.
    """
    if spec.features.online_store.type == "sqlite":
        return SqliteState(online_file(spec.home))
    variable, connection = connection_of(spec)
    if spec.features.online_store.type == "postgres":
        return PostgresState(connection, variable)
    from redis.exceptions import RedisError

    client = connect(connection, variable, timeout=_PATIENCE)
    try:
        client.ping()
    except RedisError as error:
        what = f"does not answer: {type(error).__name__}: {str(error)[:200]}"
        raise ShopguideError(
            f"Redis of {variable}", what, "Start it, or set the variable to where it is"
        ) from None
    return RedisState(client, spec.name)


class SqliteState:
    """State of the embedded store.

    Args:
        path: of its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as connection:
            # with a write-ahead log a writer never makes a reader wait
            connection.execute("PRAGMA journal_mode = WAL")

    def compare(self, view: OnlineView, latest: Path) -> tuple[bool, int]:
        """Compare by the marker, and by the number of cells."""
        with opened(self._path) as online:
            marker, found = read_marker(online, view.table), count_cells(online, view.table)
        if not latest.is_file():
            return False, 0
        columns = len(view.columns)
        expected = _rows(latest) * columns if marker is None else marker.cells
        whole = marker is not None and marker.checksum == sha256(latest) and marker.cells == found
        return whole, -(-max(expected - found, 0) // columns)

    def mark(self, view: OnlineView, latest: Path) -> None:
        """Write the marker into the view's own table."""
        with opened(self._path) as online:
            write_marker(online, view.table, sha256(latest))

    def close(self) -> None:
        """Nothing is open between two calls."""


class PostgresState:
    """State of a PostgreSQL store, which Feast lays out as it does sqlite.

    Args:
        connection: URL of the database.
        variable: that it was read from.

    Raises:
        ShopguideError: the server does not answer.
    """

    def __init__(self, connection: str, variable: str) -> None:
        from psycopg import OperationalError

        try:
            self._connection = open_postgres(connection, timeout=_PATIENCE)
        except OperationalError as error:
            what = f"does not answer: {str(error).splitlines()[0][:200]}"
            raise ShopguideError(
                f"PostgreSQL of {variable}", what, "Start it, or set the variable to where it is"
            ) from None

    def compare(self, view: OnlineView, latest: Path) -> tuple[bool, int]:
        """Compare by the marker, and by the number of cells."""
        if not latest.is_file():
            return False, 0
        query = "SELECT value FROM {} WHERE entity_key = %s"
        found = self._asked(view, query, (MARKER_KEY,))
        marker = None if found is None else Marker.parse(bytes(found))
        cells = self._cells(view)
        expected = _rows(latest) * len(view.columns) if marker is None else marker.cells
        whole = marker is not None and marker.checksum == sha256(latest) and marker.cells == cells
        return whole, -(-max(expected - cells, 0) // len(view.columns))

    def mark(self, view: OnlineView, latest: Path) -> None:
        """Write the marker into the view's own table."""
        marker = Marker(sha256(latest), self._cells(view), time.time()).text().encode()
        query: Any = (
            f"INSERT INTO {quoted(view.table)} (entity_key, feature_name, value) "
            "VALUES (%s, %s, %s) ON CONFLICT (entity_key, feature_name) "
            "DO UPDATE SET value = excluded.value"
        )
        self._connection.execute(query, (MARKER_KEY, MARKER_NAME, marker))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _cells(self, view: OnlineView) -> int:
        query = "SELECT count(*) FROM {} WHERE entity_key <> %s"
        return int(self._asked(view, query, (MARKER_KEY,)) or 0)

    def _asked(self, view: OnlineView, query: str, values: tuple[bytes, ...]) -> Any:  # noqa: ANN401 - a cell
        filled: Any = query.format(quoted(view.table))
        row = self._connection.execute(filled, values).fetchone()
        return None if row is None else row[0]


class RedisState:
    """State of a Redis store: a marker a view in one hash, and a sample of its entities.

    Args:
        client: of the server.
        project: Feast's.
    """

    def __init__(self, client: "Redis", project: str) -> None:
        self._client = client
        self._project = project

    def compare(self, view: OnlineView, latest: Path) -> tuple[bool, int]:
        """Compare by the marker, and by whether a sample of entities is there."""
        found: Any = self._client.hget(markers_key(self._project), view.table)
        marker = None if found is None else Marker.parse(found)
        if not latest.is_file():
            return False, 0
        gone = self._gone(view, latest)
        return marker is not None and marker.checksum == sha256(latest) and not gone, gone

    def mark(self, view: OnlineView, latest: Path) -> None:
        """Write the marker into the hash of markers."""
        cells = _rows(latest) * len(view.columns)
        marker = Marker(sha256(latest), cells, time.time())
        self._client.hset(markers_key(self._project), view.table, marker.text())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _gone(self, view: OnlineView, latest: Path) -> int:
        """Estimate how many entities are gone, from evenly spread ones."""
        rows = _rows(latest)
        step = max(1, rows // _SAMPLE)
        names = ", ".join(identifier(key) for key in view.keys)
        with open_duckdb() as connection:
            query = f"SELECT {names} FROM read_parquet({quote(str(latest))}) ORDER BY {names}"
            entities = connection.execute(query).fetchall()[::step]
        with self._client.pipeline(transaction=False) as pipeline:
            for key in entity_keys(view.keys, entities):
                pipeline.hexists(_name(key + self._project.encode()), _name(timestamp_field(view)))
            there = sum(map(bool, pipeline.execute()))
        return -(-(len(entities) - there) * rows // max(1, len(entities)))


def _name(key: bytes) -> Any:  # noqa: ANN401 - redis-py takes bytes, its types say str
    return key


def _rows(latest: Path) -> int:
    with open_duckdb() as connection:
        return count(connection, f"SELECT count(*) FROM read_parquet({quote(str(latest))})")
