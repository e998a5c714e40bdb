"""A planted shop: labels drawn from a known model, so that the best possible AUC is known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from shopguide.bundle import Bundle, load_bundle
from shopguide.spec import Spec, check_text
from shopguide.training import TrainingSummary, train_mtl
from tests.training_sets import sealed

SPEC = """
name: planted
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, cart: cart, purchase: purchase}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks:
  click: {kind: binary, event: click}
  purchase: {kind: binary, event: purchase, after: click}
  order_value: {kind: amount, event: purchase, after: purchase}
features:
  id_inputs: [user_id, item_id]
  user_attributes: {age: categorical}
  item_attributes: {category: categorical, price: numeric}
  context: {display: numeric}
  views:
    user:
      keys: [user_id]
      kind: purchase
      measures: {spend: {sum: value, windows: [7]}, last: {last: at}}
model: {embedding_dim: 4, experts: 2, hidden: [16], tower: [8], dropout: 0.0}
training: {batch_size: 256, epochs: 6, learning_rate: 0.01, patience: 2, threads: 1}
objective: {goals: {ctr: {task: click, weight: 0.5}, sales: {task: order_value, weight: 0.5}}}
"""

MONTHS = {"train": 1, "valid": 2, "test": 3}


Truth = dict[str, dict[str, NDArray[np.float64]]]
"""By split, the expected outcome of each task [N] under the model that drew the labels."""


@pytest.fixture(scope="session")
def planted_spec() -> Spec:
    return check_text(SPEC, where="planted spec")


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("training_set")
    requests = {"train": 800, "valid": 300, "test": 300}
    return folder, write_training_set(folder, requests=requests, seed=1)


@pytest.fixture(scope="session")
def training_set(planted: tuple[Path, Truth]) -> Path:
    return planted[0]


@pytest.fixture(scope="session")
def truth(planted: tuple[Path, Truth]) -> Truth:
    return planted[1]


@pytest.fixture(scope="session")
def summary(
    planted_spec: Spec, training_set: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainingSummary:
    return train_mtl(planted_spec, training_set, model_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def bundle(summary: TrainingSummary, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    assert summary.version
    return load_bundle(model_folder(tmp_path_factory), threads=1)


def model_folder(factory: pytest.TempPathFactory) -> Path:
    return factory.getbasetemp() / "planted_model"


@pytest.fixture
def changed(planted_spec: Spec, training_set: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the training set with one column of one split replaced, or dropped."""

    def change(split: str, column: str, values: pa.Array | None) -> Path:
        for name in MONTHS:
            table = pq.read_table(training_set / f"{name}.parquet")
            if name == split:
                position = table.column_names.index(column)
                table = table.remove_column(position)
                if values is not None:
                    table = table.add_column(position, column, values)
            pq.write_table(table, tmp_path / f"{name}.parquet")
        sealed(tmp_path, planted_spec)
        return tmp_path

    return change


def write_training_set(folder: Path, *, requests: dict[str, int], seed: int) -> Truth:
    """Write a training set of requests with 10 candidates each."""
    rng = np.random.default_rng(seed)
    taste, price = rng.normal(size=60), rng.lognormal(1, 0.5, size=40)
    appeal = rng.normal(size=40)
    truth: Truth = {}
    for split, month in MONTHS.items():
        table, truth[split] = _draw(rng, split, month, requests[split], taste, appeal, price)
        pq.write_table(table, folder / f"{split}.parquet")
    sealed(folder, check_text(SPEC, where="planted spec"))
    return truth


def _draw(
    rng: np.random.Generator,
    split: str,
    month: int,
    requests: int,
    taste: NDArray[np.float64],
    appeal: NDArray[np.float64],
    price: NDArray[np.float64],
) -> tuple[pa.Table, dict[str, NDArray[np.float64]]]:
    rows = requests * 10
    request = np.repeat(np.arange(requests), 10)
    user = np.repeat(rng.integers(0, len(taste), requests), 10)
    item = rng.integers(0, len(appeal), rows)
    display = rng.integers(0, 2, rows).astype(float)
    spend = rng.lognormal(2, 1, rows)
    start = datetime(2024, month, 1, tzinfo=UTC)
    shown = [start + timedelta(minutes=30 * int(r) % 40_000) for r in request]
    p_click = _sigmoid(-0.5 + taste[user] + appeal[item] + 0.7 * display)
    p_buy = p_click * _sigmoid(-1 + 0.8 * np.log(spend / 7.4) - 0.3 * (price[item] - 3))
    uniform = rng.random(rows)
    click = uniform < p_click
    bought = click & (rng.random(rows) < p_buy / p_click)
    log_mean = np.log(price[item]) + 0.2 * display
    value = np.where(bought, np.exp(rng.normal(log_mean, 0.4)), 0.0)
    visited = zip(user, shown, strict=True)
    last = [None if u % 5 == 0 else at - timedelta(days=1 + int(u)) for u, at in visited]
    table = pa.table(
        {
            "row_id": pa.array(np.arange(rows)),
            "request_id": pa.array([f"{split}{r:05d}" for r in request]),
            "user_id": pa.array([f"u{u}" for u in user]),
            "item_id": pa.array([f"i{i}" for i in item]),
            "shown_at": pa.array(shown, pa.timestamp("us", "UTC")),
            "sample_weight": pa.array(np.ones(rows)),
            "click": pa.array(click.astype(np.int8)),
            "purchase": pa.array(bought.astype(np.int8)),
            "order_value": pa.array(value),
            "age": pa.array([None if u % 3 == 0 else f"a{u % 4}" for u in user], pa.string()),
            "category": pa.array([f"c{i % 5}" for i in item]),
            "price": pa.array(price[item]),
            "display": pa.array(display),
            "user_spend_7": pa.array(np.where(spend < 1, np.nan, spend), from_pandas=True),
            "user_last": pa.array(last, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    expected_value = p_buy * np.exp(log_mean + 0.4**2 / 2)
    return table, {"click": p_click, "purchase": p_buy, "order_value": expected_value}


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))
