"""Rank one request: read features, score, fuse, sort."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from serving.rows import SHOWN_AT, TYPES, BadRequestError, table_of, value_of
from serving.schemas import (
    PredictRequest,
    PredictResponse,
    RankedItem,
    RankRequest,
    RankResponse,
    Value,
)
from shopguide.bundle import Bundle, InputEntry

_log = logging.getLogger(__name__)

_STORE_SECONDS = 2.0  # after which a request goes on without the store


class FeatureReader(Protocol):
    """What the ranker needs of a feature store."""

    def read(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> pa.Table:
        """Return every input of the model, a row a candidate, in the order asked."""


class Ranker:
    """Ranks with one bundle and one feature store.

    Args:
        bundle: with fusion weights.
        features: the online store; None: there is none, every answer is degraded.
    """

    def __init__(self, bundle: Bundle, features: FeatureReader | None) -> None:
        self._bundle = bundle
        self._features = features
        self._kinds = {entry.name: entry.kind for entry in bundle.manifest.inputs}
        self._reading = ThreadPoolExecutor(max_workers=4, thread_name_prefix="features")
        self._defaults = _defaults(bundle)

    @property
    def version(self) -> str:
        """Version of the bundle."""
        return self._bundle.manifest.version

    def rank(self, request: RankRequest) -> RankResponse:
        """Return the candidates, best first; each of them once, unknown ones too.

        Args:
            request: checked body.

        Raises:
            BadRequestError: too many candidates, or a name that the model does not know.
        """
        self._check(request)
        table, degraded = self._read(request)
        predictions = self._bundle.predict(table)
        scores = self._fuse(predictions, request.weights)
        order = np.argsort(-scores, kind="stable")[: request.top_k]
        items = [
            RankedItem(
                item_id=request.items[row],
                score=float(scores[row]),
                predictions={task: float(values[row]) for task, values in predictions.items()},
            )
            for row in order
        ]
        return RankResponse(items=items, model_version=self.version, degraded=degraded)

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Return the expected outcomes of rows whose inputs the caller knows.

        Raises:
            BadRequestError: a row is not what the model reads.
        """
        predictions = self._bundle.predict(table_of(request.rows, self._bundle.manifest.inputs))
        rows = [
            {task: float(values[row]) for task, values in predictions.items()}
            for row in range(len(request.rows))
        ]
        return PredictResponse(predictions=rows, model_version=self.version)

    def _check(self, request: RankRequest) -> None:
        limit = self._bundle.spec.serving.max_candidates
        if len(request.items) > limit:
            raise BadRequestError("items", f"{len(request.items):,} candidates, at most {limit:,}")
        for name in request.context:
            if name in ("user_id", "item_id") or (name not in self._kinds and name != "place_id"):
                raise BadRequestError(f"context.{name}", "not an input of the model")
        for item, values in request.features.items():
            for name in values:
                if name not in self._kinds:
                    raise BadRequestError(f"features.{item}.{name}", "not an input of the model")
        for task in request.weights or {}:
            if task not in self._bundle.spec.tasks:
                known = ", ".join(self._bundle.spec.tasks)
                raise BadRequestError(f"weights.{task}", f"no such task; tasks are {known}")

    def _read(self, request: RankRequest) -> tuple[pa.Table, bool]:
        """Read the features of a request, or take defaults if the store does not answer."""
        context = {
            name: self._typed(name, value, f"context.{name}")
            for name, value in request.context.items()
        }
        stored, degraded = self._ask_store(request, context), False
        if stored is None:
            stored, degraded = self._default_table(request), True
        columns = {}
        for name, kind in self._kinds.items():
            found = stored.column(name) if name in stored.column_names else None
            values = found.to_pylist() if found is not None else [None] * len(request.items)
            if name in context:
                values = [context[name]] * len(values)
            for row, item in enumerate(request.items):
                if name in request.features.get(item, {}):
                    path = f"features.{item}.{name}"
                    values[row] = value_of(kind, request.features[item][name], path)
            columns[name] = pa.array(values, type=TYPES[kind])
        columns[SHOWN_AT] = pa.array([self._now(request)] * len(request.items), TYPES["recency"])
        return pa.table(columns), degraded

    def _ask_store(
        self, request: RankRequest, context: Mapping[str, str | float | datetime | None]
    ) -> pa.Table | None:
        if self._features is None:
            return None
        known = {name: v for name, v in context.items() if isinstance(v, (str, float))}
        reading = self._reading.submit(self._features.read, request.user_id, request.items, known)
        try:
            return reading.result(timeout=_STORE_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever breaks the store must not break the page
            _log.warning("feature store: %s: %s", type(error).__name__, str(error)[:200])
            return None

    def _default_table(self, request: RankRequest) -> pa.Table:
        rows = len(request.items)
        columns = {
            name: pa.array([self._defaults[name]] * rows, type=TYPES[kind])
            for name, kind in self._kinds.items()
        }
        ids = {"user_id": [request.user_id] * rows, "item_id": request.items}
        columns |= {name: pa.array(ids[name]) for name in ids if name in columns}
        return pa.table(columns)

    def _fuse(
        self, predictions: dict[str, np.ndarray], weights: Mapping[str, float] | None
    ) -> np.ndarray:
        fusion = self._bundle.fusion
        if weights is None or fusion is None:
            return self._bundle.score(predictions)
        total = sum(weights.values())
        if not 0 < total < float("inf"):
            raise BadRequestError("weights", "their sum must be above 0 and finite")
        unknown = [task for task in weights if task not in fusion.means]
        if unknown:
            known = ", ".join(fusion.means)
            raise BadRequestError(f"weights.{unknown[0]}", f"no goal has this task; goals: {known}")
        shares = {task: weight / total for task, weight in weights.items()}
        return replace(fusion, weights=shares).score(predictions)

    def _typed(self, name: str, value: Value, path: str) -> str | float | datetime | None:
        return value_of(self._kinds.get(name, "categorical"), value, path)

    def _now(self, request: RankRequest) -> datetime:
        if request.at is not None:
            return request.at
        if self._bundle.spec.serving.clock == "log_end":
            return self._bundle.profile.log_end
        return datetime.now(UTC)


def open_features(bundle: Bundle, home: Path) -> FeatureReader | None:
    """Open the online store of a home; None, with a warning, if that fails.

    One that has lost its features is opened, with a warning: answers are degraded until it is
    filled.
    """
    from shopguide.features.online import OnlineFeatures

    features = None
    try:
        features = OnlineFeatures(bundle.spec, home)
        features.check()
    except Exception as error:  # noqa: BLE001 - the service starts without a store, degraded
        _log.warning("feature store: %s: %s", type(error).__name__, str(error)[:200])
    return features


def _defaults(bundle: Bundle) -> dict[str, str | float | None]:
    """What stands for an input when the store is silent: what training saw most, or missing."""

    def default(entry: InputEntry) -> str | float | None:
        profile = bundle.profile.inputs.get(entry.name)
        return None if profile is None or entry.kind == "recency" else profile.default

    return {entry.name: default(entry) for entry in bundle.manifest.inputs}
