"""An export of events becomes the canonical log through the mapping alone."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

Prepare = Callable[..., Any]

HEADER = "user,item,type,time,price,session\n"
VIEW = "u1,i1,view,2024-01-01 10:00:00,5,s1\n"
BUY = "u1,i1,buy,2024-01-01 10:05:00,5.5,s1\n"
EVENTS = 'SELECT user_id, item_id, kind, "at", value, currency, basket_id FROM events'
EXPECTED = [
    ("u1", "i1", "view", datetime(2024, 1, 1, 10, tzinfo=UTC), 5.0, "EUR", "s1"),
    ("u1", "i1", "purchase", datetime(2024, 1, 1, 10, 5, tzinfo=UTC), 5.5, "EUR", "s1"),
]
"""What HEADER + VIEW + BUY means, however it is written down."""


def test_a_mapped_export_is_read(prepare: Prepare) -> None:
    log = prepare(HEADER + VIEW + BUY)
    assert log.rows(EVENTS) == EXPECTED
    assert log.rows("SELECT request_id, item_id, shown_at, sample_weight FROM impressions") == [
        ("u1:s1", "i1", datetime(2024, 1, 1, 10, tzinfo=UTC), 1.0)
    ]
    assert log.summary.rows == {"impressions": 1, "events": 2, "users": 1, "items": 1}
    assert log.summary.dropped == {}
    assert (log.summary.start, log.summary.end) == (
        "2024-01-01T10:00:00+00:00",
        "2024-01-01T10:05:00+00:00",
    )


@pytest.mark.parametrize(
    ("name", "content", "data"),
    [
        ("events.tsv", (HEADER + VIEW + BUY).replace(",", "\t"), {}),
        ("events.csv", (HEADER + VIEW + BUY).replace(",", ";"), {"delimiter": ";"}),
        ("events.csv", VIEW + BUY, {"header": HEADER.strip().split(",")}),
        ("events.csv", (HEADER + VIEW + BUY).replace("\n", "\r\n"), {}),
        ("events.csv", "\ufeff" + HEADER + VIEW + BUY, {}),
        ("events.csv", HEADER + '"u1","i1",view,2024-01-01 10:00:00,5,"s1"\n' + BUY, {}),
        ("events.csv.gz", gzip.compress((HEADER + VIEW + BUY).encode()), {}),
        (
            "events.csv",
            "n," + HEADER + "1," + VIEW + "2," + BUY,  # a name that a query might use itself
            {},
        ),
    ],
    ids=["tab", "semicolon", "headerless", "crlf", "bom", "quoted", "gzip", "column n"],
)
def test_the_way_of_writing_makes_no_difference(
    prepare: Prepare, name: str, content: str | bytes, data: dict[str, object]
) -> None:
    assert prepare(content, name, **data).rows(EVENTS) == EXPECTED


def test_parquet_is_read_like_text(prepare: Prepare, tmp_path: Path) -> None:
    path = tmp_path.with_suffix(".parquet")
    duckdb.execute(
        f"""
        COPY (SELECT 'u1' AS "user", 'i1' AS item, 'view' AS type,
                     TIMESTAMPTZ '2024-01-01 12:00:00+02' AS "time", 5 AS price, 's1' AS session
              UNION ALL SELECT 'u1', 'i1', 'buy', TIMESTAMPTZ '2024-01-01 10:05:00+00', 5.5, 's1')
        TO '{path}' (FORMAT parquet)
        """
    )
    assert prepare(path.read_bytes(), "events.parquet").rows(EVENTS) == EXPECTED


@pytest.mark.parametrize(
    ("time_format", "view", "buy", "zone"),
    [
        ("epoch_s", "1704103200", "1704103500.0", "America/New_York"),
        ("epoch_ms", "1704103200000", "1704103500000", "UTC"),
        ("epoch_us", "1704103200000000", "1704103500000000", "UTC"),
        ("iso", "2024-01-01T10:00:00Z", "2024-01-01 15:35:00+05:30", "America/New_York"),
        ("iso", "2024-01-01 05:00:00", " 2024-01-01T05:05 ", "America/New_York"),
        ("%d.%m.%Y %H:%M", "01.01.2024 11:00", "01.01.2024 11:05", "Europe/Berlin"),
        (
            "%Y-%m-%d %H:%M:%S%z",  # the zone is in the text, and that one counts
            "2024-01-01 12:00:00+0200",
            "2024-01-01 10:05:00+0000",
            "America/New_York",
        ),
    ],
)
def test_a_time_is_an_instant(
    prepare: Prepare, time_format: str, view: str, buy: str, zone: str
) -> None:
    content = HEADER + f"u1,i1,view,{view},5,s1\nu1,i1,buy,{buy},5.5,s1\n"
    log = prepare(content, time_format=time_format, timezone=zone)
    assert log.rows(EVENTS) == EXPECTED


def test_a_microsecond_is_kept(prepare: Prepare) -> None:
    content = HEADER + VIEW.replace("2024-01-01 10:00:00", "1704103200000001")
    log = prepare(content, time_format="epoch_us")
    assert log.rows('SELECT "at" FROM events') == [(datetime(2024, 1, 1, 10, 0, 0, 1, tzinfo=UTC),)]


def test_an_id_keeps_every_digit_and_zero(prepare: Prepare) -> None:
    content = HEADER + "0009007199254740993,2103807459595387724,view,2024-01-01 10:00:00,5,s1\n"
    log = prepare(content)
    assert log.rows("SELECT user_id, item_id FROM impressions") == [
        ("0009007199254740993", "2103807459595387724")
    ]


def test_the_same_row_twice_is_one_event_across_files_too(prepare: Prepare, tmp_path: Path) -> None:
    folder = tmp_path.parent / f"{tmp_path.name}-daily"
    folder.mkdir()
    (folder / "1.csv").write_text(HEADER + VIEW + BUY + BUY)
    (folder / "2.csv").write_text(HEADER + BUY + BUY.replace("5.5", "6.5"))
    log = prepare("", path=str(folder / "*.csv"))
    assert log.rows("SELECT value, event_id FROM events WHERE kind = 'purchase'") == [
        (5.5, "0:3"),
        (6.5, "1:3"),
    ]
    assert log.summary.dropped == {"duplicates": 2}


def test_rows_that_differ_in_any_column_are_different_events(prepare: Prepare) -> None:
    header = HEADER.strip() + ",order_line\n"
    rows = "".join(BUY.strip() + f",{number}\n" for number in (1, 2, 2))
    log = prepare(header + VIEW.strip() + ",\n" + rows)
    assert log.rows("SELECT count(*) FROM events WHERE kind = 'purchase'") == [(2,)]
    assert log.summary.dropped == {"duplicates": 1}


def test_an_event_id_seen_twice_is_one_event_and_none_is_no_id(prepare: Prepare) -> None:
    header = HEADER.strip() + ",id\n"
    rows = [VIEW.strip() + ",", BUY.strip() + ",", BUY.strip() + ",a"]
    rows += [BUY.strip().replace("5.5", "9") + ",a"]  # resent, with another price: the first stays
    log = prepare(header + "\n".join(rows) + "\n", columns={"event_id": "id"})
    assert log.rows("SELECT event_id, kind, value FROM events ORDER BY event_id") == [
        ("0:2", "view", 5.0),
        ("0:3", "purchase", 5.5),
        ("a", "purchase", 5.5),
    ]


def test_an_impression_is_the_first_view_of_a_user_and_item_in_a_session(
    prepare: Prepare,
) -> None:
    rows = [
        "u1,i1,view,2024-01-01 10:09:00,5,s1",
        "u1,i1,view,2024-01-01 10:00:00,5,s1",
        "u1,i2,view,2024-01-01 10:01:00,5,s1",
        "u1,i1,view,2024-01-01 11:00:00,5,s2",
        "u2,i1,view,2024-01-01 10:00:00,5,s1",  # a session id that two users share
    ]
    log = prepare(HEADER + "\n".join(rows) + "\n")
    shown = log.rows(
        "SELECT request_id, user_id, item_id, strftime(shown_at, '%H:%M') FROM impressions"
    )
    assert shown == [
        ("u1:s1", "u1", "i1", "10:00"),
        ("u1:s1", "u1", "i2", "10:01"),
        ("u1:s2", "u1", "i1", "11:00"),
        ("u2:s1", "u2", "i1", "10:00"),
    ]


def test_without_sessions_a_request_is_a_users_day_in_the_zone_of_the_shop(
    prepare: Prepare,
) -> None:
    rows = "u1,i1,view,2024-01-02 04:00:00+00,5,\nu1,i1,view,2024-01-02 06:00:00+00,5,\n"
    log = prepare(HEADER + rows, timezone="America/New_York")
    assert log.rows("SELECT request_id FROM impressions") == [
        ("u1:2024-01-01",),
        ("u1:2024-01-02",),
    ]


def test_attributes_are_those_last_seen_and_empty_ones_tell_nothing(prepare: Prepare) -> None:
    header = HEADER.strip() + ",brand,town\n"
    rows = [
        VIEW.strip() + ",old,Bonn",
        VIEW.strip().replace("10:00", "12:00") + ",,Kiel",
        VIEW.strip().replace("10:00", "11:00") + ",new,Ulm",
    ]
    log = prepare(
        header + "\n".join(rows) + "\n",
        item_attributes={"make": "brand"},
        user_attributes={"town": "town"},
    )
    assert log.rows("SELECT * FROM items") == [("i1", "new")]
    assert log.rows("SELECT * FROM users") == [("u1", "Kiel")]


def test_money_that_is_not_told_is_null(prepare: Prepare) -> None:
    log = prepare(HEADER + VIEW.replace(",5,", ",,") + BUY)
    assert log.rows("SELECT value FROM events") == [(None,), (5.5,)]


def test_bad_rows_that_are_allowed_are_set_apart_counted_and_shown(
    prepare: Prepare, tmp_path: Path
) -> None:
    bad = "u1,i1,buy\n" + VIEW.replace("view", "swipe")
    log = prepare(HEADER + VIEW + bad + BUY, max_bad_share=0.5)
    assert log.rows("SELECT event_id FROM events") == [("0:2",), ("0:5",)]
    assert log.summary.dropped == {
        "unusable, too few fields": 1,
        "unusable, type: not one of buy, view": 1,
    }
    assert (
        f"{tmp_path}/events.csv, row 3: too few fields: 'u1,i1,buy'. Mend the row, or leave it out"
        in (log.summary.examples)
    )
    quarantined = duckdb.sql(f"FROM '{log.folder}/quarantine.csv'").fetchall()
    assert [row[1:5] for row in quarantined] == [
        (3, None, "too few fields", "u1,i1,buy"),
        (4, "type", "not one of buy, view", "swipe"),
    ]
    assert '"price":"5"' in quarantined[1][5], "the whole row is kept"


def test_notes_say_that_impressions_are_inferred_and_what_has_none(prepare: Prepare) -> None:
    log = prepare(HEADER + VIEW + BUY + BUY.replace("i1", "i2"))
    assert log.summary.notes[0].startswith("Impressions are inferred: the first view of a user")
    assert "in a session" in log.summary.notes[0]
    assert log.summary.notes[1].startswith("1 other events are of a user and item without any")


def test_a_log_is_replaced_whole(prepare: Prepare, tmp_path: Path) -> None:
    first = prepare(HEADER + VIEW + BUY)
    (first.folder / "stale.parquet").write_bytes(b"")
    again = prepare(HEADER + VIEW)
    assert not (again.folder / "stale.parquet").exists()
    assert again.rows("SELECT count(*) FROM events") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "log"]


def test_the_same_export_gives_the_same_bytes(prepare: Prepare) -> None:
    content = HEADER + VIEW + BUY
    first = (prepare(content).folder / "log.json").read_bytes()
    assert (prepare(content).folder / "log.json").read_bytes() == first
