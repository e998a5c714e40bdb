"""Canonical log → feature store and training set."""

import io
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shopguide.features.build import LogPeriod, build_offline
from shopguide.features.catalogue import key_attributes
from shopguide.features.point_in_time import attach_view
from shopguide.features.store import feast_objects, open_store, view_inputs, view_keys
from shopguide.features.training_set import (
    TrainingSetSummary,
    assign_splits,
    write_training_set,
)
from shopguide.logs import label_impressions
from shopguide.logs._duckdb import connect, count, identifier, quote
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

_log = logging.getLogger(__name__)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def materialize_features(spec: Spec, log: str | Path, out: str | Path) -> TrainingSetSummary:
    """Compute and register the features, bring the online store up to date, join the training set.

    Running it again with the same log writes the same values; nothing is doubled.

    Args:
        spec: checked spec; reads `features`, `tasks`, `attribution`, `split` and `home`.
        log: canonical log.
        out: directory of the training set, written whole or not at all.

    Raises:
        ShopguideError: the catalogue names a table or column that the log does not have.
        InvalidDataError: a period has no impression.
    """
    period = LogPeriod.read(log)
    build_offline(spec, log, spec.home)
    with _quiet_feast():
        store = register(spec, spec.home)
        with connect() as connection:
            label_impressions(connection, log, spec)
            dropped = assign_splits(connection, spec, log_end=period.end)
            _attach_key_attributes(connection, Path(log), spec)
            _attach_views(connection, store, spec)
            summary = write_training_set(
                connection, spec, out, dropped=dropped, log_end=period.end.isoformat()
            )
        _materialize_online(store, period.end)
    return summary


def register(spec: Spec, home: str | Path) -> "FeatureStore":
    """Register the catalogue in Feast, and remove what it no longer names.

    Args:
        spec: checked spec.
        home: the spec's home.
    """
    store = open_store(spec, home)
    entities, views, service = feast_objects(spec, home)
    names = {view.name for view in views}
    gone = [view for view in store.list_feature_views() if view.name not in names]
    store.apply([*entities, *views, service], objects_to_delete=gone, partial=not gone)
    return store


def _attach_key_attributes(connection: duckdb.DuckDBPyConnection, log: Path, spec: Spec) -> None:
    """Add the item attributes by which views are keyed; each item has one row."""
    attributes = key_attributes(spec.features)
    if not attributes:
        return
    names = ", ".join(f"i.{identifier(name)}" for name in attributes)
    before = count(connection, "SELECT count(*) FROM impressions")
    connection.execute(
        f"CREATE OR REPLACE TABLE impressions AS SELECT t.*, {names} FROM impressions AS t "
        f"LEFT JOIN read_parquet({quote(str(log / 'items.parquet'))}) AS i USING (item_id)"
    )
    after = count(connection, "SELECT count(*) FROM impressions")
    assert after == before, f"items: {after} rows of {before} after the join"


def _attach_views(connection: duckdb.DuckDBPyConnection, store: "FeatureStore", spec: Spec) -> None:
    keys = view_keys(spec)
    known = set(key_attributes(spec.features))
    for name, columns in view_inputs(spec).items():
        wanted = [column.name for column in columns if column.name not in known]
        if wanted:
            attach_view(
                connection, store, table="impressions", view=name, keys=keys[name], columns=wanted
            )


def _materialize_online(store: "FeatureStore", end: datetime) -> None:
    """Write each entity's latest snapshot; the whole past is asked for, so a lost store heals."""
    started = time.monotonic()
    store.materialize(start_date=_BEGINNING, end_date=end)
    _log.info("online store: up to %s, %.1f s", end.isoformat(), time.monotonic() - started)


@contextmanager
def _quiet_feast() -> Iterator[None]:
    """Feast prints its progress and warns of its own libraries; neither is for our user."""
    import feast  # noqa: F401 - its import sets warning filters, which ours must come after

    logging.getLogger("feast").setLevel(logging.WARNING)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
