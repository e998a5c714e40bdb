"""Features and goals for the kinds of event that a log has."""

from collections.abc import Sequence
from datetime import timedelta

_WINDOWS = {"hour": (1, 3, 6, 24, 72), "day": (1, 3, 7, 28, 91), "week": (1, 4, 13, 52)}
_HOURS = {"hour": 1, "day": 24, "week": 168}


def choose_period(span: timedelta) -> tuple[str, list[int]]:
    """Return the period of the features and the windows that a log of this length can fill."""
    if span <= timedelta(days=5):
        period = "hour"
    else:
        period = "day" if span <= timedelta(days=730) else "week"
    periods = span.total_seconds() / 3600 / _HOURS[period]
    windows = [window for window in _WINDOWS[period] if window <= periods / 2]
    few = windows if len(windows) <= 3 else [windows[0], *windows[-2:]]
    return period, few or [1]


def views(
    exposure: str | None,
    outcomes: Sequence[str],
    windows: Sequence[int],
    *,
    users: bool,
    category: bool,
    paid: str | None,
) -> dict[str, object]:
    """Return the feature views: what was seen, done and paid, by item, user and category.

    Args:
        exposure: kind of event that is an impression, None where it says nothing more.
        outcomes: kinds that tasks predict, from the lightest to the weightiest.
        windows: in periods.
        users: the log names its users.
        category: items have a category.
        paid: kind whose value is money that was paid.
    """
    kinds = list(dict.fromkeys([*([exposure] if exposure else []), *outcomes]))
    found: dict[str, object] = {}
    for kind in kinds:
        found[f"item_{kind}"] = _view(["item_id"], kind, "users", "user_id", windows)
        if users:
            found[f"user_{kind}"] = _view(["user_id"], kind, "items", "item_id", windows)
    main = kinds[0]
    if category:
        found["category"] = _view(["category"], main, "users", "user_id", windows, last=False)
    if category and users:
        found["user_category"] = _view(["user_id", "category"], main, "items", "item_id", windows)
    if paid is not None and users:
        measures = {"spend": {"sum": "value", "windows": list(windows)}}
        found["user_paid"] = {"keys": ["user_id"], "kind": paid, "measures": measures}
    return found


def _view(
    keys: list[str], kind: str, name: str, column: str, windows: Sequence[int], *, last: bool = True
) -> dict[str, object]:
    measures: dict[str, object] = {name: {"count_distinct": column, "windows": list(windows)}}
    if last:
        measures["last"] = {"last": "at"}
    return {"keys": keys, "kind": kind, "measures": measures}


def weights(number: int) -> list[float]:
    """Return equal weights of two digits that sum to 1."""
    each = round(1 / number, 2)
    return [round(1 - each * (number - 1), 2), *[each] * (number - 1)]
