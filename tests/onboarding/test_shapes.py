"""Exports in the shapes that shops have become specs that run."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import yaml

from shopguide.onboarding import Proposal, propose
from shopguide.spec.event_log import EventLog
from tests.onboarding.shapes import (
    SHAPES,
    experiment,
    logged_lists,
    orders_alone,
    several_files,
    user_behaviour,
    wide_clicks,
)


@pytest.fixture(scope="module")
def proposals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Proposal]:
    """Propose a spec for a shape, once."""
    found: dict[str, Proposal] = {}

    def of(shape: str) -> Proposal:
        if shape not in found:
            folder = tmp_path_factory.mktemp(shape)
            found[shape] = propose(SHAPES[shape](folder), name=shape)
        return found[shape]

    return of


Propose = Callable[[str], Proposal]


def mapping(proposal: Proposal) -> EventLog:
    assert isinstance(proposal.spec.data, EventLog)
    return proposal.spec.data


def unsure(proposal: Proposal) -> set[str]:
    return {guess.field for guess in proposal.guesses if not guess.sure}


def test_a_headerless_user_behaviour_log(proposals: Propose) -> None:
    proposal = proposals(user_behaviour.__name__)
    data = mapping(proposal)
    assert data.header == [f"column_{n}" for n in range(1, 6)]
    columns = data.columns
    assert (columns.user_id, columns.item_id, columns.kind, columns.at) == (
        "column_1", "column_2", "column_4", "column_5",
    )  # fmt: skip
    assert data.kinds == {"pv": "view", "cart": "cart", "buy": "purchase"}
    assert (data.time_format, data.exposure.rule, data.exposure.session_minutes) == (
        "epoch_s", "views", 30,
    )  # fmt: skip
    assert list(proposal.spec.tasks) == ["cart", "purchase"]
    assert proposal.spec.tasks["purchase"].after == "cart"
    assert {"data.columns.user_id", "data.columns.item_id"} <= unsure(proposal)
    [kind] = [guess for guess in proposal.guesses if guess.field == "data.columns.kind"]
    assert "buy → purchase" in kind.why


def test_the_third_id_of_a_headerless_log_is_a_category_and_no_number(proposals: Propose) -> None:
    proposal = proposals(user_behaviour.__name__)
    assert mapping(proposal).item_attributes == {"category": "column_3"}
    assert proposal.spec.features.item_attributes == {"category": "categorical"}
    assert {"category", "user_category"} <= set(proposal.spec.features.views)
    assert "data.item_attributes.category" in unsure(proposal)


def test_a_wide_click_log(proposals: Propose) -> None:
    proposal = proposals(wide_clicks.__name__)
    data = mapping(proposal)
    assert data.outcomes["purchase"].model_dump(exclude_none=True) == {
        "column": "Sale",
        "value": "SalesAmountInEuro",
        "delay_seconds": "time_delay_for_conversion",
    }
    assert (data.delimiter, data.nulls, data.exposure.rule) == (None, ["-1"], "logged")
    assert "product_price" in data.item_attributes
    assert list(proposal.spec.tasks) == ["purchase", "order_value"]
    assert {"data.nulls", "data.exposure.pool_minutes"} <= unsure(proposal)


def test_users_that_a_pool_replaced_are_told_as_left_out(proposals: Propose) -> None:
    proposal = proposals(wide_clicks.__name__)
    assert mapping(proposal).columns.user_id is None
    [user] = [guess for guess in proposal.guesses if guess.field == "data.columns.user_id"]
    assert (user.value, user.sure) == ("null", False)
    assert user.why.startswith("user_id and what is known of users (device_type) left out")
    assert "data.user_attributes" not in {guess.field for guess in proposal.guesses}


@pytest.mark.parametrize(
    ("shape", "notes"),
    [
        (user_behaviour, ["Impressions are inferred"]),
        (wide_clicks, ["No list was logged", "Users are not people: each stands for a window of"]),
    ],
)
def test_what_reports_must_repeat_stands_in_the_notes(
    proposals: Propose, shape: Callable[[Path], list[str]], notes: list[str]
) -> None:
    found = proposals(shape.__name__).spec.notes
    for note in notes:
        assert any(line.startswith(note) for line in found), found


def test_an_experiment_without_users_and_times(proposals: Propose) -> None:
    proposal = proposals(experiment.__name__)
    data = mapping(proposal)
    assert (data.columns.item_id, data.columns.user_id, data.columns.at) == ("segment", None, None)
    assert set(data.outcomes) == {"visit", "purchase"}
    assert data.outcomes["purchase"].value == "spend"
    assert proposal.spec.tasks["purchase"].after == "visit"
    assert {"recency", "history"} <= set(data.context)
    assert {"data.columns.user_id", "data.columns.at"} <= unsure(proposal)
    assert proposal.summary.rows["impressions"] == 4000


def test_logged_lists(proposals: Propose) -> None:
    proposal = proposals(logged_lists.__name__)
    data = mapping(proposal)
    assert (data.exposure.rule, data.exposure.event) == ("logged", "impression")
    assert (data.columns.request_id, data.columns.position) == ("request_id", "position")
    assert proposal.spec.attribution.match == "request"
    assert 0 < proposal.spec.attribution.window_hours < 1, "outcomes come in seconds"
    assert list(proposal.spec.tasks) == ["click", "purchase", "order_value"]


def test_orders_alone(proposals: Propose) -> None:
    proposal = proposals(orders_alone.__name__)
    data = mapping(proposal)
    assert (data.every_row, data.exposure.rule, data.decimal) == ("purchase", "sampled", ",")
    assert (data.time_format, data.delimiter) == ("%d.%m.%Y %H:%M", ";")
    assert (data.columns.value, data.columns.quantity) == ("UnitPrice", "Quantity")
    assert {"data.every_row", "data.exposure"} <= unsure(proposal)


def test_events_of_two_days_with_tables_of_items_and_users(proposals: Propose) -> None:
    data = mapping(proposals(several_files.__name__))
    assert (len(data.path), data.encoding) == (2, "gb18030")
    assert data.items is not None
    assert data.users is not None
    assert (data.items.key, data.items.encoding, data.users.key) == ("item_id", "utf-8", "user_id")
    assert data.items.attributes == {"brand": "brand", "weight": "weight"}


def test_a_glob_names_its_files(tmp_path: Path) -> None:
    files = several_files(tmp_path)
    proposal = propose([str(tmp_path / "events_*.csv"), files[2]])
    data = mapping(proposal)
    assert (data.path, proposal.name) == (files[:2], "events_1")
    assert data.items is not None


@pytest.mark.parametrize("shape", SHAPES)
def test_every_guess_that_is_not_sure_is_marked_where_it_stands(
    proposals: Propose, shape: str
) -> None:
    proposal = proposals(shape)
    marks = sum(not guess.sure for guess in proposal.guesses)
    assert proposal.text.count("GUESS:") == marks > 0
    assert yaml.safe_load(proposal.text)["name"] == shape


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_a_proposed_spec_runs_until_its_data_are_found_valid(
    proposals: Propose, shape: str, tmp_path: Path
) -> None:
    from shopguide.features import materialize_features
    from shopguide.logs import prepare_logs
    from shopguide.validation import validate_data

    spec = proposals(shape).spec.model_copy(update={"home": str(tmp_path / "home")})
    prepare_logs(spec, tmp_path / "log")
    materialize_features(spec, tmp_path / "log", tmp_path / "set")
    result = validate_data(spec, tmp_path / "log", tmp_path / "set", tmp_path / "data.html")
    assert result.passes, result.failures
    assert duckdb.read_parquet(f"{tmp_path}/set/test.parquet").shape[0] > 0
