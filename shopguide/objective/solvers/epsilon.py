"""ε-constraint: the most of one goal, with floors under the others."""

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.problem import Choice, Problem, leximin

Floats = NDArray[np.float64]


def epsilon(problem: Problem) -> Choice:
    """Choose the point with the most of one goal among those that keep every floor.

        argmax_p F_pm    over the points with F_pk ≥ ε_k · F_k(reference) for every k

    On a tie in goal m the weighted sum decides, then the first.

    Fallback: if no point keeps every floor, the one whose smallest F_pk / (ε_k F_k(reference)) is
    largest, that is, the one that misses its floors by least.

    Source: Haimes, Lasdon and Wismer, "On a Bicriterion Formulation of the Problems of Integrated
    System Identification and System Optimization", IEEE Trans. SMC 1(3), 1971.
    """
    relative = problem.relative
    asked = problem.floors > 0
    feasible = (relative >= problem.floors).all(axis=1)
    if not feasible.any():
        reached = relative[:, asked] / problem.floors[asked]
        index = leximin(reached)
        return Choice(index, _missed(problem, relative[index]))
    wanted = np.where(feasible, relative[:, problem.maximise], -np.inf)
    ties = np.flatnonzero(wanted == wanted.max())
    return Choice(int(ties[np.argmax(relative[ties] @ problem.weights)]))


def _missed(problem: Problem, reached: Floats) -> str:
    """Return which floors a point misses, and by how much; `reached` is F / F(reference) [K]."""
    missed = [
        f"{goal} reaches {value:.4g} of the reference, and objective.floors.{goal} is {floor:g}"
        for goal, value, floor in zip(problem.goals, reached, problem.floors, strict=True)
        if value < floor
    ]
    return f"no λ keeps every floor; in the one that misses them by least {'; '.join(missed)}"
