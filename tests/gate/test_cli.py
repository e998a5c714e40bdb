"""`shopguide gate` as a user types it: exit codes, JSON, messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gate.conftest import SPEC, VAGUE, Shop


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from shopguide.cli import main; main()", "gate"]
    return subprocess.run(
        [*program, *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def given(shop: Shop) -> list[str | Path]:
    spec = shop.folder / "spec.yaml"
    spec.write_text(SPEC)
    return ["--spec", spec, "--test-set", shop.test_set]


def test_a_promotion_exits_0_and_a_refusal_1(
    shop: Shop, given: list[str | Path], tmp_path: Path
) -> None:
    good, vague = shop.model("good"), shop.model("vague", VAGUE)
    yes = run(
        "decide", *given, "--challenger", good, "--champion", vague, "--out", tmp_path, "--json"
    )
    assert yes.returncode == 0, yes.stderr
    assert json.loads(yes.stdout) == json.loads((tmp_path / "decision.json").read_text())
    no = run("decide", *given, "--challenger", vague, "--champion", good, "--out", tmp_path)
    assert no.returncode == 1
    assert "Do not promote" in no.stdout
    again = run(
        *("decide", *given, "--challenger", vague, "--champion", good),
        *("--replay", tmp_path / "decision.json", "--out", tmp_path / "again"),
    )
    assert again.returncode == 1, again.stderr
    assert (tmp_path / "again" / "decision.json").read_bytes() == (
        tmp_path / "decision.json"
    ).read_bytes()


def test_bad_input_exits_2_with_one_message(given: list[str | Path], tmp_path: Path) -> None:
    failed = run("decide", *given, "--challenger", tmp_path / "none", "--out", tmp_path / "out")
    assert failed.returncode == 2
    assert "there is no such folder" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_audit_prints_its_error_rates(
    shop: Shop, given: list[str | Path], tmp_path: Path
) -> None:
    pair = ["--challenger", shop.model("good"), "--champion", shop.model("vague", VAGUE)]
    quick = [
        "--runs",
        "100",
        "--challengers",
        "2",
        "--nights",
        "2",
        "--set",
        "gate.replicates=200",
        "--out",
        tmp_path,
    ]
    done = run("audit", *given, *pair, *quick, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["runs"] == 100
    assert found == json.loads((tmp_path / "audit.json").read_text())
    assert {"false_promotion", "false_promotion_ci", "power", "minimum_detectable_gain"} <= set(
        found
    )
