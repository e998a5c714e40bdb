"""Refuse a text file that is not whole: DuckDB reads what there is of one and says nothing."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from shopguide.errors import ShopguideError

_CHUNK = 1 << 20
_SHOWN = 120


def refuse_what_is_not_whole(file: Path, delimiter: str) -> None:
    """Refuse an empty file, a gzip that ends early, and a quote that is open at the end.

    Args:
        file: CSV or TSV; a .zst is checked for emptiness alone.
        delimiter: between fields; a quote opens a field only at the field's beginning.

    Raises:
        ShopguideError: the file is not whole.
    """
    if file.stat().st_size == 0:
        raise ShopguideError(str(file), "is empty", "Export it again")
    if file.suffix == ".zst":
        return
    try:
        _refuse_open_quote(file, delimiter.encode())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ShopguideError(
            str(file), f"not a whole gzip file: {error}", "Copy or export it again"
        ) from None


def refuse_mixed_line_ends(file: Path) -> None:
    """Refuse a file whose lines end now in LF, now in CRLF, which DuckDB cannot read strictly.

    Args:
        file: CSV or TSV that could not be read; a .zst is not looked into.

    Raises:
        ShopguideError: names the first line that ends in another way than the first one.
    """
    if file.suffix == ".zst":
        return
    first: bool | None = None
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
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
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        rest = b""
        while chunk := stream.read(_CHUNK):
            piece = rest + chunk
            kept = len(piece) - len(piece.rstrip(b'"'))
            rest = piece[len(piece) - kept :]
            yield piece[: len(piece) - kept]
        if rest:
            yield rest
