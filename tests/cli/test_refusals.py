"""What the verbs of judging refuse before they work: places, and options that would do nothing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.cli import main
from tests.gate import conftest as planted
from tests.gate.conftest import VAGUE
from tests.objective import conftest as two_goals

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command line: exit code, standard output and error."""

    def typed(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shopguide", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0, out, err

    return typed


shop = planted.shop
two = pytest.fixture(scope="session", name="two")(two_goals.shop.__wrapped__)  # type: ignore[attr-defined]


@pytest.fixture
def judge(shop: planted.Shop, tmp_path: Path) -> list[str | Path]:
    (tmp_path / "spec.yaml").write_text(planted.SPEC)
    pair = ["--challenger", shop.model("good"), "--champion", shop.model("vague", VAGUE)]
    return ["gate", "decide", "--data", shop.test_set, *pair]


@pytest.fixture
def solving(two: two_goals.Shop, tmp_path: Path) -> list[str | Path]:
    (tmp_path / "two.yaml").write_text(two_goals.SPEC)
    given = ["--bundle", two.bundle(), "--training-set", two.training_set]
    return ["solve", *given, "--spec", tmp_path / "two.yaml"]


PLACES = ["a file", "below a file", "/proc/decision", "/dev/null"]


def place(kind: str, folder: Path) -> Path:
    (folder / "taken").write_text("mine")
    return {"a file": folder / "taken", "below a file": folder / "taken" / "deep"}.get(
        kind, Path(kind)
    )


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("verb", ["decide", "audit", "evaluate", "off-policy", "solve"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    run: Run, tmp_path: Path, verb: str, kind: str
) -> None:
    nothing, out = tmp_path / "none", place(kind, tmp_path)
    commands = {
        "decide": ["gate", "decide", "--challenger", nothing, "--data", nothing],
        "audit": ["gate", "audit", "--challenger", nothing, "--data", nothing],
        "evaluate": ["evaluate", "--bundle", nothing, "--data", nothing],
        "off-policy": ["evaluate", "--off-policy", "--bundle", nothing, "--data", nothing],
        "solve": ["solve", "--bundle", nothing, "--training-set", nothing],
    }
    code, _, said = run(*commands[verb], "--out", out)
    assert code == 2
    assert f"--out {out}: " in said
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("kind", [*PLACES, "."])
def test_a_ledger_and_a_page_are_files_that_can_be_written(
    run: Run, judge: list[str | Path], solving: list[str | Path], tmp_path: Path, kind: str
) -> None:
    if kind == "a file":  # is one
        return
    where = place(kind, tmp_path)
    out = ["--out", tmp_path / "out"]
    code, _, said = run(*judge, "--spec", tmp_path / "spec.yaml", *out, "--ledger", where)
    assert (code, f"--ledger {where}: " in said) == (2, True)
    code, _, said = run(*solving, *out, "--front", where)
    assert (code, f"--front {where}: " in said) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_no_place_for_a_bundle(
    run: Run, solving: list[str | Path], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    code, _, said = run(*solving, "--out", tmp_path / "photos")
    assert code == 2
    assert "exists and holds no bundle.json" in said


@pytest.mark.parametrize(
    "more",
    [
        ("--ledger", "l.json"), ("--registry",), ("--tried", "3"), ("--spec", "x.yaml"),
        ("--set", "gate.min_gain=0"), ("--profile", "quick"), ("--champion-version", "3"),
    ],
)  # fmt: skip
def test_a_replay_takes_no_terms_beside_its_own(
    run: Run, judge: list[str | Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    code, out, said = run(*judge, "--replay", tmp_path, "--out", tmp_path / "out", *more, "--json")
    assert code == 2
    assert f"{more[0]}: has no effect with --replay" in said
    assert json.loads(out)["verdict"] == "error"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--by", "click"), "--by: has no effect without --off-policy"),
        (("--off-policy", "--k", "3"), "--k: has no effect with --off-policy"),
        (("--off-policy", "--target", "uniform", "--by", "click"), "--by: has no effect with"),
        (
            ("--off-policy", "--target", "uniform", "--spec", "s.yaml"),
            "--bundle: has no effect with --target uniform and --spec",
        ),
        (("--off-policy", "--target-log", "log"), "--target-log: has no effect with --target rank"),
        (("--off-policy", "--set", "seed=1"), "--set: has no effect without --spec"),
        (("--off-policy", "--switch", "-1"), "--switch -1: is a weight, and must be"),
        (("--off-policy", "--clip", "nan"), "--clip nan: is a weight, and must be"),
    ],
)
def test_an_evaluation_refuses_what_it_would_ignore(
    run: Run, tmp_path: Path, words: tuple[str, ...], what: str
) -> None:
    code, _, said = run("evaluate", "--bundle", tmp_path / "b", "--data", tmp_path / "d", *words)
    assert code == 2
    assert what in said


def test_a_point_taken_by_hand_needs_no_solver(
    run: Run, solving: list[str | Path], tmp_path: Path
) -> None:
    code, _, said = run(*solving, "--out", tmp_path / "m", "--point", "0", "--solver", "nash")
    assert code == 2
    assert "--solver: has no effect with --point" in said


def test_a_floor_out_of_reach_exits_1_and_is_named(
    run: Run, solving: list[str | Path], tmp_path: Path
) -> None:
    terms = ["--solver", "epsilon", "--set", "objective.floors={purchases: 5}"]
    code, out, _ = run(*solving, "--out", tmp_path / "m", *terms, "--json")
    assert code == 1
    fallback = json.loads(out)["fallback"]
    assert "purchases reaches" in fallback
    assert "objective.floors.purchases is 5" in fallback
    assert (tmp_path / "m" / "bundle.json").is_file()


def test_an_epsilon_that_does_not_say_what_it_maximises_is_refused(
    run: Run, solving: list[str | Path], tmp_path: Path
) -> None:
    code, _, said = run(*solving, "--out", tmp_path / "m", "--solver", "epsilon")
    assert code == 2
    assert "neither objective.maximise nor objective.floors" in said


def test_data_that_cannot_be_are_json_too(
    run: Run, shop: planted.Shop, judge: list[str | Path], tmp_path: Path
) -> None:
    table = shop.table()
    place = table.column_names.index("click")
    bad = pa.array([2, *table["click"].to_pylist()[1:]])
    pq.write_table(table.set_column(place, "click", bad), tmp_path / "bad.parquet")
    words = [*judge, "--spec", tmp_path / "spec.yaml", "--out", tmp_path / "out"]
    code, out, said = run(*words, "--data", tmp_path / "bad.parquet", "--json")
    found = json.loads(out)
    assert (code, found["verdict"], found["exit_code"]) == (1, "error", 1)
    assert "column click, row 1: holds 2" in found["reason"]
    assert "column click, row 1: holds 2" in said
    assert not (tmp_path / "out").exists()
