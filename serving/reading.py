"""From a request to the table that the model scores: the store's features, or what stands in."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from serving.breaker import Breaker
from serving.engine_metrics import CIRCUIT_OPEN, DEGRADED, FEATURE_AGE
from serving.rows import SHOWN_AT, TYPES, value_of
from serving.schemas import Value
from shopguide.bundle import Bundle, InputEntry

_log = logging.getLogger("shopguide.serving")

_SECONDS_AN_HOUR = 3600


class FeatureReader(Protocol):
    """What the service needs of a feature store."""

    def read(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> pa.Table:
        """Return every input of the model, a row a candidate, in the order asked; or raise."""

    def age_seconds(self) -> float | None:
        """Return how long ago the features were materialised; None: not known."""


class Asked(Protocol):
    """What a request says of its rows."""

    @property
    def user_id(self) -> str:
        """The user."""

    @property
    def items(self) -> list[str]:
        """Candidates, each once."""

    @property
    def context(self) -> dict[str, Value]:
        """Inputs that hold for all rows."""

    @property
    def features(self) -> dict[str, dict[str, Value]]:
        """Inputs of single items, by item."""

    @property
    def at(self) -> datetime | None:
        """Time of the request; None: the service's clock."""


class RequestReader:
    """Reads requests for one bundle.

    Args:
        bundle: whose inputs are read.
        features: the online store; None: there is none, every answer is degraded.
    """

    def __init__(self, bundle: Bundle, features: FeatureReader | None) -> None:
        self._bundle = bundle
        self._features = features
        self._kinds = {entry.name: entry.kind for entry in bundle.manifest.inputs}
        reading = bundle.spec.serving.reading
        self._breaker = Breaker(reading.breaker_failures, reading.breaker_seconds)
        self._most_hours = reading.max_age_hours
        self.defaults = _defaults(bundle)

    def read(self, request: Asked) -> tuple[pa.Table, bool]:
        """Return the inputs of a request's candidates, and whether defaults stand in.

        Raises:
            BadRequestError: a value is not of its input's type.
        """
        context = {
            name: value_of(self._kinds.get(name, "categorical"), value, f"context.{name}")
            for name, value in request.context.items()
        }
        known = {name: v for name, v in context.items() if isinstance(v, (str, float))}
        stored, degraded = self._ask(request, known)
        rows, single = len(request.items), self._single(request)
        stored = pa.table({}) if stored is None else stored
        found = dict(zip(stored.column_names, stored.columns, strict=True))
        columns = {}
        for name, kind in self._kinds.items():
            if name in context:
                column = _same(context[name], rows, TYPES[kind])
            elif name in found:
                column = found[name]
            else:
                column = self._default(name, request)
            if name in single:
                values = column.to_pylist()
                for row, value in single[name].items():
                    values[row] = value
                column = pa.array(values, type=TYPES[kind])
            columns[name] = column
        columns[SHOWN_AT] = _same(self._now(request), rows, TYPES["recency"])
        return pa.table(columns), degraded

    def _ask(
        self, request: Asked, context: Mapping[str, str | float]
    ) -> tuple[pa.Table | None, bool]:
        """Ask the store, unless it is left alone; never raise for it."""
        if self._features is None:
            return self._without("no_store")
        if not self._breaker.allows():
            return self._without("circuit_open")
        try:
            found = self._features.read(request.user_id, request.items, context)
        except Exception as error:  # noqa: BLE001 - whatever breaks the store must not break the page
            _log.warning("feature store: %s: %s", type(error).__name__, str(error)[:200])
            if self._breaker.failed():
                _log.error("feature store: left alone, it fails again and again")
                CIRCUIT_OPEN.set(1)
            return self._without("failed")
        if self._breaker.succeeded():
            _log.warning("feature store: answers again")
            CIRCUIT_OPEN.set(0)
        return found, self._is_stale()

    def _without(self, reason: str) -> tuple[None, bool]:
        DEGRADED.labels(reason).inc()
        return None, True

    def _is_stale(self) -> bool:
        assert self._features is not None, "it was read just now"
        age = self._features.age_seconds()
        if age is not None:
            FEATURE_AGE.set(age)
        if self._most_hours is None or age is None or age <= self._most_hours * _SECONDS_AN_HOUR:
            return False
        DEGRADED.labels("stale").inc()
        return True

    def _single(self, request: Asked) -> dict[str, dict[int, object]]:
        """Return the values that replace the store's, by input and row."""
        found: dict[str, dict[int, object]] = {}
        if request.features:
            for row, item in enumerate(request.items):
                for name, value in request.features.get(item, {}).items():
                    path = f"features.{item}.{name}"
                    typed = value_of(self._kinds[name], value, path)
                    found.setdefault(name, {})[row] = typed
        return found

    def _default(self, name: str, request: Asked) -> pa.Array:
        kind = TYPES[self._kinds[name]]
        if name == "item_id":
            return pa.array(request.items, type=kind)
        value = request.user_id if name == "user_id" else self.defaults[name]
        return _same(value, len(request.items), kind)

    def _now(self, request: Asked) -> datetime:
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


def _same(value: object, rows: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, type=kind), rows)


def _defaults(bundle: Bundle) -> dict[str, str | float | None]:
    """What stands for an input when the store is silent: what training saw most, or missing."""

    def default(entry: InputEntry) -> str | float | None:
        profile = bundle.profile.inputs.get(entry.name)
        return None if profile is None or entry.kind == "recency" else profile.default

    return {entry.name: default(entry) for entry in bundle.manifest.inputs}
