"""The service, and where promoted models are kept."""

from typing import Literal

from pydantic import Field

from shopguide.spec._section import Section
from shopguide.spec.online import Reading


class Serving(Section):
    """The Bento service and what it must show before a promotion."""

    port: int = Field(3000, ge=1, le=65535)
    clock: Literal["now", "log_end"] = Field(
        "now",
        description="Time of a request that names none: the clock, or the log's end.",
    )
    max_candidates: int = Field(1000, ge=1)
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
