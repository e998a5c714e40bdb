"""A small shop whose features can be counted by hand, and a reference that does so."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import feast  # noqa: F401 - its import changes the filters of warnings: before any test, not in one
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from shopguide.features import materialize_features, materialize_online
from shopguide.features.training_set import TrainingSetSummary
from shopguide.spec import Spec, check_text
from shopguide.spec.features import Features, Measure, View

Row = Mapping[str, Any]

STAMP = pa.timestamp("us", "UTC")
DOUBLES = {"value", "quantity", "discount", "displayed", "mailed", "impressions", "purchases"} | {
    "sample_weight",
    "stock",
}

DOCUMENT: dict[str, Any] = {
    "name": "corner_shop",
    "data": {
        "source": "events",
        "path": "unused.csv",
        "columns": {"user_id": "u", "item_id": "i", "kind": "k", "at": "t"},
        "kinds": {"view": "view", "buy": "purchase"},
    },
    "attribution": {"match": "user_item", "window_hours": 48},
    "split": {
        "timezone": "America/New_York",
        "train": {"start": "2024-02-12", "end": "2024-03-18"},
        "valid": {"start": "2024-03-18", "end": "2024-04-01"},
        "test": {"start": "2024-04-01", "end": "2024-04-15"},
    },
    "tasks": {
        "purchase": {"kind": "binary", "event": "purchase"},
        "order_value": {"kind": "amount", "event": "purchase", "after": "purchase"},
    },
    "objective": {"goals": {"conversion": {"task": "purchase", "weight": 1}}},
    "features": {
        "period": "week",
        "timezone": "America/New_York",
        "views": {
            "user": {
                "keys": ["user_id"],
                "kind": "purchase",
                "measures": {
                    "baskets": {"count_distinct": "basket_id", "windows": [1, 3]},
                    "spend": {"sum": "value", "windows": [2]},
                    "active_weeks": {"count_distinct": "period", "windows": [3]},
                    "last": {"last": "at"},
                    "items": {"sequence": "item_id", "length": 4},
                    "shelves": {"sequence": "category", "length": 3},
                },
            },
            "user_place": {
                "keys": ["user_id", "place_id"],
                "kind": "purchase",
                "measures": {"baskets": {"count_distinct": "basket_id", "windows": [2]}},
            },
            "user_category": {
                "keys": ["user_id", "category"],
                "kind": "purchase",
                "measures": {"spend": {"sum": "value", "windows": [3]}, "last": {"last": "at"}},
            },
            "item": {
                "keys": ["item_id"],
                "kind": "purchase",
                "measures": {
                    "users": {"count_distinct": "user_id", "windows": [2]},
                    "spend": {"sum": "value", "windows": [2]},
                    "quantity": {"sum": "quantity", "windows": [2]},
                },
                "ratios": {"price_2": {"of": "spend_2", "per": "quantity_2"}},
            },
            "promotion": {
                "keys": ["item_id", "place_id"],
                "table": "promotions",
                "measures": {
                    "weeks": {"count_distinct": "period", "windows": [2]},
                    "display_weeks": {"sum": "displayed", "windows": [2]},
                },
            },
            "exposure": {
                "keys": ["item_id"],
                "table": "exposures",
                "measures": {
                    "shown": {"sum": "impressions", "windows": [3]},
                    "bought": {"sum": "purchases", "windows": [3]},
                },
                "ratios": {"conversion_3": {"of": "bought_3", "per": "shown_3"}},
            },
        },
        "user_attributes": {"town": "categorical"},
        "item_attributes": {"category": "categorical", "stock": "numeric"},
        "context": {"place_id": "categorical"},
    },
}
"""Weeks of New York across 10 March 2024, when the clocks change."""

ZONE = ZoneInfo("America/New_York")
FIRST_MONDAY = datetime(2024, 1, 29, tzinfo=ZONE)
WEEKS = 11
END = datetime(2024, 4, 15, 4, tzinfo=UTC)  # Monday midnight in New York


class Reference:
    """Features by looking at every row: slow, obvious, and without Ibis, DuckDB or Feast.

    Args:
        features: the section of the spec.
        tables: rows of the canonical tables, times as aware datetimes.
    """

    def __init__(self, features: Features, tables: Mapping[str, Sequence[Row]]) -> None:
        self._features = features
        self._tables = tables
        self._items = {row["item_id"]: row for row in tables["items"]}

    def period(self, at: datetime) -> int:
        """Number the local hours, days, or weeks from Monday."""
        if self._features.period == "hour":
            return int(at.timestamp() // 3600)
        day = at.astimezone(ZoneInfo(self._features.timezone)).date().toordinal() - 1
        return day // 7 if self._features.period == "week" else day

    def as_of(self, name: str, keys: Sequence[str | None], at: datetime) -> dict[str, Any]:
        """Return a view's columns as an impression at `at` may know them."""
        view = self._features.views[name]
        now = self.period(at - timedelta(minutes=self._features.delay_minutes))
        known = [row for row in self._rows(view, keys) if self.period(row["at"]) < now]
        values: dict[str, Any] = {}
        for measure_name, measure in view.measures.items():
            stem = f"{name}_{measure_name}"
            if measure.last is not None:
                times = [row["at"].replace(microsecond=0) for row in known]
                values[stem] = max(times, default=None)
            if measure.sequence is not None:
                told = [(row["at"], self.key(row, measure.sequence)) for row in known]
                told = sorted(pair for pair in told if pair[1] is not None)
                values[stem] = [value for _, value in told[-measure.length :]] or None
            for window in measure.windows:
                inside = [row for row in known if self.period(row["at"]) >= now - window]
                values[f"{stem}_{window}"] = self._aggregate(measure, inside) if known else None
        for ratio_name, ratio in view.ratios.items():
            of, per = values[f"{name}_{ratio.of}"], values[f"{name}_{ratio.per}"]
            values[f"{name}_{ratio_name}"] = of / per if per else None
        return values

    def _aggregate(self, measure: Measure, rows: Sequence[Row]) -> float:
        if measure.sum is not None:
            return float(sum(row[measure.sum] or 0 for row in rows))
        if measure.count_distinct == "period":
            return float(len({self.period(row["at"]) for row in rows}))
        assert measure.count_distinct is not None
        return float(len({row[measure.count_distinct] for row in rows} - {None}))

    def _rows(self, view: View, keys: Sequence[str | None]) -> list[Row]:
        """Rows of one key: of items that are kept, or of attributes that a kept item has."""
        if None in keys or not self._can_be_asked(view, keys):
            return []
        rows = [row for row in self._tables[view.table] if view.kind in (None, row.get("kind"))]
        return [row for row in rows if [self.key(row, key) for key in view.keys] == list(keys)]

    def _can_be_asked(self, view: View, keys: Sequence[str | None]) -> bool:
        kept = [item for item in self._items.values() if item.get("kept", True)]
        wanted = {
            key: value for key, value in zip(view.keys, keys, strict=True) if self._of_item(key)
        }
        return any(all(item[key] == wanted[key] for key in wanted) for item in kept)

    @staticmethod
    def _of_item(key: str) -> bool:
        return key not in ("user_id", "place_id")

    def key(self, row: Row, key: str) -> str | None:
        """Return one key of a row: its own column, or an attribute of its item."""
        value: str | None = row[key] if key in row else self._items.get(row["item_id"], {}).get(key)
        return value


