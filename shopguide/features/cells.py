"""Put the cells that an SQL store returns, one a row, where they belong."""

from collections.abc import Iterable

from shopguide.features.layout import Cell
from shopguide.features.online_views import Ask


class Cells:
    """The cells of one ask.

    Args:
        ask: whose cells they are.
    """

    def __init__(self, ask: Ask) -> None:
        width = len(ask.view.columns)
        self.found: list[Cell] = [None] * (len(ask.keys) * width)
        self._starts = dict(zip(ask.keys, range(0, len(self.found), width), strict=True))
        self._columns = {column.name: place for place, column in enumerate(ask.view.columns)}

    def put(self, rows: Iterable[tuple[bytes, str, bytes]]) -> None:
        """Take rows of key, name of the column, and value; other columns are passed over."""
        found, starts, columns = self.found, self._starts, self._columns
        for key, name, value in rows:
            if name in columns:
                found[starts[key] + columns[name]] = value
