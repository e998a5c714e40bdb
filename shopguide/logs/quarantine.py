"""Rows that cannot be used: each is set apart with its reason, counted, and few may be."""

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import count, quote

EXAMPLES = 3
"""Examples of each reason: enough to see it, few enough to read."""

SHOWN_REASONS = 3

SAMPLE = 10_000
"""Rows that quarantine.csv holds at most."""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the empty table `quarantine`."""
    connection.execute(
        'CREATE TABLE quarantine (file VARCHAR, "row" BIGINT, "column" VARCHAR, reason VARCHAR, '
        "found VARCHAR, fix VARCHAR, raw VARCHAR)"
    )


def by_reason(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of rows set apart by reason, the commonest first."""
    found = connection.execute(
        "SELECT concat_ws(': ', \"column\", reason), count(*) FROM quarantine GROUP BY 1 "
        "ORDER BY 2 DESC, 1"
    ).fetchall()
    return {str(reason): int(number) for reason, number in found}


def examples(connection: duckdb.DuckDBPyConnection) -> list[ShopguideError]:
    """Return a few rows of each of the commonest reasons, in the order of the reasons."""
    rows = connection.execute(
        f"""
        WITH numbered AS (
            SELECT *, count(*) OVER reason AS number,
                   row_number() OVER (PARTITION BY "column", reason ORDER BY file, "row") AS _n
            FROM quarantine
            WINDOW reason AS (PARTITION BY "column", reason)
        ), ranked AS (
            SELECT *, dense_rank() OVER (ORDER BY number DESC, "column", reason) AS _rank
            FROM numbered
        )
        SELECT file, "row", "column", reason, found, fix, number FROM ranked
        WHERE _n <= {EXAMPLES} AND _rank <= {SHOWN_REASONS} ORDER BY _rank, _n
        """
    ).fetchall()
    return [_error(*row) for row in rows]


def _error(
    file: str, row: int, column: str | None, reason: str, found: str | None, fix: str, number: int
) -> ShopguideError:
    more = f" ({number:,} rows in all)" if number > EXAMPLES else ""
    if column is None:
        return ShopguideError(f"{file}, row {row}", f"{reason}: {found!r}{more}", fix)
    return ShopguideError(
        f"{file}, row {row}, column {column}", f"{found or ''!r} is {reason}{more}", fix
    )


def refuse_too_many(
    connection: duckdb.DuckDBPyConnection, where: str, rows: int, most: float
) -> None:
    """Refuse an export with too large a share of rows that cannot be used.

    Args:
        connection: holds `quarantine`.
        where: the export, for the message.
        rows: of the export, usable or not.
        most: share that may be set apart.

    Raises:
        ShopguideError: shows the three commonest reasons.
    """
    bad = count(connection, "SELECT count(*) FROM quarantine")
    if bad <= most * rows:
        return
    reasons = by_reason(connection)
    others = sum(list(reasons.values())[SHOWN_REASONS:])
    rest = f", {others:,} of them for other reasons" if others else ""
    total = ShopguideError(
        where,
        f"{bad:,} of {rows:,} rows cannot be used ({bad / rows:.2%}{rest}); {most:.2%} may be",
        "Mend the export, or raise data.max_bad_share",
    )
    raise ShopguideError.combined([*examples(connection), total])


def copy_sample(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    """Write the rows that were set apart, at most `SAMPLE` of them, as CSV."""
    connection.execute(
        f'COPY (SELECT file, "row", "column", reason, found, raw FROM quarantine '
        f'ORDER BY file, "row" LIMIT {SAMPLE}) TO {quote(path)} (FORMAT csv, HEADER)'
    )
