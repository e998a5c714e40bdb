"""Feedback as it was sent → rows of the canonical log, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from serving.rows import BadRequestError, value_of
from serving.schemas import (
    Event,
    FeedbackRequest,
    Impression,
    RankRequest,
    RankResponse,
    Value,
)
from shopguide.spec import Spec
from shopguide.spec.event_log import EventLog
from shopguide.spec.tasks import AmountTask

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(minutes=10)  # what a client's clock may be ahead of ours

IMPRESSION = "impression"
"""Kind of the rows of what was shown."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a shop's export, all with the same fields, so that one mapping reads them.

    Their names are those of the canonical log: event_id, request_id, user_id, item_id, kind, at,
    value, currency, position, propensity, and the context's columns.

    Args:
        impressions: of the kind `impression`.
        events: of the others.
    """

    impressions: Sequence[Row]
    events: Sequence[Row]

    def __len__(self) -> int:
        return len(self.impressions) + len(self.events)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a shop's feedback may say.

    Args:
        kinds: canonical kinds of event.
        priced: those of them whose value is summed, and must be there.
        context: kinds of an impression's columns, those of the model's inputs.
        currency: of all money; None: any.
    """

    kinds: frozenset[str]
    priced: frozenset[str]
    context: Mapping[str, str]
    currency: str | None

    @classmethod
    def of(cls, spec: Spec) -> "Rules":
        """Take them from a spec: the kinds of its tasks, its feature views and its mapping."""
        kinds = {event for task in spec.tasks.values() for event in task.events}
        kinds |= {view.kind for view in spec.features.views.values() if view.kind is not None}
        data = spec.data
        if isinstance(data, EventLog):
            kinds |= {kind for kind in data.kinds.values() if kind is not None}
        priced = {task.event for task in spec.tasks.values() if isinstance(task, AmountTask)}
        return cls(
            kinds=frozenset(kinds),
            priced=frozenset(priced),
            context={"place_id": "categorical"} | dict(spec.features.context),
            currency=data.currency if isinstance(data, EventLog) else None,
        )

    def rows(self, request: FeedbackRequest, now: datetime) -> Rows:
        """Return a batch as rows.

        Raises:
            BadRequestError: a row says what the shop does not know, or what cannot be.
        """
        return Rows(
            [self._impression(row, n, now) for n, row in enumerate(request.impressions)],
            [self._event(row, n, now) for n, row in enumerate(request.events)],
        )

    def _impression(self, row: Impression, number: int, now: datetime) -> Row:
        path = f"impressions[{number}]"
        for name in row.context:
            if name not in self.context:
                known = ", ".join(sorted(self.context))
                raise BadRequestError(f"{path}.context.{name}", f"no such column; known: {known}")
        return self._row(
            row.event_id,
            row.request_id,
            row.user_id,
            row.item_id,
            IMPRESSION,
            _time(row.at, f"{path}.at", now),
            position=row.position,
            propensity=row.propensity,
            **self._context(row.context, f"{path}.context"),
        )

    def _event(self, row: Event, number: int, now: datetime) -> Row:
        path = f"events[{number}]"
        if row.kind not in self.kinds:
            known = ", ".join(sorted(self.kinds))
            raise BadRequestError(f"{path}.kind", f"no kind of event of this shop; known: {known}")
        if row.value is None and row.kind in self.priced:
            raise BadRequestError(f"{path}.value", f"missing; a {row.kind} has one, 0 if need be")
        if row.value is not None and row.currency is None and row.value > 0 and self.currency:
            raise BadRequestError(f"{path}.currency", f"missing; the shop's is {self.currency}")
        if row.currency is not None and self.currency not in (None, row.currency):
            raise BadRequestError(f"{path}.currency", f"the shop's is {self.currency}")
        return self._row(
            row.event_id,
            row.request_id,
            row.user_id,
            row.item_id,
            row.kind,
            _time(row.at, f"{path}.at", now),
            value=row.value,
            currency=row.currency,
        )

    def shown(self, request: RankRequest, answer: RankResponse, now: datetime) -> Rows:
        """Return what /rank returned as impressions, where the shop shows just that.

        The list is sorted by score, so the propensity of each item at its place is 1.
        """
        known = {k: v for k, v in request.context.items() if k in self.context}
        context = self._context(known, "context")
        impressions = [
            self._row(
                f"{answer.request_id}:{item.item_id}",
                answer.request_id,
                request.user_id,
                item.item_id,
                IMPRESSION,
                _text(now),
                position=place,
                propensity=1.0,
                **context,
            )
            for place, item in enumerate(answer.items, 1)
        ]
        return Rows(impressions, [])

    def _context(self, values: Mapping[str, Value], path: str) -> dict[str, Value]:
        """Return the values as their columns take them, so that a column has one type."""
        # A spec's context is of texts and numbers: no time comes out of it.
        return {
            name: cast("Value", value_of(self.context[name], value, f"{path}.{name}"))
            for name, value in values.items()
        }

    def _row(
        self,
        event_id: str,
        request_id: str | None,
        user_id: str,
        item_id: str,
        kind: str,
        at: str,
        **more: Value,
    ) -> Row:
        row = {
            "event_id": event_id,
            "request_id": request_id,
            "user_id": user_id,
            "item_id": item_id,
            "kind": kind,
            "at": at,
            "value": None,
            "currency": None,
            "position": None,
            "propensity": None,
        }
        return row | dict.fromkeys(sorted(self.context)) | more


def requests_of(rows: Rows) -> list[str]:
    """Return the request that each row names; rows that name none are left out."""
    named: list[Mapping[str, Any]] = [*rows.impressions, *rows.events]
    return [row["request_id"] for row in named if row["request_id"] is not None]


def _time(at: datetime, path: str, now: datetime) -> str:
    if not _FIRST <= at <= now + _AHEAD:
        what = "in the future" if at > now else "before 1970"
        raise BadRequestError(path, f"{what}; mend the clock, or leave the row out")
    return _text(at.astimezone(UTC))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
