"""What a connection may take before it has asked anything; uvicorn bounds neither time nor number.

BentoML hands no option of uvicorn's through, so the class that uvicorn takes for HTTP is replaced.
"""

import asyncio
import resource
import socket
from http import HTTPStatus
from typing import Any

import uvicorn.config
from pydantic_core import to_json
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 10.0
"""In which the line and the headers of a request must have come."""

_MOST_HEADER_BYTES = 64_000  # h11 has a bound of its own, httptools has none
_MOST_CONNECTIONS = 1000
_OTHER_FILES = 200  # of a worker: libraries, the store, the feedback
_UNREAD_MILLISECONDS = 30_000


def bound_connections() -> None:
    """Make every worker of this process's program serve by `BoundedProtocol`."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:BoundedProtocol"


def most_connections() -> int:
    """Return how many connections a worker may hold: fewer than it may have files open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, files - _OTHER_FILES))


def bounded(base: Any) -> Any:  # noqa: ANN401 - uvicorn's class, by h11 or httptools
    """Return a protocol of uvicorn's that bounds the time of headers and the number of connections.

    Args:
        base: class of uvicorn's.
    """

    class Bounded(base):  # type: ignore[misc]
        _waits: asyncio.TimerHandle | None = None
        _asked = _in_headers = False
        _header_bytes = _messages = 0
        most = most_connections()
        header_seconds = HEADER_SECONDS

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            _close_where_nobody_reads(transport)
            if len(self.connections) > self.most:
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
            else:
                self._begin_to_wait()

        def data_received(self, data: bytes) -> None:
            self._asked, message = True, self._messages
            super().data_received(data)
            if self._in_headers and message == self._messages:  # none of it is of another request
                self._header_bytes += len(data)
                if self._header_bytes > _MOST_HEADER_BYTES:
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
            if self.cycle is None or self.cycle.response_complete:
                self._begin_to_wait()
            else:
                self._waited()

        def on_message_begin(self) -> None:  # httptools calls these two
            super().on_message_begin()
            self._messages += 1
            self._in_headers, self._header_bytes = True, 0

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self._in_headers = False

        def send_400_response(self, msg: str) -> None:
            self._refuse(HTTPStatus.BAD_REQUEST, msg)  # in the form that all refusals have

        def connection_lost(self, exc: Exception | None) -> None:
            self._waited()
            super().connection_lost(exc)

        def _begin_to_wait(self) -> None:
            """Await headers; what was awaited before is not given more time."""
            if self._waits is None and not self.transport.is_closing():
                self._waits = self.loop.call_later(self.header_seconds, self._too_slow)

        def _waited(self) -> None:
            if self._waits is not None:
                self._waits.cancel()
                self._waits = None

        def _too_slow(self) -> None:
            self._waits = None
            if not self._asked:  # a client may hold a connection ready, and would misread an answer
                self.transport.close()
                return
            what = f"the headers were not whole after {self.header_seconds:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, what)

        def _refuse(self, status: HTTPStatus, message: str) -> None:
            if self.transport.is_closing():
                return
            body = to_json({"error": {"path": "", "message": message}})
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\n"
                "Content-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            self.transport.close()

    return Bounded


def _close_where_nobody_reads(transport: asyncio.Transport) -> None:
    """Let the kernel drop a client that does not take its answer for half a minute."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, _UNREAD_MILLISECONDS)


BoundedProtocol = bounded(AutoHTTPProtocol)
