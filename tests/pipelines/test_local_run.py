"""Two runs do not work in one home, even if the first one's runner is gone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopguide.step import LOCKS_VARIABLE

ROOT = Path(__file__).parents[2]
STEP = """
from shopguide.step import step
with step("a_long_one"):
    print("at work", flush=True)
    input()
"""


def run(home: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines", "run", "--spec", "specs/rees46.yaml"]
    command += ["--out", str(out), "--set", f"home={home}", "--set", "data.path=/nowhere.csv"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Path]:
    """A step at work in a home, whose runner has been killed."""
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {LOCKS_VARIABLE: str(home / "step.lock")}
    with subprocess.Popen(
        [sys.executable, "-c", STEP],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as step:
        assert step.stdout is not None
        while "at work" not in step.stdout.readline():
            assert step.poll() is None
        yield home
        step.communicate("\n")


def test_an_orphaned_step_keeps_another_run_out(orphan: Path, tmp_path: Path) -> None:
    done = run(orphan, tmp_path / "out")
    assert done.returncode == 2
    assert "a step of a run that was stopped is still at work here" in done.stderr


def test_a_home_whose_steps_have_ended_is_free(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "step.lock").touch()
    done = run(tmp_path / "home", tmp_path / "out")
    assert done.returncode == 2
    assert "/nowhere.csv" in done.stderr
