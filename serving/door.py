"""What stands before BentoML: who asks, how much, in what form. Its endpoints get checked bodies.

BentoML reads a body whole before it looks at it, answers mistakes in two shapes, and shows an index
page that loads a tracker; so requests pass here first, and those that are refused end here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from serving.auth import Keys
from serving.errors import FAILED, RefusedError, not_valid, note
from serving.json_body import read_json
from serving.limits import (
    ClientLeftError,
    RateLimiter,
    Receive,
    Room,
    drain,
    read_body,
    refuse_length,
)
from serving.query import body_of_query

_log = logging.getLogger("shopguide.serving")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = "shopguide.body"
"""Key of the scope under which an endpoint finds its checked body."""

_ANSWER_SECONDS = 30.0
_SMALL_BYTES = 64_000
_ROOM_BYTES = 64_000_000
_ROOM_BODIES = 8

PROBES = frozenset({"/livez", "/readyz", "/healthz"})
"""Paths of BentoML's that nobody needs a key for."""

_PASSED = PROBES | {"/schema.json"}


@dataclass(slots=True)
class Policy:
    """What the door lets through.

    Args:
        keys: who may ask.
        most_bytes: of a body.
        rate: limiter of clients; None: none.
        bodies: schema of the body, by path of the endpoint; POST.
        queries: paths that GET may ask too, with the body's fields as a query.
        pages: makers of the documents that the door itself hands out, by path; GET.
        open_pages: those of them for which no key is asked.
    """

    keys: Keys
    most_bytes: int
    rate: RateLimiter | None
    bodies: Mapping[str, type[BaseModel]]
    queries: frozenset[str] = frozenset()
    pages: Mapping[str, Callable[[], Response]] = field(default_factory=dict)
    open_pages: frozenset[str] = frozenset()
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        """Make room for some of the largest bodies at once."""
        self.room = Room(max(_ROOM_BYTES, _ROOM_BODIES * self.most_bytes))

    def methods(self, path: str) -> frozenset[str]:
        """Return the methods that a path has; none: there is no such path."""
        if path in self.bodies:
            return frozenset({"POST"} | ({"GET", "HEAD"} if path in self.queries else set()))
        known = path in self.pages or path in _PASSED
        return frozenset({"GET", "HEAD"}) if known else frozenset()


class Door:
    """ASGI middleware that holds every request against a policy.

    Args:
        app: BentoML's.
        policy: returns the policy; None while the service is starting.
    """

    def __init__(self, app: App, policy: Callable[[], Policy | None]) -> None:
        self._app, self._policy = app, policy
        self._one_large = asyncio.Semaphore(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # a websocket: there is none here
            await send({"type": "websocket.close", "code": 1003})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = _Started(send)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._enter(scope, receive, started.send)
            return
        except ClientLeftError:
            return
        except RefusedError as error:
            refused = error
        except TimeoutError:
            refused = RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "", f"no answer in {_ANSWER_SECONDS:g} s"
            )
        except Exception:  # noqa: BLE001 - a slip of ours is a 503 in the one shape, and a traceback
            _log.exception(
                "failed on %s %s", scope["method"], _known(scope["path"], self._policy())
            )
            refused = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "", FAILED)
        if not started.yes:
            await self._refuse(refused, scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        policy = self._policy()
        if policy is None:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "", "the service is starting")
        path, method = scope["path"], scope["method"]
        headers = dict(scope["headers"])
        if path not in PROBES and path not in policy.open_pages:
            policy.keys.admit(_own_address(scope))
            client = policy.keys.client(headers) or _address(scope)
            if policy.rate is not None:
                policy.rate.take(client)
        _require_method(policy, path, method)
        if path in policy.pages:
            await policy.pages[path]()(scope, receive, send)
        elif path in policy.bodies:
            schema = policy.bodies[path]
            if method == "POST":
                _require_json(headers)
                refuse_length(headers, policy.most_bytes)
                body = await self._posted(policy, schema, receive)
            else:
                body = _checked(schema, body_of_query(scope["query_string"], schema))
            scope = {**scope, "method": "POST", BODY: body}
            await self._app(scope, _nothing_more, _headless(send) if method == "HEAD" else send)
        else:
            await self._app(scope, receive, send)

    async def _posted(self, policy: Policy, schema: type[BaseModel], receive: Receive) -> BaseModel:
        """Read and check a body; a large one in a thread, so that others are answered meanwhile."""
        with policy.room.share() as take:
            raw = await read_body(receive, policy.most_bytes, take)
            if len(raw) <= _SMALL_BYTES:
                return _checked(schema, read_json(raw))
            async with self._one_large:  # what JSON becomes in memory is many times its size
                return await asyncio.to_thread(lambda: _checked(schema, read_json(raw)))

    async def _refuse(
        self, refused: RefusedError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        note(_known(scope["path"], self._policy()), refused)
        response = refused.response()
        body = b"" if scope["method"] == "HEAD" else bytes(response.body)
        start = {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
        await send(start)
        if refused.headers.get("Connection") == "close":
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await drain(receive)
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": False})


class _Started:
    """Knows whether an answer has begun: a second one must not begin then."""

    def __init__(self, send: Send) -> None:
        self._send, self.yes = send, False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.yes = True
        await self._send(message)


def _checked(schema: type[BaseModel], content: object) -> BaseModel:
    if not isinstance(content, dict):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "body", "expected an object")
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise not_valid(error) from None


def _require_method(policy: Policy, path: str, method: str) -> None:
    allowed = policy.methods(path)
    if not allowed:
        raise RefusedError(HTTPStatus.NOT_FOUND, "path", "there is nothing here")
    if method not in allowed:
        known = ", ".join(sorted(allowed))
        raise RefusedError(
            HTTPStatus.METHOD_NOT_ALLOWED, "method", f"expected {known}", headers={"Allow": known}
        )


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "header Content-Type",
            "expected application/json",
            headers={"Accept": "application/json", "Connection": "close"},
        )
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "header Content-Encoding",
            "a compressed body is not read; send it as it is",
            headers={"Accept-Encoding": "identity", "Connection": "close"},
        )


def _known(path: str, policy: Policy | None) -> str:
    """Return a path for logs and metrics: one that exists, so that clients cannot add others."""
    return path if policy is not None and policy.methods(path) else "other"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "local"


def _own_address(scope: Scope) -> str | None:
    server = scope.get("server")
    return str(server[0]) if server and server[1] is not None else None


async def _nothing_more() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _headless(send: Send) -> Send:
    async def without_body(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return without_body
