"""The spec of the default shop's feedback reads what the service writes for the default shop."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.feedback_rows import Rules
from serving.schemas import FeedbackRequest
from shopguide.errors import ShopguideError
from shopguide.features import materialize_features
from shopguide.logs import prepare_logs
from shopguide.spec import Spec, load_spec

SPECS = Path(__file__).parents[2] / "specs"
NOW = datetime(2026, 1, 5, tzinfo=UTC)
CONTEXT = {
    "place_id": "400",
    "display": "1",
    "mailer": "A",
    "candidates": 3,
    "candidates_in_category": 2,
    "coupon_live": 1,
}


def _batch(day: datetime) -> FeedbackRequest:
    at, request = day.isoformat(), f"r{day:%j}"
    who = {"request_id": request, "user_id": f"u{day.day % 4}", "at": at}
    impressions = [
        who | {"event_id": f"{request}:{n}", "item_id": f"i{n}", "position": n, "context": CONTEXT}
        for n in (1, 2, 3)
    ]
    bought = {"event_id": f"{request}:p", "kind": "purchase", "value": 2.5, "currency": "USD"}
    events = [
        who | bought | {"item_id": "i1"},
        who | {"event_id": f"{request}:c", "kind": "click", "item_id": "i1"},
        who | {"event_id": f"{request}:t", "kind": "cart", "item_id": "i1"},
    ]
    return FeedbackRequest.model_validate({"impressions": impressions, "events": events})


def _feedback(folder: Path, suffix: str) -> Path:
    """Write the rows of a list a day as the service does."""
    rules = Rules.of(load_spec(SPECS / "complete_journey.yaml"))
    folder.mkdir()
    days = [datetime(2025, 2, 3, 12, tzinfo=UTC) + timedelta(n) for n in range(330)]
    found = [rules.rows(_batch(day), NOW) for day in days]
    for table in ("impressions", "events"):
        lines = [json.dumps(row) + "\n" for rows in found for row in getattr(rows, table)]
        (folder / f"{table}.jsonl{suffix}").write_text("".join(lines))
    return folder


def _spec(folder: Path, home: Path) -> Spec:
    """Return the spec, with the shop's items and users beside the feedback."""
    path = SPECS / "complete_journey_feedback.yaml"
    data = load_spec(path).data
    for name, ids in (("items", ("i1", "i2", "i3")), ("users", ("u0", "u1", "u2", "u3"))):
        section = getattr(data, name)
        table = {section.key: ids} | dict.fromkeys(section.attributes.values(), ["x"] * len(ids))
        pq.write_table(pa.table(table), home / f"{name}.parquet")
    changes = [
        f"data.path={folder}/**/*.jsonl",
        f"data.items.path={home}/items.parquet",
        f"data.users.path={home}/users.parquet",
        f"home={home}",
    ]
    return load_spec(path, overrides=changes)


def test_the_feedback_of_the_default_shop_is_a_log_to_train_on(tmp_path: Path) -> None:
    spec = _spec(_feedback(tmp_path / "feedback", ""), tmp_path)
    summary = prepare_logs(spec, tmp_path / "log")
    assert summary.rows == {"impressions": 990, "events": 1980, "users": 4, "items": 3}
    assert summary.dropped == {}
    shown = pq.read_table(tmp_path / "log" / "impressions.parquet").to_pylist()[0]
    assert {name: shown[name] for name in CONTEXT} == CONTEXT
    materialize_features(spec, tmp_path / "log", tmp_path / "set")


def test_files_that_are_still_written_are_named(tmp_path: Path) -> None:
    spec = _spec(_feedback(tmp_path / "feedback", ".open"), tmp_path)
    with pytest.raises(ShopguideError, match="no closed file; 2 are being written") as caught:
        prepare_logs(spec, tmp_path / "log")
    assert "when the service stops" in str(caught.value)