@dataclass(frozen=True, slots=True)
class Shop:
    """A generated log on disk, the same rows in memory, and what was made of them."""

    spec: Spec
    tables: Mapping[str, Sequence[Row]]
    log: Path
    training_set: Path
    summary: TrainingSetSummary
    reference: Reference

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of train, valid and test, each with its split."""
        return [
            {"split": split, **row}
            for split in ("train", "valid", "test")
            for row in pq.read_table(self.training_set / f"{split}.parquet").to_pylist()
        ]

    def keys(self, view: str, row: Row) -> list[str | None]:
        """Return the keys of a view for an impression."""
        items = {item["item_id"]: item for item in self.tables["items"]}
        category = items.get(row["item_id"], {}).get("category")
        return [
            category if key == "category" else row[key]
            for key in self.spec.features.views[view].keys
        ]


class CornerShop:
    """What tests need to vary the shop: test modules cannot import from this one."""

    document = DOCUMENT
    reference = Reference

    @staticmethod
    def spec(home: Path, **changed: object) -> Spec:
        """Return its spec; keywords replace whole sections."""
        return spec_of(home, **changed)

    @staticmethod
    def features(*views: str, **changed: object) -> dict[str, object]:
        """Return its section `features` with some of the views; keywords replace fields."""
        section = DOCUMENT["features"]
        return section | {"views": {name: section["views"][name] for name in views}} | changed

    @staticmethod
    def write(folder: Path, tables: Mapping[str, Sequence[Row]], end: datetime = END) -> Path:
        """Write a canonical log."""
        return write_log(folder, tables, end)

    @staticmethod
    def tables(seed: int = 1) -> dict[str, list[Row]]:
        """Draw the rows of a log."""
        return generate(seed)


def spec_of(home: Path, **changed: object) -> Spec:
    """Return the corner shop's spec; keywords replace whole sections."""
    return check_text(
        yaml.safe_dump(DOCUMENT | {"home": str(home)} | changed, sort_keys=False), where="spec"
    )


