"""Under load the store dies and the champion changes; no request fails. Longer with `make soak`."""

import http.client
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.bundle.pointer import Pointer, bundle_folder, write_pointer
from shopguide.features.store import online_file
from shopguide.packaging.process import HOST, free_port
from shopguide.spec import Spec
from tests.servers import RedisServer
from tests.serving.load import Load
from tests.tiny import VARIABLE, fill_tiny_store, tiny_bundle, tiny_spec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.service,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
SWAPS = int(os.environ.get("SHOPGUIDE_CHAOS_SWAPS", "6"))
KILLS = int(os.environ.get("SHOPGUIDE_CHAOS_KILLS", "1"))


@contextmanager
def serving(bundle: Path, spec: Spec, **environment: str) -> Iterator[int]:
    """Run the service's source on a bundle; yield its port."""
    port = free_port()
    settings = {
        "SHOPGUIDE_BUNDLE": str(bundle),
        "SHOPGUIDE_HOME": spec.home,
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "bentoml", "serve", "serving.service:Ranking", "--host", HOST]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            env=os.environ | settings | environment,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _until_ready(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, "the service ended at its start"
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    msg = "the service was not ready in time"
    raise AssertionError(msg)


def _metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_a_redis_that_is_killed_under_load_fails_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = RedisServer(tmp_path)
    monkeypatch.setenv(VARIABLE, redis.connection)
    spec = tiny_spec(tmp_path / "home", redis=True)
    fill_tiny_store(spec, 40)  # and ten items that nobody knows
    bundle = tiny_bundle(spec, tmp_path, 1.0)
    with serving(bundle, spec) as port:
        load = Load(port)
        try:
            load.wait(degraded=False)
            for _ in range(KILLS):
                redis.kill()
                load.wait(degraded=True)
                time.sleep(1)
                redis.start()
                fill_tiny_store(spec, 40)
                load.wait(degraded=False)
            redis.freeze()
            load.wait(degraded=True)
            redis.thaw()
            load.wait(degraded=False)
        finally:
            redis.thaw()
            load.stop()
            redis.kill()
        assert load.failures == []
        assert _metric(port, 'shopguide_degraded_total{reason="failed"}') >= 1
        assert _metric(port, 'shopguide_degraded_total{reason="circuit_open"}') >= 1
        counted = _metric(port, "shopguide_degraded_total{")
        assert counted == load.degraded[True]


def test_champions_that_change_under_load_fail_no_request(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path / "home")
    fill_tiny_store(spec, 40)
    own = tiny_bundle(spec, tmp_path, 9.0)
    home = Path(spec.home)
    pointers = []
    for number, mean in enumerate((0.1, 0.2), start=1):
        made = tiny_bundle(spec, tmp_path, mean)
        manifest = load_bundle(made).manifest
        folder = bundle_folder(spec.name, manifest.checksum)
        (home / folder).parent.mkdir(parents=True, exist_ok=True)
        made.rename(home / folder)
        pointer = Pointer(str(number), manifest.checksum, folder, None, manifest.feature_service)
        pointers.append((manifest.version, pointer))
    with serving(own, spec) as port:
        load = Load(port)
        try:
            load.wait_for_version(load_bundle(own).manifest.version)
            for swap in range(SWAPS):
                version, pointer = pointers[swap % 2]
                write_pointer(home, spec.name, pointer)
                load.wait_for_version(version)
        finally:
            load.stop()
        assert load.failures == []
        assert load.degraded[True] == 0
        assert _metric(port, 'shopguide_model_swaps_total{what="swapped"}') == SWAPS
        assert len(load.versions) == 3


def test_a_store_that_another_process_holds_delays_no_request_for_long(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path / "home")
    fill_tiny_store(spec, 40)
    bundle = tiny_bundle(spec, tmp_path, 1.0)
    with closing(sqlite3.connect(online_file(spec.home), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")  # in WAL, writers keep no reader out
        with serving(bundle, spec) as port:
            load = Load(port)
            try:
                load.wait(degraded=False)
                other.execute("BEGIN EXCLUSIVE")
                load.wait(degraded=True, seconds=5)
                time.sleep(3)
                other.execute("ROLLBACK")
                load.wait(degraded=False)
            finally:
                load.stop()
    assert load.failures == []
    assert load.slowest < 2
