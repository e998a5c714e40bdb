"""The period of an impression: half-open, in the spec's zone."""

from datetime import UTC, datetime

import duckdb
import pytest

from shopguide.errors import ShopguideError
from shopguide.logs.splits import horizon_expression, instants, split_expression
from shopguide.spec.split import Period, Split

NEW_YORK = Split.model_validate(
    {
        "timezone": "America/New_York",
        "train": {"start": "2017-02-20", "end": "2017-10-02"},
        "valid": {"start": "2017-10-09", "end": "2017-11-06"},
        "test": {"start": "2017-11-06", "end": "2018-01-01"},
    }
)
"""Naive times are local; between train and valid lies a gap of a week."""


def evaluate(expression: str, shown_at: str) -> object:
    row = duckdb.execute(
        f"SELECT {expression} FROM (SELECT TIMESTAMPTZ '{shown_at}' AS shown_at)"  # noqa: S608 - our own literals
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("shown_at", "split"),
    [
        ("2017-02-20 04:59:59.999999+00", None),  # the zone is 5 hours behind in February
        ("2017-02-20 05:00:00+00", "train"),
        ("2017-10-02 03:59:59.999999+00", "train"),  # and 4 in October
        ("2017-10-02 04:00:00+00", None),
        ("2017-10-09 04:00:00+00", "valid"),
        ("2017-11-06 04:59:59+00", "valid"),  # clocks went back on 5 November
        ("2017-11-06 05:00:00+00", "test"),
        ("2018-01-01 04:59:59+00", "test"),
        ("2018-01-01 05:00:00+00", None),
    ],
)
def test_a_period_holds_its_start_and_not_its_end_in_local_time(
    shown_at: str, split: str | None
) -> None:
    assert evaluate(split_expression(NEW_YORK, "shown_at"), shown_at) == split


def test_a_time_that_names_its_zone_keeps_it() -> None:
    berlin = Period.model_validate(
        {"start": "2017-10-09T00:00:00+02:00", "end": "2017-11-06T00:00:00+01:00"}
    )
    split = NEW_YORK.model_copy(update={"valid": berlin})
    assert instants(split)["valid"][0] == datetime(2017, 10, 8, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("split", "known_by"),
    [
        ("train", datetime(2017, 10, 9, 4, tzinfo=UTC)),  # valid begins
        ("valid", datetime(2017, 11, 6, 5, tzinfo=UTC)),  # test begins
        ("test", datetime(2018, 1, 1, 5, tzinfo=UTC)),  # test ends
    ],
)
def test_an_outcome_must_be_known_when_the_next_period_begins(
    split: str, known_by: datetime
) -> None:
    expression = horizon_expression(NEW_YORK, f"'{split}'")
    assert evaluate(f"epoch_us({expression})", "2017-01-01") == known_by.timestamp() * 1e6


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ShopguideError) as caught:
        instants(NEW_YORK.model_copy(update={"timezone": "Europe/Atlantis"}))
    assert str(caught.value) == (
        "spec split.timezone: no zone 'Europe/Atlantis'. Give an IANA name such as Europe/Berlin"
    )
