"""Inputs of every kind, from the columns of the training set to what the bundle predicts."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from shopguide.bundle import load_bundle
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.spec import Spec, check_text
from shopguide.training import train_mtl
from tests.training.conftest import SPEC
from tests.training_sets import sealed


def changed_spec(spec: Spec, **model: object) -> Spec:
    document = spec.model_dump(mode="json")
    document["model"] |= model
    return check_text(json.dumps(document), where="planted spec")


def rewritten(training_set: Path, folder: Path, **columns: object) -> Path:
    """Copy the training set, with columns computed from each split's table."""
    for split in ("train", "valid", "test"):
        table = pq.read_table(training_set / f"{split}.parquet")
        for name, compute in columns.items():
            values = compute(table)
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, values)
        pq.write_table(table, folder / f"{split}.parquet")
    return sealed(folder, check_text(SPEC, where="planted spec"))


def history(table: pa.Table) -> pa.Array:
    """Return some items a user saw, none for every seventh row."""
    items = table["item_id"].to_pylist()
    return pa.array(
        [[] if n % 7 == 0 else items[max(0, n - n % 4) : n + 1] for n in range(len(items))]
    )


def test_hashes_crosses_quantiles_lists_and_positions_are_trained_exported_and_served(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    folder = rewritten(
        training_set, tmp_path,
        seen=history,
        tags=lambda table: pa.array([[c, "shop"] for c in table["category"].to_pylist()]),
        position=lambda table: pa.array(np.arange(table.num_rows) % 10),
    )  # fmt: skip
    spec = changed_spec(
        planted_spec,
        hashing={"user_id": 128, "age_x_category": 64},
        crosses=[["age", "category"]],
        embeddings={"item_id": 8, "tags": 3},
        transforms={"price": "quantile", "user_spend_7": "log", "user_last": "linear"},
        lists={
            "seen": {"kind": "sequence", "length": 3, "of": "item_id", "encoder": "din"},
            "tags": {"kind": "bag", "length": 4},
        },
        position_bias=True,
    )
    record = train_mtl(spec, folder, tmp_path / "model").record
    assert record.parity <= 1e-5
    assert record.epochs[record.best_epoch - 1].valid_loss < 0.95
    bundle = load_bundle(tmp_path / "model", threads=1)
    kinds = {entry.name: entry.kind for entry in bundle.manifest.inputs}
    assert (kinds["seen"], kinds["tags"]) == ("sequence", "bag")
    assert "position" not in kinds
    assert "age_x_category" not in kinds
    assert bundle.golden_difference() <= 1e-6
    table = pq.read_table(folder / "test.parquet").drop_columns(["position"])
    assert roc_auc_score(table["click"].to_numpy(), bundle.predict(table)["click"]) > 0.7
    nothing = table.slice(0, 3).set_column(
        table.column_names.index("seen"), "seen", pa.nulls(3, pa.list_(pa.string()))
    )
    assert np.isfinite(bundle.predict(nothing)["click"]).all()


def test_drawing_half_of_the_negatives_leaves_the_level_of_the_predictions(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    document = planted_spec.model_dump(mode="json")
    document["tasks"]["click"]["negative_rate"] = 0.5
    document["training"]["calibration"] = "none"
    spec = check_text(json.dumps(document), where="planted spec")
    rows = train_mtl(spec, training_set, tmp_path / "model").record.rows
    train, test = (pq.read_table(training_set / f"{s}.parquet") for s in ("train", "test"))
    clicks = int(train["click"].to_numpy().sum())
    negatives = train.num_rows - clicks
    # drawn independently with probability ½: deviation √(¼ · negatives); four of them
    assert rows - clicks == pytest.approx(0.5 * negatives, abs=2 * negatives**0.5)
    predicted = load_bundle(tmp_path / "model", threads=1).predict(test)
    for task in ("click", "purchase"):
        label = test[task].to_numpy()
        assert predicted[task].mean() == pytest.approx(label.mean(), rel=0.15)  # else up by 1.4
        assert roc_auc_score(label, predicted[task]) > 0.68


def test_the_position_that_was_seen_first_is_not_taken_for_taste(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    """Clicks fall with the position, and the shop shows its dear items first."""

    def shown(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        price = table["price"].to_numpy().reshape(-1, 10)
        place = np.argsort(np.argsort(-price + rng.normal(0, 1, price.shape), axis=1), axis=1)
        place = place.ravel()
        seen = rng.random(len(place)) < 0.85**place
        return place, seen & (rng.random(len(place)) < 0.5)

    def prices(split: str, **model: object) -> float:
        """Return how much likelier a click is held for the dear half than for the other."""
        folder = tmp_path / split
        folder.mkdir()
        rewritten(
            training_set, folder,
            position=lambda table: pa.array(shown(table)[0]),
            click=lambda table: pa.array(shown(table)[1].astype(np.int8)),
            purchase=lambda table: pa.array(shown(table)[1].astype(np.int8)),
            order_value=lambda table: pa.array(shown(table)[1] * 2.0),
        )  # fmt: skip
        train_mtl(changed_spec(planted_spec, **model), folder, folder / "model")
        table = pq.read_table(folder / "test.parquet")
        p = load_bundle(folder / "model", threads=1).predict(table)["click"]
        dear = table["price"].to_numpy() > np.median(table["price"].to_numpy())
        return float(p[dear].mean() / p[~dear].mean())

    naive, debiased = prices("naive"), prices("debiased", position_bias=True)
    assert naive > 1.25  # the position passes for taste
    assert abs(debiased - 1) < 0.25 * (naive - 1)  # no item is liked better than another


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"hashing": {"user_id": 20}},
            r"model\.hashing\.user_id: declares 20 buckets.*hold 60 val",
        ),
        ({"hashing": {"price": 99}}, r"model\.hashing: names 'price'.*are user_id, item_id, age"),
        ({"embeddings": {"colour": 4}}, r"model\.embeddings: names 'colour'"),
        ({"transforms": {"age": "log"}}, r"model\.transforms: names 'age'.*price"),
        ({"crosses": [["age", "price"]]}, r"model\.crosses: names 'price'"),
        ({"lists": {"age": {"kind": "bag"}}}, r"model\.lists\.age: is an input already"),
        (
            {"lists": {"s": {"kind": "bag", "of": "shop", "encoder": "din"}}},
            r"model\.lists\.s\.of: names 'shop'|lacks the columns s",
        ),
        ({"position_bias": True}, r"train\.parquet: lacks the columns position"),
        (
            {"architecture": "pepnet", "scenario_inputs": ["shop"]},
            r"model\.scenario_inputs: names shop; the inputs are user_id",
        ),
    ],
)
def test_names_that_are_not_there_and_hashes_that_are_too_small_are_refused(
    planted_spec: Spec, training_set: Path, tmp_path: Path, model: dict[str, object], message: str
) -> None:
    with pytest.raises(ShopguideError, match=message):
        train_mtl(changed_spec(planted_spec, **model), training_set, tmp_path / "model")


