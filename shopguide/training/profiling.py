"""Profile the training rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopguide.bundle import InputProfile
from shopguide.features.catalogue import ModelInput
from shopguide.training.preprocess import unscaled

_QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
_VALUES_SHOWN = 20


def profile_input(table: pa.Table, column: ModelInput) -> InputProfile:
    """Return the distribution of an input over the rows of a table.

    Args:
        table: training rows: the input's column, and for a recency `shown_at`.
        column: the input.
    """
    if column.kind == "categorical":
        return _categorical(table.column(column.name))
    return _numeric(table, column)


def _categorical(column: pa.ChunkedArray) -> InputProfile:
    counts = [
        (c["values"], c["counts"]) for c in pc.value_counts(column.cast(pa.string())).to_pylist()
    ]
    counts.sort(key=lambda pair: (-pair[1], str(pair[0])))
    values = [pair for pair in counts if pair[0] is not None]
    return InputProfile(
        kind="categorical",
        null_rate=column.null_count / len(column),
        distinct=len(values),
        most_frequent={v: n / len(column) for v, n in values[:_VALUES_SHOWN]},
        default=counts[0][0],
    )


def _numeric(table: pa.Table, column: ModelInput) -> InputProfile:
    assert column.kind in ("numeric", "recency"), "of numbers and times alone"
    raw = unscaled(table, column)
    known = raw[~np.isnan(raw)]
    null_rate = 1 - len(known) / len(raw)
    if len(known) == 0:
        return InputProfile(kind=column.kind, null_rate=1.0)
    quantiles = np.quantile(known, _QUANTILES).tolist()
    names = (f"p{q * 100:02.0f}" for q in _QUANTILES)
    return InputProfile(
        kind=column.kind,
        null_rate=null_rate,
        mean=float(known.mean()),
        quantiles=dict(zip(names, quantiles, strict=True)),
        default=None if null_rate > 0.5 else float(np.median(known)),
    )
