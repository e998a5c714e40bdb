"""A whole export, which every case of the corpus spoils in one way."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

HEADER = ["user", "item", "type", "time", "price", "session"]
START = datetime(2024, 3, 1, tzinfo=UTC)
Row = list[str]


def rows() -> list[Row]:
    """Views, carts and orders of 40 users over 40 days: about 3,000 rows, in the order of time."""
    rng = np.random.default_rng(11)
    found: list[tuple[datetime, Row]] = []
    for visit in range(480):
        user, at = visit % 40, START + timedelta(seconds=float(rng.uniform(0, 40 * 86_400)))
        for item in rng.choice(25, 5, replace=False):
            kinds = ["view"]
            if rng.random() < 0.2 + 0.02 * (user % 5):
                kinds += ["cart", "buy"][: 1 + int(rng.random() < 0.6)]
            for kind in kinds:
                at += timedelta(seconds=int(rng.integers(2, 40)))
                price = f"{3 + int(item)}.50"
                found.append(
                    (at, [f"{100 + user}", f"{1 + item}", kind, _stamp(at), price, f"s{visit}"])
                )
    return [row for _, row in sorted(found)]


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def text(content: Sequence[Sequence[str]], header: Sequence[str] | None = HEADER) -> str:
    """Return rows as CSV without quotes."""
    lines = [",".join(row) for row in ([header, *content] if header else content)]
    return "\n".join(lines) + "\n"


def spec_text(path: Path | str, **data: object) -> str:
    """Return a spec that reads the whole export; keywords replace fields of its section `data`."""
    columns = {name: name for name in ("user_id", "item_id", "kind", "at", "value", "session_id")}
    columns |= dict(zip(columns, HEADER, strict=True)) | data.pop("columns", {})  # type: ignore[operator]
    document = {
        "name": "corpus",
        "data": {
            "source": "events",
            "path": str(path),
            "columns": columns,
            "kinds": {"view": "view", "cart": "cart", "buy": "purchase"},
            "currency": "EUR",
            **data,
        },
        "attribution": {"window_hours": 1},
        "split": {
            "train": {"start": "2024-03-01", "end": "2024-03-25"},
            "valid": {"start": "2024-03-25", "end": "2024-04-01"},
            "test": {"start": "2024-04-01", "end": "2024-04-10"},
        },
        "tasks": {"purchase": {"kind": "binary", "event": "purchase"}},
        "objective": {"goals": {"conversion": {"task": "purchase", "weight": 1}}},
    }
    return yaml.safe_dump(document, sort_keys=False)
