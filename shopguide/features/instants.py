"""Instants as whole numbers, in Ibis: what every engine counts and compares alike.

Ibis has whole seconds only, and reaches them through a calendar: twenty times slower on DuckDB.
"""

import ibis
import ibis.expr.types as ir

_TYPES = (("timestamp('UTC', 6)",), "int64")


@ibis.udf.scalar.builtin(name="epoch_us", signature=_TYPES)  # type: ignore[untyped-decorator]  # no stubs
def _on_duckdb(at: ir.TimestampValue) -> ir.IntegerValue: ...


@ibis.udf.scalar.builtin(name="unix_micros", signature=_TYPES)  # type: ignore[untyped-decorator]  # no stubs
def _on_spark(at: ir.TimestampValue) -> ir.IntegerValue: ...


def micros(at: ir.TimestampValue) -> ir.IntegerValue:
    """Return the microseconds since 1970 of a column with the zone UTC."""
    found: ir.IntegerValue = _on_spark(at) if at.get_backend().name == "pyspark" else _on_duckdb(at)
    return found
