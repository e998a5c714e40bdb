"""The joint objective: goals replayed on logged lists, and the trade-off that is solved for.

Example:
    >>> import numpy as np
    >>> from shopguide.objective import choose
    >>> from shopguide.spec.objective import Goal, Objective
    >>> goals = {"a": Goal(task="a", weight=0.5), "b": Goal(task="b", weight=0.5)}
    >>> points = np.array([[1.0, 4.0], [2.0, 3.0], [1.0, 1.0]])
    >>> choose(points, Objective(goals=goals, solver="egalitarian"), np.ones(2), None).index
    1
"""

from shopguide.objective.find import find_solution
from shopguide.objective.front_page import write_front
from shopguide.objective.held_out import HeldOut, evaluate_on_test, held_out
from shopguide.objective.owner import take_point
from shopguide.objective.pareto import hypervolume, non_dominated
from shopguide.objective.replay import (
    Requests,
    discounts,
    goal_tasks,
    goal_values,
    needed_columns,
    objective_value,
    ranks,
    request_sums,
    user_sums,
)
from shopguide.objective.solution import Solution, read_solution
from shopguide.objective.solve import solve_objective
from shopguide.objective.solvers import SOLVERS, choose
from shopguide.objective.summary import SolveSummary

__all__ = [
    "SOLVERS",
    "HeldOut",
    "Requests",
    "Solution",
    "SolveSummary",
    "choose",
    "discounts",
    "evaluate_on_test",
    "find_solution",
    "goal_tasks",
    "goal_values",
    "held_out",
    "hypervolume",
    "needed_columns",
    "non_dominated",
    "objective_value",
    "ranks",
    "read_solution",
    "request_sums",
    "solve_objective",
    "take_point",
    "user_sums",
    "write_front",
]
