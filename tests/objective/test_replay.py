"""Replay against a slow obvious reference, and what it refuses."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.objective import (
    Requests,
    discounts,
    goal_tasks,
    goal_values,
    objective_value,
    ranks,
    user_sums,
)
from shopguide.spec import Spec, load_spec
from shopguide.spec.objective import Discount, Goal


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(Path(__file__).parents[2] / "specs" / "complete_journey.yaml")


def _table(seed: int = 0, requests: int = 60) -> pa.Table:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 12, requests)
    rows = int(sizes.sum())
    click = (generator.random(rows) < 0.4).astype(float)
    purchase = click * (generator.random(rows) < 0.5)
    order = generator.permutation(rows)
    columns = {
        "request_id": [f"r{r}" for r in np.repeat(np.arange(requests), sizes)],
        "user_id": [f"u{r % 17}" for r in np.repeat(np.arange(requests), sizes)],
        "item_id": [f"i{i}" for size in sizes for i in range(size)],
        "sample_weight": generator.uniform(0.5, 2.0, rows),
        "click": click,
        "cart": click,
        "purchase": purchase,
        "order_value": purchase * generator.lognormal(1, 1, rows),
    }
    return pa.table(columns).take(order)  # rows of a request need not be together


def _reference(table: pa.Table, scores: np.ndarray, task: str, k: int) -> dict[str, float]:
    """Σ over a user's requests of Σ outcome · weight / log2(1 + rank), in plain Python."""
    rows = table.to_pylist()
    total: dict[str, float] = {}
    for request in {row["request_id"] for row in rows}:
        mine = [(scores[i], row) for i, row in enumerate(rows) if row["request_id"] == request]
        mine.sort(key=lambda pair: -pair[0])
        for rank, (_, row) in enumerate(mine[:k], start=1):
            gain = row[task] * row["sample_weight"] / np.log2(1 + rank)
            total[row["user_id"]] = total.get(row["user_id"], 0.0) + gain
    return total


def test_user_sums_equal_the_slow_reference(spec: Spec) -> None:
    table = _table()
    requests = Requests.from_table(table, spec)
    scores = np.random.default_rng(1).normal(size=table.num_rows)
    tasks = ["click", "order_value"]
    found = user_sums(requests, scores, tasks, Discount(kind="dcg", k=3))
    for column, task in enumerate(tasks):
        expected = _reference(table, scores, task, 3)
        for user, value in zip(requests.user_ids, found[:, column], strict=True):
            assert value == pytest.approx(expected.get(user, 0.0), abs=1e-12)


def test_every_request_is_counted_once(spec: Spec) -> None:
    requests = Requests.from_table(_table(), spec)
    assert requests.requests_per_user().sum() == 60
    assert requests.users == 17


def test_ranks_are_a_permutation_of_each_request(spec: Spec) -> None:
    requests = Requests.from_table(_table(), spec)
    rank = ranks(requests, np.zeros(len(requests.request)))  # all tied
    for request in range(60):
        mine = np.sort(rank[requests.request == request])
        assert mine.tolist() == list(range(1, len(mine) + 1))


def test_ties_are_broken_by_the_item_and_not_by_the_order_of_the_rows(spec: Spec) -> None:
    table = _table()
    order = np.random.default_rng(9).permutation(table.num_rows)
    ranked = ranks(Requests.from_table(table, spec), np.zeros(table.num_rows))
    shuffled = ranks(Requests.from_table(table.take(order), spec), np.zeros(table.num_rows))
    assert ranked[order].tolist() == shuffled.tolist()


def test_discounts_are_zero_beyond_k() -> None:
    rank = np.array([1, 2, 3, 4])
    assert discounts(rank, Discount(kind="top_k", k=2)).tolist() == [1, 1, 0, 0]
    dcg = discounts(rank, Discount(kind="dcg", k=3))
    assert dcg == pytest.approx([1, 1 / np.log2(3), 0.5, 0])


def test_goals_are_means_or_ratios_and_the_reference_scores_one() -> None:
    goals = {
        "ctr": Goal(task="click", weight=0.25),
        "aov": Goal(task="order_value", per="purchase", weight=0.75),
    }
    tasks = goal_tasks(goals)
    assert tasks == ["click", "order_value", "purchase"]
    totals = np.array([[10.0, 60.0, 5.0], [20.0, 60.0, 6.0]])
    values = goal_values(totals, 100.0, tasks, goals)
    assert values.tolist() == [[0.1, 12.0], [0.2, 10.0]]
    objective = objective_value(values, values[0], goals)
    assert objective == pytest.approx([1.0, 0.25 * 2 + 0.75 * 10 / 12])


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("order_value", float("nan"), "column order_value, row 5: not finite"),
        ("order_value", float("inf"), "column order_value, row 5: not finite"),
        ("order_value", -1.0, "column order_value, row 5: negative"),
        ("sample_weight", -0.5, "column sample_weight, row 5: not finite or negative"),
        ("user_id", "someone else", "another user than its request's"),
    ],
)
def test_bad_rows_are_named(spec: Spec, column: str, value: object, what: str) -> None:
    table = _table().to_pydict()
    table["request_id"][4], table["request_id"][3] = table["request_id"][2], table["request_id"][2]
    table["user_id"][4] = table["user_id"][3] = table["user_id"][2]
    table[column][4] = value
    with pytest.raises(InvalidDataError) as caught:
        Requests.from_table(pa.table(table), spec, where="test.parquet")
    assert "test.parquet" in str(caught.value)
    assert what in str(caught.value)


def test_missing_columns_and_no_rows_are_named(spec: Spec) -> None:
    table = _table()
    with pytest.raises(ShopguideError, match="lacks the columns click, purchase"):
        Requests.from_table(table.drop_columns(["click", "purchase"]), spec)
    with pytest.raises(InvalidDataError, match="holds no impression"):
        Requests.from_table(table.slice(0, 0), spec)
