"""Measure the canonical log that a mapping gives: windows, periods, tasks that can be learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from shopguide.errors import ShopguideError
from shopguide.logs import label_impressions
from shopguide.logs._duckdb import count, identifier, quote
from shopguide.logs.splits import horizon_expression, split_expression
from shopguide.spec import Spec

_WINDOWS = (0.1, 0.25, 0.5, 1.0, 2.0, 6.0, 12.0, 24.0, 72.0, 168.0)
_COVERED = 0.95
"""Share of the outcomes that a window must hold."""


_GRID = 2_000
"""Steps in which the impressions are counted over time."""

_SAMPLE = 200_000
"""Impressions that tell how many there are when."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Log:
    """What a canonical log holds.

    Args:
        folder: where it is.
        start: first impression.
        last: last impression.
        end: last event, which may come long after the last impression.
        impressions: rows.
        users: distinct.
        list_size: rows of a request, which nine in ten do not exceed.
        kinds: events by kind.
        unexposed: share of the outcomes of pairs that were never shown.
    """

    folder: Path
    start: datetime
    last: datetime
    end: datetime
    impressions: int
    users: int
    list_size: float
    kinds: Mapping[str, int]
    unexposed: float

    @property
    def span(self) -> timedelta:
        """From the first impression to the last."""
        return self.last - self.start


