"""Weights in fewer bits: what they cost is told, and bounded."""

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper

from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.graph import open_session
from shopguide.spec import Spec, check_text
from shopguide.training import train_mtl
from shopguide.training.shrink import shrink

RNG = np.random.default_rng(0)
TABLE = (
    RNG.normal(size=(200, 16)).astype(np.float32)
    * np.logspace(-3, 1, 200, dtype=np.float32)[:, None]
)


def looked_up() -> bytes:
    """Return a graph that looks rows of the table up, and adds a small weight."""
    small = numpy_helper.from_array(np.float32([1 / 3]), "small")
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gather", ["table", "row"], ["found"]),
             helper.make_node("Add", ["found", "small"], ["out"])],
            "lookup",
            [helper.make_tensor_value_info("row", TensorProto.INT64, ["b"])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", 16])],
            [numpy_helper.from_array(TABLE, "table"), small],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )  # fmt: skip
    serialized: bytes = model.SerializeToString()
    return serialized


@pytest.mark.parametrize(("stored", "times"), [("float16", 1.9), ("int8", 3)])
def test_a_weight_is_rounded_by_half_a_step_of_its_row_at_most(stored: str, times: float) -> None:
    whole = looked_up()
    smaller = shrink(whole, stored)  # type: ignore[arg-type]
    assert len(whole) > times * len(smaller)
    (found,) = open_session(smaller).run(None, {"row": np.arange(200)})
    wrong = np.abs(found - TABLE - np.float32(1 / 3))
    largest = np.abs(TABLE).max(axis=1, keepdims=True)
    step = largest / 127 if stored == "int8" else np.abs(TABLE) * 2**-10
    # half a step, and what float32 loses in adding a third
    assert (wrong <= 0.5 * step + 1e-6).all()


def test_float32_is_left_as_it_is() -> None:
    assert shrink(looked_up(), "float32") is not None
    assert onnx.load_from_string(shrink(looked_up(), "float32")).graph.initializer[0].dims == [
        200,
        16,
    ]


@pytest.mark.parametrize("stored", ["float16", "int8"])
def test_a_smaller_bundle_predicts_nearly_as_well_and_says_what_it_lost(
    planted_spec: Spec, training_set: Path, bundle: Bundle, tmp_path: Path, stored: str
) -> None:
    document = planted_spec.model_dump(mode="json")
    document["training"]["export"] = stored
    spec = check_text(json.dumps(document), where="planted spec")
    record = train_mtl(spec, training_set, tmp_path / "model").record
    assert set(record.export_auc_loss) == {"click", "purchase"}
    assert all(abs(loss) < 0.002 for loss in record.export_auc_loss.values())
    smaller = load_bundle(tmp_path / "model", threads=1)
    assert smaller.golden_difference() <= 1e-6
    table = pq.read_table(training_set / "test.parquet")
    for task, values in smaller.predict(table).items():
        whole = bundle.predict(table)[task]
        assert np.corrcoef(values, whole)[0, 1] > 0.999
    assert (smaller.path / "model.onnx").stat().st_size < (
        (bundle.path / "model.onnx").stat().st_size
    )
