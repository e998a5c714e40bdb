"""Snapshots of a view: its features at every start of a period where one of them changes.

A snapshot at period g covers periods before g alone: a window of W is [g − W, g − 1]. Between two
snapshots nothing changes except the age of `last`, so the latest snapshot is always the truth.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from shopguide.features.catalogue import TIMESTAMP, view_columns
from shopguide.features.periods import Periods
from shopguide.features.sequences import attach_sequences, last_values, sequence_columns
from shopguide.spec.features import Features, Measure, View

_SCALE = 10_000  # sums are whole ten-thousandths: the same on every engine, in any order


def view_snapshots(
    name: str,
    view: View,
    features: Features,
    tables: Mapping[str, ir.Table],
    *,
    start: datetime,
    end: datetime,
) -> ir.Table:
    """Return the snapshots of one view: its keys, `event_timestamp`, and its columns.

    Args:
        name: name of the view.
        view: its definition.
        features: reads the period and its zone.
        tables: canonical tables `events`, `items`, and `promotions` and `exposures` if any.
        start: no row is earlier.
        end: time at which the log ends; the last snapshot holds from then or before.
    """
    periods = Periods(features.period, features.timezone)
    rows = _rows(view, tables, periods, start, end)
    delay = timedelta(minutes=features.delay_minutes)
    last = periods.index(end - delay)
    sequences = {
        measure_name: last_values(view, rows, measure)
        for measure_name, measure in view.measures.items()
        if measure.sequence is not None
    }
    changes = _changes(view, rows, last)
    values = attach_sequences(name, view, _values(name, view, changes), sequences)
    calendar = _calendar(periods, delay, range(periods.index(start), last + 1))
    columns = [column.name for column in view_columns(name, view, features.period)]
    return values.join(calendar, "period").select(*view.keys, TIMESTAMP, *columns)


def _calendar(periods: Periods, delay: timedelta, numbers: range) -> ir.Table:
    """Return the time from which the snapshot of each period holds."""
    since = [periods.start(number) + delay for number in numbers]
    return ibis.memtable(
        pa.table(
            {
                "period": pa.array(numbers, pa.int64()),
                TIMESTAMP: pa.array(since, pa.timestamp("us", "UTC")),
            }
        )
    )


def _rows(
    view: View,
    tables: Mapping[str, ir.Table],
    periods: Periods,
    start: datetime,
    end: datetime,
) -> ir.Table:
    """Rows of the history with their keys and period, for items that can be ranked."""
    rows = tables[view.table]
    if view.kind is not None:
        rows = rows.filter(rows.kind == view.kind)
    items = tables["items"]
    if "kept" in items.columns:
        items = items.filter(items.kept)
    attributes = [key for key in view.keys if key not in ("user_id", "item_id", "place_id")]
    if attributes:
        askable = items.select(*attributes).distinct()
        named = tables["items"].select("item_id", *attributes)
        rows = rows.join(named, "item_id").semi_join(askable, attributes)
    told = [column for column in sequence_columns(view) if column not in rows.columns]
    if told:
        rows = rows.left_join(tables["items"].select("item_id", *told), "item_id")
        rows = rows.drop("item_id_right")
    if "item_id" in view.keys:
        rows = rows.semi_join(items, "item_id")
    rows = rows.filter(*(rows[key].notnull() for key in view.keys))
    return rows.mutate(period=periods.expression(rows["at"], start, end))


def _changes(view: View, rows: ir.Table, last: int) -> ir.Table:
    """One row a key and period with a snapshot: what enters its windows, less what leaves them.

    What happens in period p is in the window of W from p + 1 to p + W: it enters at p + 1 and has
    left at p + W + 1. So the sum of all changes up to a period is what the window of that period
    holds, and no window is ever scanned again.

    Columns: `delta_M_W`, `last_M`, and `since_M` (the last period with a value of the sequence).
    """
    parts = _entries_and_exits(view, rows)
    for name, measure in view.measures.items():
        if measure.count_distinct is not None:
            parts.append(_distinct_deltas(view, rows, name, measure))
    blank = _blank_columns(view)
    union = ibis.union(
        *(
            part.select(
                *view.keys,
                "period",
                **{
                    column: part[column] if column in part.columns else none
                    for column, none in blank.items()
                },
            )
            for part in parts
        )
    )
    union = union.filter(union.period <= last)
    return union.group_by([*view.keys, "period"]).agg(
        **{
            column: _total(union[column]) if column.startswith("delta_") else union[column].max()
            for column in blank
        }
    )


def _blank_columns(view: View) -> dict[str, ir.Scalar]:
    blank: dict[str, ir.Scalar] = {}
    for name, measure in view.measures.items():
        if measure.last is not None:
            blank[f"last_{name}"] = ibis.null("timestamp('UTC', 6)")
        elif measure.sequence is not None:
            blank[f"since_{name}"] = ibis.null("int64")
        else:
            zero = ibis.literal(0, type="int64")
            blank |= {f"delta_{name}_{window}": zero for window in measure.windows}
    return blank


def _entries_and_exits(view: View, rows: ir.Table) -> list[ir.Table]:
    """What each period adds to sums, recencies and sequences after it, and takes from sums later.

    A period with a row makes a row here for every window of the view, whatever it adds: these are
    the periods in which there is a snapshot.
    """
    happened = _happened(view, rows)
    sums = {name: measure for name, measure in view.measures.items() if measure.sum is not None}
    entered = {
        f"delta_{name}_{window}": happened[f"sum_{name}"]
        for name, measure in sums.items()
        for window in measure.windows
    }
    parts = [happened.mutate(period=happened.period + 1, **entered)]
    windows = {window for measure in view.measures.values() for window in measure.windows}
    for window in sorted(windows):
        left = {
            f"delta_{name}_{window}": -happened[f"sum_{name}"]
            for name, measure in sums.items()
            if window in measure.windows
        }
        parts.append(happened.select(*view.keys, period=happened.period + (window + 1), **left))
    return parts


def _happened(view: View, rows: ir.Table) -> ir.Table:
    """Each key's periods with a row, with `sum_M`, `last_M` and `since_M` of that period alone."""
    found: dict[str, ir.Scalar] = {}
    for name, measure in view.measures.items():
        if measure.sum is not None:
            whole = (rows[measure.sum].fill_null(0) * _SCALE).round().cast("int64")
            found[f"sum_{name}"] = _total(whole)
        elif measure.last is not None:
            # whole seconds: what an online store keeps, so that offline is the same
            second = rows["at"].max().truncate("s")
            found[f"last_{name}"] = second.cast("timestamp('UTC', 6)")
        elif measure.sequence is not None:
            found[f"since_{name}"] = rows.period.max(where=rows[measure.sequence].notnull())
    if not found:
        return rows.select(*view.keys, "period").distinct()
    return rows.group_by([*view.keys, "period"]).agg(**found)


