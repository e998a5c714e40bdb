"""What is registered in Feast is what the catalogue names, and no more."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from shopguide.cli.main import app
from shopguide.errors import ShopguideError
from shopguide.features import OnlineFeatures, materialize_features, materialize_online
from shopguide.features.marker import count_cells
from shopguide.features.online_writer import ViewWritten
from shopguide.features.store import (
    online_file,
    online_table,
    open_store,
    view_inputs,
    view_keys,
)
from shopguide.features.versions import feast_view, feature_service
from shopguide.spec import Spec, dump_spec

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any


def cells(spec: Spec, view: str) -> int:
    """Count what the online store holds of a view."""
    with closing(sqlite3.connect(online_file(spec.home))) as connection:
        return count_cells(connection, online_table(spec, view))


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
    folder = tmp_path / "home" / "feature_store" / "offline"
    assert path == folder / "corner_shop" / f"{name}.parquet"
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
    served = OnlineFeatures(spec, tmp_path)
    with pytest.raises(ShopguideError, match=r"nothing that was materialised of corner_shop_user"):
        served.read("u1", ["i1"], {})


def test_only_entities_that_changed_are_written_again(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path / "home")
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    assert all(done.entities and not done.lost for done in first.values())
    assert set(materialize_online(spec).values()) == {ViewWritten(0)}
    item = {**shop.tables["items"][1], "stock": 77.0}
    items = [item if row["item_id"] == item["item_id"] else row for row in shop.tables["items"]]
    log = corner_shop.write(tmp_path / "log", {**shop.tables, "items": items})
    materialize_features(spec, log, tmp_path / "training_set")
    again = materialize_online(spec)
    assert {view: done for view, done in again.items() if done.entities} == {
        "item_attributes": ViewWritten(1)
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
    assert materialize_online(spec) == {
        view: ViewWritten(done.entities, lost=done.entities) for view, done in first.items()
    }


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        ("DROP TABLE {table}", 7),
        ("DELETE FROM {table}", 7),
        ("DELETE FROM {table} WHERE entity_key <> CAST('shopguide' AS BLOB)", 7),
        (
            "DELETE FROM {table} WHERE entity_key = (SELECT max(entity_key) FROM {table} "
            "WHERE entity_key <> CAST('shopguide' AS BLOB))",
            1,
        ),
        (
            "DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table} "
            "WHERE entity_key <> CAST('shopguide' AS BLOB))",
            1,
        ),
    ],
)
def test_a_table_that_lost_entities_is_filled_anew_and_told(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path, harm: str, lost: int
) -> None:
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user", "item"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    assert first["user"].entities == 7
    before = cells(spec, "user")
    with closing(sqlite3.connect(online_file(tmp_path))) as connection, connection:
        connection.execute(harm.format(table=online_table(spec, "user")))
    again = materialize_online(spec)
    assert again["user"] == ViewWritten(7, lost=lost)
    assert again["item"] == again["item_attributes"] == ViewWritten(0)
    assert cells(spec, "user") == before
    assert set(materialize_online(spec).values()) == {ViewWritten(0)}


def test_a_write_that_was_not_finished_is_done_again(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    before = cells(spec, "user")
    with closing(sqlite3.connect(online_file(tmp_path))) as connection, connection:
        marker = "DELETE FROM {table} WHERE entity_key = CAST('shopguide' AS BLOB)"
        connection.execute(marker.format(table=online_table(spec, "user")))
    assert materialize_online(spec)["user"] == ViewWritten(first["user"].entities)
    assert cells(spec, "user") == before


def test_shops_that_share_a_home_and_define_views_alike_keep_apart(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    features = corner_shop.features("user")
    ours = corner_shop.spec(tmp_path, features=features)
    theirs = corner_shop.spec(tmp_path, features=features, name="other_shop")
    assert feast_view(ours, "user") == feast_view(theirs, "user")
    materialize_features(ours, shop.log, tmp_path / "training_set")
    first = materialize_online(ours)
    before = OnlineFeatures(ours, tmp_path).read("u1", ["i1"], {})
    events = [row for row in shop.tables["events"] if row["user_id"] != "u1"]
    log = corner_shop.write(tmp_path / "log", {**shop.tables, "events": events})
    materialize_features(theirs, log, tmp_path / "training_set")
    assert materialize_online(theirs)["user"].entities == first["user"].entities - 1
    assert set(materialize_online(ours).values()) == {ViewWritten(0)}
    assert OnlineFeatures(ours, tmp_path).read("u1", ["i1"], {}).equals(before)


def test_the_command_tells_what_it_rebuilt(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path / "home", features=corner_shop.features("user"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    first = materialize_online(spec)
    with closing(sqlite3.connect(online_file(spec.home))) as connection, connection:
        connection.execute(f"DROP TABLE {online_table(spec, 'user')}")
    dump_spec(spec, tmp_path / "spec.yaml")
    done = CliRunner().invoke(app, ["materialize", "--spec", str(tmp_path / "spec.yaml")])
    assert done.exit_code == 0, done.output
    assert f"rebuilt: the store had lost {first['user'].entities} entities" in done.output
    assert done.output.count("rebuilt") == 1


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
    assert materialize_online(spec)["user_place"] == ViewWritten(0)
    row = OnlineFeatures(spec, spec.home).read("u1", ["i1"], {"place_id": "p0"}).to_pylist()[0]
    assert row["user_place_baskets_2"] is None
