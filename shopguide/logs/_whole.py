"""Refuse a text file that is not whole, and count its records: DuckDB reads what there is of one.

The count is taken from the bytes alone, so that the rows that were read can be held to it.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from shopguide.errors import ShopguideError

_CHUNK = 1 << 22
_SHOWN = 120
_QUOTE, _LF, _CR = 0x22, 0x0A, 0x0D


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a text file, blank lines not counted; None where quotes stand within fields."""

    number: int | None


@contextmanager
def open_bytes(file: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open a file for its bytes, unpacked where it ends in .gz or .zst."""
    if file.suffix == ".gz":
        with gzip.open(file) as unpacked:
            yield unpacked
    elif file.suffix == ".zst":
        with io.BufferedReader(pa.input_stream(str(file), compression="zstd")) as buffered:
            yield buffered
    else:
        with file.open("rb") as plain:
            yield plain


def refuse_what_is_not_whole(file: Path, delimiter: str | None) -> Records:
    """Refuse an empty file, one that is packed and ends early, and a quote that is open at the end.

    Args:
        file: CSV or TSV, or lines of JSON.
        delimiter: between fields; a quote opens a field only at the field's beginning. None: lines
            without fields, where a quote means nothing.

    Raises:
        ShopguideError: the file is not whole.
    """
    if file.stat().st_size == 0:
        raise ShopguideError(str(file), "is empty", "Export it again")
    kind = "gzip" if file.suffix == ".gz" else "zstd"
    try:
        records, quoted = _count(file, delimiter.encode() if delimiter is not None else None)
        if delimiter is not None and (quoted or records is None):
            _refuse_open_quote(file, delimiter.encode())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ShopguideError(
            str(file), f"not a whole {kind} file: {error}", "Copy or export it again"
        ) from None
    except OSError as error:
        if file.suffix != ".zst" or error.errno is not None:
            raise
        raise ShopguideError(
            str(file), f"not a whole {kind} file: {error}", "Copy or export it again"
        ) from None
    return Records(records)


def refuse_mixed_line_ends(file: Path) -> None:
    """Refuse a file whose lines end now in LF, now in CRLF, which DuckDB cannot read strictly.

    Args:
        file: CSV or TSV that could not be read.

    Raises:
        ShopguideError: names the first line that ends in another way than the first one.
    """
    first: bool | None = None
    with open_bytes(file) as stream:
        for number, line in enumerate(stream, 1):
            windows = line.endswith(b"\r\n")
            if first is None:
                first = windows
            elif windows != first and line.endswith(b"\n"):
                ends = ("CRLF", "LF") if windows else ("LF", "CRLF")
                raise ShopguideError(
                    f"{file}, line {number}",
                    f"ends in {ends[0]}, and line 1 in {ends[1]}",
                    "Let every line end alike, as dos2unix does",
                )


def _count(file: Path, delimiter: bytes | None) -> tuple[int | None, bool]:
    """Count line ends outside quotes, a chunk at a time; say whether a quote is open at the end.

    Quotes open and close in turn if every one that opens stands at the beginning of a field (a
    doubled one closes and opens again). Where one does not, the count is None.
    """
    before = np.array([0, _LF, _CR, _QUOTE, *(delimiter or b"")[-1:]], np.uint8)
    records, quoted, tail = 0, False, b"\n"  # a file begins like a line that follows another
    last = b""
    with open_bytes(file) as stream:
        while chunk := stream.read(_CHUNK):
            piece = np.frombuffer(tail + chunk, np.uint8)
            quotes = np.flatnonzero(piece[len(tail) :] == _QUOTE) + len(tail)
            if delimiter is None:
                quotes = quotes[:0]
            if not np.isin(piece[quotes[int(quoted) :: 2] - 1], before).all():
                return None, False
            ends = np.flatnonzero(piece[len(tail) :] == _LF) + len(tail)
            if len(quotes) or quoted:
                inside = (np.searchsorted(quotes, ends) + quoted) % 2 == 1
                ends = ends[~inside]
            blank = piece[ends - 1] == _LF
            blank |= (piece[ends - 1] == _CR) & (ends >= 2) & (piece[ends - 2] == _LF)
            records += len(ends) - int(blank.sum())
            quoted ^= bool(len(quotes) % 2)
            tail = (tail + chunk)[-2:]
            last = chunk[-1:]
    if last != b"\n" and tail != b"\n\r":
        records += 1
    return records, quoted


def _refuse_open_quote(file: Path, delimiter: bytes) -> None:
    """Walk from quote to quote; inside a quoted field, a doubled one is a character of it."""
    before_field = (b"", b"\n", b"\r", delimiter[-1:])
    line, quoted, opened = 1, False, (0, b"")
    last = b""  # byte before the piece
    for piece in _pieces(file):
        at = 0
        if quoted:
            opened = (opened[0], (opened[1] + piece)[:_SHOWN])
        while (found := piece.find(b'"', at)) >= 0:
            line += piece.count(b"\n", at, found)
            previous = piece[found - 1 : found] or last
            doubled = quoted and piece[found + 1 : found + 2] == b'"'
            if doubled:
                found += 1
            elif quoted:
                quoted = False
            elif previous in before_field:
                quoted, opened = True, (line, piece[found : found + _SHOWN])
            at = found + 1
        line += piece.count(b"\n", at)
        last = piece[-1:] or last
    if quoted:
        shown = opened[1].decode(errors="replace")
        raise ShopguideError(
            f"{file}, row {opened[0]}",
            f"a quote that is not closed before the file ends: {shown!r}",
            "Close it, or end the file before that row",
        )


def _pieces(file: Path) -> Iterator[bytes]:
    """Read in pieces that never part two quotes, nor a quote from the byte before it."""
    with open_bytes(file) as stream:
        rest = b""
        while chunk := stream.read(_CHUNK):
            piece = rest + chunk
            kept = len(piece) - len(piece.rstrip(b'"'))
            rest = piece[len(piece) - kept :]
            yield piece[: len(piece) - kept]
        if rest:
            yield rest
