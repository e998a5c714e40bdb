"""The training set beside Feast's own point-in-time join, on some of its rows, in every run.

Feast's definition of the join is the one that users of its registry get. Ours is faster; if ever it
gives another value, no training set is written.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from shopguide.errors import InvalidDataError
from shopguide.features.catalogue import TIMESTAMP, key_attributes
from shopguide.features.store import view_inputs, view_keys
from shopguide.features.versions import feast_view
from shopguide.logs._duckdb import count, identifier
from shopguide.spec import Spec

if TYPE_CHECKING:
    from feast import FeatureStore

SAMPLE = 500
"""Impressions for which Feast is asked; each costs it every earlier snapshot of its entities."""

_SHOWN = 3


class FeastCheck:
    """Asks Feast for a sample of the impressions, and holds the rows to be written to its answer.

    Args:
        connection: holds the table `impressions`, with keys, `shown_at` and `row_id`.
        store: Feast store where the catalogue is registered.
        spec: reads `features`.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, store: "FeatureStore", spec: Spec
    ) -> None:
        self._answer = pa.table({"row_id": pa.array([], pa.int64())})
        keys = _known_keys(connection, spec)
        references = _references(spec, keys)
        if references:
            self._answer = _ask(store, _sample(connection, keys), references)

    def watch(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Pass blocks of the training set on, and compare the sampled rows after the last one.

        Raises:
            InvalidDataError: a value differs from Feast's; counts them and shows examples.
            AssertionError: Feast lost or doubled a row, or a sampled row was not in the blocks.
        """
        wanted, kept = self._answer.column("row_id"), []
        for block in blocks:
            kept.append(block.filter(pc.is_in(block.column("row_id"), wanted)))
            yield block
        if self._answer.num_rows:
            compare(pa.concat_tables(kept), self._answer)


def compare(ours: pa.Table, feasts: pa.Table) -> None:
    """Compare two answers for the same rows, in the columns that both have.

    Args:
        ours: rows of the training set, with `row_id`.
        feasts: what Feast answered, with `row_id`.

    Raises:
        InvalidDataError: a value differs; counts them and shows examples.
        AssertionError: the rows are not the same.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("ours", ours)
        connection.register("feasts", feasts)
        both = count(
            connection, "SELECT count(DISTINCT row_id) FROM ours JOIN feasts USING (row_id)"
        )
        assert both == ours.num_rows == feasts.num_rows, (
            f"{ours.num_rows} sampled rows, Feast answered {feasts.num_rows}, {both} are the same"
        )
        columns = [name for name in feasts.column_names if name in ours.column_names]
        problems = [
            problem
            for name in columns
            if name != "row_id" and (problem := _difference(connection, name, both))
        ]
    if problems:
        raise InvalidDataError.combined(problems)


def _difference(
    connection: duckdb.DuckDBPyConnection, name: str, rows: int
) -> InvalidDataError | None:
    column = identifier(name)
    kind = connection.execute(f"SELECT any_value(typeof({column})) FROM ours").fetchall()[0][0]
    found = connection.execute(
        f"SELECT row_id, o.{column}, f.{column}::{kind} "
        "FROM ours AS o JOIN feasts AS f USING (row_id) "
        f"WHERE o.{column} IS DISTINCT FROM f.{column}::{kind} ORDER BY row_id"
    ).fetchall()
    if not found:
        return None
    examples = "; ".join(
        f"row {row}: {ours}, Feast {feasts}" for row, ours, feasts in found[:_SHOWN]
    )
    return InvalidDataError(
        f"feature {name}",
        f"{len(found)} of {rows} sampled rows differ from Feast's own join ({examples})",
        "Nothing was written. Compute the features again; if it stays, report it",
    )


def _known_keys(connection: duckdb.DuckDBPyConnection, spec: Spec) -> list[str]:
    """Return the keys of views that some impression has."""
    keys = list(dict.fromkeys(key for view in view_keys(spec).values() for key in view))
    return [
        key
        for key in keys
        if count(connection, f"SELECT count({identifier(key)}) FROM impressions")
    ]


def _references(spec: Spec, keys: Sequence[str]) -> list[str]:
    """Name the features of views by these keys; Feast refuses one that is called like a key."""
    of_view, inputs = view_keys(spec), view_inputs(spec)
    attributes = set(key_attributes(spec.features))
    return [
        f"{feast_view(spec, view)}:{column.name}"
        for view, columns in inputs.items()
        if set(of_view[view]) <= set(keys)
        for column in columns
        if column.name not in attributes
    ]


def _sample(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> pd.DataFrame:
    """Choose impressions of which every key is known: Feast answers nothing for others."""
    names = ", ".join(identifier(key) for key in keys)
    known = " AND ".join(f"{identifier(key)} IS NOT NULL" for key in keys)
    frame: pd.DataFrame = connection.execute(
        f"SELECT row_id, {names}, shown_at AS {TIMESTAMP} FROM impressions WHERE {known} "
        f"ORDER BY hash(row_id), row_id LIMIT {SAMPLE}"
    ).df()
    stamps = frame[TIMESTAMP].dt.tz_convert("UTC")
    frame[TIMESTAMP] = stamps.astype("datetime64[us, UTC]")
    return frame


def _ask(store: "FeatureStore", frame: pd.DataFrame, references: list[str]) -> pa.Table:
    if frame.empty:
        return pa.table({"row_id": pa.array([], pa.int64())})
    answer = store.get_historical_features(entity_df=frame, features=references).to_arrow()
    return answer.drop_columns(TIMESTAMP)
