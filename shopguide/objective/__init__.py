"""The joint objective: goals replayed on logged lists, and the trade-off that maximises it.

Example:
    >>> import numpy as np
    >>> from shopguide.objective import weighted_sum
    >>> weighted_sum(lambda weights: -abs(weights[0] - 0.25), tasks=2).round(2).tolist()
    [0.25, 0.75]
"""

from shopguide.objective.replay import (
    Requests,
    discounts,
    goal_tasks,
    goal_values,
    objective_value,
    ranks,
    user_sums,
)
from shopguide.objective.solve import SolveSummary, solve_objective
from shopguide.objective.weighted_sum import weighted_sum

__all__ = [
    "Requests",
    "SolveSummary",
    "discounts",
    "goal_tasks",
    "goal_values",
    "objective_value",
    "ranks",
    "solve_objective",
    "user_sums",
    "weighted_sum",
]
