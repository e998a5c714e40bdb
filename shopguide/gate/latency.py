"""How long a bundle takes to score one list."""

import time

import numpy as np
import pyarrow as pa

from shopguide.bundle import Bundle

ROWS = 200
"""Candidates of the list that is timed."""

_WARM_UP, _CALLS = 5, 100


def latency_p99_ms(bundle: Bundle, table: pa.Table) -> float:
    """Return the 99th percentile of scoring 200 rows, in milliseconds to two decimals.

    Timed is what a request costs in the model: preprocessing, graph, calibration and fusion. The
    machine's own pauses are in it, as they are in production.

    Args:
        bundle: with fusion weights.
        table: rows to score; the first 200 are taken, repeated when there are fewer.
    """
    repeated = pa.concat_tables([table] * -(-ROWS // table.num_rows)) if table.num_rows else table
    rows = repeated.slice(0, ROWS).combine_chunks()
    seconds = []
    for _ in range(_WARM_UP + _CALLS):
        started = time.perf_counter()
        bundle.score(bundle.predict(rows))
        seconds.append(time.perf_counter() - started)
    p99 = np.quantile(seconds[_WARM_UP:], 0.99, method="higher")
    return round(1000 * float(p99), 2)
