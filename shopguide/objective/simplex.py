"""Points of the simplex Σ λ = 1, λ ≥ 0: the fusion weights that solvers search."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def grid(tasks: int, *, most: int = 500) -> Floats:
    """Return an even grid of the simplex [P, T], its corners and centre among the points.

    Args:
        tasks: T ≥ 1.
        most: points at most; the finest grid below it is taken (at least the corners).
    """
    steps = 1
    while math.comb(steps + tasks, tasks - 1) <= most and steps < 100 and tasks > 1:
        steps += 1
    bars = itertools.combinations(range(steps + tasks - 1), tasks - 1)
    points = [np.diff(np.array([-1, *bar, steps + tasks - 1])) - 1 for bar in bars]
    corners_and_grid = np.array(points, dtype=np.float64) / steps
    centre = np.full((1, tasks), 1 / tasks)
    return np.unique(np.concatenate([corners_and_grid, centre]), axis=0)


def neighbours(point: Floats, step: float) -> Floats:
    """Return the points that move `step` of weight from one task to another [P, T].

    Args:
        point: λ [T].
        step: weight moved; moves below 0 are left out.
    """
    moved = []
    for source, target in itertools.permutations(range(len(point)), 2):
        if point[source] >= step:
            other = point.copy()
            other[source] -= step
            other[target] += step
            moved.append(other)
    return np.array(moved).reshape(-1, len(point))
