"""Features of the real log, against direct SQL and against the figure of their recipe."""
# ruff: noqa: S608 - the queries name files and columns of our own

import fcntl
import os
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shopguide.features import materialize_features
from shopguide.logs import prepare_logs
from shopguide.spec import Spec, load_spec

pytestmark = pytest.mark.slow

VIEWS: dict[str, dict[str, object]] = {
    "user_item": {"baskets": [13]},
    "user_category": {"spend": [52]},
    "item": {"spend": [13], "quantity": [13]},
    "exposure": {"shown": [13], "bought": [13]},
}
"""Of the catalogue's views, the measures and windows that these tests compare."""

RATIOS = {"item": ["price_13"], "exposure": ["conversion_13"]}


def smaller(spec: Spec, home: Path) -> Spec:
    """Return the spec with the compared features alone: the whole catalogue takes a minute."""
    document = spec.model_dump(mode="json")
    views = document["features"]["views"]
    document["home"] = str(home)
    document["features"]["user_attributes"] = {}
    document["features"]["views"] = {
        name: views[name]
        | {
            "measures": {
                measure: views[name]["measures"][measure] | {"windows": windows}
                for measure, windows in measures.items()
            },
            "ratios": {ratio: views[name]["ratios"][ratio] for ratio in RATIOS.get(name, [])},
        }
        for name, measures in VIEWS.items()
    }
    return Spec.model_validate(document)


@pytest.fixture(scope="session")
def materialised(complete_journey_spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `journey_log` and `training_set`, made once however many workers there are."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    spec = load_spec(complete_journey_spec, profile="quick")
    with (shared / "journey_log.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "journey_log").is_dir():  # tests of the log make the same one
            prepare_logs(spec, shared / "journey_log")
    with (shared / "journey_features.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "training_set").is_dir():
            materialize_features(
                smaller(spec, shared / "home"), shared / "journey_log", shared / "training_set"
            )
    return shared


def test_popularity_ranks_purchases_as_well_as_in_the_recipe(materialised: Path) -> None:
    rows = duckdb.execute(
        f"SELECT purchase, exposure_conversion_13 FROM '{materialised}/training_set/test.parquet'"
    ).fetchnumpy()
    conversion = np.ma.filled(rows["exposure_conversion_13"], 0.0)
    assert len(conversion) == 93_408
    assert roc_auc_score(rows["purchase"], conversion) == pytest.approx(0.651, abs=0.003)


@pytest.mark.parametrize(
    ("column", "keys", "aggregate", "weeks"),
    [
        (
            "user_item_baskets_13",
            "e.user_id = r.user_id AND e.item_id = r.item_id",
            "count(DISTINCT e.basket_id) {inside}",
            13,
        ),
        (
            "user_category_spend_52",
            "e.user_id = r.user_id AND i.category = r.category",
            "sum(e.value) {inside}",
            52,
        ),
        (
            "item_price_13",
            "e.item_id = r.item_id",
            "sum(e.value) {inside} / sum(e.quantity) {inside}",
            13,
        ),
    ],
)
def test_a_sample_of_rows_equals_a_query_of_the_log(
    materialised: Path, column: str, keys: str, aggregate: str, weeks: int
) -> None:
    # a week is local: shown_at is a Monday midnight of New York, and so is the window's beginning
    local = "timezone('America/New_York', {})"
    begins = f"timezone('America/New_York', {local.format('r.shown_at')} - INTERVAL {weeks} WEEK)"
    inside = f"FILTER (e.at >= {begins} AND e.at < r.shown_at)"
    found = duckdb.execute(
        f"""
        WITH all_rows AS (
            SELECT * FROM read_parquet(
                ['{materialised}/training_set/' || split || '.parquet'
                 FOR split IN ['train', 'valid', 'test']])
        ), r AS (
            SELECT row_id, user_id, item_id, category, shown_at, {column} AS found
            FROM all_rows ORDER BY hash(row_id) LIMIT 200
        ), e AS (FROM '{materialised}/journey_log/events.parquet' WHERE kind = 'purchase'),
        i AS (FROM '{materialised}/journey_log/items.parquet')
        SELECT r.found, {aggregate.format(inside=inside)} AS inside,
               count(*) FILTER (e.at < r.shown_at) AS past
        FROM r LEFT JOIN (e JOIN i ON e.item_id = i.item_id) ON {keys}
        GROUP BY r.row_id, r.found
        """
    ).fetchall()
    assert len(found) == 200
    for value, inside, past in found:
        if not past:
            assert value is None
        elif inside is None:  # a past, but none of it in the window
            assert value == (None if column == "item_price_13" else 0)
        else:
            assert value == pytest.approx(inside, rel=1e-9)
    assert sum(value is not None and value > 0 for value, _, _ in found) >= 20
