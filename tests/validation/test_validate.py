"""Each way in which data can be broken is caught, by name, with what to do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.spec import Spec, check_text
from shopguide.validation import ValidationResult, validate_data

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: small
notes: ["<script>alert(1)</script>"]
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, purchase: purchase}
attribution: {match: user_item, window_hours: 1}
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks:
  click: {kind: binary, event: click}
  purchase: {kind: binary, event: purchase, after: click}
  order_value: {kind: amount, event: purchase, after: purchase}
features:
  id_inputs: [item_id]
  context: {price: numeric}
objective: {goals: {ctr: {task: click, weight: 1}}}
validation: {min_rows: 50, min_users: 5}
"""

MONTH = {"train": 1, "valid": 2, "test": 3}
STAMP = pa.timestamp("us", "UTC")

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return check_text(SPEC, where="small spec")


def _split(split: str) -> pa.Table:
    rng = np.random.default_rng(MONTH[split])
    rows = 200
    click = (rng.random(rows) < 0.4).astype(np.int8)
    purchase = (click * (rng.random(rows) < 0.5)).astype(np.int8)
    # the last impression of each month is hours from its end
    start = datetime(2024, MONTH[split], 1, tzinfo=UTC)
    return pa.table(
        {
            "row_id": np.arange(rows),
            "request_id": [f"{split}{n // 4}" for n in range(rows)],
            "user_id": [f"u{n // 4 % 20}" for n in range(rows)],
            "item_id": [f"i{n % 4}" for n in range(rows)],
            "shown_at": pa.array([start + timedelta(hours=3 * n) for n in range(rows)], STAMP),
            "sample_weight": np.ones(rows),
            "click": click,
            "purchase": purchase,
            "order_value": purchase * 10.0,
            "price": rng.lognormal(1, 1, rows),
        }
    )


def _log_tables() -> dict[str, pa.Table]:
    splits = pa.concat_tables([_split(split) for split in MONTH])
    shown = splits.select(["request_id", "user_id", "item_id", "shown_at", "sample_weight"])
    events = pa.table(
        {
            "event_id": [f"e{n}" for n in range(splits.num_rows)],
            "request_id": pa.nulls(splits.num_rows, pa.string()),
            "user_id": splits.column("user_id"),
            "item_id": splits.column("item_id"),
            "kind": ["click" if n % 2 else "purchase" for n in range(splits.num_rows)],
            "at": splits.column("shown_at"),
            "value": pa.array([5.0] * splits.num_rows),
            "currency": pa.nulls(splits.num_rows, pa.string()),
        }
    )
    users = pa.table({"user_id": [f"u{n}" for n in range(20)]})
    items = pa.table({"item_id": [f"i{n}" for n in range(4)]})
    return {"impressions": shown, "events": events, "users": users, "items": items}


