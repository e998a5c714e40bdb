"""Read a column of a table as what an input needs, or say why not."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shopguide.errors import ShopguideError

_Scalar = TypeVar("_Scalar", bound=np.generic)


def read_columns(
    table: pa.Table, names: list[str], kind: str, read: Callable[..., NDArray[_Scalar]]
) -> NDArray[_Scalar]:
    """Read columns together.

    Args:
        table: has them.
        names: of the columns, in the order of the arguments of `read`.
        kind: of the input, for the message.
        read: raises an error of Arrow when the types do not fit.

    Raises:
        ShopguideError: the columns hold what the kind cannot be read from.
    """
    columns = [table.column(name) for name in names]
    try:
        return read(*columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        types = ", ".join(str(column.type) for column in columns)
        raise ShopguideError(
            f"column {', '.join(names)}",
            f"is of type {types}, which a {kind} input cannot be read from",
            "Give strings for a categorical, numbers for a numeric, timestamps for a recency "
            "input, and lists of strings for a bag or a sequence",
        ) from None


def read_column(
    table: pa.Table, name: str, kind: str, read: Callable[[pa.ChunkedArray], NDArray[_Scalar]]
) -> NDArray[_Scalar]:
    """Read one column, as `read_columns` does."""
    return read_columns(table, [name], kind, read)
