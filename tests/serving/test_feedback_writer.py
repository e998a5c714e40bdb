"""The thread that stores feedback outlives failures, and refuses what it cannot bear."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from serving import feedback_writer
from serving.errors import RefusedError
from serving.feedback import FeedbackStore, Options, Stored
from serving.feedback_rows import Rows
from serving.feedback_writer import FeedbackWriter
from tests.serving.test_feedback import ids, rows


class Held(FeedbackStore):
    """A store that waits for a sign before it stores."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Options())
        self.begun, self.go_on = threading.Event(), threading.Event()

    def store(self, batches: Sequence[Rows]) -> list[Stored]:
        self.begun.set()
        assert self.go_on.wait(10)
        return super().store(batches)


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "feedback")


def test_the_writer_opens_the_store_again_when_the_disk_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "feedback"
    folder.write_text("in the way")
    writer = FeedbackWriter(lambda: FeedbackStore(folder, Options()))
    with pytest.raises(RefusedError) as caught:
        writer.submit(rows("a")).result(10)
    assert caught.value.status == 503
    assert str(folder) not in str(caught.value)
    folder.unlink()
    assert writer.submit(rows("a")).result(10).stored == 1
    writer.close()
    assert ids(tmp_path, "*.jsonl") == ["a"]


def test_many_batches_at_once_are_all_answered(tmp_path: Path) -> None:
    writer = FeedbackWriter(lambda: FeedbackStore(tmp_path / "feedback", Options()))
    waiting = [writer.submit(rows(f"e{n}", f"e{n + 1}")) for n in range(200)]
    stored = [future.result(30) for future in waiting]
    writer.close()
    assert sum(answer.stored for answer in stored) == 201
    assert sum(answer.duplicates for answer in stored) == 199
    assert len(ids(tmp_path, "*.jsonl")) == 201


def test_a_batch_that_nobody_waits_for_any_more_is_not_stored(held: Held, tmp_path: Path) -> None:
    writer = FeedbackWriter(lambda: held)
    begun = writer.submit(rows("a"))
    assert held.begun.wait(10)
    waiting = writer.submit(rows("b"))
    assert waiting.cancel()
    assert not begun.cancel(), "what is begun is stored"
    held.go_on.set()
    assert begun.result(10).stored == 1
    assert writer.submit(rows("c")).result(10).stored == 1, "the thread lives"
    writer.close()
    assert ids(tmp_path, "*.jsonl") == ["a", "c"]


def test_too_much_that_waits_is_refused_at_once(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_writer, "_WAITING_ROWS", 3)
    writer = FeedbackWriter(lambda: held)
    first = writer.submit(rows("a", "b", "c", "d"))
    with pytest.raises(RefusedError) as caught:
        writer.submit(rows("e"))
    assert caught.value.status == 503
    assert "Retry-After" in caught.value.headers
    held.go_on.set()
    assert first.result(10).stored == 4
    assert _eventually_stored(writer, rows("e"))
    writer.close()


def test_a_writer_that_hangs_says_so_and_takes_nothing_more(held: Held) -> None:
    now = [0.0]
    writer = FeedbackWriter(lambda: held, clock=lambda: now[0])
    first = writer.submit(rows("a"))
    assert held.begun.wait(10)
    assert writer.works
    now[0] += 61
    assert not writer.works
    with pytest.raises(RefusedError, match="cannot be stored now"):
        writer.submit(rows("b"))
    held.go_on.set()
    assert first.result(10).stored == 1
    writer.close()
    assert not writer.works, "its thread has ended"


def test_the_thread_outlives_whatever_goes_wrong(tmp_path: Path) -> None:
    opened = []

    def open_store() -> FeedbackStore:
        opened.append(1)
        if len(opened) == 1:
            raise ValueError
        return FeedbackStore(tmp_path / "feedback", Options())

    writer = FeedbackWriter(open_store)
    assert writer.submit(rows("a")).result(10).stored == 1
    writer.close()


@pytest.mark.parametrize("gone", ["", "events", "index.db"])
def test_nothing_is_acknowledged_into_what_was_deleted(tmp_path: Path, gone: str) -> None:
    folder = tmp_path / "feedback"
    writer = FeedbackWriter(lambda: FeedbackStore(folder, Options()))
    assert writer.submit(rows("a")).result(10).stored == 1
    (folder / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="could not be stored"):
        writer.submit(rows("b")).result(10)
    assert writer.submit(rows("b")).result(10).stored == 1
    writer.close()
    assert ids(tmp_path) == ["a", "b"] if gone == "index.db" else ["b"]


def _eventually_stored(writer: FeedbackWriter, batch: Rows) -> bool:
    """Submit until it is taken: a batch is answered a moment before its place is free."""
    for _ in range(100):
        try:
            return writer.submit(batch).result(10).stored == len(batch)
        except RefusedError:
            threading.Event().wait(0.05)
    return False
