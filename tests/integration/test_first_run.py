"""The whole way on a planted shop, as its owner walks it: export → champion → service."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import PlantedRun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.service,
    pytest.mark.xdist_group("planted"),
]


def test_the_first_model_is_promoted_against_popularity(planted_run: PlantedRun) -> None:
    printed = planted_run.printed
    assert printed["verdict"] == "promote"
    assert printed["promoted"] is True
    assert printed["champion_version"] == "1"
    decision = json.loads(Path(printed["decision"]).read_text())
    assert decision["objective"] is None
    assert decision["baseline"]["lower"] > 0


def test_a_run_leaves_what_it_promises(planted_run: PlantedRun) -> None:
    left = {path.name for path in planted_run.out.iterdir()}
    assert left >= {"decision.json", "report.html", "report.md", "data.html", "model", "bento.txt"}
    assert (planted_run.out / "model" / "bundle.json").is_file()
    assert (planted_run.out / "training_set" / "training_set.json").is_file()
    (kept,) = (planted_run.out / "history").iterdir()
    assert (kept / "report.html").is_file()
    blessed = planted_run.printed["bento"]
    assert (planted_run.out / "bento.txt").read_text().split()[0] == blessed
    for page in ("report.html", "data.html"):
        text = (planted_run.out / page).read_text()
        assert not re.search(r"(src|href)=[\"']?https?:", text), "a page opens without a network"
        assert "Drawn from a known model" in text


def test_every_step_says_what_it_took(planted_run: PlantedRun) -> None:
    steps = planted_run.printed["steps"]
    assert next(iter(steps)) == "check_spec"
    assert {"materialize_features", "train_mtl", "evaluate_gate", "promote_model"} <= set(steps)
    assert all(0 < step["peak_mb"] < 4_000 for step in steps.values())


def test_the_history_tells_the_promotion(planted_run: PlantedRun) -> None:
    done = planted_run.shopguide("history", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = [e for e in json.loads(done.stdout) if e["kind"] == "promoted"]
    assert entry["version"] == "1"


def test_an_equal_model_is_not_promoted(planted_run: PlantedRun, tmp_path: Path) -> None:
    done = planted_run.pipelines("--json", out=tmp_path / "again")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    assert (printed["verdict"], printed["promoted"]) == ("refuse", False)
    assert printed["champion_version"] == "1"
    decision = json.loads(Path(printed["decision"]).read_text())
    assert decision["champion"]["version"] == "1"
    assert decision["reasons"]


def test_a_crippled_challenger_is_refused(planted_run: PlantedRun, tmp_path: Path) -> None:
    done = planted_run.pipelines(
        "--json", "--set", "training.max_steps=1", out=tmp_path / "crippled"
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    assert printed["verdict"] == "refuse"
    decision = json.loads(Path(printed["decision"]).read_text())
    assert decision["objective"]["upper"] < 0


def test_candidates_are_trained_each_in_a_step_and_the_best_is_judged(
    planted_run: PlantedRun, tmp_path: Path
) -> None:
    done = planted_run.pipelines(
        "--json", "--set", "training.candidates={architectures: [shared_bottom, mmoe]}",
        "--set", "training.max_steps=20", out=tmp_path / "several",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("shared_bottom-weighted_sum-0", "mmoe-weighted_sum-0"):
        assert name in done.stderr
    decision = json.loads((tmp_path / "several" / "decision.json").read_text())
    assert (decision["challenger"]["chosen_from"], decision["tried"]) == (2, 1)
    assert "the best of 2 models" in (tmp_path / "several" / "report.md").read_text()


def test_invalid_data_stops_the_run_and_leaves_the_champion(
    planted_run: PlantedRun, tmp_path: Path
) -> None:
    export = Path(_field(planted_run.spec, "path"))
    broken = tmp_path / "broken.csv"
    head, *rows = export.read_text().splitlines()
    # purchases stay, and most of what was shown before them is gone
    kept = [row for row in rows if ",view," not in row or row.endswith(("0", "5"))]
    broken.write_text("\n".join([head, *kept]) + "\n")
    done = planted_run.pipelines(
        "--set", f"data.path={broken}", "--set", "validation.max_unexposed=0.1",
        out=tmp_path / "invalid",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    page = (tmp_path / "invalid" / "data.html").read_text()
    assert "Invalid" in page
    assert "never shown" in page
    history = json.loads(planted_run.shopguide("history", "--json").stdout)
    assert history[0]["kind"] == "failed"
    assert "the data is invalid: " in done.stderr
    assert "the data is invalid: " in history[0]["reasons"][0]
    assert [e["version"] for e in history if e["is_champion"]] == ["1"]


def test_bad_input_stops_the_run_with_one_message(planted_run: PlantedRun, tmp_path: Path) -> None:
    done = planted_run.pipelines("--set", "data.path=/no/such.csv", out=tmp_path / "bad")
    assert done.returncode == 2
    assert "/no/such.csv: no such file" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    done = planted_run.pipelines("--set", "training.epoch=3", out=tmp_path / "bad")
    assert done.returncode == 2
    assert "Did you mean epochs?" in done.stderr


def test_a_run_that_was_cut_off_is_taken_up(planted_run: PlantedRun, tmp_path: Path) -> None:
    out = tmp_path / "resumed"
    failed = planted_run.pipelines("--set", "serving.startup_seconds=0.01", out=out)
    del failed  # whatever it said: what counts is the state that a cut leaves
    state = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(state | {"state": "running"}))
    done = planted_run.pipelines(
        "--resume", "--json", "--set", "serving.startup_seconds=0.01", out=out
    )
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout.splitlines()[-1])["steps"]
    assert "prepare_logs" not in steps, "finished steps are not run again"
    assert "train_mtl" not in steps
    assert "evaluate_gate" in steps


def _field(spec: Path, name: str) -> str:
    found = re.search(rf"^  {name}: (.*)$", spec.read_text(), re.MULTILINE)
    assert found
    return found.group(1)


def test_the_home_can_be_moved_away(planted_run: PlantedRun, tmp_path: Path) -> None:
    done = planted_run.shopguide("history", "--json", "--set", f"home={tmp_path / 'empty'}")
    assert done.returncode == 0
    assert json.loads(done.stdout) == []
    assert not (tmp_path / "empty").exists(), "who only asks makes nothing"
