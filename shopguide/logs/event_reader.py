"""Read CSV, TSV, Parquet or lines of JSON as text, and say which rows cannot be read and why."""

import csv
import errno
import glob
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.logs._text import as_utf8
from shopguide.logs._whole import Records, refuse_mixed_line_ends, refuse_what_is_not_whole
from shopguide.spec.event_log import Layout

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}

_REASONS = {
    "MISSING COLUMNS": "too few fields",
    "TOO MANY COLUMNS": "too many fields",
    "INVALID ENCODING": "not UTF-8",
    "UNQUOTED VALUE": "a quote that is not closed",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
}
_MEND = "Mend the row, or leave it out"

_OWN = ("_file", "_file_number", "_line")
"""Columns that say where a row stands."""

_OURS = {*_OWN, "_n"} | {
    f"_{field}"
    for field in (
        "user", "item", "kind", "at", "value", "session", "event", "place", "request", "position",
        "propensity", "weight", "received", "currency", "text_of_value", "skipped",
    )
}  # fmt: skip
"""Columns that are added to those of the export."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file to read: where it is, a copy in UTF-8, and its place among the files."""

    path: Path
    readable: Path
    number: int

    @property
    def own(self) -> str:
        return f"{quote(str(self.path))} AS _file, {self.number} AS _file_number"


def find_files(layout: Layout, where: str) -> list[Path]:
    """Return the files that a section's paths and globs name, in order.

    Raises:
        ShopguideError: one of them names nothing, a folder, or what may not be read.
    """
    paths = [layout.path] if isinstance(layout.path, str) else layout.path
    files: list[Path] = []
    for path in paths:
        found = [Path(name) for name in sorted(glob.glob(path, recursive=True))]  # noqa: PTH207 - a glob may be absolute
        whole = [file for file in found if file.is_file()]
        if not whole and found:
            raise ShopguideError(
                f"{where} {path}", "is a folder", f"Give a file, or a glob such as {path}/*.csv"
            )
        if not whole:
            _refuse_open(path, where)
            raise ShopguideError(
                f"{where} {path}", "no such file", "Give the path of the export, or a glob"
            )
        files += whole
    return list(dict.fromkeys(files))


def _refuse_open(path: str, where: str) -> None:
    """Say so where all that is there are feedback files that a service is still writing."""
    number = len(glob.glob(f"{path}.open", recursive=True))  # noqa: PTH207 - a glob may be absolute
    if number:
        raise ShopguideError(
            f"{where} {path}",
            f"no closed file; {number} {'is' if number == 1 else 'are'} being written (*.open)",
            "They are closed after five minutes, and when the service stops",
        )


def read_export(
    connection: duckdb.DuckDBPyConnection,
    layout: Layout,
    files: Sequence[Path],
    *,
    table: str = "raw",
    columns: Sequence[tuple[str, str]] = (),
) -> int:
    """Create a table of every column as text, and `_file`, `_file_number`, `_line`.

    Ids stay text, so no digit is lost. A row with too few or too many fields is never padded: a
    line that was cut off can end in a plausible, wrong number. It goes into `quarantine`.

    Args:
        connection: where the table is made; holds `quarantine`.
        layout: how the files are written.
        files: one or more.
        table: its name.
        columns: columns that must be there, each with the field of the spec that names it.

    Returns:
        Rows of the files, those that cannot be read included.

    Raises:
        ShopguideError: a file is empty, broken, or lacks a column.
    """
    rows = 0
    for number, path in enumerate(files):
        with tempfile.TemporaryDirectory(prefix="shopguide-utf8-") as folder:
            rows += _read_file(connection, layout, path, number, Path(folder))
        _check_columns(connection, columns, path)
        if number:
            _refuse_other_columns(connection, path, files[0], table)
        into = f"INSERT INTO {table} BY NAME" if number else f"CREATE TABLE {table} AS"
        connection.execute(f"{into} SELECT * FROM one_file")
    kept = count(connection, f"SELECT count(*) FROM {table}")
    assert kept <= rows, f"{kept} rows of {rows}"
    return rows


def _read_file(
    connection: duckdb.DuckDBPyConnection, layout: Layout, path: Path, number: int, folder: Path
) -> int:
    """Make the table `one_file`; return the number of rows with those set apart."""
    suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".zst")]
    suffix = suffixes[-1] if suffixes else ""
    form = layout.format or _FORMATS.get(suffix, "csv")
    fix = "Give a whole CSV, TSV, JSONL or Parquet file, every quote closed"
    before = count(connection, "SELECT count(*) FROM quarantine")
    try:
        file = _File(path, path, number)
        if form == "parquet":
            _read_parquet(connection, file)
        else:
            file = _File(path, as_utf8(path, layout.encoding, folder), number)
            if form == "jsonl":
                _read_json(connection, file, refuse_what_is_not_whole(file.readable, None))
            else:
                delimiter = layout.delimiter or _DELIMITERS.get(suffix, ",")
                records = refuse_what_is_not_whole(file.readable, delimiter)
                _read_csv(connection, layout.header, file, delimiter, records)
    except PermissionError:
        raise ShopguideError(str(path), "may not be read", "Give yourself the right to") from None
    except (duckdb.Error, OSError) as error:
        refuse_full_disk(error)
        if form == "csv":
            refuse_mixed_line_ends(path)
        raise ShopguideError(str(path), f"cannot be read: {_first_line(error)}", fix) from None
    except ShopguideError as error:
        shown = str(error).replace(str(file.readable), str(path))
        raise _same(error, shown, file) from None
    kept = count(connection, "SELECT count(*) FROM one_file")
    apart = count(connection, "SELECT count(*) FROM quarantine") - before
    if not kept + apart:
        raise ShopguideError(str(path), "holds no row", "Export it again")
    return kept + apart


