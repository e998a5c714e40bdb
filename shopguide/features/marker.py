"""What says that a view's online table is whole: a row in that very table.

Whoever drops or empties the table takes the marker along, so nothing can go on claiming that the
features are there. Feast reads by the keys of entities and never meets it.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER_KEY = b"shopguide"
"""Entity key of a marker; no key of Feast's: those begin with a count."""

MARKER_NAME = "written"


@dataclass(frozen=True, slots=True)
class Marker:
    """What the last finished write left in a table.

    Args:
        checksum: SHA-256 of the Parquet file with the entities' latest rows.
        cells: values in the table: one an entity and column.
        written_at: seconds since the epoch; None in a marker of an older version.
    """

    checksum: str
    cells: int
    written_at: float | None = None

    @classmethod
    def parse(cls, stored: bytes | str) -> "Marker":
        """Read it as it is stored."""
        return cls(**json.loads(stored))

    def text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self))


_WRITER_SECONDS = 30.0
_READER_SECONDS = 0.2  # a request waits for it


@contextmanager
def opened(path: Path, timeout: float = _WRITER_SECONDS) -> Iterator[sqlite3.Connection]:
    """Open an online store that exists, for a transaction.

    Args:
        path: of the file.
        timeout: seconds to wait for others that hold it.

    Raises:
        sqlite3.OperationalError: there is no such file, and one is not made; or it is held.
    """
    uri = f"{path.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=timeout)) as connection, connection:
        yield connection


def read_marker(connection: sqlite3.Connection, table: str) -> Marker | None:
    """Return the marker of a table; None: the table, or the marker in it, is not there.

    Args:
        connection: to the online store.
        table: of a view; made of the names of spec and view.
    """
    if not _exists(connection, table):
        return None
    found = connection.execute(
        f"SELECT value FROM {_quoted(table)} WHERE entity_key = ? AND feature_name = ?",
        (MARKER_KEY, MARKER_NAME),
    ).fetchone()
    return None if found is None else Marker.parse(found[0])


def write_marker(connection: sqlite3.Connection, table: str, checksum: str) -> None:
    """Note that a table holds the rows of a file, and how many cells it has with them."""
    marker = Marker(checksum, count_cells(connection, table), time.time())
    connection.execute(
        f"INSERT OR REPLACE INTO {_quoted(table)} (entity_key, feature_name, value) "
        "VALUES (?, ?, ?)",
        (MARKER_KEY, MARKER_NAME, marker.text().encode()),
    )


def count_cells(connection: sqlite3.Connection, table: str) -> int:
    """Count the values that a table holds; 0 if there is none."""
    if not _exists(connection, table):
        return 0
    (cells,) = connection.execute(
        f"SELECT count(*) FROM {_quoted(table)} WHERE entity_key <> ?", (MARKER_KEY,)
    ).fetchone()
    return int(cells)


def read_markers(path: Path, tables: Iterable[str]) -> dict[str, Marker]:
    """Return the markers that are there, by table: a look-up each, no scan.

    Args:
        path: the online store.
        tables: those that should be filled.

    Raises:
        sqlite3.OperationalError: another process holds the store.
    """
    try:
        with opened(path, _READER_SECONDS) as connection:
            found = {table: read_marker(connection, table) for table in tables}
    except sqlite3.OperationalError:
        if path.is_file():
            raise
        return {}
    return {table: marker for table, marker in found.items() if marker is not None}


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None


def _quoted(table: str) -> str:
    return '"' + table.replace('"', '""') + '"'
