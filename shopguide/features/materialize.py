"""Canonical log → offline feature store and training set."""

import fcntl
import io
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from shopguide.features.build import LogPeriod, build_offline
from shopguide.features.catalogue import key_attributes
from shopguide.features.feast_check import FeastCheck
from shopguide.features.point_in_time import attach, join_view
from shopguide.features.store import (
    FOLDER,
    feast_objects,
    offline_file,
    open_store,
    view_inputs,
    view_keys,
)
from shopguide.features.training_set import (
    TrainingSetSummary,
    assign_splits,
    columns_to_write,
    write_training_set,
)
from shopguide.features.versions import feast_view
from shopguide.logs import label_impressions
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_log = logging.getLogger(__name__)

_BLOCK = 131_072
"""Impressions handed on at a time; DuckDB keeps the rest within its memory limit, or on disk."""


def materialize_features(spec: Spec, log: str | Path, out: str | Path) -> TrainingSetSummary:
    """Compute and register the features, and join the training set.

    The online store stays as it is: `materialize_online` fills it once the data are validated.
    Running it again with the same log writes the same values; nothing is doubled.

    Args:
        spec: checked spec; reads `features`, `tasks`, `attribution`, `split` and `home`.
        log: canonical log.
        out: directory of the training set, written whole or not at all.

    Raises:
        ShopguideError: the catalogue names a table or column that the log does not have.
        InvalidDataError: a period has no impression, or a value is not what Feast's own join gives.
    """
    period = LogPeriod.read(log)
    build_offline(spec, log, spec.home)
    with quiet_feast(), connect() as connection:
        store = register(spec, spec.home)
        label_impressions(connection, log, spec)
        dropped = assign_splits(connection, spec, log_end=period.end)
        _attach_key_attributes(connection, Path(log), spec)
        check = FeastCheck(connection, store, spec)
        return write_training_set(
            connection,
            spec,
            out,
            blocks=check.watch(_blocks(connection, spec)),
            dropped=dropped,
            log_end=period.end.isoformat(),
        )


def register(spec: Spec, home: str | Path) -> "FeatureStore":
    """Register the catalogue in Feast, beside what other versions of it have registered.

    Runs that share a home take turns: Feast reads the registry's file, changes it and writes it
    whole, so of two that do so at once the later would undo the earlier.

    Args:
        spec: checked spec.
        home: the spec's home.
    """
    with _registry_lock(home):
        store = open_store(spec, home)
        entities, views, service = feast_objects(spec, home)
        store.apply([*entities, *views, service])
    return store


@contextmanager
def _registry_lock(home: str | Path) -> Iterator[None]:
    """Be the only one who registers in a home; the lock goes with the process that holds it."""
    folder = Path(home) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "registry.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _attach_key_attributes(connection: duckdb.DuckDBPyConnection, log: Path, spec: Spec) -> None:
    """Add the item attributes by which views are keyed; each item has one row."""
    attributes = key_attributes(spec.features)
    if not attributes:
        return
    names = ", ".join(f"i.{identifier(name)}" for name in attributes)
    before = count(connection, "SELECT count(*) FROM impressions")
    connection.execute(
        f"CREATE TABLE keyed AS SELECT t.*, {names} FROM impressions AS t "
        f"LEFT JOIN read_parquet({quote(str(log / 'items.parquet'))}) AS i USING (item_id)"
    )
    connection.execute("DROP TABLE impressions; ALTER TABLE keyed RENAME TO impressions")
    after = count(connection, "SELECT count(*) FROM impressions")
    assert after == before, f"items: {after} rows of {before} after the join"


def _blocks(connection: duckdb.DuckDBPyConnection, spec: Spec) -> Iterator[pa.Table]:
    """Yield the impressions with every input of the model, block by block in order of `row_id`."""
    started = time.monotonic()
    joined = _join_views(connection, spec)
    chosen = columns_to_write(connection, spec)
    rows = 0
    for block in attach(
        connection, table="impressions", joined=joined, chosen=chosen, block=_BLOCK
    ):
        rows += block.num_rows
        yield block
    for name in joined:
        connection.execute(f"DROP TABLE {identifier(name)}")
    _log.info("join: %s rows, %.1f s", f"{rows:,}", time.monotonic() - started)


def _join_views(connection: duckdb.DuckDBPyConnection, spec: Spec) -> dict[str, list[str]]:
    keys = view_keys(spec)
    known = set(key_attributes(spec.features))
    joined = {}
    for name, columns in view_inputs(spec).items():
        wanted = [column.name for column in columns if column.name not in known]
        if wanted:
            table = join_view(
                connection,
                table="impressions",
                view=feast_view(spec, name),
                snapshots=offline_file(spec, spec.home, name),
                keys=keys[name],
                columns=wanted,
            )
            joined[table] = keys[name]
    return joined


@contextmanager
def quiet_feast() -> Iterator[None]:
    """Silence Feast: its progress and its warnings of its own libraries are not for our user."""
    import feast  # noqa: F401 - its import sets warning filters, which ours must come after

    logging.getLogger("feast").setLevel(logging.WARNING)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
