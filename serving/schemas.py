"""What the service is asked and what it answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    Strict,
    model_validator,
)

from serving.values import (
    LONGEST_IN_A_LIST,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_NAMES,
    MOST_TEXTS,
    fault,
    row_of,
    rows_of,
)

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]
"""An identifier: any text without the character NUL, which databases cannot store."""

Text = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=r"^[^\x00]*$")]
Number = Annotated[float, Strict()]
Texts = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_IN_A_LIST)]], Field(max_length=MOST_TEXTS)
]
Value = Text | Number | Texts | None
"""A value of an input, for the document: `serving.values` checks it."""

_DATE_FIRST = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _iso_text(value: object) -> object:
    """Refuse what pydantic takes for seconds since 1970: numbers, and texts of digits."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_FIRST.match(value)):
        return value
    msg = "expected a time as ISO 8601 text with a zone, such as 2026-01-31T12:00:00+00:00"
    raise ValueError(msg)


def _in_utc(value: datetime) -> datetime:
    """Refuse a time whose year in UTC is none that Python and Arrow can write."""
    try:
        value.astimezone(UTC)
    except OverflowError:
        msg = "expected a time of the years 1 to 9999, in UTC"
        raise ValueError(msg) from None
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_iso_text), AfterValidator(_in_utc)]
"""A time of a body: an ISO 8601 text with a zone."""

MOST_ITEMS = 10_000
"""Candidates that a body may hold; the spec's `serving.max_candidates` is usually lower."""

MOST_EXPLAINED = 20
"""Items that one request explains: each is scored once more for every input of the model."""

_RowInDocument = Annotated[dict[Id, Value], Field(max_length=MOST_NAMES)]
Row = Annotated[dict[Id, Value], PlainValidator(row_of, json_schema_input_type=_RowInDocument)]
"""Values by name."""

RowsByItem = Annotated[
    dict[Id, dict[Id, Value]],
    PlainValidator(
        rows_of(MOST_ITEMS),
        json_schema_input_type=Annotated[dict[Id, _RowInDocument], Field(max_length=MOST_ITEMS)],
    ),
]

_OF_THE_ROW = ("user_id", "item_id")
"""Inputs that say which row it is: the list's user and candidates are theirs."""


class Body(BaseModel):
    """Refuses unknown fields, numbers that are not finite, and texts where numbers are meant."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _OfAList(Body):
    """What /rank and /explain share: a user, items, and what is known beside the store."""

    user_id: Id
    items: Annotated[list[Id], FailFast()] = Field(min_length=1, max_length=MOST_ITEMS)
    context: Row = Field(
        default_factory=dict,
        description="Inputs that hold for the whole list, such as place_id.",
    )
    features: RowsByItem = Field(
        default_factory=dict,
        description="Inputs of single items, by item: they replace what the store says. "
        "user_id and item_id cannot be replaced.",
    )
    at: Moment | None = Field(
        None, description="Time of the request, with a zone; null: the service's clock."
    )
    weights: dict[Id, Annotated[float, Strict(), Field(ge=0)]] | None = Field(
        None,
        max_length=200,
        description="λ by task for this request, instead of the model's; need not sum to 1.",
    )

    @model_validator(mode="after")
    def _each_candidate_once(self) -> Self:
        known = set(self.items)
        if len(known) != len(self.items):
            seen: set[str] = set()
            for number, item in enumerate(self.items):
                if item in seen:
                    raise fault(f"{item!r} stands more than once", "items", number)
                seen.add(item)
        for item, row in self.features.items():
            if item not in known:
                raise fault("is not among items", "features", item)
            for name in _OF_THE_ROW:
                if name in row:
                    what = "says which row it is, and cannot be replaced"
                    raise fault(what, "features", item, name)
        return self


class RankRequest(_OfAList):
    """One list to rank for one user.

    Users and items may be unknown; every candidate comes back once.
    """

    top_k: Annotated[int, Strict(), Field(ge=1)] | None = Field(
        None, description="How many to return; null: all."
    )
    request_id: Id | None = Field(
        None, description="Of the caller, for feedback to name; null: one is made."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "user_id": "1946",
                "items": ["1082185", "1071939", "never-seen"],
                "context": {"place_id": "400"},
            }
        }
    )


@dataclass(frozen=True, slots=True)
class RankedItem:
    """A candidate with its score and the expected outcome of each task."""

    item_id: str
    score: float
    predictions: dict[str, float]


@dataclass(frozen=True, slots=True)
class RankResponse:
    """The candidates, best first.

    Args:
        request_id: given, or made; feedback names it.
        goals: the task whose prediction speaks for each goal of the shop.
        model_version: version of the bundle.
        degraded: the feature store did not answer or has lost its features; defaults stood in.
    """

    request_id: str
    items: list[RankedItem]
    model_version: str
    degraded: bool
    goals: dict[str, str] = field(default_factory=dict)


class PredictRequest(Body):
    """Rows with every input of the model and `shown_at`, times as ISO 8601."""

    rows: Annotated[list[Row], FailFast()] = Field(min_length=1, max_length=MOST_ITEMS)

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"rows": [{"item_id": "i1", "shown_at": "2026-01-31T12:00:00+00:00"}]}
        }
    )


@dataclass(frozen=True, slots=True)
class PredictResponse:
    """Expected outcome by task, a row each."""

    predictions: list[dict[str, float]]
    model_version: str


class ExplainRequest(_OfAList):
    """Why some items score as they do for a user."""

    items: Annotated[list[Id], FailFast()] = Field(min_length=1, max_length=MOST_EXPLAINED)
    top_features: Annotated[int, Strict(), Field(ge=0, le=500)] = Field(
        10, description="Inputs told per item, those of the largest effect."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "user_id": "1946",
                "items": ["1082185", "1071939"],
                "context": {"place_id": "400"},
                "top_features": 5,
            }
        }
    )


@dataclass(frozen=True, slots=True)
class GoalShare:
    """What one task adds to the score.

    Args:
        goals: names of the shop's goals that the task speaks for.
        weight: λ.
        prediction: expected outcome.
        mean: of the prediction over the validation period; makes tasks unit-free.
        contribution: λ · prediction / mean, or λ · log(prediction / mean) where the fusion is
            multiplicative; over the tasks they sum to the score.
    """

    task: str
    goals: list[str]
    weight: float
    prediction: float
    mean: float
    contribution: float


@dataclass(frozen=True, slots=True)
class FeatureEffect:
    """How much of the score goes when one input is replaced by the training default.

    Args:
        value: what the model read; a time as ISO 8601; null: missing.
        baseline: the default that replaced it; null: missing.
        effect: score as it is − score with the default; above 0: the value lifts the item.
    """

    input: str
    value: str | float | None
    baseline: str | float | None
    effect: float


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """An item's score and what it is made of, exactly by goals and approximately by inputs."""

    item_id: str
    score: float
    goals: list[GoalShare]
    features: list[FeatureEffect]


