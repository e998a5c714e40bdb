"""Which events are credited to which impression: against a slow and obvious reference."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shopguide.errors import ShopguideError
from shopguide.logs import label_impressions
from shopguide.spec import Spec, check_text

START = datetime(2024, 1, 1, tzinfo=UTC)
STAMP = pa.timestamp("us", "UTC")


class Shown(NamedTuple):
    request_id: str
    user_id: str
    item_id: str
    shown_at: datetime


class Event(NamedTuple):
    request_id: str | None
    user_id: str
    item_id: str
    kind: str
    at: datetime
    value: float | None


def spec(match: str, window_hours: float = 1.0, touch: str = "last") -> Spec:
    document = {
        "name": "shop",
        "data": {
            "source": "events",
            "path": "unused.csv",
            "columns": {"user_id": "u", "item_id": "i", "kind": "k", "at": "t"},
            "kinds": {k: k for k in ("view", "click", "cart", "purchase")},
        },
        "attribution": {"match": match, "window_hours": window_hours, "touch": touch},
        "split": {
            "train": {"start": "2024-01-01", "end": "2024-02-01"},
            "valid": {"start": "2024-02-01", "end": "2024-03-01"},
            "test": {"start": "2024-03-01", "end": "2024-04-01"},
        },
        "tasks": {
            "click": {"kind": "binary", "event": "click"},
            "purchase": {"kind": "binary", "event": "purchase"},
            "order_value": {"kind": "amount", "event": "purchase"},
        },
        "objective": {"goals": {"conversion": {"task": "purchase", "weight": 1}}},
    }
    return check_text(yaml.safe_dump(document, sort_keys=False), where="shop spec")


def write(folder: Path, impressions: Sequence[Shown], events: Sequence[Event]) -> None:
    types = {"shown_at": STAMP, "at": STAMP, "value": pa.float64()}
    for table, rows, kind in (("impressions", impressions, Shown), ("events", events, Event)):
        columns = {
            name: pa.array([getattr(row, name) for row in rows], types.get(name, pa.string()))
            for name in kind._fields
        }
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")


Labels = dict[tuple[str, str], tuple[int, int, float]]


def labelled(impressions: Sequence[Shown], events: Sequence[Event], shop: Spec) -> Labels:
    """Return click, purchase and order value by request and item."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        write(Path(folder), impressions, events)
        label_impressions(connection, folder, shop)
        rows = connection.execute(
            "SELECT request_id, item_id, click, purchase, order_value FROM labelled"
        ).fetchall()
    assert len(rows) == len(impressions)
    return {(request, item): (click, buy, value) for request, item, click, buy, value in rows}


def reference(
    impressions: Sequence[Shown], events: Sequence[Event], hours: float, touch: str
) -> Labels:
    """Go through the events one by one, and look at every impression."""
    outcome: dict[tuple[str, str], list[Event]] = {
        (i.request_id, i.item_id): [] for i in impressions
    }
    for event in events:
        before = [
            i
            for i in impressions
            if (i.user_id, i.item_id) == (event.user_id, event.item_id)
            and i.shown_at <= event.at < i.shown_at + timedelta(hours=hours)
        ]
        if not before:
            continue
        moment = (max if touch == "last" else min)(i.shown_at for i in before)
        touched = min(i.request_id for i in before if i.shown_at == moment)
        outcome[touched, event.item_id].append(event)
    return {key: _labels(found) for key, found in outcome.items()}


def _labels(found: Sequence[Event]) -> tuple[int, int, float]:
    kinds = {event.kind for event in found}
    value = sum(event.value or 0 for event in found if event.kind == "purchase")
    return "click" in kinds, "purchase" in kinds, value


halves = st.integers(0, 8).map(lambda number: START + timedelta(minutes=30 * number))
minutes = halves | st.integers(0, 240).map(lambda number: START + timedelta(minutes=number))
ids = st.sampled_from(["a", "b"])
money = st.none() | st.integers(0, 400).map(lambda quarters: quarters / 4)  # sums are exact
kinds = st.sampled_from(["click", "purchase", "other"])
ALL_KINDS = [Event(None, "nobody", "nothing", kind, START, None) for kind in ("click", "purchase")]


@st.composite
def shown(draw: st.DrawFn) -> list[Shown]:
    """Impressions of two users and two items; a request is a user's, with each item once."""
    rows = draw(st.lists(st.tuples(ids, ids, st.integers(0, 3), halves), min_size=1, max_size=12))
    unique = {(f"{user}{request}", item): (user, at) for user, item, request, at in rows}
    return [Shown(request, user, item, at) for (request, item), (user, at) in unique.items()]


