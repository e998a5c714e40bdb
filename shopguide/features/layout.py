"""How Feast lays out its online stores: keys of entities, names of fields, values.

Feast writes; here are only the bytes that a reader needs, so that the service loads no Feast. They
are those of `entity_key_serialization_version: 3`; a test holds them against Feast's own code.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from shopguide.columns import NEVER
from shopguide.errors import ShopguideError

Cell = bytes | None
"""A stored value: the message `feast.types.Value`; None or empty: null."""

_STRING = 2  # feast.types.ValueType.STRING
_TEXT, _DOUBLE, _TIME, _LIST = 0x12, 0x29, 0x40, 0x62
# tags of string_val, double_val, unix_timestamp_val and string_list_val
_MEMBER = 0x0A  # tag of a text in a list
_NULL = b"\x98\x01\x00"  # null_val: NULL
_RECORD = np.dtype([("tag", "u1"), ("number", "<f8")])  # a double_val
_NAN = struct.pack("<Bd", _DOUBLE, np.nan)
_NO_TIME = bytes([_TIME, 0])
_LONGEST = 11  # bytes of a time: its tag, and a varint of 64 bits
_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)  # of the digits of a varint
_SMALL = 0x80  # below it a varint is one byte


def entity_keys(names: Sequence[str], values: Sequence[Sequence[str]]) -> list[bytes]:
    """Return Feast's keys of entities whose key columns are text.

    Args:
        names: of the key columns.
        values: of each entity, in the order of `names`.
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    head = struct.pack("<I", len(names)) + b"".join(_counted(names[place]) for place in order)
    columns = list(zip(*values, strict=True))
    parts = [map(_counted, columns[place]) for place in order] if columns else [()]
    return list(map(b"".join, zip(repeat(head), *parts)))


@lru_cache(maxsize=50_000)  # the same items come again and again
def _counted(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<II", _STRING, len(content)) + content


def doubles(cells: Sequence[Cell], where: str) -> NDArray[np.float64]:
    """Return numbers [N]; NaN where null.

    Raises:
        ShopguideError: a cell holds something else.
    """
    found = [cell if cell and cell != _NULL else _NAN for cell in cells]
    if not set(map(len, found)) <= {_RECORD.itemsize}:
        raise _misfit(where, "a number")
    records = np.frombuffer(b"".join(found), _RECORD)
    if (records["tag"] != _DOUBLE).any():
        raise _misfit(where, "a number")
    values: NDArray[np.float64] = records["number"]
    return values


def times(cells: Sequence[Cell], where: str) -> NDArray[np.int64]:
    """Return microseconds since the epoch [N]; NEVER where null, or where the store says 0.

    Raises:
        ShopguideError: a cell holds something else.
    """
    found = [cell if cell and cell != _NULL else _NO_TIME for cell in cells]
    block = np.frombuffer(b"".join([cell.ljust(_LONGEST, b"\0") for cell in found]), np.uint8)
    if len(block) != len(cells) * _LONGEST or (block[::_LONGEST] != _TIME).any():
        raise _misfit(where, "a time")
    digits = block.reshape(-1, _LONGEST)[:, 1:] & 0x7F  # seven bits a byte, the low ones first
    seconds = (digits.astype(np.uint64) << _SHIFTS).sum(axis=1, dtype=np.uint64).view(np.int64)
    return np.where(seconds == 0, NEVER, seconds * 1_000_000)


def texts(cells: Sequence[Cell], where: str) -> list[str | None]:
    """Return texts [N].

    Raises:
        ShopguideError: a cell holds something else.
    """
    return [_text(cell, where) if cell and cell != _NULL else None for cell in cells]


def lists(cells: Sequence[Cell], where: str) -> list[list[str] | None]:
    """Return lists of texts [N].

    Raises:
        ShopguideError: a cell holds something else.
    """
    return [_members(cell, where) if cell and cell != _NULL else None for cell in cells]


def _text(cell: bytes, where: str) -> str:
    if cell[0] != _TEXT:
        raise _misfit(where, "a text")
    _, start = _varint(cell, 1)
    return cell[start:].decode()


def _members(cell: bytes, where: str) -> list[str]:
    if cell[0] != _LIST:
        raise _misfit(where, "a list of texts")
    _, start = _varint(cell, 1)
    found = []
    while start < len(cell):
        if cell[start] != _MEMBER:
            raise _misfit(where, "a list of texts")
        length, start = _varint(cell, start + 1)
        found.append(cell[start : start + length].decode())
        start += length
    return found


def _varint(cell: bytes, start: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and where it ends."""
    number, shift = 0, 0
    while cell[start] >= _SMALL:
        number |= (cell[start] & 0x7F) << shift
        start, shift = start + 1, shift + 7
    return number | cell[start] << shift, start + 1


def _misfit(where: str, wanted: str) -> ShopguideError:
    return ShopguideError(
        where, f"holds what is not {wanted}", "Run `shopguide materialize` with this version"
    )
