"""Features beside hand-written DuckDB SQL, and the training set beside Feast's own joins.

    python benchmarks/features.py --json --events 10000000

A log of `--events` clicks and a tenth as many impressions, and a catalogue of every kind of
feature. Each measurement is a process of its own. `sql` computes the features of the impressions
alone; `ours` also the snapshots of every entity that the online store needs, the labels and the
training set; the values of both are compared. `join` is our training set from features that are
there; `feast_file` and `feast_duckdb` are one call of Feast for the same impressions and features.
A tenth of the events is measured too, for the growth.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import features_shop
import features_sql

from shopguide.features import materialize, materialize_features
from shopguide.features.materialize import quiet_feast
from shopguide.features.store import FOLDER, store_config, view_inputs
from shopguide.features.versions import feast_view

MOST_OF_SQL, MOST_OF_FEAST, MOST_GROWTH, MOST_MB = 1.2, 0.4, 11.0, 4_000
MOST_SECONDS = 900.0
"""What a run may take before it is stopped, and counts as having taken so long: Feast's joins grow
with the square of an entity's snapshots."""


def ours(folder: Path) -> dict[str, object]:
    """Compute the features and join the training set."""
    materialize_features(features_shop.spec_of(folder), folder / "log", folder / "training_set")
    return {}


def sql(folder: Path) -> dict[str, object]:
    """Compute the features of the impressions by hand."""
    features_sql.run(folder / "log", folder / "sql.parquet")
    return {}


def join(folder: Path) -> dict[str, object]:
    """Join the training set from features that are there."""
    materialize.build_offline = lambda *_: {}  # type: ignore[assignment]
    materialize_features(features_shop.spec_of(folder), folder / "log", folder / "joined")
    return {}


def feast(folder: Path, store: str) -> dict[str, object]:
    """Ask Feast once for all features of all impressions, and count what comes back."""
    from feast import FeatureStore, RepoConfig

    spec = features_shop.spec_of(folder)
    config = store_config(spec, spec.home) | {"offline_store": {"type": store}}
    asked = _impressions(folder)
    wanted = [  # Feast refuses a feature that is called like a key
        f"{feast_view(spec, view)}:{column.name}"
        for view, columns in view_inputs(spec).items()
        for column in columns
        if column.name != "category"
    ]
    with quiet_feast():
        opened = FeatureStore(config=RepoConfig(repo_path=Path(spec.home) / FOLDER, **config))
        found = opened.get_historical_features(entity_df=asked, features=wanted).to_arrow()
    distinct = len(found.column("row_id").unique())
    return {"asked": len(asked), "lost": len(asked) - distinct, "doubled": len(found) - distinct}


def _impressions(folder: Path) -> object:
    rows = duckdb.connect()
    rows.execute("SET TimeZone = 'UTC'")
    sets = f"{folder}/training_set/*.parquet"
    frame = rows.execute(
        f"SELECT row_id, user_id, item_id, category, shown_at AS event_timestamp FROM '{sets}'"
    ).df()
    stamps = frame["event_timestamp"].dt.tz_convert("UTC")
    frame["event_timestamp"] = stamps.astype("datetime64[us, UTC]")
    return frame


RUNS: dict[str, Callable[[Path], dict[str, object]]] = {
    "ours": ours,
    "sql": sql,
    "join": join,
    "feast_file": lambda folder: feast(folder, "file"),
    "feast_duckdb": lambda folder: feast(folder, "duckdb"),
}


