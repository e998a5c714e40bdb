"""The real service over HTTP, started from its source with a bundle that is computed by hand."""

import contextlib
import gzip
import http.client
import json
import math
import re
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from serving.feedback import FeedbackStore, Options
from shopguide.logs import prepare_logs
from shopguide.packaging.process import HOST
from shopguide.spec import check_text
from shopguide.spec.serving import API_KEY
from tests.serving.live import SPEC, Live, launch, solved_bundle, started, wait_until_ready

pytestmark = [pytest.mark.slow, pytest.mark.service]

RANK = {
    "user_id": "u1",
    "items": ["a", "b", "c"],
    "features": {"a": {"price": 14.0, "colour": "blue"}, "b": {"price": 6, "colour": None}},
}


def event(name: str, **changes: object) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    row = {"event_id": name, "user_id": "u1", "item_id": "a", "kind": "click", "at": at}
    return row | changes


def test_a_list_is_ranked_by_hand_computed_scores(live: Live) -> None:
    status, answer = live.ask("/rank", RANK)
    assert status == 200, answer
    assert [item["item_id"] for item in answer["items"]] == ["a", "c", "b"]
    click = 1 / (1 + math.exp(-(3 - 2 + 2)))
    assert answer["items"][0]["predictions"] == pytest.approx({"click": click, "buy": click / 2})
    assert answer["items"][0]["score"] == pytest.approx(2 * click)
    assert answer["goals"] == {"ctr": "click", "cvr": "buy"}


def test_a_request_has_the_id_that_it_was_given_or_one_of_its_own(live: Live) -> None:
    given = live.ask("/rank", RANK | {"request_id": "mine ☃"})[1]
    assert given["request_id"] == "mine ☃"
    made = {live.ask("/rank", RANK)[1]["request_id"] for _ in range(3)}
    assert len(made) == 3


def test_why_is_answered_to_get_and_post_alike(live: Live) -> None:
    body = {"user_id": "u1", "items": ["a", "b"]}
    by_post = live.ask("/explain", body)
    assert by_post[0] == 200
    assert live.ask("/explain?user_id=u1&item=a&item=b") == by_post
    assert by_post[1]["method"].startswith("occlusion")


def test_predictions_of_rows_are_the_bundles(live: Live) -> None:
    row = {"colour": "blue", "price": 10, "last": None, "shown_at": "2024-02-10T00:00:00+00:00"}
    status, answer = live.ask("/predict", {"rows": [row, row | {"price": None}]})
    assert status == 200, answer
    assert answer["predictions"][0]["click"] == pytest.approx(1 / (1 + math.exp(-1)))


BAD: list[tuple[str, object, int, str]] = [
    ("/rank", b"not json", 400, "body"),
    ("/rank", b"", 400, "body"),
    ("/rank", b'{"user_id": "u", "user_id": "v", "items": ["a"]}', 400, "body"),
    ("/rank", b'{"user_id": "u", "items": ["a"], "weights": {"click": NaN}}', 400, "body"),
    ("/rank", b'{"user_id": ' + b"[" * 50_000, 400, "body"),
    ("/rank", RANK | {"top_k": -1}, 400, "top_k"),
    ("/rank", RANK | {"items": ["a", "b", "a"]}, 400, "items"),
    ("/rank", RANK | {"items": [f"i{n}" for n in range(10_000)], "features": {}}, 400, "items"),
    ("/rank", RANK | {"items": [f"i{n}" for n in range(301)], "features": {}}, 400, "items"),
    ("/rank", RANK | {"colour": "red"}, 400, "colour"),
    ("/rank", RANK | {"context": {"weather": "rain"}}, 400, "context.weather"),
    ("/rank", RANK | {"features": {"a": {"smell": 1}}}, 400, "features.a.smell"),
    ("/rank", RANK | {"features": {"a": {"price": "dear"}}}, 400, "features.a.price"),
    ("/rank", RANK | {"features": {"a": {"last": "then"}}}, 400, "features.a.last"),
    (
        "/rank",
        RANK
        | {
            "context": {"last": "0001-01-01T00:00:00+14:00"},
            "features": {"a": {"last": "2024-01-01T00:00:00Z"}},
        },
        400,
        "context.last",
    ),
    (
        "/explain",
        {"user_id": "u", "items": ["a"], "context": {"last": "9999-12-31T23:59:59-14:00"}},
        400,
        "context.last",
    ),
    ("/rank", RANK | {"weights": {"clicks": 1}}, 400, "weights.clicks"),
    ("/rank", RANK | {"weights": {"click": 0}}, 400, "weights"),
    ("/rank", RANK | {"user_id": ["u"]}, 400, "user_id"),
    ("/predict", {"rows": [{"colour": "red"}]}, 400, "rows[0]."),
    ("/predict", {"rows": []}, 400, "rows"),
    ("/explain", {"user_id": "u", "items": [f"i{n}" for n in range(21)]}, 400, "items"),
    ("/feedback", {"events": [event("e", kind="clicks")]}, 400, "events[0].kind"),
    ("/feedback", {"events": [event("e", at="2099-01-01T00:00:00Z")]}, 400, "events[0].at"),
    ("/feedback", {"events": [event("e", stars=5)]}, 400, "events[0].stars"),
    ("/feedback", {"impressions": [event("e")]}, 400, "impressions[0]."),
    ("/feedback", {}, 400, "events"),
]


