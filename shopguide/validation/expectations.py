"""Great Expectations suites, derived from the spec, run on data frames."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from shopguide.logs._duckdb import identifier
from shopguide.validation.result import Check

if TYPE_CHECKING:
    import great_expectations.expectations as gxe

_LARGEST = 1.7e308  # infinity is above it


@dataclass(frozen=True, slots=True)
class Expectation:
    """A GX expectation with what it says to a person.

    Args:
        code: kind of check.
        column: what it is about.
        expected: what must hold, as a sentence.
        fix: what to do if it does not.
        rule: the expectation itself.
    """

    code: str
    column: str
    expected: str
    fix: str
    rule: "gxe.Expectation"


def not_null(column: str, fix: str) -> Expectation:
    """Every row has a value."""
    import great_expectations.expectations as gxe

    rule = gxe.ExpectColumnValuesToNotBeNull(column=column)
    return Expectation("not_null", column, "has a value in every row", fix, rule)


def unique(columns: Sequence[str], fix: str) -> Expectation:
    """No two rows have the same key."""
    import great_expectations.expectations as gxe

    rule: gxe.Expectation
    if len(columns) == 1:
        rule = gxe.ExpectColumnValuesToBeUnique(column=columns[0])
    else:
        rule = gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns))
    return Expectation("unique", ", ".join(columns), "stands once", fix, rule)


def between(
    column: str,
    fix: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: bool = False,
) -> Expectation:
    """Every value that is there is finite and within the bounds.

    Args:
        column: of numbers.
        fix: what to do if not.
        least: lower bound.
        most: upper bound; None: any finite number.
        above: whether the lower bound itself is out.
    """
    import great_expectations.expectations as gxe

    rule = gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=least,
        max_value=_LARGEST if most is None else most,
        strict_min=above,
    )
    bound = "" if least is None else f" and {'above' if above else 'at least'} {least:g}"
    top = "" if most is None else f", at most {most:g}"
    return Expectation("range", column, f"is finite{bound}{top}", fix, rule)


def in_set(column: str, values: Sequence[Any], fix: str) -> Expectation:
    """Every value is one of these."""
    import great_expectations.expectations as gxe

    rule = gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))
    shown = ", ".join(map(str, values))
    return Expectation("values", column, f"is one of {shown}", fix, rule)


def mean_inside(column: str, fix: str, *, most: float | None) -> Expectation:
    """The mean is above 0, and below `most`: a label that never changes teaches nothing."""
    import great_expectations.expectations as gxe

    rule = gxe.ExpectColumnMeanToBeBetween(
        column=column, min_value=0, strict_min=True, max_value=most, strict_max=True
    )
    top = "" if most is None else f" and below {most:g}"
    return Expectation("label_rate", column, f"has a mean above 0{top}", fix, rule)


def not_above(child: str, parent: str, fix: str) -> Expectation:
    """A later stage of a funnel never happens without the earlier one."""
    import great_expectations.expectations as gxe

    rule = gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=parent, column_B=child, or_equal=True
    )
    return Expectation("funnel_order", child, f"happens only where {parent} does", fix, rule)


def run_suite(table: str, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Check]:
    """Run expectations on one table, all at once.

    Args:
        table: what messages call it.
        frame: its columns that are named; a missing one fails its expectations.
        expectations: to run.
    """
    missing = _missing_columns(table, frame, expectations)
    present = [e for e in expectations if not _columns(e) - set(frame.columns)]
    if not present:
        return missing
    with _quiet():
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name=table)
        for number, expectation in enumerate(present):
            expectation.rule.meta = {"number": number}
            suite.add_expectation(expectation.rule)
        outcome = batch.validate(suite, result_format="SUMMARY")
    by_number = {result.expectation_config.meta["number"]: result for result in outcome.results}
    return missing + [_check(table, e, by_number[n]) for n, e in enumerate(present)]


def _columns(expectation: Expectation) -> set[str]:
    rule = expectation.rule
    named = [getattr(rule, name, None) for name in ("column", "column_A", "column_B")]
    return {name for name in named if name} | set(getattr(rule, "column_list", None) or [])


def named_columns(
    connection: duckdb.DuckDBPyConnection, table: str, expectations: Sequence[Expectation]
) -> pd.DataFrame:
    """Read the columns that expectations name, and no others; texts as categories.

    Args:
        connection: has the table.
        table: its name.
        expectations: whose columns are read.
    """
    wanted = {column for expectation in expectations for column in _columns(expectation)}
    present = [row[0] for row in connection.execute(f"DESCRIBE {identifier(table)}").fetchall()]
    chosen = ", ".join(identifier(column) for column in present if column in wanted)
    query = f"SELECT {chosen or '1'} FROM {identifier(table)}"
    table_read = connection.execute(query).arrow().read_all()
    frame: pd.DataFrame = table_read.to_pandas(strings_to_categorical=True)
    return frame


def _missing_columns(
    table: str, frame: pd.DataFrame, expectations: Sequence[Expectation]
) -> list[Check]:
    needed = {column for expectation in expectations for column in _columns(expectation)}
    return [
        Check(
            code="schema",
            where=f"{table}, column {column}",
            expected="is there",
            found=f"not among {', '.join(map(str, frame.columns))}",
            fix="Build the table again",
            severity="error",
            passes=False,
        )
        for column in sorted(needed - set(frame.columns))
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
