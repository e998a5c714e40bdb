"""Preprocessing: exact values, and what it does with what it never saw."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.bundle import CategoricalInput, NumericInput, Preprocessing
from shopguide.bundle.preprocessing import CLIP, MISSING, UNKNOWN, signed_log1p

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def numeric(**changes: object) -> Preprocessing:
    fields = {"name": "x", "kind": "numeric", "log": False, "centre": 0.0, "scale": 1.0,
              "indicator": True}  # fmt: skip
    return Preprocessing(categorical=[], numeric=[NumericInput.model_validate(fields | changes)])


def scaled(preprocessing: Preprocessing, column: pa.Array) -> np.ndarray:
    shown = pa.array([NOON] * len(column), pa.timestamp("us", "UTC"))
    return preprocessing.transform(pa.table({"x": column, "shown_at": shown}))[1]


def test_codes_are_missing_unknown_then_the_vocabulary() -> None:
    column = CategoricalInput(name="c", vocabulary=["b", "a"])
    codes = column.encode(pa.chunked_array([["a", None], ["b", "z", "a"]]))
    assert codes[:, 0].tolist() == [3, MISSING, 2, UNKNOWN, 3]
    assert column.size == 4


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_text_is_text_however_it_is_stored(kind: pa.DataType) -> None:
    column = CategoricalInput(name="c", vocabulary=["b", "a"])
    assert column.encode(pa.chunked_array([pa.array(["a", None]).cast(kind)]))[:, 0].tolist() == [
        3,
        0,
    ]


def test_integers_are_read_as_the_text_they_print_as() -> None:
    column = CategoricalInput(name="c", vocabulary=["7"])
    assert column.encode(pa.chunked_array([pa.array([7, 8])]))[:, 0].tolist() == [2, UNKNOWN]


def test_numbers_are_centred_scaled_and_clipped() -> None:
    found = scaled(numeric(centre=10, scale=4), pa.array([12, 10, None, 1e9]))
    np.testing.assert_array_equal(found, [[0.5, 0], [0, 0], [0, 1], [CLIP, 0]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_missing(value: float) -> None:
    np.testing.assert_array_equal(scaled(numeric(), pa.array([value])), [[0, 1]])


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.float32(), pa.bool_()])
def test_any_number_type_will_do(kind: pa.DataType) -> None:
    found = scaled(numeric(), pa.array([1, None, 0]).cast(kind))
    np.testing.assert_array_equal(found, [[1, 0], [0, 1], [0, 0]])


def test_a_recency_is_an_age_in_days_when_shown() -> None:
    last = [NOON - timedelta(days=2, hours=12), None, NOON + timedelta(days=1)]
    column = pa.array(last, pa.timestamp("us", "UTC"))
    found = scaled(numeric(kind="recency"), column)
    np.testing.assert_allclose(found, [[2.5, 0], [0, 1], [0, 0]])  # the future counts as now


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_the_unit_of_a_time_does_not_matter(unit: str) -> None:
    column = pa.array([NOON - timedelta(days=1)], pa.timestamp(unit, "UTC"))
    assert scaled(numeric(kind="recency"), column)[0, 0] == 1


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=2))
def test_the_signed_log_keeps_order_and_sign(pair: list[float]) -> None:
    low, high = sorted(pair)
    logged = signed_log1p(np.array([low, high]))
    assert logged[0] <= logged[1]
    np.testing.assert_array_equal(signed_log1p(-np.array([low, high])), -logged)


def test_it_survives_json() -> None:
    fitted = numeric(centre=0.1, scale=1 / 3)
    assert Preprocessing.model_validate_json(fitted.model_dump_json()) == fitted
