"""Which period an impression belongs to, in SQL."""

from datetime import datetime
from zoneinfo import ZoneInfo

from shopguide.logs.zones import zone
from shopguide.spec.split import Period, Split

SPLITS = ("train", "valid", "test")


def instants(split: Split) -> dict[str, tuple[datetime, datetime]]:
    """Return the start and end of each period as instants with a zone.

    Args:
        split: the spec's section; times without a zone are in `split.timezone`.
    """
    local = zone(split.timezone, "spec split.timezone")
    return {name: _instants(getattr(split, name), local) for name in SPLITS}


def split_expression(split: Split, shown_at: str) -> str:
    """Return an SQL expression: train, valid, test, or null outside the three periods.

    Args:
        split: the spec's section.
        shown_at: SQL expression of the impression's time.
    """
    cases = " ".join(
        f"WHEN {shown_at} >= {_literal(start)} AND {shown_at} < {_literal(end)} THEN '{name}'"
        for name, (start, end) in instants(split).items()
    )
    return f"(CASE {cases} END)"


def horizon_expression(split: Split, split_column: str) -> str:
    """Return an SQL expression: the time by which an outcome must be known.

    That is the start of the next period, so that no label of one period comes from another; for
    the last period, its end.

    Args:
        split: the spec's section.
        split_column: SQL expression of the impression's split.
    """
    periods = instants(split)
    ends = {
        "train": periods["valid"][0],
        "valid": periods["test"][0],
        "test": periods["test"][1],
    }
    cases = " ".join(f"WHEN '{name}' THEN {_literal(end)}" for name, end in ends.items())
    return f"(CASE {split_column} {cases} END)"


def _instants(period: Period, local: ZoneInfo) -> tuple[datetime, datetime]:
    start, end = (
        time if time.tzinfo else time.replace(tzinfo=local) for time in (period.start, period.end)
    )
    return start, end


def _literal(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time.isoformat()}'"
