"""Run Great Expectations on the tables of a DuckDB connection, a few columns at a time."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from shopguide.logs._duckdb import identifier
from shopguide.validation.expectations import Expectation
from shopguide.validation.result import Check

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

_MOST_COLUMNS = 4
"""Columns in memory at once. GX copies its whole frame for each rule: narrow frames keep memory
and time in proportion to the columns, not to their square."""


def run_suite(
    connection: duckdb.DuckDBPyConnection, table: str, expectations: Sequence[Expectation]
) -> list[Check]:
    """Run expectations on one table, all at once.

    Args:
        connection: has the table.
        table: its name; messages call it so.
        expectations: to run; those of a column that is missing fail.
    """
    described = connection.execute(f"DESCRIBE {identifier(table)}").fetchall()
    present = [str(row[0]) for row in described]
    checks = _missing_columns(table, present, expectations)
    groups = _groups([e for e in expectations if e.columns <= set(present)])
    with _quiet():
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        for number, group in enumerate(groups):
            frame = _read(connection, table, [c for c in present if c in _columns(group)])
            checks += _validate(context, f"{table} {number}", frame, table, group)
    return checks


def _groups(expectations: Sequence[Expectation]) -> list[list[Expectation]]:
    """Expectations by the columns they share, with few columns in each group."""
    groups: list[list[Expectation]] = []
    for expectation in expectations:
        for group in groups:
            if expectation.columns <= _columns(group):
                group.append(expectation)
                break
        else:
            if groups and len(expectation.columns | _columns(groups[-1])) <= _MOST_COLUMNS:
                groups[-1].append(expectation)
            else:
                groups.append([expectation])
    return groups


def _columns(expectations: Sequence[Expectation]) -> set[str]:
    return {column for expectation in expectations for column in expectation.columns}


def _read(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> pd.DataFrame:
    """Columns of a table, texts as categories."""
    chosen = ", ".join(map(identifier, columns))
    read = connection.execute(f"SELECT {chosen} FROM {identifier(table)}").arrow().read_all()
    frame: pd.DataFrame = read.to_pandas(strings_to_categorical=True)
    return frame


def _validate(
    context: "EphemeralDataContext",
    name: str,
    frame: pd.DataFrame,
    table: str,
    expectations: Sequence[Expectation],
) -> list[Check]:
    import great_expectations as gx

    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name=name)
    for number, expectation in enumerate(expectations):
        expectation.rule.meta = {"number": number}
        suite.add_expectation(expectation.rule)
    outcome = batch.validate(suite, result_format="SUMMARY")
    context.data_sources.delete(name)  # it holds the frame
    by_number = {result.expectation_config.meta["number"]: result for result in outcome.results}
    return [_check(table, e, by_number[n]) for n, e in enumerate(expectations)]


def _missing_columns(
    table: str, present: Sequence[str], expectations: Sequence[Expectation]
) -> list[Check]:
    return [
        Check(
            code="schema",
            where=f"{table}, column {column}",
            expected="is there",
            found=f"not among {', '.join(present)}",
            fix="Build the table again",
            severity="error",
            passes=False,
        )
        for column in sorted(_columns(expectations) - set(present))
    ]


def _check(table: str, expectation: Expectation, result: Any) -> Check:  # noqa: ANN401 - GX result
    return Check(
        code=expectation.code,
        where=f"{table}, {expectation.column}",
        expected=expectation.expected,
        found=_found(result),
        fix=expectation.fix,
        severity="error",
        passes=bool(result.success),
    )


def _found(result: Any) -> str:  # noqa: ANN401 - GX result
    if result.exception_info and result.exception_info.get("raised_exception"):
        return str(result.exception_info.get("exception_message", "cannot be computed"))
    details = result.result or {}
    if "observed_value" in details:
        value = details["observed_value"]
        return f"{float(value):.6g}" if isinstance(value, (int, float)) else str(value)
    rows = int(details.get("element_count", 0))
    bad = int(details.get("unexpected_count", 0))
    if not bad:
        return f"all of {rows:,} rows"
    examples = [str(value) for value in (details.get("partial_unexpected_list") or [])[:3]]
    shown = f", such as {'; '.join(examples)}" if any(e != "None" for e in examples) else ""
    return f"not in {bad:,} of {rows:,} rows{shown}"


@contextmanager
def _quiet() -> Iterator[None]:
    """GX reports home and shows progress bars unless told not to."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        import great_expectations  # noqa: F401 - its import sets filters, ours come after

        warnings.simplefilter("ignore")
        yield
