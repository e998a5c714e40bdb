"""The online store that a spec names: opened for reading, and told to Feast."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from shopguide.errors import ShopguideError
from shopguide.features.layout import Cell
from shopguide.features.marker import Marker
from shopguide.features.online_views import Ask
from shopguide.features.store import online_file
from shopguide.spec import Spec

_LIBPQ = {
    "host": "${PGHOST}",
    "port": "${PGPORT}",
    "database": "${PGDATABASE}",
    "user": "${PGUSER}",
    "password": "${PGPASSWORD}",
    "sslmode": "${PGSSLMODE}",
}
"""What a file says that holds no secret: Feast replaces libpq's own variables in it."""


class StoreReader(Protocol):
    """Reads what Feast has written, undecoded.

    Args:
        place: where the store is, without secrets.
    """

    place: str

    def markers(self, tables: Iterable[str]) -> dict[str, Marker]:
        """Return the markers that are there, by table: what a finished write has left."""

    def fetch(self, asks: Sequence[Ask]) -> list[list[Cell]]:
        """Return the cells [entities · columns] of each ask, entity by entity, in one batch."""

    def close(self) -> None:
        """Close what is open."""


def open_reader(spec: Spec, home: str | Path) -> StoreReader:
    """Open the online store of a spec.

    Args:
        spec: reads `name`, `features.online_store` and `serving.reading`.
        home: of the embedded store.

    Raises:
        ShopguideError: the environment does not say where the server is.
    """
    timeout = spec.serving.reading.timeout_seconds
    store = spec.features.online_store
    if store.type == "sqlite":
        from shopguide.features.sqlite_reader import SqliteReader

        return SqliteReader(online_file(home), timeout=timeout)
    variable, connection = connection_of(spec)
    if store.type == "postgres":
        from shopguide.features.postgres_reader import PostgresReader, connection_fields

        connection_fields(connection, variable)
        return PostgresReader(connection, timeout=timeout, place=f"PostgreSQL of {variable}")
    from shopguide.features.redis_reader import RedisReader, connect

    place = f"Redis of {variable}"
    return RedisReader(connect(connection, variable, timeout=timeout), spec.name, place)


def connection_of(spec: Spec) -> tuple[str, str]:
    """Return the variable that names the store's server, and what it says.

    Raises:
        ShopguideError: the variable is not set.
    """
    variable = spec.features.online_store.connection_env
    assert variable is not None, "the spec names one for every server"
    connection = os.environ.get(variable, "")
    if not connection:
        raise ShopguideError(
            f"environment variable {variable}",
            "is not set, and spec features.online_store.connection_env names it",
            "Set it to where the online store is, as the spec's schema says",
        )
    return variable, connection


def feast_online_store(spec: Spec, home: str | Path, *, secrets: bool = True) -> dict[str, Any]:
    """Return the section `online_store` of a feature_store.yaml.

    Args:
        spec: reads `features.online_store`.
        home: of the embedded store.
        secrets: write the connection itself; else the variable that Feast replaces by it.
    """
    store = spec.features.online_store
    if store.type == "sqlite":
        return {"type": "sqlite", "path": str(online_file(home))}
    if store.type == "postgres":
        return {"type": "postgres"} | (_postgres(spec) if secrets else _LIBPQ)
    connection = connection_of(spec)[1] if secrets else f"${{{store.connection_env}}}"
    # one writer, in order (the step's lock): Feast need not look at times before it writes, and
    # a corrected value of an old time is written too
    return {"type": "redis", "connection_string": connection, "skip_dedup": True}


def _postgres(spec: Spec) -> dict[str, Any]:
    from shopguide.features.postgres_reader import connection_fields

    variable, connection = connection_of(spec)
    found = connection_fields(connection, variable)
    return {
        "host": found["host"],
        "port": int(found.get("port", 5432)),
        "database": found["dbname"],
        "user": found["user"],
        "password": found.get("password", ""),
        "sslmode": found.get("sslmode", "prefer"),
    }
