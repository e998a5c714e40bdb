"""Features at request time, from Feast's online store: one row a candidate, in the order asked."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import ITEM_VIEW, ModelInput, model_inputs
from shopguide.features.marker import lost_tables
from shopguide.features.store import (
    online_file,
    online_table,
    open_store,
    view_inputs,
    view_keys,
)
from shopguide.features.versions import feast_view
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_UNKNOWN = ""  # the key that no entity has: Feast wants a text where a key is not known

_TRUST_SECONDS = 2.0  # how long a look at the store's markers is believed

_TYPES = {
    "categorical": pa.string(),
    "numeric": pa.float64(),
    "recency": pa.timestamp("us", tz="UTC"),
}


class OnlineFeatures:
    """Reads the model's inputs for one user and several candidates.

    Item attributes come first, since they are keys of other views (category, shelf); then
    everything else in one read. What is not known is null; but a store that has lost a view knows
    nothing of anybody, and is an error until `shopguide materialize` has filled it again.

    Args:
        spec: the spec that the features were materialised with.
        home: folder of the embedded feature store.
    """

    def __init__(self, spec: Spec, home: str | Path) -> None:
        self._spec = spec
        self._home = home
        self._store: FeatureStore = open_store(spec, home)
        self._lock = Lock()
        self._looked: float | None = None
        self._lost: list[str] = []
        self._file: int | None = None
        self._columns = view_inputs(spec)
        self._keys = view_keys(spec)
        self._inputs = model_inputs(spec)

    def check(self) -> None:
        """Look whether every view is there as it was materialised; a look holds for a while.

        Raises:
            ShopguideError: views were never filled, or their tables were dropped or emptied.
        """
        with self._lock:
            now = time.monotonic()
            if self._looked is None or now - self._looked >= _TRUST_SECONDS:
                self._look()
                self._looked = now
        if self._lost:
            raise ShopguideError(
                str(online_file(self._home)),
                f"holds nothing that was materialised of {', '.join(self._lost)}",
                "Run `shopguide materialize`",
            )

    def _look(self) -> None:
        path = online_file(self._home)
        lost = lost_tables(path, [online_table(self._spec, view) for view in self._columns])
        file = path.stat().st_ino if path.is_file() else None
        if self._lost or file != self._file:
            # Feast keeps the file open and the registry in memory: those of before
            self._store = open_store(self._spec, self._home)
        self._lost, self._file = lost, file

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
        self.check()
        rows = len(item_ids)
        place = context.get("place_id")
        entities: dict[str, list[str]] = {
            "user_id": [user_id] * rows,
            "item_id": list(item_ids),
            "place_id": [_UNKNOWN if place is None else str(place)] * rows,
        }
        values: dict[str, list[Any]] = {}
        if ITEM_VIEW in self._columns:
            attributes = self._ask([ITEM_VIEW], entities)
            values |= attributes
            entities |= {
                name: [_UNKNOWN if value is None else value for value in column]
                for name, column in attributes.items()
            }
        others = [name for name in self._columns if name != ITEM_VIEW]
        if others:
            values |= self._ask(others, entities)
        return self._table(user_id, item_ids, context, values)

    def _ask(self, views: Sequence[str], entities: Mapping[str, list[str]]) -> dict[str, list[Any]]:
        if not entities["item_id"]:
            return {column.name: [] for view in views for column in self._columns[view]}
        needed = {key for view in views for key in self._keys[view]}
        references = [
            f"{feast_view(self._spec, view)}:{column.name}"
            for view in views
            for column in self._columns[view]
        ]
        response = self._store.get_online_features(
            features=references,
            entity_rows=[
                {key: entities[key][row] for key in needed}
                for row in range(len(entities["item_id"]))
            ],
        ).to_dict()
        return {
            column.name: [_plain(column, value) for value in response[column.name]]
            for view in views
            for column in self._columns[view]
        }

    def _table(
        self,
        user_id: str,
        item_ids: Sequence[str],
        context: Mapping[str, str | float],
        values: Mapping[str, list[Any]],
    ) -> pa.Table:
        rows = len(item_ids)
        ids = {"user_id": [user_id] * rows, "item_id": list(item_ids)}
        columns = {}
        for column in self._inputs:
            if column.name in ids:
                found: list[Any] = ids[column.name]
            elif column.view is None:
                found = [_typed(column, context.get(column.name))] * rows
            else:
                found = values[column.name]
            columns[column.name] = pa.array(found, type=_TYPES[column.kind])
        return pa.table(columns)


def _plain(column: ModelInput, value: Any) -> Any:  # noqa: ANN401 - Feast's values are untyped
    """Turn what the store gives into what Arrow takes; an absent time is 0 in some stores."""
    if value is None:
        return None
    if column.kind == "recency" and isinstance(value, int):
        return value * 1_000_000 if value else None  # Feast's UnixTimestamp counts seconds
    return value


def _typed(column: ModelInput, value: str | float | None) -> str | float | None:
    if value is None:
        return None
    return float(value) if column.kind == "numeric" else str(value)
