"""Read Feast's Redis online store: one pipeline of HMGETs, undecoded."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
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

    def fetch(self, asks: Sequence[Ask]) -> list[list[Cell]]:
        """Return the cells [entities · columns] of each ask; None where nothing is stored.

        Raises:
            redis.exceptions.RedisError: the server does not answer, or not in time.
        """
        project = self._project.encode()
        groups = _of_one_entity(asks)
        answers = iter(
            self._exchange(
                b"".join(part for group in groups for part in _commands(group, project)),
                sum(len(group[0].keys) for group in groups),
            )
        )
        cells: list[list[Cell]] = []
        for group in groups:
            rows = list(islice(answers, len(group[0].keys)))
            start = 0
            for ask in group:
                end = start + len(ask.view.columns)
                cells.append([cell for row in rows for cell in row[start:end]])
                start = end
        return cells

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _exchange(self, commands: bytes, count: int) -> list[list[Cell]]:
        """Send commands and return their answers, as a pipeline does.

        A pipeline of the client packs each command and looks at each answer by itself, which for
        the hundreds of a request takes longer than all the rest of reading them.
        """
        pool: Any = self._client.connection_pool
        connection = pool.get_connection()

        def ask() -> list[list[Cell]]:
            try:
                connection.send_packed_command([commands])
                return [connection.read_response(disable_decoding=True) for _ in range(count)]
            except BaseException:
                connection.disconnect()  # or the next one would read answers of this one
                raise

        try:
            found: list[list[Cell]] = connection.retry.call_with_retry(ask, lambda _: None)
        finally:
            pool.release(connection)
        return found


def _commands(asks: Sequence[Ask], project: bytes) -> Iterator[bytes]:
    """Return an HMGET an entity, as Redis's protocol writes it: it reads all the asks' fields."""
    wanted = [field for ask in asks for field in fields(ask.view)]
    head = b"*%d\r\n$5\r\nHMGET\r\n" % (2 + len(wanted))
    tail = b"".join(b"$%d\r\n%b\r\n" % (len(field), field) for field in wanted)
    for key in asks[0].keys:
        yield b"%b$%d\r\n%b%b\r\n%b" % (head, len(key) + len(project), key, project, tail)


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
