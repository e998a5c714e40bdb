"""The door: what reaches the service, and in which shape the rest is refused."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, MutableMapping
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from serving.auth import keys_of
from serving.door import BODY, Door, Policy, Send
from serving.errors import RefusedError
from serving.limits import RateLimiter, Receive, Room
from serving.schemas import ExplainRequest, RankRequest
from shopguide.spec.serving import ALLOW_OPEN as OPEN
from shopguide.spec.serving import API_KEY as KEY

SECRET = "s" * 24
GOOD = {"user_id": "u1", "items": ["i1", "i2"]}


async def _inner(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Stands where BentoML stands: says what it was handed."""
    if scope["path"] == "/predict":
        msg = "/srv/secret/model.onnx is broken"
        raise RuntimeError(msg)
    body = scope.get(BODY)
    said = json.dumps([scope["method"], body.model_dump(mode="json") if body else None])
    await PlainTextResponse(said)(scope, receive, send)


def policy(**changes: object) -> Policy:
    given: dict[str, Any] = {
        "keys": keys_of({}),
        "most_bytes": 10_000,
        "rate": None,
        "bodies": {"/rank": RankRequest, "/predict": RankRequest, "/explain": ExplainRequest},
        "queries": frozenset({"/explain"}),
        "pages": {"/": lambda: PlainTextResponse("page")},
        "open_pages": frozenset({"/"}),
    }
    return Policy(**(given | changes))


def ask(
    method: str,
    path: str,
    *,
    of: Policy | None = None,
    server: str = "127.0.0.1",
    **more: Any,  # noqa: ANN401 - of httpx
) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(Door(_inner, lambda: of or policy()))
        url = f"http://{server}:8000"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            return await client.request(method, path, **more)

    return asyncio.run(once())


