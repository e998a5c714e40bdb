"""Bless a Bento: replay recorded requests against the real service and compare with the bundle."""

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shopguide.bundle import Bundle
from shopguide.features.reading import TrainingSet
from shopguide.packaging.process import HOST, RunningService
from shopguide.spec import Spec

_SHOWN_AT = "shown_at"
_STRANGER = "shopguide-unknown-item"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the replay found.

    Args:
        reasons: what is wrong, as sentences; empty if nothing is.
        requests: lists replayed.
        rows: rows whose predictions were compared.
        largest_difference: |service − bundle| over all rows and tasks, relative to 1 + size.
        p50_ms: median time of a `/rank` answer.
        p99_ms: 99th percentile of it.
        degraded: answers for which the feature store was silent.
    """

    reasons: tuple[str, ...]
    requests: int
    rows: int
    largest_difference: float
    p50_ms: float
    p99_ms: float
    degraded: int


def replay(
    service: RunningService, bundle: Bundle, training_set: str | Path, spec: Spec
) -> Findings:
    """Replay requests of the test period against a running service.

    `/predict` and `/rank` get the recorded inputs and must return the bundle's predictions and
    scores. Then `/rank` gets the user and the candidates, and one that nobody knows, and must
    return each once, best first, from the feature store, in the time that the spec allows.

    Args:
        service: ready.
        bundle: what it should serve.
        training_set: its test period is replayed.
        spec: reads `serving`.
    """
    groups = _recorded(Path(training_set), spec.serving.blessing_requests)
    reasons: list[str] = []
    seconds: list[float] = []
    largest, degraded, rows = 0.0, 0, 0
    connection = http.client.HTTPConnection(HOST, service.port, timeout=30)
    try:
        for group in groups:
            rows += group.num_rows
            answer = _post(connection, "/predict", {"rows": _json_rows(group, bundle)})
            expected = bundle.predict(group)
            largest = max(largest, _difference(answer["predictions"], expected))
            given = _with_recorded_inputs(group, bundle)
            if given is not None:
                ranked = _post(connection, "/rank", given)
                rows_of = {item["item_id"]: item for item in ranked["items"]}
                found = [rows_of[item] for item in given["items"]]
                largest = max(largest, _difference([one["predictions"] for one in found], expected))
                scores = {"score": bundle.score(expected)}
                largest = max(largest, _difference(found, scores))
            items = [*dict.fromkeys(group.column("item_id").to_pylist()), _STRANGER]
            body = {"user_id": group.column("user_id")[0].as_py(), "items": items}
            started = time.perf_counter()
            ranked = _post(connection, "/rank", body)
            seconds.append(time.perf_counter() - started)
            degraded += bool(ranked["degraded"])
            reasons += _wrong(ranked, items, bundle)
    except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
        reasons.append(f"the service broke off: {error}")
    finally:
        connection.close()
    limit = spec.serving.max_score_difference
    if largest > limit:
        reasons.append(f"its predictions differ from the bundle's by {largest:.2g}, over {limit:g}")
    if degraded:
        reasons.append(f"{degraded} of {len(seconds)} answers did without the feature store")
    millis = 1e3 * np.array(seconds or [0.0])
    p99 = float(np.percentile(millis, 99))
    if p99 > spec.serving.max_p99_ms:
        reasons.append(
            f"its slowest answers take {p99:.0f} ms (p99), over {spec.serving.max_p99_ms:g}"
        )
    return Findings(
        reasons=tuple(dict.fromkeys(reasons)),
        requests=len(seconds),
        rows=rows,
        largest_difference=largest,
        p50_ms=float(np.percentile(millis, 50)),
        p99_ms=p99,
        degraded=degraded,
    )


def _recorded(training_set: Path, number: int) -> list[pa.Table]:
    """Return the rows of evenly spread requests of the test period, a table each."""
    table = pq.read_table(TrainingSet.open(training_set).file("test"))
    ids = sorted(pc.unique(table.column("request_id")).to_pylist())
    chosen = ids[:: max(1, len(ids) // number)][:number]
    return [table.filter(pc.equal(table.column("request_id"), one)) for one in chosen]


def _json_rows(table: pa.Table, bundle: Bundle) -> list[dict[str, Any]]:
    names = [entry.name for entry in bundle.manifest.inputs]
    wanted = dict.fromkeys([*names, _SHOWN_AT])
    rows = table.select(list(wanted)).to_pylist()
    return [
        {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows
    ]


def _with_recorded_inputs(table: pa.Table, bundle: Bundle) -> dict[str, Any] | None:
    """Return a body of `/rank` that gives every input itself; None: it is not one list of items."""
    items, times = table.column("item_id").to_pylist(), pc.unique(table.column(_SHOWN_AT))
    if len(set(items)) != len(items) or len(times) != 1:
        return None
    ids = ("user_id", "item_id", _SHOWN_AT)
    rows = [
        {name: value for name, value in row.items() if name not in ids}
        for row in _json_rows(table, bundle)
    ]
    return {
        "user_id": table.column("user_id")[0].as_py(),
        "items": items,
        "features": dict(zip(items, rows, strict=True)),
        "at": times[0].as_py().isoformat(),
    }


def _post(connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    headers = {"Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body).encode(), headers)
    response = connection.getresponse()
    content = response.read()
    if response.status != http.client.OK:
        text = content.decode(errors="replace")[:300]
        msg = f"POST {path} answered {response.status}: {text}"
        raise ValueError(msg)
    return json.loads(content)


def _difference(
    answered: Sequence[Mapping[str, float]], expected: Mapping[str, np.ndarray]
) -> float:
    largest = 0.0
    for task, values in expected.items():
        found = np.array([row[task] for row in answered])
        if found.shape != values.shape:
            return float("inf")
        largest = max(largest, float(np.max(np.abs(found - values) / (1 + np.abs(values)))))
    return largest


def _wrong(answer: Mapping[str, Any], items: Sequence[str], bundle: Bundle) -> list[str]:
    """Return what a ranking breaks of its contract."""
    reasons = []
    returned = [item["item_id"] for item in answer["items"]]
    if sorted(returned) != sorted(items):
        reasons.append("a ranking does not hold each candidate once")
    scores = [item["score"] for item in answer["items"]]
    if scores != sorted(scores, reverse=True) or not np.isfinite(scores).all():
        reasons.append("a ranking is not in the order of its scores")
    tasks = {entry.name for entry in bundle.manifest.tasks}
    if any(set(item["predictions"]) != tasks for item in answer["items"]):
        reasons.append("a ranking lacks the prediction of a task")
    if answer["model_version"] != bundle.manifest.version:
        reasons.append(
            f"it serves version {answer['model_version']}, not {bundle.manifest.version}"
        )
    return reasons
