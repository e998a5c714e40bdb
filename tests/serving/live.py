"""Starts the real service from its source, and asks it over HTTP."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from shopguide.bundle import Calibrators, Contents, Profile, with_fusion, write_bundle
from shopguide.bundle.manifest import TrainPeriod
from shopguide.bundle.profile import InputProfile
from shopguide.fusion import Fusion
from shopguide.packaging.process import HOST, free_port
from shopguide.spec import check_text
from tests.bundle.conftest import PREPROCESSING, Notes, graph

ROOT = Path(__file__).resolve().parents[2]

SPEC = """
name: tiny
title: A tiny shop
data:
  source: events
  path: unused.csv
  columns: {user_id: u, item_id: i, kind: k, at: t}
  kinds: {view: view, click: click, buy: buy, purchase: purchase}
  currency: EUR
split:
  train: {start: 2024-01-01, end: 2024-02-01}
  valid: {start: 2024-02-01, end: 2024-03-01}
  test: {start: 2024-03-01, end: 2024-04-01}
tasks: {click: {kind: binary, event: click}, buy: {kind: binary, event: buy, after: click}}
objective: {goals: {ctr: {task: click, weight: 0.5}, cvr: {task: buy, weight: 0.5}}}
serving: {clock: log_end, max_candidates: 300, max_body_mb: 1}
"""


def at(day: int) -> datetime:
    return datetime(2024, 2, day, tzinfo=UTC)


def solved_bundle(folder: Path, spec: str = SPEC) -> Path:
    """Write a bundle whose click is σ(code of colour − 2 + (price − 10)/2), and buy half of it."""
    stamp = pa.timestamp("us", "UTC")
    golden = pa.table(
        {
            "colour": ["red"],
            "price": pa.array([12.0]),
            "last": pa.array([at(9)], stamp),
            "shown_at": pa.array([at(10)], stamp),
            "prediction_click": [0.5],
            "prediction_buy": [0.5],
        }
    )
    contents = Contents(
        spec=check_text(spec, where="tiny spec"),
        feature_service="tiny",
        graph=graph(),
        preprocessing=PREPROCESSING,
        calibrators=Calibrators(),
        profile=Profile(
            rows=4,
            train_period=TrainPeriod(start=at(1), end=at(2)),
            log_end=at(28),
            label_rates={"click": 0.5},
            inputs={
                "colour": InputProfile(kind="categorical", null_rate=0, default="red"),
                "price": InputProfile(kind="numeric", null_rate=0, default=10.0),
                "last": InputProfile(kind="recency", null_rate=0),
            },
        ),
        golden=golden,
        training=Notes(),
        versions={"torch": "0"},
    )
    write_bundle(folder / "unsolved", contents)
    fusion = Fusion("additive", {"click": 0.25, "buy": 0.75}, {"click": 0.5, "buy": 0.25})
    with_fusion(folder / "unsolved", folder / "bundle", fusion)
    return folder / "bundle"


@dataclass(frozen=True)
class Live:
    """A service that answers.

    Args:
        port: on the loopback address.
        home: its home.
        log: what it printed.
        process: leader of its process group.
    """

    port: int
    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Ask once; return the status and the content, JSON where it is that."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if raw is not None else {}
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        with contextlib.closing(connection):
            verb = method or ("GET" if raw is None else "POST")
            connection.request(verb, path, raw, sent | dict(headers or {}))
            response = connection.getresponse()
            content = response.read().decode()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def kill(self) -> None:
        """Kill every process of the service at once, as a power cut would."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.kill()
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def started(
    bundle: Path, home: Path, environment: Mapping[str, str] | None = None, host: str = HOST
) -> Iterator[Live]:
    """Serve a bundle, and stop the service at the end."""
    with tempfile.TemporaryDirectory(prefix="shopguide-test-") as folder:
        log = Path(folder) / "log"
        service = launch(bundle, home, log, environment, host)
        try:
            wait_until_ready(service)
            yield service
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGTERM)
            try:
                service.process.wait(20)
            except subprocess.TimeoutExpired:
                service.kill()


def launch(
    bundle: Path,
    home: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    host: str = HOST,
) -> Live:
    """Start the service; it may not be ready yet."""
    port = free_port()
    given = {k: v for k, v in os.environ.items() if not k.startswith("SHOPGUIDE_")}
    given |= {
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(log.parent),
        "BENTOML_DO_NOT_TRACK": "True",
        "SHOPGUIDE_BUNDLE": str(bundle),
        "SHOPGUIDE_HOME": str(home),
    }
    command = ["serve", "serving.service:Ranking", "--host", host, "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bentoml", *command],
            env=given | dict(environment or {}),
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    return Live(port, home, log, process)


def wait_until_ready(service: Live) -> None:
    """Wait for its readiness probe.

    Raises:
        AssertionError: it ended, or was not ready in two minutes; with its log.
    """
    end = time.monotonic() + 120
    while time.monotonic() < end and service.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if service.ask("/readyz")[0] == 200:
                return
        time.sleep(0.1)
    raise AssertionError(service.log.read_text())
