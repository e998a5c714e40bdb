"""How an input is spread in each period, over bins that all periods share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from shopguide.features import ModelInput
from shopguide.logs._duckdb import identifier
from shopguide.logs.splits import SPLITS

_ROWS = 100_000  # of each period: a bin's share is then right to .3 % of the rows
_BINS = 16
_MOST_TEXTS = 7
_DRAWN = ("numeric", "categorical")


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of the rows that have a value, by bin and period.

    Args:
        labels: what is in each of the B bins; the outer ones hold all that is beyond them.
        shares: by period, B shares that add up to 1, or to 0 where no row has a value.
    """

    labels: Sequence[str]
    shares: Mapping[str, Sequence[float]]


def draw_rows(connection: duckdb.DuckDBPyConnection, inputs: Sequence[ModelInput]) -> None:
    """Draw rows of every period into the tables `drawn_train`, `drawn_valid` and `drawn_test`.

    Args:
        connection: has views `train`, `valid` and `test`.
        inputs: what the tables hold of them.
    """
    columns = [identifier(column.name) for column in inputs if column.kind in _DRAWN]
    for split in SPLITS:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE drawn_{split} AS SELECT {', '.join(columns) or '1'} "
            f"FROM {split} USING SAMPLE reservoir({_ROWS} ROWS) REPEATABLE (0)"
        )


def histogram(connection: duckdb.DuckDBPyConnection, column: ModelInput) -> Histogram | None:
    """Return the histogram of an input: equal widths for numbers, the commonest texts else.

    Args:
        connection: after `draw_rows`.
        column: of the model; times and sequences have none.
    """
    if column.kind not in _DRAWN:
        return None
    name = identifier(column.name)
    numeric = column.kind == "numeric"
    labels, bin_of = (_widths if numeric else _texts)(connection, name)
    if not labels:
        return None
    present = f"isfinite({name}::DOUBLE)" if numeric else f"{name} IS NOT NULL"
    shares = {}
    for split in SPLITS:
        counted = connection.execute(
            f"SELECT {bin_of}, count(*) FROM drawn_{split} WHERE {present} GROUP BY 1"
        ).fetchall()
        rows = {int(place): int(number) for place, number in counted}
        total = sum(rows.values())
        shares[split] = [rows.get(b, 0) / max(total, 1) for b in range(len(labels))]
    return Histogram(labels, shares)


def _widths(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[list[str], str]:
    """Return bins of one width between the 1st and the 99th percentile of training."""
    low, high = connection.execute(
        f"SELECT quantile_cont({name}::DOUBLE, 0.01), quantile_cont({name}::DOUBLE, 0.99) "
        f"FROM drawn_train WHERE isfinite({name}::DOUBLE)"
    ).fetchall()[0]
    if low is None:
        return [], ""
    if low == high:
        place = f"CASE WHEN {name} < {low!r} THEN 0 WHEN {name} = {low!r} THEN 1 ELSE 2 END"
        return [f"below {low:.4g}", f"{low:.4g}", f"above {low:.4g}"], place
    width = (high - low) / _BINS
    edges = [low + b * width for b in range(_BINS + 1)]
    inner = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges[1:-1])]
    labels = [f"below {edges[1]:.4g}", *inner, f"from {edges[-2]:.4g}"]
    place = f"least(greatest(floor(({name}::DOUBLE - {low!r}) / {width!r}), 0), {_BINS - 1})"
    return labels, place


def _texts(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[list[str], str]:
    """Return a bin for each of the commonest texts of training, and one for all others."""
    top = [
        str(row[0])
        for row in connection.execute(
            f"SELECT {name} FROM drawn_train WHERE {name} IS NOT NULL GROUP BY 1 "
            f"ORDER BY count(*) DESC, 1 LIMIT {_MOST_TEXTS}"
        ).fetchall()
    ]
    if not top:
        return [], ""
    connection.execute("CREATE OR REPLACE TEMP TABLE commonest (text VARCHAR, place INTEGER)")
    connection.executemany(
        "INSERT INTO commonest VALUES (?, ?)", [[text, n] for n, text in enumerate(top)]
    )
    place = f"coalesce((SELECT place FROM commonest WHERE text = {name}), {len(top)})"
    return [*top, "all others"], place