def _same(error: ShopguideError, shown: str, file: _File) -> ShopguideError:
    """Return an error about a copy as one about the file itself."""
    where = error.where.replace(str(file.readable), str(file.path))
    same = type(error)(where, error.what, error.fix)
    same.args = (shown,)
    return same


def refuse_full_disk(error: Exception) -> None:
    """Say so where an error is that of a disk that is full.

    Raises:
        ShopguideError: it is.
    """
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    told = ("No space left on device", "File too large", "failed to offload data block")
    if full or any(text in str(error) for text in told):
        raise ShopguideError(
            tempfile.gettempdir(),
            f"the disk is full: {_first_line(error)}",
            "Free some of it, or point TMPDIR and --out to a larger one",
        ) from None


def _header(connection: duckdb.DuckDBPyConnection, file: Path, delimiter: str) -> list[str]:
    """Read the column names: DuckDB opens every compression, the csv module knows quoting."""
    row = connection.execute(
        f"SELECT line FROM {_lines(file)} WHERE line IS NOT NULL LIMIT 1"
    ).fetchone()
    if row is None:
        raise ShopguideError(f"{file}, row 1", "no header", "Export it again, or set data.header")
    return name_columns(next(csv.reader([row[0].lstrip("\ufeff")], delimiter=delimiter)))


def name_columns(names: Sequence[str]) -> list[str]:
    """Return the names of a header; a column without one is called by its number."""
    return [name.strip() or f"column_{number}" for number, name in enumerate(names, 1)]


def _lines(file: Path) -> str:
    return (
        f"read_csv({quote(str(file))}, delim = '\x01', quote = '', escape = '', header = false, "
        "columns = {'line': 'VARCHAR'}, auto_detect = false, strict_mode = false, "
        "ignore_errors = true, parallel = false)"
    )


def _refuse_names(names: Sequence[str], where: str) -> None:
    """Refuse names that SQL cannot tell apart, or that we give to columns of our own."""
    folded = [name.casefold() for name in names]
    repeated = sorted({name for name in names if folded.count(name.casefold()) > 1})
    ours = sorted(name for name in names if name.casefold() in _OURS)
    if repeated:
        what, fix = f"the header repeats {', '.join(repeated)}", "Give each column one name"
    elif ours:
        what, fix = f"the name {', '.join(ours)} is taken", "Rename the column"
    else:
        return
    raise ShopguideError(where, what, f"{fix}, or name the columns in data.header")


def _read_parquet(connection: duckdb.DuckDBPyConnection, file: _File) -> None:
    source = quote(str(file.readable))
    columns = connection.execute(f"DESCRIBE FROM read_parquet({source})").fetchall()
    _refuse_names([row[0] for row in columns], str(file.path))
    texts = ", ".join(f"{identifier(row[0])}::VARCHAR AS {identifier(row[0])}" for row in columns)
    connection.execute(
        f"CREATE OR REPLACE TABLE one_file AS SELECT {texts}, {file.own}, "
        f"file_row_number + 1 AS _line FROM read_parquet({source}, file_row_number = true)"
    )
    told = count(connection, f"SELECT num_rows FROM parquet_file_metadata({source})")
    rows = count(connection, "SELECT count(*) FROM one_file")
    assert rows == told, f"{file.path}: {rows} of {told} rows were read"