@settings(max_examples=60, deadline=None)
@given(
    shown(),
    st.lists(st.builds(Event, st.none(), ids, ids, kinds, minutes, money), max_size=12),
    st.sampled_from([0.5, 1.0, 24.0]),
    st.sampled_from(["last", "first"]),
)
def test_an_event_is_credited_once_to_one_impression_before_it_within_the_window(
    impressions: list[Shown], events: list[Event], hours: float, touch: str
) -> None:
    found = labelled(impressions, [*ALL_KINDS, *events], spec("user_item", hours, touch))
    assert found == reference(impressions, events, hours, touch)


def test_an_order_that_was_taken_back_is_no_outcome(tmp_path: Path) -> None:
    rows = [Event(None, "u", "i", kind, at(1), 2.0) for kind in ("click", "purchase", "purchase")]
    write(tmp_path, [Shown("r", "u", "i", at(0))], rows)
    events = pq.read_table(tmp_path / "events.parquet")
    voided = pa.array([None, at(9), None], STAMP)
    pq.write_table(events.append_column("voided_at", voided), tmp_path / "events.parquet")
    with duckdb.connect() as connection:
        label_impressions(connection, tmp_path, spec("user_item"))
        assert connection.execute("SELECT purchase, order_value FROM labelled").fetchall() == [
            (1, 2.0)
        ]


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def test_the_window_is_closed_at_the_impression_and_open_at_its_end() -> None:
    impressions = [Shown("r1", "u", "i", at(0)), Shown("r2", "u", "j", at(0))]
    events = [
        Event(None, "u", "i", "purchase", at(0), 2.0),
        Event(None, "u", "j", "click", at(60) - timedelta(microseconds=1), None),
        Event(None, "u", "j", "purchase", at(60), 9.0),
    ]
    assert labelled(impressions, events, spec("user_item")) == {
        ("r1", "i"): (0, 1, 2.0),
        ("r2", "j"): (1, 0, 0.0),
    }


def test_of_two_requests_at_the_same_moment_the_first_by_name_is_credited() -> None:
    impressions = [Shown(request, "u", "i", at(0)) for request in ("r2", "r1", "r3")]
    events = [Event(None, "u", "i", kind, at(1), 2.0) for kind in ("click", "purchase")]
    found = labelled(impressions, events, spec("user_item"))
    assert found[("r1", "i")] == (1, 1, 2.0)
    assert found[("r2", "i")] == found[("r3", "i")] == (0, 0, 0.0)


def test_by_request_an_event_counts_for_the_request_that_it_names_and_no_other() -> None:
    impressions = [
        Shown("r1", "u", "i", at(0)),
        Shown("r1", "u", "j", at(0)),
        Shown("r2", "u", "i", at(1)),
    ]
    events = [
        Event("r1", "u", "i", "purchase", at(2), 1.25),
        Event("r1", "u", "i", "purchase", at(9_999), 2.0),  # the request is the window
        Event("r1", "u", "j", "click", at(2), None),
        Event("r1", "u", "j", "other", at(2), 7.0),
        Event(None, "u", "i", "purchase", at(2), 50.0),  # bought, but not from a request
    ]
    assert labelled(impressions, events, spec("request")) == {
        ("r1", "i"): (0, 1, 3.25),
        ("r1", "j"): (1, 0, 0.0),
        ("r2", "i"): (0, 0, 0.0),
    }


def test_a_task_whose_event_never_happens_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [Shown("r1", "u", "i", at(0))], [Event(None, "u", "i", "view", at(0), None)])
    with pytest.raises(ShopguideError) as caught, duckdb.connect() as connection:
        label_impressions(connection, tmp_path, spec("user_item"))
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/events.parquet kind: no event of kind {event!r}, which task {task!r} "
        f"predicts; found view. Map it in data.kinds, or change tasks.{task}.event"
        for task, event in [
            ("click", "click"),
            ("purchase", "purchase"),
            ("order_value", "purchase"),
        ]
    ]


def test_a_category_is_the_first_of_its_classes_whose_event_follows() -> None:
    document = spec("request").model_dump(mode="json")
    document["tasks"]["intent"] = {
        "kind": "category", "classes": {"buy": "purchase", "browse": "click"}, "other": "leave"
    }  # fmt: skip
    shop = check_text(yaml.safe_dump(document, sort_keys=False), where="shop spec")
    shown = [Shown("r", "u", f"i{n}", START) for n in range(4)]
    at = START + timedelta(minutes=1)
    kinds = {"i0": ["click"], "i1": ["click", "purchase"], "i2": ["purchase"], "i3": []}
    events = [
        Event("r", "u", item, kind, at, 1.0) for item, these in kinds.items() for kind in these
    ]
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        write(Path(folder), shown, events)
        label_impressions(connection, folder, shop)
        rows = connection.execute("SELECT intent FROM labelled ORDER BY item_id").fetchall()
    assert shop.category_tasks()["intent"].labels == ("buy", "browse", "leave")
    assert [row[0] for row in rows] == [1, 0, 0, 2]
