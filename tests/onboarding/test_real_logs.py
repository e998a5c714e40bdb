"""`init` on real exports: what it sees of them, and that its specs read every row."""

from pathlib import Path

import pytest

from shopguide.onboarding import Proposal, propose
from shopguide.spec.event_log import EventLog

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def rees46(shared_data: Path) -> Proposal:
    return propose([str(shared_data / "rees46" / "2019-Oct.csv.gz")], name="rees46")


@pytest.fixture(scope="module")
def bandit(shared_data: Path) -> Proposal:
    folder = shared_data / "obd" / "bts"
    return propose([str(folder / f"{name}.csv.gz") for name in ("all", "item_context")], name="bts")


def test_rees46_is_mapped_like_the_spec_by_hand(rees46: Proposal) -> None:
    data = rees46.spec.data
    assert isinstance(data, EventLog)
    assert data.columns.model_dump(exclude_none=True) == {
        "user_id": "user_id",
        "item_id": "product_id",
        "kind": "event_type",
        "at": "event_time",
        "value": "price",
        "session_id": "user_session",
    }
    assert data.item_attributes == {
        "category": "category_id", "category_code": "category_code", "brand": "brand",
    }  # fmt: skip
    assert rees46.spec.attribution.window_hours == 0.1
    assert [task.after for task in rees46.spec.tasks.values()] == [None, None, "purchase"], (
        "cart is no stage of a funnel here"
    )
    assert rees46.summary.dropped == {"unusable, too few fields": 1, "duplicates": 5}
    assert any(g.field == "gate" and "no fair comparison" in g.why for g in rees46.guesses)


def test_open_bandit_logs_positions_propensities_and_impressions(bandit: Proposal) -> None:
    data = bandit.spec.data
    assert isinstance(data, EventLog)
    columns = data.columns
    assert (columns.item_id, columns.position, columns.propensity, columns.user_id) == (
        "item_id", "position", "propensity_score", None,
    )  # fmt: skip
    assert data.outcomes["click"].column == "click"
    assert (data.exposure.rule, data.exposure.pool_minutes is not None) == ("logged", True)
    assert data.items is not None
    assert data.items.key == "item_id"
    assert {f"user_feature_{n}" for n in range(4)} <= set(data.context)
    assert bandit.summary.rows["impressions"] == 10_000
    assert bandit.spec.objective.importance.propensity == "inverse"
    assert "column_1" not in data.context, "the number of a row tells nothing"
