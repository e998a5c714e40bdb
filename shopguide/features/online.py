"""Features at request time, from Feast's online store: one row a candidate, in the order asked."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, cast

import pyarrow as pa

from shopguide.columns import Same, Values, as_arrow
from shopguide.errors import ShopguideError
from shopguide.features.arena import Arena
from shopguide.features.catalogue import ModelInput, model_inputs
from shopguide.features.marker import Marker
from shopguide.features.online_store import StoreReader, open_reader
from shopguide.features.online_views import Ask, Group, groups
from shopguide.features.request_part import Candidates, Part
from shopguide.spec import Spec

_TRUST_SECONDS = 2.0  # how long a look at the store's markers is believed

_TYPES = {
    "categorical": pa.string(),
    "numeric": pa.float64(),
    "recency": pa.timestamp("us", tz="UTC"),
    "sequence": pa.list_(pa.string()),
}


class OnlineFeatures:
    """Reads the model's inputs for one user and several candidates.

    Everything comes in one batched read; where views are keyed by attributes of items (category,
    shelf) and an item's attributes are not kept from before, in two. What is not known is null;
    but a store that has lost a view knows nothing of anybody, and is an error until `shopguide
    materialize` has filled it again. Entities are kept for as long as `serving.reading` says, and
    forgotten at once when a view was materialised anew.

    Args:
        spec: the spec that the features were materialised with.
        home: folder of the embedded feature store.
        reader: of the store; None opens the one that the spec names.
    """

    def __init__(self, spec: Spec, home: str | Path, reader: StoreReader | None = None) -> None:
        self._store = open_reader(spec, home) if reader is None else reader
        self._inputs = model_inputs(spec)
        self._groups = groups(spec)
        self._tables = [view.table for group in self._groups for view in group.views]
        self._arenas = {group.keys: _arena(group, spec) for group in self._groups}
        self._lock = Lock()
        self._looked: float | None = None
        self._markers: dict[str, Marker] = {}

    def check(self) -> None:
        """Look whether every view is there as it was materialised; a look holds for a while.

        Raises:
            ShopguideError: views were never filled, or their tables were dropped or emptied.
        """
        # one thread looks; the others go on with what was seen before, if anything was
        if self._is_due() and self._lock.acquire(blocking=self._looked is None):
            try:
                if self._is_due():
                    self._look()
                    self._looked = time.monotonic()
            finally:
                self._lock.release()
        lost = [table for table in self._tables if table not in self._markers]
        if lost:
            raise ShopguideError(
                self._store.place,
                f"holds nothing that was materialised of {', '.join(lost)}",
                "Run `shopguide materialize`",
            )

    def age_seconds(self) -> float | None:
        """Return how long ago the view was materialised that waits longest; None: not known."""
        times = [marker.written_at for marker in self._markers.values()]
        known = [written for written in times if written is not None]
        return time.time() - min(known) if known and len(known) == len(times) else None

    def read(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> pa.Table:
        """Return every input of the model [one row a candidate], nulls where unknown.

        Args:
            user_id: the user; may be unknown to the store.
            item_ids: candidates; may be unknown to the store.
            context: columns of the impression that are known now, such as place_id.

        Raises:
            ShopguideError: the store has lost what was materialised.
        """
        found = self.columns(user_id, item_ids, context)
        rows = len(item_ids)
        columns = [as_arrow(found[one.name], rows, _TYPES[one.kind]) for one in self._inputs]
        return pa.Table.from_arrays(columns, names=[one.name for one in self._inputs])

    def columns(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> dict[str, Values]:
        """Return what `read` does, as numpy and Python hold it."""
        self.check()
        place = context.get("place_id")
        candidates = Candidates(user_id, item_ids, None if place is None else str(place))
        parts = self._read(candidates) if item_ids else {}
        return {one.name: _column(one, candidates, context, parts) for one in self._inputs}

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _is_due(self) -> bool:
        return self._looked is None or time.monotonic() - self._looked >= _TRUST_SECONDS

    def _look(self) -> None:
        found = self._store.markers(self._tables)
        checksums = {table: marker.checksum for table, marker in found.items()}
        if checksums != {table: marker.checksum for table, marker in self._markers.items()}:
            for arena in self._arenas.values():
                arena.clear()
        self._markers = found

    def _read(self, candidates: Candidates) -> dict[str, Part]:
        """Return the part that has the column of each name."""
        first = [g for g in self._groups if candidates.knows(g.keys)]
        later = [g for g in self._groups if not candidates.knows(g.keys)]
        parts = [Part.take(group, candidates, self._arenas[group.keys]) for group in first]
        if later:
            items = next(part for part in parts if part.group.keys == ("item_id",))
            if len(items.missing):  # their attributes are keys of other views: two reads
                self._fetch(parts)
            for name in {name for group in later for name in group.keys}:
                if not candidates.knows((name,)):
                    candidates.add(name, cast("list[str | None]", items.words(name)))
            parts += [Part.take(group, candidates, self._arenas[group.keys]) for group in later]
        self._fetch(parts)
        return {name: part for part in parts for name in part.group.places}

    def _fetch(self, parts: Sequence[Part]) -> None:
        """Read what parts lack, in one batch."""
        wanting = [part for part in parts if len(part.missing)]
        asks: list[list[Ask]] = [part.asks() for part in wanting]
        if not asks:
            return
        cells = iter(self._store.fetch([ask for asked in asks for ask in asked]))
        for part, asked in zip(wanting, asks, strict=True):
            part.complete([next(cells) for _ in asked], self._arenas[part.group.keys])


def _column(
    column: ModelInput,
    candidates: Candidates,
    context: Mapping[str, str | float],
    parts: Mapping[str, Part],
) -> Values:
    if column.name == "item_id":
        return candidates.items
    if column.name == "user_id":
        return Same(candidates.user)
    if column.view is None:
        return Same(_typed(column, context.get(column.name)))
    return parts[column.name].column(column.name) if candidates.items else Same(None)


def _arena(group: Group, spec: Spec) -> Arena:
    reading = spec.serving.reading
    of_user = "user_id" in group.keys
    seconds = reading.user_cache_seconds if of_user else reading.item_cache_seconds
    return Arena(group, seconds=seconds, most=reading.cache_entries)


def _typed(column: ModelInput, value: Any) -> str | float | None:  # noqa: ANN401 - as it was sent
    if value is None:
        return None
    return float(value) if column.kind == "numeric" else str(value)
