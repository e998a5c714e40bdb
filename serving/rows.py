"""Rows of JSON values → the Arrow table that a bundle scores."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from shopguide.bundle import InputEntry

SHOWN_AT = "shown_at"

TYPES = {
    "categorical": pa.string(),
    "numeric": pa.float64(),
    "recency": pa.timestamp("us", tz="UTC"),
    "sequence": pa.list_(pa.string()),
    "bag": pa.list_(pa.string()),
}

Typed = str | float | datetime | list[str] | None
"""A value as its column takes it."""


class BadRequestError(ValueError):
    """A body that has the right form and the wrong content; the path says where."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path, self.what = path, what


def table_of(
    rows: Sequence[Mapping[str, str | float | list[str] | None]], inputs: Sequence[InputEntry]
) -> pa.Table:
    """Build the table of some rows.

    Args:
        rows: a value or null for every input, and `shown_at`.
        inputs: of the bundle.

    Raises:
        BadRequestError: a row lacks an input, has a stranger, or a value of the wrong type.
    """
    kinds = {entry.name: entry.kind for entry in inputs} | {SHOWN_AT: "recency"}
    for number, row in enumerate(rows):
        if missing := [name for name in kinds if name not in row]:
            also = f", as are {', '.join(missing[1:])}" if len(missing) > 1 else ""
            what = f"missing{also}; null stands for unknown"
            raise BadRequestError(f"rows[{number}].{missing[0]}", what)
        for name in row.keys() - kinds.keys():
            raise BadRequestError(f"rows[{number}].{name}", "not an input of the model")
    columns = {
        name: pa.array(
            [value_of(kind, row[name], f"rows[{n}].{name}") for n, row in enumerate(rows)],
            type=TYPES[kind],
        )
        for name, kind in kinds.items()
    }
    if columns[SHOWN_AT].null_count:
        number = columns[SHOWN_AT].is_null().to_pylist().index(True)
        raise BadRequestError(f"rows[{number}].{SHOWN_AT}", "is null, expected a time")
    return pa.table(columns)


def value_of(kind: str, value: str | float | list[str] | None, path: str) -> Typed:
    """Turn a JSON value into the type of an input.

    Args:
        kind: of the input.
        value: as it was sent.
        path: where it stands in the body, for the message.

    Raises:
        BadRequestError: it is of another type.
    """
    if value is None:
        return None
    if isinstance(value, list) != (kind in ("sequence", "bag")):
        wanted = "one value" if isinstance(value, list) else "a list of texts"
        raise BadRequestError(path, f"is {str(value)[:40]!r}, expected {wanted}")
    if isinstance(value, list):
        return value
    if kind == "categorical":
        return value if isinstance(value, str) else _as_text(value)
    if kind == "numeric":
        if isinstance(value, str):
            raise BadRequestError(path, f"is the text {value[:40]!r}, expected a number")
        return float(value)
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadRequestError(path, f"is {str(value)[:40]!r}, expected a time (ISO 8601)") from None
    if time.tzinfo is None:
        raise BadRequestError(path, f"{value} names no zone, expected one such as +00:00")
    try:
        return time.astimezone(UTC)
    except OverflowError:  # of a time that Arrow takes, and Python cannot read back
        raise BadRequestError(path, f"{value} is outside the years 1 to 9999, in UTC") from None


def _as_text(value: float) -> str:
    """Write a number as an id: whole numbers without a point or an exponent."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
