"""The catalogue: which features exist, and what they are computed from."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shopguide.spec._section import Name, Section, Zone
from shopguide.spec.online import OnlineStore

Window = Annotated[
    int, Field(ge=1, le=100_000, description="Whole periods before the one of the impression.")
]


class Measure(Section):
    """An aggregate of a history table over windows that end before the period begins.

    Exactly one of the four: `count_distinct` of a column, `sum` of a column, `last`, the time of
    the last row (it enters the model as an age), or `sequence`, the last `length` values of a
    column, newest last. Only the first two have windows.
    """

    count_distinct: str | None = None
    sum: str | None = None
    last: Literal["at"] | None = None
    sequence: str | None = Field(
        None, description="Column of the table, or attribute of the item, such as item_id."
    )
    windows: list[Window] = Field(default_factory=list)
    length: int | None = Field(
        None, ge=1, le=200, description="Values that a sequence keeps: the newest."
    )

    @model_validator(mode="after")
    def _one_aggregate(self) -> Self:
        kinds = ("count_distinct", "sum", "last", "sequence")
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"needs exactly one of {', '.join(kinds)}; found {given or 'none'}"
            raise ValueError(msg)
        if (given[0] in ("count_distinct", "sum")) != bool(self.windows):
            msg = "count_distinct and sum need windows; last and sequence take none"
            raise ValueError(msg)
        if (self.sequence is None) != (self.length is None):
            msg = "a sequence needs a length, and nothing else has one"
            raise ValueError(msg)
        return self


class Ratio(Section):
    """One measure over another, null where the denominator is 0."""

    of: str = Field(description="`MEASURE_WINDOW` of the same view.")
    per: str = Field(description="`MEASURE_WINDOW` of the same view.")


class View(Section):
    """Features of one entity (or pair of entities), computed from one history table.

    A view becomes one Feast feature view. Column names are VIEW_MEASURE_WINDOW, VIEW_MEASURE
    for `last` and `sequence`, and VIEW_RATIO.
    """

    keys: list[Name] = Field(
        min_length=1, max_length=2, description="user_id, item_id, place_id or an item attribute."
    )
    table: Literal["events", "promotions", "exposures"] = "events"
    kind: str | None = Field(None, description="Kind of event, when the table is events.")
    measures: dict[Name, Measure] = Field(min_length=1)
    ratios: dict[Name, Ratio] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ratios_name_measures(self) -> Self:
        known = {f"{m}_{w}" for m, measure in self.measures.items() for w in measure.windows}
        for name, ratio in self.ratios.items():
            for part in (ratio.of, ratio.per):
                if part not in known:
                    msg = f"ratio {name} names {part!r}; this view has {', '.join(sorted(known))}"
                    raise ValueError(msg)
        if len(set(self.keys)) != len(self.keys):
            msg = f"keys: {self.keys[0]} stands twice"
            raise ValueError(msg)
        if (self.table == "events") != (self.kind is not None):
            msg = "kind is needed for table: events, and only there"
            raise ValueError(msg)
        return self


InputKind = Literal["categorical", "numeric"]


class Features(Section):
    """All inputs of the model, apart from the ids of user and item.

    Time is cut into periods (local hours, days or Monday weeks). A snapshot at a period's start
    covers what happened strictly before it; an impression sees the last snapshot at or before its
    `shown_at`, offline through a point-in-time join and online from the same snapshots.
    """

    period: Literal["hour", "day", "week"] = "day"
    timezone: Zone = Field("UTC", description="Zone in which a period begins.")
    engine: Literal["local", "spark"] = Field(
        "local", description="What computes the snapshots: DuckDB here, or Spark; both the same."
    )
    delay_minutes: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Minutes until an event has reached the features: a snapshot holds from so "
        "long after its period's start.",
    )
    views: dict[Name, View] = Field(default_factory=dict)
    user_attributes: dict[Name, InputKind] = Field(default_factory=dict)
    item_attributes: dict[Name, InputKind] = Field(default_factory=dict)
    context: dict[Name, InputKind] = Field(
        default_factory=dict,
        description="Columns of the impression, known when it is shown.",
    )
    id_inputs: list[Literal["user_id", "item_id"]] = Field(
        default=["user_id", "item_id"], description="Ids that get an embedding."
    )
    online_store: OnlineStore = OnlineStore()

    def sequences(self) -> dict[str, Measure]:
        """Return the sequences of all views by the name of their column."""
        return {
            f"{name}_{measure_name}": measure
            for name, view in self.views.items()
            for measure_name, measure in view.measures.items()
            if measure.sequence is not None
        }

    def categorical_names(self) -> list[str]:
        """Return the names of the categorical inputs."""
        sections = (self.user_attributes, self.item_attributes, self.context)
        named = [
            name for section in sections for name, kind in section.items() if kind == "categorical"
        ]
        return [*self.id_inputs, *named]
