"""A view's snapshots, looked up at any time, are what a count of all earlier rows gives."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend as DuckDB

from shopguide.features.snapshots import TIMESTAMP, view_snapshots
from shopguide.spec.features import Features, View

CornerShop = Any  # the class lives in conftest.py, which cannot be imported
Rows = Sequence[Mapping[str, Any]]

START = datetime(2024, 3, 7, tzinfo=UTC)
STAMP = pa.timestamp("us", "UTC")
SPAN = {"hour": timedelta(hours=14), "day": timedelta(days=9), "week": timedelta(weeks=8)}
ITEMS = [
    {"item_id": "i0", "category": "c0", "kept": True},
    {"item_id": "i1", "category": "c0", "kept": False},  # counts in c0, has no features itself
    {"item_id": "i2", "category": "c1", "kept": False},  # nobody can ask for c1
    {"item_id": "i3", "category": None, "kept": True},
]

MEASURES = {
    "baskets": {"count_distinct": "basket_id", "windows": [1, 2, 4]},
    "spend": {"sum": "value", "windows": [1, 3]},
    "active": {"count_distinct": "period", "windows": [2]},
    "last": {"last": "at"},
    "items": {"sequence": "item_id", "length": 3},
    "shelves": {"sequence": "category", "length": 2},
}
RATIOS = {"per_active": {"of": "spend_3", "per": "active_2"}}


@pytest.fixture(scope="module")
def connection() -> Iterator[DuckDB]:
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    yield connection
    connection.disconnect()


KEYS = [["user_id"], ["item_id"], ["category"], ["user_id", "category"], ["item_id", "place_id"]]


@st.composite
def events(draw: st.DrawFn, unit: str) -> list[dict[str, Any]]:
    seconds = st.integers(0, int(SPAN[unit].total_seconds()) - 1)
    event = st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(["u0", "u1"]),
            "item_id": st.sampled_from(["i0", "i1", "i2", "i3"]),
            "place_id": st.none() | st.just("p0"),
            "kind": st.sampled_from(["purchase", "purchase", "purchase", "view"]),
            "at": seconds.map(lambda number: START + timedelta(seconds=number, microseconds=7)),
            "basket_id": st.none() | st.sampled_from(["b0", "b1", "b2"]),
            "value": st.none() | st.integers(0, 400).map(lambda quarters: quarters / 4),
        }
    )
    return draw(st.lists(event, min_size=1, max_size=14))


def view_of(
    keys: list[str], measures: Mapping[str, Any] = MEASURES, **more: Mapping[str, object]
) -> View:
    return View.model_validate({"keys": keys, "kind": "purchase", "measures": measures, **more})


def snapshots_of(
    connection: DuckDB, features: Features, tables: Mapping[str, Rows], end: datetime
) -> Rows:
    types = {"at": STAMP, "value": pa.float64(), "kept": pa.bool_()}
    read = {
        name: connection.create_table(
            name,
            pa.table(
                {
                    column: pa.array([row[column] for row in rows], types.get(column, pa.string()))
                    for column in rows[0]
                }
            ),
            overwrite=True,
        )
        for name, rows in tables.items()
    }
    [(name, view)] = features.views.items()
    expression = view_snapshots(name, view, features, read, start=START, end=end)
    found: Rows = connection.to_pyarrow(expression).to_pylist()
    return found


def latest(
    snapshots: Rows, key: Mapping[str, str | None], at: datetime, names: Iterable[str]
) -> dict[str, Any]:
    """Look up as a feature store does: the last snapshot at or before a time."""
    known = [
        row
        for row in snapshots
        if row[TIMESTAMP] <= at and all(row[name] == value for name, value in key.items())
    ]
    last = max(known, key=lambda row: row[TIMESTAMP], default={})
    return {name: last.get(name) for name in names}


@settings(max_examples=20, deadline=None)
@given(
    data=st.data(),
    unit=st.sampled_from(["hour", "day", "week"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
    keys=st.sampled_from(KEYS),
    delay=st.sampled_from([0, 0, 90, 2000]),
)
def test_the_latest_snapshot_is_the_truth_at_every_time(
    corner_shop: CornerShop,
    connection: DuckDB,
    data: st.DataObject,
    unit: str,
    zone: str,
    keys: list[str],
    delay: int,
) -> None:
    rows = data.draw(events(unit))
    view = view_of(keys, ratios=RATIOS)
    document = {"period": unit, "timezone": zone, "views": {"v": view}, "delay_minutes": delay}
    features = Features.model_validate(document)
    tables = {"events": rows, "items": ITEMS}
    end = START + SPAN[unit]
    snapshots = snapshots_of(connection, features, tables, end)
    stamps = [(*(row[key] for key in keys), row[TIMESTAMP]) for row in snapshots]
    assert len(set(stamps)) == len(stamps)
    reference = corner_shop.reference(features, tables)
    edges = {row[TIMESTAMP] for row in snapshots}
    times = {
        *(START + SPAN[unit] / 29 * n for n in range(30)),
        *edges,
        *(edge - timedelta(microseconds=1) for edge in edges),
    }
    for key in {tuple(reference.key(row, key) for key in keys) for row in rows}:
        for at in times:
            expected = reference.as_of("v", key, at)
            found = latest(snapshots, dict(zip(keys, key, strict=True)), at, expected)
            assert found == expected, (key, at)


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def bought(day: float, value: float = 1.0, basket: str = "b0") -> dict[str, Any]:
    return {
        "user_id": "u0",
        "item_id": "i0",
        "place_id": "p0",
        "kind": "purchase",
        "at": at(day),
        "basket_id": basket,
        "value": value,
    }


def daily(view: View) -> Features:
    return Features.model_validate({"period": "day", "views": {"v": view}})


def test_a_window_holds_whole_days_before_today_and_forgets_them_again(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"spend": {"sum": "value", "windows": [2]}})
    rows = [bought(0.1, 1.0), bought(0.9, 2.0), bought(1.5, 4.0)]
    found = snapshots_of(connection, daily(view), {"events": rows, "items": ITEMS}, at(9))
    assert [(row[TIMESTAMP], row["v_spend_2"]) for row in found] == [
        (at(1), 3.0),  # day 0
        (at(2), 7.0),  # days 0 and 1
        (at(3), 4.0),  # day 1
        (at(4), 0.0),  # neither, and from here on nothing changes
    ]


def test_a_value_seen_again_within_the_window_is_counted_once(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"baskets": {"count_distinct": "basket_id", "windows": [3]}})
    rows = [bought(0.5), bought(0.6), bought(2.5), bought(2.6, basket="b1")]
    found = snapshots_of(connection, daily(view), {"events": rows, "items": ITEMS}, at(9))
    counts = [
        latest(found, {"user_id": "u0"}, at(day), ["v_baskets_3"])["v_baskets_3"]
        for day in range(1, 8)
    ]
    assert counts == [1, 1, 2, 2, 2, 0, 0]


def test_sums_do_not_gather_rounding_errors(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"spend": {"sum": "value", "windows": [1]}})
    rows = [bought(0.5, 0.1) for _ in range(30)]
    found = snapshots_of(connection, daily(view), {"events": rows, "items": ITEMS}, at(3))
    assert found[0]["v_spend_1"] == 3.0  # 0.1 added thirty times as float64 is not
    assert sum(0.1 for _ in range(30)) != 3.0


def test_a_recency_is_in_whole_seconds_as_online_stores_keep_it(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"last": {"last": "at"}})
    row = bought(0) | {"at": START + timedelta(seconds=5, microseconds=999_999)}
    found = snapshots_of(connection, daily(view), {"events": [row], "items": ITEMS}, at(3))
    assert [row["v_last"] for row in found] == [START + timedelta(seconds=5)]


def test_a_sequence_holds_the_last_values_before_today_oldest_first(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"items": {"sequence": "item_id", "length": 3}})
    rows = [
        bought(day) | {"item_id": item}
        for day, item in [(0.5, "i3"), (1.2, "i0"), (1.1, "i1"), (1.2, "i0"), (4.5, "i1")]
    ]
    found = snapshots_of(connection, daily(view), {"events": rows, "items": ITEMS}, at(9))
    assert [(row[TIMESTAMP], row["v_items"]) for row in found] == [
        (at(1), ["i3"]),
        (at(2), ["i1", "i0", "i0"]),  # i3 has left; i0, bought twice, stands twice
        (at(5), ["i0", "i0", "i1"]),
    ]


def test_what_arrives_late_is_known_late(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"spend": {"sum": "value", "windows": [1]}})
    features = Features.model_validate(
        {"period": "day", "views": {"v": view}, "delay_minutes": 6 * 60}
    )
    tables = {"events": [bought(0.5)], "items": ITEMS}
    found = snapshots_of(connection, features, tables, at(1.2))
    assert found == []  # before six in the morning nothing is known of yesterday
    found = snapshots_of(connection, features, tables, at(2.25))
    assert [(row[TIMESTAMP], row["v_spend_1"]) for row in found] == [(at(1.25), 1), (at(2.25), 0)]


def test_no_snapshot_lies_beyond_the_end_of_the_log(connection: DuckDB) -> None:
    view = view_of(["user_id"], {"spend": {"sum": "value", "windows": [5]}})
    rows = [bought(0.5), bought(2.5)]
    found = snapshots_of(connection, daily(view), {"events": rows, "items": ITEMS}, at(2.5))
    assert [row[TIMESTAMP] for row in found] == [at(1)]
