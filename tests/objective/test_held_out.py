"""The test period's value and the optimism, for information and never for the choice."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shopguide.errors import ShopguideError
from shopguide.objective import evaluate_on_test, read_solution, solve_objective, take_point
from tests.objective.conftest import Shop
from tests.training_sets import sealed


@pytest.fixture(scope="module")
def solved(shop: Shop) -> Path:
    out = shop.folder / "solved"
    solve_objective(shop.spec, shop.bundle(), shop.training_set, out)
    return out


def test_the_same_period_again_shows_no_optimism(shop: Shop, solved: Path, tmp_path: Path) -> None:
    pq.write_table(shop.table("valid"), tmp_path / "test.parquet")
    found = evaluate_on_test(shop.spec, solved, sealed(tmp_path, shop.spec))
    solution = read_solution(solved)
    assert solution is not None
    assert found.goals == solution.point.goals
    assert found.objective == pytest.approx(solution.point.objective, abs=1e-12)
    assert found.optimism == pytest.approx(0, abs=1e-12)
    assert found.goal_optimism == pytest.approx({"clicks": 0, "purchases": 0}, abs=1e-12)


def test_optimism_is_what_validation_promised_less_what_test_holds(
    shop: Shop, solved: Path
) -> None:
    found = evaluate_on_test(shop.spec, solved, shop.training_set)
    solution = read_solution(solved)
    assert solution is not None
    assert found.objective is not None
    assert found.optimism == pytest.approx(solution.point.objective - found.objective)
    # J − 1 is the weighted mean of the goals' changes
    changes = [change for change in found.changes.values() if change is not None]
    assert found.objective - 1 == pytest.approx(np.mean(changes))
    promised = solution.point.goals["clicks"] / solution.reference_goals["clicks"] - 1
    change, optimism = found.changes["clicks"], found.goal_optimism["clicks"]
    assert change is not None
    assert optimism is not None
    assert change + optimism == pytest.approx(promised)


def test_against_the_champion_both_are_scored_on_the_test_period(
    shop: Shop, solved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    solve_objective(shop.spec, shop.bundle(), shop.training_set, out, champion=solved)
    again = tmp_path / "same"
    solution = read_solution(out)
    assert solution is not None
    same = next(
        place
        for place, point in enumerate(solution.front)
        if point.goals == solution.reference_goals
    )
    take_point(out, again, same)
    found = evaluate_on_test(shop.spec, again, shop.training_set, champion=solved)
    assert found.objective == pytest.approx(1.0)
    assert found.changes == pytest.approx({"clicks": 0.0, "purchases": 0.0})


def test_a_reference_without_an_outcome_on_test_has_no_change(
    shop: Shop, solved: Path, tmp_path: Path
) -> None:
    table = shop.table("test")
    nothing = np.zeros(table.num_rows)
    table = table.set_column(table.schema.get_field_index("buy"), "buy", [nothing])
    pq.write_table(table, tmp_path / "test.parquet")
    found = evaluate_on_test(shop.spec, solved, sealed(tmp_path, shop.spec))
    assert found.goals["purchases"] == 0
    assert (found.objective, found.optimism, found.changes["purchases"]) == (None, None, None)
    assert found.changes["clicks"] is not None


def test_another_champion_than_the_solutions_is_refused(
    shop: Shop, solved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    solve_objective(shop.spec, shop.bundle(), shop.training_set, out, champion=solved)
    for champion in (out, None):
        with pytest.raises(ShopguideError, match=r"is not the one of .*solution.json"):
            evaluate_on_test(shop.spec, out, shop.training_set, champion=champion)


def test_an_unsolved_bundle_is_refused(shop: Shop) -> None:
    with pytest.raises(ShopguideError, match=r"has no solution\.json"):
        evaluate_on_test(shop.spec, shop.bundle(), shop.training_set)
