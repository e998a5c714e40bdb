"""Keeps asking a service for rankings, and counts what it answers."""

import http.client
import json
import threading
import time
from collections import Counter
from typing import Any

from shopguide.packaging.process import HOST

ITEMS = [f"i{n}" for n in range(50)]


class Load:
    """Threads that ask again and again, each on a connection that it keeps.

    Args:
        port: of the service.
        threads: that ask.
    """

    def __init__(self, port: int, threads: int = 3) -> None:
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]
        self._lock = threading.Lock()
        self.failures: list[str] = []
        self.degraded: Counter[bool] = Counter()
        self.versions: Counter[str] = Counter()
        self.slowest = 0.0
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, *, degraded: bool, seconds: float = 60) -> None:
        """Wait until answers come that are degraded, or that are not."""
        self._wait(self.degraded, degraded, seconds)

    def wait_for_version(self, version: str, seconds: float = 60) -> None:
        """Wait until a version of the model answers."""
        self._wait(self.versions, version, seconds)

    def _wait(self, counts: Counter[Any], wanted: object, seconds: float) -> None:
        before, end = counts[wanted], time.monotonic() + seconds
        while counts[wanted] < before + 3:
            assert time.monotonic() < end, f"no answer {wanted}: {counts} {self.failures[:3]}"
            time.sleep(0.02)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=30)
        body = json.dumps({"user_id": "u1", "items": ITEMS}).encode()
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                connection.request("POST", "/rank", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                content = response.read()
                assert response.status == 200, content[:200]
                answer = json.loads(content)
                assert sorted(item["item_id"] for item in answer["items"]) == sorted(ITEMS)
            except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
                continue
            with self._lock:
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.degraded[answer["degraded"]] += 1
                self.versions[answer["model_version"]] += 1
        connection.close()
