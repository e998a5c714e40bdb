"""Stores feedback durably, once per event id, and closes files that prepare can read."""

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic_core import to_json

from serving.feedback_files import LinesFile
from serving.feedback_index import FeedbackIndex
from serving.feedback_rows import Row, Rows, requests_of
from serving.schemas import FeedbackResponse

Stored = FeedbackResponse


@dataclass(frozen=True, slots=True)
class Options:
    """How feedback is kept.

    Args:
        file_bytes: size after which a file is closed.
        file_seconds: age after which a file is closed, so that prepare can read it.
        remember_days: how long an event id is known.
    """

    file_bytes: int = 64_000_000
    file_seconds: float = 300.0
    remember_days: float = 30.0


class FeedbackStore:
    """The feedback of one home; one thread at a time uses it.

    Args:
        folder: it is made.
        options: how it is kept.
        answered: requests that the service answered.
        now: clock, UTC.

    Raises:
        OSError: the folder cannot be written.
        sqlite3.Error: its index cannot be.
    """

    def __init__(
        self,
        folder: Path,
        options: Options,
        answered: Container[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._options, self._answered, self._now = folder, options, answered, now
        self._index = FeedbackIndex(folder, today=now().date(), remember_days=options.remember_days)
        self._files: dict[str, LinesFile] = {}

    def store(self, batches: Sequence[Rows]) -> list[Stored]:
        """Store batches together; when it returns, they are on the disk.

        Raises:
            OSError: they could not be written, and none is stored.
            sqlite3.Error: the same.
        """
        self.close_old()
        day = self._now().date().isoformat()
        sizes: dict[str, int] = {}
        try:
            with self._index.writing():
                answers, new = self._sort_out(batches)
                for table, rows in (("impressions", new.impressions), ("events", new.events)):
                    if rows:
                        file = self._file(table, day)
                        sizes[table] = file.size
                        file.append(b"".join(to_json(row) + b"\n" for row in rows))
                        self._index.indexed(file.path, file.size)
                self._index.require_in_place()
                named = [row["request_id"] for row in new.impressions]
                self._index.add(day, map(_id, [*new.impressions, *new.events]), named)
        except BaseException:
            for table, size in sizes.items():
                self._files[table].back_to(size)
            raise
        return answers

    def close_old(self, *, everything: bool = False) -> None:
        """Close the files that are large or old enough, or all."""
        today = self._now().date().isoformat()
        for table, file in list(self._files.items()):
            old = time.monotonic() - file.began >= self._options.file_seconds
            if everything or old or file.size >= self._options.file_bytes or file.date != today:
                del self._files[table]
                file.close()

    def close(self) -> None:
        """Close all files and the index."""
        self.close_old(everything=True)
        self._index.close()

    def abandon(self) -> None:
        """Let go of all files as they are; whoever opens the store next closes them."""
        for file in self._files.values():
            file.abandon()
        self._files.clear()
        self._index.close()

    def _sort_out(self, batches: Sequence[Rows]) -> tuple[list[Stored], Rows]:
        """Tell new rows from those that are stored, or stand in an earlier batch."""
        ids = [_id(row) for rows in batches for row in (*rows.impressions, *rows.events)]
        seen = self._index.known_events(ids)
        named = {one for rows in batches for one in requests_of(rows)}
        strange = [one for one in named if one not in self._answered]
        unknown = set(strange) - self._index.known_requests(strange)
        answers, impressions, events = [], [], []
        for rows in batches:
            fresh = [row for row in rows.impressions if _id(row) not in seen]
            later = [row for row in rows.events if _id(row) not in seen]
            seen.update(map(_id, (*fresh, *later)))
            impressions += fresh
            events += later
            stored = len(fresh) + len(later)
            strangers = sum(one in unknown for one in requests_of(Rows(fresh, later)))
            answers.append(Stored(stored, len(rows) - stored, strangers))
        return answers, Rows(impressions, events)

    def _file(self, table: str, day: str) -> LinesFile:
        if table not in self._files:
            self._files[table] = LinesFile(self._folder, table, day)
        return self._files[table]


def _id(row: Row) -> str:
    return str(row["event_id"])


def folder_of(home: Path) -> Path:
    """Return the folder of a home's feedback."""
    return home / "feedback"
