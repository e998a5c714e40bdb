"""What was read of a kind of entity, kept for a while in columns."""

import time
from collections.abc import Callable, Sequence
from itertools import repeat
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from shopguide.features.online_views import Group, Rows

Entity = tuple[str, ...]

_FIRST = 256  # rows that there is room for at first
_NONE = np.zeros(0, dtype=np.int64)


class Arena:
    """A cache with a time to live; safe between threads.

    Args:
        group: of the entities.
        seconds: time to live; 0: nothing is kept.
        most: entities; when there are more, it starts anew.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        group: Group,
        *,
        seconds: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._nothing = Rows.empty(group, 0)
        self._reset()

    def take(self, entities: Sequence[Entity]) -> tuple[Rows, NDArray[np.int64]]:
        """Return what is kept and fresh, and the positions of the others: their rows are empty.

        Where all are missing there are no rows at all.

        Args:
            entities: each once.
        """
        count = len(entities)
        if not self._seconds:
            return self._nothing, np.arange(count)
        with self._lock:
            slots = np.fromiter(map(self._slots.get, entities, repeat(-1)), np.int64, count)
            fresh = (slots >= 0) & (self._until[slots] > self._clock())
            if fresh.all():
                return self._rows.take(slots), _NONE
            if not fresh.any():
                return self._nothing, np.arange(count)
            rows = Rows.empty(self._group, count)
            rows.put(np.flatnonzero(fresh), self._rows, slots[fresh])
        return rows, np.flatnonzero(~fresh)

    def keep(self, entities: Sequence[Entity], rows: Rows) -> None:
        """Keep what was read just now.

        Args:
            entities: each once.
            rows: one an entity.
        """
        if not self._seconds or len(entities) > self._most:
            return
        with self._lock:
            if len(self._slots) + len(entities) > self._most:
                self._reset()
            slots = np.array([self._slot(entity) for entity in entities], np.int64)
            self._grow()
            self._rows.put(slots, rows, np.arange(len(entities)))
            self._until[slots] = self._clock() + self._seconds

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._reset()

    def _reset(self) -> None:
        self._slots: dict[Entity, int] = {}
        self._rows = Rows.empty(self._group, _FIRST)
        self._until = np.zeros(_FIRST)

    def _slot(self, entity: Entity) -> int:
        return self._slots.setdefault(entity, len(self._slots))

    def _grow(self) -> None:
        room, needed = len(self._until), len(self._slots)
        if needed <= room:
            return
        wider = Rows.empty(self._group, max(2 * room, needed))
        wider.put(np.arange(room), self._rows, np.arange(room))
        self._rows = wider
        self._until = np.concatenate([self._until, np.zeros(len(wider.numbers) - room)])
