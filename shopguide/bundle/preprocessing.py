"""From feature columns to the two arrays that the graph reads; the same code offline and online."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from shopguide.bundle.document import Document
from shopguide.errors import ShopguideError

MISSING, UNKNOWN, FIRST_VALUE = 0, 1, 2
"""Codes of a categorical: null, a value outside the vocabulary, the vocabulary's first value."""

CLIP = 5.0
"""Largest distance from the centre, in scales, that a numeric input may have."""

SHOWN_AT = "shown_at"
_MICROSECONDS_A_DAY = 86_400_000_000
_Scalar = TypeVar("_Scalar", bound=np.generic)


class CategoricalInput(Document):
    """A categorical column: value i of the vocabulary has code i + 2."""

    name: str
    vocabulary: list[str]

    @property
    def size(self) -> int:
        """Number of codes, those of missing and unknown values included."""
        return len(self.vocabulary) + FIRST_VALUE

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.vocabulary, start=FIRST_VALUE)}

    def encode(self, column: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return the code of each row [N]."""
        text = column if column.type == pa.string() else column.cast(pa.string())
        encoded = text.combine_chunks().dictionary_encode()
        values = encoded.dictionary.to_pylist()  # few: one entry a distinct value
        codes = np.array([self._codes.get(v, UNKNOWN) for v in values] + [MISSING], dtype=np.int64)
        positions = encoded.indices
        if positions.null_count:
            positions = positions.fill_null(len(values))
        result: NDArray[np.int64] = codes[positions.to_numpy()]
        return result


class NumericInput(Document):
    """A numeric column, or a time that enters as its age in days when the impression was shown.

        clip((f(x) − centre) / scale, ±5), f the signed log1p if `log`, else the identity; null → 0

    Args:
        indicator: whether a second column says that the value is missing.
    """

    name: str
    kind: Literal["numeric", "recency"]
    log: bool
    centre: float
    scale: Annotated[float, Field(gt=0)]
    indicator: bool


class Preprocessing(Document):
    """The fitted preprocessing of all inputs, in the order of the graph's columns.

    The numeric array holds the values of all numeric inputs, then the indicators of those that
    have one.
    """

    categorical: list[CategoricalInput]
    numeric: list[NumericInput]

    @property
    def names(self) -> list[str]:
        """Columns that a table must have, `shown_at` aside."""
        return [c.name for c in self.categorical] + [c.name for c in self.numeric]

    @property
    def numeric_width(self) -> int:
        """Columns of the numeric array."""
        return len(self.numeric) + sum(column.indicator for column in self.numeric)

    def transform(self, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the categorical codes [N, C] and the scaled numbers [N, M] of a table's rows.

        Args:
            table: the input columns and `shown_at`, in any order, among others.

        Raises:
            ShopguideError: a column is missing, or holds what its kind cannot be read from.
        """
        self._require(table)
        codes = np.empty((table.num_rows, len(self.categorical)), dtype=np.int64)
        for position, column in enumerate(self.categorical):
            codes[:, position] = _read(table, column.name, "categorical", column.encode)
        return codes, self._scaled(raw_numbers(table, self.numeric))

    def _scaled(self, raw: NDArray[np.float64]) -> NDArray[np.float32]:
        values = len(self.numeric)
        missing = np.isnan(raw)
        scales = self._scales
        raw[:, scales.log] = signed_log1p(raw[:, scales.log])
        raw -= scales.centre
        raw /= scales.scale
        np.clip(raw, -CLIP, CLIP, out=raw)
        raw[missing] = 0.0
        scaled = np.empty((len(raw), self.numeric_width), dtype=np.float32)
        scaled[:, :values] = raw
        scaled[:, values:] = missing[:, scales.indicator]
        return scaled

    @cached_property
    def _scales(self) -> "_Scales":
        return _Scales(
            log=np.array([column.log for column in self.numeric], dtype=bool),
            centre=np.array([column.centre for column in self.numeric], dtype=np.float64),
            scale=np.array([column.scale for column in self.numeric], dtype=np.float64),
            indicator=np.array([column.indicator for column in self.numeric], dtype=bool),
        )

    def _require(self, table: pa.Table) -> None:
        present = set(table.column_names)
        absent = [name for name in (*self.names, SHOWN_AT) if name not in present]
        if absent:
            raise ShopguideError(
                "the table to score",
                f"lacks the columns {', '.join(absent)} (it has {table.num_columns} columns)",
                "Give every input of the bundle; a value may be null, a column may not be absent",
            )


@dataclass(frozen=True, slots=True)
class _Scales:
    """The numeric inputs' parameters, an array each [M]."""

    log: NDArray[np.bool_]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    indicator: NDArray[np.bool_]


def signed_log1p(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sign(x) · log(1 + |x|), elementwise: odd, increasing, x near 0."""
    return np.copysign(np.log1p(np.abs(x)), x)


def raw_numbers(table: pa.Table, columns: list[NumericInput]) -> NDArray[np.float64]:
    """Return numeric columns and ages in days [N, len(columns)], unscaled; NaN where missing."""
    raw = np.empty((table.num_rows, len(columns)), dtype=np.float64)
    shown_at: NDArray[np.float64] | None = None
    for position, column in enumerate(columns):
        if column.kind == "numeric":
            raw[:, position] = _read(table, column.name, "numeric", _floats)
            continue
        if shown_at is None:
            shown_at = _read(table, SHOWN_AT, "recency", _microseconds)
        age = shown_at - _read(table, column.name, "recency", _microseconds)
        raw[:, position] = np.maximum(age / _MICROSECONDS_A_DAY, 0.0)
    raw[~np.isfinite(raw)] = np.nan  # an infinite ratio says no more than an absent one
    return raw


def _read(
    table: pa.Table, name: str, kind: str, read: Callable[[pa.ChunkedArray], NDArray[_Scalar]]
) -> NDArray[_Scalar]:
    column = table.column(name)
    try:
        return read(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        raise ShopguideError(
            f"column {name}",
            f"is of type {column.type}, which a {kind} input cannot be read from",
            "Give strings for a categorical, numbers for a numeric, timestamps for a recency input",
        ) from None


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
