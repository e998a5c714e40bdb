"""`shopguide solve` as it is typed: the table, the JSON line, the page, the errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopguide.objective import read_solution
from tests.objective.conftest import SPEC, Shop

CODE = "from shopguide.cli import main; main()"


@pytest.fixture(scope="module")
def spec_file(shop: Shop) -> Path:
    path = shop.folder / "two_goals.yaml"
    path.write_text(f"{SPEC}\nhome: {shop.folder / 'home'}\n", encoding="utf-8")
    return path


def solve(shop: Shop, spec_file: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    given = ["--bundle", str(shop.bundle()), "--training-set", str(shop.training_set)]
    arguments = ["solve", *given, "--spec", str(spec_file), "--out", str(out), *more]
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "160"},
        timeout=120,
        check=False,
    )


def test_a_solve_prints_validation_test_and_optimism(
    shop: Shop, spec_file: Path, tmp_path: Path
) -> None:
    done = solve(shop, spec_file, tmp_path / "model", "--solver", "chebyshev")
    assert (done.returncode, done.stderr) == (0, "")
    solution = read_solution(tmp_path / "model")
    assert solution is not None
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"chebyshev took point {solution.chosen} of {len(solution.front)}")
    assert lines[1] == f"λ  click {solution.point.weights['click']:.3f}, buy " + (
        f"{solution.point.weights['buy']:.3f}"
    )
    titles = "against equal weights ω reference validation change on test optimism"
    assert " ".join(lines[2].split()) == titles
    assert [line.split()[0] for line in lines[3:6]] == ["clicks", "purchases", "J"]
    assert f"{100 * (solution.point.objective - 1):+.2f} %" in lines[5]
    assert lines[6] == f"bundle    {tmp_path / 'model'}"
    page = (tmp_path / "model.front.html").read_text(encoding="utf-8")
    assert "on test<" in page


def test_json_holds_the_summary_and_the_test_period(
    shop: Shop, spec_file: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    given = ("--set", "objective.goals.clicks.weight=0.9", "--front", str(page), "--json")
    done = solve(shop, spec_file, tmp_path / "m", "--set", "objective.goals.purchases.weight=0.1",
                 *given)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["weights"]["click"] > found["weights"]["buy"]
    assert found["solver"] == "weighted_sum"
    assert found["test"]["optimism"] == pytest.approx(
        found["objective"] - found["test"]["objective"]
    )
    assert found["page"] == str(page)
    assert page.is_file()


def test_the_test_period_may_stay_unseen(shop: Shop, spec_file: Path, tmp_path: Path) -> None:
    done = solve(shop, spec_file, tmp_path / "model", "--no-test", "--json")
    assert json.loads(done.stdout)["test"] is None
    assert "on test<" not in (tmp_path / "model.front.html").read_text(encoding="utf-8")


def test_against_a_champion_a_point_is_taken_by_hand(
    shop: Shop, spec_file: Path, tmp_path: Path
) -> None:
    first, out = tmp_path / "first", tmp_path / "second"
    solve(shop, spec_file, first)
    given = ("--champion", str(first))
    assert "against the champion" in solve(shop, spec_file, out, *given).stdout
    again = ["--bundle", str(out), *given, "--point", "0"]
    done = solve(shop, spec_file, tmp_path / "third", *again)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("owner took point 0 of")
    assert "on test" in done.stdout


def test_mistakes_end_with_one_line(shop: Shop, spec_file: Path, tmp_path: Path) -> None:
    for more, what in (
        (("--solver", "hope"), "objective.solver"),
        (("--point", "3"), "has no solution.json, so no front"),
        (("--champion", str(tmp_path / "nowhere")), "there is no such folder"),
        (("--set", "objective.goals.clicks.weight=0.2"), "weights sum to 0.7, must be 1"),
    ):
        done = solve(shop, spec_file, tmp_path / "model", *more)
        assert done.returncode == 2, more
        assert what in done.stderr
        assert "Traceback" not in done.stderr
