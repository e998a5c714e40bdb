"""The page of the features names every input, and where it comes from."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shopguide.features import model_inputs
from shopguide.features.documentation import catalogue_page
from shopguide.features.versions import feast_view, feature_service

CornerShop = Any  # the class lives in conftest.py, which cannot be imported


def test_every_input_has_a_line_and_every_view_its_source(
    corner_shop: CornerShop, tmp_path: Path
) -> None:
    spec = corner_shop.spec(tmp_path / "home")
    page = catalogue_page(spec)
    for column in model_inputs(spec):
        (line,) = [one for one in page.splitlines() if one.startswith(f"| `{column.name}` |")]
        assert column.doc in line
        assert f"| {column.kind} |" in line
    assert feature_service(spec) in page
    (line,) = [one for one in page.splitlines() if f"`{feast_view(spec, 'user_place')}`" in one]
    assert "| user_id, place_id | events, kind purchase | `user_place_baskets_2` |" in line
    widths = {one.count("|") for one in page.splitlines() if one.startswith("| user ")}
    assert widths == {6}


def test_a_declared_delay_is_told(corner_shop: CornerShop, tmp_path: Path) -> None:
    features = corner_shop.features("user", delay_minutes=90)
    page = catalogue_page(corner_shop.spec(tmp_path / "home", features=features))
    assert "becomes known 90 minutes after it" in page


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_command_writes_the_page_and_computes_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    spec = Path(__file__).parents[2] / "specs" / "simulator.yaml"
    command = [sys.executable, "-m", "shopguide", "features", "--spec", str(spec)]
    command += ["--docs", str(tmp_path / "features.md"), "--log", str(tmp_path / "none")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "user_category_items_14" in (tmp_path / "features.md").read_text()
    assert str(tmp_path / "features.md") in done.stdout.replace("\n", "")
