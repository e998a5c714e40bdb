"""Find the impressions of a shop again, by the ids of its log."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shopguide.errors import ShopguideError
from shopguide.logs.simulator.lists import Lists

Index = NDArray[np.int64]

_DIGITS = 19  # this many do not fit into 64 bits


def rows_of(table: pa.Table, lists: Lists) -> Index:
    """Return which impression each row is, counted request by request as shown [N].

    Args:
        table: with `request_id` and `item_id`.
        lists: of the shop.

    Raises:
        ShopguideError: a row is not of this shop.
    """
    requests, length = lists.item.shape
    request, item = (_number(table.column(name)) for name in ("request_id", "item_id"))
    known = (request >= 0) & (request < requests) & (item >= 0)
    at = np.where(known, request, 0)
    same = (lists.item[at] == item[:, None]) & known[:, None]
    if not same.any(axis=1).all():
        row = int(np.argmin(same.any(axis=1)))
        raise ShopguideError(
            f"row {row + 1}, request_id {table.column('request_id')[row]}",
            "this shop did not show that item there",
            "Simulate with the parameters and the seed of the log",
        )
    place: Index = at * length + np.argmax(same, axis=1)
    return place


def _number(column: pa.ChunkedArray) -> Index:
    """Return the number in ids such as r00012 [N]; −1 where it is none of them."""
    digits = pc.utf8_slice_codeunits(column, 1)
    ours = pc.and_(pc.utf8_is_digit(digits), pc.less(pc.utf8_length(digits), _DIGITS))
    number = pc.if_else(ours, digits, "-1").cast(pa.int64())
    found: Index = number.fill_null(-1).to_numpy().astype(np.int64)
    return found
