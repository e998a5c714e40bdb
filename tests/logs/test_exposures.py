"""Impressions as an export logs them, as its views tell them, or drawn and weighted."""

from collections.abc import Callable
from typing import Any

import pytest

from shopguide.errors import ShopguideError

Prepare = Callable[..., Any]
LOGGED = {"user_id": None, "kind": None, "value": None, "session_id": None}
AT = "2024-01-01 10:0{}:00"


def wide(prepare: Prepare, content: str, *, columns: dict[str, object], **data: object) -> Any:  # noqa: ANN401
    data = {"exposure": {"rule": "logged"}, "kinds": {}} | data
    return prepare(content, columns=LOGGED | columns, **data)


def test_every_wide_row_is_an_impression_and_its_outcomes_are_events(prepare: Prepare) -> None:
    rows = "item,time,slot,p,sale,paid,delay\ni1,{},2,0.25,1,9.5,60\ni2,{},1,0.5,0,,-1\n"
    log = wide(
        prepare,
        rows.format(AT.format(0), AT.format(1)),
        columns={"position": "slot", "propensity": "p"},
        outcomes={"purchase": {"column": "sale", "value": "paid", "delay_seconds": "delay"}},
    )
    assert log.rows("SELECT request_id, item_id, position, propensity FROM impressions") == [
        ("0:2", "i1", 2, 0.25),
        ("0:3", "i2", 1, 0.5),
    ]
    assert log.rows(
        "SELECT request_id, item_id, kind, value, strftime(\"at\", '%H:%M') FROM events"
    ) == [
        ("0:2", "i1", "view", None, "10:00"),
        ("0:2", "i1", "purchase", 9.5, "10:01"),
        ("0:3", "i2", "view", None, "10:01"),
    ]
    assert log.rows("SELECT user_id FROM users ORDER BY 1") == [("0:2",), ("0:3",)]


@pytest.mark.parametrize(
    ("text", "happened"),
    [("1", 1), ("0.01", 1), ("True", 1), ("yes", 1), ("0", 0), ("-1", 0), ("", 0), ("no", 0)],
)
def test_an_outcome_happened_where_its_column_says_so(
    prepare: Prepare, text: str, happened: int
) -> None:
    log = wide(
        prepare,
        f"item,time,sale\ni1,{AT.format(0)},{text}\n",
        columns={},
        outcomes={"purchase": {"column": "sale"}},
    )
    assert log.rows("SELECT count(*) FROM events WHERE kind = 'purchase'") == [(happened,)]


def test_alike_rows_of_nobody_are_different_impressions(prepare: Prepare) -> None:
    content = "arm,visit\nmail,1\nmail,1\n"
    log = wide(
        prepare,
        content,
        columns={"item_id": "arm", "at": None},
        outcomes={"purchase": {"column": "visit"}},
    )
    assert log.rows("SELECT count(*) FROM impressions") == [(2,)]
    assert log.rows("SELECT count(DISTINCT shown_at) FROM impressions") == [(2,)]
    assert log.summary.dropped == {}


def test_pooled_rows_are_ranked_together_and_none_is_lost(prepare: Prepare) -> None:
    items = ["i1", "i2", "i1", "i1"]
    rows = "".join(f"{item},{AT.format(n)},{n % 2}\n" for n, item in enumerate(items))
    log = wide(
        prepare,
        "item,time,click\n" + rows + "i1,2024-01-01 10:31:00,0\n",
        columns={},
        exposure={"rule": "logged", "pool_minutes": 30},
        outcomes={"purchase": {"column": "click"}},
    )
    shown = log.rows(
        "SELECT request_id, user_id, count(*) FROM impressions GROUP BY ALL ORDER BY 1"
    )
    first, second = "2024-01-01T10:00:00", "2024-01-01T10:30:00"
    assert shown == [
        (f"{first}#1", first, 2),
        (f"{first}#2", first, 1),
        (f"{first}#3", first, 1),
        (f"{second}#1", second, 1),
    ]
    assert log.summary.notes[0].startswith("No list was logged: rows of the same 30 minutes")


def test_logged_lists_keep_their_request_and_their_events_name_it(prepare: Prepare) -> None:
    header = "user,item,type,time,price,session,req\n"
    rows = ["u1,i1,view,{},,,r1", "u1,i1,view,{},,,r1", "u1,i1,buy,{},5,,r1", "u2,i1,view,{},,,r1"]
    log = prepare(
        header + "".join(row.format(AT.format(n)) + "\n" for n, row in enumerate(rows)),
        columns={"request_id": "req"},
        exposure={"rule": "logged"},
    )
    assert log.rows("SELECT request_id, item_id FROM impressions") == [
        ("u1:r1", "i1"),
        ("u2:r1", "i1"),
    ]
    assert log.rows("SELECT DISTINCT request_id FROM events WHERE kind = 'purchase'") == [
        ("u1:r1",)
    ]
    assert log.summary.dropped == {"shown again in the same request": 1}


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (0, None),
        (1, "1 event names a request that did not show its item: it loses the request."),
        (2, "2 events name a request that did not show their item: they lose the request."),
    ],
)
def test_only_events_that_name_a_request_are_told_to_lose_it(
    prepare: Prepare, forged: int, told: str | None
) -> None:
    row = "u1,{},{},2024-01-01 10:00:00,5,,{}\n"
    rows = [row.format(f"i{n}", kind, "r1") for n in range(300) for kind in ("view", "buy")]
    rows += [row.format("i1", "buy", "")]
    rows += [row.format(f"i{n}", "buy", "never") for n in range(forged)]
    log = prepare(
        "user,item,type,time,price,session,req\n" + "".join(rows),
        columns={"request_id": "req"},
        exposure={"rule": "logged"},
    )
    assert [note for note in log.summary.notes if "request" in note] == ([told] if told else [])
    assert log.rows("SELECT count(*) FROM events WHERE request_id IS NULL") == [(1 + forged,)]


