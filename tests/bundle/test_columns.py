"""A request's columns are encoded to the very numbers that the same rows of Arrow are."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.bundle import CategoricalInput, ListInput, NumericInput, Preprocessing
from shopguide.columns import NEVER, Columns, Same, Values, as_arrow

ROWS = 5
NOON = round(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp() * 1e6)
WORDS = ["a", "b", "zebra", "没有", None]


def _numeric(name: str, kind: str = "numeric", **more: object) -> NumericInput:
    fields = {"name": name, "kind": kind, "log": False, "centre": 1.0, "scale": 3.0}
    return NumericInput.model_validate(fields | {"indicator": True} | more)


PREPROCESSING = Preprocessing(
    categorical=[
        CategoricalInput(name="colour", vocabulary=["a", "b"]),
        CategoricalInput(name="id", buckets=7),
        CategoricalInput(name="both", of=["colour", "id"], vocabulary=["a\x1fb", "b\x1fb"]),
    ],
    lists=[
        ListInput(name="seen", kind="sequence", length=3, of="colour"),
        ListInput(name="tags", kind="bag", length=2, vocabulary=["a", "zebra"]),
    ],
    numeric=[
        _numeric("price"),
        _numeric("spend", log=True, indicator=False),
        _numeric("rank", knots=[0.0, 1.0, 10.0], ranks=[0.0, 0.5, 1.0]),
        _numeric("last", "recency", log=True),
    ],
)
KINDS = {
    "colour": pa.string(),
    "id": pa.string(),
    "seen": pa.list_(pa.string()),
    "tags": pa.list_(pa.string()),
    "price": pa.float64(),
    "spend": pa.float64(),
    "rank": pa.float64(),
    "last": pa.timestamp("us", tz="UTC"),
}

words = st.sampled_from(WORDS)
many = st.none() | st.lists(st.sampled_from(WORDS[:-1]), max_size=4)
numbers = st.floats(allow_nan=True, allow_infinity=True)
times = st.integers(0, 2 * NOON)


def _column(
    one: st.SearchStrategy[object], made: Callable[[list[object]], Values]
) -> st.SearchStrategy[Values]:
    alike = one.map(lambda value: Same(value))
    return alike | st.lists(one, min_size=ROWS, max_size=ROWS).map(made)


def _of(kind: pa.DataType) -> st.SearchStrategy[Values]:
    if kind == pa.float64():
        return _column(numbers, lambda values: np.array(values, np.float64))
    if pa.types.is_timestamp(kind):
        instants = _column(times, lambda values: np.array(values, np.int64))
        return instants | st.just(Same(None)) | st.just(np.array([NEVER, 7, NOON, 0, NEVER]))
    return _column(words if kind == pa.string() else many, list)


@given(st.fixed_dictionaries({name: _of(kind) for name, kind in KINDS.items()}))
def test_columns_are_encoded_as_the_table_of_them(values: dict[str, Values]) -> None:
    table = pa.table({name: as_arrow(values[name], ROWS, kind) for name, kind in KINDS.items()})
    shown = pa.array([NOON] * ROWS, pa.timestamp("us", tz="UTC"))
    codes, scaled = PREPROCESSING.transform(table.append_column("shown_at", shown))
    found_codes, found_scaled = PREPROCESSING.encode(Columns(values, ROWS, NOON))
    np.testing.assert_array_equal(found_codes, codes)
    np.testing.assert_array_equal(found_scaled, scaled)
    assert found_scaled.dtype == scaled.dtype


def test_no_rows_are_encoded_to_none() -> None:
    values: dict[str, Values] = {name: Same(None) for name in KINDS}
    codes, scaled = PREPROCESSING.encode(Columns(values, 0, NOON))
    assert codes.shape == (0, PREPROCESSING.code_width)
    assert scaled.shape == (0, PREPROCESSING.numeric_width)


@pytest.mark.parametrize("buckets", [None, 3])
def test_a_text_has_one_code_however_it_is_held(buckets: int | None) -> None:
    column = CategoricalInput(
        name="c", vocabulary=["b", "a"] if buckets is None else [], buckets=buckets
    )
    of_arrow = column.encode_text(pa.chunked_array([pa.array(WORDS, pa.string())]))
    assert column.encode_cells(WORDS).tolist() == of_arrow.tolist()
