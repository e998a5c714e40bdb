"""The owner of the goals may take any point of the front."""

from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.objective import read_solution, solve_objective, take_point
from tests.objective.conftest import Shop


def test_a_point_is_taken_by_its_number(shop: Shop, tmp_path: Path) -> None:
    solve_objective(shop.spec, shop.bundle(), shop.training_set, tmp_path / "solved")
    before = read_solution(tmp_path / "solved")
    assert before is not None
    last = len(before.front) - 1
    summary = take_point(tmp_path / "solved", tmp_path / "taken", last)
    after, bundle = read_solution(tmp_path / "taken"), load_bundle(tmp_path / "taken")
    assert after is not None
    assert (after.solver, after.chosen, after.fallback) == ("owner", last, None)
    assert after.front == before.front
    assert bundle.fusion is not None
    assert bundle.fusion.weights == before.front[last].weights == summary.weights


def test_a_point_beside_the_front_is_refused(shop: Shop, tmp_path: Path) -> None:
    solve_objective(shop.spec, shop.bundle(), shop.training_set, tmp_path / "solved")
    solution = read_solution(tmp_path / "solved")
    assert solution is not None
    for point in (-1, len(solution.front)):
        with pytest.raises(ShopguideError, match=rf"has the points 0 to {len(solution.front) - 1}"):
            take_point(tmp_path / "solved", tmp_path / "taken", point)


def test_a_bundle_without_a_front_is_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match=r"has no solution\.json, so no front"):
        take_point(shop.bundle(), tmp_path / "taken", 0)
