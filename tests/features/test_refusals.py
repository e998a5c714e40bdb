"""A catalogue that asks for what the log lacks is refused before anything is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from shopguide.errors import ShopguideError
from shopguide.features import materialize_features, model_inputs
from shopguide.features.catalogue import ModelInput, check_names

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any

EVENTS = (
    "event_id, request_id, user_id, item_id, kind, at, value, currency, basket_id, place_id, "
    "quantity, discount"
)
SUM = {
    "keys": ["user_id"],
    "kind": "purchase",
    "measures": {"m": {"sum": "margin", "windows": [1]}},
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"views": {"user": SUM}},
            f"spec features, view user: table events of the log has no column 'margin'; it has "
            f"{EVENTS}. Name one of these, or map it in `data`",
        ),
        (
            {"user_attributes": {"age": "numeric"}},
            "spec features, view user_attributes: table users of the log has no column 'age'; it "
            "has user_id, town. Name one of these, or map it in `data`",
        ),
        (
            {"views": {"shelf": SUM | {"keys": ["shelf"], "measures": {"n": {"last": "at"}}}}},
            "spec features, view item_attributes: table items of the log has no column 'shelf'; it "
            "has item_id, category, stock, kept. Name one of these, or map it in `data`",
        ),
        (
            {"context": {"banner": "categorical"}},
            "spec features.context.banner: table impressions of the log has no column 'banner'; it "
            "has request_id, user_id, item_id, shown_at, sample_weight, place_id. "
            "Name one of these",
        ),
    ],
    ids=["measure", "attribute", "key", "context"],
)
def test_a_column_that_the_log_lacks_is_refused(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    spec = corner_shop.spec(tmp_path / "home", features=corner_shop.features(**changed))
    with pytest.raises(ShopguideError) as caught:
        materialize_features(spec, shop.log, tmp_path / "training_set")
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_the_log_lacks_is_refused(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    tables = {name: rows for name, rows in shop.tables.items() if name != "promotions"}
    log = corner_shop.write(tmp_path / "log", tables)
    with pytest.raises(ShopguideError) as caught:
        materialize_features(corner_shop.spec(tmp_path / "home"), log, tmp_path / "training_set")
    assert str(caught.value) == (
        f"spec features.views.promotion.table: the log {log} has no table 'promotions'. "
        "Remove the view, or give the source that table"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_folder_without_a_log_is_refused(corner_shop: CornerShop, tmp_path: Path) -> None:
    spec = corner_shop.spec(tmp_path / "home")
    with pytest.raises(ShopguideError) as caught:
        materialize_features(spec, tmp_path / "nowhere", tmp_path / "training_set")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere/log.json: no such file. Run `shopguide prepare` first"
    )


def test_a_log_of_another_format_is_refused(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    log = corner_shop.write(tmp_path / "log", shop.tables)
    document = json.loads((log / "log.json").read_text(encoding="utf-8"))
    (log / "log.json").write_text(json.dumps(document | {"format": 2}), encoding="utf-8")
    with pytest.raises(ShopguideError, match=r"log\.json: format 2, expected 1\. Prepare the log"):
        materialize_features(corner_shop.spec(tmp_path / "home"), log, tmp_path / "training_set")


def test_an_attribute_of_text_that_is_declared_numeric_is_refused(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    changed = corner_shop.features(item_attributes={"category": "numeric"})
    spec = corner_shop.spec(tmp_path / "home", features=changed)
    with pytest.raises(ShopguideError) as caught:
        materialize_features(spec, shop.log, tmp_path / "training_set")
    assert str(caught.value).startswith(
        "spec features.item_attributes.category: is numeric, and the log holds the text '"
    )


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"slices": ["twon"]}, "spec gate.slices: no input is called 'twon'. Did you mean town?"),
        ({"baseline": "town"}, "spec gate.baseline: no numeric input is called 'town'. Name an"),
        ({"waive_leaks": ["colour"]}, "spec gate.waive_leaks: no input is called 'colour'."),
    ],
)
def test_a_column_that_the_gate_would_miss_is_named_early(
    shop: Shop, gate: dict[str, Any], message: str
) -> None:
    spec = shop.spec.model_copy(update={"gate": shop.spec.gate.model_copy(update=gate)})
    with pytest.raises(ShopguideError) as caught:
        check_names(spec)
    assert str(caught.value).startswith(message)


def test_two_inputs_of_one_name_are_refused(corner_shop: CornerShop, tmp_path: Path) -> None:
    changed = corner_shop.features(user_attributes={"category": "categorical"})
    with pytest.raises(ShopguideError) as caught:
        model_inputs(corner_shop.spec(tmp_path, features=changed))
    assert str(caught.value) == (
        "spec features: two inputs are called 'category'. Rename one of them"
    )


def test_inputs_are_ids_attributes_context_and_views_in_the_order_of_the_spec(
    shop: Shop,
) -> None:
    inputs = model_inputs(shop.spec)
    assert [column.name for column in inputs[:9]] == [
        "user_id",
        "item_id",
        "town",
        "category",
        "stock",
        "place_id",
        "user_baskets_1",
        "user_baskets_3",
        "user_spend_2",
    ]
    assert inputs[6] == ModelInput(
        "user_baskets_1",
        "numeric",
        "user",
        "distinct basket_id of purchase events in the 1 weeks before, by user_id",
    )
    by_name = {column.name: column for column in inputs}
    assert by_name["user_last"].kind == "recency"
    assert by_name["item_price_2"].doc == "item_spend_2 per item_quantity_2"
    assert by_name["promotion_weeks_2"].doc.startswith("distinct period of promotions in the 2")
