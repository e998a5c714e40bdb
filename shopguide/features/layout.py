"""How Feast lays out its online stores: keys of entities, names of fields, values.

Feast writes; here are only the bytes that a reader needs, so that the service loads no Feast. They
are those of `entity_key_serialization_version: 3`; a test holds them against Feast's own code.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError

Cell = bytes | None
"""A stored value: the message `feast.types.Value`; None or empty: null."""

_STRING = 2  # feast.types.ValueType.STRING
_TEXT, _DOUBLE, _TIME, _LIST = 0x12, 0x29, 0x40, 0x62
# tags of string_val, double_val, unix_timestamp_val and string_list_val
_MEMBER = 0x0A  # tag of a text in a list
_NULL = b"\x98\x01\x00"  # null_val: NULL
_RECORD = np.dtype([("tag", "u1"), ("number", "<f8")])  # a double_val
_SMALL = 0x80  # below it a varint is one byte
NEVER = np.iinfo(np.int64).min
"""Microseconds that stand for no time, as numpy's NaT does."""


def entity_keys(names: Sequence[str], values: Sequence[Sequence[str]]) -> list[bytes]:
    """Return Feast's keys of entities whose key columns are text.

    Args:
        names: of the key columns.
        values: of each entity, in the order of `names`.
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    head = struct.pack("<I", len(names)) + b"".join(_counted(names[place]) for place in order)
    columns = [[_counted(entity[place]) for entity in values] for place in order]
    return [head + b"".join(parts) for parts in zip(*columns, strict=True)]


@lru_cache(maxsize=50_000)  # the same items come again and again
def _counted(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<II", _STRING, len(content)) + content


def doubles(cells: Sequence[Cell], where: str) -> NDArray[np.float64]:
    """Return numbers [N]; NaN where null.

    Raises:
        ShopguideError: a cell holds something else.
    """
    found, places = _present(cells)
    values = np.full(len(cells), np.nan)
    if found:
        if set(map(len, found)) != {_RECORD.itemsize}:
            raise _misfit(where, "a number")
        records = np.frombuffer(b"".join(found), _RECORD)
        if (records["tag"] != _DOUBLE).any():
            raise _misfit(where, "a number")
        values[places] = records["number"]
    return values


def times(cells: Sequence[Cell], where: str) -> NDArray[np.int64]:
    """Return microseconds since the epoch [N]; NEVER where null, or where the store says 0.

    Raises:
        ShopguideError: a cell holds something else.
    """
    found, places = _present(cells)
    values = np.full(len(cells), NEVER)
    lengths = [len(cell) for cell in found]
    for length in set(lengths):
        rows = [row for row, size in enumerate(lengths) if size == length]
        joined = b"".join([found[row] for row in rows])
        block = np.frombuffer(joined, np.uint8).reshape(-1, length)
        if (block[:, 0] != _TIME).any():
            raise _misfit(where, "a time")
        seconds = np.zeros(len(rows), np.uint64)
        for digit in range(1, length):  # a varint: seven bits a byte, the low ones first
            bits = (block[:, digit] & 0x7F).astype(np.uint64)
            seconds |= bits << np.uint64(7 * (digit - 1))
        signed = seconds.view(np.int64)
        values[places[rows]] = np.where(signed == 0, NEVER, signed * 1_000_000)
    return values


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


def _present(cells: Sequence[Cell]) -> tuple[list[bytes], NDArray[np.int64]]:
    places = [place for place, cell in enumerate(cells) if cell and cell != _NULL]
    return [cells[place] or b"" for place in places], np.array(places, dtype=np.int64)


def _misfit(where: str, wanted: str) -> ShopguideError:
    return ShopguideError(
        where, f"holds what is not {wanted}", "Run `shopguide materialize` with this version"
    )
