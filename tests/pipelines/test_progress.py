"""Steps tell what they did, and a failure is told in the step's own words."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.failures import explain
from pipelines.progress import Progress, StepEvent, read_events
from shopguide.step import EVENTS_VARIABLE, TURNS_VARIABLE, first_failure, step

_STEP = """
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.step import step
with step("train_mtl"):
    {body}
"""


def _run(body: str, events: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _STEP.format(body=body)],
        env={EVENTS_VARIABLE: str(events)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_step_records_its_time_and_memory(tmp_path: Path) -> None:
    done = _run("pass", tmp_path / "events")
    assert done.returncode == 0
    started, ended = read_events(tmp_path / "events")
    assert (started.event, ended.event) == ("start", "done")
    assert ended.peak_mb > 5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ShopguideError('a.csv, row 3', 'is empty', 'Fill it')", 2),
        ("InvalidDataError('a.csv, row 3', 'is empty', 'Fill it')", 1),
    ],
)
def test_a_users_mistake_is_told_without_a_traceback(tmp_path: Path, error: str, code: int) -> None:
    done = _run(f"raise {error}", tmp_path / "events")
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    said = explain(RuntimeError("kfp"), read_events(tmp_path / "events"), tmp_path / "log")
    assert str(said) == "a.csv, row 3: is empty. Fill it"
    assert said.exit_code == code


def test_the_first_failure_of_a_run_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(EVENTS_VARIABLE, raising=False)
    assert first_failure() is None
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events"))
    assert first_failure() is None
    _run("import os; os.kill(os.getpid(), 9)", tmp_path / "events")
    with step("record_run"):
        assert first_failure() == "train-mtl: killed from outside"
    (tmp_path / "events").unlink()
    with step("record_run"):
        assert first_failure() is None
    one = "ShopguideError('a.csv, row 3', 'is empty', 'Fill it')"
    _run(f"raise ShopguideError.combined([{one}, {one}])", tmp_path / "events")
    assert first_failure() == "train-mtl: a.csv, row 3: is empty. Fill it (and 1 more)"


def test_a_slip_of_ours_keeps_its_traceback_and_is_no_users_mistake(tmp_path: Path) -> None:
    done = _run("1 / 0", tmp_path / "events")
    assert "ZeroDivisionError" in done.stderr
    said = explain(RuntimeError("kfp"), read_events(tmp_path / "events"), tmp_path / "run.log")
    assert said.exit_code == 3
    assert "run.log" in str(said)


def test_a_killed_step_is_told(tmp_path: Path) -> None:
    _run("import os; os.kill(os.getpid(), 9)", tmp_path / "events")
    said = explain(RuntimeError("kfp"), read_events(tmp_path / "events"), tmp_path / "run.log")
    assert said.exit_code == 3
    assert "train_mtl: the step was killed from outside" in str(said)


_PART = """
import sys, time
from shopguide.step import step
with step("train_mtl", sys.argv[1]):
    time.sleep(0.3)
"""


@pytest.mark.parametrize("shared", [True, False])
def test_parts_take_turns_where_they_share_a_machine(tmp_path: Path, shared: bool) -> None:
    events = tmp_path / "events"
    variables = {EVENTS_VARIABLE: str(events)}
    if shared:
        variables[TURNS_VARIABLE] = str(tmp_path / "turns")
    running = [
        subprocess.Popen([sys.executable, "-c", _PART, part], env=variables) for part in "ab"
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    found = read_events(events)
    assert sorted(event.part for event in found) == ["a", "a", "b", "b"]
    if shared:
        assert [event.event for event in found] == ["start", "done", "start", "done"]


def test_a_part_that_was_killed_is_told_though_another_ended(tmp_path: Path) -> None:
    events = [
        StepEvent("train_mtl", "start", part="a"),
        StepEvent("train_mtl", "start", part="b"),
        StepEvent("train_mtl", "done", part="a"),
    ]
    said = explain(RuntimeError("kfp"), events, tmp_path / "run.log")
    assert "train_mtl: the step was killed from outside" in str(said)


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text(json.dumps({"step": "a", "event": "start"}) + '\n{"step": "b", "ev')
    assert read_events(events) == [StepEvent("a", "start")]
    assert read_events(tmp_path / "none") == []


def test_finished_steps_are_printed(tmp_path: Path) -> None:
    events, printed = tmp_path / "events", io.StringIO()
    with Progress(events, Console(file=printed, width=80)):
        events.write_text(
            json.dumps({"step": "a_b", "event": "done", "seconds": 2.5, "peak_mb": 1200}) + "\n"
        )
    assert "✓ a-b" in printed.getvalue()
    assert "2.5 s" in printed.getvalue()
    assert "1,200 MB" in printed.getvalue()
