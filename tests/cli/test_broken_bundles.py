"""A broken bundle ends every verb that reads it with exit code 2 and a line that names the file."""

import json
import math
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import with_fusion
from shopguide.cli import main
from shopguide.fusion import Fusion
from tests.bundles import edit, reseal, rewrite
from tests.objective.conftest import SPEC, Shop, shop

__all__ = ["shop"]

FUSION = {"form": "additive", "weights": {"click": 1.0}, "means": {"click": 0.5}}

Spoil = Callable[[Path], None]


def with_model(change: Callable[[onnx.ModelProto], None]) -> Spoil:
    def spoil(bundle: Path) -> None:
        model = onnx.load(bundle / "model.onnx")
        change(model)
        rewrite(bundle, "model.onnx", model.SerializeToString())

    return spoil


def columns_of_one(model: onnx.ModelProto) -> None:
    """Let the outputs be [n, 1]: the last steps squeeze."""
    split = next(node for node in model.graph.node if node.op_type == "Split")
    split.output[:] = ["click", "buy"]
    for node in [node for node in model.graph.node if node.op_type == "Squeeze"]:
        model.graph.node.remove(node)
    for output in model.graph.output:
        output.type.tensor_type.shape.dim.add().dim_value = 1


def renamed(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "tap"
    next(node for node in model.graph.node if "click" in node.output).output[0] = "tap"


def wider(model: onnx.ModelProto) -> None:
    """Let the graph read four numbers."""
    weights = next(each for each in model.graph.initializer if each.name == "w")
    weights.CopyFrom(onnx.numpy_helper.from_array(np.zeros((4, 2), np.float32), "w"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4


def constant(value: float) -> Callable[[onnx.ModelProto], None]:
    """Let every prediction be one number."""

    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Sigmoid")
        number = onnx.numpy_helper.from_array(np.array([value], np.float32), "number")
        model.graph.initializer.append(number)
        ones = onnx.helper.make_node("Mul", ["logits", "number"], ["p"])
        place = list(model.graph.node).index(node)
        model.graph.node.remove(node)
        model.graph.node.insert(place, ones)

    return change


def fused(changes: Mapping[str, object]) -> Spoil:
    return lambda bundle: rewrite(bundle, "fusion.json", json.dumps(FUSION | changes))


SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "graph is text": (lambda b: rewrite(b, "model.onnx", "hello"), "model.onnx", "not a graph"),
    "output renamed": (with_model(renamed), "model.onnx", "returns tap, buy"),
    "output dropped": (
        with_model(lambda model: model.graph.output.pop()),
        "model.onnx",
        "returns click, and bundle.json has click, buy",
    ),
    "outputs [n, 1]": (with_model(columns_of_one), "model.onnx", "expected"),
    "more inputs": (with_model(wider), "model.onnx", "[rows, 3]"),
    "fusion of no task": (
        fused({"weights": {"view": 1.0}, "means": {"view": 1.0}}),
        "fusion.json",
        "weights.view: there is no such task",
    ),
    "fusion mean of 0": (fused({"means": {"click": 0}}), "fusion.json", "means.click"),
    "fusion weight is NaN": (
        fused({"weights": {"click": math.nan}}),
        "fusion.json",
        "weights.click",
    ),
    "graph missing": (lambda b: (b / "model.onnx").unlink(), "model.onnx", "went missing"),
    "spec missing": (lambda b: (b / "spec.yaml").unlink(), "spec.yaml", "went missing"),
    "profile is text": (
        lambda b: rewrite(b, "profile.json", "no"),
        "profile.json",
        "not a profile",
    ),
    "preprocessing of one input": (
        lambda b: rewrite(b, "preprocessing.json", '{"categorical": [], "numeric": []}'),
        "bundle.json inputs",
        "says otherwise than preprocessing.json",
    ),
    "inputs edited": (lambda b: edit(b, {"inputs": []}), "bundle.json", "was edited"),
    "inputs edited ably": (
        lambda b: reseal(b, {"inputs": []}),
        "bundle.json inputs",
        "says otherwise",
    ),
}


@pytest.fixture
def spec_file(shop: Shop) -> Path:
    path = shop.folder / "two_goals.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def bundle(shop: Shop, tmp_path: Path) -> Path:
    """A solved bundle of its own."""
    with_fusion(
        shop.bundle(), tmp_path / "spoilt", Fusion("additive", {"click": 1.0}, {"click": 0.5})
    )
    return tmp_path / "spoilt"


@pytest.fixture
def typed(
    shop: Shop, spec_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a verb on a bundle: exit code and what went to stderr."""

    def run(verb: str, bundle: Path, tmp_path: Path) -> tuple[int, str]:
        data = str(shop.training_set)
        given = ["--spec", str(spec_file), "--out", str(tmp_path / "out")]
        words = {
            "decide": ["gate", "decide", "--challenger", str(bundle), "--data", data, *given],
            "solve": ["solve", "--bundle", str(bundle), "--training-set", data, *given],
            "evaluate": ["evaluate", "--bundle", str(bundle), "--data", data],
            "package": ["package", "--bundle", str(bundle), "--training-set", data, *given],
        }[verb]
        monkeypatch.setattr(sys, "argv", ["shopguide", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return code, capfd.readouterr().err

    return run


@pytest.mark.parametrize("verb", ["decide", "solve", "evaluate", "package"])
@pytest.mark.parametrize("how", SPOILT)
def test_a_broken_bundle_is_bad_input(
    typed: Callable[..., tuple[int, str]], bundle: Path, tmp_path: Path, verb: str, how: str
) -> None:
    spoil, file, what = SPOILT[how]
    spoil(bundle)
    code, said = typed(verb, bundle, tmp_path)
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    assert f"{bundle}/{file}" in said
    assert what in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (None, "not a readable Parquet file"),
        (lambda t: t.drop_columns(["prediction_click"]), "lacks the column prediction_click"),
        (
            lambda t: t.drop_columns(["prediction_click"]).append_column(
                "prediction_click", pa.array(["much"] * t.num_rows)
            ),
            "column prediction_click: is of type string",
        ),
        (lambda t: t.drop_columns(["need"]), "lacks the columns need"),
    ],
)
def test_broken_golden_rows_are_bad_input(
    typed: Callable[..., tuple[int, str]],
    bundle: Path,
    tmp_path: Path,
    change: Callable[[pa.Table], pa.Table] | None,
    what: str,
) -> None:
    path = bundle / "golden.parquet"
    if change:
        pq.write_table(change(pq.read_table(path)), path)
    rewrite(bundle, "golden.parquet", path.read_bytes() if change else b"rows")
    code, said = typed("decide", bundle, tmp_path)
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    assert f"{bundle}/golden.parquet" in said
    assert what in said


@pytest.mark.parametrize("verb", ["decide", "package"])
def test_a_bundle_that_was_never_solved_says_how(
    typed: Callable[..., tuple[int, str]], shop: Shop, tmp_path: Path, verb: str
) -> None:
    shutil.copytree(shop.bundle(), tmp_path / "unsolved")
    code, said = typed(verb, tmp_path / "unsolved", tmp_path)
    assert code == 2, said
    assert "no fusion weights" in said
    assert "`shopguide solve`" in said


@pytest.mark.parametrize("verb", ["decide", "solve", "evaluate"])
@pytest.mark.parametrize("value", [math.nan, 7.0])
def test_predictions_that_are_no_probabilities_are_bad_input(
    typed: Callable[..., tuple[int, str]], bundle: Path, tmp_path: Path, verb: str, value: float
) -> None:
    with_model(constant(value))(bundle)
    code, said = typed(verb, bundle, tmp_path)
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    assert f"{bundle}/model.onnx, task click: predicts" in said
    assert "expected a probability" in said
