"""`shopguide train`, as it is typed."""

import json
import sys
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.cli.main import main
from shopguide.spec import dump_spec
from shopguide.spec._load import check_text
from tests.training.conftest import SPEC, write_training_set
from tests.training_sets import sealed


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "set").mkdir()
    write_training_set(folder / "set", requests={"train": 300, "valid": 150, "test": 150}, seed=2)
    spec = check_text(SPEC, where="planted")
    sealed(folder / "set", spec)
    dump_spec(spec, folder / "spec.yaml")
    return folder


def run(
    shop: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, out: str = "model"
) -> int | str | None:
    line = ["train", "--spec", str(shop / "spec.yaml"), "--training-set", str(shop / "set")]
    line += ["--out", str(shop / out), "--set", "training.epochs=2", *arguments]
    monkeypatch.setattr("sys.argv", ["shopguide", *line])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_relations_are_drawn_beside_the_bundle(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run(shop, monkeypatch, "--relations")
    found = json.loads((shop / "model.relations.json").read_text())
    assert found["tasks"] == ["click", "purchase", "order_value"]
    assert "<table>" in (shop / "model.relations.html").read_text()
    assert "validation AUC" in capsys.readouterr().out
    assert not (shop / "model.checkpoint").exists()


def test_sharing_is_compared_task_by_task(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run(shop, monkeypatch, "--compare", "single_task", "--json", out="shared")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    pairs = [(d["task"], d["metric"]) for d in found["differences"]]
    assert pairs == [
        ("click", "gauc"), ("click", "log_loss"), ("purchase", "gauc"), ("purchase", "log_loss"),
        ("order_value", "mse"),
    ]  # fmt: skip
    for difference in found["differences"]:
        assert difference["lower"] <= difference["gain"] <= difference["upper"]
        sign = 1 if difference["metric"] == "gauc" else -1
        gain = sign * (difference["model"] - difference["other"])
        assert difference["gain"] == pytest.approx(gain)
    assert load_bundle(shop / "shared.single_task").spec.model.architecture == "single_task"


def test_candidates_are_listed_beside_the_bundle(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = 'training.candidates={"seeds": [0, 1]}'
    assert not run(shop, monkeypatch, "--set", block, out="best")
    assert json.loads((shop / "best.candidates.json").read_text())["tried"] == 2
    assert "best of 2 candidates" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--compare", "nonsense"), "--compare: no architecture is called"),
        (("--relations", "--set", 'training.candidates={"seeds": [0, 1]}'), "looks at one model"),
        (("--set", "training.balancer=best"), "training.balancer"),
        (("--set", "training.clip_norm=0"), "training.clip_norm"),
    ],
)
def test_mistakes_are_named_before_anything_is_trained(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert run(shop, monkeypatch, *arguments, out="none") == 2
    assert message in capsys.readouterr().err
    assert not (shop / "none").exists()


def test_a_study_keeps_the_best_and_tells_each_trial(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna", reason="the extra `search` is not installed")
    assert not run(shop, monkeypatch, "--study", "2", "--json", out="searched")
    printed = capsys.readouterr()
    found = json.loads(printed.out.splitlines()[-1])
    assert (found["tried"], len(found["trials"])) == (2, 2)
    assert found["trials"][found["best"] - 1]["state"] == "finished"
    assert "trial 2 of 2: finished after 2 epochs" in printed.err
    assert load_bundle(shop / "searched").manifest
    assert not run(shop, monkeypatch, "--study", "2", out="searched")
    again = capsys.readouterr()
    assert "the best of 2 (2 finished)" in " ".join(again.out.split())
    assert "trial 1 of 2" not in again.err


def test_a_study_without_optuna_says_what_to_install(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(shop, monkeypatch, "--study", "2", out="without") == 2
    assert "pip install 'shopguide[search]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("beside", "what"),
    [
        (("--relations",), "--relations: looks at one model"),
        (("--compare", "single_task"), "--compare: looks at one model"),
        (("--set", "training.candidates={seeds: [0]}"), "stands beside training.candidates"),
    ],
)
def test_a_study_stands_alone(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    beside: tuple[str, ...],
    what: str,
) -> None:
    assert run(shop, monkeypatch, "--study", "2", *beside) == 2
    assert what in " ".join(capsys.readouterr().err.split())


def test_training_goes_on_from_a_champion_that_is_named(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    going_on = ("--set", "training.start=champion", "--champion")
    assert not run(shop, monkeypatch, *going_on, "none", out="first")
    assert not run(shop, monkeypatch, *going_on, str(shop / "first"), out="second")
    first = load_bundle(shop / "first").manifest.checksum
    assert json.loads((shop / "second" / "training.json").read_text())["started_from"] == first
    capsys.readouterr()
    assert run(shop, monkeypatch, "--champion", str(shop / "first"), out="third") == 2
    assert "has no effect while training.start is scratch" in capsys.readouterr().err