@dataclass(frozen=True, slots=True)
class ExplainResponse:
    """The items, best first.

    Args:
        fusion: additive, or multiplicative (then scores and contributions are logarithms).
        method: how the effects of inputs were found; see docs/serving.md.
        model_version: version of the bundle.
        degraded: defaults stood in for the feature store.
    """

    items: list[ExplainedItem]
    fusion: str
    method: str
    model_version: str
    degraded: bool


class _Row(Body):
    """What impressions and events share."""

    event_id: Id = Field(description="Unique for ever; what is sent again is stored once.")
    user_id: Id
    item_id: Id
    at: Moment = Field(description="When, with a zone; not in the future.")


class Impression(_Row):
    """An item that was shown."""

    request_id: Id = Field(description="Of the /rank answer that it was shown from.")
    position: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Place in the list, from 1."
    )
    propensity: Annotated[float, Strict(), Field(gt=0, le=1)] | None = Field(
        None, description="Probability with which the shop's policy put the item there."
    )
    context: Row = Field(
        default_factory=dict,
        description="Columns of the impression that the spec's features.context names.",
    )


class Event(_Row):
    """A click, a purchase, or another kind of event that the spec knows."""

    kind: Id = Field(description="Canonical kind: one of those of the spec's tasks or views.")
    request_id: Id | None = None
    value: Annotated[float, Strict(), Field(ge=0, le=1e12)] | None = Field(
        None, description="Money, in `currency`."
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        None, description="ISO 4217, such as EUR."
    )


class FeedbackRequest(Body):
    """What became of lists: impressions and events; send a batch again until it is acknowledged."""

    impressions: Annotated[list[Impression], FailFast()] = Field(
        default_factory=list, max_length=MOST_ITEMS
    )
    events: Annotated[list[Event], FailFast()] = Field(default_factory=list, max_length=MOST_ITEMS)

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "impressions": [
                    {
                        "event_id": "3f1c-1",
                        "request_id": "8b2f6d0c",
                        "user_id": "1946",
                        "item_id": "1082185",
                        "at": "2026-01-31T12:00:00+00:00",
                        "position": 1,
                    }
                ],
                "events": [
                    {
                        "event_id": "3f1c-2",
                        "request_id": "8b2f6d0c",
                        "user_id": "1946",
                        "item_id": "1082185",
                        "kind": "purchase",
                        "at": "2026-01-31T12:05:00+00:00",
                        "value": 3.49,
                        "currency": "USD",
                    }
                ],
            }
        }
    )

    @model_validator(mode="after")
    def _each_event_once(self) -> Self:
        if not self.impressions and not self.events:
            raise fault("there is no event and no impression in the batch", "events")
        seen: set[str] = set()
        tables: dict[str, Sequence[_Row]] = {"impressions": self.impressions, "events": self.events}
        for table, rows in tables.items():
            for number, row in enumerate(rows):
                if row.event_id in seen:
                    what = "stands in the batch before; give it once"
                    raise fault(what, table, number, "event_id")
                seen.add(row.event_id)
        return self


@dataclass(frozen=True, slots=True)
class FeedbackResponse:
    """What was stored; each row of the batch is on disk now.

    Args:
        stored: rows written now.
        duplicates: rows that were stored before, and are not again.
        unknown_requests: rows whose request this service has not answered since it started and no
            stored impression names; they are stored like the others.
    """

    stored: int
    duplicates: int
    unknown_requests: int


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """Every answer that is no 2xx: `{"error": {"path", "message", "also"?}}`."""

    error: dict[str, object]


FIELDS = frozenset(
    name
    for body in (RankRequest, PredictRequest, ExplainRequest, FeedbackRequest)
    for name in body.model_fields
)
"""Names of the fields of all bodies."""