def read_log(connection: duckdb.DuckDBPyConnection, folder: Path, exposure: str) -> Log:
    """Measure a canonical log; views of its tables stay in the connection.

    Args:
        connection: in UTC.
        folder: the log.
        exposure: kind of event that is an impression.
    """
    for path in folder.glob("*.parquet"):
        connection.execute(
            f"CREATE OR REPLACE VIEW {path.stem} AS FROM read_parquet({quote(str(path))})"
        )
    start, last, shown, users = row(
        connection,
        "SELECT min(shown_at), max(shown_at), count(*), count(DISTINCT user_id) FROM impressions",
    )
    (end,) = row(connection, 'SELECT max("at") FROM events')
    (size,) = row(
        connection,
        "SELECT quantile_cont(n, 0.9) FROM "
        "(SELECT count(*) AS n FROM impressions GROUP BY request_id)",
    )
    kinds = connection.execute(
        "SELECT kind, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    others = count(connection, f"SELECT count(*) FROM events WHERE kind <> {quote(exposure)}")
    never = count(
        connection,
        "SELECT count(*) FROM events ANTI JOIN impressions USING (user_id, item_id) "
        f"WHERE kind <> {quote(exposure)}",
    )
    return Log(
        folder, start.astimezone(UTC), last.astimezone(UTC), end.astimezone(UTC),
        shown, users, float(size),
        {str(kind): int(number) for kind, number in kinds}, never / max(others, 1),
    )  # fmt: skip


def choose_window(
    connection: duckdb.DuckDBPyConnection, log: Log, outcomes: Sequence[str]
) -> tuple[float, float]:
    """Return the shortest window in hours that holds nearly all outcomes, and what it holds.

    A window takes a twentieth of the log at most: as much is lost at the end of every period.
    """
    held = ", ".join(f"count_if(hours < {window})" for window in _WINDOWS)
    kinds = ", ".join(map(quote, outcomes))
    found = row(
        connection,
        f"""
        SELECT count(*), {held} FROM (
            SELECT epoch(e."at" - i.shown_at) / 3600 AS hours
            FROM (SELECT * FROM events WHERE kind IN ({kinds})) AS e
            ASOF JOIN (SELECT user_id, item_id, shown_at FROM impressions GROUP BY ALL) AS i
            ON e.user_id = i.user_id AND e.item_id = i.item_id AND e."at" >= i.shown_at
        )
        """,
    )
    most = log.span.total_seconds() / 3600 / 20
    allowed = [window for window in _WINDOWS if window <= most] or [_WINDOWS[0]]
    shares = {w: (n or 0) / max(found[0], 1) for w, n in zip(_WINDOWS, found[1:], strict=True)}
    window = next((w for w in allowed if shares[w] >= _COVERED), allowed[-1])
    return window, shares[window]


def periods(
    connection: duckdb.DuckDBPyConnection,
    log: Log,
    parts: Sequence[float],
    *,
    gap: timedelta,
    window: timedelta,
) -> dict[str, dict[str, datetime]]:
    """Cut the log so that the periods hold these shares of the impressions that count.

    Those are the impressions outside the gaps whose window is over when their period ends.

    Args:
        connection: as `read_log` left it.
        log: its measures.
        parts: shares of training and validation; the test period has the rest.
        gap: time between two periods, in which outcomes come in.
        window: after an impression, in which outcomes are credited to it.
    """
    unit, history = _unit(log.span - 2 * (gap + window)), timedelta(0)
    if log.span > 10 * unit:
        history = log.span / 10
    first = _rounded(log.start + history, unit) if history else log.start
    times = connection.execute(
        "SELECT epoch(shown_at) AS t FROM (SELECT shown_at FROM impressions "
        f"WHERE shown_at >= TIMESTAMPTZ '{first.isoformat()}' "
        f"AND shown_at <= TIMESTAMPTZ '{(log.end - window).isoformat()}') "
        f"USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (0)"
    ).fetchnumpy()["t"]
    if not len(times):
        raise ShopguideError(str(log.folder), "no window is over before the end", "Give more")
    grid = np.quantile(np.asarray(times, np.float64), np.linspace(0, 1, _GRID))
    middle, last = (
        _rounded(datetime.fromtimestamp(cut, UTC), unit)
        for cut in _cuts(grid, parts, (gap + window).total_seconds())
    )
    end = _rounded(log.end if window else log.last, unit) + unit
    return {
        name: {"start": _plain(start), "end": _plain(stop)}
        for name, start, stop in (
            ("train", first, middle - gap),
            ("valid", middle, last - gap),
            ("test", last, end),
        )
    }


def _cuts(grid: Floats, parts: Sequence[float], lost: float) -> tuple[float, float]:
    """Return where validation and test begin.

    Args:
        grid: quantiles of the times of the impressions that count, seconds, at equal steps.
        parts: shares of training and validation.
        lost: seconds before a cut whose impressions do not count: the gap, and a window.
    """
    shares = np.linspace(0, 1, len(grid))
    usable, middle, last = 1.0, float(grid[0]), float(grid[-1])
    for _ in range(20):  # what a period loses depends on where it ends
        last = float(np.interp(1 - usable * (1 - parts[0] - parts[1]), shares, grid))
        before = float(np.interp(last - lost, grid, shares))
        middle = float(np.interp(before - usable * parts[1], shares, grid))
        train = float(np.interp(middle - lost, grid, shares))
        held = train + before - float(np.interp(middle, grid, shares))
        usable = (usable + held + 1 - float(np.interp(last, grid, shares))) / 2
    return middle, last


def _plain(time: datetime) -> datetime:
    """Return a time in UTC as a spec has it: without a zone, in whole seconds."""
    return time.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def outcome_gap(connection: duckdb.DuckDBPyConnection, exposure: str) -> timedelta:
    """Return how long nearly all outcomes of logged impressions take, whole minutes."""
    (seconds,) = row(
        connection,
        'SELECT quantile_cont(epoch(e."at" - i.shown_at), 0.95) FROM events AS e '
        "JOIN impressions AS i USING (request_id, item_id) "
        f"WHERE e.kind <> {quote(exposure)}",
    )
    return timedelta(minutes=-(-float(seconds or 0) // 60))


def _unit(span: timedelta) -> timedelta:
    """Return what periods of a log are rounded to.

    Args:
        span: length of the log without what gaps and windows take of it.
    """
    if span > timedelta(days=21):
        return timedelta(days=1)
    return timedelta(hours=1) if span > timedelta(days=2) else timedelta(minutes=1)


def _rounded(time: datetime, unit: timedelta) -> datetime:
    """Return the last beginning of a unit at or before a time."""
    seconds = unit.total_seconds()
    return datetime.fromtimestamp(time.timestamp() // seconds * seconds, UTC)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Labelled rows of a split.

    Args:
        rows: impressions whose window is over.
        users: distinct.
        positives: rows by task in which it happened.
    """

    rows: int
    users: int
    positives: Mapping[str, int]


def outcomes(
    connection: duckdb.DuckDBPyConnection, log: Log, spec: Spec
) -> tuple[dict[str, Outcomes], set[tuple[str, str]]]:
    """Label the impressions as the spec says.

    Returns:
        What each split holds, and the pairs of tasks of which the first never happens without the
        second.
    """
    connection.execute("DROP TABLE IF EXISTS labelled")
    label_impressions(connection, log.folder, spec)
    tasks = list(spec.tasks)
    whole = "true"
    if spec.attribution.match == "user_item":
        window = round(spec.attribution.window_hours * 3_600_000_000)
        horizon = horizon_expression(spec.split, "split")
        end = f"TIMESTAMPTZ '{log.end.isoformat()}'"
        whole = f"shown_at + to_microseconds({window}) <= least({horizon}, {end})"
    kept = (
        f"(SELECT * FROM (SELECT *, {split_expression(spec.split, 'shown_at')} AS split "
        f"FROM labelled) WHERE split IS NOT NULL AND {whole})"
    )
    sums = "".join(f", count_if({identifier(task)} > 0)" for task in tasks)
    found = connection.execute(
        f"SELECT split, count(*), count(DISTINCT user_id){sums} FROM {kept} GROUP BY split"
    ).fetchall()
    held = {
        part[0]: Outcomes(part[1], part[2], dict(zip(tasks, part[3:], strict=True)))
        for part in found
    }
    pairs = [(a, b) for a in tasks for b in tasks if a != b]
    nested = set()
    for first, second in pairs:
        alone = f"{identifier(first)} > 0 AND NOT {identifier(second)} > 0"
        if not count(connection, f"SELECT count(*) FROM {kept} WHERE {alone}"):
            nested.add((first, second))
    return held, nested


def row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the one row that a query yields."""
    found = connection.execute(query).fetchone()
    assert found is not None, query
    return tuple(found)
