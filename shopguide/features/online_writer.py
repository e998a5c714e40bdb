"""Offline snapshots → online store: each entity's latest, and only those that have changed.

Feast's own `materialize` writes every entity again each time, and while it runs its views refuse to
be read. Here what was written last is kept beside the store, and the store keeps its checksum; the
next time only rows that differ go through Feast, in batches, and a service goes on reading. A store
that was lost, or is another's, has another checksum or none: it is filled anew.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shopguide.errors import ShopguideError
from shopguide.features.catalogue import TIMESTAMP
from shopguide.features.materialize import quiet_feast, register
from shopguide.features.store import FOLDER, offline_file, online_file, view_inputs, view_keys
from shopguide.features.versions import feast_view
from shopguide.files import atomic_file, sha256
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_log = logging.getLogger(__name__)

_BATCH = 20_000
"""Entities a write: bounds the memory of Feast's messages."""


def materialize_online(spec: Spec) -> dict[str, int]:
    """Bring the online store up to the latest snapshots.

    Stopped in the middle, it writes the same rows again the next time: the result is the same.

    Args:
        spec: checked spec; reads `features` and `home`.

    Returns:
        Entities written, by view.

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
    with quiet_feast():
        store = register(spec, home)
        ledger = _Ledger(online_file(home))
        for name in view_inputs(spec):
            started = time.monotonic()
            written[name] = _write_view(store, ledger, spec, name)
            seconds = time.monotonic() - started
            _log.info("online %s: %s entities, %.1f s", name, f"{written[name]:,}", seconds)
    return written


def _write_view(store: "FeatureStore", ledger: "_Ledger", spec: Spec, name: str) -> int:
    view = feast_view(spec, name)
    latest = Path(spec.home) / FOLDER / "written" / f"{view}.parquet"
    known = latest.is_file() and ledger.holds(view, sha256(latest))
    with connect() as connection:
        keys = ", ".join(identifier(key) for key in view_keys(spec)[name])
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
            rows = _write_changed(connection, store, view)
    ledger.record(view, sha256(latest))
    return rows


def _write_changed(connection: duckdb.DuckDBPyConnection, store: "FeatureStore", view: str) -> int:
    rows = count(connection, "SELECT count(*) FROM changed")
    for first in range(0, rows, _BATCH):
        batch = connection.execute(
            f"SELECT * FROM changed WHERE rowid >= {first} AND rowid < {first + _BATCH}"
        ).df()
        batch[TIMESTAMP] = batch[TIMESTAMP].dt.tz_convert("UTC").astype("datetime64[us, UTC]")
        store.write_to_online_store(view, batch)
    return rows


class _Ledger:
    """What the embedded online store holds: a table beside Feast's own, in the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as connection:
            # with a write-ahead log, a writer never makes a reader wait
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS shopguide_written "
                "(view TEXT PRIMARY KEY, checksum TEXT)"
            )

    def holds(self, view: str, checksum: str) -> bool:
        """Say whether the rows of a file with this checksum are what was written last."""
        with self._connect() as connection:
            query = "SELECT 1 FROM shopguide_written WHERE view = ? AND checksum = ?"
            return connection.execute(query, (view, checksum)).fetchone() is not None

    def record(self, view: str, checksum: str) -> None:
        """Note what has been written."""
        with self._connect() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO shopguide_written VALUES (?, ?)", (view, checksum)
            )

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            yield connection
