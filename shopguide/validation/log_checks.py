"""Checks of the canonical log."""

from pathlib import Path

import duckdb

from shopguide.logs._duckdb import count, quote
from shopguide.logs.schema import REQUIRED_TABLES, TABLES
from shopguide.spec import Spec
from shopguide.validation.expectations import (
    Expectation,
    between,
    not_null,
    unique,
)
from shopguide.validation.result import Check
from shopguide.validation.suite import run_suite

_AGAIN = "Mend the export, and prepare the log again"


def check_log(connection: duckdb.DuckDBPyConnection, log: Path, spec: Spec) -> list[Check]:
    """Check the log's tables, each alone and against each other.

    Args:
        connection: for the queries; views of the tables are made in it.
        log: canonical log.
        spec: reads tasks, attribution and validation.
    """
    checks = _tables(connection, log)
    if any(not check.passes for check in checks):
        return checks
    for table in REQUIRED_TABLES:
        expectations = _expectations(connection, table)
        checks += run_suite(connection, table, expectations)
    return [*checks, _numbers(connection), *_references(connection), *_exposure(connection, spec)]


def _tables(connection: duckdb.DuckDBPyConnection, log: Path) -> list[Check]:
    checks = []
    for table in TABLES:
        path = log / f"{table}.parquet"
        if path.is_file():
            connection.execute(
                f'CREATE OR REPLACE VIEW "{table}" AS FROM read_parquet({quote(str(path))})'
            )
            present = {
                row[0]: row[1] for row in connection.execute(f'DESCRIBE "{table}"').fetchall()
            }
            checks += [
                Check(
                    "schema",
                    f"{table}, {column.name}",
                    f"is {column.type}",
                    present.get(column.name, "missing"),
                    _AGAIN,
                    "error",
                    present.get(column.name) == column.type
                    or (column.optional and column.name not in present),
                )
                for column in TABLES[table]
            ]
        elif table in REQUIRED_TABLES:
            checks.append(
                Check("schema", table, "is there", "no such file", _AGAIN, "error", passes=False)
            )
    return checks


def _expectations(connection: duckdb.DuckDBPyConnection, table: str) -> list[Expectation]:
    present = {row[0] for row in connection.execute(f'DESCRIBE "{table}"').fetchall()}
    expectations = [
        not_null(column.name, _AGAIN)
        for column in TABLES[table]
        if not column.nullable and column.name in present
    ]
    if table == "impressions":
        expectations.append(unique(["request_id", "item_id"], _AGAIN))
        expectations.append(between("sample_weight", _AGAIN, least=0, above=True))
        if "propensity" in present:
            expectations.append(between("propensity", _AGAIN, least=0, most=1, above=True))
    elif table == "events":
        expectations.append(between("value", _AGAIN, least=0))
    else:
        expectations.append(unique([f"{table[:-1]}_id"], _AGAIN))
    return expectations


def _numbers(connection: duckdb.DuckDBPyConnection) -> Check:
    """A value that is not a number looks like a missing one once it is in a data frame."""
    bad = count(connection, "SELECT count(*) FROM events WHERE isnan(value)")
    return Check(
        "not_a_number",
        "events, value",
        "is a number or missing",
        f"{bad:,} rows hold NaN",
        _AGAIN,
        "error",
        passes=not bad,
    )


def _references(connection: duckdb.DuckDBPyConnection) -> list[Check]:
    """Every user and item that is shown or acts is known."""
    checks = []
    for table in ("impressions", "events"):
        for entity in ("user", "item"):
            unknown = count(
                connection,
                f'SELECT count(*) FROM "{table}" ANTI JOIN "{entity}s" USING ({entity}_id)',
            )
            found = f"{unknown:,} rows without one"
            where = f"{table}, {entity}_id"
            expected = f"is in {entity}s"
            checks.append(
                Check("reference", where, expected, found, _AGAIN, "error", passes=not unknown)
            )
    return checks


def _exposure(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[Check]:
    """Outcomes belong to something that was shown."""
    orphans = count(
        connection,
        "SELECT count(*) FROM events AS e ANTI JOIN impressions AS i "
        "ON e.request_id = i.request_id AND e.item_id = i.item_id WHERE e.request_id IS NOT NULL",
    )
    checks = [
        Check(
            "exposure",
            "events, request_id",
            "names a request that showed the item",
            f"{orphans:,} events without such an impression",
            "Export the impressions of these requests too",
            "error",
            passes=not orphans,
        )
    ]
    if spec.attribution.match == "request":
        return checks
    events = sorted({event for task in spec.tasks.values() for event in task.events})
    kinds = ", ".join(map(quote, events))
    outcomes = count(connection, f"SELECT count(*) FROM events WHERE kind IN ({kinds})")
    unexposed = count(
        connection,
        "SELECT count(*) FROM events ANTI JOIN impressions USING (user_id, item_id) "
        f"WHERE kind IN ({kinds})",
    )
    share = unexposed / outcomes if outcomes else 0.0
    limit = spec.validation.max_unexposed
    checks.append(
        Check(
            "exposure",
            "events",
            f"at most {limit:.0%} of the outcomes are of a user and item never shown",
            f"{share:.1%}: {unexposed:,} of {outcomes:,} events",
            "Export the views or impressions of the same period, or raise validation.max_unexposed",
            "error",
            passes=share <= limit,
        )
    )
    return checks
