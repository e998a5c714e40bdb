"""Feedback is stored once, before it is acknowledged, and in whole files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serving.feedback import FeedbackStore, Options
from serving.feedback_rows import Rows, Rules
from serving.rows import BadRequestError
from serving.schemas import FeedbackRequest, RankedItem, RankRequest, RankResponse
from shopguide.spec import check_text
from tests.serving.live import SPEC

NOW = datetime(2026, 1, 31, 23, 50, tzinfo=UTC)
RULES = Rules.of(check_text(SPEC, where="spec"))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


Opener = Callable[..., FeedbackStore]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Opener]:
    """Open stores of one folder; those that are still open at the end are closed."""
    stores: list[FeedbackStore] = []

    def open_(**options: Any) -> FeedbackStore:  # noqa: ANN401
        answered = options.pop("answered", ())
        stores.append(FeedbackStore(tmp_path / "feedback", Options(**options), answered, clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close_old(everything=True)


def rows(*ids: str, request_id: str = "r1", impressions: bool = False) -> Rows:
    batch = [
        {"event_id": one, "request_id": request_id, "user_id": "u", "item_id": one, "at": NOW}
        for one in ids
    ]
    if not impressions:
        batch = [row | {"kind": "click"} for row in batch]
    name = "impressions" if impressions else "events"
    return RULES.rows(FeedbackRequest.model_validate({name: batch}), NOW)


def lines(folder: Path, pattern: str = "*.jsonl*") -> list[dict[str, Any]]:
    files = sorted((folder / "feedback").rglob(pattern))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def ids(folder: Path, pattern: str = "*.jsonl*") -> list[str]:
    return sorted(row["event_id"] for row in lines(folder, pattern))


def test_an_event_is_stored_in_the_form_of_the_canonical_log(
    opened: Opener, tmp_path: Path
) -> None:
    event = {
        "event_id": "e1",
        "request_id": "r1",
        "user_id": "Zoë",
        "item_id": "没有",
        "kind": "buy",
        "at": "2026-01-31T12:00:00.5+02:00",
        "value": 3.5,
        "currency": "EUR",
    }
    impression = {key: event[key] for key in ("request_id", "user_id", "item_id", "at")}
    impression |= {"event_id": "e0", "position": 2, "propensity": 0.25}
    impression |= {"context": {"place_id": "400"}}
    batch = FeedbackRequest.model_validate({"events": [event], "impressions": [impression]})
    opened().store([RULES.rows(batch, NOW)])
    shown_, happened = sorted(lines(tmp_path), key=lambda row: row["event_id"])
    at = "2026-01-31T10:00:00.500000+00:00"
    empty = dict.fromkeys(["value", "currency", "position", "propensity", "place_id"])
    assert happened == empty | event | {"at": at}
    assert shown_ == empty | {
        "event_id": "e0",
        "request_id": "r1",
        "user_id": "Zoë",
        "item_id": "没有",
        "kind": "impression",
        "at": at,
        "position": 2,
        "propensity": 0.25,
        "place_id": "400",
    }
    assert list(shown_) == list(happened), "one mapping reads both"
    names = {path.parent.parent.name for path in (tmp_path / "feedback").rglob("*.jsonl.open")}
    assert names == {"events", "impressions"}


def test_what_is_sent_again_is_stored_once(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    first, second = store.store([rows("a", "b"), rows("b", "c")])
    assert (first.stored, first.duplicates) == (2, 0)
    assert (second.stored, second.duplicates) == (1, 1)
    (again,) = store.store([rows("a", "b", "c", "d")])
    assert (again.stored, again.duplicates) == (1, 3)
    assert ids(tmp_path) == ["a", "b", "c", "d"]


def test_it_is_known_after_a_restart(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    store.store([rows("a")])
    store.close()
    (answer,) = opened().store([rows("a", "b")])
    assert answer.duplicates == 1
    assert ids(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("lost", [[], ["index.db", "index.db-wal", "index.db-shm"]])
def test_it_is_known_after_the_index_is_lost(
    opened: Opener, tmp_path: Path, lost: list[str]
) -> None:
    store = opened()
    store.store([rows("a", impressions=True)])
    store.close()
    for name in lost:
        (tmp_path / "feedback" / name).unlink(missing_ok=True)
    (answer,) = opened().store([rows("a", impressions=True), rows("b")][:1])
    assert answer.duplicates == 1
    assert ids(tmp_path) == ["a"]


def test_a_torn_line_is_cut_off_and_its_event_stored_when_it_is_sent_again(
    opened: Opener, tmp_path: Path
) -> None:
    store = opened()
    store.store([rows("a")])
    store.abandon()
    (file,) = (tmp_path / "feedback").rglob("*.open")
    whole = file.read_bytes()
    file.write_bytes(whole + whole.replace(b'"a"', b'"b"') + b'{"event_id": "c", "requ')
    (answer,) = opened().store([rows("a", "b", "c")])
    assert (answer.stored, answer.duplicates) == (1, 2)
    assert ids(tmp_path) == ["a", "b", "c"]


def test_the_file_of_a_writer_that_lives_is_left_alone(opened: Opener, tmp_path: Path) -> None:
    first, second = opened(), opened()
    first.store([rows("a")])
    third = opened()
    for store, name in ((second, "b"), (third, "c"), (first, "d")):
        (answer,) = store.store([rows("a", name)])
        assert (answer.stored, answer.duplicates) == (1, 1)
    assert ids(tmp_path) == ["a", "b", "c", "d"]
    assert len(list((tmp_path / "feedback").rglob("*.open"))) == 3


def test_files_are_closed_by_size_age_and_day(opened: Opener, tmp_path: Path, clock: Clock) -> None:
    store = opened(file_bytes=200, file_seconds=3600)
    for number in range(6):
        store.store([rows(f"e{number}")])
    closed = list((tmp_path / "feedback").rglob("*.jsonl"))
    assert len(closed) >= 2
    assert all(file.parent.name == "date=2026-01-31" for file in closed)
    clock.now += timedelta(minutes=20)
    store.store([rows("tomorrow")])
    assert not list((tmp_path / "feedback" / "events" / "date=2026-01-31").glob("*.open"))
    assert ids(tmp_path / "x", "*") == []
    old = opened(file_seconds=0)
    old.store([rows("old")])
    old.close_old()
    assert "old" in ids(tmp_path, "*.jsonl")


def test_ids_are_forgotten_after_the_days_that_were_asked(opened: Opener, clock: Clock) -> None:
    store = opened(remember_days=7)
    store.store([rows("a")])
    store.close()
    clock.now += timedelta(days=9)
    (answer,) = opened(remember_days=7).store([rows("a")])
    assert answer.stored == 1


def test_requests_that_nobody_knows_are_stored_and_counted(opened: Opener) -> None:
    store = opened(answered={"answered"})
    (answer,) = store.store([rows("a", "b", request_id="forged")])
    assert (answer.stored, answer.unknown_requests) == (2, 2)
    (answer,) = store.store([rows("c", request_id="answered")])
    assert answer.unknown_requests == 0
    (answer,) = store.store([rows("d", request_id="before", impressions=True)])
    assert answer.unknown_requests == 1
    (answer,) = store.store([rows("e", request_id="before")])
    assert answer.unknown_requests == 0, "a stored impression names it"


def test_a_full_disk_stores_nothing_and_is_told(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.store([rows("a")])

    def full(descriptor: int) -> None:
        del descriptor
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.store([rows("b")])
    monkeypatch.undo()
    assert ids(tmp_path) == ["a"]
    (answer,) = store.store([rows("b")])
    assert answer.stored == 1
    assert ids(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("line", [b"{torn", b"[]", b'{"event_id": 5, "kind": "click"}', b"\xff"])
def test_a_line_that_cannot_be_read_is_passed_over(
    opened: Opener, tmp_path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    store.store([rows("a", "b")])
    store.close()
    (file,) = (tmp_path / "feedback").rglob("*.jsonl")
    first, second = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([first, line, second, b""]))
    (answer,) = opened().store([rows("a", "b", "c")])
    assert (answer.stored, answer.duplicates) == (1, 2)
    assert f"{file.name}: 1 lines cannot be read" in caplog.text
    assert "line 2" in caplog.text


_WRITES = """
import sys
from pathlib import Path
from serving.feedback import FeedbackStore, Options
from tests.serving.test_feedback import rows

