"""Rows that count once, came back, came late, or were made by no person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopguide.errors import ShopguideError

Prepare = Callable[..., Any]
HEADER = "user,item,type,time,price,session\n"


def row(kind: str, minute: int, item: str = "i1", price: str = "5", user: str = "u1") -> str:
    return f"{user},{item},{kind},2024-01-01 10:{minute:02}:00,{price},s1\n"


VIEWS = row("view", 0) + row("view", 0, "i2")
RETURNS = {"kinds": {"view": "view", "buy": "purchase", "refund": "return"}}


def test_a_return_takes_back_the_last_order_before_it(prepare: Prepare) -> None:
    rows = row("buy", 1) + row("buy", 3) + row("refund", 5) + row("buy", 7) + row("buy", 8, "i2")
    log = prepare(HEADER + VIEWS + rows, returns={"kinds": ["return"]}, **RETURNS)
    held = log.rows(
        "SELECT strftime(\"at\", '%M'), strftime(voided_at, '%M') FROM events "
        "WHERE kind = 'purchase'"
    )
    assert held == [("01", None), ("03", "05"), ("07", None), ("08", None)]
    assert log.summary.notes[1].startswith("1 of the orders were returned or cancelled")


def test_negative_money_is_a_return_where_the_spec_says_so(prepare: Prepare) -> None:
    rows = row("buy", 1) + row("buy", 5, price="-5")
    log = prepare(HEADER + VIEWS + rows, returns={"negative": True})
    assert log.rows("SELECT kind, value, voided_at IS NULL FROM events WHERE kind <> 'view'") == [
        ("purchase", 5.0, False),
        ("return", 5.0, True),
    ]


def test_a_log_of_orders_alone_is_one_kind_and_money_is_price_times_quantity(
    prepare: Prepare,
) -> None:
    header = "user,item,time,price,n\n"
    rows = "u1,i1,2024-01-01,5,3\nu1,i1,2024-01-02,5,-3\n"
    log = prepare(
        header + rows,
        columns={"kind": None, "session_id": None, "quantity": "n"},
        kinds={},
        every_row="purchase",
        exposure={"rule": "sampled", "event": "purchase"},
        returns={"negative": True},
    )
    assert log.rows("SELECT kind, value, voided_at IS NULL FROM events") == [
        ("purchase", 15.0, False),
        ("return", 15.0, True),
    ]


def test_users_who_act_faster_than_people_are_told_or_left_out(prepare: Prepare) -> None:
    fast = "".join(row("view", n, f"i{n}", user="bot") for n in range(20))
    told = prepare(HEADER + VIEWS + fast, bots={"events_per_hour": 10})
    assert told.summary.notes[1] == (
        "1 users have more than 10 events in an hour, 20 events in all; data.bots.drop leaves "
        "them out."
    )
    left = prepare(HEADER + VIEWS + fast, bots={"events_per_hour": 10, "drop": True})
    assert left.summary.dropped == {"of users with more than 10 events in an hour": 20}
    assert left.rows("SELECT user_id FROM users") == [("u1",)]


def test_late_events_and_clocks_that_are_ahead_are_counted(prepare: Prepare) -> None:
    header = HEADER.strip() + ",received\n"
    stamps = ["2024-01-01 10:00:10", "2024-01-04 00:00:00", "2024-01-01 09:50:00"]
    rows = "".join(row("view", n).strip() + f",{at}\n" for n, at in enumerate(stamps))
    log = prepare(header + rows, columns={"received_at": "received"})
    assert log.summary.notes[1].startswith("1 events were received more than a day late")
    assert log.summary.notes[2].startswith(
        "1 events are stamped later than they were received, by up to 720 seconds"
    )


def test_kinds_that_are_left_out_are_counted(prepare: Prepare) -> None:
    log = prepare(
        HEADER + VIEWS + row("ping", 3) * 2,
        kinds={"view": "view", "buy": "purchase", "ping": None},
    )
    assert log.summary.dropped == {"of kind ping": 2}


def test_money_of_several_currencies_is_brought_into_one(prepare: Prepare) -> None:
    header = HEADER.strip() + ",cur\n"
    rows = row("view", 0).strip() + ",EUR\n" + row("buy", 1).strip() + ",USD\n"
    with pytest.raises(ShopguideError, match=r"no rate for USD \(rows: EUR 1, USD 1\)"):
        prepare(header + rows, columns={"currency": "cur"})
    log = prepare(header + rows, columns={"currency": "cur"}, rates={"USD": 0.5})
    assert log.rows("SELECT value, currency FROM events WHERE kind = 'purchase'") == [(2.5, "EUR")]


@pytest.mark.parametrize(
    ("decimal", "text", "value"),
    [
        (",", '"1.234,50"', 1234.5),
        (",", '"5,50"', 5.5),
        (".", '"1,234.50"', 1234.5),
        (".", "$5.50", 5.5),
        (".", '" € 5.50"', 5.5),
    ],
)
def test_money_is_read_as_people_write_it(
    prepare: Prepare, decimal: str, text: str, value: float
) -> None:
    log = prepare(HEADER + VIEWS + row("buy", 1, price=text), decimal=decimal)
    assert log.rows("SELECT value FROM events WHERE kind = 'purchase'") == [(value,)]


def test_files_of_items_and_users_add_their_attributes(prepare: Prepare, tmp_path: Path) -> None:
    folder = tmp_path.parent / f"{tmp_path.name}-tables"
    folder.mkdir()
    (folder / "items.tsv").write_text("sku\tmake\ni1\told\ni1\tnew\ni9\tx\n")
    (folder / "users.csv").write_text("id;town\nu1;Köln\n", encoding="latin-1")
    log = prepare(
        HEADER + VIEWS,
        items={"path": str(folder / "items.tsv"), "key": "sku", "attributes": {"brand": "make"}},
        users={
            "path": str(folder / "users.csv"),
            "key": "id",
            "attributes": {"town": "town"},
            "delimiter": ";",
            "encoding": "latin-1",
        },
    )
    assert log.rows("SELECT item_id, brand FROM items") == [("i1", "new"), ("i2", None)]
    assert log.rows("SELECT town FROM users") == [("Köln",)]
    notes = "\n".join(log.summary.notes)
    assert f"1 of 2 items of the log are not in {folder}/items.tsv." in notes
    assert f"1 rows of {folder}/items.tsv are of a item_id that is empty or stands again." in notes


def test_ids_that_became_floats_are_whole_numbers_again(prepare: Prepare) -> None:
    rows = row("view", 0, "7.0", user="1") + row("view", 1, "007.0", user="2.0")
    log = prepare(HEADER + rows)
    assert log.rows("SELECT user_id, item_id FROM impressions ORDER BY 1") == [
        ("1", "7"),
        ("2", "007"),
    ]


def test_versions_are_no_floats(prepare: Prepare) -> None:
    log = prepare(HEADER + row("view", 0, "1.0") + row("view", 1, "1.1"))
    assert log.rows("SELECT item_id FROM items ORDER BY 1") == [("1.0",), ("1.1",)]


@pytest.mark.parametrize("lost", ["1.23457E+15", "9007199254740992.0"])
def test_ids_that_lost_digits_are_refused(prepare: Prepare, lost: str) -> None:
    with pytest.raises(ShopguideError) as caught:
        prepare(HEADER + VIEWS + row("view", 1, lost))
    assert caught.value.where.endswith("row 4, column item")
    assert "went through a float and lost its last digits" in caught.value.what
