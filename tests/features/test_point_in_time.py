"""The join through Feast's duckdb store: each impression sees the past alone, and none is lost."""

from datetime import timedelta
from typing import Any

import pytest

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
