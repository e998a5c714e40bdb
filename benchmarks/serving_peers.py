"""What the service is held against: a Bento that only parses and answers, and one as users do it.

`bentoml serve benchmarks.serving_peers:Null` (or `:Naive`); reads SHOPGUIDE_BUNDLE, SHOPGUIDE_HOME.
"""

import os
import random

import bentoml
import pyarrow as pa
from pydantic import BaseModel

from shopguide.bundle import Bundle, load_bundle


class Request(BaseModel):
    """The body that both take."""

    user_id: str
    items: list[str]
    context: dict[str, str | float] = {}


class Item(BaseModel):
    """A candidate of the answer."""

    item_id: str
    score: float
    predictions: dict[str, float]


class Answer(BaseModel):
    """The body that both return."""

    items: list[Item]
    model_version: str
    degraded: bool


@bentoml.service(name="null", workers=1, logging={"access": {"enabled": False}})
class Null:
    """Parses the request and returns an answer of the same form, with numbers made before."""

    def __init__(self) -> None:
        draw = random.Random(0)  # noqa: S311 - numbers for an answer
        manifest = load_bundle(os.environ["SHOPGUIDE_BUNDLE"]).manifest
        tasks = [task.name for task in manifest.tasks]
        self._rows = [(draw.random(), {task: draw.random() for task in tasks}) for _ in range(1000)]
        self._version = manifest.version

    @bentoml.api
    def rank(self, request: Request, /) -> Answer:
        """Return the candidates as they came."""
        items = [
            Item(item_id=item, score=score, predictions=predictions)
            for item, (score, predictions) in zip(request.items, self._rows, strict=False)
        ]
        return Answer(items=items, model_version=self._version, degraded=False)


@bentoml.service(name="naive", workers=1, logging={"access": {"enabled": False}})
class Naive:
    """Reads the features of each candidate through Feast's SDK, and scores row by row."""

    def __init__(self) -> None:
        from shopguide.features.catalogue import model_inputs
        from shopguide.features.online_views import online_views
        from shopguide.features.store import open_store

        self._bundle: Bundle = load_bundle(os.environ["SHOPGUIDE_BUNDLE"], threads=1)
        self._store = open_store(self._bundle.spec, os.environ["SHOPGUIDE_HOME"])
        self._inputs = model_inputs(self._bundle.spec)
        self._views = sorted(online_views(self._bundle.spec), key=lambda one: len(one.keys))

    @bentoml.api
    def rank(self, request: Request, /) -> Answer:
        """Return the candidates, best first."""
        found = []
        for item in request.items:
            predictions = self._bundle.predict(self._row(request, item))
            score = float(self._bundle.score(predictions)[0])
            plain = {task: float(values[0]) for task, values in predictions.items()}
            found.append(Item(item_id=item, score=score, predictions=plain))
        found.sort(key=lambda one: -one.score)
        version = self._bundle.manifest.version
        return Answer(items=found, model_version=version, degraded=False)

    def _row(self, request: Request, item: str) -> pa.Table:
        keys = {"user_id": request.user_id, "item_id": item} | request.context
        values = dict(keys)
        rest = list(self._views)
        while rest:
            ready = [view for view in rest if all(key in keys for key in view.keys)]
            assert ready, f"no value for the keys of {rest[0].stored}"
            rest = [view for view in rest if view not in ready]
            response = self._store.get_online_features(
                features=[f"{v.stored}:{c.name}" for v in ready for c in v.columns],
                entity_rows=[{key: keys[key] for view in ready for key in view.keys}],
            ).to_dict()
            values |= {name: column[0] for name, column in response.items()}
            keys |= {key: values[key] or "" for view in rest for key in view.keys if key in values}
        kinds = {"categorical": pa.string(), "numeric": pa.float64()}
        stamp = pa.timestamp("us", tz="UTC")
        columns = {
            column.name: pa.array([values.get(column.name)], kinds.get(column.kind, stamp))
            for column in self._inputs
        }
        columns["shown_at"] = pa.array([self._bundle.profile.log_end], stamp)
        return pa.table(columns)