@pytest.mark.parametrize(("path", "body", "status", "field"), BAD)
def test_a_bad_body_is_a_4xx_that_names_the_field(
    live: Live, path: str, body: object, status: int, field: str
) -> None:
    found, answer = live.ask(path, body)
    assert found == status, answer
    assert set(answer) == {"error"}
    assert answer["error"]["path"].startswith(field), answer
    assert "/" not in answer["error"]["message"].replace("application/json", "")


def test_strange_names_are_ranked_and_come_back_as_they_were(live: Live) -> None:
    items = ["没有", "a b", "💥", "<script>", "'; DROP TABLE items; --", "é", "e\u0301", "x" * 200]
    status, answer = live.ask("/rank", {"user_id": "☃\u202e", "items": items})
    assert status == 200, answer
    assert sorted(item["item_id"] for item in answer["items"]) == sorted(items)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
def test_another_form_than_json_is_refused(
    live: Live, headers: dict[str, str], status: int
) -> None:
    found, answer = live.ask("/rank", gzip.compress(json.dumps(RANK).encode()), headers=headers)
    assert found == status
    assert answer["error"]["path"].startswith("header Content-")


def test_100_mb_are_refused_at_once_and_never_held(live: Live) -> None:
    worker = max(psutil.Process(live.process.pid).children(recursive=True), key=_memory)
    before, started_ = _memory(worker), time.monotonic()
    answers = [live.ask("/rank", b"1" * 100_000_000), _chunked(live, 100)]
    for status, answer in answers:
        assert status == 413
        assert answer["error"]["path"] == "body"
    assert time.monotonic() - started_ < 10
    assert _memory(worker) - before < 30e6
    assert live.ask("/rank", RANK)[0] == 200


