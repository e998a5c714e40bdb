"""The training set: rows, splits, labels, and what is left out of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shopguide.errors import InvalidDataError
from shopguide.features import materialize_features, model_inputs
from shopguide.files import sha256

Shop = Any  # the classes live in conftest.py, which cannot be imported
CornerShop = Any

SPLITS = {
    "train": (datetime(2024, 2, 12, 5, tzinfo=UTC), datetime(2024, 3, 18, 4, tzinfo=UTC)),
    "valid": (datetime(2024, 3, 18, 4, tzinfo=UTC), datetime(2024, 4, 1, 4, tzinfo=UTC)),
    "test": (datetime(2024, 4, 1, 4, tzinfo=UTC), datetime(2024, 4, 15, 4, tzinfo=UTC)),
}
"""Half-open; midnights of New York, whose clocks change on 10 March."""

WINDOW = timedelta(hours=48)


def split_of(at: datetime) -> str | None:
    return next((name for name, (start, end) in SPLITS.items() if start <= at < end), None)


def test_a_row_is_an_impression_whose_window_is_over_in_its_own_period(shop: Shop) -> None:
    kept, outside, unfinished = {}, 0, 0
    for row in shop.tables["impressions"]:
        split = split_of(row["shown_at"])
        if split is None:
            outside += 1
        elif row["shown_at"] + WINDOW > SPLITS[split][1]:  # valid begins where train ends
            unfinished += 1
        else:
            kept[row["request_id"]] = split
    assert outside
    assert unfinished
    assert {row["request_id"]: row["split"] for row in shop.rows()} == kept
    assert shop.summary.dropped == {"outside the periods": outside, "window not over": unfinished}


def test_rows_are_numbered_in_the_order_of_their_requests(shop: Shop) -> None:
    rows = shop.rows()
    by_number = sorted(rows, key=lambda row: row["row_id"])
    assert [row["row_id"] for row in by_number] == list(range(len(rows)))
    requests = [(row["request_id"], row["item_id"]) for row in by_number]
    assert requests == sorted(requests)
    for split in SPLITS:
        numbers = [row["row_id"] for row in rows if row["split"] == split]
        assert numbers == sorted(numbers)


def test_columns_are_keys_then_tasks_then_the_models_inputs(shop: Shop) -> None:
    ids = ["row_id", "request_id", "user_id", "item_id", "shown_at", "sample_weight"]
    inputs = [column.name for column in model_inputs(shop.spec)]
    expected = [*ids, "purchase", "order_value", *(name for name in inputs if name not in ids)]
    types = {"categorical": "string", "numeric": "double", "recency": "timestamp[us, tz=UTC]"}
    types["sequence"] = "list<element: string>"
    for split in SPLITS:
        schema = pq.read_schema(shop.training_set / f"{split}.parquet")
        assert schema.names == expected
        for column in model_inputs(shop.spec):
            assert str(schema.field(column.name).type) == types[column.kind], column.name
        assert str(schema.field("row_id").type) == "int64"
        assert str(schema.field("purchase").type) == "int8"
        assert str(schema.field("order_value").type) == "double"


def test_labels_are_the_purchases_within_the_window(shop: Shop) -> None:
    impressions = shop.tables["impressions"]
    for row in shop.rows():
        later = [
            other["shown_at"]
            for other in impressions
            if (other["user_id"], other["item_id"]) == (row["user_id"], row["item_id"])
            and other["shown_at"] > row["shown_at"]
        ]
        end = min([row["shown_at"] + WINDOW, *later])
        bought = [
            event["value"] or 0
            for event in shop.tables["events"]
            if event["kind"] == "purchase"
            and (event["user_id"], event["item_id"]) == (row["user_id"], row["item_id"])
            and row["shown_at"] <= event["at"] < end
        ]
        assert (row["purchase"], row["order_value"]) == (bool(bought), sum(bought))
    assert sum(row["purchase"] for row in shop.rows()) >= 3


def test_the_document_says_what_the_files_hold(shop: Shop) -> None:
    document = json.loads((shop.training_set / "training_set.json").read_text(encoding="utf-8"))
    assert document["format"] == 2
    assert document["spec"] == "corner_shop"
    assert document["log_end"] == "2024-04-15T04:00:00+00:00"
    assert [column["name"] for column in document["inputs"]] == [
        column.name for column in model_inputs(shop.spec)
    ]
    for split in SPLITS:
        path = shop.training_set / f"{split}.parquet"
        rows = pq.read_table(path).to_pylist()
        assert document["checksums"][path.name] == sha256(path)
        assert document["rows"][split] == shop.summary.rows[split] == len(rows)
        assert document["users"][split] == len({row["user_id"] for row in rows})
        for task in ("purchase", "order_value"):
            mean = sum(row[task] for row in rows) / len(rows)
            assert document["label_means"][split][task] == pytest.approx(mean)


def test_outcomes_after_the_end_of_the_log_are_not_taken_for_absent(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    end = datetime(2024, 4, 10, tzinfo=UTC)
    log = corner_shop.write(tmp_path / "log", shop.tables, end)
    spec = corner_shop.spec(tmp_path / "home", features=corner_shop.features())
    materialize_features(spec, log, tmp_path / "training_set")
    test = pq.read_table(tmp_path / "training_set" / "test.parquet")
    latest = max(test["shown_at"].to_pylist())
    assert end - WINDOW - timedelta(days=2) < latest <= end - WINDOW


def test_a_period_without_impressions_is_refused_and_nothing_is_written(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    split = {
        "train": {"start": "2024-02-12", "end": "2024-03-18"},
        "valid": {"start": "2024-06-01", "end": "2024-07-01"},
        "test": {"start": "2024-07-01", "end": "2024-08-01"},
    }
    spec = corner_shop.spec(tmp_path / "home", split=split, features=corner_shop.features())
    with pytest.raises(InvalidDataError) as caught:
        materialize_features(spec, shop.log, tmp_path / "training_set")
    first = min(row["shown_at"] for row in shop.tables["impressions"])
    last = max(row["shown_at"] for row in shop.tables["impressions"])
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["spec split.valid", "spec split.test"]
    assert lines[0] == (
        "spec split.valid: no complete impression between 2024-06-01 00:00:00+00:00 and "
        f"2024-07-01 00:00:00+00:00; the log has impressions from {first} to {last}. "
        "Set periods that the log covers, or a shorter attribution.window_hours"
    )
    assert caught.value.exit_code == 1
    assert not (tmp_path / "training_set").exists()


def test_with_labels_by_request_a_row_keeps_what_its_request_names(
    corner_shop: CornerShop, shop: Shop, tmp_path: Path
) -> None:
    impression = next(
        row for row in shop.tables["impressions"] if split_of(row["shown_at"]) == "valid"
    )
    named = {
        **shop.tables["events"][0],
        "request_id": impression["request_id"],
        "user_id": impression["user_id"],
        "item_id": impression["item_id"],
        "kind": "purchase",
        "at": impression["shown_at"],
        "value": 7.25,
    }
    tables = {**shop.tables, "events": [*shop.tables["events"], named]}
    by_request = {"match": "request"}
    spec = corner_shop.spec(
        tmp_path / "home", attribution=by_request, features=corner_shop.features()
    )
    log = corner_shop.write(tmp_path / "log", tables)
    summary = materialize_features(spec, log, tmp_path / "training_set")
    assert summary.dropped.keys() == {"outside the periods"}  # the request is its own window
    valid = pq.read_table(tmp_path / "training_set" / "valid.parquet").to_pylist()
    bought = [row for row in valid if row["purchase"]]
    assert [(row["request_id"], row["order_value"]) for row in bought] == [
        (impression["request_id"], 7.25)
    ]
