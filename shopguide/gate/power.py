"""Which gains a gate sees: power curves, the least gain, and the days that a gain needs."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shopguide.gate.audit_result import GoalPoint, PowerPoint, SeasonPoint
from shopguide.gate.relabelling import Relabelled
from shopguide.gate.seasons import Seasons
from shopguide.spec.gate import Gate

POWER = 0.8
"""The power at which the minimum detectable gain is stated."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # gains of a curve, in standard errors

_POINTS, _FAR = 9, 1.5  # of a season's curve: from 1/√nights to so many of a night's errors

_NORMAL = NormalDist()


def power_curve(found: Relabelled, gate: Gate, spread: float) -> tuple[PowerPoint, ...]:
    """Return how often gains of every goal alike are promoted.

    Args:
        found: A/A runs.
        gate: reads `confidence` and `min_gain`.
        spread: standard error of J − 1.
    """
    z, least = _NORMAL.inv_cdf(gate.confidence), gate.min_gain or 0.0
    points = []
    for step in _STEPS:
        gain = least + step * spread
        power = float(found.promoted(gain).mean())
        by_gain = float((found.gain_needed < gain).mean())
        # a planted gain multiplies, so the oracle's test is on the logarithm of J
        oracle = _NORMAL.cdf(math.log((1 + gain) / (1 + least)) / spread - z)
        points.append(PowerPoint(gain, power, by_gain, oracle))
    return tuple(points)


def goal_curves(
    goals: list[str], found: Relabelled, gate: Gate
) -> dict[str, tuple[GoalPoint, ...]]:
    """Return how often a gain of one goal is seen by that goal's own bound; () without spread.

    Args:
        goals: names of the K goals of the runs.
        found: A/A runs.
        gate: reads `confidence`.
    """
    z, curves = _NORMAL.inv_cdf(gate.confidence), {}
    for k, name in enumerate(goals):
        spread = float(np.nanstd(found.goals_estimated[:, k]))
        gains = [step * spread for step in _STEPS] if spread > 0 else []
        curves[name] = tuple(
            GoalPoint(
                gain,
                float((found.goals_needed[:, k] < gain).mean()),
                _NORMAL.cdf(math.log1p(gain) / spread - z),
            )
            for gain in gains
        )
    return curves


def season_curve(
    seasons: Seasons, gate: Gate, alpha: float, spread: float
) -> tuple[SeasonPoint, ...]:
    """Return how often gains that every challenger of a season has are promoted within it.

    Args:
        seasons: without a better challenger.
        gate: reads `confidence`, `min_gain` and `alpha_spending.horizon`.
        alpha: error of the sequence.
        spread: standard error of one night's J − 1.
    """
    nights, least, budget = seasons.nights, gate.min_gain or 0.0, 1 - gate.confidence
    points = []
    for step in np.geomspace(nights**-0.5, _FAR, _POINTS):
        gain = least + float(step) * spread
        found = seasons.by_sequence(alpha, gate.alpha_spending.horizon, gain)
        middle = float(np.median(found)) + 1
        points.append(
            SeasonPoint(
                gain,
                float((found < nights).mean()),
                middle if middle <= nights else None,
                float((seasons.by_night([budget / nights] * nights, gain) < nights).mean()),
                float(seasons.at_the_end(budget, gain).mean()),
            )
        )
    return tuple(points)


def detectable(needed: NDArray[np.float64]) -> float | None:
    """Return the gain that is enough in a share `POWER` of the runs; None: none is."""
    gain = float(np.quantile(needed, POWER, method="higher"))
    return gain if np.isfinite(gain) else None


def days_needed(days: float, gate: Gate, spread: float, wished: float) -> float | None:
    """Return the days at which σ·√(days/needed)·(z_confidence + z_power) fits into the gain."""
    room = wished - (gate.min_gain or 0.0)
    if room <= 0:
        return None
    width = (_NORMAL.inv_cdf(gate.confidence) + _NORMAL.inv_cdf(POWER)) * spread
    return days * (width / room) ** 2


def exact_interval(hits: int, runs: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a rate (Clopper and Pearson, Biometrika 1934)."""
    from scipy.stats import beta  # a second to import, and a decision does not need it

    low = beta.ppf(0.025, hits, runs - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)
