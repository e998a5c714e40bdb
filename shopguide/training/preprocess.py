"""Fit the preprocessing on the training rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.bundle import CategoricalInput, ListInput, NumericInput, Preprocessing
from shopguide.bundle.coded import crossed
from shopguide.bundle.preprocessing import raw_numbers, signed_log1p
from shopguide.errors import ShopguideError
from shopguide.features.catalogue import ModelInput
from shopguide.spec.inputs import Transform
from shopguide.spec.model import Model

HEAVY_TAIL = 4.0
"""A numeric input is heavy-tailed when the 99th percentile of its distance from the median exceeds
this many times the 75th: 2.2 for a normal, 4.9 for an exponential distribution."""

_IQR_OF_NORMAL = 1.349
_WINSOR = (0.001, 0.999)
_LEVELS = 101
_POSITIONS = 1000

POSITION = "position"
"""Column of the training set with the item's place in the list that was shown."""


def columns_read(inputs: Sequence[ModelInput], model: Model) -> list[str]:
    """Return the columns of the training set that the model's inputs are read from."""
    names = [column.name for column in inputs] + list(model.lists)
    return list(dict.fromkeys([*names, *([POSITION] if model.position_bias else [])]))


def fit_preprocessing(table: pa.Table, inputs: Sequence[ModelInput], model: Model) -> Preprocessing:
    """Fit vocabularies and scales of single columns.

    Args:
        table: the training rows.
        inputs: of the model.
        model: the spec's model section.
    """
    return Preprocessing(
        categorical=[
            CategoricalInput.model_validate(
                fit_codes(table.column(column.name), column.name, model)
            )
            for column in inputs
            if column.kind == "categorical"
        ],
        numeric=[
            fit_numeric(table, column, model.transforms.get(column.name, "auto"))
            for column in inputs
            if column.kind in ("numeric", "recency")
        ],
    )


def fit_cross(table: pa.Table, columns: Sequence[str], model: Model) -> CategoricalInput:
    """Fit the cross of categorical columns, called A_x_B."""
    name = cross_name(columns)
    values = crossed(tuple(table.column(part) for part in columns))
    return CategoricalInput.model_validate({"of": columns, **fit_codes(values, name, model)})


def fit_list(table: pa.Table, name: str, model: Model) -> ListInput:
    """Fit a column of lists: its kind and length are the spec's, its vocabulary the rows'."""
    section, column = model.lists[name], table.column(name)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise ShopguideError(
            f"column {name}",
            f"is of type {column.type}, and model.lists.{name} says that it holds lists",
            "Write lists of strings, or take the column from model.lists",
        )
    values = pa.chunked_array([column.combine_chunks().flatten()])
    codes = fit_codes(values, name, model) if section.of is None else {"name": name}
    shape = section.model_dump(include={"kind", "length", "of"})
    return ListInput.model_validate({**codes, **shape})


def fit_position(table: pa.Table) -> CategoricalInput:
    """Fit the position in the list, which training alone reads."""
    known = vocabulary(table.column(POSITION), 1, _POSITIONS)
    return CategoricalInput(name=POSITION, vocabulary=known, training_only=True)


def cross_name(columns: Sequence[str]) -> str:
    """Return what the cross of some columns is called."""
    return "_x_".join(columns)


def fit_codes(column: pa.ChunkedArray, name: str, model: Model) -> dict[str, object]:
    """Return the name, and the vocabulary or the buckets, of an input.

    Raises:
        ShopguideError: the training rows hold more values than the declared buckets.
    """
    buckets = model.hashing.get(name)
    if buckets is None:
        known = vocabulary(column, model.min_count, model.max_vocabulary)
        return {"name": name, "vocabulary": known}
    values = pc.count_distinct(column, mode="only_valid").as_py()
    if values > buckets:
        raise ShopguideError(
            f"model.hashing.{name}",
            f"declares {buckets:,} buckets, and the training rows hold {values:,} values",
            f"Declare at least {values:,}, twice as many for few collisions, or take {name} out "
            f"of model.hashing: its {model.max_vocabulary:,} commonest values get a code each",
        )
    return {"name": name, "buckets": buckets}


def vocabulary(column: pa.ChunkedArray, min_count: int, max_vocabulary: int) -> list[str]:
    """Return the values with at least `min_count` rows, most frequent first, ties by name."""
    counts = pc.value_counts(column.cast(pa.string()))
    pairs = [(c["values"], c["counts"]) for c in counts.to_pylist() if c["values"] is not None]
    frequent = sorted((p for p in pairs if p[1] >= min_count), key=lambda p: (-p[1], p[0]))
    return [value for value, _ in frequent[:max_vocabulary]]


def fit_numeric(table: pa.Table, column: ModelInput, transform: Transform = "auto") -> NumericInput:
    """Fit one numeric or recency input.

    Ages and heavy-tailed numbers enter as their signed log1p. The centre is the median; the scale
    is the larger of IQR ÷ 1.349 and the standard deviation of values winsorised at .1 % and 99.9 %
    (an input that is mostly 0 has no IQR), or 1 for a constant. A quantile transform enters as the
    rank among the training rows, of deviation 1.

    Args:
        table: the training rows.
        column: the input.
        transform: the spec's; `auto` is the rule above.
    """
    assert column.kind != "categorical"
    raw = unscaled(table, column)
    known = raw[~np.isnan(raw)]
    if transform == "quantile" and len(known):
        knots, ranks = _knots(known)
        return NumericInput(
            name=column.name, kind=column.kind, log=False, centre=0.0, scale=1.0,
            indicator=len(known) < len(raw), knots=knots, ranks=ranks,
        )  # fmt: skip
    log = column.kind == "recency" or heavy_tailed(known)
    if transform in ("linear", "log"):
        log = transform == "log"
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


def _knots(known: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return up to 101 quantiles of a column and their ranks; equal ones share the middle rank."""
    levels = np.linspace(0, 1, _LEVELS)
    values, place, count = np.unique(
        np.quantile(known, levels), return_index=True, return_counts=True
    )
    ranks = (levels[place] + levels[place + count - 1]) / 2
    return values.tolist(), ranks.tolist()
