"""Metrics of categories against scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from shopguide.bundle import load_bundle
from shopguide.errors import InvalidDataError
from shopguide.evaluation.categories import category_metrics
from shopguide.evaluation.measure import evaluate_bundle
from shopguide.evaluation.page import html
from shopguide.spec import check_text
from shopguide.training import train_mtl
from tests.training.conftest import SPEC, write_training_set
from tests.training_sets import sealed

CLASSES = ("browse", "compare", "buy", "none")


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    probabilities = generator.dirichlet([2, 1, 1, 0.5], 500)
    codes = np.array([generator.choice(4, p=p) for p in probabilities])
    return codes, probabilities, generator.gamma(1.0, 1.0, 500)


def test_metrics_equal_scikit_learn_with_weights(rows: tuple[np.ndarray, ...]) -> None:
    codes, probabilities, weights = rows
    found = category_metrics(codes, probabilities, weights, CLASSES)
    guess = probabilities.argmax(axis=1)
    expected = {
        "accuracy": accuracy_score(codes, guess, sample_weight=weights),
        "macro_f1": f1_score(codes, guess, average="macro", sample_weight=weights),
        "log_loss": log_loss(codes, probabilities, sample_weight=weights),
    }
    for name, value in expected.items():
        assert found.metrics[name] == pytest.approx(value), name
    np.testing.assert_allclose(
        found.confusion, confusion_matrix(codes, guess, sample_weight=weights)
    )


def test_predicting_the_shares_leaves_all_of_the_entropy() -> None:
    codes = np.array([0, 0, 1, 3])
    shares = np.tile([0.5, 0.25, 0.0, 0.25], (4, 1))
    found = category_metrics(codes, shares, np.ones(4), CLASSES)
    assert found.metrics["normalised_entropy"] == pytest.approx(1.0)
    assert found.metrics["accuracy"] == 0.5


def test_a_tie_is_shared_between_its_classes() -> None:
    even = np.tile([0.5, 0.5, 0.0, 0.0], (4, 1))
    found = category_metrics(np.array([0, 0, 0, 1]), even, np.ones(4), CLASSES)
    assert found.metrics["accuracy"] == 0.5
    assert found.confusion[0].tolist() == [1.5, 1.5, 0, 0]


def test_one_class_and_no_weight_have_reasons() -> None:
    one = category_metrics(np.zeros(3, np.int64), np.eye(4)[[0, 0, 1]], np.ones(3), CLASSES)
    assert one.reasons == {"normalised_entropy": "there is one class only"}
    none = category_metrics(np.zeros(3, np.int64), np.eye(4)[[0, 0, 1]], np.zeros(3), CLASSES)
    assert set(none.reasons.values()) == {"all weights are 0"}
    for found in (one, none):
        assert json.dumps(found.to_dict(), allow_nan=False)


def test_a_bundle_with_a_category_is_measured_on_it(tmp_path: Path) -> None:
    document = check_text(SPEC, where="planted spec").model_dump(mode="json")
    document["tasks"]["intent"] = {
        "kind": "category", "classes": {"buy": "purchase", "browse": "click"}, "other": "leave",
    }  # fmt: skip
    document["training"]["epochs"] = 1
    write_training_set(tmp_path, requests={"train": 200, "valid": 60, "test": 60}, seed=2)
    for split in ("train", "valid", "test"):
        table = pq.read_table(tmp_path / f"{split}.parquet")
        bought, clicked = table["purchase"].to_numpy(), table["click"].to_numpy()
        codes = np.where(bought == 1, 0, np.where(clicked == 1, 1, 2)).astype(np.int8)
        table = table.append_column("intent", pa.array(codes))
        pq.write_table(table, tmp_path / f"{split}.parquet")
    spec = check_text(json.dumps(document), where="planted spec")
    train_mtl(spec, sealed(tmp_path, spec), tmp_path / "model")
    found = evaluate_bundle(tmp_path / "model", tmp_path)
    guess = load_bundle(tmp_path / "model").probabilities(table)["intent"].argmax(axis=1)
    assert found.categories["intent"].metrics["accuracy"] == pytest.approx((guess == codes).mean())
    assert list(found.tasks) == ["click", "purchase", "order_value"]
    assert json.dumps(found.to_json(), allow_nan=False)
    assert ">leave</th>" in html(found)
    place = table.column_names.index("intent")
    beyond = table.set_column(place, "intent", pa.array(np.full(table.num_rows, 3, np.int8)))
    pq.write_table(beyond, tmp_path / "test.parquet")
    with pytest.raises(InvalidDataError, match=r"row 1: is 3, must be a code from 0 to 2: buy"):
        evaluate_bundle(tmp_path / "model", tmp_path / "test.parquet")
