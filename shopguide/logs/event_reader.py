"""Read CSV, TSV or Parquet as text, and say which rows cannot be read and why."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.logs._whole import refuse_mixed_line_ends, refuse_what_is_not_whole
from shopguide.spec.data import EventLog

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}

_OURS = {"_file", "_file_number", "_line", "_n"} | {
    f"_{field}"
    for field in ("user", "item", "kind", "at", "value", "value_text", "session", "event", "place")
}
"""Columns that are added to those of the export."""

_REASONS = {
    "MISSING COLUMNS": "too few fields",
    "TOO MANY COLUMNS": "too many fields",
    "INVALID ENCODING": "not UTF-8",
    "UNQUOTED VALUE": "a quote that is not closed",
    "LINE SIZE OVER MAXIMUM": "the line is too long",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows that could not be read, each as an error that says where and why."""

    problems: Sequence[ShopguideError]


def read_export(
    connection: duckdb.DuckDBPyConnection, data: EventLog, files: Sequence[Path]
) -> Reading:
    """Create the table `raw`: every column as text, and `_file`, `_file_number`, `_line`.

    Ids stay text, so no digit is lost. A row with too few or too many fields is never padded: a
    line that was cut off can end in a plausible, wrong number.

    Args:
        connection: where the table is made.
        data: reads delimiter, header, columns and max_bad_rows.
        files: one or more.

    Raises:
        ShopguideError: a file is empty, broken, or lacks a column; or there are more unreadable
            rows than `max_bad_rows`.
    """
    problems: list[ShopguideError] = []
    for number, file in enumerate(files):
        rejected = _read_file(connection, data, file, number)
        _check_columns(connection, data, file)
        if number:
            _refuse_other_columns(connection, file, files[0])
        into = "INSERT INTO raw BY NAME" if number else "CREATE TABLE raw AS"
        connection.execute(f"{into} SELECT * FROM one_file")
        problems += rejected
    if len(problems) > data.max_bad_rows:
        shown = problems[:5]
        if len(problems) > len(shown):
            shown.append(
                ShopguideError(
                    f"data.path {data.path}",
                    f"{len(problems):,} rows cannot be read, {data.max_bad_rows} may be",
                    "Mend the export, or raise data.max_bad_rows",
                )
            )
        raise ShopguideError.combined(shown)
    return Reading(tuple(problems))


def _read_file(
    connection: duckdb.DuckDBPyConnection, data: EventLog, file: Path, number: int
) -> list[ShopguideError]:
    suffixes = [suffix for suffix in file.suffixes if suffix not in (".gz", ".zst")]
    suffix = suffixes[-1] if suffixes else ""
    fix = "Give a whole CSV, TSV or Parquet file in UTF-8, every quote closed"
    try:
        if suffix == ".parquet":
            _read_parquet(connection, file, number)
            rejected: list[ShopguideError] = []
        else:
            delimiter = data.delimiter or _DELIMITERS.get(suffix, ",")
            refuse_what_is_not_whole(file, delimiter)
            rejected = _read_csv(connection, data, file, number, delimiter)
    except (duckdb.Error, OSError) as error:
        if suffix != ".parquet":
            refuse_mixed_line_ends(file)
        raise ShopguideError(str(file), f"cannot be read: {_first_line(error)}", fix) from None
    if not count(connection, "SELECT count(*) FROM one_file") and not rejected:
        raise ShopguideError(str(file), "holds no row", "Export it again")
    return rejected


def _header(connection: duckdb.DuckDBPyConnection, file: Path, delimiter: str) -> list[str]:
    """Read the column names: DuckDB opens every compression, the csv module knows quoting."""
    row = connection.execute(
        f"SELECT line FROM read_csv({quote(str(file))}, delim = '\x01', quote = '', escape = '', "
        "header = false, columns = {'line': 'VARCHAR'}, auto_detect = false, strict_mode = false, "
        "ignore_errors = true) WHERE line IS NOT NULL LIMIT 1"
    ).fetchone()
    if row is None:
        raise ShopguideError(f"{file}, row 1", "no header", "Export it again, or set data.header")
    return next(csv.reader([row[0].lstrip("\ufeff")], delimiter=delimiter))


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


