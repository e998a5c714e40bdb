"""Solve for the fusion weights on the validation period, and put them into the bundle."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.bundle import load_bundle, with_fusion
from shopguide.bundle.manifest import MANIFEST
from shopguide.errors import InvalidDataError, ShopguideError
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

_SHORTFALL_COSTS = 10.0
"""What losing a goal to the champion costs: a loss of 1 % as much as 10 % of J."""


@dataclass(frozen=True, slots=True)
class SolveSummary:
    """The chosen trade-off, as it looks on the validation period.

    Args:
        weights: λ by task.
        means: mean expected outcome by task: what λ is relative to.
        objective: J on validation; the reference scores 1.
        reference: what J is relative to: the champion, or equal weights if there is none.
        goals: value of each goal on validation.
        evaluated: how many λ were tried.
    """

    weights: Mapping[str, float]
    means: Mapping[str, float]
    objective: float
    reference: str
    goals: Mapping[str, float]
    evaluated: int


def solve_objective(
    spec: Spec,
    bundle: str | Path,
    training_set: str | Path,
    out: str | Path,
    *,
    champion: str | Path | None = None,
) -> SolveSummary:
    """Find λ on the validation period and write the bundle with it.

    With a champion, J is relative to its goals, and a λ that loses one of them has to gain ten
    times as much elsewhere: the gate asks for no loss beyond a margin, goal by goal. Without one,
    J is relative to equal weights.

    Args:
        spec: reads `objective`.
        bundle: trained bundle, with or without fusion weights.
        training_set: only `valid.parquet` is read; the test period stays unseen.
        out: directory of the new bundle.
        champion: bundle in production; None, or an empty directory: there is none.

    Raises:
        ShopguideError: the bundle or the training set is missing or broken.
        InvalidDataError: a goal is 0 on the validation period, so nothing can be relative to it.
    """
    started = time.monotonic()
    path = existing(Path(training_set) / "valid.parquet", made_by="shopguide features")
    table = pq.read_table(path)
    requests = Requests.from_table(table, spec, where=str(path))
    predictions = load_bundle(bundle).predict(table)
    held = _champion_values(champion, spec, requests, table)
    policy = _Policies(spec, requests, predictions, held)
    best = weighted_sum(policy.worth, len(policy.tasks))
    values = policy.values(best)
    fusion = policy.fusion(best)
    with_fusion(bundle, out, fusion)
    summary = SolveSummary(
        weights=fusion.weights,
        means=fusion.means,
        objective=policy.objective(best),
        reference="equal weights" if held is None else "champion",
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


def _champion_values(
    champion: str | Path | None, spec: Spec, requests: Requests, table: pa.Table
) -> Floats | None:
    """Return the champion's goal values on validation [K]; None if it cannot be compared here."""
    if champion is None or not (Path(champion) / MANIFEST).is_file():
        return None
    bundle = load_bundle(champion)
    try:
        scores = bundle.score(bundle.predict(table))
    except ShopguideError as error:  # another catalogue: the gate will say so
        _log.warning("solve: the champion cannot be scored: %s", error)
        return None
    values = _goal_values(spec, requests, scores)
    return values if (values > 0).all() else None


def _goal_values(spec: Spec, requests: Requests, scores: Floats) -> Floats:
    counted = goal_tasks(spec.objective.goals)
    sums = user_sums(requests, scores, counted, spec.objective.discount)
    number = float(requests.requests_per_user().sum())
    return goal_values(sums.sum(axis=0), number, counted, spec.objective.goals)


class _Policies:
    """Every ranking that one model can give: a λ each."""

    def __init__(
        self,
        spec: Spec,
        requests: Requests,
        predictions: Mapping[str, Floats],
        champion: Floats | None,
    ) -> None:
        self._spec = spec
        self._requests = requests
        self._predictions = predictions
        self.tasks = list(dict.fromkeys(goal.task for goal in spec.objective.goals.values()))
        self._means = {task: self._mean(task) for task in self.tasks}
        self.evaluated = 0
        self._champion = champion
        equal = self.values(np.full(len(self.tasks), 1 / len(self.tasks)))
        self._reference = equal if champion is None else champion
        self._refuse_zero()

    def worth(self, weights: Floats) -> float:
        """Return J of a λ [T], less what it costs to lose a goal to the champion."""
        if self._champion is None:
            return self.objective(weights)
        values = self.values(weights)
        lost = np.maximum(0.0, 1.0 - values / self._champion).sum()
        objective = objective_value(values, self._champion, self._spec.objective.goals)
        return float(objective - _SHORTFALL_COSTS * lost)

    def objective(self, weights: Floats) -> float:
        """Return J of a λ [T]."""
        goals = self._spec.objective.goals
        return float(objective_value(self.values(weights), self._reference, goals))

    def values(self, weights: Floats) -> Floats:
        """Return F of a λ [K]."""
        self.evaluated += 1
        scores = self.fusion(weights).score(self._predictions)
        return _goal_values(self._spec, self._requests, scores)

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
