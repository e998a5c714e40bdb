"""A category beside the other tasks: from its label to the probabilities of the bundle."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss

from shopguide.bundle import load_bundle
from shopguide.errors import InvalidDataError
from shopguide.spec import Spec, check_text
from shopguide.training import train_mtl
from tests.training_sets import sealed

INTENT = {"kind": "category", "classes": {"buy": "purchase", "browse": "click"}, "other": "leave"}


@pytest.fixture
def with_intent(planted_spec: Spec, training_set: Path, tmp_path: Path) -> Path:
    """The planted training set with the code of what followed."""
    for split in ("train", "valid", "test"):
        table = pq.read_table(training_set / f"{split}.parquet")
        bought, clicked = table["purchase"].to_numpy(), table["click"].to_numpy()
        codes = np.where(bought == 1, 0, np.where(clicked == 1, 1, 2)).astype(np.int8)
        pq.write_table(
            table.append_column("intent", pa.array(codes)), tmp_path / f"{split}.parquet"
        )
    return sealed(tmp_path, planted_spec)


@pytest.fixture
def spec(planted_spec: Spec) -> Spec:
    document = planted_spec.model_dump(mode="json")
    document["tasks"]["intent"] = INTENT
    return check_text(json.dumps(document), where="planted spec")


def test_the_bundle_predicts_probabilities_of_the_classes_beside_its_other_tasks(
    spec: Spec, with_intent: Path, tmp_path: Path
) -> None:
    train_mtl(spec, with_intent, tmp_path / "model")
    bundle = load_bundle(tmp_path / "model", threads=1)
    assert bundle.manifest.categories == {"intent": ["buy", "browse", "leave"]}
    table = pq.read_table(with_intent / "test.parquet")
    found = bundle.probabilities(table)["intent"]
    assert found.shape == (table.num_rows, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    label = table["intent"].to_numpy()
    rates = np.bincount(label, minlength=3) / len(label)
    entropy = -float((rates * np.log(rates)).sum())
    assert log_loss(label, found.astype(np.float64) / found.sum(axis=1, keepdims=True)) < (
        0.95 * entropy
    )
    assert list(bundle.predict(table)) == ["click", "purchase", "order_value"]
    assert bundle.golden_difference() <= 1e-6
    assert all(values.shape == (0,) for values in bundle.predict(table.slice(0, 0)).values())


def test_codes_of_another_spec_and_a_single_class_are_refused(
    spec: Spec, with_intent: Path, tmp_path: Path
) -> None:
    for code, message in (
        (3, "label intent is 3 in row 0, must be a code from 0 to 2: buy, browse, leave"),
        (2, "label intent has one class alone, leave, in 8,000 rows"),
    ):
        table = pq.read_table(with_intent / "train.parquet")
        place = table.column_names.index("intent")
        codes = pa.array(np.full(table.num_rows, code, np.int8))
        pq.write_table(table.set_column(place, "intent", codes), with_intent / "train.parquet")
        sealed(with_intent, spec)
        with pytest.raises(InvalidDataError, match=message):
            train_mtl(spec, with_intent, tmp_path / "model")
