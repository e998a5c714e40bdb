"""Fronts and hypervolumes of the field's test problems, through the code that solves."""

import numpy as np
import pytest
from pymoo.problems import get_problem
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from pymoo.util.ref_dirs import get_reference_directions

from shopguide.objective import hypervolume, non_dominated

ZDT = ("zdt1", "zdt2", "zdt3", "zdt4", "zdt6")


def _known_front(name: str) -> np.ndarray:
    """The known front of a minimisation problem."""
    if name.startswith("zdt"):
        return np.asarray(get_problem(name).pareto_front())
    directions = get_reference_directions("das-dennis", 3, n_partitions=20)
    return np.asarray(get_problem(name).pareto_front(directions))


@pytest.mark.parametrize("name", [*ZDT, "dtlz1", "dtlz2", "dtlz3"])
def test_the_known_front_is_found_among_worse_points(name: str) -> None:
    front = _known_front(name)
    generator = np.random.default_rng(5)
    behind = front[generator.integers(0, len(front), 2_000)]
    behind = behind + generator.exponential(0.2, behind.shape) + 1e-6
    points = np.concatenate([front, behind])
    order = generator.permutation(len(points))
    # the problems minimise, goals are to be large: F = 10 − f
    found = non_dominated(10 - points[order])
    kept = points[order[found]]
    # pymoo's own sorting is the second opinion; the ends of ZDT3's pieces are not on its front
    best = front[NonDominatedSorting().do(front, only_non_dominated_front=True)]
    assert len(best) > 0.9 * len(front)
    assert np.unique(kept, axis=0).tolist() == np.unique(best, axis=0).tolist()


@pytest.mark.parametrize(
    ("front", "volume"),
    [
        # below the corner (1, 1): ∫ √x, ∫ x² and, for DTLZ2, the cube less the eighth of a ball
        ("zdt1", 2 / 3),
        ("zdt2", 1 / 3),
        ("dtlz2", 1 - np.pi / 6),
    ],
)
def test_the_hypervolume_has_its_closed_form(front: str, volume: float) -> None:
    values = 1 - _dense(front)
    found = hypervolume(np.clip(values, 0, None), np.ones(values.shape[1]))
    # each step of the staircase of n points a side loses at most (goals − 1)/n of the unit box
    assert volume - 2 / 100 <= found <= volume


def _dense(name: str) -> np.ndarray:
    if name.startswith("zdt"):
        return np.asarray(get_problem(name).pareto_front(n_pareto_points=1000))
    directions = get_reference_directions("das-dennis", 3, n_partitions=150)
    return np.asarray(get_problem(name).pareto_front(directions))


def test_the_hypervolume_is_relative_to_the_reference() -> None:
    reference = np.array([2.0, 50.0])
    assert hypervolume(reference[None], reference) == pytest.approx(1.0)
    # two boxes of 1.1 × 1 that share 1 × 1
    points = reference * np.array([[1.1, 1.0], [1.0, 1.1]])
    assert hypervolume(points, reference) == pytest.approx(1.2)
    assert hypervolume(points * [3, 7], reference * [3, 7]) == pytest.approx(1.2)


def test_one_goal_has_a_front_of_one_point() -> None:
    values = np.array([[1.0], [3.0], [3.0], [2.0]])
    assert non_dominated(values).tolist() == [False, True, False, False]
    assert hypervolume(values, np.array([2.0])) == pytest.approx(1.5)


@pytest.mark.parametrize("goals", [5, 6, 9])
def test_the_volume_of_many_goals_is_near_and_always_the_same(goals: int) -> None:
    reference = np.full(goals, 3.0)
    assert hypervolume(reference[None], reference) == pytest.approx(1.0, rel=0.01)
    # one box of 2 in the first goal, one of 2 in the second, that share the unit box
    points = np.ones((2, goals)) + np.eye(goals)[:2]
    assert hypervolume(points, np.ones(goals)) == pytest.approx(3.0, rel=0.01)
    assert hypervolume(points, np.ones(goals)) == hypervolume(points, np.ones(goals))


def test_equal_points_are_one() -> None:
    values = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [1.0, 1.0]])
    assert non_dominated(values).tolist() == [True, True, False, False]
