"""Offline snapshots → online store: each entity's latest, and only those that have changed.

Feast's own `materialize` writes every entity again each time, and while it runs its views refuse to
be read. Here what was written last is kept beside the store, and each table of the store has a
marker with its checksum and its number of cells; the next time only rows that differ go through
Feast, in batches, and a service goes on reading. Where table and marker do not agree, or a marker
is not there, the store was lost, emptied or is another's: the view is filled anew.
"""

import logging
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import TIMESTAMP
from shopguide.features.materialize import quiet_feast, register
from shopguide.features.online_state import OnlineState, online_state
from shopguide.features.online_views import OnlineView, online_views
from shopguide.features.store import FOLDER, offline_file, view_inputs
from shopguide.files import atomic_file
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_log = logging.getLogger(__name__)

_BATCH = 20_000
"""Entities a write: bounds the memory of Feast's messages."""


@dataclass(frozen=True, slots=True)
class ViewWritten:
    """What was done for one view.

    Args:
        entities: written; 0: none has changed.
        lost: entities that had been written before and were gone; the view was filled anew.
    """

    entities: int
    lost: int = 0


def materialize_online(spec: Spec) -> dict[str, ViewWritten]:
    """Bring the online store up to the latest snapshots; fill a view anew that it has lost.

    Stopped in the middle, it writes the same rows again the next time: the result is the same.

    Args:
        spec: checked spec; reads `features` and `home`.

    Returns:
        What was done, by view.

    Raises:
        ShopguideError: the features have not been computed in this home.
    """
    home = Path(spec.home)
    for name in view_inputs(spec):
        path = offline_file(spec, home, name)
        if not path.is_file():
            raise ShopguideError(
                str(path), "there are no such features", "Run `shopguide features` first"
            )
    written = {}
    with quiet_feast(), ExitStack() as stack:
        store = register(spec, home)
        state = stack.enter_context(closing(online_state(spec)))
        for name, view in zip(view_inputs(spec), online_views(spec), strict=True):
            started = time.monotonic()
            written[name] = done = _write_view(store, state, spec, name, view)
            seconds = time.monotonic() - started
            _log.info("online %s: %s entities, %.1f s", name, f"{done.entities:,}", seconds)
            if done.lost:
                _log.warning("online %s: rebuilt, it had lost %s entities", name, f"{done.lost:,}")
    return written


def _write_view(
    store: "FeatureStore", state: OnlineState, spec: Spec, name: str, view: OnlineView
) -> ViewWritten:
    latest = Path(spec.home) / FOLDER / "written" / spec.name / f"{view.stored}.parquet"
    known, lost = state.compare(view, latest)
    with connect() as connection:
        keys = ", ".join(identifier(key) for key in view.keys)
        snapshots = quote(str(offline_file(spec, spec.home, name)))
        with atomic_file(latest) as staged:
            connection.execute(
                f"COPY (SELECT * FROM read_parquet({snapshots}) QUALIFY row_number() OVER "
                f"(PARTITION BY {keys} ORDER BY {TIMESTAMP} DESC) = 1 ORDER BY {keys}) "
                f"TO {quote(str(staged))} (FORMAT parquet, COMPRESSION zstd)"
            )
            changed = f"SELECT * FROM read_parquet({quote(str(staged))})"
            if known:
                changed += f" EXCEPT SELECT * FROM read_parquet({quote(str(latest))})"
            connection.execute(f"CREATE TEMP TABLE changed AS {changed} ORDER BY {keys}")
            rows = _write_changed(connection, store, view.stored)
    state.mark(view, latest)
    return ViewWritten(rows, lost)


def _write_changed(connection: duckdb.DuckDBPyConnection, store: "FeatureStore", view: str) -> int:
    rows = count(connection, "SELECT count(*) FROM changed")
    for first in range(0, rows, _BATCH):
        batch = connection.execute(
            f"SELECT * FROM changed WHERE rowid >= {first} AND rowid < {first + _BATCH}"
        ).df()
        batch[TIMESTAMP] = batch[TIMESTAMP].dt.tz_convert("UTC").astype("datetime64[us, UTC]")
        store.write_to_online_store(view, batch)
    return rows