def test_a_column_of_text_that_should_hold_lists_is_named(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    folder = rewritten(training_set, tmp_path, tags=lambda table: table["category"])
    spec = changed_spec(planted_spec, lists={"tags": {"kind": "bag"}})
    with pytest.raises(ShopguideError, match=r"column tags: is of type string, and model\.lists"):
        train_mtl(spec, folder, tmp_path / "model")


def test_a_purchase_without_its_click_is_refused(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    folder = rewritten(
        training_set, tmp_path,
        click=lambda table: pa.array(np.arange(table.num_rows) % 2 == 0).cast(pa.int8()),
        purchase=lambda table: pa.array(np.arange(table.num_rows) % 4 < 2).cast(pa.int8()),
        order_value=lambda table: pa.array((np.arange(table.num_rows) % 4 < 2) * 3.0),
    )  # fmt: skip
    with pytest.raises(
        InvalidDataError,
        match=r"label purchase is positive and click, which it comes after, is 0 in",
    ):
        train_mtl(planted_spec, folder, tmp_path / "model")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("order_value", [1.0, float("inf")], "label order_value is inf in row 1, must be finite"),
        ("price", ["a", "b"], "column price: is of type string, which a numeric input cannot"),
        ("user_last", ["a", "b"], "column user_last: is of type string, which a recency input"),
    ],
)
def test_infinite_money_and_columns_of_another_type_are_named(
    planted_spec: Spec,
    training_set: Path,
    tmp_path: Path,
    column: str,
    values: list[object],
    message: str,
) -> None:
    folder = rewritten(
        training_set, tmp_path, **{column: lambda table: pa.array(values * (table.num_rows // 2))}
    )
    with pytest.raises(ShopguideError, match=message):
        train_mtl(planted_spec, folder, tmp_path / "model")
