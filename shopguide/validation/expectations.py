"""The kinds of Great Expectations rules that data are held to, each with its fix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

    @property
    def columns(self) -> set[str]:
        """The columns that the rule reads."""
        named = [getattr(self.rule, name, None) for name in ("column", "column_A", "column_B")]
        return {name for name in named if name} | set(getattr(self.rule, "column_list", None) or [])


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
