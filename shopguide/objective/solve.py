"""Solve for the fusion weights on the validation period, and put them into the bundle."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import load_bundle, with_fusion
from shopguide.errors import InvalidDataError
from shopguide.files import existing
from shopguide.fusion import Fusion
from shopguide.objective.replay import (
    Requests,
    goal_tasks,
    goal_values,
    objective_value,
    user_sums,
)
from shopguide.objective.weighted_sum import weighted_sum
from shopguide.spec import Spec

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SolveSummary:
    """The chosen trade-off, as it looks on the validation period.

    Args:
        weights: λ by task.
        means: mean expected outcome by task: what λ is relative to.
        objective: J on validation; equal weights score 1.
        goals: value of each goal on validation.
        evaluated: how many λ were tried.
    """

    weights: Mapping[str, float]
    means: Mapping[str, float]
    objective: float
    goals: Mapping[str, float]
    evaluated: int


def solve_objective(
    spec: Spec, bundle: str | Path, training_set: str | Path, out: str | Path
) -> SolveSummary:
    """Find λ on the validation period and write the bundle with it.

    Args:
        spec: reads `objective`.
        bundle: trained bundle, with or without fusion weights.
        training_set: only `valid.parquet` is read; the test period stays unseen.
        out: directory of the new bundle.

    Raises:
        ShopguideError: the bundle or the training set is missing or broken.
        InvalidDataError: a goal is 0 on the validation period, so nothing can be relative to it.
    """
    started = time.monotonic()
    path = existing(Path(training_set) / "valid.parquet", made_by="shopguide features")
    table = pq.read_table(path)
    requests = Requests.from_table(table, spec, where=str(path))
    predictions = load_bundle(bundle).predict(table)
    policy = _Policies(spec, requests, predictions)
    best = weighted_sum(policy.objective, len(policy.tasks))
    values = policy.values(best)
    fusion = policy.fusion(best)
    with_fusion(bundle, out, fusion)
    summary = SolveSummary(
        weights=fusion.weights,
        means=fusion.means,
        objective=policy.objective(best),
        goals=dict(zip(spec.objective.goals, map(float, values), strict=True)),
        evaluated=policy.evaluated,
    )
    _log.info(
        "solve: λ %s, J %.4f on validation, %d tried, %.1f s",
        ", ".join(f"{task} {weight:.2f}" for task, weight in fusion.weights.items()),
        summary.objective,
        policy.evaluated,
        time.monotonic() - started,
    )
    return summary


class _Policies:
    """Every ranking that one model can give: a λ each."""

    def __init__(self, spec: Spec, requests: Requests, predictions: Mapping[str, Floats]) -> None:
        self._spec = spec
        self._requests = requests
        self._predictions = predictions
        self._counted = goal_tasks(spec.objective.goals)
        self.tasks = list(dict.fromkeys(goal.task for goal in spec.objective.goals.values()))
        self._means = {task: self._mean(task) for task in self.tasks}
        self.evaluated = 0
        self._reference = self.values(np.full(len(self.tasks), 1 / len(self.tasks)))
        self._refuse_zero()

    def objective(self, weights: Floats) -> float:
        """Return J of a λ [T], relative to equal weights."""
        goals = self._spec.objective.goals
        return float(objective_value(self.values(weights), self._reference, goals))

    def values(self, weights: Floats) -> Floats:
        """Return F of a λ [K]."""
        self.evaluated += 1
        objective = self._spec.objective
        scores = self.fusion(weights).score(self._predictions)
        sums = user_sums(self._requests, scores, self._counted, objective.discount)
        requests = float(self._requests.requests_per_user().sum())
        return goal_values(sums.sum(axis=0), requests, self._counted, objective.goals)

    def fusion(self, weights: Floats) -> Fusion:
        """Return a λ as the fusion that the bundle carries."""
        return Fusion(
            form=self._spec.objective.fusion,
            weights=dict(zip(self.tasks, map(float, weights), strict=True)),
            means=self._means,
        )

    def _mean(self, task: str) -> float:
        mean = float(np.average(self._predictions[task], weights=self._requests.weight))
        if not mean > 0:
            raise InvalidDataError(
                f"validation period, task {task}",
                "its expected outcome is 0 everywhere",
                "Train on a period in which it happens",
            )
        return mean

    def _refuse_zero(self) -> None:
        goals = self._spec.objective.goals
        problems = [
            InvalidDataError(
                f"validation period, goal {name}",
                f"its value is {value:g}, so nothing can be relative to it",
                "Take a longer validation period, or drop the goal",
            )
            for name, value in zip(goals, self._reference, strict=True)
            if not value > 0
        ]
        if problems:
            raise InvalidDataError.combined(problems)
