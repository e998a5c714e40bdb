"""The thread that stores feedback: it outlives every failure, and says when it hangs."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from queue import Empty, SimpleQueue

from serving.errors import RefusedError
from serving.feedback import FeedbackStore, Stored
from serving.feedback_rows import Rows
from serving.metrics import FEEDBACK_TURN

_log = logging.getLogger("shopguide.serving")

_WAITING_BATCHES = 256
_WAITING_ROWS = 60_000  # a few seconds' work: the door gives a request 30
_TOGETHER_BATCHES = 64  # that one wait for the disk makes durable
_TOGETHER_ROWS = 10_000
_SLEEP_SECONDS = 1.0
_STUCK_SECONDS = 60.0

_Job = tuple[Rows, Future[Stored]]


class FeedbackWriter:
    """A thread that stores what others hand it; batches that wait together cost one fsync.

    The store is opened by that thread, and opened again after a failure: a disk that was full or
    away is used again when it is back.

    Args:
        open_store: opens the store.
        clock: seconds.
    """

    def __init__(
        self,
        open_store: Callable[[], FeedbackStore],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._clock = open_store, clock
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._batches = self._rows = 0  # handed over, and not answered
        self._turned = clock()
        self._store: FeedbackStore | None = None
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether the thread lives, and has not hung on one piece of work for a minute."""
        return self._thread.is_alive() and self._clock() - self._turned < _STUCK_SECONDS

    def submit(self, rows: Rows) -> Future[Stored]:
        """Hand over a batch; the future's result says that it is on the disk.

        A future that is cancelled before its batch is begun keeps it from being stored.

        Raises:
            RefusedError: too much waits already, or the thread hangs; or, from the future, the
                batch could not be stored.
        """
        if not self.works:
            raise _not_stored("feedback cannot be stored now")
        with self._lock:
            # A batch that is alone is taken, however large: the door bounds it.
            full = self._batches >= _WAITING_BATCHES or self._rows + len(rows) > _WAITING_ROWS
            if self._batches and full:
                raise _not_stored("too much feedback is waiting for the disk")
            self._batches += 1
            self._rows += len(rows)
        future: Future[Stored] = Future()
        self._queue.put((rows, future))
        return future

    def close(self) -> None:
        """Store what waits, and close all files."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._opened()
        except Exception as error:  # noqa: BLE001 - it is opened again for the next batch
            _log.error("feedback cannot be stored: %s: %s", type(error).__name__, _told(error))
        ended = False
        while not ended:
            self._turned = self._clock()
            FEEDBACK_TURN.set(time.time())
            jobs, ended = self._jobs()
            try:
                self._work(jobs, ended=ended)
            except Exception as error:  # noqa: BLE001 - without this thread nothing is stored
                _log.error("feedback files: %s: %s", type(error).__name__, _told(error))
                self._let_go()
        if self._store is not None:
            self._store.close()

    def _jobs(self) -> tuple[list[_Job], bool]:
        """Wait for batches; return those that are there, and whether this is the end."""
        jobs: list[_Job] = []
        rows = 0
        while len(jobs) < _TOGETHER_BATCHES and rows < _TOGETHER_ROWS:
            try:
                job = self._queue.get(block=not jobs, timeout=_SLEEP_SECONDS)
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
            rows += len(job[0])
        return jobs, False

    def _work(self, jobs: Sequence[_Job], *, ended: bool) -> None:
        self._turned = self._clock()
        try:
            wanted = [job for job in jobs if job[1].set_running_or_notify_cancel()]
            if wanted:
                self._store_jobs(wanted)
            elif self._store is not None:
                self._store.close_old(everything=ended)
        finally:
            with self._lock:
                self._batches -= len(jobs)
                self._rows -= sum(len(rows) for rows, _ in jobs)

    def _store_jobs(self, jobs: Sequence[_Job]) -> None:
        try:
            answers = self._opened().store([rows for rows, _ in jobs])
        except Exception as error:  # noqa: BLE001 - each waits for an answer, whatever happened
            _log.error("feedback was not stored: %s: %s", type(error).__name__, _told(error))
            for _, future in jobs:
                future.set_exception(_not_stored("the feedback could not be stored"))
            self._let_go()
            return
        for (_, future), answer in zip(jobs, answers, strict=True):
            future.set_result(answer)

    def _opened(self) -> FeedbackStore:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _let_go(self) -> None:
        """Forget the store; it is opened again for the next batch."""
        store, self._store = self._store, None
        if store is None:
            return
        try:
            store.abandon()
        except Exception as error:  # noqa: BLE001 - it is gone either way
            _log.error("feedback files: %s: %s", type(error).__name__, _told(error))


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error))[:100]


def _not_stored(message: str) -> RefusedError:
    headers = {"Retry-After": "5"}
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "", f"{message}; send it again", headers=headers
    )
