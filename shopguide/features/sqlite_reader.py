"""Read Feast's sqlite online store: the cells of all entities that a request needs, undecoded."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from shopguide.features.cells import Cells
from shopguide.features.layout import Cell
from shopguide.features.marker import Marker, read_markers
from shopguide.features.online_views import Ask

_STEPS = 10_000  # of sqlite's machine, between two looks at the clock
_MAPPED = 1 << 27  # bytes of the file that are read without copying; they count as memory
_MOST = 900  # keys a query: every build of sqlite takes that many parameters


class SqliteReader:
    """Reads the embedded store; a connection a thread, all of the file that is there now.

    Args:
        path: of the file; it may not be there yet.
        timeout: seconds of one `fetch`, or of waiting for a writer.
    """

    def __init__(self, path: Path, *, timeout: float) -> None:
        self.place = str(path)
        self._path = path
        self._timeout = timeout
        self._local = threading.local()
        self._file: int | None = None

    def markers(self, tables: Iterable[str]) -> dict[str, Marker]:
        """Return the markers that are there, by table; look whether the file is another one."""
        found = read_markers(self._path, tables)
        self._file = self._path.stat().st_ino if self._path.is_file() else None
        return found

    def fetch(self, asks: Sequence[Ask]) -> list[list[Cell]]:
        """Return the cells [entities · columns] of each ask; None where nothing is stored.

        Raises:
            sqlite3.Error: there is no such file or table, or time is over.
        """
        connection = self._connection()
        self._local.deadline = time.monotonic() + self._timeout
        return [self._cells(connection, ask) for ask in asks]

    def close(self) -> None:
        """Close this thread's connection; others are closed when their threads end."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _cells(self, connection: sqlite3.Connection, ask: Ask) -> list[Cell]:
        cells = Cells(ask)
        table = '"' + ask.view.table.replace('"', '""') + '"'
        for first in range(0, len(ask.keys), _MOST):
            keys = ask.keys[first : first + _MOST]
            marks = ",".join("?" * len(keys))
            query = (
                f"SELECT entity_key, feature_name, value FROM {table} WHERE entity_key IN ({marks})"
            )
            cells.put(connection.execute(query, keys))
        return cells.found

    def _connection(self) -> sqlite3.Connection:
        local = self._local
        if getattr(local, "connection", None) is None or local.file != self._file:
            self.close()
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(
                uri, uri=True, timeout=self._timeout, check_same_thread=False
            )
            connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
            connection.set_progress_handler(lambda: time.monotonic() > local.deadline, _STEPS)
            local.connection, local.file = connection, self._file
        found: sqlite3.Connection = local.connection
        return found