def _distinct_deltas(view: View, rows: ir.Table, name: str, measure: Measure) -> ir.Table:
    """Distinct values as entries and exits.

    A value seen in period p is in the window of W at g for p + 1 ≤ g ≤ p + W. Two sightings whose
    stretches touch are one stretch: it is entered at the first and left after the last.
    """
    assert measure.count_distinct is not None, "called for distinct counts only"
    rows = rows.mutate(_value=rows[measure.count_distinct])
    seen = rows.filter(rows["_value"].notnull()).select(*view.keys, "period", "_value").distinct()
    by_value = ibis.window(group_by=[*view.keys, "_value"], order_by="period")
    far = ibis.literal(max(measure.windows) + 1, type="int64")  # as if it were never seen again
    seen = seen.mutate(
        _before=(seen.period - seen.period.lag().over(by_value)).fill_null(far),
        _after=(seen.period.lead().over(by_value) - seen.period).fill_null(far),
    )
    zero, gone = (ibis.literal(number, type="int32") for number in (0, -1))
    entries = {
        f"delta_{name}_{window}": (seen["_before"] > window).cast("int32")
        for window in measure.windows
    }
    parts = [
        seen.filter(seen["_before"] > min(measure.windows)).select(
            *view.keys, period=seen.period + 1, **entries
        )
    ]
    for window in measure.windows:
        exits = dict.fromkeys(entries, zero) | {f"delta_{name}_{window}": gone}
        parts.append(
            seen.filter(seen["_after"] > window).select(
                *view.keys, period=seen.period + (window + 1), **exits
            )
        )
    union = ibis.union(*parts)  # added up here, while its rows are narrow
    return union.group_by([*view.keys, "period"]).agg(
        **{column: _total(union[column]) for column in entries}
    )


def _total(column: ir.IntegerColumn) -> ir.Scalar:
    """Sum into eight bytes. DuckDB sums into sixteen, and all that follows takes thrice as long.

    Ibis takes the sum for an int64 already, and would leave a cast to that out.
    """
    return column.sum().cast("!int64").cast("int64")


def _values(name: str, view: View, changes: ir.Table) -> ir.Table:
    """Add up the changes of each key, from its first period on."""
    so_far = ibis.cumulative_window(group_by=view.keys, order_by="period")
    columns: dict[str, ir.Value] = {}
    for measure_name, measure in view.measures.items():
        stem = f"{name}_{measure_name}"
        if measure.last is not None:
            columns[stem] = changes[f"last_{measure_name}"].max().over(so_far)
        if measure.sequence is not None:
            since = changes[f"since_{measure_name}"].max().over(so_far)
            columns[f"since_{measure_name}"] = since
        scale = _SCALE if measure.sum is not None else 1
        for window in measure.windows:
            total = changes[f"delta_{measure_name}_{window}"].sum().over(so_far)
            columns[f"{stem}_{window}"] = total.cast("float64") / scale
    values = changes.select(*view.keys, "period", **columns)
    ratios = {
        f"{name}_{ratio_name}": values[f"{name}_{ratio.of}"]
        / values[f"{name}_{ratio.per}"].nullif(0.0)
        for ratio_name, ratio in view.ratios.items()
    }
    return values.mutate(**ratios) if ratios else values
