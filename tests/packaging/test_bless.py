"""A Bento whose answers are wrong, or that does not start, is not blessed."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.packaging import package_bento
from shopguide.packaging.bless import replay
from shopguide.packaging.process import RunningService
from shopguide.registry import NotPromotedError, promote_model
from shopguide.spec import Spec, load_spec
from tests.conftest import PlantedRun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.service,
    pytest.mark.xdist_group("planted"),
]


@pytest.fixture
def training_set(planted_run: PlantedRun) -> Path:
    (step,) = planted_run.out.glob("steps/*/train-and-promote-*/materialize-features")
    return step / "training_set"


@pytest.fixture
def spec(planted_run: PlantedRun) -> Spec:
    return load_spec(planted_run.spec)


@pytest.fixture
def liar() -> Iterator[RunningService]:
    """A service that answers in the right form, half of the candidates, and wrong numbers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            tasks = {"cart": 0.5, "purchase": 0.1, "order_value": 1.0}
            answer: dict[str, Any]
            if self.path == "/predict":
                answer = {"predictions": [tasks for _ in body["rows"]]}
            else:
                items = body["items"][: len(body["items"]) // 2]
                answer = {
                    "items": [
                        {"item_id": item, "score": float(n), "predictions": tasks}
                        for n, item in enumerate(items)
                    ],
                    "model_version": "another",
                    "degraded": True,
                }
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's signature
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    yield RunningService(server.server_port, 0.0, process)
    process.wait()
    server.shutdown()
    server.server_close()


def test_wrong_answers_are_told_apart(
    planted_run: PlantedRun, spec: Spec, training_set: Path, liar: RunningService
) -> None:
    bundle = load_bundle(planted_run.out / "model")
    found = replay(liar, bundle, training_set, spec)
    said = "; ".join(found.reasons)
    assert "does not hold each candidate once" in said
    assert "not in the order of its scores" in said
    assert "serves version another" in said
    assert "differ from the bundle's" in said
    assert "did without the feature store" in said
    assert found.requests == spec.serving.blessing_requests


def test_a_good_bento_is_blessed_and_building_again_finds_it(
    planted_run: PlantedRun, spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    blessing = package_bento(spec, planted_run.out / "model", training_set, tmp_path / "bento")
    assert blessing.blessed, blessing.reasons
    assert blessing.tag == planted_run.printed["bento"]
    assert blessing.findings is not None
    assert blessing.findings.largest_difference <= 1e-5
    written = json.loads((tmp_path / "bento" / "blessing.json").read_text())
    assert written["blessed"] is True


def test_a_service_that_does_not_start_is_an_answer(
    planted_run: PlantedRun, spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    hasty = spec.model_copy(
        update={"serving": spec.serving.model_copy(update={"startup_seconds": 0.05})}
    )
    blessing = package_bento(hasty, planted_run.out / "model", training_set, tmp_path / "bento")
    assert not blessing.blessed
    assert "not ready in time" in blessing.reasons[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_service_that_is_slow_or_fat_is_not_blessed(
    planted_run: PlantedRun, spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    limits = {"max_p99_ms": 0.01, "max_memory_mb": 10.0}
    strict = spec.model_copy(update={"serving": spec.serving.model_copy(update=limits)})
    blessing = package_bento(strict, planted_run.out / "model", training_set, tmp_path / "bento")
    assert not blessing.blessed
    said = "; ".join(blessing.reasons)
    assert "its slowest answers take" in said
    assert "MB of memory, over 10" in said
    decision = planted_run.out / "decision.json"
    with pytest.raises(NotPromotedError, match="the Bento was not blessed: its slowest"):
        promote_model(spec, planted_run.out / "model", decision, tmp_path / "bento")


def test_a_bundle_without_fusion_weights_is_refused(
    planted_run: PlantedRun, spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    (trained,) = planted_run.out.glob("steps/*/train-and-promote-*/choose-candidate/model")
    with pytest.raises(ShopguideError, match="has no fusion weights"):
        package_bento(spec, trained, training_set, tmp_path / "bento")
    assert not (tmp_path / "bento").exists()
