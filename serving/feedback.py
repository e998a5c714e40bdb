"""Stores feedback durably, once per event id, and closes files that prepare can read."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from queue import Empty, Full, Queue

from pydantic_core import to_json

from serving.errors import RefusedError
from serving.feedback_files import LinesFile
from serving.feedback_index import FeedbackIndex
from serving.feedback_rows import Row, Rows, requests_of
from serving.schemas import FeedbackResponse

_log = logging.getLogger("shopguide.serving")

_WAITING = 256  # batches
_TOGETHER = 64  # batches that one wait for the disk makes durable
_SLEEP_SECONDS = 1.0

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


class FeedbackWriter:
    """A thread that stores what others hand it; batches that wait together cost one fsync.

    The store is opened by that thread, and opened again after a failure: a disk that was full or
    away is used again when it is back.

    Args:
        open_store: opens the store.
    """

    def __init__(self, open_store: Callable[[], FeedbackStore]) -> None:
        self._open = open_store
        self._queue: Queue[tuple[Rows, Future[Stored]] | None] = Queue(_WAITING)
        self._store: FeedbackStore | None = None
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    def submit(self, rows: Rows) -> Future[Stored]:
        """Hand over a batch; the future's result says that it is on the disk.

        Raises:
            RefusedError: too many wait already, or, from the future, it could not be stored.
        """
        future: Future[Stored] = Future()
        try:
            self._queue.put_nowait((rows, future))
        except Full:
            raise _not_stored("too much feedback is waiting for the disk") from None
        return future

    def close(self) -> None:
        """Store what waits, and close all files."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._opened()
        except (OSError, sqlite3.Error) as error:
            _log.error("feedback cannot be stored: %s", type(error).__name__)
        ended = False
        while not ended:
            jobs, ended = self._jobs()
            try:
                if jobs:
                    self._store_jobs(jobs)
                elif self._store is not None:
                    self._store.close_old(everything=ended)
            except (OSError, sqlite3.Error) as error:
                _log.error("feedback files: %s", type(error).__name__)
        if self._store is not None:
            self._store.close()

    def _jobs(self) -> tuple[list[tuple[Rows, Future[Stored]]], bool]:
        """Wait for batches; return those that are there, and whether this is the end."""
        jobs: list[tuple[Rows, Future[Stored]]] = []
        wait: float | None = _SLEEP_SECONDS
        while len(jobs) < _TOGETHER:
            try:
                job = self._queue.get(block=wait is not None, timeout=wait)
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            wait = None
        return jobs, False

    def _store_jobs(self, jobs: Sequence[tuple[Rows, Future[Stored]]]) -> None:
        try:
            answers = self._opened().store([rows for rows, _ in jobs])
        except Exception as error:  # noqa: BLE001 - each waits for an answer, whatever happened
            _log.error("feedback was not stored: %s: %s", type(error).__name__, _told(error))
            if self._store is not None:
                self._store.abandon()
                self._store = None
            for _, future in jobs:
                future.set_exception(_not_stored("the feedback could not be stored"))
            return
        for (_, future), answer in zip(jobs, answers, strict=True):
            future.set_result(answer)

    def _opened(self) -> FeedbackStore:
        if self._store is None:
            self._store = self._open()
        return self._store


def _id(row: Row) -> str:
    return str(row["event_id"])


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error))[:100]


def _not_stored(message: str) -> RefusedError:
    headers = {"Retry-After": "5"}
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "", f"{message}; send it again", headers=headers
    )


def folder_of(home: Path) -> Path:
    """Return the folder of a home's feedback."""
    return home / "feedback"
