"""A shop's export as a file, and The Complete Journey's canonical log."""

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from shopguide.logs import LogSummary, prepare_logs
from shopguide.spec import Spec, check_text, load_spec

COLUMNS = {
    "user_id": "user",
    "item_id": "item",
    "kind": "type",
    "at": "time",
    "value": "price",
    "session_id": "session",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A canonical log and what `prepare_logs` said of it."""

    folder: Path
    summary: LogSummary

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query its tables by their names, in UTC."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for path in self.folder.glob("*.parquet"):
                connection.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
            return connection.execute(query).fetchall()


def shop_spec(path: Path | str, **data: object) -> Spec:
    """Return a spec for an export; keywords replace fields of its section `data`."""
    document = {
        "name": "shop",
        "data": {
            "source": "events",
            "path": str(path),
            "columns": COLUMNS | data.pop("columns", {}),  # type: ignore[operator]
            "kinds": {"view": "view", "buy": "purchase"},
            "currency": "EUR",
            **data,
        },
        "split": {
            "train": {"start": "2024-01-01", "end": "2024-02-01"},
            "valid": {"start": "2024-02-01", "end": "2024-03-01"},
            "test": {"start": "2024-03-01", "end": "2024-04-01"},
        },
        "tasks": {"purchase": {"kind": "binary", "event": "purchase"}},
        "objective": {"goals": {"conversion": {"task": "purchase", "weight": 1}}},
    }
    return check_text(yaml.safe_dump(document, sort_keys=False), where="shop spec")


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Prepared]:
    """Write an export and prepare it; a refusal must leave nothing behind but the export."""

    def run(content: str | bytes, name: str = "events.csv", **data: object) -> Prepared:
        export = tmp_path / name
        export.write_bytes(content.encode() if isinstance(content, str) else content)
        data.setdefault("path", str(export))
        try:
            summary = prepare_logs(shop_spec(**data), tmp_path / "log")  # type: ignore[arg-type]
        except Exception:
            assert [path.name for path in tmp_path.iterdir()] == [name]
            raise
        return Prepared(tmp_path / "log", summary)

    return run


@pytest.fixture(scope="session")
def opened() -> Callable[[Path, LogSummary], Prepared]:
    """Open a canonical log for queries."""
    return Prepared


@pytest.fixture(scope="session")
def journey_spec(complete_journey_spec: Path) -> Spec:
    """The default spec in its quick profile."""
    return load_spec(complete_journey_spec, profile="quick")


@pytest.fixture(scope="session")
def journey(journey_spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The Complete Journey's canonical log, made once however many workers there are."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "journey_log"
    with (shared / "journey_log.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            prepare_logs(journey_spec, folder)
    return Prepared(folder, _summary(folder))


def _summary(folder: Path) -> LogSummary:
    content = yaml.safe_load((folder / "log.json").read_text(encoding="utf-8"))
    fields: Sequence[str] = LogSummary.__slots__
    return LogSummary(**{name: content[name] for name in fields})
