"""A graph may compute once what all rows of a request share; it says what, and is held to it."""

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from shopguide.bundle import load_bundle
from shopguide.bundle.graph import ALIKE
from shopguide.columns import Columns, Same, Values
from shopguide.errors import ShopguideError
from tests.bundle.conftest import at
from tests.bundles import rewrite

SHOWN = round(at(10).timestamp() * 1e6)


def once(noted: str | None = '["price"]', rows: list[str | int] | None = None) -> bytes:
    """Return click = σ(price of `rows` − age), buy = click / 2."""
    nodes = [
        helper.make_node("Gather", ["numeric", "rows"], ["some"], axis=0),
        helper.make_node("Gather", ["some", "zero"], ["price"], axis=1),
        helper.make_node("Gather", ["numeric", "one"], ["age"], axis=1),
        helper.make_node("Sub", ["price", "age"], ["z"]),
        helper.make_node("Squeeze", ["z", "one"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["click"]),
        helper.make_node("Div", ["click", "two"], ["buy"]),
    ]
    given = [
        helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["b", 3]),
        helper.make_tensor_value_info("rows", TensorProto.INT64, rows or ["rows"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([0]), "zero"),
        onnx.numpy_helper.from_array(np.array([1]), "one"),
        onnx.numpy_helper.from_array(np.array(2.0, np.float32), "two"),
    ]
    said = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b"]) for n in ("click", "buy")]
    model = helper.make_model(
        helper.make_graph(nodes, "once", given, said, constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    if noted is not None:
        helper.set_model_props(model, {ALIKE: noted})
    serialized: bytes = model.SerializeToString()
    return serialized


@pytest.mark.parametrize(
    "price", [Same(11.0), Same(None), np.array([11.0, 9.0, np.nan])], ids=["same", "none", "each"]
)
def test_a_request_has_the_predictions_of_its_rows(folder: Path, price: Values) -> None:
    rewrite(folder, "model.onnx", once())
    bundle = load_bundle(folder)
    assert bundle.alike == {"price"}
    last = np.array([SHOWN - 86_400_000_000 * days for days in (0, 1, 2)])
    columns = Columns({"colour": Same("red"), "price": price, "last": last}, 3, SHOWN)
    prices = [price.value] * 3 if isinstance(price, Same) else price
    table = pa.table(
        {
            "colour": ["red"] * 3,
            "price": pa.array(prices, pa.float64(), from_pandas=True),
            "last": pa.array(last.view("datetime64[us]"), pa.timestamp("us", "UTC")),
            "shown_at": pa.array([at(10)] * 3, pa.timestamp("us", "UTC")),
        }
    )
    expected = bundle.predict(table)
    assert len(set(expected["click"].tolist())) == 3
    for task, found in bundle.predict_columns(columns).items():
        np.testing.assert_array_equal(found, expected[task])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (once('["prise"]'), "notes under 'alike' what is no input"),
        (once("{"), "notes under 'alike' what is no list"),
        (once("7"), "notes under 'alike' what is no list"),
        (once(rows=[3]), "declares 'rows' as"),
    ],
)
def test_what_it_says_is_checked(folder: Path, content: bytes, what: str) -> None:
    rewrite(folder, "model.onnx", content)
    with pytest.raises(ShopguideError, match=what):
        load_bundle(folder)
