"""The BentoML service: `bentoml serve` starts it from a Bento that `shopguide package` built."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import bentoml
from bentoml.exceptions import InvalidArgument
from prometheus_client import Counter, Histogram

from serving.client_errors import log_client_errors_in_a_line
from serving.follow import Follower
from serving.ranker import Ranker
from serving.reading import open_features
from serving.rows import BadRequestError
from serving.schemas import PredictRequest, PredictResponse, RankRequest, RankResponse
from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError

_log = logging.getLogger("shopguide.serving")

_ROOT = Path(__file__).resolve().parent.parent
"""Source folder of the Bento: `serving/`, the light part of `shopguide/`, and `bundle/`."""

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

ANSWERED = Counter(
    "shopguide_answers", "Answers, by endpoint and whether degraded.", ["api", "degraded"]
)
SECONDS = Histogram("shopguide_seconds", "Time to answer.", ["api"], buckets=_SECONDS)

Answer = TypeVar("Answer", RankResponse, PredictResponse)


@bentoml.service(
    name="shopguide_ranking",
    workers=1,
    traffic={"timeout": 30},
    metrics={"enabled": True},
    logging={"access": {"enabled": False}},
)
class Ranking:
    """Rank a shop's items for a user by the solved trade-off of its goals."""

    def __init__(self) -> None:
        log_client_errors_in_a_line()
        bundle = load_bundle(os.environ.get("SHOPGUIDE_BUNDLE", _ROOT / "bundle"), threads=1)
        home = _home()
        self._ranker = Ranker(bundle, open_features(bundle, home))
        _log.info("serving %s %s", bundle.manifest.name, bundle.manifest.version)
        if os.environ.get("SHOPGUIDE_FOLLOW") != "0":
            self._follower = Follower(bundle, home, self._swap)
            self._follower.start()

    def _swap(self, ranker: Ranker) -> None:
        """Serve with another model; requests in flight end with the one they began with."""
        self._ranker = ranker

    @bentoml.api
    def rank(self, request: RankRequest, /) -> RankResponse:
        """Return the candidates, best first; every one of them once, unknown ones too."""
        answer = _answer("rank", lambda: self._ranker.rank(request))
        ANSWERED.labels("rank", str(answer.degraded).lower()).inc()
        return answer

    @bentoml.api
    def predict(self, request: PredictRequest, /) -> PredictResponse:
        """Return the expected outcome of each task for rows whose inputs are given."""
        answer = _answer("predict", lambda: self._ranker.predict(request))
        ANSWERED.labels("predict", "false").inc()
        return answer


def _answer(api: str, work: Callable[[], Answer]) -> Answer:
    """Time the work; turn what is wrong with a body into a 400 that names the field."""
    started = time.perf_counter()
    try:
        return work()
    except (BadRequestError, ShopguideError) as error:
        raise InvalidArgument(str(error)) from None
    finally:
        SECONDS.labels(api).observe(time.perf_counter() - started)


def _home() -> Path:
    """Where the feature store is: the environment's word, or the home that built the Bento."""
    given = os.environ.get("SHOPGUIDE_HOME")
    if given is not None:
        return Path(given)
    config = json.loads((_ROOT / "service.json").read_text(encoding="utf-8"))
    return Path(config["home"])
