"""What the challenger gains over what it is compared with: the champion, or a first baseline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.gate.arms import Arms, Slice, rankings, slices
from shopguide.gate.changes import (
    baseline_change,
    goal_changes,
    goal_values_alone,
    objective_change,
    slice_changes,
    undefined_goals,
)
from shopguide.gate.decision import BaselineChange, GoalChange, ObjectiveChange, SliceChange
from shopguide.gate.delta import values
from shopguide.gate.simultaneous import simultaneous_level
from shopguide.gate.statistics import Comparison, replicate
from shopguide.gate.test_set import TestSet
from shopguide.spec import Spec

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gains:
    """The comparison as the decision holds it; the parts that there are.

    Args:
        undefined: goals whose value is zero for the baseline, so that J has none against it.
    """

    goals: dict[str, GoalChange]
    objective: ObjectiveChange | None = None
    slices: tuple[SliceChange, ...] = ()
    baseline: BaselineChange | None = None
    undefined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """The error that all candidates of one run share, and the replicates that can show it.

    Args:
        alpha: one-sided, in (0, 0.5).
        replicates: of the bootstrap.
    """

    alpha: float
    replicates: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What each candidate gains.

    Args:
        gains: in the order of the candidates.
        confidence: of every bound in them, one-sided.
    """

    gains: tuple[Gains, ...]
    confidence: float


def over_champion(
    spec: Spec, test: TestSet, champion: Array, challengers: Sequence[Array], level: Level
) -> Compared:
    """Compare models with the champion, in all and within the declared slices.

    All comparisons have the same replicates, and their bounds hold together.

    Args:
        spec: reads `objective`, `gate` and `seed`.
        test: N impressions with their outcomes.
        champion: score of each impression [N].
        challengers: likewise, C ≥ 1 of them.
        level: error and replicates.
    """
    goals, gate = spec.objective.goals, spec.gate
    whole = [rankings(test.requests, champion, scores, spec.objective) for scores in challengers]
    parts = [
        list(slices(test.table, test.requests, (champion, scores), spec.objective, gate.slices))
        for scores in challengers
    ]
    compared, within, confidence = _compare(spec, whole, parts, level)
    found = tuple(
        Gains(
            goals=goal_changes(one, goals, gate.margins),
            objective=objective_change(one.objective, gate.min_gain),
            slices=slice_changes(part, inside, goals, gate, confidence),
        )
        for one, part, inside in zip(compared, parts, within, strict=True)
    )
    return Compared(found, confidence)


def over_baseline(
    spec: Spec, test: TestSet, challengers: Sequence[Array], level: Level
) -> Compared:
    """Compare first champions with the ranking by the spec's baseline feature, if it names one.

    Args:
        spec: reads `objective`, `gate` and `seed`.
        test: N impressions with their outcomes.
        challengers: score of each impression [N], C ≥ 1 of them.
        level: error and replicates.

    Raises:
        ShopguideError: the test set has no such column, or it holds no numbers.
    """
    feature = spec.gate.baseline
    if feature is None:
        return Compared(tuple(alone(spec, test, scores) for scores in challengers), 1 - level.alpha)
    against = baseline_scores(test, feature)
    arms = [rankings(test.requests, against, scores, spec.objective) for scores in challengers]
    compared, _, confidence = _compare(spec, arms, [[] for _ in arms], level)
    found = tuple(
        replace(
            alone(spec, test, scores),
            baseline=baseline_change(one, feature, spec.objective.goals),
            undefined=undefined_goals(one, spec.objective.goals),
        )
        for one, scores in zip(compared, challengers, strict=True)
    )
    return Compared(found, confidence)


def alone(spec: Spec, test: TestSet, challenger: Array) -> Gains:
    """Return the goals of a challenger that is compared with nothing."""
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


def _compare(
    spec: Spec, whole: list[Arms], parts: list[list[Slice]], level: Level
) -> tuple[list[Comparison], list[list[Comparison]], float]:
    """Compare candidates and their slices with the same replicates, at one level of each bound."""
    drawn = replicate(
        [*whole, *(part.arms for each in parts for part in each)],
        spec.objective.goals,
        replicates=level.replicates,
        seed=spec.seed,
    )
    candidates, rest = drawn[: len(whole)], iter(drawn[len(whole) :])
    gains = [one.gains for one in candidates if one.gains is not None]
    confidence = 1 - simultaneous_level(gains, level.alpha)
    within = [[next(rest).at(confidence) for _ in each] for each in parts]
    return [one.at(confidence) for one in candidates], within, confidence


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
