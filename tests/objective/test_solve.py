"""λ is solved on validation, against the champion, and written with all that was found."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle, with_fusion
from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.fusion import Fusion
from shopguide.objective import SOLVERS, read_solution, solve_objective
from shopguide.spec import Spec
from tests.objective.conftest import Shop
from tests.training_sets import sealed


def _with(spec: Spec, **terms: object) -> Spec:
    merged = spec.objective.model_dump() | terms
    return Spec.model_validate(spec.model_dump() | {"objective": merged})


def _weighted(clicks: float, **terms: object) -> dict[str, object]:
    goals = {
        "clicks": {"task": "click", "weight": clicks},
        "purchases": {"task": "buy", "weight": 1 - clicks},
    }
    return {"goals": goals, **terms}


@pytest.fixture(scope="module")
def champion(shop: Shop) -> Path:
    """A bundle that half follows the noise: worse than the truth in both goals."""
    out = shop.folder / "champion"
    solve_objective(shop.spec, shop.bundle("noisy", noise=1.0), shop.training_set, out)
    return out


def test_more_weight_on_a_goal_gives_more_of_it_without_training(
    shop: Shop, tmp_path: Path
) -> None:
    found = [
        solve_objective(
            _with(shop.spec, **_weighted(weight)),
            shop.bundle(),
            shop.training_set,
            tmp_path / "out",
        )
        for weight in (0.0, 0.3, 0.7, 1.0)
    ]
    clicks = [summary.goals["clicks"] for summary in found]
    assert clicks == sorted(clicks)
    assert clicks[-1] > 1.2 * clicks[0]
    assert load_bundle(tmp_path / "out").fusion is not None  # written over the former one


def test_the_solution_is_a_checked_part_of_the_bundle(
    shop: Shop, champion: Path, tmp_path: Path
) -> None:
    out = tmp_path / "solved"
    page = tmp_path / "front.html"
    summary = solve_objective(
        shop.spec, shop.bundle(), shop.training_set, out, champion=champion, page=page
    )
    bundle, solution = load_bundle(out), read_solution(out)
    assert solution is not None
    assert "solution.json" in bundle.manifest.checksums
    assert bundle.fusion is not None
    assert solution.point.weights == bundle.fusion.weights == summary.weights
    assert solution.point.goals == summary.goals
    assert solution.reference == "champion"
    assert solution.champion is not None
    assert solution.champion.checksum == load_bundle(champion).manifest.checksum
    assert solution.champion.goals == solution.reference_goals
    assert solution.objective == shop.spec.objective
    assert len(solution.front) == summary.front > 10
    assert f"weighted_sum chose point {solution.chosen}" in page.read_text(encoding="utf-8")
    shown = summary.metrics()
    assert shown["lambda_click"] + shown["lambda_buy"] == pytest.approx(1)
    assert shown["objective"] == summary.objective
    text = (out / "solution.json").read_text(encoding="utf-8")
    (out / "solution.json").write_text(text + " ", encoding="utf-8")
    with pytest.raises(ShopguideError, match=r"solution\.json: was changed"):
        load_bundle(out)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_gives_the_same_bundle_twice(
    shop: Shop, champion: Path, tmp_path: Path, solver: str
) -> None:
    spec = _with(shop.spec, solver=solver, maximise="clicks")
    made = []
    for name in ("one", "two"):
        solve_objective(spec, shop.bundle(), shop.training_set, tmp_path / name, champion=champion)
        made.append(load_bundle(tmp_path / name).manifest.checksum)
    assert made[0] == made[1]
    solution = read_solution(tmp_path / "one")
    assert solution is not None
    assert solution.solver == solver
    goals = np.array([list(point.goals.values()) for point in solution.front])
    taken = goals[solution.chosen]
    assert not ((goals >= taken).all(axis=1) & (goals > taken).any(axis=1)).any()


@pytest.mark.parametrize("solver", ["nash", "kalai_smorodinsky", "egalitarian", "epsilon"])
def test_what_is_agreed_on_loses_no_goal_to_the_champion(
    shop: Shop, champion: Path, tmp_path: Path, solver: str
) -> None:
    summary = solve_objective(
        _with(shop.spec, solver=solver, maximise="clicks"),
        shop.bundle(),
        shop.training_set,
        tmp_path / "out",
        champion=champion,
    )
    assert summary.fallback is None
    for name, value in summary.goals.items():
        if solver == "epsilon" and name == "clicks":
            continue  # the goal that is maximised has no floor of its own
        assert value >= summary.reference_goals[name]
    assert summary.objective > 1


def test_a_champion_out_of_reach_is_reported_and_logged(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = _with(shop.spec, solver="nash")
    solve_objective(spec, shop.bundle(), shop.training_set, tmp_path / "best")
    worse = shop.bundle("noisy", noise=1.0)
    with caplog.at_level(logging.WARNING):
        summary = solve_objective(
            spec, worse, shop.training_set, tmp_path / "out", champion=tmp_path / "best"
        )
    assert summary.fallback is not None
    assert summary.fallback.startswith("no λ gains in every goal")
    assert summary.fallback in caplog.text
    solution = read_solution(tmp_path / "out")
    assert solution is not None
    assert solution.fallback == summary.fallback


def test_a_model_solved_against_itself_scores_one(shop: Shop, tmp_path: Path) -> None:
    solve_objective(shop.spec, shop.bundle(), shop.training_set, tmp_path / "first")
    again = solve_objective(
        shop.spec,
        tmp_path / "first",
        shop.training_set,
        tmp_path / "second",
        champion=tmp_path / "first",
    )
    assert again.objective >= 1
    assert again.objective == pytest.approx(1, abs=0.01)  # the search may find a little more


def test_the_champions_own_trade_off_is_among_those_tried(shop: Shop, tmp_path: Path) -> None:
    # no point of the grid reaches both goals of this λ, which lies between two of them
    weights = {"click": 0.7531, "buy": 0.2469}
    means = solve_objective(shop.spec, shop.bundle(), shop.training_set, tmp_path / "a").means
    with_fusion(shop.bundle(), tmp_path / "held", Fusion("additive", weights, means))
    spec = _with(shop.spec, solver="epsilon", floors={"clicks": 1.0, "purchases": 1.0})
    summary = solve_objective(
        spec, shop.bundle(), shop.training_set, tmp_path / "out", champion=tmp_path / "held"
    )
    assert summary.fallback is None
    assert summary.objective >= 1


def test_goals_that_no_task_predicts_are_ranked_by_all_tasks(shop: Shop, tmp_path: Path) -> None:
    goals = {"need": {"task": "p_buy", "weight": 1.0}}
    summary = solve_objective(
        _with(shop.spec, goals=goals, outcomes=["p_buy"]),
        shop.bundle(),
        shop.training_set,
        tmp_path / "out",
    )
    assert list(summary.weights) == ["click", "buy"]
    assert summary.weights["buy"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
@pytest.mark.parametrize("weight", [0.2, 0.5, 0.8])
def test_on_outcomes_without_noise_the_true_best_trade_off_is_found(
    shop: Shop, tmp_path: Path, form: str, weight: float
) -> None:
    """The columns p_click and p_buy are the true expectations: their best ranking is known."""
    goals = {
        "clicks": {"task": "p_click", "weight": weight},
        "purchases": {"task": "p_buy", "weight": 1 - weight},
    }
    spec = _with(
        shop.spec, goals=goals, outcomes=["p_click", "p_buy"], rank_by=["click", "buy"], fusion=form
    )
    summary = solve_objective(spec, shop.bundle(), shop.training_set, tmp_path / "out")
    reference = summary.reference_goals
    # J is the sum over the ranked top two of this, so no ranking of any kind beats sorting by it
    table = shop.table("valid")
    worth = weight * np.asarray(table["p_click"]) / reference["clicks"]
    worth += (1 - weight) * np.asarray(table["p_buy"]) / reference["purchases"]
    best = np.sort(worth.reshape(500, 8), axis=1)[:, -2:].sum(axis=1).mean()
    # additive scores can state that ranking, up to the finest step of λ; products only come near
    near = 2e-5 if form == "additive" else 1e-2
    assert best * (1 - near) <= summary.objective <= best * (1 + 1e-12)


def test_the_test_period_has_no_part_in_it(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "training_set"
    folder.mkdir()
    pq.write_table(shop.table("valid"), folder / "valid.parquet")
    sealed(folder, shop.spec)
    summary = solve_objective(shop.spec, shop.bundle(), folder, tmp_path / "out")
    assert summary.reference == "equal weights"


def test_another_shops_champion_is_refused(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    solve_objective(shop.spec, shop.bundle("stranger", shop="bakery"), shop.training_set, other)
    with pytest.raises(ShopguideError) as caught:
        solve_objective(
            shop.spec, shop.bundle(), shop.training_set, tmp_path / "out", champion=other
        )
    assert str(caught.value) == (
        f"{other}/bundle.json name: the champion is 'bakery', the bundle to solve is 'two_goals'. "
        "Give the bundle that this shop has in production, or leave --champion out"
    )
    assert not (tmp_path / "out").exists()


def test_a_champion_that_is_no_bundle_or_not_solved_is_refused(shop: Shop, tmp_path: Path) -> None:
    for path, what in (
        (shop.bundle("unsolved"), "there are no fusion weights"),
        (shop.training_set, "has no bundle.json"),
        (tmp_path / "nowhere", "there is no such folder"),
    ):
        with pytest.raises(ShopguideError, match=what):
            solve_objective(
                shop.spec, shop.bundle(), shop.training_set, tmp_path / "out", champion=path
            )


def test_an_empty_directory_is_no_champion(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    summary = solve_objective(
        shop.spec,
        shop.bundle(),
        shop.training_set,
        tmp_path / "out",
        champion=tmp_path / "none",
    )
    assert summary.reference == "equal weights"


def _valid_only(table: pa.Table, folder: Path, shop: Shop) -> Path:
    folder.mkdir()
    pq.write_table(table, folder / "valid.parquet")
    return sealed(folder, shop.spec)


def _replaced(shop: Shop, column: str, values: np.ndarray) -> pa.Table:
    table = shop.table("valid")
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values))


def test_a_goal_that_is_zero_for_the_champion_is_named(
    shop: Shop, champion: Path, tmp_path: Path
) -> None:
    nothing = _valid_only(_replaced(shop, "buy", np.zeros(4_000)), tmp_path / "set", shop)
    with pytest.raises(InvalidDataError) as caught:
        solve_objective(shop.spec, shop.bundle(), nothing, tmp_path / "out", champion=champion)
    assert str(caught.value) == (
        "validation period, goal purchases: the champion's value is 0, so nothing can be relative "
        "to it. Take a longer validation period, or drop the goal"
    )
    with pytest.raises(InvalidDataError, match="its value under equal weights is 0"):
        solve_objective(shop.spec, shop.bundle(), nothing, tmp_path / "out")


def test_a_ratio_without_a_denominator_is_named(shop: Shop, tmp_path: Path) -> None:
    nothing = _valid_only(_replaced(shop, "click", np.zeros(4_000)), tmp_path / "set", shop)
    goals = {"cvr": {"task": "buy", "per": "click", "weight": 1.0}}
    with pytest.raises(InvalidDataError, match="goal cvr: its value under equal weights is inf"):
        solve_objective(_with(shop.spec, goals=goals), shop.bundle(), nothing, tmp_path / "out")


def test_weights_of_zero_are_an_answer_not_a_crash(shop: Shop, tmp_path: Path) -> None:
    nothing = _valid_only(_replaced(shop, "sample_weight", np.zeros(4_000)), tmp_path / "set", shop)
    with pytest.raises(InvalidDataError, match="column sample_weight: 0 in every row"):
        solve_objective(shop.spec, shop.bundle(), nothing, tmp_path / "out")


def test_a_task_that_the_bundle_does_not_predict_is_named(shop: Shop, tmp_path: Path) -> None:
    document = shop.spec.model_dump()
    document["tasks"]["cart"] = {"kind": "binary", "event": "cart"}
    document["objective"]["goals"] = {"carts": {"task": "cart", "weight": 1.0}}
    table = shop.table("valid")
    folder = _valid_only(table.append_column("cart", table["click"]), tmp_path / "set", shop)
    with pytest.raises(ShopguideError) as caught:
        solve_objective(Spec.model_validate(document), shop.bundle(), folder, tmp_path / "out")
    assert "the bundle predicts click, buy; the objective ranks by cart too" in str(caught.value)
