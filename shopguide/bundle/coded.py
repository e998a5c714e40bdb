"""From text to codes: one value, a cross of several, or a list of values."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import repeat
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from shopguide.bundle.document import Document
from shopguide.columns import Datum, Same, Values, as_cells

MISSING, UNKNOWN, FIRST_VALUE = 0, 1, 2
"""Codes of a categorical: null, a value outside the vocabulary, the vocabulary's first value."""

CROSSING = "\x1f"
"""Between the values of a cross: the unit separator, which no shop writes into a value."""


class Coder(Document):
    """How values become codes: by a vocabulary, or by a hash for huge ids.

    Value i of the vocabulary has code i + 2; hashed, a value has code 2 + h(value) mod buckets, and
    none is unknown.

    Args:
        name: of the input.
        vocabulary: values with a code of their own; empty when hashed.
        buckets: of the hash; null with a vocabulary.
    """

    name: str
    vocabulary: list[str] = Field(default_factory=list)
    buckets: Annotated[int, Field(ge=1, le=100_000_000)] | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if self.buckets is not None and self.vocabulary:
            msg = "has a vocabulary and buckets"
            raise ValueError(msg)
        return self

    @property
    def size(self) -> int:
        """Number of codes, those of missing and unknown values included."""
        return FIRST_VALUE + (len(self.vocabulary) if self.buckets is None else self.buckets)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.vocabulary, start=FIRST_VALUE)}

    def encode_text(self, column: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return the code of each value [N]."""
        text = column if column.type == pa.string() else column.cast(pa.string())
        encoded = text.combine_chunks().dictionary_encode()
        values = encoded.dictionary.to_pylist()  # few: one entry a distinct value
        codes = np.array([self._code(v) for v in values] + [MISSING], dtype=np.int64)
        positions = encoded.indices
        if positions.null_count:
            positions = positions.fill_null(len(values))
        result: NDArray[np.int64] = codes[positions.to_numpy()]
        return result

    def encode_cells(self, cells: Sequence[Datum]) -> NDArray[np.int64]:
        """Return the code of each text [N], as `encode_text` does."""
        if self.buckets is None:
            codes = map(self._codes_of_cells.get, cells, repeat(UNKNOWN))
            return np.fromiter(codes, np.int64, len(cells))
        known = {cell: MISSING if cell is None else self._code(str(cell)) for cell in set(cells)}
        return np.array([known[cell] for cell in cells], dtype=np.int64)

    @cached_property
    def _codes_of_cells(self) -> dict[Datum, int]:
        codes: dict[Datum, int] = {None: MISSING}
        codes.update(self._codes)
        return codes

    def _code(self, value: str) -> int:
        if self.buckets is None:
            return self._codes.get(value, UNKNOWN)
        digest = hashlib.blake2b(value.encode(), digest_size=8, person=b"shopguide").digest()
        return FIRST_VALUE + int.from_bytes(digest, "big") % self.buckets


class CategoricalInput(Coder):
    """A categorical column, or the cross of several.

    Args:
        of: columns whose values are crossed; empty: the column that is called like the input. A
            cross with a missing part is missing.
        training_only: the column is read in training, and is not there when serving.
    """

    of: list[str] = Field(default_factory=list)
    training_only: bool = False

    @property
    def columns(self) -> list[str]:
        """Columns of a table that it is read from."""
        return self.of or [self.name]

    def encode(self, *columns: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return the code of each row [N, 1], of as many columns as `columns` names."""
        return self.encode_text(crossed(columns))[:, None]

    def encode_values(self, columns: Sequence[Values], rows: int) -> NDArray[np.int64]:
        """Return the codes of a request's rows [N, 1]; [1, 1] where all have the same.

        Args:
            columns: as many as `columns` names.
            rows: N.
        """
        same = all(isinstance(column, Same) for column in columns)
        cells = [as_cells(column, 1 if same else rows) for column in columns]
        return self.encode_cells(cells[0] if len(cells) == 1 else _crossed_cells(cells))[:, None]


class ListInput(Coder):
    """A column with a list of values a row: codes [N, length], missing where a list is shorter.

    Args:
        kind: a `bag` has no order and keeps its first values; a `sequence` is from old to new,
            keeps its last values, and turns them round: the newest has position 0.
        length: values that are kept.
        of: categorical input whose vocabulary, and embedding, it shares; null: its own.
    """

    kind: Literal["bag", "sequence"]
    length: Annotated[int, Field(ge=1, le=1000)]
    of: str | None = None

    @property
    def columns(self) -> list[str]:
        """Columns of a table that it is read from."""
        return [self.name]

    def encode(self, column: pa.ChunkedArray, coder: Coder | None = None) -> NDArray[np.int64]:
        """Return the codes of each row's values [N, length]; null is an empty list.

        Args:
            column: a list of values a row.
            coder: of the input whose vocabulary is shared; None: its own.
        """
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            raise pa.ArrowTypeError
        lists = column.combine_chunks()
        sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
        values = (coder or self).encode_text(pa.chunked_array([lists.flatten()]))
        ends = np.cumsum(sizes)
        kept = np.minimum(sizes, self.length)
        place = np.arange(self.length)
        inside = place < kept[:, None]  # [N, length]
        if self.kind == "bag":
            source = (ends - sizes)[:, None] + place
        else:
            source = (ends - 1)[:, None] - place
        codes = np.full(inside.shape, MISSING, dtype=np.int64)
        codes[inside] = values[source[inside]]
        return codes

    def encode_values(
        self, column: Values, rows: int, coder: Coder | None = None
    ) -> NDArray[np.int64]:
        """Return the codes of a request's rows [N, length]; [1, length] where all have the same."""
        cells = as_cells(column, 1 if isinstance(column, Same) else rows)
        return self.encode(pa.chunked_array([pa.array(cells, pa.list_(pa.string()))]), coder)


def crossed(columns: tuple[pa.ChunkedArray, ...]) -> pa.ChunkedArray:
    """Return the values of several columns joined, row by row; null where one of them is."""
    if len(columns) == 1:
        return columns[0]
    parts = [column.cast(pa.string()) for column in columns]
    return pc.binary_join_element_wise(*parts, CROSSING)


def _crossed_cells(columns: Sequence[Sequence[Datum]]) -> list[Datum]:
    return [
        None if None in cells else CROSSING.join(map(str, cells))
        for cells in zip(*columns, strict=True)
    ]
