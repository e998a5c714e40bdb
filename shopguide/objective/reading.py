"""Columns of a training set as arrays, each refused with its row where it breaks an expectation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.spec.objective import Importance

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST = 1e15
"""Largest outcome of an impression: beyond, doubles do not tell one unit from the next."""

_IDS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)

_MEND = "Mend the log and build the training set again"


def read_table(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file.

    Args:
        file: of impressions.
        columns: to read; None: all.

    Raises:
        ShopguideError: it is not there, or not whole.
    """
    try:
        return pq.read_table(file, columns=None if columns is None else list(columns))
    except FileNotFoundError:
        raise ShopguideError(
            str(file), "there is no such file", "Give the directory that `shopguide features` wrote"
        ) from None
    except (OSError, pa.ArrowException) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ShopguideError(
            str(file), f"is not a readable Parquet file ({first})", "Build the training set again"
        ) from None


def instants_of(table: pa.Table, where: str) -> pa.ChunkedArray:
    """Return the column `shown_at`, which must be a time in every row.

    Raises:
        ShopguideError: it is of another type, or a time is missing.
    """
    require_columns(table, ["shown_at"], where)
    column = table.column("shown_at")
    if not pa.types.is_timestamp(column.type):
        raise ShopguideError(
            f"{where}, column shown_at", f"is of type {column.type}, expected timestamps", _MEND
        )
    known(column, where, "shown_at")
    return column


def require_ids(table: pa.Table, where: str) -> None:
    """Refuse keys that are missing in a row, or that are no ids.

    Raises:
        ShopguideError: names the column, and the first row.
    """
    for name in ("request_id", "user_id", "item_id"):
        kind = table.schema.field(name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not any(is_kind(inner) for is_kind in _IDS):
            raise ShopguideError(
                f"{where}, column {name}", f"is of type {kind}, expected text or integers", _MEND
            )
        known(table.column(name), where, name)


def known(column: pa.ChunkedArray, where: str, name: str) -> None:
    """Refuse a column with a null.

    Raises:
        ShopguideError: names the first row.
    """
    if column.null_count:
        row = int(np.argmax(np.asarray(column.is_null())))
        raise ShopguideError(
            f"{where}, column {name}, row {row + 1}",
            f"is empty ({column.null_count:,} rows in all)",
            _MEND,
        )


def require_columns(table: pa.Table, needed: Sequence[str], where: str) -> None:
    """Refuse a table that lacks columns.

    Raises:
        ShopguideError: names all that are missing.
    """
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise ShopguideError(
            where, f"lacks the columns {', '.join(missing)}", "Build the training set again"
        )


def outcome(table: pa.Table, name: str, where: str) -> Floats:
    """Return a column whose values must be finite and ≥ 0 [N]."""
    values = numbers(table, name, where)
    refuse(~np.isfinite(values), where, name, "not finite")
    refuse(values < 0, where, name, "negative")
    if values.max(initial=0.0) > MOST:
        row = int(np.argmax(values))
        raise ShopguideError(
            f"{where}, column {name}, row {row + 1}",
            f"is {values[row]:g}, and beyond {MOST:g} a sum of amounts is no longer exact",
            "Mend the log, or give the amounts in a larger unit",
        )
    return values


def importance(table: pa.Table, terms: Importance, where: str) -> Floats:
    """Return q of each row [N]: sample_weight, times min(1/propensity, clip) where they are used.

    Source: Horvitz and Thompson, JASA 47(260), 1952; the clip: Ionides, "Truncated Importance
    Sampling", JCGS 17(2), 2008.

    Raises:
        InvalidDataError: a weight is negative or not finite, all are 0, or a propensity is not in
            (0, 1], or so small that its weight cannot be summed.
    """
    weight = numbers(table, "sample_weight", where)
    refuse(~np.isfinite(weight) | (weight < 0), where, "sample_weight", "not finite or negative")
    if not weight.any():
        raise InvalidDataError(
            f"{where}, column sample_weight",
            "0 in every row, so no impression counts",
            "Give at least the impressions that were kept a weight above 0",
        )
    if terms.propensity == "ignore":
        return _summable(weight, where, "sample_weight")
    propensity = numbers(table, "propensity", where)
    outside = ~((propensity > 0) & (propensity <= 1))  # true for NaN too
    refuse(outside, where, "propensity", "not a probability above 0 and at most 1")
    inverse = 1.0 / propensity
    used = weight * (inverse if terms.clip is None else np.minimum(inverse, terms.clip))
    return _summable(used, where, "propensity")


def _summable(weight: Floats, where: str, column: str) -> Floats:
    what = f"makes a weight beyond {MOST:g}, which no sum can hold"
    refuse(weight > MOST, where, column, what)
    return weight


def numbers(table: pa.Table, name: str, where: str) -> Floats:
    """Return a column as float64 [N]; a missing value is NaN.

    Raises:
        ShopguideError: its type is no number.
    """
    column = table.column(name)
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ShopguideError(
            f"{where}, column {name}",
            f"is of type {column.type}, expected numbers",
            "Name a numeric column",
        ) from None


def refuse(bad: NDArray[np.bool_], where: str, column: str, what: str) -> None:
    """Refuse rows, naming the first and counting all.

    Raises:
        InvalidDataError: a row is bad [N].
    """
    number = int(bad.sum())
    if number:
        raise InvalidDataError(
            f"{where}, column {column}, row {int(np.argmax(bad)) + 1}",
            f"{what} ({number:,} rows in all)",
            _MEND,
        )


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of ids as numbers; N rows, V distinct ids.

    Args:
        codes: place of each row's id among the sorted distinct ones [N].
        first: row in which each distinct id comes first [V].
        ids: the distinct ids [V], sorted.
    """

    codes: Codes
    first: Codes
    ids: NDArray[np.object_]


def coded(column: pa.ChunkedArray) -> Coded:
    """Number a column's ids in their order."""
    encoded = _dictionary(column)
    order = pc.sort_indices(encoded.dictionary)
    place = np.empty(len(order), dtype=np.int64)
    place[order.to_numpy()] = np.arange(len(order))
    found = place[encoded.indices.to_numpy(zero_copy_only=False)]
    first = np.full(len(order), len(found), dtype=np.int64)
    np.minimum.at(first, found, np.arange(len(found)))
    ids = np.array(encoded.dictionary.take(order).to_pylist(), dtype=object)
    return Coded(found, first, ids)


def hashes(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Hash each id by its bytes [N]: equal on every machine, unlike Python's own."""
    encoded = _dictionary(column)
    digests = [
        hashlib.blake2b(str(value).encode(), digest_size=8).digest()
        for value in encoded.dictionary.to_pylist()
    ]
    table: NDArray[np.uint64] = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    indices: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False)
    return table[indices]


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
