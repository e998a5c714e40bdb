"""What the gate can and cannot see on a shop's own test period: false promotions and power."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.gate import models
from shopguide.gate.arms import Arms, rankings
from shopguide.gate.gains import baseline_scores
from shopguide.gate.relabelling import Relabelled, relabel
from shopguide.gate.test_set import TestSet, read_test_set
from shopguide.spec import Spec
from shopguide.spec.gate import Gate

POWER = 0.8
"""The power at which the minimum detectable gain is stated."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # gains of the power curve, in standard errors of J − 1

_NORMAL = NormalDist()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """How often a planted gain is promoted.

    Args:
        gain: of every goal alike, relative.
        power: share of the runs that promote, margins of the goals included.
        by_gain: share of the runs whose bound of J − 1 exceeds `min_gain`.
        oracle: the same for the test that knows the variance: Φ(log((1 + g)/(1 + min_gain))/σ − z).
    """

    gain: float
    power: float
    by_gain: float
    oracle: float


@dataclass(frozen=True, slots=True)
class Audit:
    """The error rates of the gate on one test period.

    Args:
        runs: A/A relabellings.
        false_promotion: share of them that promote.
        false_promotion_ci: its exact 95 % interval (Clopper and Pearson, Biometrika 1934).
        false_gain: share whose bound of J − 1 exceeds `min_gain`: at most about 1 − `confidence`.
        false_by_estimate: share whose estimate does: what a gate without statistics promotes.
        standard_error: of J − 1: its spread over the relabellings.
        power: rising gains.
        minimum_detectable_gain: of every goal alike, promoted with power 0.8; None: out of reach.
        goals: gain of each goal that its own bound shows to be above zero with power 0.8.
        wished_gain: gain that the user asked about.
        days: length of the test period.
        days_needed: length that would show `wished_gain` with power 0.8 at this traffic; None where
            it does not exceed `min_gain`.
        against: what the challenger was compared with: "champion", or the baseline feature.
    """

    runs: int
    false_promotion: float
    false_promotion_ci: tuple[float, float]
    false_gain: float
    false_by_estimate: float
    standard_error: float
    power: tuple[PowerPoint, ...]
    minimum_detectable_gain: float | None
    goals: Mapping[str, float | None]
    wished_gain: float
    days: float
    days_needed: float | None
    users: int
    requests: int
    against: str
    confidence: float
    min_gain: float
    replicates: int
    seed: int

    def to_json(self) -> dict[str, object]:
        """Return the content of audit.json."""
        return asdict(self)


def audit(
    spec: Spec,
    challenger: str | Path,
    test_set: str | Path,
    champion: str | Path | None = None,
    *,
    runs: int = 2000,
    wished_gain: float = 0.01,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Measure the gate's error rates on a shop's own test period.

    Slices and guards are left out: they can only refuse more.

    Args:
        spec: reads `tasks`, `objective`, `gate` and `seed`; no `min_gain` counts as 0.
        challenger: bundle, with fusion weights.
        test_set: directory of a training set, or a Parquet file of labelled impressions.
        champion: bundle to compare it with; None or an empty directory: the baseline feature.
        runs: A/A relabellings.
        wished_gain: relative gain for which the days of traffic are stated.
        progress: told the number of runs that are done.

    Raises:
        ShopguideError: an input is missing or broken, the two rank alike, or there is nothing to
            compare with.
    """
    started = time.monotonic()
    arms, test, against = _arms(spec, challenger, test_set, champion)
    found = relabel(
        arms, spec.objective.goals, spec.gate, runs=runs, seed=spec.seed, progress=progress
    )
    spread = float(np.nanstd(found.estimates))
    if not spread > 0:
        raise ShopguideError(
            str(challenger), f"ranks just like the {against}", "Give another champion"
        )
    result = _audit(spec, test, found, spread, wished_gain, against)
    _log.info(
        "audit: %d relabellings of %d users, %.1f s",
        runs,
        result.users,
        time.monotonic() - started,
    )
    return result


def _audit(
    spec: Spec, test: TestSet, found: Relabelled, spread: float, wished: float, against: str
) -> Audit:
    gate, runs = spec.gate, len(found.estimates)
    min_gain = gate.min_gain or 0.0
    promoted = int(found.promoted().sum())
    days = max((test.last - test.first).total_seconds() / 86_400, 1 / 24)
    alone = zip(spec.objective.goals, found.goals_needed.T, strict=True)
    return Audit(
        runs=runs,
        false_promotion=promoted / runs,
        false_promotion_ci=_exact_interval(promoted, runs),
        false_gain=float((found.gain_needed < 0).mean()),
        false_by_estimate=float((found.estimates > min_gain).mean()),
        standard_error=spread,
        power=_curve(found, gate, spread),
        minimum_detectable_gain=_detectable(found.promotion_needed),
        goals={name: _detectable(needed) for name, needed in alone},
        wished_gain=wished,
        days=days,
        days_needed=_days(days, gate, spread, wished),
        users=test.requests.users,
        requests=len(test.requests.user),
        against=against,
        confidence=gate.confidence,
        min_gain=min_gain,
        replicates=gate.replicates,
        seed=spec.seed,
    )


def _arms(
    spec: Spec, challenger: str | Path, path: str | Path, champion: str | Path | None
) -> tuple[Arms, TestSet, str]:
    judged, held = models.open_challenger(challenger, spec), models.open_champion(champion)
    feature = spec.gate.baseline
    if held is None and feature is None:
        raise ShopguideError(
            "spec gate.baseline",
            "there is neither a champion nor a baseline to compare with",
            "Give --champion, or name a numeric input as gate.baseline",
        )
    named = [feature] if feature else []
    test = read_test_set(path, spec, [*models.input_columns(judged, held), *named])
    if held is not None:
        reference, against = models.score(held, test.table).scores, "champion"
    else:
        assert feature is not None, "one of the two is there"
        reference, against = baseline_scores(test, feature), f"ranking by {feature}"
    scores = models.score(judged, test.table).scores
    return rankings(test.requests, reference, scores, spec.objective), test, against


def _curve(found: Relabelled, gate: Gate, spread: float) -> tuple[PowerPoint, ...]:
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


def _detectable(needed: NDArray[np.float64]) -> float | None:
    """Return the gain that is enough in a share `POWER` of the runs; None: none is."""
    gain = float(np.quantile(needed, POWER, method="higher"))
    return gain if np.isfinite(gain) else None


def _days(days: float, gate: Gate, spread: float, wished: float) -> float | None:
    """Return the days at which σ·√(days/needed)·(z_confidence + z_power) fits into the gain."""
    room = wished - (gate.min_gain or 0.0)
    if room <= 0:
        return None
    width = (_NORMAL.inv_cdf(gate.confidence) + _NORMAL.inv_cdf(POWER)) * spread
    return days * (width / room) ** 2


def _exact_interval(hits: int, runs: int) -> tuple[float, float]:
    from scipy.stats import beta  # a second to import, and a decision does not need it

    low = beta.ppf(0.025, hits, runs - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)