def _read_parquet(connection: duckdb.DuckDBPyConnection, file: Path, number: int) -> None:
    columns = connection.execute(f"DESCRIBE FROM read_parquet({quote(str(file))})").fetchall()
    _refuse_names([row[0] for row in columns], str(file))
    texts = ", ".join(f"{identifier(row[0])}::VARCHAR AS {identifier(row[0])}" for row in columns)
    connection.execute(
        f"CREATE OR REPLACE TABLE one_file AS SELECT {texts}, {quote(str(file))} AS _file, "
        f"{number} AS _file_number, file_row_number + 1 AS _line "
        f"FROM read_parquet({quote(str(file))}, file_row_number = true)"
    )


def _read_csv(
    connection: duckdb.DuckDBPyConnection, data: EventLog, file: Path, number: int, delimiter: str
) -> list[ShopguideError]:
    names = data.header or _header(connection, file, delimiter)
    _refuse_names(names, "data.header" if data.header else f"{file}, row 1")
    columns = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in names)
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute("DROP TABLE IF EXISTS reject_scans")
    connection.execute(
        f"CREATE OR REPLACE TABLE read_rows AS SELECT * FROM read_csv({quote(str(file))}, "
        f"delim = {quote(delimiter)}, header = {str(data.header is None).lower()}, "
        f"columns = {{{columns}}}, auto_detect = false, quote = '\"', escape = '\"', "
        "strict_mode = true, store_rejects = true, null_padding = false, rejects_limit = 0, "
        "parallel = false)"
    )
    rejects = connection.execute(
        "SELECT line, any_value(error_type), any_value(csv_line) FROM reject_errors "
        "GROUP BY line ORDER BY line"
    ).fetchall()
    first = 2 if data.header is None else 1
    connection.execute("CREATE OR REPLACE TEMP TABLE bad_lines (line BIGINT)")
    if rejects:
        connection.executemany("INSERT INTO bad_lines VALUES (?)", [[row[0]] for row in rejects])
    _number_lines(connection, file, number, first, len(rejects))
    return [
        ShopguideError(
            f"{file}, row {line}",
            f"{_REASONS.get(str(kind), str(kind).lower())}: {str(text).strip()[:120]!r}",
            "Mend the row, or allow it with data.max_bad_rows",
        )
        for line, kind, text in rejects
    ]


def _number_lines(
    connection: duckdb.DuckDBPyConnection, file: Path, number: int, first: int, rejects: int
) -> None:
    """Give each row the number of its line in the file: the n-th line that was not rejected."""
    rows = count(connection, "SELECT count(*) FROM read_rows")
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE one_file AS
        WITH lines AS (
            SELECT line, row_number() OVER (ORDER BY line) AS _n
            FROM range({first}, {first + rows + rejects}) AS r(line)
            ANTI JOIN bad_lines USING (line)
        ), numbered AS (SELECT *, row_number() OVER () AS _n FROM read_rows)
        SELECT numbered.* EXCLUDE (_n), {quote(str(file))} AS _file, {number} AS _file_number,
               lines.line AS _line
        FROM numbered JOIN lines USING (_n)
        """
    )
    numbered = count(connection, "SELECT count(*) FROM one_file")
    assert numbered == rows, f"{file}: {numbered} of {rows} rows got a line number"


def _check_columns(connection: duckdb.DuckDBPyConnection, data: EventLog, file: Path) -> None:
    present = [row[0] for row in connection.execute("DESCRIBE one_file").fetchall()]
    shown = ", ".join(name for name in present if not name.startswith("_"))
    named = {f"data.columns.{k}": v for k, v in data.columns.model_dump().items() if v is not None}
    named |= {f"data.item_attributes.{k}": v for k, v in data.item_attributes.items()}
    named |= {f"data.user_attributes.{k}": v for k, v in data.user_attributes.items()}
    problems = [
        ShopguideError(
            str(file), f"no column {column!r} ({field}); it has {shown}", "Map a column that it has"
        )
        for field, column in named.items()
        if column not in present
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _refuse_other_columns(connection: duckdb.DuckDBPyConnection, file: Path, first: Path) -> None:
    here, there = (
        {row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
        for table in ("one_file", "raw")
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
