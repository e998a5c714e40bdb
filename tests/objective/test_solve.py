"""λ is solved on validation: towards the weights, and not at the cost of the champion's goals."""

import numpy as np
import pyarrow as pa
import pytest

from shopguide.objective import Requests, weighted_sum
from shopguide.objective.solve import _goal_values, _Policies
from shopguide.spec import Spec, check_text

SPEC = """
name: two_goals
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks: {click: {kind: binary, event: click}, buy: {kind: binary, event: buy}}
objective:
  goals: {clicks: {task: click, weight: 0.1}, purchases: {task: buy, weight: 0.9}}
  discount: {kind: top_k, k: 2}
"""


@pytest.fixture
def spec() -> Spec:
    return check_text(SPEC, where="spec of two goals")


@pytest.fixture
def shop(spec: Spec) -> tuple[Requests, dict[str, np.ndarray]]:
    """400 requests of six items; what is clicked and what is bought are at odds."""
    rng = np.random.default_rng(4)
    rows = 2_400
    click_p = rng.uniform(0.05, 0.9, rows)
    buy_p = np.clip(0.6 * (1 - click_p) + rng.normal(0, 0.05, rows), 0.01, 0.99)
    table = pa.table(
        {
            "request_id": [f"r{n // 6}" for n in range(rows)],
            "user_id": [f"u{n // 6 % 90}" for n in range(rows)],
            "item_id": [f"i{n % 6}" for n in range(rows)],
            "sample_weight": np.ones(rows),
            "click": (rng.random(rows) < click_p).astype(float),
            "buy": (rng.random(rows) < buy_p).astype(float),
        }
    )
    return Requests.from_table(table, spec), {"click": click_p, "buy": buy_p}


def test_without_a_champion_the_heavier_goal_wins(
    spec: Spec, shop: tuple[Requests, dict[str, np.ndarray]]
) -> None:
    policy = _Policies(spec, *shop, None)
    best = weighted_sum(policy.worth, 2)
    assert best[1] > 0.5
    assert policy.worth(best) >= policy.worth(np.array([0.5, 0.5]))


def test_a_goal_of_the_champion_is_not_given_up(
    spec: Spec, shop: tuple[Requests, dict[str, np.ndarray]]
) -> None:
    requests, predictions = shop
    champion = _goal_values(spec, requests, predictions["click"])  # ranks by clicks alone
    free = _Policies(spec, requests, predictions, None)
    careful = _Policies(spec, requests, predictions, champion)
    clicks_given_up = free.values(weighted_sum(free.worth, 2))[0] / champion[0]
    clicks_kept = careful.values(weighted_sum(careful.worth, 2))[0] / champion[0]
    assert clicks_given_up < 0.9
    # a loss of 1 % costs as much as 10 % of J; all that purchases can gain here is below 200 %
    assert clicks_kept > 0.8
    assert clicks_kept > clicks_given_up


def test_j_is_relative_to_the_champion(
    spec: Spec, shop: tuple[Requests, dict[str, np.ndarray]]
) -> None:
    requests, predictions = shop
    champion = _goal_values(spec, requests, predictions["buy"])
    policy = _Policies(spec, requests, predictions, champion)
    assert policy.objective(np.array([0.0, 1.0])) == pytest.approx(1.0)
