"""From intervals to the changes that a decision holds, each with what it must reach."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shopguide.evaluation.interval import Interval
from shopguide.gate.arms import Slice
from shopguide.gate.decision import (
    BaselineChange,
    BaselineGoal,
    GoalChange,
    ObjectiveChange,
    SliceChange,
)
from shopguide.gate.statistics import Comparison, holm
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal


def objective_change(interval: Interval | None, min_gain: float | None) -> ObjectiveChange | None:
    """Return J − 1 with whether its lower bound exceeds the gain that is asked for."""
    if interval is None:
        return None
    passes = min_gain is not None and interval.lower > min_gain
    return ObjectiveChange(interval.estimate, interval.lower, interval.upper, min_gain, passes)


def goal_changes(
    comparison: Comparison, goals: Mapping[str, Goal], margins: Mapping[str, float]
) -> dict[str, GoalChange]:
    """Return each goal's change with whether its lower bound stays above −margin.

    Args:
        comparison: of champion and challenger.
        goals: K goals.
        margins: relative loss tolerated by goal; 0 where none is given.
    """
    found = {}
    for k, (name, goal) in enumerate(goals.items()):
        interval, margin = comparison.changes[k], margins.get(name, 0.0)
        found[name] = GoalChange(
            title=goal.title or name,
            weight=goal.weight,
            champion=float(comparison.reference[k]),
            challenger=float(comparison.challenger[k]),
            change=interval.estimate if interval else None,
            lower=interval.lower if interval else None,
            upper=interval.upper if interval else None,
            margin=margin,
            passes=interval.lower > -margin if interval else None,
        )
    return found


def goal_values_alone(
    values: Sequence[float], goals: Mapping[str, Goal], margins: Mapping[str, float]
) -> dict[str, GoalChange]:
    """Return the goals of a challenger that has no champion to be compared with.

    Args:
        values: F of each goal [K].
        goals: K goals.
        margins: relative loss that will be tolerated by goal.
    """
    return {
        name: GoalChange(
            title=goal.title or name,
            weight=goal.weight,
            champion=None,
            challenger=float(value),
            change=None,
            lower=None,
            upper=None,
            margin=margins.get(name, 0.0),
            passes=None,
        )
        for (name, goal), value in zip(goals.items(), values, strict=True)
    }


def baseline_change(
    comparison: Comparison, feature: str, goals: Mapping[str, Goal]
) -> BaselineChange | None:
    """Return the comparison with a feature's ranking; None where a goal of it is zero.

    Args:
        comparison: of the feature and the challenger.
        feature: its name.
        goals: K goals.
    """
    total = comparison.objective
    if total is None:
        return None
    shown = {
        name: BaselineGoal(
            baseline=float(comparison.reference[k]),
            challenger=float(comparison.challenger[k]),
            change=interval.estimate,
            lower=interval.lower,
            upper=interval.upper,
        )
        for k, name in enumerate(goals)
        if (interval := comparison.changes[k]) is not None
    }
    return BaselineChange(
        feature=feature,
        estimate=total.estimate,
        lower=total.lower,
        upper=total.upper,
        min_gain=0.0,
        passes=total.lower > 0,
        goals=shown,
    )


def undefined_goals(comparison: Comparison, goals: Mapping[str, Goal]) -> tuple[str, ...]:
    """Return the goals for which J has no value; none where it has one.

    Args:
        comparison: of a reference and the challenger.
        goals: K goals.
    """
    if comparison.objective is not None:
        return ()
    changes = zip(goals.items(), comparison.changes, strict=True)
    return tuple(name for (name, goal), found in changes if found is None and goal.weight > 0)


def slice_changes(
    slices: Sequence[Slice],
    comparisons: Sequence[Comparison],
    goals: Mapping[str, Goal],
    gate: Gate,
    confidence: float,
) -> tuple[SliceChange, ...]:
    """Return each goal's change within each slice, Holm-adjusted over all that can be judged.

    Args:
        slices: of the test set.
        comparisons: of each slice, in the same order, at `confidence`.
        goals: K goals.
        gate: reads `margins`, `slice_margin` and `min_users`.
        confidence: that no slice is passed which loses more than its margin.
    """
    rows = [
        _slice_change(part, name, k, comparison, gate)
        for part, comparison in zip(slices, comparisons, strict=True)
        for k, name in enumerate(goals)
    ]
    judged = [row for row in rows if row.p is not None]
    adjusted = iter(holm([row.p for row in judged if row.p is not None]))
    level = 1 - confidence
    return tuple(row if row.p is None else _adjusted(row, next(adjusted), level) for row in rows)


def _slice_change(
    part: Slice, goal: str, k: int, comparison: Comparison, gate: Gate
) -> SliceChange:
    interval, spread = comparison.changes[k], comparison.spreads[k]
    margin = gate.margins.get(goal, 0.0) if gate.slice_margin is None else gate.slice_margin
    judged = spread if part.users >= gate.min_users else None
    return SliceChange(
        column=part.column,
        value=part.value,
        goal=goal,
        users=part.users,
        change=interval.estimate if interval else None,
        lower=interval.lower if interval else None,
        upper=interval.upper if interval else None,
        margin=margin,
        p=judged.p_value_of_loss(margin) if judged else None,
        p_holm=None,
        passes=None,
    )


def _adjusted(row: SliceChange, p_holm: float, level: float) -> SliceChange:
    return replace(row, p_holm=p_holm, passes=p_holm <= level)
