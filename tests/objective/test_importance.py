"""Importance weights, further outcomes and ratio goals, on data whose truth is planted."""

import numpy as np
import pyarrow as pa
import pytest

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.objective import Requests, goal_tasks, goal_values, needed_columns, user_sums
from shopguide.spec import Spec
from shopguide.spec.objective import Discount
from tests.objective.conftest import Shop, drawn


def _with(spec: Spec, **terms: object) -> Spec:
    merged = spec.objective.model_dump() | terms
    return Spec.model_validate(spec.model_dump() | {"objective": merged})


def _replaced(column: str, row: int, value: float | None) -> pa.Table:
    table = drawn(seed=3)
    values = table[column].cast(pa.float64()).to_pylist()
    values[row] = value
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values))


def test_propensities_are_used_only_where_the_spec_says_so(shop: Shop) -> None:
    table = shop.table("valid")
    logged = np.asarray(table["propensity"])
    ignored = Requests.from_table(table, shop.spec)
    assert ignored.weight.tolist() == [1.0] * table.num_rows
    inverse = _with(shop.spec, importance={"propensity": "inverse"})
    assert Requests.from_table(table, inverse).weight == pytest.approx(1 / logged)
    clipped = _with(shop.spec, importance={"propensity": "inverse", "clip": 2.0})
    assert Requests.from_table(table, clipped).weight == pytest.approx(np.minimum(1 / logged, 2))
    assert "propensity" not in needed_columns(shop.spec)
    assert "propensity" in needed_columns(inverse)


def test_sample_weights_and_propensities_multiply(shop: Shop) -> None:
    table = _replaced("sample_weight", 7, 3.0)
    spec = _with(shop.spec, importance={"propensity": "inverse"})
    weight = Requests.from_table(table, spec).weight
    assert weight[7] == pytest.approx(3.0 / table["propensity"][7].as_py())


def test_weighted_goals_recover_what_thinning_took_away(shop: Shop) -> None:
    """Rows are shown with a known probability; 1/p brings the whole list's goals back."""
    rng = np.random.default_rng(8)
    table = drawn(seed=9, requests=4_000)
    chance = np.clip(0.2 + 0.6 * np.asarray(table["p_click"]), 0.2, 0.8)
    shown = rng.random(table.num_rows) < chance
    place = table.schema.get_field_index("propensity")
    thinned = table.set_column(place, "propensity", pa.array(chance)).filter(pa.array(shown))
    discount = {"kind": "top_k", "k": 8}  # the whole list, whatever its order
    per_shown = {"ctr": {"task": "click", "per": "impressions", "weight": 1.0}}
    plain = _with(shop.spec, discount=discount, goals=per_shown)
    weighted = _with(
        shop.spec, discount=discount, goals=per_shown, importance={"propensity": "inverse"}
    )
    truth, naive, found = (
        _value(t, s) for t, s in ((table, plain), (thinned, plain), (thinned, weighted))
    )
    # click rate about a half of 20,000 shown rows; 1/p ≤ 5 at most widens its error of .0035
    assert found == pytest.approx(truth, abs=4 * 0.0035 * 1.5)
    assert abs(naive - truth) > 2 * 4 * 0.0035 * 1.5


def _value(table: pa.Table, spec: Spec) -> float:
    requests = Requests.from_table(table, spec)
    goals = spec.objective.goals
    sums = user_sums(requests, np.zeros(table.num_rows), goal_tasks(goals), spec.objective.discount)
    total = float(requests.requests_per_user().sum())
    return float(goal_values(sums.sum(axis=0), total, goal_tasks(goals), goals)[0])


