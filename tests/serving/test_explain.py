"""What the parts of an explanation say, against a graph that can be computed by hand."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from serving.explain import METHOD
from serving.ranker import Ranker
from serving.reading import microseconds
from serving.rows import BadRequestError
from serving.schemas import ExplainRequest, RankRequest
from shopguide.bundle import Bundle
from shopguide.columns import Same, Values

STORED = {"red": ("red", 12.0), "blue": ("blue", 8.0), "dear": ("blue", None)}


class Shelf:
    """A feature store of three items."""

    def columns(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> dict[str, Values]:
        del user_id, context
        known = [STORED.get(item, (None, None)) for item in item_ids]
        return {
            "colour": [colour for colour, _ in known],
            "price": np.array([price for _, price in known], dtype=np.float64),
            "last": Same(microseconds(datetime(2024, 2, 9, tzinfo=UTC))),
        }

    def age_seconds(self) -> float | None:
        return None


@pytest.fixture(scope="module")
def ranker(tiny_bundle: Bundle) -> Ranker:
    return Ranker(tiny_bundle, Shelf())


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def score(z: float) -> float:
    """0.25 · click/0.5 + 0.75 · buy/0.25, with buy = click/2."""
    return 0.25 * sigmoid(z) / 0.5 + 0.75 * sigmoid(z) / 2 / 0.25


def test_goals_sum_to_the_score_that_rank_gives(ranker: Ranker) -> None:
    items = ["red", "blue", "dear", "unheard"]
    ranked = ranker.rank(RankRequest(user_id="u", items=items))
    answer = ranker.explain(ExplainRequest(user_id="u", items=items))
    assert [item.item_id for item in answer.items] == [item.item_id for item in ranked.items]
    for explained, item in zip(answer.items, ranked.items, strict=True):
        assert explained.score == pytest.approx(item.score, abs=1e-12)
        assert sum(g.contribution for g in explained.goals) == pytest.approx(item.score, abs=1e-12)
        assert {g.task: g.prediction for g in explained.goals} == pytest.approx(item.predictions)
        assert [(g.task, g.goals) for g in explained.goals] == [
            ("click", ["ctr"]),
            ("buy", ["cvr"]),
        ]


def test_the_effect_of_an_input_is_what_the_score_loses_without_it(ranker: Ranker) -> None:
    (item,) = ranker.explain(ExplainRequest(user_id="u", items=["blue"])).items
    # code of blue is 3, of red 2; price 8 is −1 after scaling, its default 10 is 0
    effects = {one.input: one for one in item.features}
    assert item.score == pytest.approx(score(3 - 2 - 1), abs=1e-6)
    assert effects["colour"].effect == pytest.approx(score(0) - score(-1), abs=1e-6)
    assert effects["price"].effect == pytest.approx(score(0) - score(1), abs=1e-6)
    assert (effects["colour"].value, effects["colour"].baseline) == ("blue", "red")
    assert (effects["price"].value, effects["price"].baseline) == (8.0, 10.0)
    assert "last" not in effects, "the graph does not read it"


def test_the_largest_effects_come_first_and_no_more_than_asked(ranker: Ranker) -> None:
    request = ExplainRequest(user_id="u", items=["blue", "red"], top_features=1)
    for item in ranker.explain(request).items:
        assert len(item.features) <= 1
    everything = ranker.explain(ExplainRequest(user_id="u", items=["blue"])).items[0].features
    sizes = [abs(one.effect) for one in everything]
    assert sizes == sorted(sizes, reverse=True)


def test_no_inputs_are_looked_at_where_none_are_asked(ranker: Ranker) -> None:
    (item,) = ranker.explain(ExplainRequest(user_id="u", items=["blue"], top_features=0)).items
    assert item.features == []
    assert item.goals


def test_weights_and_overridden_inputs_count_as_they_do_for_rank(ranker: Ranker) -> None:
    asked = {
        "user_id": "u",
        "items": ["red", "blue"],
        "weights": {"click": 3.0},
        "features": {"blue": {"price": 30.0}},
    }
    ranked = ranker.rank(RankRequest.model_validate(asked))
    answer = ranker.explain(ExplainRequest.model_validate(asked))
    assert [i.score for i in answer.items] == pytest.approx([i.score for i in ranked.items])
    assert [g.weight for g in answer.items[0].goals] == [1.0]
    assert answer.items[0].item_id == "blue"


def test_the_method_is_named(ranker: Ranker) -> None:
    answer = ranker.explain(ExplainRequest(user_id="u", items=["red"]))
    assert answer.method == METHOD
    assert "occlusion" in answer.method
    assert answer.fusion == "additive"
    assert not answer.degraded


def test_a_name_that_the_model_does_not_know_is_refused(ranker: Ranker) -> None:
    request = ExplainRequest(user_id="u", items=["red"], context={"weather": "rain"})
    with pytest.raises(BadRequestError, match=r"context\.weather"):
        ranker.explain(request)
