"""Solvers: which point of the Pareto front to take. One file each, with formula and source.

A solver sees a `Problem` and returns a `Choice`; a new one is a file and a line in `SOLVERS`, and
the conformance suite (tests/objective/test_conformance.py) runs on it.

Example:
    >>> import numpy as np
    >>> from shopguide.spec.objective import Goal, Objective
    >>> goals = {"a": Goal(task="a", weight=0.5), "b": Goal(task="b", weight=0.5)}
    >>> points = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 1.0]])
    >>> choose(points, Objective(goals=goals, solver="nash"), np.ones(2), np.full(2, 0.5)).index
    1
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.pareto import non_dominated
from shopguide.objective.problem import Choice, Problem
from shopguide.objective.solvers.chebyshev import chebyshev
from shopguide.objective.solvers.egalitarian import egalitarian
from shopguide.objective.solvers.epsilon import epsilon
from shopguide.objective.solvers.kalai_smorodinsky import kalai_smorodinsky
from shopguide.objective.solvers.nash import nash
from shopguide.objective.solvers.pareto import pareto
from shopguide.objective.solvers.weighted_sum import weighted_sum
from shopguide.spec.objective import Objective

SOLVERS: dict[str, Callable[[Problem], Choice]] = {
    "weighted_sum": weighted_sum,
    "chebyshev": chebyshev,
    "epsilon": epsilon,
    "pareto": pareto,
    "nash": nash,
    "kalai_smorodinsky": kalai_smorodinsky,
    "egalitarian": egalitarian,
}
"""Every solver by the name that `objective.solver` gives."""

__all__ = ["SOLVERS", "choose"]


def choose(
    values: NDArray[np.float64],
    objective: Objective,
    reference: NDArray[np.float64],
    champion: NDArray[np.float64] | None,
) -> Choice:
    """Return what the objective's solver chooses among the points that no other one dominates.

    Args:
        values: F [P, K], finite; dominated points are left out before the solver sees them.
        objective: K goals, and the solver with its terms.
        reference: F of what the goals are relative to [K], > 0.
        champion: F of the champion [K]; None: there is none.
    """
    front = np.flatnonzero(non_dominated(values))
    problem = Problem.of(values[front], objective, reference, champion)
    choice = SOLVERS[objective.solver](problem)
    return Choice(int(front[choice.index]), choice.fallback)
