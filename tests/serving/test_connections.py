"""Connections that ask nothing, or ask slowly, do not stay; there is no end of them otherwise."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.connections import bounded, most_connections
from shopguide.packaging.process import HOST, free_port

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 0.4


async def _app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def _served(base: Any) -> Iterator[int]:  # noqa: ANN401 - uvicorn's class
    class Quick(bounded(base)):  # type: ignore[misc]
        header_seconds = SECONDS
        most = 3

    port = free_port()
    config = uvicorn.Config(
        _app, host=HOST, port=port, http=Quick, lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join(10)


@pytest.fixture(params=[AutoHTTPProtocol, H11Protocol], ids=["installed", "h11"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with _served(request.param) as number:
        yield number


def _opened(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=5)
    connection.settimeout(5)
    return connection


def _all(connection: socket.socket) -> bytes:
    found = b""
    while more := connection.recv(4096):
        found += more
    return found


def test_requests_are_answered_on_one_connection_and_pipelined(port: int) -> None:
    with _opened(port) as connection:
        for _ in range(3):
            connection.sendall(ASK)
            assert b"200 OK" in connection.recv(4096)
            time.sleep(SECONDS / 2)
        connection.sendall(ASK * 5)
        found = b""
        while found.count(b"ok") < 5:
            found += connection.recv(4096)
        assert found.count(b"200 OK") == 5
        with suppress(TimeoutError):
            threading.Thread(target=connection.sendall, args=(ASK * 5_000,), daemon=True).start()
            found = b""
            while found.count(b"ok") < 5_000:
                found += connection.recv(65_536)
        assert found.count(b"200 OK") == 5_000


def test_headers_that_drip_are_cut_off(port: int) -> None:
    with _opened(port) as connection:
        begun = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in range(2):
            time.sleep(SECONDS / 4)
            connection.sendall(b"X-Drip: 1\r\n")
        answer = _all(connection)
    assert time.monotonic() - begun < 4 * SECONDS
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":{"path":"","message":"the headers were not whole' in answer


def test_headers_that_drip_after_an_answer_are_cut_off_too(port: int) -> None:
    with _opened(port) as connection:
        connection.sendall(ASK)
        assert b"200 OK" in connection.recv(4096)
        connection.sendall(b"GET / HT")
        assert _all(connection).startswith(b"HTTP/1.1 408 ")


def test_headers_without_end_are_refused(port: int) -> None:
    with _opened(port) as connection, suppress(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in range(100):
            connection.sendall(b"X-More: " + b"x" * 4_000 + b"\r\n")
            time.sleep(0.001)
        pytest.fail("400 kB of headers were taken")


def test_what_is_no_http_is_refused_in_the_form_of_all_refusals(port: int) -> None:
    with _opened(port) as connection:
        connection.sendall(ASK + b"GARBAGE\r\n\r\n")
        answer = _all(connection)
    assert b"HTTP/1.1 400 " in answer
    assert b'{"error":{"path":"","message":"Invalid HTTP request received."}}' in answer


def test_a_connection_that_says_nothing_is_closed_without_a_word(port: int) -> None:
    with _opened(port) as connection:
        assert _all(connection) == b""


def test_a_body_may_take_longer_than_headers(port: int) -> None:
    with _opened(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        time.sleep(2 * SECONDS)
        connection.sendall(b"}")
        assert b"200 OK" in connection.recv(4096)


def test_more_connections_than_there_may_be_are_refused(port: int) -> None:
    connections = [_opened(port) for _ in range(3)]
    try:
        for connection in connections:
            connection.sendall(ASK)
            assert b"200 OK" in connection.recv(4096)
        with _opened(port) as one_more:
            assert _all(one_more).startswith(b"HTTP/1.1 503 ")
        connections.pop().close()
        time.sleep(0.1)
        connections.append(_opened(port))
        connections[-1].sendall(ASK)
        assert b"200 OK" in connections[-1].recv(4096)
    finally:
        for connection in connections:
            connection.close()


def test_a_worker_keeps_files_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((1024, 824), (100_000, 1000), (-1, 1000), (100, 1)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert most_connections() == most
