"""The real service, started from the Bento of a champion, asked over HTTP."""

import http.client
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shopguide.bundle import Bundle, load_bundle
from shopguide.features.store import online_table
from shopguide.packaging.build import Bento
from shopguide.packaging.process import HOST, RunningService, running
from shopguide.spec import load_spec
from tests.conftest import PlantedRun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.service,
    pytest.mark.xdist_group("planted"),
]


class Client:
    """Asks one service."""

    def __init__(self, port: int) -> None:
        self._port = port

    def post(self, path: str, body: object) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(HOST, self._port, timeout=30)
        connection.request("POST", path, raw, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read().decode()
        connection.close()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        content = response.read().decode()
        connection.close()
        return response.status, content


def _bento(run: PlantedRun) -> Bento:
    tag, path = (run.out / "bento.txt").read_text().split()
    return Bento(tag, Path(path), Path(path).parents[2])


@pytest.fixture(scope="module")
def service(planted_run: PlantedRun) -> Iterator[RunningService]:
    home = Path(load_spec(planted_run.spec).home)
    with running(_bento(planted_run), home=home, timeout=120) as started:
        yield started


@pytest.fixture(scope="module")
def client(service: RunningService) -> Client:
    return Client(service.port)


@pytest.fixture(scope="module")
def bundle(planted_run: PlantedRun) -> Bundle:
    return load_bundle(planted_run.out / "model")


def test_every_candidate_comes_back_once_best_first(client: Client, bundle: Bundle) -> None:
    items = [f"i{n}" for n in range(40)]
    status, answer = client.post("/rank", {"user_id": "u1", "items": items, "top_k": None})
    assert status == 200, answer
    assert sorted(item["item_id"] for item in answer["items"]) == sorted(items)
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["degraded"] is False
    assert answer["model_version"] == bundle.manifest.version
    for item in answer["items"]:
        assert set(item["predictions"]) == {"cart", "purchase", "order_value"}
        assert 0 <= item["predictions"]["purchase"] <= item["predictions"]["cart"] <= 1


def test_users_and_items_that_nobody_knows_are_ranked(client: Client) -> None:
    body = {"user_id": "nobody ☃", "items": ["i1", "没有", "i2"], "top_k": 2}
    status, answer = client.post("/rank", body)
    assert status == 200, answer
    assert len(answer["items"]) == 2
    assert answer["degraded"] is False


def test_the_ranking_is_personal(client: Client) -> None:
    orders = {
        tuple(
            item["item_id"]
            for item in client.post(
                "/rank", {"user_id": user, "items": [f"i{n}" for n in range(12)]}
            )[1]["items"]
        )
        for user in ("u1", "u2", "u3", "u4", "u5")
    }
    assert len(orders) > 1


def test_scores_are_the_bundles(
    client: Client, bundle: Bundle, planted_run: PlantedRun, tmp_path: Path
) -> None:
    del tmp_path
    (steps,) = planted_run.out.glob("steps/*/train-and-promote-*/materialize-features")
    table = pq.read_table(steps / "training_set" / "test.parquet").slice(0, 64)
    names = [entry.name for entry in bundle.manifest.inputs]
    rows = json.loads(json.dumps(table.select([*names, "shown_at"]).to_pylist(), default=_iso))
    status, answer = client.post("/predict", {"rows": rows})
    assert status == 200, answer
    expected = bundle.predict(table)
    for task, values in expected.items():
        found = [row[task] for row in answer["predictions"]]
        assert found == pytest.approx(values.tolist(), abs=1e-5)


def test_other_weights_give_another_order_without_a_new_model(client: Client) -> None:
    items = [f"i{n}" for n in range(30)]
    orders = []
    for weights in ({"cart": 1.0}, {"order_value": 1.0}):
        _, answer = client.post("/rank", {"user_id": "u7", "items": items, "weights": weights})
        (task,) = weights
        predicted = [item["predictions"][task] for item in answer["items"]]
        assert predicted == sorted(predicted, reverse=True)
        orders.append([item["item_id"] for item in answer["items"]])
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": ["i1"]}, "user_id"),
        ({"user_id": "u1"}, "items"),
        ({"user_id": "u1", "items": []}, "items"),
        ({"user_id": "", "items": ["i1"]}, "user_id"),
        ({"user_id": 5, "items": ["i1"]}, "user_id"),
        ({"user_id": "u1", "items": ["i1", "i1"]}, "i1"),
        ({"user_id": "u1", "items": ["i1"], "top_k": -1}, "top_k"),
        ({"user_id": "u1", "items": ["i1"], "colour": "red"}, "colour"),
        ({"user_id": "u1", "items": ["i1"], "context": {"x": 1}}, "context.x"),
        ({"user_id": "u1", "items": ["i1"], "at": "2024-01-01T00:00:00"}, "at"),
        ({"user_id": "u1", "items": ["i1"], "weights": {"cart": -1}}, "weights"),
        ({"user_id": "u1", "items": ["i1"], "weights": {"clicks": 1}}, "weights.clicks"),
        ({"user_id": "u1", "items": ["i1"], "features": {"i2": {}}}, "i2"),
        ({"user_id": "u1", "items": [f"x{n}" for n in range(1001)]}, "items"),
        (b'{"user_id": "u1", "items": ["i1"], "weights": {"cart": NaN}}', ""),
        (b"not json", ""),
    ],
)
def test_a_bad_body_is_a_4xx_that_names_the_field(client: Client, body: object, field: str) -> None:
    status, answer = client.post("/rank", body)
    assert 400 <= status < 500, answer
    assert field in json.dumps(answer)
    assert "Traceback" not in json.dumps(answer)


