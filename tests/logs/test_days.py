"""Days land once, whole and in their order; whatever else is delivered is refused and told."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.files import write_json
from shopguide.logs.days import DAY, assemble, days_of, land
from shopguide.logs.schema import FORMAT

FIRST = date(2024, 1, 1)
TIME = pa.timestamp("us", "UTC")


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def at(number: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number)


def write_log(
    folder: Path,
    days: range,
    *,
    without: tuple[int, ...] = (),
    clicks: dict[int, int] | None = None,
    end: float | None = None,
    price: float = 1.0,
    prefix: str = "r",
) -> Path:
    """Write a log of three lists a day, each of one item, and a click on the first of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shown = [(number, list_) for number in days if number not in without for list_ in range(3)]
    requests = [f"{prefix}{number}-{list_}" for number, list_ in shown]
    impressions = pa.table(
        {
            "request_id": requests,
            "user_id": [f"u{list_}" for _, list_ in shown],
            "item_id": ["i"] * len(shown),
            "shown_at": pa.array([at(n + 0.1 + r / 10) for n, r in shown], TIME),
            "sample_weight": [1.0] * len(shown),
        }
    )
    clicked = [
        (number, click)
        for number in days
        if number not in without
        for click in range((clicks or {}).get(number, 1))
    ]
    events = pa.table(
        {
            "event_id": [f"e{prefix}{number}-{click}" for number, click in clicked],
            "request_id": [f"{prefix}{number}-0" for number, _ in clicked],
            "user_id": ["u0"] * len(clicked),
            "item_id": ["i"] * len(clicked),
            "kind": ["click"] * len(clicked),
            "at": pa.array([at(n + 0.2 + c / 100) for n, c in clicked], TIME),
            "value": pa.array([None] * len(clicked), pa.float64()),
            "currency": pa.array([None] * len(clicked), pa.string()),
        }
    )
    pq.write_table(impressions, folder / "impressions.parquet")
    pq.write_table(events, folder / "events.parquet")
    pq.write_table(pa.table({"user_id": ["u0", "u1", "u2"]}), folder / "users.parquet")
    pq.write_table(pa.table({"item_id": ["i"], "price": [price]}), folder / "items.parquet")
    over = at(days.stop if end is None else end)
    write_json(
        folder / "log.json", {"format": FORMAT, "end": over.isoformat(), "notes": ["a note"]}
    )
    return folder


def test_a_log_lands_day_by_day_and_comes_out_as_it_went_in(tmp_path: Path) -> None:
    log, store = write_log(tmp_path / "log", range(5)), tmp_path / "days"
    assert land(store, log).new == tuple(map(day, range(5)))
    assert days_of(store) == list(map(day, range(5)))
    summary = assemble(store, tmp_path / "out", first=day(0), last=day(4))
    assert summary.rows == {"impressions": 15, "events": 5, "users": 3, "items": 1}
    assert summary.end == at(5).isoformat()
    assert summary.notes == ("a note",)
    for table in ("impressions", "events"):
        before = pq.read_table(log / f"{table}.parquet")
        after = pq.read_table(tmp_path / "out" / f"{table}.parquet").select(before.column_names)
        keys = ["request_id", "item_id"] if table == "impressions" else ["event_id"]
        order = [(key, "ascending") for key in keys]
        assert after.sort_by(order).to_pylist() == before.sort_by(order).to_pylist()


def test_a_part_comes_out_with_its_own_end(tmp_path: Path) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", range(6)))
    summary = assemble(store, tmp_path / "out", first=day(2), last=day(3))
    assert summary.rows["impressions"] == 6
    assert summary.end == at(4).isoformat()


def test_landing_again_changes_nothing_and_a_longer_log_brings_what_is_new(tmp_path: Path) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", range(3)))
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")}
    again = land(store, write_log(tmp_path / "log", range(3)))
    assert (again.new, again.known) == ((), tuple(map(day, range(3))))
    longer = land(store, write_log(tmp_path / "log", range(1, 5)))
    assert longer.new == (day(3), day(4))
    assert longer.known == (day(1), day(2))
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


def test_a_day_that_is_not_over_waits(tmp_path: Path) -> None:
    store = tmp_path / "days"
    landed = land(store, write_log(tmp_path / "log", range(3), end=2.9))
    assert landed.new == (day(0), day(1))
    assert land(store, write_log(tmp_path / "log", range(4)), until=day(3)).new == (day(2),)


