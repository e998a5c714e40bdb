"""Rank one request: read features, score, fuse, sort."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from serving.answer import Ranked, rows_of
from serving.explain import METHOD, explain_rows
from serving.ids import new_request_id
from serving.metrics import IDS, PREDICTED, UNKNOWN_IDS, observe_many, stage
from serving.reading import FeatureReader, RequestReader
from serving.rows import BadRequestError, table_of
from serving.schemas import (
    ExplainRequest,
    ExplainResponse,
    PredictRequest,
    PredictResponse,
    RankRequest,
)
from shopguide.bundle import Bundle
from shopguide.fusion import Fusion


class Ranker:
    """Ranks with one bundle and one feature store.

    Args:
        bundle: with fusion weights.
        features: the online store; None: there is none, every answer is degraded.
    """

    def __init__(self, bundle: Bundle, features: FeatureReader | None) -> None:
        self._bundle = bundle
        self._kinds = {entry.name: entry.kind for entry in bundle.manifest.inputs}
        self._reader = RequestReader(bundle, features)
        self._goals = {name: goal.task for name, goal in bundle.spec.objective.goals.items()}
        self._known = {
            column.name: frozenset(column.vocabulary)
            for column in bundle.preprocessing.categorical
            if column.name in ("user_id", "item_id")
        }

    @property
    def version(self) -> str:
        """Version of the bundle."""
        return self._bundle.manifest.version

    @property
    def bundle(self) -> Bundle:
        """What ranks."""
        return self._bundle

    def rank(self, request: RankRequest) -> Ranked:
        """Return the candidates, best first; each of them once, unknown ones too.

        Args:
            request: checked body.

        Raises:
            BadRequestError: too many candidates, or a name that the model does not know.
        """
        self._check(request)
        with stage("features"):
            inputs = self._reader.read(request)
        with stage("model"):
            predictions = self._bundle.predict_columns(inputs.columns)
        scores = self._fuse(predictions, request.weights)
        order = np.argsort(-scores, kind="stable")[: request.top_k]
        self._observe(request, predictions)
        return Ranked(
            request_id=request.request_id or new_request_id(),
            item_ids=[request.items[place] for place in order.tolist()],
            scores=scores[order],
            predictions={task: values[order] for task, values in predictions.items()},
            model_version=self.version,
            degraded=inputs.degraded,
            goals=self._goals,
        )

    def explain(self, request: ExplainRequest) -> ExplainResponse:
        """Return what the scores of a few items are made of, best first.

        Raises:
            BadRequestError: a name that the model does not know.
        """
        self._check(request)
        inputs = self._reader.read(request)
        table = inputs.table()
        if "item_id" not in table.column_names:
            table = table.append_column("item_id", pa.array(request.items))
        fusion = self._fusion(request.weights)
        defaults = self._reader.defaults
        return ExplainResponse(
            items=explain_rows(self._bundle, fusion, table, defaults, request.top_features),
            fusion=fusion.form,
            method=METHOD,
            model_version=self.version,
            degraded=inputs.degraded,
        )

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Return the expected outcomes of rows whose inputs the caller knows.

        Raises:
            BadRequestError: a row is not what the model reads.
        """
        predictions = self._bundle.predict(table_of(request.rows, self._bundle.manifest.inputs))
        return PredictResponse(predictions=rows_of(predictions), model_version=self.version)

    def _observe(self, request: RankRequest, predictions: dict[str, np.ndarray]) -> None:
        for name, asked in (("user_id", [request.user_id]), ("item_id", request.items)):
            known = self._known.get(name)
            if known is not None:
                IDS.labels(name).inc(len(asked))
                UNKNOWN_IDS.labels(name).inc(sum(one not in known for one in asked))
        for task, values in predictions.items():
            observe_many(PREDICTED.labels(task), values)

    def _check(self, request: RankRequest | ExplainRequest) -> None:
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

    def _fuse(
        self, predictions: dict[str, np.ndarray], weights: Mapping[str, float] | None
    ) -> np.ndarray:
        if weights is None:
            return self._bundle.score(predictions)
        return self._fusion(weights).score(predictions)

    def _fusion(self, weights: Mapping[str, float] | None) -> Fusion:
        """Return the bundle's fusion, or that of a request's own weights."""
        fusion = self._bundle.fusion
        assert fusion is not None, "a bundle without weights is not built into a Bento"
        if weights is None:
            return fusion
        total = sum(weights.values())
        if not 0 < total < float("inf"):
            raise BadRequestError("weights", "their sum must be above 0 and finite")
        unknown = [task for task in weights if task not in fusion.means]
        if unknown:
            known = ", ".join(fusion.means)
            raise BadRequestError(f"weights.{unknown[0]}", f"no goal has this task; goals: {known}")
        return replace(fusion, weights={task: w / total for task, w in weights.items()})
