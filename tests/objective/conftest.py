"""A shop whose clicks and purchases are at odds, and models of it whose rankings are known."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from shopguide.bundle import Calibrators, Contents, NumericInput, Preprocessing, Profile
from shopguide.bundle import write_bundle as write
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod
from shopguide.features.versions import feature_service
from shopguide.spec import Spec, check_text
from tests.training_sets import sealed

SPEC = """
name: two_goals
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, cart: cart, buy: buy, purchase: purchase}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks: {click: {kind: binary, event: click}, buy: {kind: binary, event: buy}}
objective:
  goals: {clicks: {task: click, weight: 0.5}, purchases: {task: buy, weight: 0.5}}
  discount: {kind: top_k, k: 2}
"""

COLUMNS = ("appeal", "need", "noise")


class Notes(Document):
    """Stands where training puts its record."""

    rows: int = 0


@dataclass(frozen=True)
class Shop:
    """Training set and bundles in one folder.

    `click` and `buy` are drawn with the probabilities `p_click` and `p_buy`, which are columns too.
    """

    folder: Path
    spec: Spec

    @property
    def training_set(self) -> Path:
        return self.folder / "training_set"

    def bundle(self, name: str = "model", *, shop: str = "two_goals", noise: float = 0.0) -> Path:
        """Write an unsolved bundle; without noise it predicts the true probabilities.

        Args:
            name: its folder.
            shop: name in its manifest.
            noise: weight of the column of that name in the logit of each task.
        """
        out = self.folder / name
        if not (out / "bundle.json").exists():
            spec = self.spec.model_copy(update={"name": shop})
            write(out, _contents(spec, noise, self.table("valid")))
        return out

    def table(self, split: str) -> pa.Table:
        return pq.read_table(self.training_set / f"{split}.parquet")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """500 requests of 8 candidates, of 100 users, in each of the two periods."""
    folder = tmp_path_factory.mktemp("two_goals")
    (folder / "training_set").mkdir()
    for seed, split in ((3, "valid"), (4, "test")):
        pq.write_table(drawn(seed), folder / "training_set" / f"{split}.parquet")
    spec = check_text(SPEC, where="spec of two goals")
    sealed(folder / "training_set", spec)
    return Shop(folder, spec)


def drawn(seed: int, requests: int = 500, candidates: int = 8) -> pa.Table:
    """Draw impressions; an item that appeals more is needed less, by a correlation of −0.6."""
    rng = np.random.default_rng(seed)
    rows = requests * candidates
    appeal = rng.normal(size=rows)
    need = -0.6 * appeal + 0.8 * rng.normal(size=rows)
    p_click, p_buy = 1 / (1 + np.exp(-appeal)), 1 / (1 + np.exp(-need))
    request = np.repeat(np.arange(requests), candidates)
    return pa.table(
        {
            "row_id": np.arange(rows),
            "request_id": [f"r{r:05d}" for r in request],
            "user_id": [f"u{r % 100:03d}" for r in request],
            "item_id": [f"i{i}" for i in range(rows)],
            "shown_at": pa.array([datetime(2024, 2, 2, tzinfo=UTC)] * rows),
            "sample_weight": np.ones(rows),
            "propensity": rng.uniform(0.2, 1.0, rows),
            "click": (rng.random(rows) < p_click).astype(np.int8),
            "buy": (rng.random(rows) < p_buy).astype(np.int8),
            "p_click": p_click,
            "p_buy": p_buy,
            "appeal": appeal,
            "need": need,
            "noise": rng.normal(size=rows),
        }
    )


def _contents(spec: Spec, noise: float, rows: pa.Table) -> Contents:
    period = TrainPeriod(
        start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 2, 1, tzinfo=UTC)
    )
    golden = rows.slice(0, 4).select(["shown_at", *COLUMNS])
    for task in spec.tasks:
        golden = golden.append_column(f"prediction_{task}", pa.array([0.5] * 4))
    inputs = [
        NumericInput(name=name, kind="numeric", log=False, centre=0, scale=1, indicator=False)
        for name in COLUMNS
    ]
    return Contents(
        spec=spec,
        feature_service=feature_service(spec),
        graph=_graph(np.array([[1, 0], [0, 1], [noise, noise]])),
        preprocessing=Preprocessing(categorical=[], numeric=inputs),
        calibrators=Calibrators(),
        profile=Profile(
            rows=4,
            train_period=period,
            log_end=datetime(2024, 4, 1, tzinfo=UTC),
            label_rates={"click": 0.5},
            inputs={},
        ),
        golden=golden,
        training=Notes(),
        versions={},
    )


def _graph(weights: np.ndarray) -> bytes:
    """Return click = σ(x·w_0), buy = σ(x·w_1)."""
    nodes = [
        helper.make_node("MatMul", ["numeric", "w"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
        helper.make_node("Split", ["p"], ["first", "second"], axis=1, num_outputs=2),
        helper.make_node("Squeeze", ["first", "axis"], ["click"]),
        helper.make_node("Squeeze", ["second", "axis"], ["buy"]),
    ]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B"]) for n in ("click", "buy")]
    constants = [
        onnx.numpy_helper.from_array(weights.astype(np.float32), "w"),
        onnx.numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
    ]
    graph = helper.make_graph(
        nodes,
        "two_goals",
        [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["B", len(COLUMNS)])],
        outputs,
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
