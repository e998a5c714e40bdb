"""Values of rows are checked in one pass that stops at the first fault."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from pydantic import ValidationError

from serving.errors import not_valid
from serving.schemas import PredictRequest, RankRequest
from serving.values import LONGEST_NAME, LONGEST_TEXT, MOST_NAMES, MOST_TEXTS

LIST = {"user_id": "u", "items": ["i"]}


def rank(row: object) -> RankRequest:
    return RankRequest.model_validate(LIST | {"features": {"i": row}})


def refused(schema: type[Any], body: object) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        schema.model_validate(body)
    error = not_valid(caught.value)
    assert not error.also, "one fault is told"
    return error.path, error.message


def test_values_come_through_as_they_are_and_numbers_as_floats() -> None:
    row = {"a": "Zoë ☃", "b": 5, "c": -0.5, "d": None, "e": ["x", "没有"], "f": [], "g": ""}
    found = rank(row).features["i"]
    assert found == row
    assert type(found["b"]) is float


@pytest.mark.parametrize(
    "value",
    [
        *(True, {}, [1], [None], [["a"]], float("inf"), float("nan"), 10**400),
        *("a\x00", "\ud800", ["\udfff"], ["a\x00"]),
        *("x" * (LONGEST_TEXT + 1), ["x" * 201], ["x"] * (MOST_TEXTS + 1)),
    ],
)
def test_a_wrong_value_is_told_with_its_place(value: object) -> None:
    path, message = refused(RankRequest, LIST | {"features": {"i": {"good": 1, "bad": value}}})
    assert path == "features.i.bad"
    assert message
    assert refused(RankRequest, LIST | {"context": {"bad": value}})[0] == "context.bad"
    assert refused(PredictRequest, {"rows": [{}, {"bad": value}]})[0] == "rows[1].bad"


def test_the_longest_that_is_allowed_is_allowed() -> None:
    rank({"n" * LONGEST_NAME: "x" * LONGEST_TEXT, "list": ["x" * 200] * MOST_TEXTS})
    rank({str(n): n for n in range(MOST_NAMES)})


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"features": {"i": {str(n): 1 for n in range(MOST_NAMES + 1)}}}, "features.i"),
        ({"context": {str(n): 1 for n in range(MOST_NAMES + 1)}}, "context"),
        ({"features": {str(n): {} for n in range(10_001)}}, "features"),
        ({"features": {"i": []}}, "features.i"),
        ({"features": {"i": {"": 1}}}, "features.i"),
        ({"features": {"i": {"n" * 201: 1}}}, "features.i"),
        ({"features": {"i": {"\ud800": 1}}}, "features.i"),
        ({"features": {"\x00": {}}}, "features"),
        ({"features": None}, "features"),
    ],
)
def test_too_many_names_and_names_that_are_none_are_refused(
    body: dict[str, Any], path: str
) -> None:
    assert refused(RankRequest, LIST | body)[0] == path


def test_which_row_it_is_cannot_be_replaced() -> None:
    for name in ("item_id", "user_id"):
        for value in ("other", None):
            path, message = refused(RankRequest, LIST | {"features": {"i": {name: value}}})
            assert path == f"features.i.{name}"
            assert "cannot be replaced" in message


@pytest.mark.parametrize(
    "body",
    [
        LIST | {"features": {"i": {str(n): [1] * 20_000 for n in range(90)}}},
        LIST | {"items": [1] * 10_000},
        LIST | {"features": {"i": {str(n): {} for n in range(MOST_NAMES)}}},
    ],
)
def test_a_body_full_of_wrong_values_costs_no_more_than_one(body: dict[str, Any]) -> None:
    tracemalloc.start()
    begun = time.perf_counter()
    refused(RankRequest, body)
    seconds = time.perf_counter() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.5
    assert peak < 2_000_000


def test_the_document_still_says_what_a_value_may_be() -> None:
    text = json.dumps(RankRequest.model_json_schema())
    assert f'"maxLength": {LONGEST_TEXT}' in text
    assert f'"maxProperties": {MOST_NAMES}' in text
    assert f'"maxItems": {MOST_TEXTS}' in text
