"""Periods are whole local hours, days and weeks, on Python and on DuckDB alike."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopguide.features.periods import Periods

UNITS = ["hour", "day", "week"]
WITH_MIDNIGHTS = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
"""Lord Howe Island moves its clocks by half an hour; Kolkata lies half an hour off."""

ZONES = [*WITH_MIDNIGHTS, "Africa/Cairo", "America/Havana"]
"""Cairo's clocks go from midnight to one in spring; Havana has one midnight twice in autumn."""

START = datetime(2023, 12, 1, tzinfo=UTC)
END = datetime(2025, 1, 31, tzinfo=UTC)

instants = st.datetimes(
    START.replace(tzinfo=None), END.replace(tzinfo=None), timezones=st.just(UTC)
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=100)
@given(at=instants)
def test_an_instant_lies_between_the_starts_of_its_period_and_the_next(
    unit: str, zone: str, at: datetime
) -> None:
    periods = Periods(unit, zone)
    number = periods.index(at)
    assert periods.start(number) <= at < periods.start(number + 1)
    assert periods.index(periods.start(number)) == number
    assert periods.index(periods.start(number) - timedelta(microseconds=1)) == number - 1


@pytest.mark.parametrize("zone", WITH_MIDNIGHTS)
def test_a_day_begins_at_local_midnight_and_a_week_on_monday(zone: str) -> None:
    for number in range(19_700, 20_100):  # days of 2023 to 2025
        local = Periods("day", zone).start(number).astimezone(ZoneInfo(zone))
        assert (local.hour, local.minute, local.second) == (0, 0, 0)
        assert (local.date() - datetime(1970, 1, 1).date()).days == number  # noqa: DTZ001 - a date
    for number in range(2_815, 2_870):
        local = Periods("week", zone).start(number).astimezone(ZoneInfo(zone))
        assert (local.weekday(), local.hour, local.minute) == (0, 0, 0)


@pytest.mark.parametrize(
    ("unit", "at", "hours"),
    [
        ("day", datetime(2024, 3, 10, 12, tzinfo=UTC), 23),  # New York loses an hour
        ("day", datetime(2024, 11, 3, 12, tzinfo=UTC), 25),
        ("week", datetime(2024, 3, 8, 12, tzinfo=UTC), 7 * 24 - 1),
        ("hour", datetime(2024, 11, 3, 5, 30, tzinfo=UTC), 1),  # 1:30 a.m. comes twice: two hours
        ("hour", datetime(2024, 11, 3, 6, 30, tzinfo=UTC), 1),
    ],
)
def test_a_period_is_as_long_as_the_clocks_make_it(unit: str, at: datetime, hours: int) -> None:
    periods = Periods(unit, "America/New_York")
    number = periods.index(at)
    assert periods.start(number + 1) - periods.start(number) == timedelta(hours=hours)


def test_the_two_hours_of_a_clock_that_goes_back_are_two_periods() -> None:
    periods = Periods("hour", "America/New_York")
    first, second = (datetime(2024, 11, 3, hour, 30, tzinfo=UTC) for hour in (5, 6))
    assert periods.index(second) == periods.index(first) + 1


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", UNITS)
def test_duckdb_gives_the_number_that_python_gives(unit: str, zone: str) -> None:
    periods = Periods(unit, zone)
    hours = int((END - START).total_seconds()) // 3_600
    edges = [START + timedelta(hours=number) for number in range(hours)]  # of any period too
    steps = (timedelta(microseconds=-1), timedelta(0), timedelta(microseconds=1))
    times = sorted({max(START, min(END, edge + step)) for edge in edges for step in steps})
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    stamps = pa.array(times, pa.timestamp("us", "UTC"))
    table = connection.create_table("times", pa.table({"at": stamps}))
    found = connection.to_pyarrow(
        table.select("at", number=periods.expression(table["at"], START, END))
    )
    assert found["number"].to_pylist() == [periods.index(at) for at in found["at"].to_pylist()]
    connection.disconnect()
