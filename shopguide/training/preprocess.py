"""Fit the preprocessing on the training rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.bundle import CategoricalInput, NumericInput, Preprocessing
from shopguide.bundle.preprocessing import raw_numbers, signed_log1p
from shopguide.features.catalogue import ModelInput

HEAVY_TAIL = 4.0
"""A numeric input is heavy-tailed when the 99th percentile of its distance from the median exceeds
this many times the 75th: 2.2 for a normal, 4.9 for an exponential distribution."""

_IQR_OF_NORMAL = 1.349
_WINSOR = (0.001, 0.999)


def fit_preprocessing(
    table: pa.Table, inputs: Sequence[ModelInput], *, min_count: int, max_vocabulary: int
) -> Preprocessing:
    """Fit vocabularies and scales.

    Args:
        table: the training rows.
        inputs: the model's inputs.
        min_count: rows that a value needs for a code of its own.
        max_vocabulary: values that may have one; the most frequent win.
    """
    return Preprocessing(
        categorical=[
            CategoricalInput(
                name=column.name,
                vocabulary=vocabulary(table.column(column.name), min_count, max_vocabulary),
            )
            for column in inputs
            if column.kind == "categorical"
        ],
        numeric=[fit_numeric(table, column) for column in inputs if column.kind != "categorical"],
    )


def vocabulary(column: pa.ChunkedArray, min_count: int, max_vocabulary: int) -> list[str]:
    """Return the values with at least `min_count` rows, most frequent first, ties by name."""
    counts = pc.value_counts(column.cast(pa.string()))
    pairs = [(c["values"], c["counts"]) for c in counts.to_pylist() if c["values"] is not None]
    frequent = sorted((p for p in pairs if p[1] >= min_count), key=lambda p: (-p[1], p[0]))
    return [value for value, _ in frequent[:max_vocabulary]]


def fit_numeric(table: pa.Table, column: ModelInput) -> NumericInput:
    """Fit one numeric or recency input.

    Ages and heavy-tailed numbers enter as their signed log1p. The centre is the median; the scale
    is the larger of IQR ÷ 1.349 and the standard deviation of values winsorised at .1 % and 99.9 %
    (an input that is mostly 0 has no IQR), or 1 for a constant.
    """
    assert column.kind != "categorical"
    raw = unscaled(table, column)
    known = raw[~np.isnan(raw)]
    log = column.kind == "recency" or heavy_tailed(known)
    centre, scale = _centre_and_scale(signed_log1p(known) if log else known)
    return NumericInput(
        name=column.name,
        kind=column.kind,
        log=log,
        centre=centre,
        scale=scale,
        indicator=len(known) < len(raw),
    )


def unscaled(table: pa.Table, column: ModelInput) -> NDArray[np.float64]:
    """Return a numeric column, or a recency's age in days [N]; NaN where missing."""
    assert column.kind != "categorical"
    plain = NumericInput(
        name=column.name, kind=column.kind, log=False, centre=0.0, scale=1.0, indicator=False
    )
    return raw_numbers(table, [plain])[:, 0]


def heavy_tailed(known: NDArray[np.float64]) -> bool:
    """Say whether a column's tail is heavier than that of an exponential, roughly."""
    if len(known) == 0:
        return False
    middle, far = np.quantile(np.abs(known - np.median(known)), (0.75, 0.99))
    return bool(far > HEAVY_TAIL * middle) and float(np.ptp(known)) > 1


def _centre_and_scale(values: NDArray[np.float64]) -> tuple[float, float]:
    if len(values) == 0:
        return 0.0, 1.0
    low, first, median, third, high = np.quantile(values, (_WINSOR[0], 0.25, 0.5, 0.75, _WINSOR[1]))
    scale = max((third - first) / _IQR_OF_NORMAL, float(np.clip(values, low, high).std()))
    return float(median), float(scale) if scale > 0 else 1.0