def _memory(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _chunked(live: Live, megabytes: int) -> tuple[int, Any]:
    """Send a body that does not say how long it is."""
    connection = http.client.HTTPConnection(HOST, live.port, timeout=60)
    with contextlib.closing(connection):
        chunks = (b"1" * 1_000_000 for _ in range(megabytes))
        connection.request(
            "POST", "/rank", chunks, {"Content-Type": "application/json"}, encode_chunked=True
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def test_a_client_that_sends_no_end_does_not_stop_the_others(live: Live) -> None:
    with socket.create_connection((HOST, live.port)) as slow:
        slow.sendall(
            b"POST /rank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        for _ in range(5):
            assert live.ask("/rank", RANK)[0] == 200


def test_bentos_own_pages_are_gone(live: Live) -> None:
    status, page = live.ask("/")
    assert status == 200
    assert "googletagmanager" not in page
    assert not re.search(r"https?://", page)
    assert live.ask("/static_content/index.css")[0] == 404


def test_the_document_describes_every_endpoint_with_an_example(live: Live) -> None:
    status, document = live.ask("/openapi.json")
    assert status == 200
    assert live.ask("/docs.json") == (200, document)
    for path in ("/rank", "/predict", "/explain", "/feedback"):
        operation = document["paths"][path]["post"]
        assert operation["requestBody"]["content"]["application/json"]["example"]
        assert {"200", "400", "401", "413", "415", "429", "503"} <= set(operation["responses"])
    for path, change in (("/rank", {"context": {}}), ("/predict", {})):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        body = content["application/json"]["example"] | change
        assert live.ask(path, body)[0] == 200


def test_stages_refusals_and_predictions_are_measured(live: Live) -> None:
    live.ask("/rank", RANK)
    live.ask("/nothing-" + "x" * 50)
    status, metrics = live.ask("/metrics")
    assert status == 200
    for words in (
        'shopguide_answers_total{api="rank",degraded="false"}',
        'shopguide_stage_seconds_count{stage="model"}',
        'shopguide_predicted_count{task="click"}',
        'shopguide_refused_total{api="other",status="404"}',
    ):
        assert words in metrics, metrics
    assert "nothing-" not in metrics, "no client can add a series"


def test_it_is_probed(live: Live) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert live.ask(path)[0] == 200


def test_no_user_is_in_the_log(live: Live) -> None:
    live.ask("/rank", RANK | {"user_id": "alice@example.com"})
    live.ask("/rank", RANK | {"user_id": "alice@example.com", "top_k": 0})
    live.ask("/feedback", {"events": [event("e-alice", user_id="alice@example.com", kind="x")]})
    assert "refused /rank with 400 at top_k" in live.log.read_text()
    assert "alice" not in live.log.read_text()


MAPPING = """
data:
  source: events
  path: {home}/feedback/**/*.jsonl
  columns:
    event_id: event_id
    request_id: request_id
    user_id: user_id
    item_id: item_id
    kind: kind
    at: at
    value: value
    position: position
    propensity: propensity
  kinds: {{impression: view, click: click, buy: buy, purchase: purchase}}
  currency: EUR
  exposure: {{rule: logged, event: view}}
attribution: {{match: request}}
"""


def test_acknowledged_feedback_outlives_a_kill_and_is_prepared(tiny: Path, tmp_path: Path) -> None:
    home, now = tmp_path / "home", datetime.now(UTC).isoformat()
    sent, acknowledged = [], 0
    service = launch(tiny, home, tmp_path / "log1")
    try:
        wait_until_ready(service)
        for number in range(40):
            answer = service.ask("/rank", RANK | {"user_id": f"u{number}"})[1]
            batch = {
                "impressions": [
                    {
                        "event_id": f"{answer['request_id']}-{place}",
                        "request_id": answer["request_id"],
                        "user_id": f"u{number}",
                        "item_id": item["item_id"],
                        "at": now,
                        "position": place,
                        "propensity": 1.0,
                    }
                    for place, item in enumerate(answer["items"], 1)
                ],
                "events": [
                    event(f"c{number}", request_id=answer["request_id"], user_id=f"u{number}"),
                    event(
                        f"p{number}", request_id=answer["request_id"], user_id=f"u{number}",
                        kind="purchase", value=2.5, currency="EUR",
                    ),
                ],
            }  # fmt: skip
            sent.append(batch)
            if number < 30:
                status, stored = service.ask("/feedback", batch)
                assert status == 200
                assert stored == {"stored": 5, "duplicates": 0, "unknown_requests": 0}
                acknowledged += 1
    finally:
        service.kill()
    assert acknowledged == 30
    with started(tiny, home) as again:
        answers = [again.ask("/feedback", batch)[1] for batch in sent]
        forged = {"events": [event("forged", request_id="never-answered", item_id="zzz")]}
        assert again.ask("/feedback", forged)[1]["unknown_requests"] == 1
    assert [answer["duplicates"] for answer in answers] == [5] * 30 + [0] * 10
    assert [answer["unknown_requests"] for answer in answers] == [0] * 30 + [5] * 10
    FeedbackStore(home / "feedback", Options()).close()

    text = SPEC[: SPEC.index("data:")] + MAPPING.format(home=home) + SPEC[SPEC.index("split:") :]
    summary = prepare_logs(check_text(text, where="spec"), tmp_path / "log")
    assert summary.rows == {"impressions": 120, "events": 201, "users": 40, "items": 4}
    assert summary.dropped == {}
    assert any("1 event names a request that did not show" in note for note in summary.notes)
    impressions = pq.read_table(tmp_path / "log" / "impressions.parquet").to_pylist()
    assert {row["position"] for row in impressions} == {1, 2, 3}
    assert {row["propensity"] for row in impressions} == {1.0}
    events = pq.read_table(tmp_path / "log" / "events.parquet").to_pylist()
    names = [row["event_id"] for row in events]
    assert sorted(names) == sorted({*names})
    shown = {(row["request_id"], row["item_id"]) for row in impressions}
    assert all((r["request_id"], r["item_id"]) in shown for r in events if r["item_id"] != "zzz")
    assert [row["request_id"] for row in events if row["item_id"] == "zzz"] == [None]


def test_lists_are_logged_as_shown_where_the_spec_says_so(tmp_path: Path) -> None:
    more = "max_body_mb: 1, log_impressions: true, log_requests: true}"
    spec = SPEC.replace("max_body_mb: 1}", more)
    bundle, home = solved_bundle(tmp_path, spec), tmp_path / "home"
    with started(bundle, home) as service:
        answer = service.ask("/rank", RANK | {"top_k": 2, "user_id": "alice"})[1]
        end = time.monotonic() + 20
        while not (rows := _rows(home)) and time.monotonic() < end:
            time.sleep(0.05)
        log = service.log.read_text()
    assert [row["item_id"] for row in rows] == [item["item_id"] for item in answer["items"]]
    assert {row["request_id"] for row in rows} == {answer["request_id"]}
    assert answer["request_id"] in log
    assert "alice" not in log


def _rows(home: Path) -> list[dict[str, Any]]:
    files = (home / "feedback" / "impressions").rglob("*.jsonl*")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_outside_loopback_nothing_starts_without_a_key(tiny: Path, tmp_path: Path) -> None:
    service = launch(tiny, tmp_path / "home", tmp_path / "log", host="0.0.0.0")  # noqa: S104
    try:
        service.process.wait(60)
    finally:
        service.kill()
    assert service.process.returncode == 2
    assert "everybody could ask it" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("key", ["short", "blank within a key that is long"])
def test_a_key_that_is_none_is_exit_code_2(tiny: Path, tmp_path: Path, key: str) -> None:
    service = launch(tiny, tmp_path / "home", tmp_path / "log", {API_KEY: key})
    try:
        assert service.process.wait(60) == 2
    finally:
        service.kill()
    log = (tmp_path / "log").read_text()
    assert "SHOPGUIDE_API_KEY: a key has fewer than 16 characters" in log
    assert key not in log


def test_a_worker_ends_when_bentos_first_process_is_killed(tiny: Path, tmp_path: Path) -> None:
    service = launch(tiny, tmp_path / "home", tmp_path / "log")
    workers: list[psutil.Process] = []
    try:
        wait_until_ready(service)
        workers = psutil.Process(service.process.pid).children(recursive=True)
        assert service.ask("/feedback", {"events": [event("before")]})[0] == 200
        service.process.kill()
        service.process.wait()
        _, alive = psutil.wait_procs(workers, timeout=20)
    finally:
        for one in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    assert alive == []
    closed = list((tmp_path / "home" / "feedback" / "events").rglob("*.jsonl"))
    assert len(closed) == 1, "what it had is closed, for prepare to read"
    with started(tiny, tmp_path / "home") as again:
        assert again.ask("/feedback", {"events": [event("before")]})[1]["duplicates"] == 1


def test_4_mb_of_wrong_lists_hold_nobody_up(tmp_path: Path) -> None:
    bundle = solved_bundle(tmp_path, SPEC.replace("max_body_mb: 1", "max_body_mb: 4"))
    lists = ",".join(f'"{n:x}":[' + ",".join(["123"] * 1001) + "]" for n in range(990))
    body = f'{{"user_id":"1","items":["a"],"features":{{"a":{{{lists}}}}}}}'.encode()
    with started(bundle, tmp_path / "home") as service:
        worker = max(psutil.Process(service.process.pid).children(recursive=True), key=_memory)
        before, slowest, stop = _memory(worker), [0.0], threading.Event()

        def probe() -> None:
            while not stop.wait(0.02):
                begun = time.monotonic()
                assert service.ask("/livez")[0] == 200
                slowest.append(time.monotonic() - begun)

        prober = threading.Thread(target=probe)
        prober.start()
        try:
            status, answer = service.ask("/rank", body)
        finally:
            stop.set()
            prober.join()
        assert (status, answer["error"]["path"]) == (400, "features.a.0")
        assert max(slowest) < 1  # a tenth of it where nothing else runs
        assert _memory(worker) - before < 150e6


def test_outside_loopback_a_key_is_asked(tiny: Path, tmp_path: Path) -> None:
    secret = "correct-horse-battery"  # noqa: S105
    environment = {API_KEY: secret}
    with started(tiny, tmp_path / "home", environment, host="0.0.0.0") as service:  # noqa: S104
        for path, body in (("/rank", RANK), ("/metrics", None), ("/openapi.json", None)):
            status, answer = service.ask(path, body)
            assert status == 401
            assert answer["error"]["path"] == "header Authorization"
            assert service.ask(path, body, headers={"X-API-Key": secret[:-1]})[0] == 401
            assert service.ask(path, body, headers={"Authorization": f"Bearer {secret}"})[0] == 200
        assert service.ask("/livez")[0] == 200
        log = service.log.read_text()
    assert secret not in log


def test_a_broken_bundle_is_a_line_of_the_log(tiny: Path, tmp_path: Path) -> None:
    broken = tmp_path / "bundle"
    broken.mkdir()
    for file in tiny.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.onnx").write_bytes(b"no graph")
    service = launch(broken, tmp_path / "home", tmp_path / "log")
    try:
        service.process.wait(60)
    finally:
        service.kill()
    assert service.process.returncode == 2
    log = (tmp_path / "log").read_text()
    assert "model.onnx: was changed since the bundle was written" in log
    assert "Traceback" not in log
