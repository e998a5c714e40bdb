"""What the gate can and cannot see on a test period: false promotions and power."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.gate.audit_result import Audit, Family, GoalPoint, Nightly, PowerPoint
from shopguide.gate.audited import Audited, own, simulated
from shopguide.gate.families import Families, nightly, several
from shopguide.gate.ledger import Look
from shopguide.gate.relabelling import Relabelled, relabel
from shopguide.gate.spending import replicates_for, spend
from shopguide.spec import Spec
from shopguide.spec.gate import Gate
from shopguide.spec.simulator import Simulator

POWER = 0.8
"""The power at which the minimum detectable gain is stated."""

Progress = Callable[[str, int, int], None]
"""Told the kind of run, how many of them are done, and how many there are."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # gains of the power curve, in standard errors of J − 1

_NORMAL = NormalDist()

_log = logging.getLogger(__name__)


def audit(
    spec: Spec,
    challenger: str | Path | None = None,
    test_set: str | Path | None = None,
    champion: str | Path | None = None,
    *,
    runs: int = 2000,
    challengers: int = 5,
    nights: int = 30,
    wished_gain: float = 0.01,
    progress: Progress | None = None,
) -> Audit:
    """Measure the gate's error rates on a shop's own test period, or on a simulated one.

    Slices and guards are left out: they can only refuse more.

    Args:
        spec: reads `tasks`, `objective`, `gate` and `seed`; no `min_gain` counts as 0.
        challenger: bundle, with fusion weights; None, as `test_set`: the spec's simulator draws a
            test period and two models of equal quality.
        test_set: directory of a training set, or a Parquet file of labelled impressions.
        champion: bundle to compare it with; None or an empty directory: the baseline feature.
        runs: A/A relabellings of each kind.
        challengers: judged at once in the second kind; 1: it is left out.
        nights: runs of one champion in the third kind; 1: it is left out.
        wished_gain: relative gain for which the days of traffic are stated.
        progress: told what is done.

    Raises:
        ShopguideError: an input is missing or broken, the two rank alike, or there is nothing to
            compare with.
    """
    started = time.monotonic()
    audited = _audited(spec, challenger, test_set, champion)
    goals, gate, seed = spec.objective.goals, spec.gate, spec.seed
    tell = progress or _silent
    found = relabel(
        *(audited.arms, goals, gate), runs=runs, seed=seed, progress=_of("one", runs, tell)
    )
    spread = float(np.nanstd(found.estimates))
    if not spread > 0:
        raise ShopguideError(
            str(challenger), f"ranks just like the {audited.against}", "Give another champion"
        )
    result = _audit(spec, audited, found, spread, wished_gain)
    if challengers > 1:
        together = _several(spec, audited, challengers, runs, tell)
        result = replace(result, several=together)
    if nights > 1:
        result = replace(result, nightly=_nightly(spec, audited, nights, result, tell))
    seconds = time.monotonic() - started
    _log.info("audit: %d relabellings of %d users, %.1f s", runs, result.users, seconds)
    return result


def _audited(
    spec: Spec,
    challenger: str | Path | None,
    test_set: str | Path | None,
    champion: str | Path | None,
) -> Audited:
    if challenger is not None and test_set is not None:
        return own(spec, challenger, test_set, champion)
    given = {"--challenger": challenger, "--data": test_set, "--champion": champion}
    named = [name for name, value in given.items() if value is not None]
    if isinstance(spec.data, Simulator) and not named:
        return simulated(spec, spec.data)
    raise ShopguideError(
        "audit",
        f"a bundle and a test set are needed, given is {', '.join(named) or 'neither'}; the "
        f"spec's data are {spec.data.source}",
        "Give --challenger and --data, or neither with a spec whose data.source is simulator",
    )


def _audit(
    spec: Spec,
    audited: Audited,
    found: Relabelled,
    spread: float,
    wished: float,
) -> Audit:
    gate, runs = spec.gate, len(found.estimates)
    min_gain = gate.min_gain or 0.0
    promoted = int(found.promoted().sum())
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
        goal_power=_goal_curves(list(spec.objective.goals), found, gate),
        wished_gain=wished,
        days=audited.days,
        days_needed=_days(audited.days, gate, spread, wished),
        users=audited.users,
        requests=audited.requests,
        against=audited.against,
        confidence=gate.confidence,
        min_gain=min_gain,
        replicates=gate.replicates,
        seed=spec.seed,
    )


def _several(spec: Spec, audited: Audited, challengers: int, runs: int, tell: Progress) -> Family:
    gate = spec.gate
    number = replicates_for(1 - gate.confidence, challengers, gate.replicates)
    found = several(
        audited.arms,
        spec.objective.goals,
        gate.model_copy(update={"replicates": number}),
        challengers=challengers,
        runs=runs,
        seed=spec.seed,
        progress=_of(f"{challengers} challengers at once", runs, tell),
    )
    return Family(challengers, *_rates(found))


def _nightly(spec: Spec, audited: Audited, nights: int, one: Audit, tell: Progress) -> Nightly:
    gate, goals, terms = spec.gate, spec.objective.goals, spec.gate.alpha_spending
    alphas = spent_by_night(gate, nights)
    least = gate.replicates
    numbers = [replicates_for(alpha, 1, least) if alpha > 0 else least for alpha in alphas]
    found = nightly(
        *(audited.arms, goals, gate),
        alphas=alphas,
        replicates=numbers,
        runs=one.runs,
        seed=spec.seed,
        progress=_of(f"{nights} nights", one.runs, tell),
    )
    detectable = days = None
    if alphas[0] > 0:
        first = gate.model_copy(update={"confidence": 1 - alphas[0], "replicates": numbers[0]})
        told = _of("the first night's power", one.runs, tell)
        alone = relabel(*(audited.arms, goals, first), runs=one.runs, seed=spec.seed, progress=told)
        detectable = _detectable(alone.promotion_needed)
        days = _days(audited.days, first, one.standard_error, one.wished_gain)
    rates = _rates(found)
    return Nightly(nights, *rates, terms.function, alphas[0], detectable, days)


def spent_by_night(gate: Gate, nights: int) -> list[float]:
    """Return the error that each of a champion's nights may take, each on fresh data.

    Args:
        gate: reads `confidence` and `alpha_spending`.
        nights: how many.
    """
    looks: list[Look] = []
    for night in range(nights):
        now = Look("champion", (f"challenger {night}",), f"test set {night}", alpha=0.0)
        spending = spend(gate.alpha_spending, 1 - gate.confidence, looks, now)
        looks.append(replace(now, alpha=spending.alpha))
    return [look.alpha for look in looks]


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


def _goal_curves(
    goals: list[str], found: Relabelled, gate: Gate
) -> dict[str, tuple[GoalPoint, ...]]:
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


def _rates(families: Families) -> tuple[int, float, tuple[float, float], float]:
    runs, promoted = len(families.promoted), int(families.promoted.sum())
    uncorrected = float(families.uncorrected.mean())
    return runs, promoted / runs, _exact_interval(promoted, runs), uncorrected


def _of(kind: str, runs: int, tell: Progress) -> Callable[[int], None]:
    return lambda done: tell(kind, done, runs)


def _silent(kind: str, done: int, runs: int) -> None:
    """Tell nobody."""


def _exact_interval(hits: int, runs: int) -> tuple[float, float]:
    from scipy.stats import beta  # a second to import, and a decision does not need it

    low = beta.ppf(0.025, hits, runs - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)
