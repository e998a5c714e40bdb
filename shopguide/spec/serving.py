"""The service, and where promoted models are kept."""

from typing import Literal

from pydantic import Field

from shopguide.spec._section import Section
from shopguide.spec.online import Reading

API_KEY = "SHOPGUIDE_API_KEY"
"""Environment variable with a key that the service asks of its clients."""

API_KEY_FILE = "SHOPGUIDE_API_KEY_FILE"
"""Environment variable with the path of a file of keys, one a line: two, while one is replaced."""

ALLOW_OPEN = "SHOPGUIDE_ALLOW_OPEN"
"""Environment variable; 1 lets a service without a key listen outside the loopback address."""


class Serving(Section):
    """The Bento service and what it must show before a promotion."""

    port: int = Field(3000, ge=1, le=65535)
    clock: Literal["now", "log_end"] = Field(
        "now",
        description="Time of a request that names none: the clock, or the log's end.",
    )
    max_candidates: int = Field(1000, ge=1, le=10_000, description="Of one request.")
    max_body_mb: float = Field(
        4.0, gt=0, le=1024, description="Largest body, MB of 1,000,000 bytes; more is a 413."
    )
    rate_limit: float | None = Field(
        None,
        gt=0,
        description="Requests a second of one client (a key, or without keys an address), in each "
        "worker; null: no limit.",
    )
    rate_burst: int = Field(20, ge=1, description="Requests that a client may make at once.")
    log_requests: bool = Field(
        False, description="A line a request in the log; the user is a keyed hash in it."
    )
    log_impressions: bool = Field(
        False,
        description="Take what /rank returned for shown, and write it to the feedback with its "
        "position; only where the shop shows just that.",
    )
    feedback_file_mb: float = Field(
        64.0, gt=0, description="Size after which a feedback file is closed and the next one begun."
    )
    feedback_remember_days: float = Field(
        30.0,
        gt=0,
        description="Days in which an event that is sent again is known to be stored; `prepare` "
        "drops what comes again later.",
    )
    blessing_requests: int = Field(20, ge=1, description="Recorded requests replayed over HTTP.")
    max_score_difference: float = Field(1e-5, gt=0, description="Service against bundle, any row.")
    startup_seconds: float = Field(90.0, gt=0)
    max_p99_ms: float = Field(500.0, gt=0, description="Of a replayed request, or no blessing.")
    max_memory_mb: float = Field(
        1500.0, gt=0, description="Of the service after the replay, or no blessing."
    )
    follow_seconds: float = Field(
        2.0, gt=0, description="How often a running service looks who is champion."
    )
    reading: Reading = Reading()


class Registry(Section):
    """The MLflow registry."""

    uri: str | None = Field(
        None, description="MLflow tracking URI; null: an sqlite file in the spec's `home`."
    )
    keep_refused: bool = Field(True, description="Register refused challengers too, without alias.")
