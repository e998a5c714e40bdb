"""What happened: promotions, refusals, failures and rollbacks, as MLflow runs."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopguide.errors import ShopguideError
from shopguide.registry.client import experiment, open_client
from shopguide.registry.versions import champion
from shopguide.spec import Spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST = 1000  # entries of a history: three years of nights


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to the model.

    Args:
        at: when, UTC.
        kind: promoted, refused, failed or rollback.
        version: of the champion that it made; None when the champion stayed.
        gain: estimate of J − 1; None where nothing was compared.
        lower: its lower bound.
        reasons: reason codes, or what was said.
        checksum: of the challenger's bundle.
        is_champion: whether its version serves now.
    """

    at: datetime
    kind: str
    version: str | None
    gain: float | None
    lower: float | None
    reasons: Sequence[str]
    checksum: str | None
    is_champion: bool


def read_decision(decision: str | Path) -> dict[str, Any]:
    """Read decision.json from its file or the directory that holds it.

    Raises:
        ShopguideError: there is none, or it is not one.
    """
    path = Path(decision)
    path = path / "decision.json" if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or "verdict" not in content or "challenger" not in content:
        raise ShopguideError(
            str(path), "is no decision", "Give what `shopguide gate decide` wrote"
        ) from None
    return content


def log_run(
    client: "MlflowClient",
    spec: Spec,
    kind: str,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float] | None = None,
    files: Mapping[str, Path] | None = None,
) -> str:
    """Record one thing that happened; the kind is written last, so a half-written run has none.

    Args:
        client: of the registry.
        spec: reads `name`.
        kind: promoted, refused, failed or rollback.
        tags: short texts.
        metrics: numbers.
        files: artifact folder → local file or directory.

    Returns:
        Id of the MLflow run.
    """
    run = client.create_run(experiment(client, spec), run_name=kind)
    run_id = str(run.info.run_id)
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


def finish_run(client: "MlflowClient", run_id: str, kind: str) -> None:
    """Mark a run as whole."""
    client.set_tag(run_id, "kind", kind)
    client.set_terminated(run_id, status="FAILED" if kind == "failed" else "FINISHED")


def record_refusal(spec: Spec, bundle: str | Path, decision: str | Path, *, reason: str) -> None:
    """Record that a challenger was not promoted.

    Args:
        spec: reads `registry`; with `keep_refused` the bundle is kept too.
        bundle: the challenger.
        decision: decision.json or its directory.
        reason: `gate` or `blessing`: which of the two said no.
    """
    content = read_decision(decision)
    client = open_client(spec)
    files = {"decision": _decision_file(decision)}
    if spec.registry.keep_refused:
        files["bundle"] = Path(bundle)
    log_run(
        client,
        spec,
        "refused",
        tags=decision_tags(content) | {"refused_by": reason},
        metrics=decision_metrics(content),
        files=files,
    )


def record_run(spec: Spec, *, run_id: str, state: str, error: str | None) -> None:
    """Record a run that failed; one that decided has recorded itself.

    Args:
        spec: reads `registry`.
        run_id: id of the pipeline's run.
        state: as KFP names it: SUCCEEDED, FAILED or CANCELLED.
        error: KFP's message, if any.
    """
    if state == "SUCCEEDED":
        return
    tags = {"pipeline_run": run_id, "reasons": error or f"the run ended as {state}"}
    log_run(open_client(spec), spec, "failed", tags=tags)


def history(spec: Spec) -> list[HistoryEntry]:
    """Return what happened, the newest first."""
    client = open_client(spec)
    now = champion(client, spec)
    runs = client.search_runs(
        [experiment(client, spec)],
        filter_string="tags.kind != ''",
        max_results=_MOST,
        order_by=["attributes.start_time DESC"],
    )
    return [_entry(run, None if now is None else now.version) for run in runs]


def decision_tags(decision: Mapping[str, Any]) -> dict[str, str]:
    """Return the short texts of a decision."""
    challenger = decision["challenger"]
    return {
        "verdict": str(decision["verdict"]),
        "reasons": ", ".join(decision.get("reasons", [])),
        "checksum": str(challenger["checksum"]),
    }


def decision_metrics(decision: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a decision: J − 1 with its bounds, and each goal's change."""
    metrics: dict[str, float] = {}
    objective = decision.get("objective") or {}
    for name in ("estimate", "lower", "upper"):
        if objective.get(name) is not None:
            metrics[f"gain_{name}"] = float(objective[name])
    for goal, row in (decision.get("goals") or {}).items():
        if row.get("change") is not None:
            metrics[f"goal_{goal}_change"] = float(row["change"])
    return metrics


def _decision_file(decision: str | Path) -> Path:
    path = Path(decision)
    return path / "decision.json" if path.is_dir() else path


def _entry(run: Any, champion_version: str | None) -> HistoryEntry:  # noqa: ANN401 - MLflow's Run
    tags, metrics = run.data.tags, run.data.metrics
    version = tags.get("version")
    reasons = tags.get("reasons", "")
    return HistoryEntry(
        at=datetime.fromtimestamp((run.info.start_time or time.time() * 1000) / 1000, UTC),
        kind=tags["kind"],
        version=version,
        gain=metrics.get("gain_estimate"),
        lower=metrics.get("gain_lower"),
        reasons=tuple(reason for reason in reasons.split(", ") if reason),
        checksum=tags.get("checksum"),
        is_champion=version is not None and version == champion_version,
    )
