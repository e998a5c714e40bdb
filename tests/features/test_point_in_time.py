"""The join: each impression sees the past alone, none is lost, and Feast would say the same."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shopguide.errors import InvalidDataError
from shopguide.features import materialize, materialize_features
from shopguide.features.point_in_time import attach
from shopguide.features.versions import feast_view
from shopguide.spec import Spec

CornerShop = Any
Shop = Any  # the class lives in conftest.py, which cannot be imported


@pytest.mark.parametrize(
    "view", ["user", "user_place", "user_category", "item", "promotion", "exposure"]
)
def test_every_feature_of_every_impression_equals_brute_force(shop: Shop, view: str) -> None:
    rows = shop.rows()
    known = 0
    for row in rows:
        expected = shop.reference.as_of(view, shop.keys(view, row), row["shown_at"])
        assert {name: row[name] for name in expected} == expected, (view, row["request_id"])
        known += any(value is not None for value in expected.values())
    assert 0.1 * len(rows) < known < len(rows)  # both kinds occur, so both were compared


def test_no_event_at_or_after_the_period_of_the_impression_reaches_a_feature(shop: Shop) -> None:
    reference = shop.reference
    recencies = ["user_last", "user_category_last"]
    seen = [
        (row["shown_at"], row[name])
        for row in shop.rows()
        for name in recencies
        if row[name] is not None
    ]
    assert seen
    assert all(reference.period(last) < reference.period(at) for at, last in seen)
    edge = [
        event["at"]
        for event in shop.tables["events"]
        if event["kind"] == "purchase"
        and reference.period(event["at"]) < reference.period(event["at"] + timedelta(seconds=1))
    ]
    assert edge  # a purchase in the last second of a week belongs to that week


def test_entities_without_a_past_keep_their_impressions_with_nulls(shop: Shop) -> None:
    rows = shop.rows()
    never = [row for row in rows if row["user_id"] in ("u7", "u8")]
    first = min(
        event["at"]
        for event in shop.tables["events"]
        if event["user_id"] == "u6" and event["kind"] == "purchase"
    )
    future_only = [row for row in rows if row["user_id"] == "u6" and row["shown_at"] < first]
    without_place = [row for row in rows if row["place_id"] is None]
    without_category = [row for row in rows if row["item_id"] == "i0"]
    for group, column in (
        (never, "user_baskets_3"),
        (future_only, "user_baskets_3"),
        (without_place, "user_place_baskets_2"),
        (without_place, "promotion_weeks_2"),
        (without_category, "user_category_spend_3"),
    ):
        assert group
        assert {row[column] for row in group} == {None}
    shown = {row["request_id"] for row in shop.tables["impressions"]}
    dropped = sum(shop.summary.dropped.values())
    assert len(rows) == len({row["request_id"] for row in rows}) == len(shown) - dropped


def test_attributes_do_not_depend_on_time(shop: Shop) -> None:
    users = {row["user_id"]: row["town"] for row in shop.tables["users"]}
    items = {row["item_id"]: (row["category"], row["stock"]) for row in shop.tables["items"]}
    for row in shop.rows():
        assert row["town"] == users[row["user_id"]]
        assert (row["category"], row["stock"]) == items[row["item_id"]]


def test_a_join_that_is_not_feasts_is_an_error_with_examples_and_nothing_is_written(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = corner_shop.spec(tmp_path / "home", features=corner_shop.features("user", "item"))
    join_views = materialize._join_views

    def off_by_one(connection: duckdb.DuckDBPyConnection, spec: Spec) -> dict[str, list[str]]:
        joined = join_views(connection, spec)
        table = f"joined_{feast_view(spec, 'user')}"
        connection.execute(f"UPDATE {table} SET user_spend_2 = user_spend_2 + 1")  # noqa: S608 - ours
        return joined

    monkeypatch.setattr(materialize, "_join_views", off_by_one)
    message = (
        r"^feature user_spend_2: \d+ of \d+ sampled rows differ from Feast's own join "
        r"\(row \d+: [\d.]+, Feast [\d.]+; row"
    )
    with pytest.raises(InvalidDataError, match=message) as caught:
        materialize_features(spec, shop.log, tmp_path / "training_set")
    assert len(str(caught.value).splitlines()) == 1  # the other features are right
    assert not (tmp_path / "training_set").exists()


def test_a_key_that_a_join_doubles_stops_it_at_that_row() -> None:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE shown AS SELECT row_id, 'u' || row_id AS user_id, "
        "TIMESTAMPTZ '2024-01-01' AS shown_at FROM range(4) AS t(row_id)"
    )
    connection.execute("CREATE TABLE found AS SELECT user_id, shown_at, row_id AS x FROM shown")
    connection.execute("INSERT INTO found SELECT * FROM found WHERE user_id = 'u1'")
    blocks = attach(
        connection, table="shown", joined={"found": ["user_id"]}, chosen=["shown.row_id"], block=2
    )
    with pytest.raises(AssertionError, match=r"^row 2 of shown is 1 after the joins$"):
        list(blocks)
