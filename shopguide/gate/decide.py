"""Decide whether a challenger replaces the champion."""

import logging
import time
from pathlib import Path

from shopguide.bundle import Bundle
from shopguide.errors import ShopguideError
from shopguide.gate import models
from shopguide.gate.decision import Decision
from shopguide.gate.judge import Case, judge
from shopguide.gate.report import write_report
from shopguide.gate.test_set import TestSet, read_test_set
from shopguide.spec import Spec

_log = logging.getLogger(__name__)


def decide(
    spec: Spec,
    challenger: str | Path,
    test_set: str | Path,
    out: str | Path,
    champion: str | Path | None = None,
    champion_version: str | None = None,
    *,
    latency_ms: float | None = None,
) -> Decision:
    """Judge a challenger on the test period; write decision.json, report.md and report.html.

    Equal bundles, test set, spec and seed give an equal decision, bit for bit but for the measured
    latency; with that given too, the files are equal.

    Args:
        spec: reads `tasks`, `objective`, `gate`, `seed`, `title` and `notes`.
        challenger: bundle to judge, its λ solved on the validation period.
        test_set: directory of a training set, or a Parquet file of labelled impressions.
        out: directory to write, whole or not at all.
        champion: bundle in production; None, or an empty directory: there is none.
        champion_version: its version in the registry.
        latency_ms: a p99 that was measured before, to repeat a decision; None: measure.

    Raises:
        ShopguideError: an input is missing, broken, or does not belong to the spec.
        InvalidDataError: an outcome of the test set is not what its task allows.
    """
    started = time.monotonic()
    judged = models.open_challenger(challenger, spec)
    held = models.open_champion(champion)
    test = _read(spec, test_set, judged, held)
    decision = judge(Case(spec, test, judged, held, champion_version, latency_ms))
    write_report(decision, out)
    _log.info(
        "gate: %s%s; %d users, %d requests, %d impressions, %.1f s",
        decision.verdict,
        f" ({', '.join(decision.reasons)})" if decision.reasons else "",
        decision.counts.users,
        decision.counts.requests,
        decision.counts.impressions,
        time.monotonic() - started,
    )
    return decision


def _read(spec: Spec, path: str | Path, judged: Bundle, held: Bundle | None) -> TestSet:
    named = [*spec.gate.slices, *([spec.gate.baseline] if spec.gate.baseline else [])]
    test = read_test_set(path, spec, [*models.input_columns(judged, held), *named])
    missing = models.missing_inputs(judged, test.table)
    if missing:
        raise ShopguideError(
            str(test.path),
            f"lacks the columns {', '.join(missing)}, which {judged.path} reads",
            "Build the training set with the spec that the bundle was trained with",
        )
    return test