def compare(folder: Path) -> dict[str, int]:
    """Return the cells in which ours and the hand-written SQL differ, by column."""
    rows = duckdb.connect()
    rows.execute("SET TimeZone = 'UTC'; SET memory_limit = '2GB'")
    rows.execute(f"CREATE VIEW ours AS FROM '{folder}/training_set/*.parquet'")
    rows.execute(f"CREATE VIEW theirs AS FROM '{folder}/sql.parquet'")
    names = [
        {row[0] for row in rows.execute(f"DESCRIBE {view}").fetchall()}
        for view in ("ours", "theirs")
    ]
    keys = {"request_id", "item_id", "user_id", "shown_at", "sample_weight"}
    columns = sorted((names[0] & names[1]) - keys)
    differ = ", ".join(
        f'count(*) FILTER (o."{name}" IS DISTINCT FROM t."{name}")' for name in columns
    )
    found = rows.execute(
        f"SELECT count(*), (SELECT count(*) FROM ours), {differ} "
        "FROM ours AS o JOIN theirs AS t USING (request_id, item_id)"
    ).fetchone()
    assert found is not None, "a count is a row"
    return {"compared": len(columns), "rows_apart": found[1] - found[0]} | {
        name: number for name, number in zip(columns, found[2:], strict=True) if number
    }


def measured(folder: Path, run: str) -> dict[str, object]:
    """Run one in a process of its own; a run that fails says so and counts as nothing."""
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--folder", str(folder), "--run", run],
            capture_output=True, text=True, check=False, timeout=MOST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"seconds": MOST_SECONDS, "stopped": True}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    print(f"{run}: {found}", file=sys.stderr)
    return found


def child(folder: Path, run: str) -> None:
    """Do one run, and print what it took."""
    started, processor = time.monotonic(), time.process_time()
    more = RUNS[run](folder)
    seconds, busy = time.monotonic() - started, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"seconds": round(seconds, 2), "cpu": round(busy, 2), "peak_mb": round(peak)}
    print(json.dumps(figures | more))


def figures_of(folder: Path, events: int, runs: list[str]) -> dict[str, dict[str, object]]:
    """Measure the runs over a log of so many events."""
    if not (folder / "log" / "log.json").is_file():
        features_shop.write(folder / "log", events)
    return {run: measured(folder, run) for run in runs}


def _ratio(found: dict[str, dict[str, object]], one: str, other: str) -> float | None:
    seconds = [found.get(name, {}).get("seconds") for name in (one, other)]
    if not all(isinstance(value, float) and value > 0 for value in seconds):
        return None
    return round(float(str(seconds[0])) / float(str(seconds[1])), 3)


def main() -> None:
    """Measure, compare, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--run", choices=RUNS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.run:
        child(given.folder, given.run)
        return
    with tempfile.TemporaryDirectory(prefix="shopguide-features-") as scratch:
        folder = given.folder or Path(scratch)
        small = figures_of(folder / "tenth", given.events // 10, ["ours"])
        found = figures_of(folder / "whole", given.events, list(RUNS))
        differing = compare(folder / "whole")
    growth = _ratio({"a": found["ours"], "b": small["ours"]}, "a", "b")
    ratios = {
        "ours_to_sql": _ratio(found, "ours", "sql"),
        "join_to_feast_file": _ratio(found, "join", "feast_file"),
        "join_to_feast_duckdb": _ratio(found, "join", "feast_duckdb"),
        "growth_1_to_10": growth,
    }
    apart = sum(number for name, number in differing.items() if name != "compared")
    peak = found["ours"].get("peak_mb", MOST_MB + 1)
    checks = [
        _below(ratios["ours_to_sql"], MOST_OF_SQL),
        _below(ratios["join_to_feast_file"], MOST_OF_FEAST),
        _below(growth, MOST_GROWTH),
        isinstance(peak, int) and peak <= MOST_MB,
        apart == 0,
    ]
    answer = {
        "events": given.events, "runs": found, "tenth": small, "ratios": ratios,
        "differing": differing, "python": platform.python_version(), "met": all(checks),
    }  # fmt: skip
    print(json.dumps(answer) if given.json else json.dumps(answer, indent=2))


def _below(ratio: float | None, most: float) -> bool:
    return ratio is not None and ratio <= most


if __name__ == "__main__":
    main()
