"""Checks of the training set."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
from sklearn.metrics import roc_auc_score

from shopguide.features import model_inputs
from shopguide.logs._duckdb import identifier, quote
from shopguide.logs.splits import SPLITS, instants
from shopguide.spec import Spec
from shopguide.spec.tasks import BinaryTask, CategoryTask
from shopguide.validation.expectations import (
    Expectation,
    between,
    in_set,
    mean_inside,
    not_above,
    not_null,
    unique,
)
from shopguide.validation.result import Check
from shopguide.validation.suite import run_suite

_AGAIN = "Build the training set again"
_LEAK_ROWS = 200_000  # rows that suffice to see an AUC of .995


def check_training_set(
    connection: duckdb.DuckDBPyConnection, training_set: Path, spec: Spec
) -> list[Check]:
    """Check each split alone, their order in time, and that no input gives a label away.

    Args:
        connection: for the queries; a view of each split is made in it.
        training_set: directory of the three splits.
        spec: reads tasks, features, split, gate and validation.
    """
    checks = _files(connection, training_set)
    if all(check.passes for check in checks):
        checks += _columns(connection, spec)
    if any(not check.passes for check in checks):
        return checks  # what cannot be read cannot be checked further
    for split in SPLITS:
        expectations = _expectations(spec)
        checks += run_suite(connection, split, expectations)
        checks += _size(connection, split, spec)
    return checks + _time_order(connection, spec) + _leaks(connection, spec)


def _files(connection: duckdb.DuckDBPyConnection, training_set: Path) -> list[Check]:
    checks = []
    for split in SPLITS:
        path = training_set / f"{split}.parquet"
        found = "there" if path.is_file() else "no such file"
        if path.is_file():
            try:
                connection.execute(
                    f"CREATE OR REPLACE VIEW {split} AS FROM read_parquet({quote(str(path))})"
                )
            except duckdb.Error as error:
                found = str(error).splitlines()[0]
        whole = found == "there"
        checks.append(Check("schema", split, "is there", found, _AGAIN, "error", passes=whole))
    summary = training_set / "training_set.json"
    whole = summary.is_file() and "rows" in json.loads(summary.read_text(encoding="utf-8"))
    found = "there" if whole else "missing"
    checks.append(
        Check("schema", "training_set.json", "is there", found, _AGAIN, "error", passes=whole)
    )
    return checks


_ACCEPTED = {
    "categorical": ("VARCHAR",),
    "numeric": ("DOUBLE", "FLOAT"),
    "recency": ("TIMESTAMP WITH TIME ZONE",),
    "sequence": ("VARCHAR[]",),
    "label": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT"),
    "time": ("TIMESTAMP WITH TIME ZONE",),
    "key": ("VARCHAR", "BIGINT", "INTEGER"),
}
"""DuckDB types that a column of each kind may have."""


def _columns(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[Check]:
    """Every column that the spec names is there, with a type that its kind can be read from."""
    kinds = dict.fromkeys(("row_id", "request_id", "user_id", "item_id"), "key")
    kinds |= {"shown_at": "time", "sample_weight": "numeric"}
    kinds |= dict.fromkeys(spec.tasks, "label")
    kinds |= {c.name: c.kind for c in model_inputs(spec) if c.name not in kinds}
    checks = []
    for split in SPLITS:
        found = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {split}").fetchall()}
        for name, kind in kinds.items():
            accepted = _ACCEPTED[kind]
            checks.append(
                Check(
                    "schema",
                    f"{split}, {name}",
                    f"is {' or '.join(accepted)}",
                    found.get(name, "missing"),
                    _AGAIN,
                    "error",
                    passes=found.get(name) in accepted,
                )
            )
    return checks


def _expectations(spec: Spec) -> list[Expectation]:
    found = [unique(["row_id"], _AGAIN), unique(["request_id", "item_id"], _AGAIN)]
    found += [not_null(name, _AGAIN) for name in ("user_id", "shown_at", "sample_weight")]
    found.append(between("sample_weight", _AGAIN, least=0, above=True))
    for name, task in spec.tasks.items():
        found.append(not_null(name, _AGAIN))
        event = f"Check that the log has {' and '.join(task.events)} events in each period"
        if isinstance(task, CategoryTask):
            found.append(in_set(name, list(range(len(task.labels))), _AGAIN))
        elif isinstance(task, BinaryTask):
            found.append(in_set(name, [0, 1], _AGAIN))
            found.append(mean_inside(name, event, most=1))
            if task.after is not None:
                fix = f"Export the missing {task.after} events, or take `after` from the task"
                found.append(not_above(name, task.after, fix))
        else:
            found.append(between(name, _AGAIN, least=0))
            found.append(mean_inside(name, event, most=None))
    found += [
        between(column.name, "Mend the source of this input")
        for column in model_inputs(spec)
        if column.kind == "numeric"
    ]
    return found


def _size(connection: duckdb.DuckDBPyConnection, split: str, spec: Spec) -> list[Check]:
    rows, users = connection.execute(
        f"SELECT count(*), count(DISTINCT user_id) FROM {split}"
    ).fetchall()[0]
    checks = [
        Check(
            "size",
            split,
            f"has at least {least:,} {what}",
            f"{number:,}",
            "Take a longer period, or lower validation.min_" + limit,
            "error",
            passes=number >= least,
        )
        for what, number, least, limit in (
            ("impressions", rows, spec.validation.min_rows, "rows"),
            ("users", users, spec.validation.min_users, "users"),
        )
    ]
    for name, task in spec.amount_tasks().items():
        if task.after is None:
            continue
        unpaid = connection.execute(
            f"SELECT count(*) FROM {split} "
            f"WHERE {identifier(name)} > 0 AND {identifier(task.after)} = 0"
        ).fetchall()[0][0]
        checks.append(
            Check(
                "money_without_purchase",
                f"{split}, {name}",
                f"is above 0 only where {task.after} is 1",
                f"{unpaid:,} rows",
                f"Give the events of {name} and {task.after} the same kind",
                "error",
                passes=unpaid == 0,
            )
        )
    return checks


def _time_order(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[Check]:
    """Each split lies within its period, and the last one is fresh."""
    checks = []
    for split, (start, end) in instants(spec.split).items():
        first, last = connection.execute(
            f"SELECT min(shown_at), max(shown_at) FROM {split}"
        ).fetchall()[0]
        inside = first is not None and start <= first and last < end
        checks.append(
            Check(
                "time_order",
                f"{split}, shown_at",
                f"lies from {start.isoformat()} to before {end.isoformat()}",
                f"{first} to {last}",
                _AGAIN,
                "error",
                passes=inside,
            )
        )
        if split == "test" and last is not None:
            limit = timedelta(days=spec.validation.freshness_days)
            checks.append(
                Check(
                    "freshness",
                    "test, shown_at",
                    f"reaches within {spec.validation.freshness_days:g} days of the period's end",
                    f"last {last}, end {end.isoformat()}",
                    "Export up to the end of split.test, or move it",
                    "error",
                    passes=end - last <= limit,
                )
            )
    return checks


def _leaks(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[Check]:
    """No single number tells a label: one that does was known only afterwards."""
    numeric = [column.name for column in model_inputs(spec) if column.kind == "numeric"]
    columns = ", ".join(identifier(name) for name in [*spec.binary_tasks(), *numeric])
    frame = connection.execute(
        f"SELECT {columns} FROM train USING SAMPLE reservoir({_LEAK_ROWS} ROWS) REPEATABLE (0)"
    ).df()
    checks = []
    for task in spec.binary_tasks():
        label = frame[task].to_numpy()
        if set(np.unique(label)) != {0, 1}:
            continue  # another check says so
        strongest, auc = "no numeric input", 0.5
        for name in numeric:
            values = np.nan_to_num(frame[name].to_numpy(dtype=np.float64), nan=-1e18)
            found = float(roc_auc_score(label, values))
            if max(found, 1 - found) > max(auc, 1 - auc):
                strongest, auc = name, found
        checks.append(
            Check(
                "leak",
                f"train, {task}",
                f"no single input has an AUC of {spec.gate.max_auc:g} or more for it",
                f"the strongest is {strongest}, {max(auc, 1 - auc):.3f}",
                f"Take {strongest} out of the catalogue, or compute it strictly before shown_at",
                "error",
                passes=max(auc, 1 - auc) < spec.gate.max_auc,
            )
        )
    return checks
