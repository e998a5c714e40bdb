"""solution.json is whole, typed, and one of the bundle's checked files."""

from pathlib import Path

import pytest

from shopguide.errors import ShopguideError
from shopguide.objective.solution import ChampionPoint, FrontPoint, Solution, read_solution
from shopguide.spec.objective import Goal, Objective

GOALS = {"clicks": Goal(task="click", weight=0.5), "purchases": Goal(task="buy", weight=0.5)}


def _solution(chosen: int = 1) -> Solution:
    front = [
        FrontPoint(
            weights={"click": share, "buy": 1 - share},
            goals={"clicks": 1 + share, "purchases": 2 - share},
            objective=1.0,
        )
        for share in (0.0, 0.5)
    ]
    return Solution(
        solver="nash",
        objective=Objective(goals=GOALS),
        reference="champion",
        reference_goals={"clicks": 1.0, "purchases": 1.0},
        champion=ChampionPoint(
            version="0" * 12, checksum="0" * 64, goals={"clicks": 1.0, "purchases": 1.0}
        ),
        front=front,
        chosen=chosen,
        hypervolume=2.5,
        evaluated=500,
    )


def test_a_solution_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_solution(tmp_path) is None
    _solution().write(tmp_path / "solution.json")
    found = read_solution(tmp_path)
    assert found == _solution()
    assert found.point.weights == {"click": 0.5, "buy": 0.5}


def test_a_choice_beside_the_front_is_refused() -> None:
    with pytest.raises(ValueError, match="chosen is 2, and the front has 2 points"):
        _solution(chosen=2)


def test_another_format_is_refused_with_its_place(tmp_path: Path) -> None:
    text = _solution().model_dump_json().replace('"format":1', '"format":2')
    (tmp_path / "solution.json").write_text(text, encoding="utf-8")
    with pytest.raises(ShopguideError, match=r"solution.json format: not a solution"):
        read_solution(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"goals":{"clicks":1.0,"purchases":2.0}', '"goals":{"clicks":1.0}'),
        ('"goals":{"clicks":1.0,"purchases":2.0}', '"goals":{"clicks":1.0,"purchases":NaN}'),
        ('"reference_goals":{"clicks":1.0,', '"reference_goals":{"taps":1.0,'),
    ],
)
def test_a_front_without_a_number_for_each_goal_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    text = _solution().model_dump_json()
    assert old in text
    (tmp_path / "solution.json").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ShopguideError, match=r"does not hold a number for each of clicks, purch"):
        read_solution(tmp_path)