def test_bad_rows_are_a_4xx_that_names_the_field(client: Client) -> None:
    status, answer = client.post("/predict", {"rows": [{"item_id": "i1"}]})
    assert status == 400
    assert "rows[0]." in json.dumps(answer)


def test_it_is_probed_and_measured(client: Client) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert client.get(path)[0] == 200
    client.post("/rank", {"user_id": "u1", "items": ["i1"]})
    status, metrics = client.get("/metrics")
    assert status == 200
    assert 'shopguide_answers_total{api="rank",degraded="false"}' in metrics
    assert "shopguide_seconds_bucket" in metrics


def test_without_a_store_it_answers_degraded(planted_run: PlantedRun, tmp_path: Path) -> None:
    empty = tmp_path / "home"
    (empty / "feature_store").mkdir(parents=True)
    with running(_bento(planted_run), home=empty, timeout=120) as started:
        status, answer = Client(started.port).post("/rank", {"user_id": "u1", "items": ["i1"]})
        assert status == 200, answer
        assert answer["degraded"] is True
        assert [item["item_id"] for item in answer["items"]] == ["i1"]


def test_a_store_that_is_emptied_is_told_until_it_is_filled_again(
    planted_run: PlantedRun, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(load_spec(planted_run.spec).home, home)
    store = home / "feature_store" / "online.db"
    known = {"user_id": "u1", "items": [f"i{n}" for n in range(12)]}
    unknown = {"user_id": "nobody", "items": ["nothing"]}
    with running(_bento(planted_run), home=home, timeout=120) as started:
        client = Client(started.port)
        _, before = client.post("/rank", known)
        assert before["degraded"] is False
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.execute(
                f"DELETE FROM {online_table(load_spec(planted_run.spec), 'item')}"  # noqa: S608
            )
        assert _until(client, known, degraded=True)["items"]
        assert _until(client, unknown, degraded=True)["items"]
        command = ["materialize", "--spec", str(planted_run.spec), "--set", f"home={home}"]
        done = subprocess.run(
            [sys.executable, "-m", "shopguide", *command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "rebuilt: the store had lost" in done.stdout
        assert _until(client, known, degraded=False)["items"] == before["items"]
        assert _until(client, unknown, degraded=False)["items"]


def _until(client: Client, body: object, *, degraded: bool) -> dict[str, Any]:
    """Ask until the service has looked at its store again."""
    end = time.monotonic() + 30
    while True:
        status, answer = client.post("/rank", body)
        assert status == 200, answer
        if answer["degraded"] is degraded:
            return dict(answer)
        assert time.monotonic() < end, "the service did not look again"
        time.sleep(0.2)


_WITHOUT_TRAINING = """
import sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchjd", "mlflow", "great_expectations", "kfp"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
from serving.ranker import Ranker
from serving.reading import open_features
from serving.schemas import RankRequest
from shopguide.bundle import load_bundle
import shopguide

assert Path(shopguide.__file__).is_relative_to(Path.cwd()), "the Bento's own source"
bundle = load_bundle("bundle")
answer = Ranker(bundle, open_features(bundle, Path(sys.argv[1]))).rank(
    RankRequest(user_id="u1", items=["i1", "i2"])
)
assert not answer.degraded and len(answer.items) == 2
"""


def test_the_bentos_source_ranks_where_no_training_library_is(planted_run: PlantedRun) -> None:
    source = _bento(planted_run).path / "src"
    home = load_spec(planted_run.spec).home
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WITHOUT_TRAINING, home],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_bento_asks_for_no_training_library(planted_run: PlantedRun) -> None:
    packages = (_bento(planted_run).path / "env" / "python" / "requirements.txt").read_text()
    assert "onnxruntime==" in packages
    for library in ("torch", "mlflow", "great", "kfp", "duckdb"):
        assert library not in packages


def test_the_online_store_holds_what_was_materialised(planted_run: PlantedRun) -> None:
    spec = load_spec(planted_run.spec)
    store = Path(spec.home) / "feature_store" / "online.db"
    table = online_table(spec, "item")
    with sqlite3.connect(store) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    assert rows >= 60


def _iso(value: datetime) -> str:
    return value.isoformat()
