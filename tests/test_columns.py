"""Columns of a request become Arrow's without a change, and take other values in single rows."""

import numpy as np
import pyarrow as pa
import pytest

from shopguide.columns import NEVER, Same, Values, as_arrow, replaced

STAMP = pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (np.array([1.5, np.nan]), pa.float64(), [1.5, None]),
        (Same(2.0), pa.float64(), [2.0, 2.0]),
        (Same(float("nan")), pa.float64(), [None, None]),
        (["a", None], pa.string(), ["a", None]),
        (Same(None), pa.string(), [None, None]),
        ([["a"], None], pa.list_(pa.string()), [["a"], None]),
        (Same(["a", "b"]), pa.list_(pa.string()), [["a", "b"]] * 2),
    ],
)
def test_what_is_missing_is_null(values: Values, kind: pa.DataType, expected: list[object]) -> None:
    found = as_arrow(values, 2, kind)
    assert found.type == kind
    assert found.to_pylist() == expected


def test_times_are_microseconds() -> None:
    assert as_arrow(np.array([7, NEVER]), 2, STAMP).cast(pa.int64()).to_pylist() == [7, None]
    assert as_arrow(Same(7), 2, STAMP).cast(pa.int64()).to_pylist() == [7, 7]


@pytest.mark.parametrize(
    ("values", "kind", "change", "expected"),
    [
        (np.array([1.0, 2.0]), "numeric", 5.0, [1.0, 5.0]),
        (Same(1.0), "numeric", None, [1.0, None]),
        (Same(None), "numeric", 3, [None, 3.0]),
        (np.array([1, 2]), "recency", None, [1, None]),
        (Same(None), "recency", 9, [None, 9]),
        (Same("a"), "categorical", "b", ["a", "b"]),
        (["a", "c"], "categorical", None, ["a", None]),
        (Same(None), "sequence", ["x"], [None, ["x"]]),
    ],
)
def test_single_rows_take_other_values(
    values: Values, kind: str, change: object, expected: list[object]
) -> None:
    types = {"numeric": pa.float64(), "recency": STAMP, "categorical": pa.string()}
    found = as_arrow(
        replaced(values, 2, kind, {1: change}), 2, types.get(kind, pa.list_(pa.string()))
    )
    assert (found.cast(pa.int64()) if kind == "recency" else found).to_pylist() == expected


def test_the_stores_own_column_is_left_alone() -> None:
    kept = np.array([1.0, 2.0])
    replaced(kept, 2, "numeric", {0: 9.0})
    assert kept.tolist() == [1.0, 2.0]
