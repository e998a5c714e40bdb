"""What is registered in Feast is what the catalogue names, and no more."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shopguide.errors import ShopguideError
from shopguide.features import OnlineFeatures, materialize_features, materialize_online
from shopguide.features.store import open_store, view_inputs, view_keys
from shopguide.features.versions import feast_view, feature_service

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any


def test_every_view_is_registered_with_its_columns_and_absolute_source(shop: Shop) -> None:
    store = open_store(shop.spec, shop.spec.home)
    views = {view.name: view for view in store.list_feature_views()}
    columns = view_inputs(shop.spec)
    assert views.keys() == {feast_view(shop.spec, name) for name in columns}
    for name in columns:
        view = views[feast_view(shop.spec, name)]
        assert [field.name for field in view.features] == [column.name for column in columns[name]]
        assert view.entities == view_keys(shop.spec)[name]
        assert view.tags["view"] == name
        assert Path(view.batch_source.path).is_absolute()
        assert Path(view.batch_source.path).is_file()
    service = store.get_feature_service(feature_service(shop.spec))
    assert {projection.name for projection in service.feature_view_projections} == views.keys()


def test_a_relative_home_works_from_any_directory(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    spec = corner_shop.spec(Path("home"), features=corner_shop.features("user"))
    materialize_features(spec, shop.log, "training_set")
    monkeypatch.chdir(tmp_path / "elsewhere")
    store = open_store(spec, tmp_path / "home")
    name = feast_view(spec, "user")
    path = Path(store.get_feature_view(name).batch_source.path)
    assert path == tmp_path / "home" / "feature_store" / "offline" / f"{name}.parquet"
    assert pq.read_metadata(path).num_rows > 0


def test_a_changed_catalogue_leaves_the_features_of_the_former_one_readable(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    champion = corner_shop.spec(tmp_path, features=corner_shop.features("user", "promotion"))
    baskets = {"count_distinct": "basket_id", "windows": [2]}
    user = {"keys": ["user_id"], "kind": "purchase", "measures": {"baskets": baskets}}
    challenger = corner_shop.spec(tmp_path, features=corner_shop.features(views={"user": user}))
    materialize_features(champion, shop.log, tmp_path / "training_set")
    materialize_online(champion)
    served = OnlineFeatures(champion, tmp_path)
    before = served.read("u1", ["i1"], {"place_id": "p0"})
    materialize_features(challenger, shop.log, tmp_path / "training_set")
    materialize_online(challenger)
    assert served.read("u1", ["i1"], {"place_id": "p0"}).equals(before)
    assert OnlineFeatures(champion, tmp_path).read("u1", ["i1"], {"place_id": "p0"}).equals(before)
    row = OnlineFeatures(challenger, tmp_path).read("u1", ["i1"], {}).to_pylist()[0]
    assert "promotion_weeks_2" not in row
    assert row["user_baskets_2"] is not None


def test_the_online_store_waits_for_materialize_online(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    row = OnlineFeatures(spec, tmp_path).read("u1", ["i1"], {}).to_pylist()[0]
    assert row["user_baskets_3"] is None


def test_only_entities_that_changed_are_written_again(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path / "home")
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    assert all(first.values())
    assert set(materialize_online(spec).values()) == {0}
    item = {**shop.tables["items"][1], "stock": 77.0}
    items = [item if row["item_id"] == item["item_id"] else row for row in shop.tables["items"]]
    log = corner_shop.write(tmp_path / "log", {**shop.tables, "items": items})
    materialize_features(spec, log, tmp_path / "training_set")
    assert {view: rows for view, rows in materialize_online(spec).items() if rows} == {
        "item_attributes": 1
    }
    row = OnlineFeatures(spec, spec.home).read("u1", [item["item_id"]], {}).to_pylist()[0]
    assert row["stock"] == 77.0


def test_a_lost_online_store_is_filled_anew(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    for path in (tmp_path / "feature_store").glob("online.db*"):
        path.unlink()
    materialize_features(spec, shop.log, tmp_path / "training_set")
    assert materialize_online(spec) == first


def test_features_that_were_never_computed_are_not_served(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user"))
    with pytest.raises(ShopguideError, match=r"no such features\. Run `shopguide features`"):
        materialize_online(spec)


def test_a_view_that_no_impression_can_ask_gives_nulls(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    tables = {
        **shop.tables,
        **{
            table: [row | {"place_id": None} for row in shop.tables[table]]
            for table in ("impressions", "events")
        },
    }
    features = corner_shop.features("user_place")
    spec = corner_shop.spec(tmp_path / "home", features=features)
    log = corner_shop.write(tmp_path / "log", tables)
    summary = materialize_features(spec, log, tmp_path / "training_set")
    assert summary.rows == shop.summary.rows
    train = pq.read_table(tmp_path / "training_set" / "train.parquet")
    assert train["user_place_baskets_2"].null_count == train.num_rows
    row = OnlineFeatures(spec, spec.home).read("u1", ["i1"], {"place_id": "p0"}).to_pylist()[0]
    assert row["user_place_baskets_2"] is None
