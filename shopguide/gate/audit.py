"""What the gate can and cannot see on a test period: false promotions and power."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from shopguide.errors import ShopguideError
from shopguide.gate.audit_result import Audit
from shopguide.gate.audited import Audited, own, simulated
from shopguide.gate.family_audit import Progress, audit_nights, audit_several, progress_of
from shopguide.gate.power import days_needed, detectable, exact_interval, goal_curves, power_curve
from shopguide.gate.relabelling import Relabelled, relabel
from shopguide.spec import Spec
from shopguide.spec.simulator import Simulator

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
        *(audited.arms, goals, gate), runs=runs, seed=seed, progress=progress_of("one", runs, tell)
    )
    spread = float(np.nanstd(found.estimates))
    if not spread > 0:
        raise ShopguideError(
            str(challenger), f"ranks just like the {audited.against}", "Give another champion"
        )
    result = _audit(spec, audited, found, spread, wished_gain)
    if challengers > 1:
        together = audit_several(spec, audited, challengers, runs, tell)
        result = replace(result, several=together)
    if nights > 1:
        result = replace(result, nightly=audit_nights(spec, audited, nights, result, tell))
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
        false_promotion_ci=exact_interval(promoted, runs),
        false_gain=float((found.gain_needed < 0).mean()),
        false_by_estimate=float((found.estimates > min_gain).mean()),
        standard_error=spread,
        power=power_curve(found, gate, spread),
        minimum_detectable_gain=detectable(found.promotion_needed),
        goals={name: detectable(needed) for name, needed in alone},
        goal_power=goal_curves(list(spec.objective.goals), found, gate),
        wished_gain=wished,
        days=audited.days,
        days_needed=days_needed(audited.days, gate, spread, wished),
        users=audited.users,
        requests=audited.requests,
        against=audited.against,
        confidence=gate.confidence,
        min_gain=min_gain,
        replicates=gate.replicates,
        seed=spec.seed,
    )


def _silent(kind: str, done: int, runs: int) -> None:
    """Tell nobody."""
