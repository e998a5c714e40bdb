"""Relative changes and their first order: what each user moves, and the delta method."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.arms import Arms
from shopguide.objective.replay import goal_values
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]


def values(totals: Array, tasks: Sequence[str], goals: Mapping[str, Goal]) -> Array:
    """Return F of the reference and of the challenger [..., 2, K].

    Args:
        totals: sums over users of `Arms.columns` [..., 2T + 1].
        tasks: T of them.
        goals: K goals.
    """
    requests, width = totals[..., -1], len(tasks)
    arms = (totals[..., :width], totals[..., width : 2 * width])
    return np.stack([goal_values(arm, requests, tasks, goals) for arm in arms], axis=-2)


def relative_changes(arm_values: Array) -> Array:
    """Return each goal's relative change [..., K] from `values`; not finite where undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        changes: Array = arm_values[..., 1, :] / arm_values[..., 0, :] - 1
    return changes


def influences(arms: Arms, found: Array, goals: Mapping[str, Goal]) -> Array:
    """Return what each user moves each goal's relative change, to first order [U, K].

        IF(F) = (n_u − F · d_u) / Σ d          IF(change) = (IF(F_c) − F_c/F_r · IF(F_r)) / F_r

    Not finite for a goal whose reference is zero.

    Args:
        arms: of the two rankings.
        found: their `values` [2, K].
        goals: K goals.

    Source: Deng, Knoblich, Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, §2.
    """
    reference, challenger = found
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = [
            _moved(arms, sums, value, goals)
            for sums, value in ((arms.reference, reference), (arms.challenger, challenger))
        ]
        relative: Array = (moved[1] - challenger / reference * moved[0]) / reference
    return relative


def delta_errors(arms: Arms, goals: Mapping[str, Goal]) -> tuple[Array, float]:
    """Return the standard errors of each goal's change [K], and of J − 1.

    Args:
        arms: at least two users; no goal of the reference may be zero.
        goals: K goals.
    """
    found = values(arms.columns().sum(axis=0), arms.tasks, goals)
    influence = influences(arms, found, goals)
    weights = np.array([goal.weight for goal in goals.values()])
    correction = len(influence) / (len(influence) - 1)
    each = np.sqrt(correction * (influence**2).sum(axis=0))
    together = np.sqrt(correction * ((influence @ weights) ** 2).sum())
    return each, float(together)


def _moved(arms: Arms, sums: Array, value: Array, goals: Mapping[str, Goal]) -> Array:
    index = {task: position for position, task in enumerate(arms.tasks)}
    columns = []
    for k, goal in enumerate(goals.values()):
        below = arms.requests if goal.per is None else sums[:, index[goal.per]]
        columns.append((sums[:, index[goal.task]] - value[k] * below) / below.sum())
    return np.column_stack(columns)
