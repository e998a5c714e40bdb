"""Decide whether one of the challengers replaces the champion."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from shopguide.bundle import Bundle
from shopguide.errors import ShopguideError
from shopguide.features.reading import TrainingSet
from shopguide.features.training_set import SUMMARY
from shopguide.gate import models
from shopguide.gate.arms import require_slice
from shopguide.gate.case import Case
from shopguide.gate.decision import Decision
from shopguide.gate.gains import baseline_scores
from shopguide.gate.judge import judge
from shopguide.gate.ledger import Ledger
from shopguide.gate.report import write_report
from shopguide.gate.test_set import TestSet, read_test_set
from shopguide.spec import Spec

_log = logging.getLogger(__name__)


def decide(
    spec: Spec,
    challenger: str | Path | Sequence[str | Path],
    test_set: str | Path,
    out: str | Path,
    champion: str | Path | None = None,
    champion_version: str | None = None,
    *,
    ledger: Ledger | None = None,
    tried: int | None = None,
    latencies: Mapping[str, float] | None = None,
) -> Decision:
    """Judge challengers on the test period; write decision.json, report.md and report.html.

    Equal bundles, test set, ledger, spec and seed give an equal decision, bit for bit but for the
    measured latency; with that given too, the files are equal.

    Args:
        spec: reads `tasks`, `objective`, `gate`, `seed`, `title` and `notes`.
        challenger: bundle to judge, its λ solved on the validation period; or several, of which
            the best that passes is promoted.
        test_set: directory of a training set, or a Parquet file of labelled impressions.
        out: directory to write, whole or not at all.
        champion: bundle in production; None, or an empty directory: there is none.
        champion_version: its version in the registry.
        ledger: earlier looks at champions and the history; None: this is the first.
        tried: how many candidates were compared on this test period, those given here included;
            None: these are all.
        latencies: p99 in ms measured before, by checksum of the bundle, to repeat a decision.

    Raises:
        ShopguideError: an input is missing, broken, or does not belong to the spec.
        InvalidDataError: an outcome of the test set is not what its task allows.
    """
    decision = reach_decision(
        spec,
        challenger,
        test_set,
        champion,
        champion_version,
        ledger=ledger,
        tried=tried,
        latencies=latencies,
    )
    write_report(decision, out)
    return decision


def reach_decision(
    spec: Spec,
    challenger: str | Path | Sequence[str | Path],
    test_set: str | Path,
    champion: str | Path | None = None,
    champion_version: str | None = None,
    *,
    ledger: Ledger | None = None,
    tried: int | None = None,
    latencies: Mapping[str, float] | None = None,
) -> Decision:
    """Judge challengers on the test period, and write nothing; arguments as of `decide`."""
    started = time.monotonic()
    judged = _open(challenger, spec, tried)
    held = models.open_champion(champion)
    test = _read(spec, test_set, judged, held)
    if tried is not None and tried > len(judged):
        _refuse_unseen(spec, tried, len(judged), held is not None)
    known = (ledger or Ledger()).of(held.manifest.checksum if held else None)
    decision = judge(
        Case(
            spec=spec,
            test=test,
            challengers=judged,
            champion=held,
            champion_version=champion_version,
            tried=tried or len(judged),
            ledger=known,
            latencies=latencies or {},
        )
    )
    _log.info(
        "gate: %s%s; %d of %d candidates, %d users, %d requests, %d impressions, %.1f s",
        decision.verdict,
        f" ({', '.join(decision.reasons)})" if decision.reasons else "",
        sum(not candidate.reasons for candidate in decision.candidates),
        len(decision.candidates),
        decision.counts.users,
        decision.counts.requests,
        decision.counts.impressions,
        time.monotonic() - started,
    )
    return decision


def _open(
    challenger: str | Path | Sequence[str | Path], spec: Spec, tried: int | None
) -> tuple[Bundle, ...]:
    paths = [challenger] if isinstance(challenger, str | Path) else list(challenger)
    if not paths:
        raise ShopguideError("--challenger", "none was given", "Name a bundle to judge")
    bundles = tuple(models.open_challenger(path, spec) for path in paths)
    first: dict[str, str | Path] = {}
    for path, bundle in zip(paths, bundles, strict=True):
        checksum = bundle.manifest.checksum
        if checksum in first:
            raise ShopguideError(
                str(path), f"is the same bundle as {first[checksum]}", "Give each candidate once"
            )
        first[checksum] = path
    if tried is not None and tried < len(bundles):
        raise ShopguideError(
            f"--tried {tried}",
            f"is below the number of challengers, {len(bundles)}",
            "Count every candidate that was compared on this test period",
        )
    return bundles


def _refuse_unseen(spec: Spec, tried: int, here: int, held: bool) -> None:
    """Refuse candidates that were dropped by their outcomes: a sequence needs the mean of all."""
    if held and spec.gate.alpha_spending.function == "confidence_sequence":
        raise ShopguideError(
            f"--tried {tried}",
            f"{here} of them are given, and gate.alpha_spending.function is confidence_sequence, "
            "which adds the mean of all that were compared",
            "Give every candidate, or choose one on the validation period",
        )


def _read(spec: Spec, path: str | Path, judged: Sequence[Bundle], held: Bundle | None) -> TestSet:
    gate = spec.gate
    named = [*gate.slices, *([gate.baseline] if gate.baseline else [])]
    _same_features(path, judged)
    test = read_test_set(path, spec, [*models.input_columns(*judged, held), *named])
    for bundle in judged:
        missing = models.missing_inputs(bundle, test.table)
        if missing:
            raise ShopguideError(
                str(test.path),
                f"lacks the columns {', '.join(missing)}, which {bundle.path} reads",
                "Build the training set with the spec that the bundle was trained with",
            )
    for column in gate.slices:  # what the spec names must be there, whether it is needed or not
        require_slice(test.table, column)
    if gate.baseline:
        baseline_scores(test, gate.baseline)
    return test


def _same_features(path: str | Path, judged: Sequence[Bundle]) -> None:
    """Refuse a challenger of other features than the data; the champion's are a guard."""
    if not Path(path).is_dir():
        return
    found = TrainingSet.open(path).feature_service
    for bundle in judged:
        asked = bundle.manifest.feature_service
        if asked != found:
            raise ShopguideError(
                f"{path}/{SUMMARY} feature_service",
                f"is {found}, and {bundle.path} was trained on {asked}",
                "Judge it on a training set of its own features, or train it again",
            )
