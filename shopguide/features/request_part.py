"""A request's entities: which there are of each kind, what is kept of them, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from shopguide.columns import NEVER, Datum, Same, Values, as_cells
from shopguide.features.arena import Arena, Entity
from shopguide.features.layout import Cell, entity_keys
from shopguide.features.online_views import Ask, Group, Rows

_UNKNOWN = ""  # the key that no entity has


class Candidates:
    """The keys of one request.

    Args:
        user: its user.
        items: its candidates.
        place: where it comes from; None: not known.
    """

    def __init__(self, user: str, items: Sequence[str], place: str | None) -> None:
        self.user = user
        self.items = list(items)
        self._fixed = {"user_id": user, "place_id": _UNKNOWN if place is None else place}
        self._varying: dict[str, tuple[list[str], NDArray[np.int64]]] = {}
        self.add("item_id", self.items)

    def knows(self, names: Sequence[str]) -> bool:
        """Whether the values of these keys are known."""
        return all(name in self._fixed or name in self._varying for name in names)

    def add(self, name: str, values: Sequence[str | None]) -> None:
        """Set a key that differs between candidates [N]; None: the candidate has none."""
        filled = [_UNKNOWN if value is None else value for value in values]
        places = {value: place for place, value in enumerate(dict.fromkeys(filled))}
        rows = np.fromiter(map(places.__getitem__, filled), np.int64, len(filled))
        self._varying[name] = list(places), rows

    def entities(self, names: Sequence[str]) -> tuple[list[Entity], NDArray[np.int64]]:
        """Return the entities that these keys name, each once, and of each candidate which [N]."""
        varying = [name for name in names if name not in self._fixed]
        if not varying:
            entity = tuple(self._fixed[name] for name in names)
            return [entity], np.zeros(len(self.items), np.int64)
        if len(varying) == 1:
            values, rows = self._varying[varying[0]]
            return self._combined(names, [values]), rows
        columns = [[self._varying[n][0][row] for row in self._varying[n][1]] for n in varying]
        places: dict[Entity, int] = {}
        found = [places.setdefault(one, len(places)) for one in zip(*columns, strict=True)]
        each = [list(column) for column in zip(*places, strict=True)]
        return self._combined(names, each), np.array(found, dtype=np.int64)

    def _combined(self, names: Sequence[str], varying: Sequence[list[str]]) -> list[Entity]:
        count, columns = len(varying[0]), iter(varying)
        parts = [
            [self._fixed[name]] * count if name in self._fixed else next(columns) for name in names
        ]
        return list(zip(*parts, strict=True))


@dataclass(slots=True)
class Part:
    """The entities of one group in a request.

    Args:
        group: theirs.
        entities: each once.
        of_row: the entity of each candidate [N].
        rows: what is known of the entities.
        missing: positions of entities that are to be read.
    """

    group: Group
    entities: list[Entity]
    of_row: NDArray[np.int64]
    rows: Rows
    missing: NDArray[np.int64]
    _spread: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    @classmethod
    def take(cls, group: Group, candidates: Candidates, arena: Arena) -> "Part":
        """Return the request's entities of a group, with what is kept of them."""
        entities, of_row = candidates.entities(group.keys)
        return cls(group, entities, of_row, *arena.take(entities))

    def asks(self) -> list[Ask]:
        """Return what is to be read: the same keys of each view."""
        keys = entity_keys(self.group.keys, self._lacking())
        return [Ask(view, keys) for view in self.group.views]

    def complete(self, cells: Sequence[Sequence[Cell]], arena: Arena) -> None:
        """Take what was read, and keep it.

        Args:
            cells: [views][missing entities · columns], entity by entity.
            arena: keeps them.
        """
        read = Rows.empty(self.group, len(self.missing))
        for view, found in zip(self.group.views, cells, strict=True):
            read.fill(self.group, view, found)
        arena.keep(self._lacking(), read)
        if len(self.missing) == len(self.entities):
            self.rows = read
        else:
            self.rows.put(self.missing, read, np.arange(len(self.missing)))
        self.missing = self.missing[:0]

    def _lacking(self) -> list[Entity]:
        if len(self.missing) == len(self.entities):
            return self.entities
        return [self.entities[at] for at in self.missing]

    def column(self, name: str) -> Values:
        """Return a column, a value a candidate [N], or one where all have the same entity."""
        array, place = self.group.places[name]
        if len(self.entities) == 1:
            return Same(_plain(getattr(self.rows, array)[0, place]))
        if array not in self._spread:
            self._spread[array] = getattr(self.rows, array).T[:, self.of_row]
        values: NDArray[np.float64] | NDArray[np.int64] = self._spread[array][place]
        return values.tolist() if array == "words" else values

    def words(self, name: str) -> list[Datum]:
        """Return a column of text, a value a candidate [N]."""
        return as_cells(self.column(name), len(self.of_row))


def _plain(value: object) -> Datum:
    """Return a value of `Rows`, None where it is missing."""
    if isinstance(value, np.float64):
        return None if np.isnan(value) else float(value)
    if isinstance(value, np.int64):
        return None if value == NEVER else int(value)
    return cast("str | list[str] | None", value)