def error(response: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer, which has this shape and no other."""
    content = response.json()
    assert set(content) == {"error"}
    assert set(content["error"]) <= {"path", "message", "also"}
    assert content["error"]["message"]
    return dict(content["error"])


def test_a_good_body_reaches_the_service_checked() -> None:
    response = ask("POST", "/rank", json=GOOD)
    assert response.status_code == 200
    method, body = response.json()
    assert method == "POST"
    assert body["items"] == ["i1", "i2"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"user_id": None}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "u\x00"}, "user_id"),
        ({"user_id": "u" * 201}, "user_id"),
        ({"items": []}, "items"),
        ({"items": "i1"}, "items"),
        ({"items": ["i1", 7]}, "items[1]"),
        ({"items": ["i1", "i2", "i1"]}, "items[2]"),
        ({"items": [f"i{n}" for n in range(10_001)]}, "items"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"colour": "red"}, "colour"),
        ({"context": {"place_id": {"deep": 1}}}, "context.place_id"),
        ({"context": {"place_id": True}}, "context.place_id"),
        ({"context": []}, "context"),
        ({"features": {"i1": {"price": [1]}}}, "features.i1.price"),
        ({"features": {"i9": {}}}, "features.i9"),
        ({"features": {"i1": {"item_id": "i2"}}}, "features.i1.item_id"),
        ({"features": {"i1": {"user_id": None}}}, "features.i1.user_id"),
        ({"weights": {"click": -1}}, "weights.click"),
        ({"weights": {"click": "1"}}, "weights.click"),
        ({"at": "2024-01-01T00:00:00"}, "at"),
        ({"at": "soon"}, "at"),
        ({"at": 1_577_836_800}, "at"),
        ({"at": "1577836800"}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "at"),
        ({"request_id": ""}, "request_id"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], path: str) -> None:
    response = ask("POST", "/rank", json=GOOD | change, of=policy(most_bytes=10**7))
    assert response.status_code == 400
    assert error(response)["path"] == path


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_beyond_all_floats_is_refused(number: str) -> None:
    body = f'{{"user_id": "u", "items": ["i"], "context": {{"x": {number}}}}}'
    response = ask("POST", "/rank", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert error(response)["path"] == "context.x"


def test_half_a_character_is_refused() -> None:
    body = '{"user_id": "\\ud800", "items": ["i"]}'
    response = ask("POST", "/rank", content=body, headers={"Content-Type": "application/json"})
    assert error(response)["path"] == "user_id"


def test_all_problems_are_told_at_once() -> None:
    told = error(ask("POST", "/rank", json={"items": [1], "top_k": 0, "x": 1}))
    assert {told["path"], *(one["path"] for one in told["also"])} == {
        "user_id",
        "items[0]",
        "top_k",
        "x",
    }


def test_what_is_sent_is_not_sent_back_at_length() -> None:
    response = ask("POST", "/rank", json=GOOD | {"\u202e" + "x" * 5_000: 1})
    told = error(response)
    assert len(told["path"]) <= 200
    assert "\u202e" not in told["path"]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"5"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    response = ask("POST", "/rank", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert error(response)["path"] == "body"


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Content-Type": "text/plain"}, "header Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "header Content-Type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "header Content-Type"),
        ({"Content-Type": "application/vnd.bentoml+pickle"}, "header Content-Type"),
        (
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            "header Content-Encoding",
        ),
    ],
)
def test_another_form_than_json_is_a_415(headers: dict[str, str], path: str) -> None:
    response = ask("POST", "/rank", content=b"\x1f\x8b", headers=headers)
    assert response.status_code == 415
    assert error(response)["path"] == path


def test_charset_is_no_other_form() -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert ask("POST", "/rank", content=json.dumps(GOOD), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/rank", 405),
        ("PUT", "/rank", 405),
        ("DELETE", "/explain", 405),
        ("POST", "/", 405),
        ("TRACE", "/livez", 405),
        ("GET", "/static_content/index.css", 404),
        ("GET", "/etc/passwd", 404),
        ("POST", "/rank/", 404),
    ],
)
def test_what_is_not_there_is_told(method: str, path: str, status: int) -> None:
    response = ask(method, path)
    assert response.status_code == status
    error(response)
    assert ("allow" in response.headers) == (status == 405)


def test_explain_is_asked_by_a_query_too() -> None:
    query = "user_id=u%201&item=i1&item=i2&context.place_id=4&weights.click=0.5&top_features=3"
    method, body = ask("GET", f"/explain?{query}").json()
    assert method == "POST"
    assert (body["user_id"], body["items"]) == ("u 1", ["i1", "i2"])
    assert (body["context"], body["weights"]) == ({"place_id": "4"}, {"click": 0.5})
    assert body["top_features"] == 3


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "user_id"),
        ("user_id=u", "items"),
        ("user_id=u&user_id=v&item=i", "user_id"),
        ("user_id=u&item=i&colour=red", "colour"),
        ("user_id=u&item=i&top_features=many", "top_features"),
        ("user_id=u&item=i&weights.click=nan", "weights.click"),
        ("user_id=%ff&item=i", "query"),
        ("user_id", "query"),
        ("user_id=u&" + "&".join(f"item=i{n}" for n in range(300)), "query"),
    ],
)
def test_a_bad_query_is_named(query: str, path: str) -> None:
    response = ask("GET", f"/explain?{query}")
    assert response.status_code == 400
    assert error(response)["path"] == path


def test_a_key_is_asked_for_everything_but_probes_and_the_page() -> None:
    locked = policy(keys=keys_of({KEY: SECRET}))
    for path in ("/livez", "/readyz", "/healthz", "/"):
        assert ask("GET", path, of=locked).status_code == 200
    for method, path in (("POST", "/rank"), ("GET", "/explain"), ("GET", "/schema.json")):
        response = ask(method, path, of=locked)
        assert response.status_code == 401
        assert error(response)["path"] == "header Authorization"
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert ask("POST", "/rank", json=GOOD, of=locked, headers=headers).status_code == 200


def test_nobody_learns_without_a_key_what_is_there() -> None:
    locked = policy(keys=keys_of({KEY: SECRET}))
    assert ask("GET", "/nothing", of=locked).status_code == 401


def test_a_request_from_outside_is_refused_where_there_is_no_key() -> None:
    assert ask("POST", "/rank", json=GOOD, server="10.0.0.5").status_code == 503
    open_ = policy(keys=keys_of({OPEN: "1"}))
    assert ask("POST", "/rank", json=GOOD, server="10.0.0.5", of=open_).status_code == 200


def test_a_client_that_asks_too_often_waits() -> None:
    now = [0.0]
    limited = policy(rate=RateLimiter(0.5, 2, clock=lambda: now[0]))
    assert [ask("POST", "/rank", json=GOOD, of=limited).status_code for _ in range(3)] == [
        200, 200, 429,
    ]  # fmt: skip
    response = ask("POST", "/rank", json=GOOD, of=limited)
    assert int(response.headers["retry-after"]) >= 2
    error(response)
    assert ask("GET", "/livez", of=limited).status_code == 200, "a probe is no client"
    now[0] = 2.0
    assert ask("POST", "/rank", json=GOOD, of=limited).status_code == 200
    assert ask("POST", "/rank", json=GOOD, of=limited).status_code == 429


def test_clients_wait_for_themselves_alone_and_are_forgotten() -> None:
    limiter = RateLimiter(1, 1, clock=lambda: 0.0)
    for number in range(10_002):
        limiter.take(f"10.0.{number}")
    limiter.take("10.0.0")  # forgotten, and so let in again
    with pytest.raises(RefusedError):
        limiter.take("10.0.10001")


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    read: list[int] = []

    async def large() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b" " * 1000

    headers = {"Content-Type": "application/json", "Content-Length": "100000"}
    response = ask("POST", "/rank", content=large(), headers=headers)
    assert response.status_code == 413
    assert error(response)["path"] == "body"
    assert response.headers["connection"] == "close"


def test_a_body_that_grows_too_large_is_refused() -> None:
    async def large() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    assert ask("POST", "/rank", content=large(), headers=headers).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1.5", "many", "9" * 40])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": length}
    response = ask("POST", "/rank", content=b"{}", headers=headers)
    assert response.status_code in (400, 413)


def test_a_failure_of_ours_is_a_503_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    response = ask("POST", "/predict", json=GOOD)
    assert response.status_code == 503
    assert "secret" not in response.text
    assert "is broken" in caplog.text, "the log has it"


def test_a_service_that_starts_says_so() -> None:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(Door(_inner, lambda: None))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/readyz")

    response = asyncio.run(once())
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "starting" in error(response)["message"]


def test_what_is_logged_names_no_user_and_no_item(caplog: pytest.LogCaptureFixture) -> None:
    ask("POST", "/rank", json={"user_id": "alice", "items": ["bread"], "features": {"beer": {}}})
    ask("POST", "/rank", json={"user_id": "alice", "items": ["bread"], "context": {"alice": {}}})
    ask("POST", "/rank", json=GOOD | {"alice": 1})
    ask("GET", "/explain?alice=1")
    ask("GET", "/users/alice")
    assert len(caplog.records) == 5
    for name in ("alice", "bread", "beer"):
        assert name not in caplog.text
    assert "refused /rank with 400 at features" in caplog.text


def test_others_are_answered_while_a_large_body_is_checked() -> None:
    body = json.dumps(GOOD | {"features": {"i1": {str(n): ["a"] * 900 for n in range(450)}}})
    slowest = 0.0

    async def all_at_once() -> httpx.Response:
        transport = httpx.ASGITransport(Door(_inner, lambda: large))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            headers = {"Content-Type": "application/json"}
            task = asyncio.create_task(client.post("/rank", content=body, headers=headers))
            nonlocal slowest
            while not task.done():
                begun = time.perf_counter()
                await asyncio.sleep(0.001)
                assert (await client.get("/livez")).status_code == 200
                slowest = max(slowest, time.perf_counter() - begun)
            return await task

    large = policy(most_bytes=10**7)
    assert asyncio.run(all_at_once()).status_code == 200
    assert slowest < 1


def test_bodies_of_all_clients_share_their_room() -> None:
    room = Room(100)
    with room.share() as one, room.share() as other:
        one(60)
        with pytest.raises(RefusedError) as caught:
            other(60)
        assert caught.value.status == 503
        assert caught.value.headers["Retry-After"] == "1"
        other(40)
    with room.share() as again:
        again(100)


def test_there_is_no_websocket() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    asyncio.run(Door(_inner, policy)({"type": "websocket", "path": "/rank"}, receive, send))
    assert sent[0]["type"] == "websocket.close"
