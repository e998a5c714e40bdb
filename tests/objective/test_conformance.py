"""What every solver in the registry must do, whatever it is."""

from typing import get_args

import numpy as np
import pytest

from shopguide.objective import SOLVERS, choose, non_dominated
from shopguide.spec.objective import Goal, Objective, Solver

Array = np.ndarray

pytestmark = pytest.mark.parametrize("solver", sorted(SOLVERS))


def _objective(solver: str, weights: Array) -> Objective:
    goals = {
        f"goal_{k}": Goal(task="click", weight=float(weight)) for k, weight in enumerate(weights)
    }
    heaviest = f"goal_{int(np.argmax(weights))}"
    return Objective(goals=goals, solver=solver, maximise=heaviest)


def _weights(generator: np.random.Generator, goals: int) -> Array:
    """Random ω that sum to 1 exactly: multiples of 1/64."""
    cuts = np.sort(generator.choice(np.arange(1, 64), goals - 1, replace=False))
    return np.diff(np.concatenate([[0], cuts, [64]])) / 64


CASES = [(seed, goals, held) for seed in range(6) for goals in (2, 3, 4) for held in (True, False)]


def _case(seed: int, goals: int, held: bool) -> tuple[Array, Array, Array, Array | None]:
    """A cloud of 300 points, ω, the reference, and the champion if there is one."""
    generator = np.random.default_rng([seed, goals])
    values = generator.gamma(4.0, size=(300, goals))
    reference = generator.uniform(2.0, 4.0, goals)
    return values, _weights(generator, goals), reference, reference if held else None


def test_the_spec_offers_it(solver: str) -> None:
    assert solver in get_args(Solver)
    assert set(get_args(Solver)) == set(SOLVERS)


def test_the_choice_is_on_the_front(solver: str) -> None:
    for case in CASES:
        values, weights, reference, champion = _case(*case)
        index = choose(values, _objective(solver, weights), reference, champion).index
        better = (values >= values[index]).all(axis=1) & (values > values[index]).any(axis=1)
        assert not better.any(), case


def test_the_choice_is_free_of_the_goals_units(solver: str) -> None:
    for case in CASES:
        values, weights, reference, champion = _case(*case)
        units = 2.0 ** np.random.default_rng(1).integers(-6, 7, len(weights))  # exact in binary
        held = None if champion is None else champion * units
        objective = _objective(solver, weights)
        one = choose(values, objective, reference, champion)
        assert one == choose(values * units, objective, reference * units, held), case


def test_the_same_points_in_another_order_give_the_same_choice(solver: str) -> None:
    for case in CASES:
        values, weights, reference, champion = _case(*case)
        order = np.random.default_rng(2).permutation(len(values))
        objective = _objective(solver, weights)
        one = choose(values, objective, reference, champion)
        two = choose(values[order], objective, reference, champion)
        assert values[one.index].tolist() == values[order][two.index].tolist(), case
        assert one == choose(values.copy(), objective, reference, champion), case


def test_points_that_nobody_would_take_change_nothing(solver: str) -> None:
    for case in CASES:
        values, weights, reference, champion = _case(*case)
        objective = _objective(solver, weights)
        front = np.flatnonzero(non_dominated(values))
        among_all = choose(values, objective, reference, champion)
        among_front = choose(values[front], objective, reference, champion)
        assert front[among_front.index] == among_all.index, case
        assert among_front.fallback == among_all.fallback, case


def test_a_single_point_is_taken(solver: str) -> None:
    objective = _objective(solver, np.array([0.5, 0.5]))
    assert choose(np.array([[1.0, 2.0]]), objective, np.ones(2), None).index == 0
    assert choose(np.array([[1.0, 2.0]]), objective, np.ones(2), np.ones(2)).index == 0


def test_one_goal_alone_is_maximised(solver: str) -> None:
    values = np.array([[1.0], [3.0], [2.0]])
    objective = Objective(goals={"goal": Goal(task="click", weight=1.0)}, solver=solver)
    assert choose(values, objective, np.ones(1), None).index == 1
    assert choose(values, objective, np.ones(1), np.ones(1)).index == 1


def test_goals_without_weight_are_allowed(solver: str) -> None:
    values = np.array([[2.0, 2.0], [3.0, 1.5], [1.0, 4.0]])
    objective = _objective(solver, np.array([1.0, 0.0]))
    found = choose(values, objective, np.ones(2), np.ones(2))
    assert found.fallback is None
    if solver != "pareto":  # the knee knows no weights
        assert found.index == 1
