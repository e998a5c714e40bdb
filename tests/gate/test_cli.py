"""`shopguide gate` as a user types it: exit codes, JSON, messages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shopguide.gate import decide
from shopguide.registry import promote_model, read_ledger, record_refusal
from shopguide.spec import dump_spec
from shopguide.spec.gate import AlphaSpending
from tests.gate.conftest import SPEC, VAGUE, Shop


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from shopguide.cli import main; main()", "gate"]
    return subprocess.run(
        [*program, *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def given(shop: Shop) -> list[str | Path]:
    spec = shop.folder / "spec.yaml"
    spec.write_text(f"{SPEC}\nhome: {shop.folder / 'home'}\n")
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
        *("decide", *given[2:], "--challenger", vague, "--champion", good),
        *("--replay", tmp_path / "decision.json", "--out", tmp_path / "again"),
    )
    assert again.returncode == 1, again.stderr
    assert (tmp_path / "again" / "decision.json").read_bytes() == (
        tmp_path / "decision.json"
    ).read_bytes()


def decided(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """Run `gate decide … --json`; return its exit code and what it printed."""
    done = run("decide", *words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_better_model_is_promoted_its_twin_is_not_and_a_greedy_one_by_the_goal_it_gives_up(
    shop: Shop, given: list[str | Path], tmp_path: Path
) -> None:
    words = [*given, "--out", tmp_path]
    good, vague = shop.model("good"), shop.model("vague", VAGUE)
    code, better = decided(*words, "--champion", vague, "--challenger", good)
    assert (code, better["verdict"], better["reasons"]) == (0, "promote", [])

    code, twin = decided(*words, "--champion", good, "--challenger", shop.model("twin", seed=1))
    assert (code, twin["verdict"], twin["reasons"]) == (1, "refuse", ["gain_not_shown"])

    clicks, greedy = (
        shop.model("clicks", fusion={"click": 1.0}),
        shop.model("greedy", fusion={"order_value": 1.0}),
    )
    code, lost = decided(*words, "--champion", clicks, "--challenger", greedy)
    assert (code, lost["verdict"]) == (1, "refuse")
    assert lost["objective"]["lower"] > 0  # it wins the objective
    assert lost["reasons"] == ["goal_may_lose:ctr"]
    assert "click rate" in lost["because"][0]


def test_several_challengers_are_judged_at_once(
    shop: Shop, given: list[str | Path], tmp_path: Path
) -> None:
    vague, good, alike = (
        shop.model("vague", VAGUE),
        shop.model("good"),
        shop.model("alike", VAGUE, seed=12),
    )
    pair = ["--challenger", alike, "--challenger", good, "--champion", vague]
    code, found = decided(*given, *pair, "--out", tmp_path, "--tried", "4")
    assert code == 0
    assert found["challenger"]["checksum"] == found["candidates"][1]["model"]["checksum"]
    assert found["tried"] == 4
    done = run("decide", *given, *pair, "--out", tmp_path)
    assert "could be promoted" in done.stdout
    assert "gain_not_shown" in done.stdout
    again = run(
        "decide", *given[2:], *pair, "--replay", tmp_path / "decision.json", "--out", tmp_path
    )
    assert again.returncode == 0, again.stderr


def test_a_ledger_file_takes_up_every_look(
    shop: Shop, given: list[str | Path], tmp_path: Path
) -> None:
    shared = ["--set", "gate.alpha_spending={function: harmonic}"]
    words = [*given, *shared, "--champion", shop.model("vague", VAGUE), "--out", tmp_path]
    ledger = ["--ledger", tmp_path / "ledger.json"]
    _, first = decided(*words, *ledger, "--challenger", shop.model("good"))
    _, second = decided(*words, *ledger, "--challenger", shop.model("alike", VAGUE, seed=12))
    _, again = decided(*words, *ledger, "--challenger", shop.model("good"))
    spent = [found["spending"]["alpha"] for found in (first, second, again)]
    assert spent == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 2])
    assert [found["spending"]["look"] for found in (first, second, again)] == [1, 2, 1]
    looks = json.loads((tmp_path / "ledger.json").read_text())["looks"]
    assert [look["alpha"] for look in looks] == pytest.approx([0.05 / 2, 0.05 / 6])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_registry_remembers_the_looks_of_its_champion(shop: Shop, tmp_path: Path) -> None:
    spending = AlphaSpending(function="bonferroni", horizon=10)
    gate = shop.spec.gate.model_copy(update={"alpha_spending": spending})
    spec = shop.spec.model_copy(update={"home": str(tmp_path / "home"), "gate": gate})
    alike, good = shop.model("alike", VAGUE, seed=12), shop.model("good")
    out = tmp_path / "decision"
    assert decide(spec, good, shop.test_set, out).promote
    promote_model(spec, good, out)

    refused = decide(spec, alike, shop.test_set, out, champion=good, ledger=read_ledger(spec))
    assert refused.spending is not None
    assert refused.spending.look == 1
    record_refusal(spec, alike, out, reason="gate")

    dump_spec(spec, tmp_path / "spec.yaml")
    words = ["--spec", tmp_path / "spec.yaml", "--data", shop.test_set]
    vague = shop.model("vague", VAGUE)
    given = ["--champion", good, "--registry"]
    code, second = decided(*words, *given, "--challenger", vague, "--out", out)
    assert code == 1
    code, asked = decided(*words, "--challenger", vague, "--out", out)
    assert code == 1
    assert asked["champion"]["checksum"] == second["champion"]["checksum"]
    assert asked["champion"]["version"] == "1", "its number in the registry"
    assert asked["spending"] == second["spending"], "the registry's champion brings its looks"
    assert second["spending"]["look"] == 2
    assert second["spending"]["spent"] == pytest.approx(0.05 / 10)
    assert second["spending"]["former"] == []
    assert [past["kind"] for past in second["ledger"]["history"]] == ["refused", "promoted"]
    page = (out / "report.html").read_text()
    assert "✗ refused" in page
    assert "this is run 2" in page


def test_the_registry_is_a_ledger_too(shop: Shop, given: list[str | Path], tmp_path: Path) -> None:
    words = [*given, "--set", f"home={tmp_path / 'home'}", "--challenger", shop.model("good")]
    code, found = decided(*words, "--registry", "--out", tmp_path)
    assert code == 0
    assert found["ledger"]["history"] == []
    code, found = decided(*words, "--champion", "none", "--out", tmp_path)
    assert (code, found["champion"]) == (0, None)
    both = run("decide", *words, "--registry", "--ledger", tmp_path / "l.json", "--out", tmp_path)
    assert both.returncode == 2
    assert "stands beside --registry" in both.stderr


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