@pytest.fixture
def validate(spec: Spec, tmp_path: Path) -> Callable[..., ValidationResult]:
    """Validate the small data set with some of its tables changed."""

    def run(**changes: Change) -> ValidationResult:
        for folder in ("log", "training_set"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name, table in _log_tables().items():
            changed = changes.get(name, _same)(table)
            pq.write_table(changed, tmp_path / "log" / f"{name}.parquet")
        for split in MONTH:
            changed = changes.get(split, _same)(_split(split))
            pq.write_table(changed, tmp_path / "training_set" / f"{split}.parquet")
        (tmp_path / "training_set" / "training_set.json").write_text(json.dumps({"rows": {}}))
        page = tmp_path / "data.html"
        result = validate_data(spec, tmp_path / "log", tmp_path / "training_set", page)
        text = page.read_text()
        assert ("Invalid." in text) == (not result.passes)
        assert "<script>" not in text, "notes are text"
        return result

    return run


def _same(table: pa.Table) -> pa.Table:
    return table


def _set(column: str, values: Callable[[list[object]], list[object]]) -> Change:
    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        field = table.schema.field(column)
        new = pa.array(values(table.column(column).to_pylist()), field.type)
        return table.set_column(place, field, new)

    return change


def _first(value: object) -> Callable[[list[object]], list[object]]:
    return lambda values: [value, *values[1:]]


def test_good_data_is_valid(validate: Callable[..., ValidationResult]) -> None:
    result = validate()
    assert result.passes, result.failures
    assert len(result.checks) > 50
    assert result.rows["train"] == 200
    assert result.label_means["test"]["click"] == pytest.approx(0.4, abs=0.15)


DEFECTS: dict[str, dict[str, tuple[Change, str, str]]] = {
    # a batch is validated at once: GX takes seconds, and the defects do not touch each other
    "values": {
        "events": (_set("value", _first(float("inf"))), "range", "events, value"),
        "impressions": (_set("sample_weight", _first(0.0)), "range", "impressions, sample_weight"),
        "train": (_set("click", lambda v: [0] * len(v)), "label_rate", "train, click"),
        "valid": (_set("price", _first(float("inf"))), "range", "valid, price"),
        "test": (_set("click", _first(2)), "values", "test, click"),
    },
    "keys": {
        "events": (_set("user_id", _first("stranger")), "reference", "events, user_id"),
        "impressions": (
            lambda t: pa.concat_tables([t, t.slice(0, 1)]), "unique", "impressions, request_id"
        ),
        "train": (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "unique", "train, row_id"),
        "valid": (lambda _: _split("test"), "time_order", "valid, shown_at"),
        "test": (lambda t: t.slice(0, 100), "freshness", "test, shown_at"),
    },
    "money": {
        "events": (_set("value", _first(float("nan"))), "not_a_number", "events, value"),
        "train": (_set("click", lambda v: [1] * len(v)), "label_rate", "train, click"),
        "valid": (_set("order_value", lambda v: [9.0] * len(v)), "money", "valid, order_value"),
        "test": (_set("order_value", _first(float("nan"))), "not_null", "test, order_value"),
    },
    "exposure": {
        "events": (_set("request_id", _first("nowhere")), "exposure", "events, request_id"),
        "valid": (lambda t: t.slice(0, 10), "size", "valid"),
        "test": (_set("price", lambda v: [None] * len(v)), "nulls", "test, price"),
    },
    "funnel": {
        "events": (_set("value", _first(-1.0)), "range", "events, value"),
        "test": (_set("click", lambda v: [0, 1] * (len(v) // 2)), "funnel_order", "test, purchase"),
    },
    "unexposed": {
        "impressions": (lambda t: t.filter(pa.array([False] * t.num_rows)), "exposure", "events"),
    },
    "schema": {"events": (lambda t: t.drop_columns(["kind"]), "schema", "events, kind")},
}  # fmt: skip


@pytest.mark.parametrize("batch", DEFECTS)
def test_each_defect_is_named(validate: Callable[..., ValidationResult], batch: str) -> None:
    defects = DEFECTS[batch]
    result = validate(**{table: change for table, (change, _, _) in defects.items()})
    assert not result.passes
    for _, code, where in defects.values():
        named = [check.where for check in result.failures if check.code.startswith(code)]
        assert any(where in found for found in named), (code, where, result.failures)
    assert all(check.fix and check.found for check in result.failures)


def test_a_feature_that_is_the_label_is_a_leak(validate: Callable[..., ValidationResult]) -> None:
    def leak(table: pa.Table) -> pa.Table:
        place = table.column_names.index("price")
        return table.set_column(place, "price", table.column("click").cast(pa.float64()))

    result = validate(train=leak)
    (check,) = [c for c in result.failures if c.code == "leak" and c.where == "train, click"]
    assert "price, 1.000" in check.found


def test_drift_alone_only_warns(validate: Callable[..., ValidationResult]) -> None:
    result = validate(test=_set("price", lambda v: [float(x) * 50 for x in v]))  # type: ignore[arg-type]
    assert result.passes
    assert any("price" in check.where for check in result.warnings)


def test_the_page_says_what_was_left_out_of_the_log(
    validate: Callable[..., ValidationResult], tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir(exist_ok=True)
    told = {"dropped": {"duplicates": 1234}, "notes": ["7 clocks are ahead"]}
    (tmp_path / "log" / "log.json").write_text(json.dumps(told), encoding="utf-8")
    result = validate()
    assert (result.left_out, result.log_notes) == (told["dropped"], told["notes"])
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    assert '<td>duplicates</td><td class="n">1,234</td>' in page
    assert "7 clocks are ahead" in page


def test_the_page_shows_the_log_over_time_and_what_no_period_holds(
    validate: Callable[..., ValidationResult], tmp_path: Path
) -> None:
    def later(table: pa.Table) -> pa.Table:
        last = table.slice(0, 7)
        place = last.column_names.index("shown_at")
        times = pa.array([datetime(2024, 4, 20, tzinfo=UTC)] * 7, last.schema.field(place).type)
        ids = pa.array([f"late {n}" for n in range(7)])
        last = last.set_column(place, last.schema.field(place), times)
        if "request_id" in last.column_names:
            last = last.set_column(last.column_names.index("request_id"), "request_id", ids)
        return pa.concat_tables([table, last.cast(table.schema)])

    found = validate(impressions=later)
    assert found.timeline is not None
    assert found.timeline.outside == 7
    rows = sum(sum(moment.impressions.values()) for moment in found.timeline.moments)
    assert rows == found.rows["impressions"]
    of_periods = {
        split: sum(moment.impressions.get(split, 0) for moment in found.timeline.moments)
        for split in MONTH
    }
    assert of_periods == {split: found.rows[split] for split in MONTH}
    mean = found.label_means["test"]["click"]
    march = [m for m in found.timeline.moments if m.impressions.get("test") and m.means]
    weighed = sum(m.means["click"] * m.impressions["test"] for m in march)
    assert weighed / found.rows["test"] == pytest.approx(mean, rel=0.02)
    page = (tmp_path / "data.html").read_text(encoding="utf-8")
    assert "7 impressions are in no period" in page


def test_a_histogram_has_the_shares_of_each_period(
    validate: Callable[..., ValidationResult],
) -> None:
    result = validate(test=_set("price", lambda v: [float(x) * 50 for x in v]))  # type: ignore[arg-type]
    drawn = {found.name: found.histogram for found in result.inputs}
    price, item = drawn["price"], drawn["item_id"]
    assert price is not None
    assert item is not None
    for histogram in (price, item):
        for split in MONTH:
            assert len(histogram.shares[split]) == len(histogram.labels)
            assert sum(histogram.shares[split]) == pytest.approx(1)
    assert price.shares["train"] != price.shares["test"]
    assert price.shares["test"][-1] > 0.5, "what is far above training is in the last bin"
    assert item.labels[-1] == "all others"
