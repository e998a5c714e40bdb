"""Read Feast's Redis online store: one pipeline of HMGETs, undecoded."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from shopguide.errors import ShopguideError
from shopguide.features.layout import Cell
from shopguide.features.marker import Marker
from shopguide.features.online_views import Ask, OnlineView

if TYPE_CHECKING:
    from redis import Redis


def markers_key(project: str) -> str:
    """Return the key of the hash that holds the markers of a project's views."""
    return f"shopguide:written:{project}"


@lru_cache(maxsize=1000)
def fields(view: OnlineView) -> tuple[bytes, ...]:
    """Return the fields of an entity's hash in which Feast keeps a view's columns."""
    import mmh3

    names = [f"{view.stored}:{column.name}" for column in view.columns]
    return tuple(mmh3.hash(name, signed=False).to_bytes(4, "little") for name in names)


def timestamp_field(view: OnlineView) -> bytes:
    """Return the field that says that an entity has a view, and of when."""
    return f"_ts:{view.stored}".encode()


def connect(connection: str, variable: str, *, timeout: float) -> "Redis":
    """Open a Redis server.

    Args:
        connection: as Feast writes it: `host:6379,db=0,username=…,password=…,ssl=true`.
        variable: that it was read from, for messages.
        timeout: seconds, of connecting and of each answer.

    Raises:
        ShopguideError: it is not of that form, or names several servers.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as Lost
    from redis.retry import Retry

    servers = [part for part in connection.split(",") if part and "=" not in part]
    host, _, port = servers[0].rpartition(":") if len(servers) == 1 else ("", "", "")
    if not host or not port.isdecimal():
        raise ShopguideError(
            f"environment variable {variable}",
            "is no address of one Redis server",
            "Write host:6379,db=0 and, where needed, username=…,password=…,ssl=true",
        )
    options: dict[str, Any] = {
        name: _parsed(value)
        for name, sign, value in (part.partition("=") for part in connection.split(","))
        if sign
    }
    # once more, for a connection that the server has dropped; never after a time-out
    retry = Retry(NoBackoff(), 1, supported_errors=(Lost,))
    limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": retry}
    return Redis(host=host, port=int(port), **(options | limits))


class RedisReader:
    """Reads a Redis store; safe between threads.

    Args:
        client: of the server.
        project: Feast's, the end of every key.
        place: of the server without secrets, for messages.
    """

    def __init__(self, client: "Redis", project: str, place: str) -> None:
        self.place = place
        self._client = client
        self._project = project

    def markers(self, tables: Iterable[str]) -> dict[str, Marker]:
        """Return the markers that are there, by table."""
        wanted = list(tables)
        found: Any = self._client.hmget(markers_key(self._project), wanted)
        return {
            table: Marker.parse(stored)
            for table, stored in zip(wanted, found, strict=True)
            if stored is not None
        }

    def fetch(self, asks: Sequence[Ask]) -> list[list[list[Cell]]]:
        """Return the cells [columns][entities] of each ask; None where nothing is stored.

        Raises:
            redis.exceptions.RedisError: the server does not answer, or not in time.
        """
        project = self._project.encode()
        with self._client.pipeline(transaction=False) as pipeline:
            command: Callable[..., object] = pipeline.execute_command
            for together in _of_one_entity(asks):
                wanted = [field for ask in together for field in fields(ask.view)]
                for key in together[0].keys:
                    command("HMGET", key + project, *wanted)
            answers = iter(pipeline.execute())
        cells: list[list[list[Cell]]] = []
        for together in _of_one_entity(asks):
            columns = zip(*(next(answers) for _ in together[0].keys), strict=True)
            cells += [[list(next(columns)) for _ in ask.view.columns] for ask in together]
        return cells

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _of_one_entity(asks: Sequence[Ask]) -> list[list[Ask]]:
    """Put together what lies in the same hashes: one HMGET an entity reads all of it."""
    return [list(found) for _, found in groupby(asks, key=lambda ask: id(ask.keys))]


def _parsed(value: str) -> object:
    """Read an option as Feast does: JSON where it is some, else text."""
    try:
        parsed: object = json.loads(value)
    except ValueError:
        return value
    return parsed
