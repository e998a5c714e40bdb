"""What the service is asked and what it answers."""

from collections import Counter
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Id = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)]
Value = str | float | Texts | None

MOST_ITEMS = 10_000
"""Candidates that a body may hold; the spec's `serving.max_candidates` is usually lower."""


class Strict(BaseModel):
    """Refuses unknown fields and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class RankRequest(Strict):
    """One list to rank for one user.

    Args:
        user_id: may be unknown.
        items: candidates, each once; may be unknown.
        top_k: how many to return; null: all.
        context: inputs that hold for the whole list, such as place_id.
        features: inputs of single items, by item: they replace what the store says.
        at: time of the request; null: the service's clock.
        weights: λ by task for this request, instead of the bundle's; need not sum to 1.
    """

    user_id: Id
    items: list[Id] = Field(min_length=1, max_length=MOST_ITEMS)
    top_k: int | None = Field(None, ge=1)
    context: dict[str, Value] = Field(default_factory=dict, max_length=500)
    features: dict[str, dict[str, Value]] = Field(default_factory=dict, max_length=MOST_ITEMS)
    at: AwareDatetime | None = None
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = None

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"example": {"user_id": "1", "items": ["1082185", "1029743"]}},
    )

    @model_validator(mode="after")
    def _each_candidate_once(self) -> Self:
        if len(set(self.items)) != len(self.items):
            ((repeated, _),) = Counter(self.items).most_common(1)
            msg = f"items: {repeated!r} stands more than once"
            raise ValueError(msg)
        strangers = set(self.features) - set(self.items)
        if strangers:
            msg = f"features: {min(strangers)!r} is not among items"
            raise ValueError(msg)
        return self


class RankedItem(BaseModel):
    """A candidate with its score and the expected outcome of each task."""

    item_id: str
    score: float
    predictions: dict[str, float]


class RankResponse(BaseModel):
    """The candidates, best first.

    Args:
        model_version: version of the bundle.
        degraded: the feature store did not answer or has lost its features; defaults stood in.
    """

    items: list[RankedItem]
    model_version: str
    degraded: bool


class PredictRequest(Strict):
    """Rows with every input of the model and `shown_at`, times as ISO 8601."""

    rows: list[dict[str, Value]] = Field(min_length=1, max_length=MOST_ITEMS)


class PredictResponse(BaseModel):
    """Expected outcome by task, a row each."""

    predictions: list[dict[str, float]]
    model_version: str
