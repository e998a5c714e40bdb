"""Which events are stored already: an index over the files, made anew from them where it is behind.

The files are the truth. The index lives in sqlite, whose write lock also keeps the writers of one
folder apart, of this process and of others.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from serving.feedback_files import OPEN, closed_path, files_of, require_in_place, take_over
from serving.feedback_rows import IMPRESSION
from serving.metrics import FEEDBACK

_log = logging.getLogger("shopguide.serving")

_WAIT_SECONDS = 10.0
_AT_ONCE = 500  # parameters of one statement
_TABLES = """
CREATE TABLE IF NOT EXISTS events (id BLOB PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (id BLOB PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
"""


class FeedbackIndex:
    """Knows the ids of stored events, and the requests of stored impressions.

    Args:
        folder: of the feedback; `index.db` in it is the index, and may be deleted while no service
            runs.
        today: date of now, UTC.
        remember_days: how long an id is known.

    Raises:
        OSError: a file cannot be read or closed.
        sqlite3.Error: the index cannot be opened.
    """

    def __init__(self, folder: Path, *, today: date, remember_days: float) -> None:
        self._folder, self._path = folder, folder / "index.db"
        self._connection = sqlite3.connect(
            self._path,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._opened = self._path.stat()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_TABLES)
        with self.writing():
            self._catch_up((today - timedelta(days=remember_days)).isoformat())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's write lock; what was added is kept if the body ends well."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def known_events(self, ids: Sequence[str]) -> set[str]:
        """Return those ids that are stored."""
        return self._known("events", ids)

    def known_requests(self, ids: Sequence[str]) -> set[str]:
        """Return those requests that a stored impression names."""
        return self._known("requests", ids)

    def add(self, day: str, events: Iterable[str], requests: Iterable[str]) -> None:
        """Add ids; those that are known stay as they are."""
        for table, ids in (("events", events), ("requests", requests)):
            self._connection.executemany(
                f"INSERT OR IGNORE INTO {table} VALUES (?, ?)",  # noqa: S608 - our own names
                ((_key(one), day) for one in ids),
            )

    def indexed(self, path: Path, size: int) -> None:
        """Note that a file is indexed up to a size."""
        name = str(closed_path(path).relative_to(self._folder))
        self._connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (name, size))

    def require_in_place(self) -> None:
        """Refuse to go on with an index that was deleted or moved.

        Raises:
            FileNotFoundError: it was.
        """
        require_in_place(self._path, self._opened)

    def close(self) -> None:
        """Close the index."""
        self._connection.close()

    def _known(self, table: str, ids: Sequence[str]) -> set[str]:
        keys = {_key(one): one for one in ids}
        found: set[str] = set()
        wanted = list(keys)
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            query = f"SELECT id FROM {table} WHERE id IN ({marks})"  # noqa: S608 - our own names
            found.update(keys[row[0]] for row in self._connection.execute(query, part))
        return found

    def _catch_up(self, since: str) -> None:
        """Close what dead writers left, and index what was written and not indexed."""
        for table in ("events", "requests"):
            self._connection.execute(f"DELETE FROM {table} WHERE day < ?", (since,))  # noqa: S608
        sizes = dict(self._connection.execute("SELECT name, size FROM files").fetchall())
        for path in list(files_of(self._folder, since)):
            file = take_over(path) if path.name.endswith(OPEN) else path
            if file is None:
                continue
            size = file.stat().st_size
            if sizes.get(str(file.relative_to(self._folder))) != size:
                self._read(file)
                self.indexed(file, size)

    def _read(self, file: Path) -> None:
        day = file.parent.name.removeprefix("date=")
        bad: list[int] = []
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    events, requests = _ids_of(line)
                except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                    bad.append(number)
                else:
                    self.add(day, events, requests)
        if bad:
            FEEDBACK.labels("unreadable").inc(len(bad))
            _log.error(
                "%s: %d lines cannot be read and are passed over, the first is line %d",
                file.relative_to(self._folder),
                len(bad),
                bad[0],
            )


def _ids_of(line: bytes) -> tuple[list[str], list[str]]:
    """Return the event of a line, and the request if it is an impression's."""
    row = json.loads(line)
    event, shown = row["event_id"], row["kind"] == IMPRESSION
    requests = [row["request_id"]] if shown else []
    for one in (event, *requests):
        one.encode()  # fails for what is no text
    return [event], requests


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
