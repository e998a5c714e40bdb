"""How a file is written: format, encoding, delimiter, header; read off its bytes."""

import codecs
import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shopguide.errors import ShopguideError
from shopguide.logs._whole import open_bytes
from shopguide.logs.event_reader import name_columns
from shopguide.spec.event_log import Encoding, Format

_CHUNK = 1 << 22
_LINES = 200
_DELIMITERS = (",", "\t", ";", "|", "\x01")
_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How one file is written.

    Args:
        path: as it was given.
        form: csv, parquet or jsonl.
        encoding: of text.
        delimiter: between fields; None in Parquet and JSON.
        header: names of the columns where the file has no header row, else None.
        why: what was seen, in words.
    """

    path: str
    form: Format
    encoding: Encoding
    delimiter: str | None
    header: tuple[str, ...] | None
    why: str

    def section(self) -> dict[str, object]:
        """Return the fields of a spec that say so; what the reader takes by itself is left out."""
        suffixes = [s for s in Path(self.path).suffixes if s not in (".gz", ".zst")]
        suffix = suffixes[-1] if suffixes else ""
        usual = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
        section: dict[str, object] = {}
        if usual.get(suffix, "csv") != self.form:
            section["format"] = self.form
        if self.encoding != "utf-8":
            section["encoding"] = self.encoding
        if self.form == "csv" and _BY_SUFFIX.get(suffix, ",") != self.delimiter:
            section["delimiter"] = self.delimiter
        if self.header is not None:
            section["header"] = list(self.header)
        return section


def look(path: str) -> FileLayout:
    """Say how a file is written.

    Raises:
        ShopguideError: there is no such file, it may not be read, or is empty or broken.
    """
    file = Path(path)
    if file.is_dir():
        raise ShopguideError(path, "is a folder", f"Give its files: {path.rstrip('/')}/*")
    if not file.is_file():
        raise ShopguideError(path, "no such file", "Give the path of an export")
    try:
        with open_bytes(file) as stream:
            head = stream.read(_CHUNK)
        if head[:4] == b"PAR1":
            return FileLayout(path, "parquet", "utf-8", None, None, "Parquet, by its first bytes")
        if not head.strip():
            raise ShopguideError(path, "is empty", "Export it again")
        encoding, why = _encoding(file, head)
    except PermissionError:
        raise ShopguideError(path, "may not be read", "Give yourself the right to") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        what = f"not a whole packed file: {error}"
        raise ShopguideError(path, what, "Copy or export it again") from None
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    lines = text.lstrip("\ufeff").splitlines()[:_LINES]
    if len(head) == _CHUNK:
        lines = lines[:-1] or lines
    if lines[0].lstrip().startswith("{"):
        return FileLayout(path, "jsonl", encoding, None, None, f"a JSON object a line, {why}")
    delimiter, rows = _delimiter(lines)
    header, told = _header(rows)
    shown = {"\t": "tab", "\x01": "byte 1"}.get(delimiter, delimiter)
    return FileLayout(
        path,
        "csv",
        encoding,
        delimiter,
        header,
        f"{len(rows[0])} fields by {shown!r}, {told}, {why}",
    )


def _encoding(file: Path, head: bytes) -> tuple[Encoding, str]:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", "UTF-16 by its byte order mark"
    if head.count(0) > len(head) // 4:
        return "utf-16", "UTF-16: every other byte is 0"
    piece = _first_that_is_not_utf8(file)
    if piece is None:
        mark = " with a byte order mark" if head.startswith(codecs.BOM_UTF8) else ""
        return "utf-8", f"UTF-8{mark}"
    high = [byte > 127 for byte in piece]
    pairs, alone, at = 0, 0, 0
    while at < len(piece):
        if not high[at]:
            at += 1
        elif at + 1 < len(piece) and high[at + 1]:
            pairs, at = pairs + 2, at + 2
        else:
            alone, at = alone + 1, at + 1
    if pairs > 4 * alone:
        return "gb18030", "no UTF-8; its high bytes come in pairs, as Chinese in GBK does"
    if any(0x80 <= byte < 0xA0 for byte in piece):
        return "cp1252", "no UTF-8; single high bytes, as Windows writes western letters"
    return "latin-1", "no UTF-8; single high bytes, as latin-1 writes western letters"


def _first_that_is_not_utf8(file: Path) -> bytes | None:
    """Return the first piece that is not UTF-8, None if all of the file is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(file) as stream:
        while True:
            chunk = stream.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return chunk[max(error.start - 1000, 0) : error.start + 100_000]
            if not chunk:
                return None


def _delimiter(lines: Sequence[str]) -> tuple[str, list[list[str]]]:
    """Return the delimiter that gives most lines the same number of fields, more than one."""
    best: tuple[float, int, str, list[list[str]]] = (0.0, 0, ",", [[line] for line in lines])
    for delimiter in _DELIMITERS:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        widths = Counter(map(len, rows))
        width, number = widths.most_common(1)[0]
        found = (round(number / len(rows), 1), width, delimiter, rows)
        if width > 1 and found[:2] > best[:2]:
            best = found
    return best[2], best[3]


def _header(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...] | None, str]:
    """Return names for a file that has none: its first row is like the others, or holds numbers."""
    first = [cell.strip() for cell in rows[0]]
    if any(_is_number(cell) for cell in first):
        names = tuple(name_columns([""] * len(first)))
        return names, "no header (its first row holds numbers)"
    body = list(zip(*[row for row in rows[1:] if len(row) == len(first)], strict=True))
    if body and not any(_is_number(cell) for column in body for cell in column[:20]):
        seen = [cell and cell in column for cell, column in zip(first, body, strict=True)]
        if any(seen):
            names = tuple(name_columns([""] * len(first)))
            return names, "no header (its first row repeats below)"
    return None, "a header"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
