"""`status`, `wait` and `logs`: what a person reads about a run on a server."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import Verb
from tests.pipelines.loopback import Answer, Loopback


@pytest.fixture
def run(loopback: Loopback, verb: Verb) -> dict[str, Any]:
    """A run that nobody executes; tests say what becomes of it."""
    assert verb("submit", "--host", loopback.host, "--param", "spec_text=x").code == 0
    (found,) = loopback.runs.values()
    return found


def task(name: str, state: str, error: str | None = None) -> dict[str, Any]:
    started = {"start_time": "2026-01-01T00:00:00Z"}
    ended = {"end_time": "2026-01-01T00:00:07.5Z" if state != "RUNNING" else "1970-01-01T00:00:00Z"}
    said = {"error": {"code": 2, "message": error}} if error else {}
    known = {"task_id": f"t-{name}", "display_name": name, "state": state}
    return {**known, **started, **ended, **said, "child_tasks": [{"pod_name": f"{name}-pod"}]}


def now(run: dict[str, Any], state: str, *tasks: dict[str, Any]) -> None:
    run["run_details"] = {"task_details": list(tasks)}
    run["state"] = state


def test_status_shows_steps_and_what_went_wrong(
    loopback: Loopback, verb: Verb, run: dict[str, Any]
) -> None:
    plumbing = [task(name, "SUCCEEDED") for name in ("root-driver", "executor", "condition-2")]
    steps = [
        task("check-spec", "SUCCEEDED"),
        task("prepare-logs", "FAILED", "a.csv,\nrow 3: empty"),
    ]
    now(run, "FAILED", *plumbing, *steps)
    done = verb("status", run["run_id"], "--host", loopback.host)
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["check-spec", "prepare-logs"]
    assert "7.5 s" in lines[1]
    assert "a.csv, row 3: empty" in lines[2]
    assert "FAILED" in lines[3]
    assert f"/#/runs/details/{run['run_id']}" in lines[-1]
    told = json.loads(verb("status", run["run_id"], "--host", loopback.host, "--json").out)
    assert told["error"] == "prepare-logs: a.csv, row 3: empty"
    assert [step["seconds"] for step in told["steps"]] == [7.5, 7.5]


def test_status_lists_the_newest_runs(loopback: Loopback, verb: Verb, run: dict[str, Any]) -> None:
    arguments = ("--host", loopback.host, "--param", "spec_text=x", "--experiment", "other")
    assert verb("submit", *arguments).code == 0
    lines = verb("status", "--host", loopback.host).out.splitlines()
    assert len(lines) == 2
    assert run["run_id"] in lines[1]
    one = verb("status", "--host", loopback.host, "--experiment", "other").out.splitlines()
    assert len(one) == 1
    assert run["run_id"] not in one[0]
    done = verb("status", "--host", loopback.host, "--experiment", "odd")
    assert (done.code, "--experiment odd: there is none of this name" in done.err) == (2, True)


def test_an_unknown_run_is_told(loopback: Loopback, verb: Verb) -> None:
    for name in ("status", "wait", "logs"):
        done = verb(name, "no-such", "--host", loopback.host)
        assert done.code == 2
        assert "cannot read run no-such: not found (404)" in done.err
    assert verb("status", "--host", loopback.host).out == "no runs yet\n"


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1)])
def test_wait_prints_each_step_as_it_changes(
    loopback: Loopback, verb: Verb, run: dict[str, Any], state: str, code: int
) -> None:
    now(run, "RUNNING", task("check-spec", "RUNNING"))
    changes = [
        (0.4, lambda: now(run, "RUNNING", task("check-spec", "SUCCEEDED"))),
        (0.8, lambda: now(run, state, task("check-spec", "SUCCEEDED"))),
    ]
    timers = [threading.Timer(*change) for change in changes]
    for timer in timers:
        timer.start()
    done = verb("wait", run["run_id"], "--host", loopback.host, "--interval", "0.1")
    for timer in timers:
        timer.join()
    assert done.code == code
    steps = [line for line in done.out.splitlines() if "check-spec" in line]
    assert len(steps) == 2
    assert "at work" in steps[0]
    assert "7.5 s" in steps[1]
    assert state in done.out


def test_patience_ends(loopback: Loopback, verb: Verb, run: dict[str, Any]) -> None:
    now(run, "RUNNING")
    arguments = ("--host", loopback.host, "--interval", "0.2", "--timeout", "1s")
    done = verb("wait", run["run_id"], *arguments)
    assert done.code == 1
    assert "waited 1 s; it goes on" in done.out
    told = json.loads(verb("wait", run["run_id"], *arguments, "--json").out)
    assert told["state"] == "RUNNING"


@pytest.mark.usefixtures("hurried")
def test_a_server_that_is_away_for_a_while_is_waited_for(
    loopback: Loopback, verb: Verb, run: dict[str, Any]
) -> None:
    now(run, "SUCCEEDED")
    loopback.planted.append(Answer(503, times=9))
    arguments = ("wait", run["run_id"], "--host", loopback.host, "--interval", "0.1")
    done = verb(*arguments)
    assert done.code == 0
    assert done.out.count("it broke (503): planted; asking on") == 1
    loopback.planted.append(Answer(403))
    assert verb(*arguments).code == 2


def test_logs_are_printed_or_said_where_they_are(
    loopback: Loopback, verb: Verb, run: dict[str, Any]
) -> None:
    now(run, "FAILED", task("check-spec", "SUCCEEDED"), task("train-mtl", "FAILED"))
    done = verb("logs", run["run_id"], "--host", loopback.host, "--namespace", "shop")
    assert done.code == 0
    assert "=== train-mtl (FAILED)" in done.out
    assert "kubectl --namespace shop logs train-mtl-pod --container main" in done.out
    folder = Path(loopback.folder) / run["run_id"]
    folder.mkdir()
    (folder / "output.log").write_text("epoch [1] of 3\n")
    done = verb("logs", run["run_id"], "--host", loopback.host, "--step", "train_mtl")
    assert done.out == "=== train-mtl (FAILED)\nepoch [1] of 3\n"
    done = verb("logs", run["run_id"], "--host", loopback.host, "--step", "bake")
    assert (done.code, "Name one of check-spec, train-mtl" in done.err) == (2, True)


def test_logs_show_the_token_too(
    tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_TOKEN", "t")
    with Loopback(tmp_path, token="t") as server:  # noqa: S106 - of a test
        arguments = ("--host", server.host, "--param", "spec_text=x")
        assert verb("submit", *arguments).code == 0
        (run,) = server.runs.values()
        now(run, "FAILED", task("check-spec", "FAILED"))
        folder = tmp_path / run["run_id"]
        folder.mkdir()
        (folder / "output.log").write_text("hello\n")
        assert "hello" in verb("logs", run["run_id"], "--host", server.host).out
