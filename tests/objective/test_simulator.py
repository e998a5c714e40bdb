"""On the simulated shop, whose truth is known, goals and trade-offs are the true ones."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from shopguide.fusion import Fusion
from shopguide.logs.simulator import Outcome, Shop, simulate
from shopguide.objective import Requests, find_solution, request_sums
from shopguide.objective.policies import Policies
from shopguide.spec import Spec, load_spec
from shopguide.spec.objective import Objective
from shopguide.spec.simulator import Simulator

TASKS: dict[str, Outcome] = {"click": "click", "purchase": "purchase", "order_value": "money"}


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(Path(__file__).parents[2] / "specs" / "simulator.yaml")


@pytest.fixture(scope="module")
def shop() -> Shop:
    """About 3,000 lists of ten, shown as a shop shows them."""
    return simulate(
        Simulator(source="simulator", users=300, items=80, requests_per_user=10, seed=2)
    )


def _known(shop: Shop) -> dict[str, np.ndarray]:
    """The true expectations, free of position bias: what a perfect model would predict."""
    return {task: shop.expected(outcome, examined=True).ravel() for task, outcome in TASKS.items()}


def _policies(shop: Shop, spec: Spec, table: pa.Table) -> Policies:
    return Policies(spec, Requests.from_table(table, spec), _known(shop))


def _solve(objective: Objective, policies: Policies) -> np.ndarray:
    """Return the λ that is chosen [T]."""
    solution = find_solution(objective, policies, None, np.empty((0, len(policies.tasks))))
    return np.array(list(solution.point.weights.values()))


def test_replayed_goals_are_the_true_values_of_every_ranking(shop: Shop, spec: Spec) -> None:
    policies = _policies(shop, spec, shop.labelled(spec, expected=True, examined=True))
    for weights in np.random.default_rng(0).dirichlet(np.ones(3), 20):
        scores = policies.fusion(weights).score(_known(shop))
        truth = shop.true_values(scores, spec, discount=spec.objective.discount)
        assert policies.values(weights) == pytest.approx(list(truth.values()), rel=1e-9)
        assert policies.values_of(scores).tolist() == policies.values(weights).tolist()


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_a_fusion_of_another_period_is_found_among_the_rankings(
    shop: Shop, spec: Spec, form: Literal["additive", "multiplicative"]
) -> None:
    objective = spec.objective.model_copy(update={"fusion": form})
    asked = spec.model_copy(update={"objective": objective})
    policies = _policies(shop, asked, shop.labelled(spec))
    means = {"click": 0.7, "purchase": 0.01, "order_value": 3.0}
    fusion = Fusion(form, {"click": 0.2, "purchase": 0.3, "order_value": 0.5}, means)
    weights = policies.weights_of(fusion)
    assert weights is not None
    assert weights.sum() == pytest.approx(1)
    assert policies.values(weights) == pytest.approx(policies.values_of(fusion.score(_known(shop))))
    other = Fusion(
        "additive" if form == "multiplicative" else "multiplicative", {"click": 1}, means
    )
    assert policies.weights_of(other) is None
    assert policies.weights_of(Fusion(form, {"cart": 1.0}, {"cart": 0.1})) is None


@pytest.mark.parametrize("weights", [(0.2, 0.4, 0.4), (0.8, 0.1, 0.1), (0.0, 0.0, 1.0)])
def test_the_true_best_trade_off_is_found(
    shop: Shop, spec: Spec, weights: tuple[float, float, float]
) -> None:
    goals = {
        name: goal.model_copy(update={"weight": weight})
        for (name, goal), weight in zip(spec.objective.goals.items(), weights, strict=True)
    }
    objective = spec.objective.model_copy(update={"goals": goals})
    asked = spec.model_copy(update={"objective": objective})
    policies = _policies(shop, asked, shop.labelled(spec, expected=True, examined=True))
    equal = policies.fusion(np.full(3, 1 / 3)).score(_known(shop))
    before = shop.true_values(equal, asked, discount=objective.discount)
    # a position is worth the same to every goal, so sorting by this maximises J over all rankings
    worth = sum(
        goal.weight * _known(shop)[goal.task] / before[name] for name, goal in goals.items()
    )
    best, found = (
        shop.true_objective(scores, equal, asked, discount=objective.discount)
        for scores in (worth, policies.fusion(_solve(objective, policies)).score(_known(shop)))
    )
    # the best λ is within a step of .005 of what is tried, and J is flat at its maximum
    assert best * (1 - 2e-5) <= found <= best * (1 + 1e-12)


def test_propensities_take_the_position_bias_out_of_a_replay(spec: Spec) -> None:
    """What stands high is seen more: a plain replay favours the ranking that the log had."""
    parameters = {"users": 600, "items": 80, "seed": 2, "position_bias": 1.0, "exploration": 0.5}
    shop = simulate(Simulator.model_validate({"source": "simulator", **parameters}))
    logged = shop.labelled(spec, expected=True)  # outcomes at the positions where they were shown
    by_clicks, by_money = (_known(shop)[task] for task in ("click", "order_value"))
    discount = spec.objective.discount
    values = [shop.true_values(s, spec, discount=discount) for s in (by_clicks, by_money)]
    truth = np.array([values[0][name] / values[1][name] for name in spec.objective.goals])
    errors = {}
    for use in ("ignore", "inverse"):
        terms = spec.objective.model_dump() | {"importance": {"propensity": use}}
        asked = Spec.model_validate(spec.model_dump() | {"objective": terms})
        requests = Requests.from_table(logged, asked)
        above, below = (
            request_sums(requests, scores, list(TASKS), discount)
            for scores in (by_clicks, by_money)
        )
        ratio = above.sum(axis=0) / below.sum(axis=0)
        spread = (above - ratio * below).std(axis=0) / below.mean(axis=0)
        errors[use] = (ratio - truth) / (spread / np.sqrt(len(above)))
    assert np.abs(errors["inverse"]).max() < 4
    assert np.abs(errors["ignore"]).max() > 8


@pytest.mark.slow
def test_what_is_chosen_on_luck_promises_too_much_and_the_test_period_shows_it(
    shop: Shop, spec: Spec
) -> None:
    """Choosing the best of 500 λ on one draw is optimistic; another draw is not."""
    promised, held = [], []
    for seed in range(12):
        table = shop.redrawn(seed).labelled(spec)
        later = _policies(shop, spec, shop.redrawn(100 + seed).labelled(spec))
        policies = _policies(shop, spec, table)
        weights, equal = _solve(spec.objective, policies), np.full(3, 1 / 3)
        omega = np.array([goal.weight for goal in spec.objective.goals.values()])
        for found, period in ((promised, policies), (held, later)):
            found.append(float(omega @ (period.values(weights) / period.values(equal))))
    optimism = np.array(promised) - np.array(held)
    error = optimism.std(ddof=1) / np.sqrt(len(optimism))
    assert min(promised) >= 1  # equal weights are among what is chosen from
    assert optimism.mean() > 2 * error
