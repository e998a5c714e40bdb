"""A circuit breaker: leaves a store alone that keeps failing, and tries it now and then.

Source: Nygard, "Release It!", 2007, "Circuit Breaker".
"""

import time
from collections.abc import Callable
from threading import Lock


class Breaker:
    """Closed it lets everything through; open nothing; half-open one probe. Safe between threads.

    Args:
        failures: in a row, after which it opens.
        seconds: it stays open, until one probe is let through; a probe that fails opens it again.
        clock: seconds that only go forward.
    """

    def __init__(
        self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the last word on the store is that it fails."""
        return self._until is not None

    def allows(self) -> bool:
        """Say whether to ask now; the first one after the pause is the probe."""
        with self._lock:
            now = self._clock()
            if self._until is None:
                return True
            if now < self._until:
                return False
            self._until = now + self._seconds  # others wait for the probe's end, or for the next
            return True

    def succeeded(self) -> bool:
        """Note an answer; say whether it closed the breaker."""
        with self._lock:
            was_open = self._until is not None
            self._failures, self._until = 0, None
            return was_open

    def failed(self) -> bool:
        """Note a failure; say whether it opened the breaker."""
        with self._lock:
            self._failures += 1
            if self._failures < self._most:
                return False
            was_open = self._until is not None
            self._until = self._clock() + self._seconds
            return not was_open
