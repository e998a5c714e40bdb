"""The simulator's log is a canonical log like any other, and the truth is not in it."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare

from shopguide.errors import ShopguideError
from shopguide.logs import LogSummary, label_impressions, prepare_logs
from shopguide.logs.simulator import Shop, simulate
from shopguide.logs.simulator.funnel import CART_HOURS, CLICK_HOURS
from shopguide.logs.simulator.latent import Items
from shopguide.logs.simulator.lists import _candidates, _largest
from shopguide.spec import Spec, load_spec
from shopguide.spec.simulator import Simulator
from tests.logs.conftest import Prepared

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"
SMALL = ["data.users=150", "data.items=40", "data.list_length=5"]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(SPEC, overrides=SMALL)


@pytest.fixture(scope="module")
def shop(spec: Spec) -> Shop:
    assert isinstance(spec.data, Simulator)
    return simulate(spec.data)


@pytest.fixture(scope="module")
def log(
    spec: Spec,
    opened: Callable[[Path, LogSummary], Prepared],
    tmp_path_factory: pytest.TempPathFactory,
) -> Prepared:
    folder = tmp_path_factory.mktemp("simulator") / "log"
    return opened(folder, prepare_logs(spec, folder))


def test_every_impression_is_in_the_log_with_its_propensity(log: Prepared, shop: Shop) -> None:
    rows, length = shop.lists.item.shape
    assert log.summary.rows["impressions"] == rows * length
    found = log.rows("SELECT position, propensity FROM impressions ORDER BY request_id, position")
    position, propensity = map(np.array, zip(*found, strict=True))
    assert (position.reshape(rows, length) == np.arange(1, length + 1)).all()
    assert (propensity.reshape(rows, length) == shop.lists.propensity).all()


def test_the_log_ends_with_its_last_day_and_counts_what_came_later(
    log: Prepared, shop: Shop
) -> None:
    (late_rows,) = log.rows("SELECT count(*) FROM events WHERE \"at\" >= '2024-02-26'")[0]
    assert late_rows == 0
    assert log.summary.end.startswith("2024-02-26T00:00:00")
    drawn, day = shop.drawn, shop.lists.day[:, None]
    late = whole = 0
    for happened, hours in (
        (drawn.click, CLICK_HOURS),
        (drawn.cart, CART_HOURS),
        (drawn.purchase, drawn.delay),
    ):
        late += int(np.sum(happened & (day + hours / 24 >= shop.parameters.days)))
        whole += int(happened.sum())
    assert late > 0
    assert log.summary.dropped["events after the last day"] == late
    assert log.summary.rows["events"] == whole - late


def test_labels_are_what_was_drawn(log: Prepared, shop: Shop, spec: Spec) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        label_impressions(connection, log.folder, spec)
        labelled = connection.execute(
            "FROM labelled ORDER BY request_id, position"
        ).to_arrow_table()
    in_time = (shop.lists.day[:, None] + np.nan_to_num(shop.drawn.delay, nan=1) / 24).ravel() < 56
    for task, outcome in (("click", "click"), ("purchase", "purchase"), ("order_value", "money")):
        drawn = shop.drawn.of(outcome).ravel()[in_time]  # type: ignore[arg-type]
        assert (labelled.column(task).to_numpy()[in_time] == drawn).all()


def test_the_truth_is_in_no_table_of_the_log(log: Prepared) -> None:
    columns = {name for path in log.folder.glob("*.parquet") for name in pq.read_schema(path).names}
    assert columns == {
        *("request_id", "user_id", "item_id", "shown_at", "position", "propensity"),
        *("sample_weight", "event_id", "kind", "at", "value", "currency", "basket_id"),
        *("segment", "category", "brand", "price", "place_id", "impressions", "purchases"),
    }


def test_exposures_are_all_impressions_and_purchases_day_by_day(log: Prepared) -> None:
    shown, bought = log.rows("SELECT sum(impressions), sum(purchases) FROM exposures")[0]
    assert shown == log.summary.rows["impressions"]
    assert bought == log.rows("SELECT count(*) FROM events WHERE kind = 'purchase'")[0][0]


def test_equal_seeds_write_equal_logs(log: Prepared, spec: Spec, tmp_path: Path) -> None:
    prepare_logs(spec, tmp_path / "log")
    for path in log.folder.glob("*.parquet"):
        assert pq.read_table(path).equals(pq.read_table(tmp_path / "log" / path.name))


@pytest.mark.parametrize("draw", [_candidates, _largest])
def test_lists_are_drawn_by_popularity_without_replacement(
    draw: Callable[..., np.ndarray],
) -> None:
    popularity = np.log([4.0, 2.0, 1.0, *[0.5] * 10])
    blank = np.zeros(len(popularity))
    items = Items(blank.astype(int), blank[:, None], blank, blank, popularity, blank)
    found = draw(items, 40_000, 3, np.random.default_rng(0))
    assert (np.diff(np.sort(found, axis=1), axis=1) > 0).all()
    share = np.exp(popularity) / np.exp(popularity).sum()
    first = np.bincount(found[:, 0], minlength=13)
    assert chisquare(first, share * 40_000).pvalue > 1e-4
    # P(second = j) = Σ_{i ≠ j} s_i · s_j / (1 − s_i)
    odds = share / (1 - share)
    second = share * (odds.sum() - odds)
    found_second = np.bincount(found[:, 1], minlength=13)
    assert chisquare(found_second, second * 40_000).pvalue > 1e-4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.list_length=50", "--set data.list_length=50: is 50, more than the 40 items"),
        ("data.categories=41", "--set data.categories=41: is 41, more than the 40 items"),
        ("data.exploration=0", "--set data.exploration=0: input should be greater than 0"),
        ("data.click_rate=1", "--set data.click_rate=1: input should be less than 1"),
        ("data.agreement=1.5", "--set data.agreement=1.5: input should be less than or equal to 1"),
        ("data.users=10000000", "--set data.list_length=5: makes 1,000,000,000 impressions"),
        ("data.tastes=500", "--set data.tastes=500: input should be less than or equal to 256"),
        ("data.noise=1", "--set data.noise=1: unknown field"),
        ("tasks.click.event=view", "--set tasks.click.event=view: no kind of event 'view' here"),
        ("data.delay_hours=.nan", "data.delay_hours"),
    ],
)
def test_parameters_out_of_range_are_named(override: str, message: str) -> None:
    with pytest.raises(ShopguideError) as caught:
        load_spec(SPEC, overrides=[*SMALL, override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["data.days=20"], ["spec split.valid: is from 2024-02-06", "spec split.test: is from"]),
        (["features.context={device: categorical}"], ["spec features.context: the simulator has"]),
    ],
)
def test_a_spec_that_asks_for_more_than_there_is_is_refused(
    overrides: list[str], messages: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ShopguideError) as caught:
        prepare_logs(load_spec(SPEC, overrides=[*SMALL, *overrides]), tmp_path / "log")
    assert all(message in str(caught.value) for message in messages)
    assert not list(tmp_path.iterdir())