def test_context_columns_come_with_the_impression(prepare: Prepare) -> None:
    log = wide(
        prepare,
        f"item,time,sale,device\ni1,{AT.format(0)},0,phone\n",
        columns={},
        context={"device": "device"},
        outcomes={"purchase": {"column": "sale"}},
    )
    assert log.rows("SELECT device FROM impressions") == [("phone",)]


def test_a_pause_ends_a_session(prepare: Prepare) -> None:
    times = ["10:00:00", "10:20:00", "10:55:00"]
    rows = "".join(f"u1,i{n},view,2024-01-01 {time},5,\n" for n, time in enumerate(times))
    log = prepare(
        "user,item,type,time,price,session\n" + rows,
        exposure={"rule": "views", "session_minutes": 30},
        columns={"session_id": None},
    )
    assert [row[0].split(":", 1)[1][11:16] for row in log.rows(
        "SELECT request_id FROM impressions ORDER BY shown_at"
    )] == ["10:00", "10:00", "10:55"]  # fmt: skip
    assert log.rows("SELECT count(DISTINCT basket_id) FROM events") == [(2,)]


def catalogue(requests: int) -> str:
    """Item i0 is touched in every request, i1 … i9 once each, all of them before the rest."""
    rows = [f"u0,i{n},buy,2024-01-01 00:00:0{n},5,s,c{n % 2}\n" for n in range(10)]
    rows += [f"u{n},i0,buy,2024-01-02 00:00:00,5,s,c0\n" for n in range(1, requests)]
    return "user,item,type,time,price,session,cat\n" + "".join(rows)


@pytest.mark.parametrize(
    ("among", "pool"), [("uniform", 9), ("popularity", 9), ("category", 4)], ids=str
)
def test_drawn_items_stand_on_average_for_all_that_were_not_touched(
    prepare: Prepare, among: str, pool: int
) -> None:
    log = prepare(
        catalogue(2_000),
        exposure={
            "rule": "sampled",
            "event": "purchase",
            "negatives": {"among": among, "per_positive": 30},
        },
        item_attributes={"category": "cat"},
    )
    drawn = "impressions WHERE user_id <> 'u0' AND item_id <> 'i0'"
    [(mean, spread)] = log.rows(
        "SELECT avg(w), stddev(w) / sqrt(count(*)) FROM (SELECT user_id, "
        "coalesce(sum(sample_weight) FILTER (item_id <> 'i0'), 0) AS w FROM impressions "
        "WHERE user_id <> 'u0' GROUP BY user_id)"
    )
    assert mean == pytest.approx(pool, abs=4 * spread + 1e-9)
    assert spread < pool / 10, "the mean is known well enough to fail"
    items = log.rows(f"SELECT count(DISTINCT item_id) FROM {drawn}")  # noqa: S608 - as above
    assert items == [(pool,)], "every item that may be drawn is drawn by somebody"


def test_nothing_is_drawn_that_was_not_known_yet(prepare: Prepare) -> None:
    log = prepare(
        catalogue(50) + "u1,late,buy,2024-02-01 00:00:00,5,t,c0\n",
        exposure={"rule": "sampled", "event": "purchase"},
    )
    assert log.rows("SELECT count(*) FROM impressions WHERE item_id = 'late'") == [(1,)]


def test_draws_are_the_same_every_time(prepare: Prepare) -> None:
    data = {"exposure": {"rule": "sampled", "event": "purchase"}}
    first = prepare(catalogue(20), **data).rows("FROM impressions ORDER BY ALL")
    assert prepare(catalogue(20), **data).rows("FROM impressions ORDER BY ALL") == first


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"kinds": {}, "columns": {"kind": None}},
            "one of columns.kind (one event a row), outcomes",
        ),
        (
            {"outcomes": {"purchase": {"column": "x"}}},
            "one of columns.kind (one event a row), outcomes",
        ),
        (
            {
                "kinds": {},
                "columns": {"kind": None},
                "outcomes": {"purchase": {"column": "price"}},
            },
            "every row of a wide log is an impression; set rule: logged",
        ),
        ({"columns": {"user_id": None}}, "exposure.rule views asks who acted; name it"),
        (
            {"exposure": {"rule": "sampled", "negatives": {"among": "category"}}},
            "no item attribute is called category; map one",
        ),
        ({"exposure": {"pool_minutes": 5}}, "pool_minutes is for rule: logged"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(
    prepare: Prepare, data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ShopguideError) as caught:
        prepare("user,item,type,time,price,session\n", **data)
    assert message in str(caught.value)
