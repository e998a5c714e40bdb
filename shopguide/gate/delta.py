"""The delta method: standard errors without replicates, for the audit and as a second opinion."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.arms import Arms
from shopguide.gate.statistics import values
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]


def influences(arms: Arms, goals: Mapping[str, Goal]) -> Array:
    """Return what each user moves each goal's relative change, to first order [U, K].

        IF(F) = (n_u − F · d_u) / Σ d          IF(change) = (IF(F_c) − F_c/F_r · IF(F_r)) / F_r

    Args:
        arms: no goal of the reference may be zero.
        goals: K goals.

    Source: Deng, Knoblich, Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, §2.
    """
    totals = arms.columns().sum(axis=0)
    reference, challenger = values(totals, arms.tasks, goals)
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
    influence = influences(arms, goals)
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
