"""A folder that appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopguide.errors import ShopguideError


@contextmanager
def atomic_folder(target: Path, *, marker: str) -> Iterator[Path]:
    """Yield a folder beside the target that takes its place when the body succeeds.

    Args:
        target: folder to write; an empty one, or one that holds `marker`, is replaced.
        marker: file that says that a folder is of our making.

    Raises:
        ShopguideError: the target is a file, or a folder with other content.
    """
    if target.is_file() or (
        target.is_dir() and any(target.iterdir()) and not (target / marker).is_file()
    ):
        raise ShopguideError(
            str(target), f"exists and holds no {marker}", "Name a new folder to write to"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        written = scratch / "new"
        written.mkdir()
        yield written
        for path in (*written.iterdir(), written):
            _flush(path)
        if target.exists():
            target.rename(scratch / "old")
        written.rename(target)
        _flush(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
