"""Ids of requests, and what stands for a user in a log."""

import hashlib
import hmac
import os
from collections import OrderedDict
from threading import Lock

_MOST = 200_000  # requests remembered

_SECRET = os.urandom(32)


def new_request_id() -> str:
    """Return an id that nobody else has: 128 random bits in hexadecimal."""
    return os.urandom(16).hex()


def hashed(user_id: str) -> str:
    """Return what stands for a user in this process's log.

    Keyed with a secret that is never stored: lines of one user can be told to be his as long as the
    process lives, and nobody can try out ids against them.
    """
    return hmac.new(_SECRET, user_id.encode(), hashlib.sha256).hexdigest()[:12]


class AnsweredRequests:
    """The latest requests that this process answered."""

    def __init__(self, most: int = _MOST) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most, self._lock = most, Lock()

    def add(self, request_id: str) -> None:
        """Remember a request; the oldest is forgotten when there are too many."""
        with self._lock:
            self._ids[request_id] = None
            if len(self._ids) > self._most:
                self._ids.popitem(last=False)

    def __contains__(self, request_id: object) -> bool:
        return request_id in self._ids
