"""Writing that is whole or not there: temporary name, fsync, rename."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
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
    refuse_foreign(target, marker=marker)
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


def refuse_foreign(target: Path, *, marker: str) -> None:
    """Refuse a directory that `atomic_directory` would, before the work instead of after it.

    Raises:
        ShopguideError: the target is a file, or a directory with other content.
    """
    if target.is_file() or (
        target.is_dir() and any(target.iterdir()) and not (target / marker).is_file()
    ):
        raise ShopguideError(
            str(target), f"exists and holds no {marker}", "Name a new directory to write to"
        )


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


def write_texts(folder: str | Path, texts: Mapping[str, str]) -> None:
    """Write UTF-8 text files together: all of them, or none.

    Args:
        folder: where; it is made, and other files in it stay.
        texts: by name. The last one says by its presence that all are there: an older one of its
            name is gone before the first is replaced.

    Raises:
        ShopguideError: they cannot be written there.
    """
    with ExitStack() as stack:
        for name, text in reversed([*texts.items()]):  # the stack closes the last entered first
            staged = stack.enter_context(atomic_file(Path(folder) / name))
            staged.write_text(text, encoding="utf-8")
        (Path(folder) / [*texts][-1]).unlink(missing_ok=True)


def require_folder(path: str | Path, option: str, *, marker: str | None = None) -> None:
    """Refuse a folder that cannot be written, before the work whose result it is to hold.

    Args:
        path: folder to write; it may not exist yet.
        option: of the command line that names it.
        marker: file without which a folder with content is not ours to replace.

    Raises:
        ShopguideError: it or a part of its path is a file, it is not writable, or it holds
            something else.
    """
    folder = Path(path)
    _require_writable(folder, f"{option} {folder}")
    if marker and folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise ShopguideError(
            f"{option} {folder}", f"exists and holds no {marker}", "Name a new directory"
        )


def require_file(path: str | Path, option: str) -> None:
    """Refuse a file that cannot be written, before the work whose result it is to hold.

    Args:
        path: file to write or replace; it and its folder may not exist yet.
        option: of the command line that names it.

    Raises:
        ShopguideError: it is a folder or a device, or its folder is not writable.
    """
    file, where = Path(path), f"{option} {path}"
    if file.exists() and not file.is_file():
        raise ShopguideError(where, "exists and is not a regular file", "Name another file")
    _require_writable(file.parent, where)


def _require_writable(folder: Path, where: str) -> None:
    nearest = next(part for part in (folder.absolute(), *folder.absolute().parents) if _is(part))
    if not nearest.is_dir():
        raise ShopguideError(
            where,
            "exists and is a file" if nearest == folder.absolute() else f"{nearest} is a file",
            "Name a directory",
        )
    try:
        tempfile.TemporaryFile(dir=nearest).close()  # permissions alone say too little
    except OSError as error:
        why = f"cannot be written: {error.strerror or error}"
        raise ShopguideError(where, why, "Name another place") from None


def _is(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a part that is closed to us
        return False


def write_json(path: str | Path, content: object) -> None:
    """Write JSON atomically, readable and in a fixed layout."""
    write_text(path, json_text(content))


def json_text(content: object) -> str:
    """Return JSON, readable and in a fixed layout."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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