store = FeedbackStore(Path(sys.argv[1]), Options(file_bytes=20_000))
for number in range(100_000):
    store.store([rows(f"{number}a", f"{number}b")])
    print(number, flush=True)
"""


def test_whatever_was_acknowledged_before_a_kill_is_there_once(
    opened: Opener, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _WRITES, str(tmp_path / "feedback")]
    acknowledged = 0
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged = max(acknowledged, int(line))
                if int(line) >= acknowledged and int(line) % 60 == 59:
                    process.send_signal(signal.SIGKILL)
                    break
            process.wait()
    sent = [f"{number}{half}" for number in range(acknowledged + 5) for half in "ab"]
    opened().store([rows(*sent)])
    assert ids(tmp_path) == sorted(sent)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "clicks"}, "events[0].kind"),
        ({"at": NOW + timedelta(hours=1)}, "events[0].at"),
        ({"at": datetime(1, 1, 1, tzinfo=UTC)}, "events[0].at"),
        ({"value": 3.0, "currency": "USD"}, "events[0].currency"),
        ({"value": 3.0}, "events[0].currency"),
    ],
)
def test_a_row_that_the_shop_does_not_know_is_refused(change: dict[str, Any], path: str) -> None:
    event = {"event_id": "e", "user_id": "u", "item_id": "i", "kind": "click", "at": NOW}
    with pytest.raises(BadRequestError) as caught:
        RULES.rows(FeedbackRequest.model_validate({"events": [event | change]}), NOW)
    assert caught.value.path == path


def test_a_purchase_without_its_money_is_refused() -> None:
    text = SPEC.replace("tasks: {", "tasks: {paid: {kind: amount, event: purchase, unit: EUR}, ")
    event = {"event_id": "e", "user_id": "u", "item_id": "i", "kind": "purchase", "at": NOW}
    rules = Rules.of(check_text(text, where="spec"))
    with pytest.raises(BadRequestError, match=r"events\[0\].value"):
        rules.rows(FeedbackRequest.model_validate({"events": [event]}), NOW)
    free = {"events": [event | {"value": 0.0}]}
    assert len(rules.rows(FeedbackRequest.model_validate(free), NOW)) == 1


def test_a_context_that_the_shop_does_not_log_is_refused() -> None:
    impression = {"event_id": "e", "request_id": "r", "user_id": "u", "item_id": "i", "at": NOW}
    impression["context"] = {"weather": "rain"}
    with pytest.raises(BadRequestError, match=r"impressions\[0\].context.weather"):
        RULES.rows(FeedbackRequest.model_validate({"impressions": [impression]}), NOW)


NUMBERED = Rules.of(check_text(SPEC + "features: {context: {candidates: numeric}}\n", where="spec"))


@pytest.mark.parametrize("value", ["abc", "10", ["a"]])
def test_a_context_of_another_type_is_refused(value: object) -> None:
    impression = {"event_id": "e", "request_id": "r", "user_id": "u", "item_id": "i", "at": NOW}
    batch = {"impressions": [impression | {"context": {"candidates": value}}]}
    with pytest.raises(BadRequestError, match=r"impressions\[0\].context.candidates.*expected"):
        NUMBERED.rows(FeedbackRequest.model_validate(batch), NOW)


def test_a_column_of_the_context_has_one_type() -> None:
    impression = {"event_id": "e", "request_id": "r", "user_id": "u", "item_id": "i", "at": NOW}
    impression["context"] = {"candidates": 10, "place_id": 400}
    batch = FeedbackRequest.model_validate({"impressions": [impression]})
    (row,) = NUMBERED.rows(batch, NOW).impressions
    assert (row["candidates"], row["place_id"]) == (10.0, "400")


@pytest.mark.parametrize("at", [20260131, 1.7e9, "20260131", "1769860800", "2026-01-31T12:00:00"])
def test_a_time_that_is_no_iso_text_with_a_zone_is_refused(at: object) -> None:
    event = {"event_id": "e", "user_id": "u", "item_id": "i", "kind": "click", "at": at}
    with pytest.raises(ValidationError, match=r"events.0.at"):
        FeedbackRequest.model_validate({"events": [event]})


def test_an_event_id_that_stands_twice_is_told_with_its_place() -> None:
    shown = {"event_id": "a", "request_id": "r", "user_id": "u", "item_id": "i", "at": NOW}
    event = {"event_id": "b", "user_id": "u", "item_id": "i", "kind": "click", "at": NOW}
    for last in ("a", "b"):
        batch = {"impressions": [shown], "events": [event, event | {"event_id": last}]}
        with pytest.raises(ValidationError, match="stands in the batch before") as caught:
            FeedbackRequest.model_validate(batch)
        assert caught.value.errors()[0]["ctx"]["at"] == ("events", 1, "event_id")


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({}, "no event and no impression"),
        ({"events": []}, "no event and no impression"),
        ({"events": [{}]}, "events.0.event_id"),
    ],
)
def test_a_batch_without_rows_is_refused(batch: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeedbackRequest.model_validate(batch)


def test_what_was_ranked_can_be_logged_as_shown() -> None:
    request = RankRequest(user_id="u", items=["a", "b"], context={"place_id": "4", "x": None})
    answer = RankResponse("r", [RankedItem("b", 2.0, {}), RankedItem("a", 1.0, {})], "v", False)
    logged = RULES.shown(request, answer, NOW)
    assert [row["item_id"] for row in logged.impressions] == ["b", "a"]
    assert [row["position"] for row in logged.impressions] == [1, 2]
    assert {row["propensity"] for row in logged.impressions} == {1.0}
    assert [row["place_id"] for row in logged.impressions] == ["4", "4"]
    assert "x" not in logged.impressions[0]
    assert len({row["event_id"] for row in logged.impressions}) == 2
