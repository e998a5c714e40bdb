"""Read Feast's PostgreSQL online store: all queries of a request in one round trip, undecoded."""

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from shopguide.errors import ShopguideError
from shopguide.features.cells import Cells
from shopguide.features.layout import Cell
from shopguide.features.marker import MARKER_KEY, Marker
from shopguide.features.online_views import Ask

if TYPE_CHECKING:
    from psycopg import Connection


def connection_fields(connection: str, variable: str) -> dict[str, str]:
    """Return the fields of a PostgreSQL URL.

    Args:
        connection: `postgresql://user:password@host:5432/database?sslmode=…`.
        variable: that it was read from, for messages.

    Raises:
        ShopguideError: it is not of that form.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = {name: str(value) for name, value in conninfo_to_dict(connection).items()}
        if not {"host", "dbname", "user"} <= found.keys():
            raise ProgrammingError
    except ProgrammingError:
        raise ShopguideError(
            f"environment variable {variable}",
            "is no address of a PostgreSQL database",
            "Write postgresql://user:password@host:5432/database",
        ) from None
    return found


def connect(connection: str, *, timeout: float) -> "Connection[Any]":
    """Open a connection that commits each statement.

    Args:
        connection: a PostgreSQL URL.
        timeout: seconds, of connecting (no less than 2) and of each statement.
    """
    import psycopg

    limit = f"-c statement_timeout={max(1, round(1e3 * timeout))}"
    return psycopg.connect(
        connection, autocommit=True, connect_timeout=max(2, round(timeout)), options=limit
    )


def quoted(table: str) -> str:
    """Return a table's name for a query."""
    return '"' + table.replace('"', '""') + '"'


class PostgresReader:
    """Reads a PostgreSQL store; a connection a thread, opened again when it is lost.

    Args:
        connection: a PostgreSQL URL.
        timeout: seconds of one statement.
        place: of the server without secrets, for messages.
    """

    def __init__(self, connection: str, *, timeout: float, place: str) -> None:
        self.place = place
        self._url = connection
        self._timeout = timeout
        self._local = threading.local()

    def markers(self, tables: Iterable[str]) -> dict[str, Marker]:
        """Return the markers that are there, by table."""
        wanted = list(tables)
        connection = self._connection()
        there = connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename = ANY(%s)", (wanted,)
        ).fetchall()
        found = {}
        for (table,) in there:
            query: Any = f"SELECT value FROM {quoted(table)} WHERE entity_key = %s"
            row = connection.execute(query, (MARKER_KEY,)).fetchone()
            if row is not None:
                found[table] = Marker.parse(bytes(row[0]))
        return found

    def fetch(self, asks: Sequence[Ask]) -> list[list[Cell]]:
        """Return the cells [entities · columns] of each ask; None where nothing is stored.

        Raises:
            psycopg.Error: the server does not answer, or not in time, or has no such table.
        """
        connection = self._connection()
        with connection.pipeline():
            cursors = []
            for ask in asks:
                query: Any = (
                    "SELECT entity_key, feature_name, value "
                    f"FROM {quoted(ask.view.table)} WHERE entity_key = ANY(%s)"
                )
                cursor = connection.cursor(binary=True)
                cursors.append(cursor.execute(query, (ask.keys,)))
        return [_cells(ask, cursor.fetchall()) for ask, cursor in zip(asks, cursors, strict=True)]

    def close(self) -> None:
        """Close this thread's connection; others are closed when their threads end."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _connection(self) -> "Connection[Any]":
        found: Connection[Any] | None = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._local.connection = connect(self._url, timeout=self._timeout)
        return found


def _cells(ask: Ask, rows: Iterable[tuple[bytes, str, bytes]]) -> list[Cell]:
    cells = Cells(ask)
    cells.put(rows)
    return cells.found
