"""From feature columns to the two arrays that the graph reads; the same code offline and online."""

from collections import Counter
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from shopguide.bundle.coded import FIRST_VALUE, MISSING, UNKNOWN, CategoricalInput, ListInput
from shopguide.bundle.document import Document
from shopguide.bundle.numeric import (
    CLIP,
    SHOWN_AT,
    NumericInput,
    Scales,
    raw_numbers,
    raw_values,
    signed_log1p,
)
from shopguide.bundle.reading import read_columns
from shopguide.columns import Columns
from shopguide.errors import ShopguideError

__all__ = [
    "CLIP",
    "FIRST_VALUE",
    "MISSING",
    "SHOWN_AT",
    "UNKNOWN",
    "CategoricalInput",
    "ListInput",
    "NumericInput",
    "Preprocessing",
    "raw_numbers",
    "signed_log1p",
]


class Preprocessing(Document):
    """The fitted preprocessing of all inputs, in the order of the graph's columns.

    The array of codes holds a column for each categorical, `length` columns for each list, and
    last the categoricals of training alone. The numeric array holds the values of all numeric
    inputs, then the indicators of those that have one.
    """

    categorical: list[CategoricalInput]
    numeric: list[NumericInput]
    lists: list[ListInput] = Field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Columns that a table must have, `shown_at` aside."""
        read = [name for column in self.coded for name in column.columns]
        return list(dict.fromkeys([*read, *(column.name for column in self.numeric)]))

    @property
    def coded(self) -> list[CategoricalInput | ListInput]:
        """The inputs in the array of codes, in its order."""
        served = [column for column in self.categorical if not column.training_only]
        return [*served, *self.lists, *(c for c in self.categorical if c.training_only)]

    @property
    def code_width(self) -> int:
        """Columns of the array of codes."""
        return len(self.categorical) + sum(column.length for column in self.lists)

    @property
    def numeric_width(self) -> int:
        """Columns of the numeric array."""
        return len(self.numeric) + sum(column.indicator for column in self.numeric)

    def served(self) -> "Preprocessing":
        """Return the preprocessing without what is read in training alone."""
        kept = [column for column in self.categorical if not column.training_only]
        return self.model_copy(update={"categorical": kept})

    def last_codes(self) -> list[tuple[int, int]]:
        """Return the largest code of each coded input, and in how many columns it may stand."""
        return [
            ((self._coder(c) or c).size - 1, c.length)
            if isinstance(c, ListInput)
            else (c.size - 1, 1)
            for c in self.coded
        ]

    def check(self, where: str) -> None:
        """Refuse inputs that stand twice, and lists that share codes with no categorical input.

        Raises:
            ShopguideError: names the input.
        """
        coded = [column.name for column in (*self.categorical, *self.lists)]
        names = Counter([*coded, *(column.name for column in self.numeric)])
        wrong = [f"{name} stands {times} times" for name, times in names.items() if times > 1]
        wrong += [
            f"{column.name} has the codes of {column.of}, which is no categorical input"
            for column in self.lists
            if column.of is not None and self._coder(column) is None
        ]
        if wrong:
            raise ShopguideError(
                where, wrong[0], "Train the bundle again with this version of shopguide"
            )

    def transform(self, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the codes [N, C] and the scaled numbers [N, M] of a table's rows.

        Args:
            table: the input columns and `shown_at`, in any order, among others.

        Raises:
            ShopguideError: a column is missing, or holds what its kind cannot be read from.
        """
        self._require(table)
        codes = np.empty((table.num_rows, self.code_width), dtype=np.int64)
        start = 0
        for column in self.coded:
            if isinstance(column, ListInput):
                encode = partial(column.encode, coder=self._coder(column))
                found = read_columns(table, column.columns, column.kind, encode)
            else:
                found = read_columns(table, column.columns, "categorical", column.encode)
            codes[:, start : start + found.shape[1]] = found
            start += found.shape[1]
        return codes, self._scales.apply(raw_numbers(table, self.numeric))

    def encode(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return what `transform` does, of a request's columns: every input, of its kind."""
        codes = np.empty((columns.rows, self.code_width), dtype=np.int64)
        start = 0
        for column in self.coded:
            values = [columns.values[name] for name in column.columns]
            if isinstance(column, ListInput):
                found = column.encode_values(values[0], columns.rows, self._coder(column))
            else:
                found = column.encode_values(values, columns.rows)
            codes[:, start : start + found.shape[1]] = found
            start += found.shape[1]
        return codes, self._scales.apply(raw_values(columns, self.numeric))

    def _coder(self, column: ListInput) -> CategoricalInput | None:
        return next((c for c in self.categorical if c.name == column.of), None)

    @cached_property
    def _scales(self) -> Scales:
        return Scales.of(self.numeric)

    def _require(self, table: pa.Table) -> None:
        present = set(table.column_names)
        absent = [name for name in (*self.names, SHOWN_AT) if name not in present]
        if absent:
            raise ShopguideError(
                "the table to score",
                f"lacks the columns {', '.join(absent)} (it has {table.num_columns} columns)",
                "Give every input of the bundle; a value may be null, a column may not be absent",
            )
