"""The search for λ: which rankings of one model there are to choose from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.problem import Choice
from shopguide.objective.simplex import grid, neighbours

Floats = NDArray[np.float64]

_GRID = 500  # points of the simplex at first
_MOST = 2_000  # points in all
_FINEST = 0.005  # smaller moves of λ change few ranks, and fit the validation period's noise


@dataclass(frozen=True, slots=True)
class Explored:
    """Every λ that was tried and has a value in each goal.

    Args:
        weights: λ [P, T], in lexicographic order.
        values: F [P, K], finite.
        choice: among them.
        evaluated: how many were tried, those without a value included.
    """

    weights: Floats
    values: Floats
    choice: Choice
    evaluated: int


def explore(
    evaluate: Callable[[Floats], Floats],
    start: Floats,
    choose: Callable[[Floats], Choice],
) -> Explored | None:
    """Try λ all over the simplex, then ever closer to the solver's choice.

    F is a step function of λ (only ranks matter), so gradients say nothing, and its front may be
    broken or bent inwards, so each λ is a point to choose and not the solution of a weighted sum.
    First the given points and an even grid of at most 500, with its corners and centre. Then those
    that move half a grid step of weight between two tasks, around the choice and around the best
    point of each goal (the ideal point that solvers measure against); around the new choice as long
    as it moves, then by half the step, down to 0.005. There is no chance in it: equal inputs give
    equal answers.

    Args:
        evaluate: F [K] of a λ [T]; NaN where a ratio has no denominator.
        start: λ known to be good [S, T], such as the champion's; S may be 0.
        choose: the solver, given F of all points so far [P, K].

    Returns:
        None if no λ has a value in every goal.
    """
    tasks = start.shape[1]
    tried = _Tried(evaluate)
    even = grid(tasks, most=_GRID)
    tried.add(np.concatenate([start, even]))
    if not tried.finite:
        return None
    step = _spacing(even) / 2
    while step >= _FINEST and len(tried) < _MOST and tasks > 1:
        weights, values = tried.arrays()
        centres = {int(i) for i in (*values.argmax(axis=0), choose(values).index)}
        near = np.concatenate([neighbours(weights[i], step) for i in sorted(centres)])
        before = weights[choose(values).index]
        tried.add(near)
        weights, values = tried.arrays()
        if (weights[choose(values).index] == before).all():
            step /= 2
    weights, values = tried.arrays()
    return Explored(weights, values, choose(values), len(tried))


class _Tried:
    """λ → F of every λ tried so far."""

    def __init__(self, evaluate: Callable[[Floats], Floats]) -> None:
        self._evaluate = evaluate
        self._found: dict[tuple[float, ...], tuple[Floats, Floats]] = {}

    def __len__(self) -> int:
        return len(self._found)

    @property
    def finite(self) -> bool:
        """Whether any λ has a value in every goal."""
        return any(np.isfinite(values).all() for _, values in self._found.values())

    def add(self, points: Floats) -> None:
        """Evaluate the points [P, T] that are new."""
        for point in points:
            key = tuple(map(float, np.round(point, 9)))  # 0.1 + 0.2 is 0.3
            if key not in self._found:
                self._found[key] = point, self._evaluate(point)

    def arrays(self) -> tuple[Floats, Floats]:
        """Return λ [P, T] in lexicographic order and F [P, K], where every goal has a value."""
        found = [self._found[key] for key in sorted(self._found)]
        finite = [pair for pair in found if np.isfinite(pair[1]).all()]
        return np.array([point for point, _ in finite]), np.array([values for _, values in finite])


def _spacing(points: Floats) -> float:
    """Return the step of an even grid: its smallest weight above 0."""
    return float(points[points > 1e-9].min())
