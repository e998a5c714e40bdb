"""Bounds on what one client can take: the size of a body, and requests a second."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from serving.errors import RefusedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_BODY_SECONDS = 15.0  # in which a body must have come
_DRAIN_SECONDS = 5.0
_DRAIN_BYTES = 256 * 2**20
_CLIENTS = 10_000  # remembered; the one heard of longest ago is forgotten first


class ClientLeftError(Exception):
    """The client closed its connection before its body was whole."""


def refuse_length(headers: Mapping[bytes, bytes], most: int) -> None:
    """Refuse a body that says itself that it is too large, before a byte of it is read.

    Raises:
        RefusedError: status 413, or 400 for a length that is none.
    """
    given = headers.get(b"content-length")
    if given is None:
        return
    if not given.isdigit():
        raise RefusedError(HTTPStatus.BAD_REQUEST, "header Content-Length", "not a number")
    if len(given) > 15 or int(given) > most:
        raise too_large(most)


class Room:
    """Memory for the bodies that are being read and checked, of all clients together.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes some bytes; at the end all of them are given back.

        Raises:
            RefusedError: from that function, there is no room; status 503.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self._taken + size > self._most:
                raise RefusedError(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "",
                    "too many large bodies are being read; send it again",
                    headers={"Retry-After": "1", "Connection": "close"},
                )
            mine += size
            self._taken += size

        try:
            yield take
        finally:
            self._taken -= mine


async def read_body(receive: Receive, most: int, take: Callable[[int], None]) -> bytes:
    """Read a body of at most so many bytes.

    Args:
        receive: of ASGI.
        most: bytes.
        take: takes room for some more bytes.

    Raises:
        RefusedError: it is larger (413), did not come in time (408), or there is no room (503).
        ClientLeftError: nobody waits for an answer.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > most:
                    raise too_large(most)
                take(len(chunk))
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks) if len(chunks) > 1 else chunk
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT,
            "body",
            f"was not whole after {_BODY_SECONDS:g} s",
            headers={"Connection": "close"},
        ) from None


async def drain(receive: Receive) -> None:
    """Throw away what still comes of a refused body, for a while.

    A client that sends all before it reads would else see its connection reset instead of the
    answer.
    """
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def too_large(most: int) -> RefusedError:
    """Return the refusal of a body of more than so many bytes."""
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body",
        f"is larger than {most:,} bytes; split it, or raise serving.max_body_mb in the spec",
        headers={"Connection": "close"},
    )


class RateLimiter:
    """A bucket of tokens for each client: `rate` are added a second, up to `burst`.

    Args:
        rate: requests a second that a client may make for ever.
        burst: requests that it may make at once.
        clock: seconds.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Take a client's token.

        Raises:
            RefusedError: it has none left; status 429 with `Retry-After`.
        """
        now = self._clock()
        tokens, then = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        enough = tokens >= 1
        self._buckets[client] = (tokens - 1 if enough else tokens, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if not enough:
            wait = max(1, round((1 - tokens) / self._rate + 0.5))
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "",
                f"more than {self._rate:g} requests a second",
                headers={"Retry-After": str(wait)},
            )
