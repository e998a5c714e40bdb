"""A shop whose truth is known, and models of it whose rankings are known: linear ONNX graphs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

from shopguide.bundle import (
    Calibrators,
    Contents,
    NumericInput,
    Preprocessing,
    Profile,
    load_bundle,
    with_fusion,
    write_bundle,
)
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod
from shopguide.features.versions import feature_service
from shopguide.fusion import Fusion
from shopguide.objective.solution import ChampionPoint, FrontPoint, Solution
from shopguide.spec import Spec, check_text
from tests.training_sets import sealed

SPEC = """
name: planted
title: Planted shop
notes: [The shop is simulated.]
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, purchase: purchase}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks:
  click: {kind: binary, event: click, title: clicks}
  purchase: {kind: binary, event: purchase, after: click, title: purchases}
  order_value: {kind: amount, event: purchase, after: purchase, title: order value, unit: EUR}
objective:
  goals:
    ctr: {task: click, weight: 0.5, title: click rate}
    sales: {task: order_value, weight: 0.5, title: sales}
  discount: {kind: top_k, k: 3}
gate:
  min_gain: 0.0
  margins: {ctr: 0.03, sales: 0.05}
  replicates: 1000
  min_users: 100
  floors: {click: {auc: 0.6}, purchase: {gauc: 0.6}}
  baseline: popularity
  max_latency_ms: null
  alpha_spending: {function: none}