def test_landing_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    log, store = write_log(tmp_path / "log", range(4)), tmp_path / "days"
    land(store, log)
    (store / f"date={day(3)}" / DAY).unlink()  # as if killed before the day was whole
    shutil.rmtree(store / f"date={day(3)}")
    (store / f".date={day(3)}.17.new").mkdir()
    assert days_of(store) == list(map(day, range(3)))
    assert land(store, log).new == (day(3),)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (range(3), {"days": range(5, 7)}, ["2024-01-04, 2024-01-05 are missing", "Deliver the mi"]),
        (range(3), {"days": range(4, 7)}, ["2024-01-04 is missing"]),
        (
            range(3),
            {"days": range(6), "without": (4,)},
            ["holds nothing of 2024-01-05", "--closed DATE"],
        ),
        (
            range(3),
            {"days": range(4), "clicks": {1: 2}},
            ["of 2024-01-02", "1 rows landed, 2 are delivered", "(events)"],
        ),
        (
            range(3),
            {"days": range(4), "prefix": "x"},
            ["of 2024-01-01", "1 rows landed, 1 are delivered", "not the same"],
        ),
        (range(2, 5), {"days": range(3)}, ["the clock moved back, or it is an old delivery"]),
        (range(2, 5), {"days": range(6)}, ["before the first day that landed, 2024-01-03"]),
        (range(3), {"days": range(5), "end": 4.15}, ["column shown_at: 2 rows lie after", "clock"]),
    ],
)
def test_what_does_not_follow_is_refused_and_the_store_stays(
    first: range, second: dict[str, object], said: list[str], tmp_path: Path
) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", first))
    with pytest.raises(ShopguideError) as refused:
        land(store, write_log(tmp_path / "log", **second))  # type: ignore[arg-type]
    for words in said:
        assert words in str(refused.value)
    assert days_of(store) == [day(number) for number in first]


def test_a_day_on_which_the_shop_was_closed_is_no_gap(tmp_path: Path) -> None:
    store, log = tmp_path / "days", write_log(tmp_path / "log", range(5), without=(2, 4))
    assert len(land(store, log, closed=[day(2), day(4)]).new) == 5
    assert assemble(store, tmp_path / "out", first=day(0), last=day(4)).rows["impressions"] == 9


def test_the_same_rows_in_another_order_are_the_same_day(tmp_path: Path) -> None:
    store, log = tmp_path / "days", write_log(tmp_path / "log", range(2))
    land(store, log)
    table = pq.read_table(log / "impressions.parquet")
    pq.write_table(table.take(list(reversed(range(table.num_rows)))), log / "impressions.parquet")
    assert land(store, log).new == ()


def test_attributes_are_those_of_the_latest_day(tmp_path: Path) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", range(2), price=1.0))
    land(store, write_log(tmp_path / "log", range(1, 3), price=2.5))
    assemble(store, tmp_path / "out", first=day(0), last=day(2))
    assert pq.read_table(tmp_path / "out" / "items.parquet").to_pylist() == [
        {"item_id": "i", "price": 2.5}
    ]


def test_an_impression_in_two_days_is_found(tmp_path: Path) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", range(2)))
    later = write_log(tmp_path / "log", range(2, 3))
    table = pq.read_table(later / "impressions.parquet")
    place = table.column_names.index("request_id")
    doubled = table.set_column(place, "request_id", pa.array(["r0-0", "r0-1", "r0-2"]))
    pq.write_table(doubled, later / "impressions.parquet")
    land(store, later)
    with pytest.raises(InvalidDataError, match="request_id r0-0, item_id i: stands in two days"):
        assemble(store, tmp_path / "out", first=day(0), last=day(2))


def test_days_that_are_not_there_are_named(tmp_path: Path) -> None:
    store = tmp_path / "days"
    land(store, write_log(tmp_path / "log", range(3)))
    with pytest.raises(ShopguideError, match="lacks 2024-01-04, 2024-01-05"):
        assemble(store, tmp_path / "out", first=day(0), last=day(4))


def test_a_log_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match="no such file"):
        land(tmp_path / "days", tmp_path)
