"""At request time the store answers what the offline features say at the log's end."""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.errors import ShopguideError
from shopguide.features import (
    OnlineFeatures,
    materialize_features,
    materialize_online,
    model_inputs,
)
from shopguide.features import online as reader
from shopguide.features.marker import Marker
from shopguide.features.sqlite_reader import SqliteReader
from shopguide.features.store import online_file, online_table

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any

ITEMS = ["i5", "i0", "i3", "i1", "i4", "i2"]
"""All items that are kept, in an order of their own."""


@pytest.fixture(scope="module")
def online(shop: Shop) -> OnlineFeatures:
    return OnlineFeatures(shop.spec, shop.spec.home)


def expected(shop: Shop, user: str, item: str, place: str | None, at: datetime) -> dict[str, Any]:
    row = {"user_id": user, "item_id": item, "place_id": place, "shown_at": at}
    values: dict[str, Any] = {"user_id": user, "item_id": item, "place_id": place}
    for view in shop.spec.features.views:
        values |= shop.reference.as_of(view, shop.keys(view, row), at)
    for table, key, names in (
        ("users", "user_id", ["town"]),
        ("items", "item_id", ["category", "stock"]),
    ):
        known = {entity[key]: entity for entity in shop.tables[table]}
        values |= {name: known.get(row[key], {}).get(name) for name in names}
    return values


@pytest.mark.parametrize("place", ["p0", "p1", "p9", None])
def test_online_values_are_those_of_the_past_as_of_the_logs_end(
    shop: Shop, online: OnlineFeatures, place: str | None
) -> None:
    end = datetime.fromisoformat(shop.summary.log_end)
    context = {} if place is None else {"place_id": place}
    for user in (f"u{n}" for n in range(9)):
        found = online.read(user, ITEMS, context)
        assert found["item_id"].to_pylist() == ITEMS
        for row in found.to_pylist():
            assert row == expected(shop, user, row["item_id"], place, end)


def test_the_answer_has_the_models_inputs_in_their_order_and_types(
    shop: Shop, online: OnlineFeatures
) -> None:
    found = online.read("u1", ITEMS, {"place_id": "p0"})
    assert found.column_names == [column.name for column in model_inputs(shop.spec)]
    trained = pq.read_schema(shop.training_set / "train.parquet")
    assert found.schema.types == [trained.field(name).type for name in found.column_names]


def test_unknown_users_and_items_have_nulls_where_nothing_is_known(
    shop: Shop, online: OnlineFeatures
) -> None:
    end = datetime.fromisoformat(shop.summary.log_end)
    found = online.read("nobody", ["nothing", "i1", "nothing"], {"place_id": "p0"}).to_pylist()
    assert found == [
        expected(shop, "nobody", item, "p0", end) for item in ("nothing", "i1", "nothing")
    ]
    blank = {name for name, value in found[0].items() if value is None}
    views = {column.name for column in model_inputs(shop.spec) if column.view is not None}
    assert blank == views


def test_an_item_that_is_not_kept_is_unknown(online: OnlineFeatures) -> None:
    [row] = online.read("u1", ["i6"], {}).to_pylist()
    assert row["category"] is row["item_users_2"] is row["user_category_spend_3"] is None
    assert row["user_baskets_3"] is not None


def test_no_candidates_are_an_empty_table(online: OnlineFeatures) -> None:
    found = online.read("u1", [], {"place_id": "p0"})
    assert found.num_rows == 0
    assert found.schema == online.read("u1", ["i0"], {"place_id": "p0"}).schema


def test_a_second_run_changes_no_byte_and_no_online_value(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path / "home")
    log = corner_shop.write(tmp_path / "log", corner_shop.tables())
    runs: list[tuple[dict[str, bytes], pa.Table]] = []
    for _ in range(2):
        materialize_features(spec, log, tmp_path / "training_set")
        materialize_online(spec)
        files = {path.name: path.read_bytes() for path in (tmp_path / "training_set").iterdir()}
        runs.append((files, OnlineFeatures(spec, spec.home).read("u1", ITEMS, {"place_id": "p0"})))
    (first, before), (second, after) = runs
    assert first.keys() == {"train.parquet", "valid.parquet", "test.parquet", "training_set.json"}
    assert first == second
    assert before.equals(after)


def test_a_longer_log_brings_the_online_store_up_to_date(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    tables = corner_shop.tables()
    spec = corner_shop.spec(tmp_path / "home", features=corner_shop.features("user"))
    end = datetime(2024, 4, 12, 12, tzinfo=UTC)
    early = {**tables, "events": [row for row in tables["events"] if row["at"] < end]}
    for name, log_tables, stop in (
        ("early", early, end),
        ("late", tables, datetime(2024, 4, 15, 4, tzinfo=UTC)),
    ):
        log = corner_shop.write(tmp_path / name, log_tables, stop)
        materialize_features(spec, log, tmp_path / "training_set")
        materialize_online(spec)
        reference = corner_shop.reference(spec.features, log_tables)
        found = OnlineFeatures(spec, spec.home).read("u1", ["i1"], {}).to_pylist()[0]
        expected_now = reference.as_of("user", ["u1"], stop)
        assert {column: found[column] for column in expected_now} == expected_now


@pytest.mark.parametrize("harm", ["DROP TABLE {table}", "DELETE FROM {table}"])
def test_a_store_that_loses_a_view_is_an_error_until_it_is_filled_again(
    corner_shop: CornerShop,
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
) -> None:
    monkeypatch.setattr(reader, "_TRUST_SECONDS", 0.0)
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user", "item"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    materialize_online(spec)
    served = OnlineFeatures(spec, tmp_path)
    before = served.read("u1", ["i1"], {})
    with closing(sqlite3.connect(online_file(tmp_path))) as connection, connection:
        connection.execute(harm.format(table=online_table(spec, "item")))
    with pytest.raises(ShopguideError, match=r"of corner_shop_item_\w+\. Run `shopguide materiali"):
        served.read("u1", ["i1"], {})
    materialize_online(spec)
    assert served.read("u1", ["i1"], {}).equals(before)
    assert served.read("nobody", ["nothing"], {})["user_baskets_3"].to_pylist() == [None]


def test_a_store_that_is_made_anew_under_a_service_is_read_again(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_TRUST_SECONDS", 0.0)
    spec = corner_shop.spec(tmp_path, features=corner_shop.features("user"))
    materialize_features(spec, shop.log, tmp_path / "training_set")
    materialize_online(spec)
    served = OnlineFeatures(spec, tmp_path)
    before = served.read("u1", ["i1"], {})
    shutil.rmtree(tmp_path / "feature_store")
    with pytest.raises(ShopguideError, match="holds nothing that was materialised"):
        served.read("u1", ["i1"], {})
    assert not online_file(tmp_path).exists()
    materialize_features(spec, shop.log, tmp_path / "training_set")
    materialize_online(spec)
    assert served.read("u1", ["i1"], {}).equals(before)


def test_a_look_at_the_store_is_believed_for_a_while(shop: Shop) -> None:
    looks: list[list[str]] = []

    class Watched(SqliteReader):
        def markers(self, tables: Iterable[str]) -> dict[str, Marker]:
            looks.append(list(tables))
            return super().markers(looks[-1])

    path = online_file(shop.spec.home)
    served = OnlineFeatures(shop.spec, shop.spec.home, Watched(path, timeout=5))
    for _ in range(5):
        served.read("u1", ["i1"], {})
    (tables,) = looks
    assert len(tables) == len(shop.spec.features.views) + 2