"""

COLUMNS = ("appeal", "value", "noise")
TRUTH = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
"""The shop itself: weights of the columns in the logits of click, and of purchase given click."""

VAGUE = ((0.7, 0.0, 0.7), (0.0, 0.7, 0.7))
"""A model that half follows the noise: a worse ranking of both goals."""

BIAS = (-1.0, -1.0)
BASKET = 10.0  # EUR, of every purchase


class Notes(Document):
    """Stands where training puts its record."""

    rows: int = 0
    seed: int = 0
    candidates: int = 1


@dataclass(frozen=True)
class Shop:
    folder: Path
    spec: Spec

    @property
    def test_set(self) -> Path:
        return self.folder / "training_set"

    def table(self) -> pa.Table:
        return pq.read_table(self.test_set / "test.parquet")

    def model(
        self,
        name: str,
        weights: Sequence[Sequence[float]] = TRUTH,
        *,
        bias: Sequence[float] = BIAS,
        fusion: dict[str, float] | None = None,
        spec: Spec | None = None,
        seed: int = 0,
        champion: Path | None = None,
        golden_off: float = 0.0,
        golden_rows: int = 4,
        candidates: int = 1,
    ) -> Path:
        """Write a bundle, its λ solved, and return its folder; with a champion, its front too.

        What its golden rows say of clicks is `golden_off` from what it predicts; training chose it
        from so many candidates.
        """
        out = self.folder / name
        if (out / "bundle.json").exists():
            return out
        raw = self.folder / f"{name}_unsolved"
        made = contents(spec or self.spec, weights, bias, seed, self.table())
        place = made.golden.column_names.index("prediction_click")
        said = made.golden["prediction_click"].to_numpy() + golden_off
        golden = made.golden.set_column(place, "prediction_click", pa.array(said))
        training = Notes(seed=seed, candidates=candidates)
        write_bundle(raw, replace(made, golden=golden.slice(0, golden_rows), training=training))
        tasks = fusion or {"click": 0.5, "order_value": 0.5}
        found = solution(spec or self.spec, champion) if champion else None
        means = {"click": 0.3, "order_value": 1.0}
        known = {task: means[task] for task in means if task in made.spec.tasks}
        with_fusion(raw, out, Fusion("additive", tasks, known), found)
        return out


def solution(spec: Spec, champion: Path) -> Solution:
    """Return a front in the shape of a quarter circle around the champion, its middle chosen."""
    held = load_bundle(champion).manifest
    reference = dict.fromkeys(spec.objective.goals, 1.0)
    points = []
    for step in range(21):
        angle = math.pi / 2 * step / 20
        changes = (0.15 * math.sin(angle), 0.25 * math.cos(angle))
        goals = dict(zip(reference, (1 + change for change in changes), strict=True))
        points.append(
            FrontPoint(
                weights={"click": step / 20, "order_value": 1 - step / 20},
                goals=goals,
                objective=sum(goals.values()) / len(goals),
            )
        )
    return Solution(
        solver="nash",
        objective=spec.objective,
        reference="champion",
        reference_goals=reference,
        champion=ChampionPoint(version=held.version, checksum=held.checksum, goals=reference),
        front=points,
        chosen=10,
        hypervolume=1.31,
        evaluated=500,
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """400 users with 4 requests of 10 candidates each, all in March 2024."""
    folder = tmp_path_factory.mktemp("shop")
    spec = check_text(SPEC, where="planted spec")
    (folder / "training_set").mkdir()
    pq.write_table(planted(seed=1), folder / "training_set" / "test.parquet")
    sealed(folder / "training_set", spec)
    return Shop(folder, spec)


def planted(seed: int, users: int = 400, requests: int = 4, candidates: int = 10) -> pa.Table:
    """Draw impressions: click ~ σ(−1 + appeal), purchase given click ~ σ(−1 + value)."""
    rng = np.random.default_rng(seed)
    rows = users * requests * candidates
    request = np.repeat(np.arange(users * requests), candidates)
    columns = {name: rng.normal(size=rows) for name in COLUMNS}
    click = rng.random(rows) < sigmoid(BIAS[0] + columns["appeal"])
    purchase = click & (rng.random(rows) < sigmoid(BIAS[1] + columns["value"]))
    start = datetime(2024, 3, 1, tzinfo=UTC)
    user = request // requests
    shuffled, items = np.random.default_rng(seed), np.tile(np.arange(50), (users * requests, 1))
    return pa.table(
        {
            "row_id": np.arange(rows),
            "request_id": [f"r{r:05d}" for r in request],
            "user_id": [f"u{u:04d}" for u in user],
            "item_id": [f"i{i}" for i in shuffled.permuted(items, axis=1)[:, :candidates].ravel()],
            "shown_at": pa.array(
                [start + timedelta(hours=int(r % 700)) for r in request], pa.timestamp("us", "UTC")
            ),
            "sample_weight": np.ones(rows),
            "click": click.astype(np.int8),
            "purchase": purchase.astype(np.int8),
            "order_value": BASKET * purchase,
            "popularity": 0.3 * columns["appeal"] + columns["noise"],
            "region": np.where(user % 2 == 0, "north", "south"),
            **columns,
        }
    )


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def contents(
    spec: Spec,
    weights: Sequence[Sequence[float]],
    bias: Sequence[float],
    seed: int,
    rows: pa.Table,
) -> Contents:
    inputs = [
        NumericInput(name=name, kind="numeric", log=False, centre=0, scale=1, indicator=False)
        for name in COLUMNS
    ]
    period = TrainPeriod(
        start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 2, 1, tzinfo=UTC)
    )
    model = graph(weights, bias, tuple(spec.tasks))
    golden = rows.slice(0, 4).select(["shown_at", *COLUMNS])
    numbers = np.column_stack([golden[name].to_numpy() for name in COLUMNS]).astype(np.float32)
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    predicted = session.run(list(spec.tasks), {"numeric": numbers})
    for task, values in zip(spec.tasks, predicted, strict=True):
        golden = golden.append_column(f"prediction_{task}", pa.array(values.astype(np.float64)))
    return Contents(
        spec=spec,
        feature_service=feature_service(spec),
        graph=model,
        preprocessing=Preprocessing(categorical=[], numeric=inputs),
        calibrators=Calibrators(),
        profile=Profile(
            rows=4,
            train_period=period,
            log_end=datetime(2024, 4, 1, tzinfo=UTC),
            label_rates={"click": 0.3},
            inputs={},
        ),
        golden=golden,
        training=Notes(seed=seed),
        versions={},
    )


def graph(weights: Sequence[Sequence[float]], bias: Sequence[float], tasks: Sequence[str]) -> bytes:
    """Return click = σ(x·w_0 + b_0), purchase = click · σ(x·w_1 + b_1), money = 10 · purchase."""
    nodes = [
        helper.make_node("MatMul", ["numeric", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["p"]),
        helper.make_node("Split", ["p"], ["first", "second"], axis=1, num_outputs=2),
        helper.make_node("Squeeze", ["first", "axis"], ["click"]),
        helper.make_node("Squeeze", ["second", "axis"], ["given"]),
        helper.make_node("Mul", ["click", "given"], ["purchase"]),
        helper.make_node("Mul", ["purchase", "basket"], ["order_value"]),
    ]
    constants = {
        "w": np.array(weights, np.float32).T,
        "b": np.array(bias, np.float32),
        "axis": np.array([1]),
        "basket": np.array(BASKET, np.float32),
    }
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["n", len(COLUMNS)])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in tasks],
            [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    serialized: bytes = model.SerializeToString()
    return serialized
