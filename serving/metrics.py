"""What the service counts, for Prometheus."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.responses import Response

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_PREDICTED = (0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 3.0, 10.0, 30.0, 100.0)

ANSWERED = Counter(
    "shopguide_answers", "Answers, by endpoint and whether degraded.", ["api", "degraded"]
)
SECONDS = Histogram("shopguide_seconds", "Time to answer.", ["api"], buckets=_SECONDS)
STAGE = Histogram(
    "shopguide_stage_seconds", "Time of a stage of /rank.", ["stage"], buckets=_SECONDS
)
REFUSED = Counter(
    "shopguide_refused", "Requests that were not answered as asked.", ["api", "status"]
)
IDS = Counter("shopguide_ids", "Users and candidates asked about.", ["input"])
UNKNOWN_IDS = Counter(
    "shopguide_unknown_ids", "Of these, those that training had not seen.", ["input"]
)
PREDICTED = Histogram(
    "shopguide_predicted", "Predictions of candidates, by task.", ["task"], buckets=_PREDICTED
)
FEEDBACK = Counter("shopguide_feedback_rows", "Rows of feedback, by what became of them.", ["what"])
FEEDBACK_TURN = Gauge(
    "shopguide_feedback_turn_time",
    "When the thread that stores feedback last began a turn, UNIX time; it does every second.",
    multiprocess_mode="max",
)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a stage of an answer."""
    started = time.perf_counter()
    try:
        yield
    finally:
        STAGE.labels(name).observe(time.perf_counter() - started)


def observe_many(histogram: Histogram, values: NDArray[np.float64]) -> None:
    """Observe values [N] at once.

    `Histogram.observe` takes one value at a time, a microsecond and more each; this costs as much
    for a list as that for a few values. It uses the parts that `observe` itself is made of.
    """
    if not len(values):
        return
    bounds = histogram._upper_bounds
    numbers = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds)).tolist()
    numbers[len(bounds) - 1] += sum(numbers[len(bounds) :])  # what is no number lies beyond all
    for bucket, number in zip(histogram._buckets, numbers, strict=False):
        if number:
            bucket.inc(number)
    histogram._sum.inc(float(values.sum()))


def metrics_page() -> Response:
    """Return the metrics of all workers of the service.

    BentoML's own are switched off: they keep a series for every path that anybody asks for.
    """
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # set for workers: see metrics_folder
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")
