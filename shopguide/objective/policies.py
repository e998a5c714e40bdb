"""The rankings that one model can give, one a λ, and the goals that each of them reaches."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError
from shopguide.fusion import Fusion
from shopguide.objective.contenders import contenders
from shopguide.objective.replay import Requests, goal_tasks, goal_values, request_sums
from shopguide.spec import Spec

Floats = NDArray[np.float64]


class Policies:
    """Every ranking of one model over logged requests; T tasks, K goals, N rows.

    Args:
        spec: reads the tasks and the objective.
        requests: of the period, N rows.
        predictions: calibrated expected outcome by task [N].

    Raises:
        InvalidDataError: a task that λ weighs is predicted 0 everywhere.
    """

    def __init__(self, spec: Spec, requests: Requests, predictions: Mapping[str, Floats]) -> None:
        self.tasks = ranking_tasks(spec)
        self._objective = spec.objective
        self._requests = requests
        self._means = {task: _mean(task, predictions, requests) for task in self.tasks}
        terms = self.fusion(equal_weights(len(self.tasks))).terms(predictions)
        laid = np.array([terms[task] for task in self.tasks])  # [T, N]
        kept = contenders(requests.lists, laid, spec.objective.discount.k)
        self._contending = requests.only(kept)
        self._terms = {task: terms[task][kept] for task in self.tasks}

    def fusion(self, weights: Floats) -> Fusion:
        """Return a λ [T] as the fusion that the bundle carries."""
        return Fusion(
            form=self._objective.fusion,
            weights=dict(zip(self.tasks, map(float, weights), strict=True)),
            means=self._means,
        )

    def weights_of(self, fusion: Fusion) -> Floats | None:
        """Return the λ [T] that ranks as a fusion does, if it is one of these rankings.

        λ is relative to the means of the predictions, and another period has other means.

        Args:
            fusion: of this model, or of one whose predictions mean the same.
        """
        if fusion.form != self._objective.fusion or set(fusion.weights) - set(self.tasks):
            return None
        share = dict(fusion.weights)
        if fusion.form == "additive":
            share = {task: share[task] * self._means[task] / fusion.means[task] for task in share}
        total = sum(share.values())
        return np.array([share.get(task, 0.0) / total for task in self.tasks])

    def values(self, weights: Floats) -> Floats:
        """Return F of a λ [K]; NaN for a ratio without a denominator."""
        return self._values(self._contending, self.fusion(weights).combine(self._terms))

    def values_of(self, scores: Floats) -> Floats:
        """Return F of any ranking of the same requests [K], given its scores [N]."""
        return self._values(self._requests, scores)

    def _values(self, requests: Requests, scores: Floats) -> Floats:
        goals = self._objective.goals
        counted = goal_tasks(goals)
        sums = request_sums(requests, scores, counted, self._objective.discount)
        return goal_values(sums.sum(axis=0), float(len(sums)), counted, goals)


def ranking_tasks(spec: Spec) -> list[str]:
    """Return the tasks that λ weighs, in the order of the goals."""
    objective = spec.objective
    if objective.rank_by is not None:
        return list(dict.fromkeys(objective.rank_by))
    named = [goal.task for goal in objective.goals.values() if goal.task in spec.tasks]
    return list(dict.fromkeys(named)) or list(spec.tasks)


def equal_weights(tasks: int) -> Floats:
    """Return the λ that favours no task [T]: the reference where there is no champion."""
    return np.full(tasks, 1 / tasks)


def _mean(task: str, predictions: Mapping[str, Floats], requests: Requests) -> float:
    mean = float(np.average(predictions[task], weights=requests.weight))
    if not mean > 0:
        raise InvalidDataError(
            f"validation period, task {task}",
            "its expected outcome is 0 everywhere",
            "Train on a period in which it happens",
        )
    return mean
