"""What of the catalogue lies in the online store, and the rows that are read of it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shopguide.columns import NEVER
from shopguide.features.catalogue import ModelInput
from shopguide.features.layout import Cell, doubles, lists, texts, times
from shopguide.features.store import online_table, view_inputs, view_keys
from shopguide.features.versions import feast_view
from shopguide.spec import Spec


@dataclass(frozen=True, slots=True)
class OnlineView:
    """A feature view as Feast stores it.

    Args:
        stored: its name in Feast.
        table: its name in an SQL store, and of its marker.
        keys: columns that name an entity.
        columns: in the order in which they are read.
    """

    stored: str
    table: str
    keys: tuple[str, ...]
    columns: tuple[ModelInput, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Some entities of one view.

    Args:
        view: of them.
        keys: Feast's, each once.
    """

    view: OnlineView
    keys: list[bytes]


def online_views(spec: Spec) -> tuple[OnlineView, ...]:
    """Return the views of a spec."""
    keys = view_keys(spec)
    return tuple(
        OnlineView(
            stored=feast_view(spec, name),
            table=online_table(spec, name),
            keys=tuple(keys[name]),
            columns=tuple(columns),
        )
        for name, columns in view_inputs(spec).items()
    )


_ARRAYS = {"numeric": "numbers", "recency": "instants"}
"""Where values of a kind are; everything else is among the words."""


@dataclass(frozen=True)
class Group:
    """The views of one kind of entity: they are read, and kept, together."""

    keys: tuple[str, ...]
    views: tuple[OnlineView, ...]

    @cached_property
    def places(self) -> dict[str, tuple[str, int]]:
        """Return the array of `Rows` that holds each column, and its position there."""
        counts = {"numbers": 0, "instants": 0, "words": 0}
        found = {}
        for view in self.views:
            for column in view.columns:
                array = _ARRAYS.get(column.kind, "words")
                found[column.name] = (array, counts[array])
                counts[array] += 1
        return found

    def width(self, array: str) -> int:
        """Return the number of columns in an array of `Rows`."""
        return sum(found == array for found, _ in self.places.values())


def groups(spec: Spec) -> tuple[Group, ...]:
    """Return the groups of a spec's views."""
    found: dict[tuple[str, ...], list[OnlineView]] = {}
    for view in online_views(spec):
        found.setdefault(tuple(sorted(view.keys)), []).append(view)
    return tuple(Group(keys, tuple(views)) for keys, views in found.items())


@dataclass(frozen=True, slots=True)
class Rows:
    """Values of some entities of a group, nothing known at first.

    Args:
        numbers: [N, numeric columns], NaN where null.
        instants: microseconds since the epoch [N, recency columns], NEVER where null.
        words: [N, other columns] of text, lists of text, or None.
    """

    numbers: NDArray[np.float64]
    instants: NDArray[np.int64]
    words: NDArray[np.object_]

    @classmethod
    def empty(cls, group: Group, rows: int) -> "Rows":
        """Return rows of which nothing is known."""
        return cls(
            numbers=np.full((rows, group.width("numbers")), np.nan),
            instants=np.full((rows, group.width("instants")), NEVER),
            words=np.full((rows, group.width("words")), None, dtype=object),
        )

    def fill(self, group: Group, view: OnlineView, cells: Sequence[Cell]) -> None:
        """Set the columns of one view.

        Args:
            group: of the rows.
            view: one of the group's.
            cells: [N · columns], entity by entity.
        """
        where, width = f"online store, view {view.stored}", len(view.columns)
        numeric: list[int] = []
        for position, column in enumerate(view.columns):
            found = cells[position::width]
            _, place = group.places[column.name]
            if column.kind == "numeric":
                numeric.append(position)
            elif column.kind == "recency":
                self.instants[:, place] = times(found, where)
            else:
                read = texts if column.kind == "categorical" else lists
                self.words[:, place] = np.fromiter(read(found, where), object, len(found))
        if numeric:
            self._fill_numbers(group, view, cells, numeric)

    def _fill_numbers(
        self, group: Group, view: OnlineView, cells: Sequence[Cell], positions: Sequence[int]
    ) -> None:
        """Set the numeric columns of one view; they are decoded at once."""
        width, places = len(view.columns), [group.places[c.name][1] for c in view.columns]
        if len(positions) < width:
            wanted = itertools.cycle([column.kind == "numeric" for column in view.columns])
            cells = list(itertools.compress(cells, wanted))
        numbers = doubles(cells, f"online store, view {view.stored}")
        self.numbers[:, [places[at] for at in positions]] = numbers.reshape(-1, len(positions))

    def put(self, places: NDArray[np.int64], other: "Rows", at: NDArray[np.int64]) -> None:
        """Copy rows `at` of another to `places` here."""
        self.numbers[places] = other.numbers[at]
        self.instants[places] = other.instants[at]
        self.words[places] = other.words[at]

    def take(self, at: NDArray[np.int64]) -> "Rows":
        """Return rows `at`."""
        return Rows(self.numbers[at], self.instants[at], self.words[at])
