"""Trained models of the planted shop, judged as a user types it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.planted import write_export, write_spec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

Train = Callable[..., Path]


def shopguide(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from shopguide.cli import main; main()"]
    return subprocess.run(
        [*program, *map(str, words)], capture_output=True, text=True, check=False, timeout=600
    )


def done(*words: str | Path) -> None:
    found = shopguide(*words)
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the planted shop's spec and its training set."""
    folder = tmp_path_factory.mktemp("planted_gate")
    spec = write_spec(folder, write_export(folder / "export.csv"))
    done("prepare", "--spec", spec, "--out", folder / "log")
    done("features", "--spec", spec, "--log", folder / "log", "--out", folder / "training_set")
    return folder


@pytest.fixture(scope="module")
def train(shop: Path) -> Train:
    """Return a function that trains and solves a bundle, with changes to the spec."""

    def make(name: str, *changes: str) -> Path:
        out = shop / name
        if not out.exists():
            words = ["--spec", shop / "planted.yaml", "--training-set", shop / "training_set"]
            sets = [word for change in changes for word in ("--set", change)]
            done("train", *words, *sets, "--out", shop / f"{name}_trained")
            done("solve", *words, *sets, "--bundle", shop / f"{name}_trained", "--out", out)
        return out

    return make


def decided(shop: Path, champion: Path, challenger: Path, *changes: str) -> dict[str, Any]:
    sets = [word for change in changes for word in ("--set", change)]
    found = shopguide(
        *("gate", "decide", "--spec", shop / "planted.yaml", *sets),
        *("--champion", champion, "--challenger", challenger),
        *("--data", shop / "training_set", "--out", shop / "decision", "--json"),
    )
    assert found.returncode in (0, 1), found.stderr
    decision: dict[str, Any] = json.loads(found.stdout)
    assert (found.returncode == 0) == (decision["verdict"] == "promote")
    return decision


def test_a_model_that_learnt_the_shop_replaces_one_that_did_not(shop: Path, train: Train) -> None:
    barely = train("barely", "training.epochs=1", "training.learning_rate=1e-6")
    decision = decided(shop, barely, train("learnt"), "gate.calibration=null")
    assert decision["verdict"] == "promote", decision["because"]
    assert decision["spending"]["alpha"] == pytest.approx(0.05 / 30)


def test_the_same_model_with_another_seed_does_not(shop: Path, train: Train) -> None:
    decision = decided(shop, train("learnt"), train("again", "seed=1"))
    assert decision["verdict"] == "refuse"
    assert "gain_not_shown" in decision["reasons"]


def test_a_model_that_wins_by_giving_up_a_goal_does_not(shop: Path, train: Train) -> None:
    carts = "objective.goals={carts: {task: cart, weight: 1.0}}"
    both = "carts: {task: cart, weight: 0.0}, sales: {task: order_value, weight: 1.0}"
    goals = f"objective.goals={{{both}}}"
    margins = "gate.margins={carts: 0.02}"
    only_carts = train("only_carts", carts, margins)
    only_sales = train("only_sales", goals, margins)
    decision = decided(shop, only_carts, only_sales, goals, margins, "gate.calibration=null")
    assert decision["objective"]["lower"] > 0
    assert decision["reasons"] == ["goal_may_lose:carts"]
