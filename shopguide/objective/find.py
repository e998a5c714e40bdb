"""From the rankings that there are to the one that is asked for, and all that was found."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.objective.pareto import hypervolume, non_dominated
from shopguide.objective.policies import Policies, equal_weights
from shopguide.objective.replay import objective_value
from shopguide.objective.search import Explored, explore
from shopguide.objective.solution import ChampionPoint, FrontPoint, Solution, SolvedOn
from shopguide.objective.solvers import choose
from shopguide.spec.objective import Objective

Floats = NDArray[np.float64]


def find_solution(
    objective: Objective,
    policies: Policies,
    champion: ChampionPoint | None,
    known: Floats,
    solved_on: SolvedOn | None = None,
) -> Solution:
    """Explore the rankings, choose by the objective's solver, and describe the front.

    Args:
        objective: goals and solver.
        policies: rankings of one model on the validation period; T tasks.
        champion: on the same impressions; None: goals are relative to equal weights.
        known: λ to try besides those of the search [S, T]; S may be 0.
        solved_on: the impressions that the policies rank, to be recorded.

    Raises:
        InvalidDataError: a goal of the reference is 0 or has no value, or no λ gives every goal a
            value.
    """
    goals = objective.goals
    held = None if champion is None else np.array([champion.goals[name] for name in goals])
    reference = held
    if reference is None:
        reference = policies.values(equal_weights(len(policies.tasks)))
        refuse_zero(reference, goals, "its value under equal weights")
    found = explore(
        policies.values,
        known,
        lambda values: choose(values, objective, reference, held),
    )
    if found is None:
        raise InvalidDataError(
            "validation period",
            "no λ gives every goal a value: the denominator of a ratio is 0 under each",
            "Take a longer validation period, or drop the ratio",
        )
    described = _describe(objective, policies.tasks, found, reference, champion)
    return described.model_copy(update={"solved_on": solved_on})


def _describe(
    objective: Objective,
    tasks: list[str],
    found: Explored,
    reference: Floats,
    champion: ChampionPoint | None,
) -> Solution:
    goals = objective.goals
    front = np.flatnonzero(non_dominated(found.values))
    j = objective_value(found.values, reference, goals)
    return Solution(
        solver=objective.solver,
        objective=objective,
        reference="equal weights" if champion is None else "champion",
        reference_goals=named(goals, reference),
        champion=champion,
        front=[
            FrontPoint(
                weights=named(tasks, found.weights[p]),
                goals=named(goals, found.values[p]),
                objective=float(j[p]),
            )
            for p in front
        ],
        chosen=int(np.searchsorted(front, found.choice.index)),
        hypervolume=hypervolume(found.values[front], reference),
        evaluated=found.evaluated,
        fallback=found.choice.fallback,
    )


def named(names: Iterable[str], values: Floats) -> dict[str, float]:
    """Return values by name, in order."""
    return dict(zip(names, map(float, values), strict=True))


def refuse_zero(values: Floats, goals: Iterable[str], whose: str) -> None:
    """Refuse values that nothing can be relative to.

    Args:
        values: F of the reference [K].
        goals: K names.
        whose: value it is, in words.

    Raises:
        InvalidDataError: names every goal whose value is 0 or not finite.
    """
    problems = [
        InvalidDataError(
            f"validation period, goal {name}",
            f"{whose} is {value:g}, so nothing can be relative to it",
            "Take a longer validation period, or drop the goal",
        )
        for name, value in zip(goals, values, strict=True)
        if not 0 < value < np.inf
    ]
    if problems:
        raise InvalidDataError.combined(problems)
