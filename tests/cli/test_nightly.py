"""`shopguide nightly`: what does not follow ends with a message, and the champion stays."""

import json
import subprocess
import sys
from pathlib import Path

from tests.logs.test_days import write_log

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"


def nightly(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "shopguide", "nightly", "--spec", SPEC, "--json"),
            *("--set", f"home={tmp_path / 'home'}", "--out", tmp_path / "nights"),
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_day_there_is_no_night(tmp_path: Path) -> None:
    done = nightly(tmp_path)
    assert done.returncode == 2
    assert "holds no day" in done.stderr
    assert json.loads(done.stdout)["verdict"] == "error"


def test_days_land_though_they_are_too_few_for_a_night(tmp_path: Path) -> None:
    done = nightly(tmp_path, "--log", write_log(tmp_path / "log", range(4)))
    assert done.returncode == 2
    assert "days      4 landed, 0 were there" in done.stderr
    assert "more days: the log begins with 2024-01-01" in done.stderr
    again = nightly(tmp_path, "--log", write_log(tmp_path / "log", range(6), without=(4,)))
    assert again.returncode == 2
    assert "holds nothing of 2024-01-05" in again.stderr
    closed = nightly(tmp_path, "--log", tmp_path / "log", "--closed", "2024-01-05")
    assert "days      2 landed, 4 were there" in closed.stderr
    late = nightly(tmp_path, "--as-of", "2024-02-01")
    assert "the last day that landed is 2024-01-06" in late.stderr
