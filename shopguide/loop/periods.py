"""The periods of one night: what it learns from and is judged on, all outcomes known."""

import math
from datetime import UTC, date, datetime, time, timedelta

from shopguide.errors import ShopguideError
from shopguide.spec import Spec
from shopguide.spec.split import Period, Split

_ONE = timedelta(days=1)


def night_spec(spec: Spec, as_of: date, first: date) -> Spec:
    """Return the spec of one night: `split` counted back from its date.

    Args:
        spec: reads `loop` and `attribution.window_hours`.
        as_of: the night's date; days before it are known, whole.
        first: day of the log.

    Raises:
        ShopguideError: the days are too few.
    """
    loop, gap = spec.loop, gap_days(spec)
    test_end = as_of - gap * _ONE
    test_start = test_end - loop.test_days * _ONE
    valid_end = test_start - gap * _ONE
    valid_start = valid_end - loop.valid_days * _ONE
    train_end = valid_start - gap * _ONE
    train_start = train_end - loop.train_days * _ONE
    earliest = first + loop.history_days * _ONE
    if train_start < earliest:
        lacking = (earliest - train_start).days
        raise ShopguideError(
            f"spec loop, night {as_of}",
            f"needs {lacking} more days: the log begins with {first}, and training would with "
            f"{train_start}, after {loop.history_days} days of history",
            f"Run it from {first_night(spec, first)} on, or ask for shorter periods",
        )
    if loop.window == "growing":
        train_start = earliest
    split = Split(
        train=_period(train_start, train_end),
        valid=_period(valid_start, valid_end),
        test=_period(test_start, test_end),
    )
    return spec.model_copy(update={"split": split})


def first_night(spec: Spec, first: date) -> date:
    """Return the first date for which a log has enough days.

    Args:
        spec: reads `loop` and `attribution.window_hours`.
        first: day of the log.
    """
    loop = spec.loop
    days = loop.history_days + loop.train_days + loop.valid_days + loop.test_days
    return first + (days + 3 * gap_days(spec)) * _ONE


def gap_days(spec: Spec) -> int:
    """Return the whole days that an attribution window reaches into."""
    return math.ceil(spec.attribution.window_hours / 24)


def _period(start: date, end: date) -> Period:
    return Period(start=_midnight(start), end=_midnight(end))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