def _read_json(connection: duckdb.DuckDBPyConnection, file: _File, records: Records) -> None:
    """Read one object a line; a number keeps its digits, an object within one stays JSON."""
    connection.execute(
        f"CREATE OR REPLACE TABLE json_lines AS SELECT line, row_number() OVER () AS _line "
        f"FROM {_lines(file.readable)}"
    )
    read = count(connection, "SELECT count(*) FROM json_lines WHERE line IS NOT NULL")
    _hold(file, records, read)
    good = "coalesce(json_type(try_cast(line AS JSON)) = 'OBJECT', false)"
    connection.execute(
        f"INSERT INTO quarantine SELECT {quote(str(file.path))}, _line, NULL, 'no JSON object', "
        f"left(line, 120), {quote(_MEND)}, line FROM json_lines "
        f"WHERE NOT {good} AND trim(coalesce(line, '')) <> ''"
    )
    connection.execute(f"DELETE FROM json_lines WHERE NOT {good}")
    keys = [
        row[0]
        for row in connection.execute(
            "SELECT key FROM (SELECT unnest(json_keys(line)) AS key, _line FROM json_lines) "
            "GROUP BY key ORDER BY min(_line), key"
        ).fetchall()
    ]
    _refuse_names(keys, str(file.path))
    fields = "".join(
        f"json_extract_string(line, {quote(_pointer(key))}) AS {identifier(key)}, " for key in keys
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE one_file AS SELECT {fields}{file.own}, _line FROM json_lines"
    )
    connection.execute("DROP TABLE json_lines")


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _read_csv(
    connection: duckdb.DuckDBPyConnection,
    header: list[str] | None,
    file: _File,
    delimiter: str,
    records: Records,
) -> None:
    names = header or _header(connection, file.readable, delimiter)
    _refuse_names(names, "data.header" if header else f"{file.path}, row 1")
    columns = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in names)
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute("DROP TABLE IF EXISTS reject_scans")
    connection.execute(
        f"CREATE OR REPLACE TABLE read_rows AS SELECT * FROM read_csv("
        f"{quote(str(file.readable))}, delim = {quote(delimiter)}, "
        f"header = {str(header is None).lower()}, columns = {{{columns}}}, auto_detect = false, "
        "quote = '\"', escape = '\"', strict_mode = true, store_rejects = true, "
        "null_padding = false, rejects_limit = 0, parallel = false)"
    )
    first = 2 if header is None else 1
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE bad_lines AS SELECT line, any_value(error_type::VARCHAR) AS "
        "kind, any_value(csv_line) AS raw FROM reject_errors GROUP BY line"
    )
    reasons = " ".join(f"WHEN {quote(k)} THEN {quote(v)}" for k, v in _REASONS.items())
    connection.execute(
        f"INSERT INTO quarantine SELECT {quote(str(file.path))}, line, NULL, "
        f"CASE kind {reasons} ELSE lower(kind) END, "
        f"left(trim(raw, E' \\r\\n\\t'), 120), {quote(_MEND)}, raw "
        "FROM bad_lines"
    )
    _number_lines(connection, file, first)
    _hold_to_count(connection, file, records, first - 1)


def _number_lines(connection: duckdb.DuckDBPyConnection, file: _File, first: int) -> None:
    """Give each row the number of its line in the file: the n-th line that was not rejected."""
    rows, rejects = (
        count(connection, f"SELECT count(*) FROM {table}") for table in ("read_rows", "bad_lines")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE one_file AS
        WITH lines AS (
            SELECT line, row_number() OVER (ORDER BY line) AS _n
            FROM range({first}, {first + rows + rejects}) AS r(line)
            ANTI JOIN bad_lines USING (line)
        ), numbered AS (SELECT *, row_number() OVER () AS _n FROM read_rows)
        SELECT numbered.* EXCLUDE (_n), {file.own}, lines.line AS _line
        FROM numbered JOIN lines USING (_n)
        """
    )
    numbered = count(connection, "SELECT count(*) FROM one_file")
    assert numbered == rows, f"{file.path}: {numbered} of {rows} rows got a line number"


def _hold_to_count(
    connection: duckdb.DuckDBPyConnection, file: _File, records: Records, header: int
) -> None:
    """Refuse to go on with fewer or more rows than the file has records."""
    read = header + count(connection, "SELECT count(*) FROM read_rows")
    read += count(connection, "SELECT count(*) FROM bad_lines")
    quotes = count(connection, "SELECT count(*) FROM bad_lines WHERE kind = 'UNQUOTED VALUE'")
    if not quotes:
        _hold(file, records, read)


def _hold(file: _File, records: Records, read: int) -> None:
    if records.number is None or read == records.number:
        return
    refuse_mixed_line_ends(file.readable)
    raise ShopguideError(
        str(file.path),
        f"holds {records.number:,} lines, and {read:,} were understood",
        "Check data.delimiter, quotes and line ends (LF, or CRLF throughout)",
    )


def _check_columns(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[tuple[str, str]], file: Path
) -> None:
    present = [row[0] for row in connection.execute("DESCRIBE one_file").fetchall()]
    shown = ", ".join(name for name in present if name not in _OWN)
    problems = [
        ShopguideError(
            str(file), f"no column {column!r} ({field}); it has {shown}", "Map a column that it has"
        )
        for field, column in columns
        if column not in present
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _refuse_other_columns(
    connection: duckdb.DuckDBPyConnection, file: Path, first: Path, table: str
) -> None:
    here, there = (
        {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
        for name in ("one_file", table)
    )
    if here != there:
        found = ", ".join(sorted(here - there)) or "none"
        missing = ", ".join(sorted(there - here)) or "none"
        raise ShopguideError(
            str(file),
            f"other columns than {first}: more {found}; lacking {missing}",
            "Export all files with the same columns",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
