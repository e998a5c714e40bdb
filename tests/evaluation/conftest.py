"""A few requests with known outcomes, and the tasks that they are of."""

import numpy as np
import pyarrow as pa
import pytest

from shopguide.objective import Requests
from shopguide.spec import Spec, check_text

SPEC = """
name: tiny
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, buy: buy}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks: {buy: {kind: binary, event: buy}, value: {kind: amount, event: buy, after: buy}}
objective: {goals: {sales: {task: value, weight: 1}}, discount: {kind: dcg, k: 3}}
"""
ROWS = 400


@pytest.fixture
def spec() -> Spec:
    return check_text(SPEC, where="tiny spec")


@pytest.fixture
def table() -> pa.Table:
    generator = np.random.default_rng(6)
    buy = generator.random(ROWS) < 0.3
    return pa.table(
        {
            "request_id": [f"r{i // 5:03d}" for i in range(ROWS)],
            "user_id": [f"u{i // 20:02d}" for i in range(ROWS)],
            "item_id": [f"i{i % 5}" for i in range(ROWS)],
            "sample_weight": np.ones(ROWS),
            "buy": buy.astype(np.int8),
            "value": np.where(buy, generator.lognormal(1, 1, ROWS), 0.0),
            "region": [("north", "south", None)[i // 5 % 3] for i in range(ROWS)],
        }
    )


@pytest.fixture
def requests(table: pa.Table, spec: Spec) -> Requests:
    return Requests.from_table(table, spec)


@pytest.fixture
def predictions() -> dict[str, np.ndarray]:
    p = np.random.default_rng(7).uniform(0.05, 0.6, ROWS)
    return {"buy": p, "value": 4 * p}
