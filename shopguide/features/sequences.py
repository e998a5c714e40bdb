"""Sequences: the last values of a key before each period, as lists, newest last."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from shopguide.spec.features import Measure, View


def sequence_columns(view: View) -> list[str]:
    """Return the columns that the view's sequences read, each once."""
    found = [measure.sequence for measure in view.measures.values()]
    return list(dict.fromkeys(column for column in found if column is not None))


def last_values(view: View, rows: ir.Table, measure: Measure) -> ir.Table:
    """Return for each key and period with a value the last values up to the period's end.

    Values of one instant are in alphabetical order, so that the result is the same every time.

    Args:
        view: reads `keys`.
        rows: the history, with `period`.
        measure: a sequence.

    Returns:
        The keys, `period`, and `values`, a list of 1 to `length` texts.
    """
    assert measure.sequence is not None, "called for sequences only"
    assert measure.length is not None, "a sequence has a length"
    seen = rows.select(*view.keys, "period", "at", value=rows[measure.sequence].cast("string"))
    seen = seen.filter(seen.value.notnull())
    order = ibis.window(group_by=view.keys, order_by=["at", "value"])
    # one sort for all: a list over a frame of rows would build a list for every row
    before = {f"value_{n}": seen.value.lag(n).over(order) for n in range(1, measure.length)}
    seen = seen.mutate(value_0=seen.value, next_period=seen.period.lead().over(order), **before)
    ends = seen.filter(seen.next_period.isnull() | (seen.next_period > seen.period))
    values = ibis.array([ends[f"value_{n}"] for n in reversed(range(measure.length))])
    return ends.select(*view.keys, "period", values=values.filter(lambda value: value.notnull()))


def attach_sequences(
    name: str, view: View, snapshots: ir.Table, sequences: Mapping[str, ir.Table]
) -> ir.Table:
    """Add the columns of a view's sequences to its snapshots.

    Args:
        name: of the view.
        view: its definition.
        snapshots: the keys, and for each sequence M `since_M`, the last period before with a value.
        sequences: of each measure, from `last_values`.
    """
    for measure, found in sequences.items():
        keys = {f"key_{n}": found[key] for n, key in enumerate(view.keys)}
        named = found.select(since=found.period, **keys, **{f"{name}_{measure}": found["values"]})
        same = [snapshots[key] == named[f"key_{n}"] for n, key in enumerate(view.keys)]
        same.append(snapshots[f"since_{measure}"] == named.since)
        snapshots = snapshots.left_join(named, same).drop("since", *keys)
    return snapshots
