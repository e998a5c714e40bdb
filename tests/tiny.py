"""The smallest bundles that there are: a number in, a click out; they differ in their fusion."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from shopguide.bundle import (
    Calibrators,
    Contents,
    NumericInput,
    Preprocessing,
    Profile,
    with_fusion,
    write_bundle,
)
from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod
from shopguide.features import materialize_online
from shopguide.features.catalogue import ITEM_VIEW
from shopguide.features.store import offline_file
from shopguide.features.versions import feature_service
from shopguide.fusion import Fusion
from shopguide.spec import Spec, check_text

SPEC = """
name: tiny
home: {home}
data:
  source: events
  path: unused.csv
  columns: {{user_id: u, item_id: i, kind: k, at: t}}
  kinds: {{view: view, click: click}}
split:
  train: {{start: 2024-01-01, end: 2024-02-01}}
  valid: {{start: 2024-02-01, end: 2024-03-01}}
  test: {{start: 2024-03-01, end: 2024-04-01}}
tasks: {{click: {{kind: binary, event: click}}}}
features:
  item_attributes: {{price: numeric}}
  id_inputs: []
  online_store: {store}
objective: {{goals: {{ctr: {{task: click, weight: 1}}}}}}
serving: {{follow_seconds: 0.1, reading: {{breaker_seconds: 0.5, item_cache_seconds: 0.2}}}}
"""


class Notes(Document):
    """Stands where training puts its record."""

    rows: int = 2


VARIABLE = "TINY_ONLINE_STORE"
"""Environment variable with the address of the tiny shop's Redis."""


def tiny_spec(home: Path, *, redis: bool = False) -> Spec:
    """Return the spec of the tiny shop; its features are in sqlite, or in Redis."""
    store = f"{{type: redis, connection_env: {VARIABLE}}}" if redis else "{type: sqlite}"
    return check_text(SPEC.format(home=home, store=store), where="tiny spec")


def fill_tiny_store(spec: Spec, items: int) -> None:
    """Write the prices of items i0, i1, … through Feast: i0 costs 0, and so on to 5."""
    prices = pa.table(
        {
            "item_id": [f"i{n}" for n in range(items)],
            "price": [5.0 * n / items for n in range(items)],
            "event_timestamp": pa.array(
                [datetime(2024, 2, 1, tzinfo=UTC)] * items, pa.timestamp("us", "UTC")
            ),
        }
    )
    path = offline_file(spec, spec.home, ITEM_VIEW)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(prices, path)
    materialize_online(spec)


def tiny_bundle(spec: Spec, folder: Path, mean: float) -> Path:
    """Write a bundle into a folder of its own; another mean makes another checksum."""
    plain, out = folder / "plain", folder / f"bundle_{mean}"
    if not plain.exists():
        write_bundle(plain, _contents(spec))
    with_fusion(plain, out, Fusion("additive", {"click": 1.0}, {"click": mean}))
    return out


def _contents(spec: Spec) -> Contents:
    now = datetime(2024, 2, 1, tzinfo=UTC)
    golden = pa.table(
        {
            "price": pa.array([1.0, 2.0]),
            "shown_at": pa.array([now, now], pa.timestamp("us", "UTC")),
            "prediction_click": pa.array(1 / (1 + np.exp([-1.0, -2.0]))),
        }
    )
    numeric = NumericInput(
        name="price", kind="numeric", log=False, centre=0, scale=1, indicator=False
    )
    return Contents(
        spec=spec,
        feature_service=feature_service(spec),
        graph=_graph(),
        preprocessing=Preprocessing(categorical=[], numeric=[numeric]),
        calibrators=Calibrators(tasks={}),
        profile=Profile(
            rows=2,
            train_period=TrainPeriod(start=datetime(2024, 1, 1, tzinfo=UTC), end=now),
            log_end=now,
            label_rates={"click": 0.5},
            inputs={},
        ),
        golden=golden,
        training=Notes(),
        versions={},
    )


def _graph() -> bytes:
    nodes = [
        helper.make_node("Squeeze", ["numeric", "axis"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["click"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["b", 1])],
            [helper.make_tensor_value_info("click", TensorProto.FLOAT, ["b"])],
            [onnx.numpy_helper.from_array(np.array([1]), "axis")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    serialized: bytes = model.SerializeToString()
    return serialized
