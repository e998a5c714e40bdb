"""The periods of a night: counted back from it, all outcomes known."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shopguide.errors import ShopguideError
from shopguide.loop import first_night, night_spec
from shopguide.spec import Spec, load_spec

SPEC = Path(__file__).parents[2] / "specs" / "simulator.yaml"
FIRST = date(2024, 1, 1)


def spec(*overrides: str) -> Spec:
    return load_spec(
        SPEC,
        overrides=[
            "attribution.window_hours=36",
            "loop.history_days=5",
            "loop.train_days=10",
            "loop.valid_days=4",
            "loop.test_days=3",
            *overrides,
        ],
    )


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_every_period_ends_a_window_before_the_next_and_the_last_before_the_night() -> None:
    night = date(2024, 2, 20)
    split = night_spec(spec(), night, FIRST).split
    window = timedelta(days=2)  # 36 hours reach into two days
    assert split.test.end + window == midnight(night)
    assert split.valid.end + window == split.test.start
    assert split.train.end + window == split.valid.start
    assert split.test.end - split.test.start == timedelta(days=3)
    assert split.valid.end - split.valid.start == timedelta(days=4)
    assert split.train.end - split.train.start == timedelta(days=10)


def test_the_first_night_has_just_enough_days() -> None:
    asked = spec()
    first = first_night(asked, FIRST)
    split = night_spec(asked, first, FIRST).split
    assert split.train.start == midnight(FIRST) + timedelta(days=5)
    with pytest.raises(ShopguideError, match=f"needs 1 more days.*Run it from {first} on"):
        night_spec(asked, first - timedelta(days=1), FIRST)


def test_a_growing_window_begins_with_the_history_over() -> None:
    for nights in (0, 7):
        asked = spec("loop.window=growing")
        night = first_night(asked, FIRST) + timedelta(days=nights)
        split = night_spec(asked, night, FIRST).split
        assert split.train.start == midnight(FIRST) + timedelta(days=5)
        assert split.train.end - split.train.start == timedelta(days=10 + nights)
