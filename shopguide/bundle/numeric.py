"""From numbers and times to scaled numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from shopguide.bundle.document import Finite
from shopguide.bundle.reading import read_column
from shopguide.columns import NEVER, Columns, Datum, Same, Values

CLIP = 5.0
"""Largest distance from the centre, in scales, that a numeric input may have."""

SHOWN_AT = "shown_at"
_MICROSECONDS_A_DAY = 86_400_000_000
_UNIFORM = 12**0.5  # makes the deviation of a uniform rank 1


class NumericInput(Finite):
    """A numeric column, or a time that enters as its age in days when the impression was shown.

        clip((f(x) − centre) / scale, ±5), f the signed log1p if `log`, else the identity; null → 0
        with knots: (rank of x among the training rows − ½) · √12, between knots by lines

    Args:
        indicator: whether a second column says that the value is missing.
        knots: values of the training rows, increasing; empty without a quantile transform.
        ranks: share of the training rows below each knot, in [0, 1].
    """

    name: str
    kind: Literal["numeric", "recency"]
    log: bool
    centre: float
    scale: Annotated[float, Field(gt=0)]
    indicator: bool
    knots: list[float] = Field(default_factory=list)
    ranks: list[Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _knots_increase(self) -> Self:
        if len(self.knots) != len(self.ranks):
            msg = f"knots has {len(self.knots)} points and ranks {len(self.ranks)}"
            raise ValueError(msg)
        if not ((np.diff(self.knots) > 0).all() and (np.diff(self.ranks) >= 0).all()):
            msg = "knots and ranks do not increase from point to point"
            raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True)
class Scales:
    """The numeric inputs' parameters, an array each [M]."""

    log: NDArray[np.bool_]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    indicator: NDArray[np.bool_]
    knots: tuple[tuple[int, NDArray[np.float64], NDArray[np.float64]], ...]

    @classmethod
    def of(cls, columns: Sequence[NumericInput]) -> "Scales":
        """Return the parameters of the columns; knots by position."""
        return cls(
            log=np.array([column.log for column in columns], dtype=bool),
            centre=np.array([column.centre for column in columns], dtype=np.float64),
            scale=np.array([column.scale for column in columns], dtype=np.float64),
            indicator=np.array([column.indicator for column in columns], dtype=bool),
            knots=tuple(
                (position, np.array(column.knots), np.array(column.ranks))
                for position, column in enumerate(columns)
                if column.knots
            ),
        )

    def apply(self, raw: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scale numbers [N, M], NaN where missing, and append the indicators; `raw` is used up."""
        values = raw.shape[1]
        missing = np.isnan(raw)
        for position, knots, ranks in self.knots:
            raw[:, position] = (np.interp(raw[:, position], knots, ranks) - 0.5) * _UNIFORM
        raw[:, self.log] = signed_log1p(raw[:, self.log])
        raw -= self.centre
        raw /= self.scale
        np.clip(raw, -CLIP, CLIP, out=raw)
        raw[missing] = 0.0
        scaled = np.empty((len(raw), values + int(self.indicator.sum())), dtype=np.float32)
        scaled[:, :values] = raw
        scaled[:, values:] = missing[:, self.indicator]
        return scaled


def signed_log1p(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sign(x) · log(1 + |x|), elementwise: odd, increasing, x near 0."""
    return np.copysign(np.log1p(np.abs(x)), x)


def raw_numbers(table: pa.Table, columns: Sequence[NumericInput]) -> NDArray[np.float64]:
    """Return numeric columns and ages in days [N, len(columns)], unscaled; NaN where missing."""
    raw = np.empty((table.num_rows, len(columns)), dtype=np.float64)
    shown_at: NDArray[np.float64] | None = None
    for position, column in enumerate(columns):
        if column.kind == "numeric":
            raw[:, position] = read_column(table, column.name, "numeric", _floats)
            continue
        if shown_at is None:
            shown_at = read_column(table, SHOWN_AT, "recency", _microseconds)
        raw[:, position] = _age(shown_at, read_column(table, column.name, "recency", _microseconds))
    return _finite(raw)


def raw_values(columns: Columns, inputs: Sequence[NumericInput]) -> NDArray[np.float64]:
    """Return the same of a request's columns."""
    raw = np.empty((columns.rows, len(inputs)), dtype=np.float64)
    shown_at = np.float64(columns.shown_at)
    for position, one in enumerate(inputs):
        values = columns.values[one.name]
        if one.kind == "numeric":
            raw[:, position] = _number(values.value) if isinstance(values, Same) else values
        else:
            raw[:, position] = _age(shown_at, _instants(values))
    return _finite(raw)


def _age(
    shown_at: NDArray[np.float64] | np.float64, then: NDArray[np.float64] | np.float64
) -> NDArray[np.float64]:
    """Return days, ≥ 0; NaN where one of them is."""
    days: NDArray[np.float64] = np.maximum((shown_at - then) / _MICROSECONDS_A_DAY, 0.0)
    return days


def _finite(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    raw[~np.isfinite(raw)] = np.nan  # an infinite ratio says no more than an absent one
    return raw


def _number(value: Datum) -> np.float64:
    assert value is None or isinstance(value, (int, float)), "a number, or none"
    return np.float64(np.nan if value is None else value)


def _instants(values: Values) -> NDArray[np.float64] | np.float64:
    if isinstance(values, Same):
        return _number(values.value)
    found = np.asarray(values, dtype=np.float64)
    found[np.asarray(values) == NEVER] = np.nan
    return found


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if column.type == pa.float64():
        floats: NDArray[np.float64] = column.to_numpy()
        return floats
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        raise pa.ArrowTypeError
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def _microseconds(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return microseconds since the epoch, exact until the year 2255; NaN where null."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_null(column.type)):
        raise pa.ArrowTypeError
    instants = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    numbers: NDArray[np.float64] = pc.cast(instants, pa.float64(), safe=False).to_numpy()
    return numbers
