"""A graph is run only if its inputs and outputs are those of the bundle."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import NodeProto, TensorProto, helper

from shopguide.bundle import CategoricalInput, load_bundle
from shopguide.errors import ShopguideError
from tests.bundle.conftest import PREPROCESSING, graph
from tests.bundles import rewrite

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Shape = Sequence[str | int] | None


def made(
    nodes: Sequence[NodeProto],
    *,
    codes: int = 1,
    numbers: int = 3,
    inputs: tuple[str, str] = ("categorical", "numeric"),
    batch: str | int = "b",
    outputs: Sequence[str] = ("click", "buy"),
    shape: Shape = ("b",),
    kind: int = FLOAT,
    weights: Sequence[TensorProto] = (),
) -> bytes:
    """Return a graph of these nodes; "axis" is the constant 1."""
    given = [
        helper.make_tensor_value_info(inputs[0], INT64, [batch, codes]),
        helper.make_tensor_value_info(inputs[1], FLOAT, [batch, numbers]),
    ]
    said = [helper.make_tensor_value_info(name, kind, shape) for name in outputs]
    axis = onnx.numpy_helper.from_array(np.array([1]), "axis")
    model = helper.make_model(
        helper.make_graph(nodes, "made", given, said, [axis, *weights]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    serialized: bytes = model.SerializeToString()
    return serialized


def sums(source: str = "numeric", *, keepdims: int = 0, all_rows: bool = False) -> list[NodeProto]:
    """Return click = buy = Σ of a row of the input, or of all."""
    over = [source] if all_rows else [source, "axis"]
    return [
        helper.make_node("ReduceSum", over, [name], keepdims=keepdims) for name in ("click", "buy")
    ]


GATHER = [
    helper.make_node("Gather", ["table", "categorical"], ["rows"]),
    helper.make_node("Squeeze", ["rows", "axis"], ["click"]),
    helper.make_node("Identity", ["click"], ["buy"]),
]
"""click = buy = table[code]."""


def table(size: int) -> TensorProto:
    return onnx.numpy_helper.from_array(np.zeros(size, np.float32), "table")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"weights", "not a graph that ONNX Runtime can open: .*protobuf parsing failed"),
        (b"", "not a graph that ONNX Runtime can open"),
        (b"\x80\x04\x95pickle", "not a graph that ONNX Runtime can open"),
        (graph()[:200], "not a graph that ONNX Runtime can open"),
        (made(sums(keepdims=1), shape=("b", 1)), r"'click' as .* shape \['b', 1\], .* \[rows\]"),
        (made(sums(keepdims=1), shape=None), r"declares 'click' as .* expected .* \[rows\]"),
        (made(sums(all_rows=True), shape=()), r"declares 'click' .* shape \[\], .* \[rows\]"),
        (made(sums(), shape=(4,), batch=4), r"declares 'categorical' .* shape \[4, 1\]"),
        (made(sums("categorical"), kind=INT64), r"declares 'click' as tensor\(int64\)"),
        (made(sums(), numbers=4), r"declares 'numeric' .* expected .* \[rows, 3\]"),
        (made(sums(), codes=2), r"declares 'categorical' .* expected .* \[rows, 1\]"),
        (made(sums("x"), inputs=("categorical", "x")), "reads the input 'x', expected categorical"),
        (made(sums()[:1], outputs=["click"]), "returns click, and bundle.json has click, buy"),
        (made(GATHER, weights=[table(3)]), "fails on 3 rows: .*indices element out of data bounds"),
    ],
)
def test_a_graph_that_is_not_the_bundles_is_refused_by_name(
    folder: Path, content: bytes, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rewrite(folder, "model.onnx", content)
    with pytest.raises(ShopguideError, match=what) as caught:
        load_bundle(folder)
    assert caught.value.where == f"{folder}/model.onnx"
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # ONNX Runtime prints nothing of its own


def test_a_vocabulary_as_large_as_the_embedding_is_fine(folder: Path) -> None:
    rewrite(folder, "model.onnx", made(GATHER, weights=[table(4)]))  # missing, unknown, red, blue
    assert load_bundle(folder)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 1), (3, 3)])
def test_a_graph_that_returns_another_shape_than_it_declares_is_refused(
    folder: Path, shape: tuple[int, ...]
) -> None:
    # the shape is known only when the graph runs, so that ONNX Runtime believes the declared one
    steps = [
        helper.make_node("ReduceSum", ["categorical"], ["all"], keepdims=1),
        helper.make_node("Sub", ["all", "all"], ["zeros"]),
        helper.make_node("Squeeze", ["zeros", "axis"], ["zero"]),
        helper.make_node("Slice", ["shapes", "zero", "length"], ["wanted"]),
        helper.make_node("ConstantOfShape", ["wanted"], ["click"]),
        helper.make_node("Identity", ["click"], ["buy"]),
    ]
    weights = [
        onnx.numpy_helper.from_array(np.array([*shape, 9], np.int64), "shapes"),
        onnx.numpy_helper.from_array(np.array([len(shape)]), "length"),
    ]
    rewrite(folder, "model.onnx", made(steps, weights=weights))
    said = re.escape(f"returns 'click' of shape {list(shape)} for 3 rows, expected [3]")
    with pytest.raises(ShopguideError, match=said):
        load_bundle(folder)


def test_weights_outside_of_the_graph_are_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.zeros(4, np.float32).tofile(tmp_path / "outside.bin")
    monkeypatch.chdir(tmp_path)
    for location in ("outside.bin", "../outside.bin", str(tmp_path / "outside.bin")):
        outside = TensorProto(name="table", data_type=FLOAT, dims=[4], data_location=1)
        entry = outside.external_data.add()
        entry.key, entry.value = "location", location
        rewrite(folder, "model.onnx", made(GATHER, weights=[outside]))
        with pytest.raises(ShopguideError, match=r"model\.onnx: not a graph .*xternal data"):
            load_bundle(folder)


def test_a_graph_that_fails_later_is_named(folder: Path, rows: pa.Table) -> None:
    steps = [
        helper.make_node("ReduceSum", ["numeric", "axis"], ["flat"], keepdims=0),
        helper.make_node("Cast", ["flat"], ["place"], to=INT64),
        helper.make_node("Gather", ["table", "place"], ["click"]),
        helper.make_node("Identity", ["click"], ["buy"]),
    ]
    rewrite(folder, "model.onnx", made(steps, weights=[table(1)]))
    with pytest.raises(ShopguideError, match=r"model\.onnx: fails on 4 rows: .*out of data bounds"):
        load_bundle(folder).predict(rows)


def test_a_large_vocabulary_needs_a_large_embedding(folder: Path) -> None:
    huge = PREPROCESSING.model_copy(
        update={"categorical": [CategoricalInput(name="colour", buckets=100_000_000)]}
    )
    rewrite(folder, "model.onnx", made(GATHER, weights=[table(4)]))
    rewrite(folder, "preprocessing.json", huge.model_dump_json())
    with pytest.raises(ShopguideError, match="out of data bounds"):
        load_bundle(folder)
