"""Preprocessing: exact values, and what it does with what it never saw."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.bundle import CategoricalInput, ListInput, NumericInput, Preprocessing
from shopguide.bundle.preprocessing import CLIP, MISSING, UNKNOWN, signed_log1p
from shopguide.errors import ShopguideError

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


def test_a_hashed_id_has_a_bucket_of_its_own_and_is_never_unknown() -> None:
    column = CategoricalInput(name="user_id", buckets=1000)
    values = [f"u{n}" for n in range(300)]
    codes = column.encode(pa.chunked_array([[*values, None]]))[:, 0]
    assert column.size == 1002
    assert codes[-1] == MISSING
    assert codes[:-1].min() > UNKNOWN
    assert codes.max() < column.size
    # 300 values in 1,000 buckets: 1000·(1 − e^{−.3}) = 259 are filled on average, deviation 6
    assert len(set(codes[:-1])) == pytest.approx(259, abs=25)
    assert column.encode(pa.chunked_array([["u7"]]))[0, 0] == codes[7]  # for good, in any process


def test_a_vocabulary_and_buckets_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="has a vocabulary and buckets"):
        CategoricalInput(name="a", vocabulary=["x"], buckets=10)


def test_a_cross_is_its_parts_together_and_missing_where_one_is() -> None:
    cross = CategoricalInput(name="a_x_b", of=["a", "b"], vocabulary=["1\x1fx", "11\x1f"])
    found = Preprocessing(categorical=[cross], numeric=[])
    table = pa.table({"a": ["1", "11", "1", None], "b": ["x", "", "y", "x"],
                      "shown_at": pa.array([NOON] * 4, pa.timestamp("us", "UTC"))})  # fmt: skip
    assert found.names == ["a", "b"]
    assert found.transform(table)[0][:, 0].tolist() == [2, 3, UNKNOWN, MISSING]


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.string())])
def test_a_sequence_keeps_its_newest_values_newest_first_and_a_bag_its_first(
    kind: pa.DataType,
) -> None:
    column = pa.chunked_array([pa.array([["a", "b", "c"], [], None], kind),
                               pa.array([["c", None], ["z"]], kind)])  # fmt: skip
    lists = {"vocabulary": ["a", "b", "c"], "length": 2}
    sequence = ListInput(name="seen", kind="sequence", **lists).encode(column)
    bag = ListInput(name="tags", kind="bag", **lists).encode(column)
    assert sequence.tolist() == [[4, 3], [0, 0], [0, 0], [0, 4], [UNKNOWN, 0]]
    assert bag.tolist() == [[2, 3], [0, 0], [0, 0], [4, 0], [UNKNOWN, 0]]
    part = ListInput(name="seen", kind="sequence", **lists).encode(column.slice(3))
    assert part.tolist() == sequence[3:].tolist()


def test_a_list_of_an_input_has_the_codes_of_that_input() -> None:
    items = CategoricalInput(name="item_id", vocabulary=["i1", "i2"])
    seen = ListInput(name="seen", kind="sequence", length=2, of="item_id")
    position = CategoricalInput(name="position", vocabulary=["0"], training_only=True)
    found = Preprocessing(categorical=[items, position], numeric=[], lists=[seen])
    table = pa.table({"item_id": ["i2"], "seen": [["i1", "i2"]], "position": ["0"],
                      "shown_at": pa.array([NOON], pa.timestamp("us", "UTC"))})  # fmt: skip
    assert found.transform(table)[0].tolist() == [[3, 3, 2, 2]]
    served = found.served()
    assert served.names == ["item_id", "seen"]
    assert served.transform(table.drop_columns(["position"]))[0].tolist() == [[3, 3, 2]]


def test_a_list_that_is_none_is_named() -> None:
    tags = ListInput(name="tags", kind="bag", length=2, vocabulary=["a"])
    table = pa.table({"tags": ["a"], "shown_at": pa.array([NOON], pa.timestamp("us", "UTC"))})
    with pytest.raises(ShopguideError, match="column tags: is of type string, which a bag input"):
        Preprocessing(categorical=[], numeric=[], lists=[tags]).transform(table)


def test_a_quantile_transform_is_the_rank_of_deviation_1() -> None:
    found = scaled(
        numeric(knots=[0.0, 1.0, 100.0], ranks=[0.0, 0.5, 1.0]),
        pa.array([-5, 0, 1, 50.5, 1e9, None]),
    )
    expected = np.array([-0.5, -0.5, 0, 0.25, 0.5, 0]) * np.sqrt(12)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
    assert found[:, 1].tolist() == [0, 0, 0, 0, 0, 1]