def test_all_kinds_of_goals_have_their_formula(shop: Shop) -> None:
    table = shop.table("valid").append_column("margin", pa.array(np.linspace(0, 9, 4_000)))
    goals = {
        "ctr": {"task": "click", "per": "impressions", "weight": 0.2},
        "ctcvr": {"task": "buy", "per": "impressions", "weight": 0.2},
        "cvr": {"task": "buy", "per": "click", "weight": 0.2},
        "margin": {"task": "margin", "weight": 0.2},
        "margin_per_click": {"task": "margin", "per": "click", "weight": 0.2},
    }
    spec = _with(shop.spec, goals=goals, outcomes=["margin"], rank_by=["buy"])
    requests = Requests.from_table(table, spec)
    scores = np.random.default_rng(1).random(4_000)
    tasks = goal_tasks(spec.objective.goals)
    sums = user_sums(requests, scores, tasks, Discount(kind="dcg", k=3)).sum(axis=0)
    found = goal_values(sums, 500.0, tasks, spec.objective.goals)
    # the same by loops: the three best of each eight, worth 1, 1/log2 3, 1/2
    total = dict.fromkeys(("click", "buy", "margin", "impressions"), 0.0)
    columns = {name: np.asarray(table[name], dtype=float) for name in ("click", "buy", "margin")}
    columns["impressions"] = np.ones(4_000)
    for start in range(0, 4_000, 8):
        best = start + np.argsort(-scores[start : start + 8])[:3]
        for name, values in columns.items():
            total[name] += float(values[best] @ (1 / np.log2([2, 3, 4])))
    expected = [
        total["click"] / total["impressions"],
        total["buy"] / total["impressions"],
        total["buy"] / total["click"],
        total["margin"] / 500,
        total["margin"] / total["click"],
    ]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, float("nan"), None])
def test_propensities_that_are_no_probabilities_are_refused(
    shop: Shop, value: float | None
) -> None:
    table = _replaced("propensity", 11, value)
    Requests.from_table(table, shop.spec)  # they are not used
    spec = _with(shop.spec, importance={"propensity": "inverse"})
    with pytest.raises(InvalidDataError) as caught:
        Requests.from_table(table, spec, where="valid.parquet")
    assert str(caught.value) == (
        "valid.parquet, column propensity, row 12: not a probability above 0 and at most 1 "
        "(1 rows in all). Mend the log and build the training set again"
    )


@pytest.mark.parametrize(
    ("value", "what"), [(float("nan"), "not finite"), (float("inf"), "not finite"), (-1.0, "neg")]
)
def test_further_outcomes_are_checked_like_the_tasks(shop: Shop, value: float, what: str) -> None:
    spec = _with(shop.spec, outcomes=["p_click"])
    with pytest.raises(InvalidDataError, match=f"column p_click, row 6: {what}"):
        Requests.from_table(_replaced("p_click", 5, value), spec)


def test_a_further_outcome_must_be_there_and_numeric(shop: Shop) -> None:
    with pytest.raises(ShopguideError, match="lacks the columns profit"):
        Requests.from_table(drawn(seed=3), _with(shop.spec, outcomes=["profit"]))
    table = drawn(seed=3).append_column("profit", pa.array(["much"] * 4_000))
    with pytest.raises(ShopguideError) as caught:
        Requests.from_table(table, _with(shop.spec, outcomes=["profit"]), where="valid.parquet")
    assert str(caught.value) == (
        "valid.parquet, column profit: is of type string, expected numbers. Name a numeric column"
    )


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ({"outcomes": ["click"]}, "objective.outcomes: 'click' is the name of another outcome"),
        ({"outcomes": ["impressions"]}, "objective.outcomes: 'impressions' is the name of another"),
        ({"rank_by": ["cart"]}, "objective.rank_by: no task 'cart'; tasks are click, buy"),
        (
            {"goals": {"x": {"task": "cart", "weight": 1}}},
            "objective.goals.x.task: no task 'cart'; outcomes are click, buy, impressions",
        ),
        (
            {"goals": {"x": {"task": "buy", "per": "cart", "weight": 1}}},
            "objective.goals.x.per: no task 'cart'",
        ),
    ],
)
def test_names_that_are_nothing_are_refused(
    shop: Shop, terms: dict[str, object], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        _with(shop.spec, **terms)
