"""`shopguide init` as it is typed: the table, JSON, what it writes and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shopguide.spec import load_spec
from tests.onboarding.shapes import logged_lists

SHOPGUIDE = Path(sys.executable).parent / "shopguide"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> str:
    return logged_lists(tmp_path_factory.mktemp("export"))[0]


def shopguide(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHOPGUIDE, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_spec_is_written_and_every_choice_is_told(export: str, tmp_path: Path) -> None:
    done = shopguide(tmp_path, "init", export, "--out", "specs/shop.yaml")
    assert done.returncode == 0, done.stderr
    assert f"{export}: a JSON object a line, UTF-8" in done.stdout
    lines = done.stdout.splitlines()
    [user] = [line for line in lines if "data.columns.user_id" in line]
    assert "customer" in user
    assert "its name; 60 different" in user
    [goals] = [line for line in lines if "objective.goals" in line]
    assert goals.startswith("?")
    assert lines[-1] == "next: python -m pipelines run --spec specs/shop.yaml"
    assert load_spec(tmp_path / "specs" / "shop.yaml").name == "lists"
    checked = shopguide(tmp_path, "spec", "check", "--spec", "specs/shop.yaml")
    assert checked.returncode == 0, checked.stderr


def test_editors_are_pointed_to_a_schema_that_is_there(export: str, tmp_path: Path) -> None:
    line = "# yaml-language-server: $schema=./spec.schema.json\n"
    shopguide(tmp_path, "init", export, "--out", "shop.yaml")
    assert "yaml-language-server" not in (tmp_path / "shop.yaml").read_text()
    (tmp_path / "spec.schema.json").write_text("{}")
    shopguide(tmp_path, "init", export, "--out", "shop.yaml", "--force")
    assert (tmp_path / "shop.yaml").read_text().startswith(line)


def test_json_has_files_guesses_warnings_and_counts(export: str, tmp_path: Path) -> None:
    done = shopguide(tmp_path, "init", export, "--name", "My shop", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["spec"] == "my_shop.yaml"
    assert (tmp_path / "my_shop.yaml").is_file()
    assert told["files"][0]["form"] == "jsonl"
    assert {"field", "value", "why", "sure"} == set(told["guesses"][0])
    assert len(told["warnings"]) == sum(not guess["sure"] for guess in told["guesses"])
    assert told["log"]["rows"]["impressions"] == 3_600


def test_a_spec_that_is_there_is_kept(export: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("mine")
    done = shopguide(tmp_path, "init", export, "--out", "shop.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error shop.yaml: is there already. Give another --out, or --force\n"
    assert (tmp_path / "shop.yaml").read_text() == "mine"
    assert shopguide(tmp_path, "init", export, "--out", "shop.yaml", "--force").returncode == 0


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = shopguide(tmp_path, "init", "none.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error none.csv: no such file. Give the path of an export\n"
    assert list(tmp_path.iterdir()) == []
