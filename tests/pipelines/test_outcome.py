"""What a run leaves stands at paths that do not change, and an earlier decision is not lost."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.outcome import RunResult, clear, gather, results_of
from pipelines.progress import StepEvent
from pipelines.summary import print_summary, shown
from shopguide.errors import ShopguideError

_REFUSED = {"verdict": "refuse", "reasons": ["identical"], "objective": None, "baseline": None}


def _left(root: Path, note: str) -> Path:
    """Write what kfp's steps leave of a refused run."""
    run = root / "train-and-promote-2026-01-01"
    files = {
        "evaluate-gate/decision/decision.json": json.dumps(_REFUSED | {"note": note}),
        "evaluate-gate/decision/report.html": note,
        "evaluate-gate/decision/report.md": note,
        "solve-objective/solved/bundle.json": note,
        "materialize-features/training_set/training_set.json": note,
        "fetch-champion/executor_output.json": json.dumps({"parameterValues": {"Output": "4"}}),
    }
    for name, text in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)
    return root


def _gather(tmp_path: Path, run_id: str) -> RunResult:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    clear(out)
    return gather(_left(tmp_path / run_id, run_id), out, run_id, [StepEvent("a", "done")])


def test_a_training_set_stands_beside_the_model_without_a_second_copy(tmp_path: Path) -> None:
    _gather(tmp_path, "r1")
    made = tmp_path / "r1/train-and-promote-2026-01-01/materialize-features/training_set"
    kept = tmp_path / "out" / "training_set"
    assert (kept / "training_set.json").samefile(made / "training_set.json")


def test_the_next_run_writes_over_all_but_the_earlier_decision(tmp_path: Path) -> None:
    _gather(tmp_path, "r1")
    _gather(tmp_path, "r2")
    out = tmp_path / "out"
    for name in ("report.html", "model/bundle.json", "training_set/training_set.json"):
        assert (out / name).read_text() == "r2"
    for run_id in ("r1", "r2"):
        kept = out / "history" / run_id
        assert json.loads((kept / "decision.json").read_text())["note"] == run_id
        assert (kept / "report.html").read_text() == run_id


def test_the_page_about_the_data_is_kept_with_its_decision(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for run_id in ("r1", "r2"):
        clear(out)
        (out / "data.html").write_text(f"data of {run_id}")
        gather(_left(tmp_path / run_id, run_id), out, run_id, [StepEvent("a", "done")])
    assert (out / "history" / "r1" / "data.html").read_text() == "data of r1"


def test_every_spec_file_has_results_of_its_own() -> None:
    assert results_of(Path("shops/a.yaml")) == Path("runs/a")
    assert results_of(Path("shops/b.yaml")) == Path("runs/b")


@pytest.mark.parametrize("folder", ["model", "training_set"])
def test_what_no_run_has_written_is_not_written_over(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "thesis.txt").write_text("mine")
    with pytest.raises(ShopguideError, match=f"{folder}: exists and is not of an earlier run"):
        clear(tmp_path)
    assert (tmp_path / folder / "thesis.txt").exists()


def test_the_summary_says_whose_model_it_is(tmp_path: Path) -> None:
    printed = io.StringIO()
    print_summary(_gather(tmp_path, "r1"), Console(file=printed, width=300))
    assert "REFUSED: the champion stays (4)" in printed.getvalue()
    assert "out/model (the challenger's; `shopguide champion` has the other)" in printed.getvalue()


def test_an_unfair_comparison_is_no_refusal(tmp_path: Path) -> None:
    result = _gather(tmp_path, "r1")
    unfair = _REFUSED | {"verdict": "invalid", "reasons": ["too_few_users"]}
    assert result.decision is not None
    Path(result.decision).write_text(json.dumps(unfair))
    printed = io.StringIO()
    print_summary(replace(result, champion_version=None), Console(file=printed, width=300))
    assert "NO FAIR COMPARISON: the champion stays (none yet)" in printed.getvalue()
    assert "REFUSED" not in printed.getvalue()


def test_a_path_is_shown_as_it_would_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "runs" / "a") == "runs/a"
    assert shown("/elsewhere/a") == "/elsewhere/a"


def test_the_parts_of_a_step_are_one_in_the_figures(tmp_path: Path) -> None:
    events = [
        StepEvent("train_mtl", "done", seconds=2.0, peak_mb=700, part="a"),
        StepEvent("train_mtl", "done", seconds=3.5, peak_mb=600, part="b"),
    ]
    found = replace(_gather(tmp_path, "r1"), steps=events).to_dict()
    assert found["steps"] == {"train_mtl": {"seconds": 5.5, "peak_mb": 700}}
