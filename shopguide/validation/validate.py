"""Check the canonical log and the training set, and write the page that says what was found."""

import json
import logging
import time
from collections.abc import Iterable
from pathlib import Path

import duckdb

from shopguide.logs._duckdb import connect, count, identifier
from shopguide.logs.splits import SPLITS
from shopguide.spec import Spec
from shopguide.validation.drift import drift_checks, profile_inputs
from shopguide.validation.log_checks import check_log
from shopguide.validation.page import write_page
from shopguide.validation.result import Check, InputProfile, ValidationResult
from shopguide.validation.timeline import Timeline, read_timeline
from shopguide.validation.training_checks import check_training_set

_log = logging.getLogger(__name__)


def validate_data(
    spec: Spec, log: str | Path, training_set: str | Path, report: str | Path
) -> ValidationResult:
    """Check everything that can be checked before training.

    Args:
        spec: checked spec.
        log: canonical log.
        training_set: training set.
        report: file of the page (HTML), written atomically.

    Returns:
        All checks; `passes` is False if any error was found.
    """
    started = time.monotonic()
    with connect() as connection:
        checks: list[Check] = check_log(connection, Path(log), spec)
        log_rows = _rows(connection, ("impressions", "events", "users", "items"))
        of_set = check_training_set(connection, Path(training_set), spec)
        set_rows = _rows(connection, SPLITS)
        checks += of_set
        profiles: list[InputProfile] = []
        means: dict[str, dict[str, float]] = {}
        timeline: Timeline | None = None
        if set(SPLITS) <= set(set_rows) and not _schema_broken(of_set):
            if "impressions" in log_rows and not _schema_broken(checks):
                timeline = read_timeline(connection, spec)
            profiles = profile_inputs(connection, spec)
            checks += drift_checks(profiles, spec)
            means = {split: _means(connection, split, spec) for split in SPLITS}
    left_out, notes = _told(Path(log))
    rows = log_rows | set_rows
    result = ValidationResult(checks, rows, means, profiles, left_out, notes, timeline)
    write_page(result, spec, report)
    _log.info(
        "validation: %d checks, %d failed, %d warnings, %.1f s",
        len(checks),
        len(result.failures),
        len(result.warnings),
        time.monotonic() - started,
    )
    for check in result.failures:
        _log.info("%s: %s; expected: %s. %s", check.where, check.found, check.expected, check.fix)
    return result


def _told(log: Path) -> tuple[dict[str, int], list[str]]:
    """Return what the log says was left out of it, and its notes; nothing of a log without them."""
    path = log / "log.json"
    if not path.is_file():
        return {}, []
    content = json.loads(path.read_text(encoding="utf-8"))
    return content.get("dropped", {}), content.get("notes", [])


def _schema_broken(checks: list[Check]) -> bool:
    return any(check.code == "schema" and not check.passes for check in checks)


def _rows(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, int]:
    present = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    return {
        table: count(connection, f"SELECT count(*) FROM {identifier(table)}")
        for table in tables
        if table in present
    }


def _means(connection: duckdb.DuckDBPyConnection, split: str, spec: Spec) -> dict[str, float]:
    columns = ", ".join(f"avg({identifier(task)})" for task in spec.tasks)
    row = connection.execute(f"SELECT {columns} FROM {split}").fetchall()[0]
    return dict(zip(spec.tasks, (float(value or 0) for value in row), strict=True))
