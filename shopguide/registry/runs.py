"""What happened: promotions, refusals, failures and rollbacks, as MLflow runs."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from shopguide.files import sha256
from shopguide.gate import (
    Decision,
    Evidence,
    Ledger,
    Look,
    PastDecision,
    SpendingTerms,
    read_decision,
)
from shopguide.registry.client import exclusive, experiment, open_client, registry_exists
from shopguide.registry.versions import champion
from shopguide.spec import Spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST = 1000  # entries of a history: three years of nights
_SHOWN = 20  # entries that a report has room for

_LATER = {"blessing": "not_blessed", "registry": "champion_moved"}
"""Reason codes of what the gate promoted, and another place refused."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to the model.

    Args:
        at: when, UTC.
        kind: promoted, refused, invalid (no fair comparison was possible), failed or rollback.
        version: of the champion that it made; None when the champion stayed.
        gain: estimate of J − 1 against the champion; None where none was compared with.
        lower: its lower bound.
        baseline_gain: the same against the baseline, where there was no champion yet.
        baseline_lower: its lower bound.
        reasons: reason codes, or what was said.
        checksum: of the challenger's bundle.
        is_champion: whether it made the champion that serves now; true of one entry at most.
    """

    at: datetime
    kind: str
    version: str | None
    gain: float | None
    lower: float | None
    baseline_gain: float | None
    baseline_lower: float | None
    reasons: Sequence[str]
    checksum: str | None
    is_champion: bool


def log_run(
    client: "MlflowClient",
    spec: Spec,
    kind: str,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float] | None = None,
    files: Mapping[str, Path] | None = None,
    once: str | None = None,
) -> str:
    """Record one thing that happened; the kind is written last, so a half-written run has none.

    Args:
        client: of the registry.
        spec: reads `name`.
        kind: promoted, refused, failed or rollback.
        tags: short texts.
        metrics: numbers.
        files: artifact folder → local file or directory.
        once: what tells it from all else: recorded again, it stands there once, and what was cut
            off is taken up. The caller holds the registry's lock.

    Returns:
        Id of the MLflow run.
    """
    run = begin_run(client, spec, kind, once)
    run_id = str(run.info.run_id)
    if "kind" in run.data.tags:
        return run_id
    for key, value in tags.items():
        client.set_tag(run_id, key, value[:4900])
    for key, number in (metrics or {}).items():
        client.log_metric(run_id, key, number)
    for folder, path in (files or {}).items():
        if path.is_dir():
            client.log_artifacts(run_id, str(path), folder)
        else:
            client.log_artifact(run_id, str(path), folder)
    finish_run(client, run_id, kind)
    return run_id


def begin_run(client: "MlflowClient", spec: Spec, name: str, once: str | None) -> Any:  # noqa: ANN401 - MLflow's Run
    """Return the run that records something; one that has begun already is taken up.

    Args:
        client: of the registry.
        spec: reads `name`.
        name: shown by MLflow.
        once: what tells it from all else; None makes a new one always.
    """
    place = experiment(client, spec)
    if once is None:
        return client.create_run(place, run_name=name)
    key = hashlib.sha256(once.encode()).hexdigest()
    found = client.search_runs([place], filter_string=f"tags.once = '{key}'", max_results=1)
    return found[0] if found else client.create_run(place, run_name=name, tags={"once": key})


def finish_run(client: "MlflowClient", run_id: str, kind: str) -> None:
    """Mark a run as whole."""
    client.set_tag(run_id, "kind", kind)
    client.set_terminated(run_id, status="FAILED" if kind == "failed" else "FINISHED")


def record_refusal(spec: Spec, bundle: str | Path, decision: str | Path, *, reason: str) -> None:
    """Record that a challenger was not promoted; a decision is recorded once, however often asked.

    Args:
        spec: reads `registry`; with `keep_refused` the bundle is kept too.
        bundle: the challenger.
        decision: decision.json or its directory.
        reason: `gate`, `blessing` or `registry`: which of them said no.
    """
    content = read_decision(decision)
    client = open_client(spec)
    file = _decision_file(decision)
    files = {"decision": file}
    if spec.registry.keep_refused:
        files["bundle"] = Path(bundle)
    tags = decision_tags(content) | {"refused_by": reason}
    if not content.reasons:  # the gate promoted
        tags["reasons"] = _LATER.get(reason, "")
    with exclusive(spec):
        log_run(
            client,
            spec,
            "refused",
            tags=tags,
            metrics=decision_metrics(content),
            files=files,
            once=f"refused {sha256(file)}",
        )


def record_run(
    spec: Spec, *, run_id: str, state: str, error: str | None, attempt: str = ""
) -> None:
    """Record a run that failed, once; one that decided has recorded itself.

    Args:
        spec: reads `registry`.
        run_id: id of the pipeline's run.
        state: as KFP names it: SUCCEEDED, FAILED or CANCELLED.
        error: what the failed step said, or KFP's message, if any.
        attempt: what tells two runs of one id apart, such as those of a schedule.
    """
    if state == "SUCCEEDED":
        return
    tags = {"pipeline_run": run_id, "reasons": error or f"the run ended as {state}"}
    client = open_client(spec)
    once = json.dumps(["failed", run_id, attempt, state, error])
    with exclusive(spec):
        log_run(client, spec, "failed", tags=tags, once=once)


def history(spec: Spec) -> list[HistoryEntry]:
    """Return what happened, the newest first."""
    if not registry_exists(spec):
        return []
    client = open_client(spec)
    now = champion(client, spec)
    entries = [_entry(run) for run in _runs(client, spec)]
    for place, entry in enumerate(entries):  # after a rollback, older entries made it too
        if now is not None and entry.version == now.version:
            entries[place] = replace(entry, is_champion=True)
            break
    return entries


def read_ledger(spec: Spec) -> Ledger:
    """Return what the gate is to know of earlier runs: looks at champions, and what came of them.

    Args:
        spec: reads `registry`, `home` and `name`.

    Raises:
        ShopguideError: the registry cannot be reached.
    """
    if not registry_exists(spec):
        return Ledger()
    client = open_client(spec)
    runs = _runs(client, spec)
    entries = [_entry(run) for run in runs[:_SHOWN]]
    return Ledger(
        looks=tuple(look for run in reversed(runs) if (look := _look(run)) is not None),
        history=tuple(map(_past, entries)),
    )


def _past(entry: HistoryEntry) -> PastDecision:
    gain, lower, against = entry.gain, entry.lower, "champion"
    if gain is None and entry.baseline_gain is not None:
        gain, lower, against = entry.baseline_gain, entry.baseline_lower, "popularity"
    head = (_iso(entry.at), entry.kind, entry.version)
    return PastDecision(*head, gain, lower, tuple(entry.reasons), against)


def decision_tags(decision: Decision) -> dict[str, str]:
    """Return the short texts of a decision, its look at the champion among them."""
    tags = {
        "verdict": decision.verdict,
        "reasons": ", ".join(decision.reasons),
        "checksum": decision.challenger.checksum,
    }
    look = decision.look
    if look is not None:
        tags |= {
            "look.champion": look.champion,
            "look.challengers": " ".join(look.challengers),
            "look.test_set": look.test_set,
            "look.alpha": repr(look.alpha),
            "look.terms": look.terms,
        }
        if look.spending is not None:
            tags["look.spending"] = json.dumps(asdict(look.spending))
        if look.evidence is not None:
            tags["look.evidence"] = json.dumps(asdict(look.evidence))
    return tags


def decision_metrics(decision: Decision) -> dict[str, float]:
    """Return the numbers of a decision: J − 1 with its bounds, and each goal's change.

    Without a champion there is no J − 1, and the gain over the baseline stands apart from it.
    """
    metrics: dict[str, float] = {}
    if decision.objective is not None:
        metrics = {
            "gain_estimate": decision.objective.estimate,
            "gain_lower": decision.objective.lower,
            "gain_upper": decision.objective.upper,
        }
    elif decision.baseline is not None:
        metrics = {
            "baseline_gain_estimate": decision.baseline.estimate,
            "baseline_gain_lower": decision.baseline.lower,
        }
    for name, goal in decision.goals.items():
        if goal.change is not None:
            metrics[f"goal_{name}_change"] = goal.change
    return metrics


def _decision_file(decision: str | Path) -> Path:
    path = Path(decision)
    return path / "decision.json" if path.is_dir() else path


def _runs(client: "MlflowClient", spec: Spec) -> list[Any]:
    """Return the runs that are whole, the newest first."""
    found = client.search_runs(
        [experiment(client, spec)],
        filter_string="tags.kind != ''",
        max_results=_MOST,
        order_by=["attributes.start_time DESC"],
    )
    return list(found)


def _look(run: Any) -> Look | None:  # noqa: ANN401 - MLflow's Run
    tags = run.data.tags
    if "look.alpha" not in tags:
        return None
    return Look(
        champion=tags["look.champion"],
        challengers=tuple(tags["look.challengers"].split()),
        test_set=tags["look.test_set"],
        alpha=float(tags["look.alpha"]),
        run=str(run.info.run_id),
        at=_iso(_started(run)),
        terms=tags.get("look.terms", ""),
        spending=_spending_terms(tags.get("look.spending")),
        evidence=_evidence(tags.get("look.evidence")),
    )


def _spending_terms(text: str | None) -> SpendingTerms | None:
    return None if text is None else SpendingTerms(**json.loads(text))


def _evidence(text: str | None) -> Evidence | None:
    return None if text is None else TypeAdapter(Evidence).validate_json(text)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _started(run: Any) -> datetime:  # noqa: ANN401 - MLflow's Run
    return datetime.fromtimestamp((run.info.start_time or time.time() * 1000) / 1000, UTC)


def _entry(run: Any) -> HistoryEntry:  # noqa: ANN401 - MLflow's Run
    tags, metrics = run.data.tags, run.data.metrics
    unfair = tags["kind"] == "refused" and tags.get("verdict") == "invalid"
    said = tags.get("reasons", "")
    codes = tags["kind"] in ("promoted", "refused")  # what people and steps say may hold commas
    return HistoryEntry(
        at=_started(run),
        kind="invalid" if unfair else tags["kind"],
        version=tags.get("version"),
        gain=metrics.get("gain_estimate"),
        lower=metrics.get("gain_lower"),
        baseline_gain=metrics.get("baseline_gain_estimate"),
        baseline_lower=metrics.get("baseline_gain_lower"),
        reasons=tuple(filter(None, said.split(", ") if codes else [said])),
        checksum=tags.get("checksum"),
        is_champion=False,
    )
