"""From a request to the table that the model scores: the store's features, or what stands in."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from serving.breaker import Breaker
from serving.engine_metrics import CIRCUIT_OPEN, DEGRADED, FEATURE_AGE
from serving.rows import SHOWN_AT, TYPES, Typed, value_of
from serving.schemas import Value
from shopguide.bundle import Bundle, InputEntry
from shopguide.columns import Columns, Datum, Same, Values, as_arrow, replaced

_log = logging.getLogger("shopguide.serving")

_SECONDS_AN_HOUR = 3600
_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)


class FeatureReader(Protocol):
    """What the service needs of a feature store."""

    def columns(
        self, user_id: str, item_ids: Sequence[str], context: Mapping[str, str | float]
    ) -> Mapping[str, Values]:
        """Return the model's inputs, a row a candidate, in the order asked; or raise."""

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


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the model reads of a request.

    Args:
        columns: every input.
        kinds: of the inputs.
        degraded: defaults stand in for the store.
    """

    columns: Columns
    kinds: Mapping[str, str]
    degraded: bool

    def table(self) -> pa.Table:
        """Return the columns as Arrow's, and `shown_at` beside them."""
        rows, found = self.columns.rows, self.columns.values
        columns = {
            name: as_arrow(found[name], rows, TYPES[kind]) for name, kind in self.kinds.items()
        }
        columns[SHOWN_AT] = as_arrow(Same(self.columns.shown_at), rows, TYPES["recency"])
        return pa.table(columns)


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
        CIRCUIT_OPEN.set(0)

    def read(self, request: Asked) -> Inputs:
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
        columns: dict[str, Values] = {}
        for name in self._kinds:
            if name in context:
                columns[name] = Same(_datum(context[name]))
            elif stored is not None and name in stored:
                columns[name] = stored[name]
            else:
                columns[name] = self._default(name, request)
        rows = len(request.items)
        for name, changes in self._single(request).items():
            columns[name] = replaced(columns[name], rows, self._kinds[name], changes)
        shown_at = microseconds(self._now(request))
        return Inputs(Columns(columns, rows, shown_at), self._kinds, degraded=degraded)

    def _ask(
        self, request: Asked, context: Mapping[str, str | float]
    ) -> tuple[Mapping[str, Values] | None, bool]:
        """Ask the store, unless it is left alone; never raise for it."""
        if self._features is None:
            return self._without("no_store")
        if not self._breaker.allows():
            return self._without("circuit_open")
        try:
            found = self._features.columns(request.user_id, request.items, context)
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

    def _single(self, request: Asked) -> dict[str, dict[int, Datum]]:
        """Return the values that replace the store's, by input and row."""
        found: dict[str, dict[int, Datum]] = {}
        if request.features:
            for row, item in enumerate(request.items):
                for name, value in request.features.get(item, {}).items():
                    path = f"features.{item}.{name}"
                    typed = value_of(self._kinds[name], value, path)
                    found.setdefault(name, {})[row] = _datum(typed)
        return found

    def _default(self, name: str, request: Asked) -> Values:
        if name == "item_id":
            return request.items
        return Same(request.user_id if name == "user_id" else self.defaults[name])

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


def microseconds(time: datetime) -> int:
    """Return a time, exactly, as microseconds since the epoch."""
    return (time - _EPOCH) // _MICROSECOND


def _datum(value: Typed) -> Datum:
    return microseconds(value) if isinstance(value, datetime) else value


def _defaults(bundle: Bundle) -> dict[str, str | float | None]:
    """What stands for an input when the store is silent: what training saw most, or missing."""

    def default(entry: InputEntry) -> str | float | None:
        profile = bundle.profile.inputs.get(entry.name)
        return None if profile is None or entry.kind == "recency" else profile.default

    return {entry.name: default(entry) for entry in bundle.manifest.inputs}