def write_log(folder: Path, tables: Mapping[str, Sequence[Row]], end: datetime = END) -> Path:
    """Write rows as a canonical log."""
    folder.mkdir(parents=True)
    for table, rows in tables.items():
        names = list(rows[0])
        columns = {name: pa.array([row[name] for row in rows], _type(name)) for name in names}
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
    start = min(row["at"] for row in tables["events"])
    document = {"format": 1, "start": start.isoformat(), "end": end.isoformat()}
    (folder / "log.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def _type(name: str) -> pa.DataType:
    if name in ("at", "shown_at"):
        return STAMP
    return pa.float64() if name in DOUBLES else pa.bool_() if name == "kept" else pa.string()


def generate(seed: int) -> dict[str, list[Row]]:
    """Draw a log: a user who comes late, two who never buy, nulls, and edges of weeks."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    return {
        "users": [
            {"user_id": f"u{n}", "town": rng.choice(["Bonn", "Kiel", None])} for n in range(9)
        ],
        "items": [
            {
                "item_id": f"i{n}",
                "category": None if n == 0 else f"c{n % 3}",
                "stock": None if n == 1 else n / 2,
                "kept": n < 6,  # i6, i7 are not ranked, but count in their category
            }
            for n in range(8)
        ],
        "events": [_event(rng, n) for n in range(260)],
        "impressions": [_impression(rng, n) for n in range(420)],
        "promotions": [
            {
                "item_id": f"i{n}",
                "place_id": place,
                "at": _monday(week),
                "displayed": float(rng.random() < 0.5),
                "mailed": float(rng.random() < 0.5),
            }
            for n in range(6)
            for place in ("p0", "p1")
            for week in range(WEEKS)
            if rng.random() < 0.4
        ],
        "exposures": [
            {
                "item_id": f"i{n}",
                "place_id": "p0",
                "at": _monday(week),
                "impressions": float(rng.randrange(5)),
                "purchases": float(rng.randrange(2)),
            }
            for n in range(6)
            for week in range(WEEKS)
            if rng.random() < 0.5
        ],
    }


def _monday(week: int) -> datetime:
    """Midnight in New York; adding days to a local time keeps it local across the change."""
    return (FIRST_MONDAY + timedelta(weeks=week)).astimezone(UTC)


def _time(rng: random.Random, first_week: int = 0) -> datetime:
    """Draw a time; one in five lies at the very edge of a week."""
    week = rng.randrange(first_week, WEEKS)
    if rng.random() < 0.2:
        return _monday(week) + timedelta(microseconds=rng.choice([-1, 0, 1])) * (week > 0)
    return _monday(week) + timedelta(seconds=rng.randrange(7 * 86_400 - 7_200))


def _event(rng: random.Random, number: int) -> dict[str, Any]:
    user = rng.randrange(7)  # u7 and u8 never buy; u6 comes late
    bought = rng.random() < 0.7
    return {
        "event_id": f"e{number}",
        "request_id": None,
        "user_id": f"u{user}",
        "item_id": f"i{rng.choice([0, 1, 2, 3, 4, 6, 7])}",  # i5 is never touched
        "kind": "purchase" if bought else "view",
        "at": _time(rng, 8 if user == 6 else 0),
        "value": rng.randrange(1, 400) / 4 if bought and rng.random() < 0.9 else None,
        "currency": "EUR",
        "basket_id": f"b{number // 3}" if rng.random() < 0.9 else None,
        "place_id": rng.choice(["p0", "p1", None]),
        "quantity": float(rng.randrange(3)) if bought else None,
        "discount": 0.0,
    }


def _impression(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "request_id": f"r{number:03}",
        "user_id": f"u{rng.randrange(9)}",
        "item_id": f"i{rng.randrange(6)}",
        "shown_at": _time(rng, 1),
        "sample_weight": 1.0,
        "place_id": rng.choice(["p0", "p1", "p9", None]),
    }


@pytest.fixture(scope="session")
def corner_shop() -> CornerShop:
    """Write other logs and specs of the same shop."""
    return CornerShop()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A generated shop, materialised."""
    folder = tmp_path_factory.mktemp("shop")
    tables = generate(seed=20240310)
    spec = spec_of(folder / "home")
    log = write_log(folder / "log", tables)
    summary = materialize_features(spec, log, folder / "training_set")
    materialize_online(spec)
    reference = Reference(spec.features, tables)
    return Shop(spec, tables, log, folder / "training_set", summary, reference)
