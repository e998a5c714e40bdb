"""A simulated shop → canonical log: what such a shop would export, up to the end of its days."""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from shopguide.errors import ShopguideError
from shopguide.logs._duckdb import connect, count
from shopguide.logs._writing import LogSummary, write_log
from shopguide.logs.simulator import tables
from shopguide.logs.simulator.shop import Shop
from shopguide.logs.simulator.simulate import simulate
from shopguide.logs.simulator.task_outcome import outcome_of
from shopguide.logs.splits import instants
from shopguide.spec import Spec
from shopguide.spec.simulator import Simulator

_log = logging.getLogger(__name__)

_PLACE = "shop"

NOTES = (
    "The shop is simulated: users, items and outcomes are drawn from the model in the spec's data.",
    "Every item of a list was shown. position and propensity are logged: the propensity is the "
    "probability that the item stands at that position, given the items of the list.",
)


def prepare_simulator(spec: Spec, data: Simulator, out: str | Path) -> LogSummary:
    """Simulate a shop and write its canonical log; the truth stays out of it.

    What would happen after the last day is not in the log, as in any export.

    Args:
        spec: its tasks must be of kinds that the simulator has, its periods within its days.
        data: the spec's data section.
        out: directory to write.

    Raises:
        ShopguideError: a task, a period or a context column is not the simulator's; all at once.
    """
    _refuse_what_it_lacks(spec, data)
    started = time.monotonic()
    shop = simulate(data)
    _log.info(
        "simulated: %s requests, %.1f s", f"{len(shop.lists.user):,}", time.monotonic() - started
    )
    end = datetime.fromtimestamp(tables.midnight(data, data.days) / 1e6, UTC)
    with connect() as connection:
        late = _load(connection, shop, end)
        return write_log(
            connection,
            out,
            source=data.source,
            dropped={"events after the last day": late},
            notes=NOTES,
            end=end.isoformat(),
        )


def _refuse_what_it_lacks(spec: Spec, data: Simulator) -> None:
    problems: list[ShopguideError] = []
    for name, task in spec.tasks.items():
        try:
            outcome_of(task, f"tasks.{name}")
        except ShopguideError as problem:
            problems.append(problem)
    if spec.features.context:
        problems.append(
            ShopguideError(
                "spec features.context",
                f"the simulator has no column for {', '.join(spec.features.context)}",
                "Leave it out",
            )
        )
    first, last = (
        datetime.fromtimestamp(tables.midnight(data, day) / 1e6, UTC) for day in (0, data.days)
    )
    problems += [
        ShopguideError(
            f"spec split.{name}",
            f"is from {start} to {end}; the simulator's days are from {first} to {last}",
            "Move it, or change data.start and data.days",
        )
        for name, (start, end) in instants(spec.split).items()
        if start < first or end > last
    ]
    if problems:
        raise ShopguideError.combined(problems)


def _load(connection: duckdb.DuckDBPyConnection, shop: Shop, end: datetime) -> int:
    """Make the canonical tables; return the number of events after the end."""
    drawn = {
        "impressions": tables.impressions(shop.parameters, shop.lists),
        "events": tables.events(shop.parameters, shop.lists, shop.drawn),
        "users": tables.users(shop.parameters, shop.users),
        "items": tables.items(shop.parameters, shop.items),
    }
    for name, table in drawn.items():
        connection.register("drawn", table)
        connection.execute(f"CREATE TABLE {name} AS FROM drawn")
        connection.unregister("drawn")
    connection.execute('DELETE FROM events WHERE "at" >= $end', {"end": end})
    _exposures(connection)
    return int(drawn["events"].num_rows) - count(connection, "SELECT count(*) FROM events")


def _exposures(connection: duckdb.DuckDBPyConnection) -> None:
    """How often each item was shown and bought on each day."""
    connection.execute(
        f"""
        CREATE TABLE exposures AS
        WITH days AS (
            SELECT item_id, date_trunc('day', shown_at) AS day, 1 AS shown, 0 AS bought
            FROM impressions
            UNION ALL
            SELECT item_id, date_trunc('day', "at"), 0, 1 FROM events WHERE kind = 'purchase'
        )
        SELECT item_id, '{_PLACE}' AS place_id, day AS "at", sum(shown)::DOUBLE AS impressions,
               sum(bought)::DOUBLE AS purchases
        FROM days GROUP BY item_id, day
        """
    )
