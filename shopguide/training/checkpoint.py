"""The state of a run on disk: written whole or not at all, and read without running any code."""

import json
import logging
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from shopguide.errors import ShopguideError

FORMAT = 1
_ANEW = "Train from the start, without --resume"
_SHOWN = 5
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    UnpicklingError,
    LookupError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
_log = logging.getLogger(__name__)

State = dict[str, Any]
"""Tensors, numbers, strings, and lists and dicts of them."""


def write_checkpoint(path: Path, state: State, identity: Mapping[str, object]) -> bool:
    """Write a run's state; on a full disk say so, and leave the last one as it was.

    Args:
        path: of the checkpoint.
        state: all that the rest of the run depends on.
        identity: the settings and the data that the state belongs to, JSON.

    Returns:
        Whether it was written.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}.new")
    content = {"format": FORMAT, "identity": json.dumps(identity), "state": state}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer wraps the system's error
        _log.warning("no checkpoint at %s, training goes on: %s", path, str(error).split("\n")[0])
        return False
    finally:
        staged.unlink(missing_ok=True)
    return True


def read_checkpoint(path: Path, identity: Mapping[str, object]) -> State:
    """Read the state of a run with the same identity.

    Raises:
        ShopguideError: the file is damaged, or belongs to other settings or data.
    """
    try:
        _refuse_flipped_bits(path)
        content = torch.load(path, weights_only=True)
        found, state = json.loads(content["identity"]), content["state"]
        version = content["format"]
    except _DAMAGE:
        raise ShopguideError(str(path), "is no whole checkpoint", _ANEW) from None
    if version != FORMAT:
        raise ShopguideError(str(path), f"has format {version}, can read {FORMAT}", _ANEW)
    differing = list(differences(found, json.loads(json.dumps(identity))))
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise ShopguideError(
            str(path),
            f"is of another run, which differs in {', '.join(differing[:_SHOWN])}{more}",
            "Resume with the spec and the training set it began with, or start without --resume",
        )
    assert isinstance(state, dict)
    return state


def _refuse_flipped_bits(path: Path) -> None:
    """Hold the file's parts to their CRC, which torch writes and does not read."""
    with zipfile.ZipFile(path) as file:
        if (part := file.testzip()) is not None:
            msg = f"{part} is damaged"
            raise zipfile.BadZipFile(msg)


def differences(old: object, new: object, where: str = "") -> Iterator[str]:
    """Yield where two JSON documents differ, with the two values where they are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            place = f"{where}.{key}" if where else str(key)
            yield from differences(old.get(key), new.get(key), place)
    elif old != new:
        short = len(str(old)) + len(str(new)) < 60
        yield f"{where} ({old}, now {new})" if short else where
