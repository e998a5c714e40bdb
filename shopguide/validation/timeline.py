"""Impressions and label means over time, the impressions outside every period too."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from shopguide.logs._duckdb import identifier
from shopguide.logs.splits import SPLITS, instants, split_expression
from shopguide.spec import Spec

_HOUR = 3600
_WIDTHS = tuple(_HOUR * hours for hours in (1, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760))
_MOST = 60


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the log.

    Args:
        start: its first instant, ISO 8601.
        impressions: by period; `outside` are those of none.
        means: of each task's label over its rows of the training set; empty without any.
    """

    start: str
    impressions: Mapping[str, int]
    means: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The log from its first impression to its last, in stretches of one length.

    Args:
        seconds: length of a stretch.
        moments: without a gap, at most some sixty.
    """

    seconds: int
    moments: Sequence[Moment]

    @property
    def outside(self) -> int:
        """How many impressions are of no period, and so of no model."""
        return sum(moment.impressions.get("outside", 0) for moment in self.moments)

    @property
    def length(self) -> str:
        """The length of a stretch as a person reads it."""
        hours = self.seconds // _HOUR
        number, unit = (hours // 24, "day") if hours >= 24 else (hours, "hour")
        return f"{number} {unit}{'s' if number > 1 else ''}"


def read_timeline(connection: duckdb.DuckDBPyConnection, spec: Spec) -> Timeline | None:
    """Count the log by time.

    Args:
        connection: has views `impressions`, `train`, `valid` and `test`.
        spec: reads the periods and the tasks.

    Returns:
        The time line; None without impressions.
    """
    origin = instants(spec.split)["train"][0].timestamp()
    first, last = connection.execute(
        "SELECT epoch(min(shown_at)), epoch(max(shown_at)) FROM impressions"
    ).fetchall()[0]
    if first is None:
        return None
    years = _WIDTHS[-1] * math.ceil((last - first) / _WIDTHS[-1] / (_MOST - 1))
    seconds = next((w for w in _WIDTHS if (last - first) / w < _MOST - 1), years)
    place = f"floor((epoch(shown_at) - {origin!r}) / {seconds})::BIGINT"
    counts = _counts(connection, spec, place)
    means = _means(connection, spec, place)
    start, end = (math.floor((at - origin) / seconds) for at in (first, last))
    return Timeline(
        seconds,
        [
            Moment(_iso(origin + n * seconds), counts.get(n, {}), means.get(n, {}))
            for n in range(start, end + 1)
        ],
    )


def _counts(
    connection: duckdb.DuckDBPyConnection, spec: Spec, place: str
) -> dict[int, dict[str, int]]:
    split = f"coalesce({split_expression(spec.split, 'shown_at')}, 'outside')"
    found: dict[int, dict[str, int]] = {}
    for n, period, number in connection.execute(
        f"SELECT {place}, {split}, count(*) FROM impressions GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall():
        found.setdefault(int(n), {})[period] = int(number)
    return found


def _means(
    connection: duckdb.DuckDBPyConnection, spec: Spec, place: str
) -> dict[int, dict[str, float]]:
    tasks = ", ".join(identifier(task) for task in spec.tasks)
    rows = " UNION ALL ".join(f"SELECT shown_at, {tasks} FROM {split}" for split in SPLITS)
    means = ", ".join(f"avg({identifier(task)}::DOUBLE)" for task in spec.tasks)
    return {
        int(n): {
            task: float(value)
            for task, value in zip(spec.tasks, values, strict=True)
            if value is not None
        }
        for n, *values in connection.execute(
            f"SELECT {place}, {means} FROM ({rows}) GROUP BY 1"
        ).fetchall()
    }


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
