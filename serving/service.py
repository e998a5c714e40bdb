"""The BentoML service: `bentoml serve` starts it from a Bento that `shopguide package` built."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import bentoml
from _bentoml_sdk import IODescriptor
from _bentoml_sdk.io_models import IORootModel
from starlette.requests import Request
from starlette.responses import Response

from serving.answer import Ranked
from serving.auth import keys_of, listening, require_key_outside
from serving.connections import bound_connections
from serving.door import BODY, Door, Policy
from serving.errors import FAILED, RefusedError, json_response, note
from serving.feedback import FeedbackStore, Options, folder_of
from serving.feedback_rows import Rules
from serving.feedback_writer import FeedbackWriter
from serving.follow import Follower
from serving.ids import AnsweredRequests, hashed
from serving.limits import RateLimiter
from serving.metrics import ANSWERED, FEEDBACK, SECONDS, metrics_page, stage
from serving.openapi import openapi
from serving.page import page
from serving.parent import end_with_parent, fail_where_refused, is_worker, refuse
from serving.ranker import Ranker
from serving.reading import open_features
from serving.rows import BadRequestError
from serving.schemas import (
    ExplainRequest,
    ExplainResponse,
    FeedbackRequest,
    FeedbackResponse,
    PredictRequest,
    PredictResponse,
    RankRequest,
    RankResponse,
)
from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.spec.serving import Serving

_log = logging.getLogger("shopguide.serving")

_ROOT = Path(__file__).resolve().parent.parent
"""Source folder of the Bento: `serving/`, the light part of `shopguide/`, and `bundle/`."""

bound_connections()

_policy: Policy | None = None
"""What the door holds requests against; set when the service has started."""

Answer = TypeVar("Answer")


class _Checked(IODescriptor):  # type: ignore[misc]
    """A body that the door has read and checked."""

    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Any:  # noqa: ANN401, ARG003 - BentoML's
        """Return what the door left."""
        return request.scope[BODY]


class RankBody(_Checked, RankRequest):
    """RankRequest, for BentoML."""


class PredictBody(_Checked, PredictRequest):
    """PredictRequest, for BentoML."""


class ExplainBody(_Checked, ExplainRequest):
    """ExplainRequest, for BentoML."""


class FeedbackBody(_Checked, FeedbackRequest):
    """FeedbackRequest, for BentoML."""


@bentoml.service(
    name="shopguide_ranking",
    workers=1,
    traffic={"timeout": 60},  # the door's own limit comes first
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Ranking:
    """Rank a shop's items for a user by the solved trade-off of its goals."""

    def __init__(self) -> None:
        global _policy
        logging.getLogger("shopguide").setLevel(logging.INFO)
        if is_worker():
            end_with_parent()
        try:
            keys = keys_of(os.environ)
            require_key_outside(keys, listening())
            bundle = load_bundle(os.environ.get("SHOPGUIDE_BUNDLE", _ROOT / "bundle"), threads=1)
        except ShopguideError as error:
            _give_up(error)
        home = _home()
        self._options = bundle.spec.serving
        self._ranker = Ranker(bundle, open_features(bundle, home))
        self._answered = AnsweredRequests()
        self._feedback = FeedbackWriter(lambda: _open_store(home, self._options, self._answered))
        document = openapi(
            title=bundle.spec.title or bundle.manifest.name,
            version=bundle.manifest.version,
            keyed=bool(keys.digests),
            inputs=[entry.name for entry in bundle.manifest.inputs],
        )
        _policy = Policy(
            keys=keys,
            most_bytes=round(self._options.max_body_mb * 1e6),
            rate=_limiter(self._options),
            bodies={
                "/rank": RankRequest,
                "/predict": PredictRequest,
                "/explain": ExplainRequest,
                "/feedback": FeedbackRequest,
            },
            queries=frozenset({"/explain"}),
            pages={
                "/": lambda: page(self._ranker.bundle, keyed=bool(keys.digests)),
                "/openapi.json": lambda: json_response(document),
                "/docs.json": lambda: json_response(document),
                "/metrics": metrics_page,
            },
            open_pages=frozenset({"/"}),
        )
        _log.info("serving %s %s", bundle.manifest.name, bundle.manifest.version)
        if os.environ.get("SHOPGUIDE_FOLLOW") != "0":
            self._follower = Follower(bundle, home, self._swap)
            self._follower.start()

    def _swap(self, ranker: Ranker) -> None:
        """Serve with another model; requests in flight end with the one they began with."""
        self._ranker = ranker

    @bentoml.api(input_spec=RankBody, output_spec=IORootModel[RankResponse])
    def rank(self, request: RankRequest, /) -> Response:
        """Return the candidates, best first; every one of them once, unknown ones too."""
        return _answer("rank", lambda: self._rank(request))

    @bentoml.api(input_spec=PredictBody, output_spec=IORootModel[PredictResponse])
    def predict(self, request: PredictRequest, /) -> Response:
        """Return the expected outcome of each task for rows whose inputs are given."""
        return _answer("predict", lambda: self._ranker.predict(request))

    @bentoml.api(input_spec=ExplainBody, output_spec=IORootModel[ExplainResponse])
    def explain(self, request: ExplainRequest, /) -> Response:
        """Say which goals and which inputs the scores of a few items come from."""
        return _answer("explain", lambda: self._ranker.explain(request))

    @bentoml.api(input_spec=FeedbackBody, output_spec=IORootModel[FeedbackResponse])
    async def feedback(self, request: FeedbackRequest, /) -> Response:
        """Store impressions and events; the answer says that they are on the disk."""
        started = time.perf_counter()
        try:
            rows = self._rules().rows(request, datetime.now(UTC))
            stored = await asyncio.wrap_future(self._feedback.submit(rows))
        except Exception as error:  # noqa: BLE001 - see _refusal
            return _refusal("feedback", error)
        finally:
            SECONDS.labels("feedback").observe(time.perf_counter() - started)
        _count(stored)
        return json_response(stored)

    def __is_ready__(self) -> bool:
        """Say for /readyz whether feedback can be stored: its thread lives and does not hang."""
        return self._feedback.works

    @bentoml.on_deployment
    @staticmethod
    def prepare() -> None:
        """In BentoML's first process, before it starts workers: see `serving.parent`."""
        fail_where_refused()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Close the feedback files, so that prepare can read them."""
        self._feedback.close()

    def _rank(self, request: RankRequest) -> Ranked:
        started = time.perf_counter()
        answer = self._ranker.rank(request)
        self._answered.add(answer.request_id)
        if self._options.log_impressions:
            self._log_impressions(request, answer)
        if self._options.log_requests:
            _log.info(
                "rank request=%s user=%s candidates=%d degraded=%s ms=%.1f",
                json.dumps(answer.request_id),
                hashed(request.user_id),
                len(request.items),
                answer.degraded,
                1e3 * (time.perf_counter() - started),
            )
        return answer

    def _rules(self) -> Rules:
        return Rules.of(self._ranker.bundle.spec)

    def _log_impressions(self, request: RankRequest, answer: Ranked) -> None:
        """Store the list as shown; the answer does not wait for it, and does without if need be."""
        try:
            rows = self._rules().shown(request, answer.response(), datetime.now(UTC))
            self._feedback.submit(rows)
        except RefusedError:
            FEEDBACK.labels("impression_lost").inc(len(answer.item_ids))


def _answer(api: str, work: Callable[[], Answer]) -> Response:
    """Time the work; turn what is wrong with a body into a 400 that names the field."""
    started = time.perf_counter()
    try:
        answer = work()
        with stage("write"):
            response = _written(answer)
    except Exception as error:  # noqa: BLE001 - see _refusal
        return _refusal(api, error)
    finally:
        SECONDS.labels(api).observe(time.perf_counter() - started)
    ANSWERED.labels(api, str(getattr(answer, "degraded", False)).lower()).inc()
    return response


def _written(answer: object) -> Response:
    if isinstance(answer, Ranked):
        return Response(answer.json(), media_type="application/json")
    return json_response(answer)


def _refusal(api: str, error: Exception) -> Response:
    """Answer with what is wrong with a body, or say that the service failed, and no more of it.

    BentoML would answer in shapes of its own, and may tell clients of files.
    """
    if isinstance(error, BadRequestError):
        refused = RefusedError(HTTPStatus.BAD_REQUEST, error.path, error.what)
    elif isinstance(error, RefusedError):
        refused = error
    else:
        _log.error("failed on /%s", api, exc_info=error)
        refused = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "", FAILED)
    note(f"/{api}", refused)
    return refused.response()


def _count(stored: FeedbackResponse) -> None:
    FEEDBACK.labels("stored").inc(stored.stored)
    FEEDBACK.labels("duplicate").inc(stored.duplicates)
    FEEDBACK.labels("unknown_request").inc(stored.unknown_requests)


def _open_store(home: Path, options: Serving, answered: AnsweredRequests) -> FeedbackStore:
    kept = Options(
        file_bytes=round(options.feedback_file_mb * 1e6),
        remember_days=options.feedback_remember_days,
    )
    return FeedbackStore(folder_of(home), kept, answered)


def _limiter(options: Serving) -> RateLimiter | None:
    if options.rate_limit is None:
        return None
    return RateLimiter(options.rate_limit, options.rate_burst)


def _give_up(error: ShopguideError) -> NoReturn:
    """End the service with a line: BentoML would start its worker again and again.

    Raises:
        ShopguideError: it is no worker of BentoML's that failed to start.
    """
    if not is_worker():
        raise error
    _log.critical("%s", error)
    refuse(error.exit_code)


def _home() -> Path:
    """Where the feature store is: the environment's word, or the home that built the Bento."""
    given = os.environ.get("SHOPGUIDE_HOME")
    if given is not None:
        return Path(given)
    config = json.loads((_ROOT / "service.json").read_text(encoding="utf-8"))
    return Path(config["home"])


Ranking.add_asgi_middleware(Door, policy=lambda: _policy)  # type: ignore[attr-defined]
