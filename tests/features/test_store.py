"""What is registered in Feast is what the catalogue names, and no more."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shopguide.features import OnlineFeatures, materialize_features
from shopguide.features.store import open_store, view_inputs, view_keys

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any


def test_every_view_is_registered_with_its_columns_and_absolute_source(shop: Shop) -> None:
    store = open_store(shop.spec, shop.spec.home)
    views = {view.name: view for view in store.list_feature_views()}
    columns = view_inputs(shop.spec)
    assert views.keys() == columns.keys()
    for name, view in views.items():
        assert [field.name for field in view.features] == [column.name for column in columns[name]]
        assert view.entities == view_keys(shop.spec)[name]
        assert Path(view.batch_source.path).is_absolute()
        assert Path(view.batch_source.path).is_file()
    service = store.get_feature_service(shop.spec.name)
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
    path = Path(store.get_feature_view("user").batch_source.path)
    assert path == tmp_path / "home" / "feature_store" / "offline" / "user.parquet"
    assert pq.read_metadata(path).num_rows > 0


def test_a_view_that_the_catalogue_no_longer_names_is_removed(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    before, after = (
        corner_shop.spec(tmp_path, features=corner_shop.features(*views))
        for views in (("user", "promotion"), ("user",))
    )
    for spec in (before, after):
        materialize_features(spec, shop.log, tmp_path / "training_set")
    names = {view.name for view in open_store(after, tmp_path).list_feature_views()}
    assert "promotion" not in names
    assert "user" in names
    row = OnlineFeatures(after, tmp_path).read("u1", ["i1"], {"place_id": "p0"}).to_pylist()[0]
    assert "promotion_weeks_2" not in row
    assert row["user_baskets_3"] is not None
    assert not (tmp_path / "feature_store" / "offline" / "promotion.parquet").exists()


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
