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
    changes = _changes(view, rows, last, sequences)
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


def _changes(view: View, rows: ir.Table, last: int, sequences: Mapping[str, ir.Table]) -> ir.Table:
    """One row a key and period: what happened in it, what leaves a window, and whether to emit.

    Columns: `emit` (a snapshot is due), `happened_M` (sum in the period), `last_M`, `since_M` (the
    period, if it has a value of the sequence), and `delta_M_W` (distinct values that enter minus
    those that leave the window of W).
    """
    parts = [_sums(view, rows), _emissions(view, rows, last)]
    for name, measure in view.measures.items():
        if measure.count_distinct is not None:
            parts.append(_deltas(view, rows, name, measure))
    parts += [
        found.select(*view.keys, "period", **{f"since_{name}": found.period})
        for name, found in sequences.items()
    ]
    blank = _blank_columns(view)
    padded = [
        part.select(
            *view.keys,
            "period",
            **{c: part[c] if c in part.columns else blank[c] for c in blank},
        )
        for part in parts
    ]
    union = ibis.union(*padded)
    return union.group_by([*view.keys, "period"]).agg(
        **{
            column: union[column].max()
            if column == "emit" or column.startswith(("last_", "since_"))
            else union[column].sum().cast("int64")
            for column in blank
        }
    )


def _blank_columns(view: View) -> dict[str, ir.Scalar]:
    zero = ibis.literal(0, type="int64")
    blank: dict[str, ir.Scalar] = {"emit": zero}
    for name, measure in view.measures.items():
        if measure.sum is not None:
            blank[f"happened_{name}"] = zero
        elif measure.last is not None:
            blank[f"last_{name}"] = ibis.null("timestamp('UTC', 6)")
        elif measure.sequence is not None:
            blank[f"since_{name}"] = ibis.null("int64")
        else:
            blank |= {f"delta_{name}_{window}": zero for window in measure.windows}
    return blank


def _sums(view: View, rows: ir.Table) -> ir.Table:
    aggregates: dict[str, ir.Scalar] = {}
    for name, measure in view.measures.items():
        if measure.sum is not None:
            whole = (rows[measure.sum].fill_null(0) * _SCALE).round().cast("int64")
            aggregates[f"happened_{name}"] = whole.sum().cast("int64")
        elif measure.last is not None:
            # whole seconds: what an online store keeps, so that offline is the same
            second = rows["at"].max().truncate("s")
            aggregates[f"last_{name}"] = second.cast("timestamp('UTC', 6)")
    return rows.group_by([*view.keys, "period"]).agg(_rows=rows.count(), **aggregates)


def _emissions(view: View, rows: ir.Table, last: int) -> ir.Table:
    """Periods where a feature changes: the one after a row, and those where it leaves a window."""
    active = rows.select(*view.keys, "period").distinct()
    lags = {1} | {1 + w for measure in view.measures.values() for w in measure.windows}
    shifted = [active.mutate(period=active.period + lag) for lag in sorted(lags)]
    due = ibis.union(*shifted, distinct=True) if len(shifted) > 1 else shifted[0]
    return due.filter(due.period <= last).mutate(emit=ibis.literal(1, type="int64"))


def _deltas(view: View, rows: ir.Table, name: str, measure: Measure) -> ir.Table:
    """Distinct values as entries and exits.

    A value seen in period p is in the window of W at g for p + 1 ≤ g ≤ p + W. Two sightings whose
    stretches touch are one stretch: it is entered at the first and left after the last.
    """
    assert measure.count_distinct is not None, "called for distinct counts only"
    rows = rows.mutate(_value=rows[measure.count_distinct])
    seen = rows.filter(rows["_value"].notnull()).select(*view.keys, "period", "_value").distinct()
    by_value = ibis.window(group_by=[*view.keys, "_value"], order_by="period")
    seen = seen.mutate(
        _before=seen.period - seen.period.lag().over(by_value),
        _after=seen.period.lead().over(by_value) - seen.period,
    )
    parts = []
    for window in measure.windows:
        column = f"delta_{name}_{window}"
        for gap, lag, sign in (("_before", 1, 1), ("_after", window + 1, -1)):
            apart = seen.filter(seen[gap].isnull() | (seen[gap] > window))
            parts.append(
                apart.select(
                    *view.keys,
                    period=apart.period + lag,
                    **{
                        f"delta_{name}_{w}": ibis.literal(
                            sign if f"delta_{name}_{w}" == column else 0, type="int64"
                        )
                        for w in measure.windows
                    },
                )
            )
    return ibis.union(*parts)


def _values(name: str, view: View, changes: ir.Table) -> ir.Table:
    columns: dict[str, ir.Value] = {}
    for measure_name, measure in view.measures.items():
        stem = f"{name}_{measure_name}"
        if measure.last is not None:
            before = _frame(view, (None, 1))
            columns[stem] = changes[f"last_{measure_name}"].max().over(before)
        if measure.sequence is not None:
            before = _frame(view, (None, 1))
            since = changes[f"since_{measure_name}"].max().over(before)
            columns[f"since_{measure_name}"] = since
        for window in measure.windows:
            if measure.sum is not None:
                happened = changes[f"happened_{measure_name}"]
                total = happened.sum().over(_frame(view, (window, 1))).fill_null(0)
                columns[f"{stem}_{window}"] = total.cast("float64") / _SCALE
            else:
                delta = changes[f"delta_{measure_name}_{window}"]
                present = delta.sum().over(_frame(view, (None, 0)))
                columns[f"{stem}_{window}"] = present.cast("float64")
    values = changes.mutate(**columns)
    values = values.filter(values["emit"] == 1)
    ratios = {
        f"{name}_{ratio_name}": values[f"{name}_{ratio.of}"]
        / values[f"{name}_{ratio.per}"].nullif(0.0)
        for ratio_name, ratio in view.ratios.items()
    }
    return values.mutate(**ratios) if ratios else values


def _frame(view: View, preceding: tuple[int | None, int]) -> ibis.expr.builders.WindowBuilder:
    """Frame over the period numbers of one key: from, to, both counted back from the snapshot."""
    first, last = preceding
    if last == 0:
        return ibis.range_window(group_by=view.keys, order_by="period", preceding=None, following=0)
    return ibis.range_window(group_by=view.keys, order_by="period", preceding=(first, last))
