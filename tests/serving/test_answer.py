"""The answer of /rank is written as its schema says, whatever ids and numbers it holds."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from serving.answer import Ranked

finite = st.floats(allow_nan=False, allow_infinity=False)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def ranked(draw: st.DrawFn) -> Ranked:
    items = draw(st.lists(ids, min_size=1, max_size=5, unique=True))
    numbers = st.lists(finite, min_size=len(items), max_size=len(items)).map(np.array)
    tasks = draw(st.lists(ids, min_size=1, max_size=3, unique=True))
    return Ranked(
        request_id=draw(ids),
        item_ids=items,
        scores=draw(numbers),
        predictions={task: draw(numbers) for task in tasks},
        model_version="1a",
        degraded=draw(st.booleans()),
        goals={"ctr": tasks[0]},
    )


@given(ranked())
def test_it_says_what_the_response_says(answer: Ranked) -> None:
    assert json.loads(answer.json()) == json.loads(to_json(answer.response()))


@pytest.mark.parametrize("score", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_is_null(score: float) -> None:
    answer = Ranked(
        "r", ["a", "b"], np.array([score, 1.0]), {"click": np.array([1e-9, 0.0])}, "v", False, {}
    )
    first, second = json.loads(answer.json())["items"]
    assert first == {"item_id": "a", "score": None, "predictions": {"click": 1e-9}}
    assert second == {"item_id": "b", "score": 1.0, "predictions": {"click": 0.0}}
