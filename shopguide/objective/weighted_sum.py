"""The weighted sum: the λ whose ranking has the largest objective."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.simplex import grid, neighbours

Floats = NDArray[np.float64]


def weighted_sum(objective: Callable[[Floats], float], tasks: int) -> Floats:
    """Return the point of the simplex with the largest objective; the first on a tie.

        argmax_λ J(λ)    over λ ≥ 0, Σ λ = 1

    J is a step function of λ (only ranks matter), so gradients say nothing: an even grid, then
    moves of weight between two tasks, halved until they are smaller than ranks can feel.

    Args:
        objective: J of a λ [T]; larger is better, deterministic.
        tasks: T ≥ 1.
    """
    best, value = np.full(tasks, 1 / tasks), -np.inf
    for point in grid(tasks):
        found = objective(point)
        if found > value:
            best, value = point, found
    step = 0.05
    while step > 0.005:
        improved = False
        for point in neighbours(best, step):
            found = objective(point)
            if found > value:
                best, value, improved = point, found, True
        if not improved:
            step /= 2
    return best
