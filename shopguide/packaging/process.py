"""Run the real service of a Bento on a free port of this machine, for as long as it is needed."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from shopguide.packaging.build import Bento, bento_environment, bentoml_command
from shopguide.spec.serving import API_KEY, API_KEY_FILE

HOST = "127.0.0.1"


class ServiceFailedError(RuntimeError):
    """The service did not start, or died."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that answered its readiness probe.

    Args:
        port: on the loopback address.
        startup_seconds: from start to ready.
        process: leader of its process group.
    """

    port: int
    startup_seconds: float
    process: subprocess.Popen[bytes]

    def memory_mb(self) -> float:
        """Return the resident memory of all its processes, MB."""
        leader = psutil.Process(self.process.pid)
        total = 0
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / 1e6


@contextlib.contextmanager
def running(
    bento: Bento, *, home: Path, timeout: float, follow: bool = False
) -> Iterator[RunningService]:
    """Start the service from a Bento, and stop it and all its processes at the end.

    Args:
        bento: to serve.
        home: where the feature store is.
        timeout: seconds until it must be ready.
        follow: let it go over to the champion of the home; else it serves its own bundle.

    Raises:
        ServiceFailedError: it is not ready in time; the message ends with its last lines.
    """
    port = free_port()
    settings = {"SHOPGUIDE_HOME": str(home), "SHOPGUIDE_FOLLOW": "1" if follow else "0"}
    with tempfile.NamedTemporaryFile(prefix="shopguide-service-", suffix=".log") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            bentoml_command("serve", bento.tag, "--host", HOST, "--port", str(port)),
            env=_without_keys(bento_environment(bento.store)) | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        try:
            _wait(process, port, started + timeout, Path(log.name))
            yield RunningService(port, time.monotonic() - started, process)
        finally:
            _stop(process)


def _without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the keys of the service in production: this one is asked by us alone."""
    return {k: v for k, v in environment.items() if k not in (API_KEY, API_KEY_FILE)}


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, deadline: float, log: Path) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceFailedError(f"the service ended at its start: {_tail(log)}")
        if _ready(port):
            return
        time.sleep(0.1)
    raise ServiceFailedError(f"the service was not ready in time: {_tail(log)}")


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in lines[-6:])[-800:] or "it printed nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
