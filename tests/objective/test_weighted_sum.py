"""The weighted sum finds the known best point of the simplex."""

import numpy as np
import pytest

from shopguide.objective import weighted_sum
from shopguide.objective.simplex import grid, neighbours


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


@pytest.mark.parametrize("peak", [(0.2, 0.3, 0.5), (0.0, 0.0, 1.0), (0.33, 0.33, 0.34)])
def test_a_concave_objective_is_maximised(peak: tuple[float, ...]) -> None:
    target = np.array(peak)
    found = weighted_sum(lambda point: -float(((point - target) ** 2).sum()), tasks=3)
    # the last step moves 0.00625 of weight, so no coordinate is further away than that
    assert np.abs(found - target).max() <= 0.00625


def test_a_step_function_is_maximised_on_its_plateau() -> None:
    found = weighted_sum(lambda point: float(0.40 < point[0] < 0.44), tasks=2)
    assert 0.40 < found[0] < 0.44
