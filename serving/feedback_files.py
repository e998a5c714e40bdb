"""Append-only files of JSON lines: durable before they are acknowledged, whole once closed.

    FOLDER/TABLE/date=2026-01-31/part-….jsonl.open    being written, locked by its writer
    FOLDER/TABLE/date=2026-01-31/part-….jsonl         closed for ever

The date is that of receipt, UTC, so a day that is over never changes.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OPEN = ".open"
"""Suffix of a file that is being written."""


class LinesFile:
    """One open file of a table.

    Args:
        folder: of the feedback.
        table: impressions or events.
        date: of receipt, ISO 8601.
    """

    def __init__(self, folder: Path, table: str, date: str) -> None:
        self.date = date
        self.began = time.monotonic()
        partition = folder / table / f"date={date}"
        partition.mkdir(parents=True, exist_ok=True)
        name = f"part-{time.time_ns()}-{os.getpid()}-{os.urandom(3).hex()}.jsonl{OPEN}"
        self.path = partition / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o640)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.size = 0
        for parent in (partition, partition.parent, folder, folder.parent):
            sync_folder(parent)

    def append(self, lines: bytes) -> None:
        """Append whole lines and wait until they are on the disk; all of them, or none.

        Raises:
            OSError: they could not be written, or the file is no longer where it was; it is as it
                was.
        """
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
            require_in_place(self.path, os.fstat(self._descriptor))
        except OSError:
            self.back_to(self.size)
            raise
        self.size += len(lines)

    def back_to(self, size: int) -> None:
        """Forget what was appended after a size, as far as the disk lets us."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        self.size = size

    def abandon(self) -> None:
        """Give up the lock and leave the file open by name, for `take_over`."""
        os.close(self._descriptor)

    def close(self) -> Path:
        """Close the file for ever; return its last path. An empty one is removed."""
        closed = closed_path(self.path)
        if self.size:
            self.path.rename(closed)
        else:
            self.path.unlink()
        sync_folder(self.path.parent)
        os.close(self._descriptor)
        return closed


def require_in_place(path: Path, opened: os.stat_result) -> None:
    """Refuse to write into an opened file that was deleted or moved: nobody would find it again.

    Raises:
        FileNotFoundError: the path does not name that file now.
    """
    try:
        in_place = os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        in_place = False
    if not in_place:
        raise FileNotFoundError(errno.ENOENT, f"{path.name} was deleted or moved while it was open")


def files_of(folder: Path, since: str) -> Iterator[Path]:
    """Yield the files of all tables whose date is not before another, closed and open ones."""
    for partition in sorted(folder.glob("*/date=*")):
        if partition.name.removeprefix("date=") >= since:
            yield from sorted(partition.glob(f"part-*.jsonl{OPEN}"))
            yield from sorted(partition.glob("part-*.jsonl"))


def take_over(path: Path) -> Path | None:
    """Close what a dead process left open: cut off a torn last line, which nobody acknowledged.

    Returns:
        The closed file; None if its writer lives, or nothing whole was in it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
        size = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
        if size:
            path.rename(closed_path(path))
        else:
            path.unlink()
        sync_folder(path.parent)
        return closed_path(path) if size else None
    finally:
        os.close(descriptor)


def closed_path(path: Path) -> Path:
    """Return the name that an open file gets when it is closed."""
    return path.with_name(path.name.removesuffix(OPEN))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
