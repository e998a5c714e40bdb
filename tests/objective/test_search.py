"""The search finds known best points of known maps from λ to goals, and says how it got there."""

import numpy as np
import pytest

from shopguide.objective import choose
from shopguide.objective.problem import Choice
from shopguide.objective.search import explore
from shopguide.objective.simplex import grid, neighbours
from shopguide.spec.objective import Goal, Objective


def _none(tasks: int) -> np.ndarray:
    return np.empty((0, tasks))


def _largest(values: np.ndarray) -> Choice:
    return Choice(int(np.argmax(values[:, 0])))


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6])
def test_the_grid_lies_on_the_simplex_and_has_its_corners(tasks: int) -> None:
    points = grid(tasks)
    assert np.allclose(points.sum(axis=1), 1)
    assert (points >= 0).all()
    assert len(points) <= 501
    for corner in np.eye(tasks):
        assert (np.abs(points - corner).sum(axis=1) < 1e-12).any()


def test_neighbours_keep_the_sum() -> None:
    near = neighbours(np.array([0.5, 0.5, 0.0]), 0.05)
    assert np.allclose(near.sum(axis=1), 1)
    assert len(near) == 4  # nothing can be taken from the third
    assert (neighbours(np.array([0.5, 0.46, 0.04]), 0.05) >= 0).all()


# after the last step s = 1/120, no move of s between two tasks gains, so with e = w − peak all
# e_i − e_j are at most s; the e sum to 0, so none is above 2 s / 3
NEAR = 2 / 3 / 120

PEAKS = [(0.2, 0.3, 0.5), (0.0, 0.0, 1.0), (0.2371, 0.3118, 0.4511), (0.0414, 0.4915, 0.4671)]


@pytest.mark.parametrize("peak", PEAKS)
def test_a_concave_goal_is_maximised(peak: tuple[float, ...]) -> None:
    target = np.array(peak)
    found = explore(lambda w: np.array([-((w - target) ** 2).sum()]), _none(3), _largest)
    assert found is not None
    assert np.abs(found.weights[found.choice.index] - target).max() <= NEAR + 1e-9


def test_the_best_of_every_goal_is_sought_too() -> None:
    target = np.array([7.5, 9.5, 13]) / 30  # half a step of the grid away from its next point

    def evaluate(weights: np.ndarray) -> np.ndarray:
        return np.array([weights[0], -((weights - target) ** 2).sum()])

    found = explore(evaluate, _none(3), _largest)
    assert found is not None
    assert found.weights[found.choice.index].tolist() == [1, 0, 0]
    ideal = found.weights[found.values[:, 1].argmax()]
    assert ideal == pytest.approx(target, abs=1e-9)


def test_a_step_function_is_maximised_on_its_plateau() -> None:
    found = explore(lambda w: np.array([float(0.40 < w[0] < 0.44)]), _none(2), _largest)
    assert found is not None
    assert 0.40 < found.weights[found.choice.index][0] < 0.44


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.7])
def test_a_bargain_over_a_circular_frontier_is_struck(weight: float) -> None:
    # F = √λ runs along the quarter circle, on which Nash's point has F_1² = λ_1 = ω
    goals = {"a": Goal(task="a", weight=weight), "b": Goal(task="b", weight=1 - weight)}
    objective = Objective(goals=goals, solver="nash")
    zero = np.zeros(2)
    found = explore(np.sqrt, _none(2), lambda v: choose(v, objective, np.ones(2), zero))
    assert found is not None
    assert found.weights[found.choice.index][0] == pytest.approx(weight, abs=0.005)


def test_what_has_no_value_is_left_out() -> None:
    def evaluate(weights: np.ndarray) -> np.ndarray:
        return np.array([weights[0] if weights[0] < 0.5 else np.nan])

    found = explore(evaluate, _none(2), _largest)
    assert found is not None
    assert np.isfinite(found.values).all()
    assert found.evaluated > len(found.values)
    assert 0.49 <= found.weights[found.choice.index][0] < 0.5
    assert explore(lambda _: np.array([np.nan]), _none(2), _largest) is None


def test_a_known_point_is_among_those_tried() -> None:
    known = np.array([[0.123, 0.877]])
    found = explore(lambda w: np.array([float(w[0] == 0.123)]), known, _largest)
    assert found is not None
    assert found.weights[found.choice.index].tolist() == [0.123, 0.877]


def test_no_point_is_tried_twice_and_the_order_is_that_of_the_weights() -> None:
    tried: list[tuple[float, ...]] = []

    def evaluate(weights: np.ndarray) -> np.ndarray:
        tried.append(tuple(np.round(weights, 9)))
        return np.array([weights[0] * weights[1], weights[2]])

    goals = {"a": Goal(task="a", weight=0.5), "b": Goal(task="b", weight=0.5)}
    objective = Objective(goals=goals, solver="chebyshev")
    found = explore(evaluate, _none(3), lambda v: choose(v, objective, np.ones(2), None))
    assert found is not None
    assert len(tried) == len(set(tried)) == found.evaluated
    in_order = np.round(found.weights, 9).tolist()
    assert in_order == sorted(in_order)
