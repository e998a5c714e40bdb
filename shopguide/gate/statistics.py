"""Intervals of relative changes, from the replicates of the bootstrap.

change_k = F_k(challenger) / F_k(reference) − 1
J − 1 = Σ_k ω_k · change_k           Σ ω_k = 1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.bootstrap import bootstrap_totals, grid_totals
from shopguide.evaluation.interval import Interval, Spread
from shopguide.gate.arms import Arms
from shopguide.gate.delta import influences, relative_changes, values
from shopguide.gate.simultaneous import simultaneous_level
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against a reference, goal by goal and together.

    Args:
        reference: F of each goal [K], per request and in the goal's unit.
        challenger: likewise.
        changes: interval of each goal; None where the reference's value is zero in the data or in
            any replicate: the relative change has no finite spread then.
        objective: interval of J − 1; None where a weighted goal has none.
        spreads: what the intervals were read from, goal by goal; None as in `changes`.
    """

    reference: Array
    challenger: Array
    changes: tuple[Interval | None, ...]
    objective: Interval | None
    spreads: tuple[Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Replicated:
    """A challenger against a reference before a level is chosen.

    Args:
        reference: F of each goal [K].
        challenger: likewise.
        spreads: of each goal's relative change; None where it has none.
        objective: spread of J − 1; None where a weighted goal has none.
        gains: J − 1 of each replicate [R], in their order; None as `objective`.
    """

    reference: Array
    challenger: Array
    spreads: tuple[Spread | None, ...]
    objective: Spread | None
    gains: Array | None

    def at(self, confidence: float) -> Comparison:
        """Return the comparison with each bound one-sided at `confidence`."""
        return Comparison(
            self.reference,
            self.challenger,
            tuple(spread.interval(confidence) if spread else None for spread in self.spreads),
            self.objective.interval(confidence) if self.objective else None,
            self.spreads,
        )


def compare(
    pairs: Sequence[Arms],
    goals: Mapping[str, Goal],
    *,
    confidence: float,
    replicates: int,
    seed: int,
) -> list[Comparison]:
    """Compare several pairs of arms, all with the same replicate weights.

    Args:
        pairs: over the same users in the same order.
        goals: K goals.
        confidence: of each bound, one-sided.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    drawn = replicate(pairs, goals, replicates=replicates, seed=seed)
    return [one.at(confidence) for one in drawn]


def compare_candidates(
    pairs: Sequence[Arms],
    goals: Mapping[str, Goal],
    *,
    confidence: float,
    replicates: int,
    seed: int,
) -> tuple[list[Comparison], float]:
    """Compare C candidates with one reference so that all bounds of J − 1 hold together.

    Args:
        pairs: one a candidate, over the same users in the same order.
        goals: K goals.
        confidence: that no candidate's J − 1 is below its bound.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The comparisons, and the confidence of each single bound.
    """
    drawn = replicate(pairs, goals, replicates=replicates, seed=seed)
    single = 1 - simultaneous_level(
        [one.gains for one in drawn if one.gains is not None], 1 - confidence
    )
    return [one.at(single) for one in drawn], single


def replicate(
    pairs: Sequence[Arms], goals: Mapping[str, Goal], *, replicates: int, seed: int
) -> list[Replicated]:
    """Draw the replicates of several pairs of arms, all with the same weights.

    Args:
        pairs: over the same users in the same order.
        goals: K goals.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    columns = [arms.columns() for arms in pairs]
    side_by_side = np.concatenate(columns, axis=1)
    ends = np.cumsum([part.shape[1] for part in columns])[:-1]
    totals = np.split(grid_totals(side_by_side), ends)
    replicated = bootstrap_totals(side_by_side, replicates=replicates, seed=seed)
    drawn = np.split(replicated, ends, axis=1)
    return [
        _replicated(arms, values(t, arms.tasks, goals), values(d, arms.tasks, goals), goals)
        for arms, t, d in zip(pairs, totals, drawn, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values: each may be held against the level of the whole family.

        p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) · p_(j))

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _replicated(arms: Arms, found: Array, drawn: Array, goals: Mapping[str, Goal]) -> Replicated:
    changes, draws = relative_changes(found), relative_changes(drawn)
    defined = np.isfinite(changes) & np.isfinite(draws).all(axis=0)
    influence = influences(arms, found, goals)
    spreads = tuple(
        Spread.of(float(changes[k]), draws[:, k], influence[:, k]) if defined[k] else None
        for k in range(len(changes))
    )
    weights = np.array([goal.weight for goal in goals.values()])
    counted = weights > 0
    objective = gains = None
    if defined[counted].all():
        share = weights[counted]
        gains = (draws[:, counted] * share).sum(axis=1)
        objective = Spread.of(
            float((changes[counted] * share).sum()),
            gains,
            (influence[:, counted] * share).sum(axis=1),
        )
    return Replicated(found[0], found[1], spreads, objective, gains)
