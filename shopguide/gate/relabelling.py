"""A/A tests by relabelling, and the gains that each would have needed to be promoted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.arms import Arms
from shopguide.gate.statistics import Comparison, compare
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

Array = NDArray[np.float64]

TOGETHER = 20
"""Comparisons that share the weights of a bootstrap, which take longer to draw than to use.

That ties their errors together, but little: with R replicates, the variance of a rate over the runs
grows by the factor 1 + (TOGETHER − 1)/R: 1.01 for 2,000.
"""


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What the gate found in each A/A run.

    Args:
        estimates: J − 1 [N].
        gain_needed: relative gain of every goal alike above which the bound of J − 1 exceeds
            `min_gain` [N]; ≤ 0 where it does so without any; infinite where J has no value.
        promotion_needed: likewise, above which every goal's margin holds too [N].
        goals_needed: gain of each goal above which its own bound exceeds zero [N, K].
        goals_estimated: relative change of each goal [N, K]; NaN where it has none.
    """

    estimates: Array
    gain_needed: Array
    promotion_needed: Array
    goals_needed: Array
    goals_estimated: Array

    def promoted(self, gain: float = 0.0) -> Array:
        """Return whether each run promotes with a planted gain [N], 0 or 1."""
        return (self.promotion_needed < gain).astype(np.float64)


def relabel(
    arms: Arms,
    goals: Mapping[str, Goal],
    gate: Gate,
    *,
    runs: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Relabelled:
    """Exchange the two rankings for a random half of the users, and judge; many times.

    Neither arm is then the better one, while users, lists and the difference between the two
    rankings stay as they are. A gain g is planted by giving the challenger 1 + g times its
    outcomes: F is a ratio of sums, so a bound L of a change becomes (1 + g)(1 + L) − 1 exactly. A
    goal that is a ratio of outcomes gains through its numerator.

    Args:
        arms: of the two rankings.
        goals: K goals.
        gate: reads `confidence`, `replicates`, `min_gain` (null: 0) and `margins`.
        runs: N.
        seed: of the relabellings and of the bootstraps.
        progress: told the number of runs that are done.
    """
    found = np.empty((runs, 3 + 2 * len(goals)))
    for first in range(0, runs, TOGETHER):
        batch = range(first, min(first + TOGETHER, runs))
        streams = [np.random.SeedSequence([seed, run]) for run in batch]
        exchanged = [np.random.default_rng(s).random(len(arms.requests)) < 0.5 for s in streams]
        judged = compare(
            [arms.swapped(users) for users in exchanged],
            goals,
            confidence=gate.confidence,
            replicates=gate.replicates,
            seed=int(streams[0].generate_state(1, np.uint64)[0]),
        )
        for run, comparison in zip(batch, judged, strict=True):
            changes = [change.estimate if change else np.nan for change in comparison.changes]
            found[run] = [*needed_gains(comparison, list(goals), gate), *changes]
        if progress is not None:
            progress(batch.stop)
    alone, estimated = np.split(found[:, 3:], 2, axis=1)
    return Relabelled(found[:, 0], found[:, 1], found[:, 2], alone, estimated)


def needed_gains(judged: Comparison, goals: list[str], gate: Gate) -> list[float]:
    """Return the estimate of J − 1, and the planted gains from which a run passes.

    They are those of `Relabelled`: for the bound of J − 1, for a promotion, and for each goal
    alone. A run promotes as it is where the second is below 0.

    Args:
        judged: a comparison.
        goals: names of its K goals.
        gate: reads `min_gain` (null: 0) and `margins`.
    """
    lower = [change.lower if change else -1.0 for change in judged.changes]
    alone = [_gain(0.0, bound) for bound in lower]
    if judged.objective is None:
        return [np.nan, np.inf, np.inf, *alone]
    gain = _gain(gate.min_gain or 0.0, judged.objective.lower)
    margins = [
        _gain(-gate.margins.get(name, 0.0), bound) for name, bound in zip(goals, lower, strict=True)
    ]
    return [judged.objective.estimate, gain, max(gain, *margins), *alone]


def _gain(least: float, lower: float) -> float:
    """Return the g that solves (1 + g)(1 + lower) − 1 = least."""
    return (1 + least) / (1 + lower) - 1 if lower > -1 else np.inf
