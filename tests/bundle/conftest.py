"""A small bundle with a graph that can be computed by hand."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from shopguide.bundle import (
    Calibrators,
    CategoricalInput,
    Contents,
    NumericInput,
    Platt,
    Preprocessing,
    Profile,
    write_bundle,
)
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod
from shopguide.spec import check_text

SPEC = """
name: tiny
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, buy: buy, purchase: purchase}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks: {click: {kind: binary, event: click}, buy: {kind: binary, event: buy, after: click}}
objective: {goals: {ctr: {task: click, weight: 1}}}
"""

PREPROCESSING = Preprocessing(
    categorical=[CategoricalInput(name="colour", vocabulary=["red", "blue"])],
    numeric=[
        NumericInput(name="price", kind="numeric", log=False, centre=10, scale=2, indicator=True),
        NumericInput(name="last", kind="recency", log=False, centre=0, scale=1, indicator=False),
    ],
)
"""Graph inputs: the code of colour; (price − 10)/2, age in days, price missing."""


class Notes(Document):
    """Stands where training puts its record."""

    rows: int = 4


def at(day: int) -> datetime:
    return datetime(2024, 2, day, tzinfo=UTC)


@pytest.fixture
def rows() -> pa.Table:
    stamp = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "colour": ["red", "blue", None, "green"],
            "price": pa.array([12.0, 8.0, None, 1000.0]),
            "last": pa.array([at(9), at(8), None, at(11)], stamp),
            "shown_at": pa.array([at(10)] * 4, stamp),
        }
    )


@pytest.fixture
def contents(rows: pa.Table) -> Contents:
    golden = rows.append_column("prediction_click", pa.array([0.5] * 4))
    golden = golden.append_column("prediction_buy", pa.array([0.5] * 4))
    return Contents(
        spec=check_text(SPEC, where="tiny spec"),
        feature_service="tiny",
        graph=graph(),
        preprocessing=PREPROCESSING,
        calibrators=Calibrators(tasks={"buy": Platt(slope=1.0, intercept=9.0)}),
        profile=Profile(
            rows=4,
            train_period=TrainPeriod(start=at(1), end=at(2)),
            log_end=at(28),
            label_rates={"click": 0.5},
            inputs={},
        ),
        golden=golden,
        training=Notes(),
        versions={"torch": "0"},
    )


@pytest.fixture
def folder(contents: Contents, tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", contents)
    return tmp_path / "bundle"


def graph() -> bytes:
    """Return click = σ(code − 2 + number_0), buy = click / 2."""
    nodes = [
        helper.make_node("Cast", ["categorical"], ["codes"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["numeric", "zero"], ["price"], axis=1),
        helper.make_node("Sub", ["codes", "two"], ["shifted"]),
        helper.make_node("Add", ["shifted", "price"], ["z"]),
        helper.make_node("Squeeze", ["z", "axis"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["click"]),
        helper.make_node("Div", ["click", "two"], ["buy"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [
                helper.make_tensor_value_info("categorical", TensorProto.INT64, ["b", 1]),
                helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["b", 3]),
            ],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b"]) for n in ("click", "buy")],
            [
                onnx.numpy_helper.from_array(np.array([0]), "zero"),
                onnx.numpy_helper.from_array(np.array([1]), "axis"),
                onnx.numpy_helper.from_array(np.array(2.0, np.float32), "two"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    serialized: bytes = model.SerializeToString()
    return serialized
