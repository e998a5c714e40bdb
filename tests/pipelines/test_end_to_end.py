"""Submitted, executed, waited for: real compiled pipelines against the loopback server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp import compiler, components, dsl

from pipelines.compiling import ROOT
from shopguide.features import materialize_online
from shopguide.registry import history
from shopguide.spec import load_spec
from tests.pipelines.conftest import Verb
from tests.pipelines.loopback import Loopback
from tests.planted import write_export, write_spec

COMPILED = ROOT / "components" / "compiled"


@pytest.fixture
def executing(tmp_path: Path) -> Iterator[Loopback]:
    """A server that runs what it takes."""
    folder = tmp_path / "loopback"
    folder.mkdir()
    with Loopback(folder, execute=True) as server:
        yield server


@pytest.fixture
def two_steps(tmp_path: Path) -> Path:
    """A small pipeline of somebody else, of two of our components."""
    check_spec = components.load_component_from_file(str(COMPILED / "check_spec.yaml"))
    prepare_logs = components.load_component_from_file(str(COMPILED / "prepare_logs.yaml"))

    @dsl.pipeline(name="two-steps")  # type: ignore[untyped-decorator]
    def two_steps(spec_text: str, run_id: str) -> None:
        checked = check_spec(spec_text=spec_text, run_id=run_id)
        prepare_logs(spec=checked.outputs["spec"])

    path = tmp_path / "two_steps.yaml"
    compiler.Compiler().compile(two_steps, str(path))
    return path


def test_a_small_pipeline_succeeds_and_its_log_can_be_read(
    executing: Loopback, verb: Verb, two_steps: Path, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path, write_export(tmp_path / "export.csv", users=40))
    arguments = ("submit", str(two_steps), "--spec", str(spec), "--host", executing.host)
    done = verb(*arguments, "--wait", "--interval", "0.2", "--timeout", "5m", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["state"] == "SUCCEEDED"
    assert [step["step"] for step in told["steps"]] == ["check-spec", "prepare-logs"]
    assert "prepare-logs" in done.err  # progress stands beside the JSON
    printed = verb("logs", told["run_id"], "--host", executing.host, "--step", "prepare-logs")
    assert "prepare-logs" in printed.out
    assert "the API has no log" not in printed.out


def test_a_step_that_fails_says_why_and_the_exit_code_is_one(
    executing: Loopback, verb: Verb, two_steps: Path, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path, tmp_path / "nowhere.csv")
    arguments = ("submit", str(two_steps), "--spec", str(spec), "--host", executing.host)
    done = verb(*arguments, "--wait", "--interval", "0.2", "--timeout", "5m")
    assert done.code == 1
    assert "FAILED" in done.out
    assert "nowhere.csv" in done.out


@pytest.mark.slow
def test_features_are_refreshed_without_a_new_model(
    executing: Loopback, verb: Verb, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path, write_export(tmp_path / "export.csv"))
    arguments = ("submit", "refresh_features", "--spec", str(spec), "--host", executing.host)
    done = verb(*arguments, "--wait", "--interval", "0.5", "--timeout", "10m", "--json")
    assert done.code == 0, done.err
    steps = [step["step"] for step in json.loads(done.out)["steps"]]
    assert steps[-2:] == ["materialize-online", "record-run"]
    loaded = load_spec(spec)
    again = materialize_online(loaded)
    assert again
    assert {view: done.entities for view, done in again.items() if done.entities} == {}
    assert history(loaded) == []


@pytest.mark.slow
def test_the_main_pipeline_ends_with_a_champion(executing: Loopback, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, write_export(tmp_path / "export.csv"))
    command = [sys.executable, "-m", "pipelines", "submit", "--spec", str(spec), "--wait"]
    command += ["--host", executing.host, "--timeout", "20m", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["state"] == "SUCCEEDED"
    assert {"promote-model", "record-run"} <= {step["step"] for step in told["steps"]}
    code = "from shopguide.cli import main; main()"
    history = [sys.executable, "-c", code, "history", "--spec", str(spec), "--json"]
    entries = subprocess.run(history, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [entry["kind"] for entry in json.loads(entries)] == ["promoted"]
