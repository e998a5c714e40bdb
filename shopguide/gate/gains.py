"""What the challenger gains over what it is compared with: the champion, or a first baseline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.gate.arms import Arms, rankings, slices
from shopguide.gate.changes import (
    baseline_change,
    goal_changes,
    goal_values_alone,
    objective_change,
    slice_changes,
)
from shopguide.gate.decision import BaselineChange, GoalChange, ObjectiveChange, SliceChange
from shopguide.gate.delta import values
from shopguide.gate.statistics import Comparison, compare
from shopguide.gate.test_set import TestSet
from shopguide.spec import Spec

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gains:
    """The comparison as the decision holds it; the parts that there are."""

    goals: dict[str, GoalChange]
    objective: ObjectiveChange | None = None
    slices: tuple[SliceChange, ...] = ()
    baseline: BaselineChange | None = None


def over_champion(spec: Spec, test: TestSet, champion: Array, challenger: Array) -> Gains:
    """Compare two models, in all and within the declared slices, with the same replicates.

    Args:
        spec: reads `objective`, `gate` and `seed`.
        test: N impressions with their outcomes.
        champion: score of each impression [N].
        challenger: likewise.
    """
    goals, gate = spec.objective.goals, spec.gate
    whole = rankings(test.requests, champion, challenger, spec.objective)
    parts = list(
        slices(test.table, test.requests, (champion, challenger), spec.objective, gate.slices)
    )
    compared = _compare(spec, [whole, *(part.arms for part in parts)])
    return Gains(
        goals=goal_changes(compared[0], goals, gate.margins),
        objective=objective_change(compared[0].objective, gate.min_gain),
        slices=slice_changes(parts, compared[1:], goals, gate),
    )


def over_baseline(spec: Spec, test: TestSet, challenger: Array) -> Gains:
    """Compare a first champion with the ranking by the spec's baseline feature, if it names one.

    Args:
        spec: reads `objective`, `gate` and `seed`.
        test: N impressions with their outcomes.
        challenger: score of each impression [N].

    Raises:
        ShopguideError: the test set has no such column, or it holds no numbers.
    """
    feature, gate = spec.gate.baseline, spec.gate
    against = challenger if feature is None else baseline_scores(test, feature)
    arms = rankings(test.requests, against, challenger, spec.objective)
    goals = goal_values_alone(_challenger_values(arms, spec), spec.objective.goals, gate.margins)
    if feature is None:
        return Gains(goals)
    compared = _compare(spec, [arms])[0]
    return Gains(goals, baseline=baseline_change(compared, feature, spec.objective.goals))


def alone(spec: Spec, test: TestSet, challenger: Array) -> Gains:
    """Return the goals of a challenger that cannot be compared with its champion."""
    arms = rankings(test.requests, challenger, challenger, spec.objective)
    values_alone = _challenger_values(arms, spec)
    return Gains(goal_values_alone(values_alone, spec.objective.goals, spec.gate.margins))


def baseline_scores(test: TestSet, feature: str) -> Array:
    """Return a column as scores [N]; what is missing ranks last.

    Raises:
        ShopguideError: the test set has no such column, or it holds no numbers.
    """
    where = f"spec gate.baseline: {feature}"
    if feature not in test.table.column_names:
        raise ShopguideError(
            where, "the test set has no such column", "Name a numeric input of the model"
        )
    column = test.table.column(feature)
    try:
        found = np.asarray(column.cast("double").to_numpy(), dtype=np.float64)
    except (ValueError, NotImplementedError):  # Arrow's errors derive from these
        raise ShopguideError(
            where, f"is of type {column.type}, not a number", "Name a numeric input of the model"
        ) from None
    known = np.isfinite(found)
    lowest = float(found[known].min()) if known.any() else 0.0
    return np.where(known, found, lowest - 1.0)


def _compare(spec: Spec, pairs: list[Arms]) -> list[Comparison]:
    return compare(
        pairs,
        spec.objective.goals,
        confidence=spec.gate.confidence,
        replicates=spec.gate.replicates,
        seed=spec.seed,
    )


def _challenger_values(arms: Arms, spec: Spec) -> list[float]:
    found = values(arms.columns().sum(axis=0), arms.tasks, spec.objective.goals)[1]
    for name, value in zip(spec.objective.goals, found, strict=True):
        if not np.isfinite(value):
            per = spec.objective.goals[name].per
            raise InvalidDataError(
                f"test period, goal {name}",
                f"no ranked impression has an outcome of {per}, so the ratio has no value",
                "Take a longer test period, or drop the goal",
            )
    return [float(value) for value in found]
