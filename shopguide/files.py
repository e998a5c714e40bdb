"""Writing that is whole or not there: temporary name, fsync, rename."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shopguide.errors import ShopguideError


@contextmanager
def atomic_directory(target: str | Path, *, marker: str) -> Iterator[Path]:
    """Yield an empty directory that takes the target's place when the body ends well.

    Args:
        target: directory to write; an empty one, or one that holds `marker`, is replaced.
        marker: file that says that a directory is of our making.

    Raises:
        ShopguideError: the target is a file, or a directory with other content.
    """
    target = Path(target)
    if target.is_file() or (
        target.is_dir() and any(target.iterdir()) and not (target / marker).is_file()
    ):
        raise ShopguideError(
            str(target), f"exists and holds no {marker}", "Name a new directory to write to"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    try:
        yield staged
        for path in staged.rglob("*"):
            if path.is_file():
                _sync(path)
        if target.exists():
            old = target.with_name(f".{target.name}.{os.getpid()}.old")
            target.rename(old)
            staged.rename(target)
            shutil.rmtree(old)
        else:
            staged.rename(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def atomic_file(target: str | Path) -> Iterator[Path]:
    """Yield a path to write, which takes the target's place when the body ends well.

    Args:
        target: file to write or replace; its folder is made.

    Raises:
        ShopguideError: it cannot be written there.
    """
    target = Path(target)
    staged = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield staged
        _sync(staged)
        staged.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise ShopguideError(
            str(target), f"cannot be written: {error.strerror}", "Name another file"
        ) from None
    finally:
        with suppress(OSError):  # where there is no such folder, there is nothing to remove
            staged.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: object) -> None:
    """Write JSON atomically, readable and in a fixed layout."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
