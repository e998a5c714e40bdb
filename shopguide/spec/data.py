"""Where the raw logs are and how they become the canonical log."""

from typing import Annotated, Literal

from pydantic import Field

from shopguide.spec._section import Rate, Section, Zone
from shopguide.spec.simulator import Simulator


class RequestRate(Section):
    """Share of requests kept in each split, by a hash of the request: lists stay whole."""

    train: Rate = 1.0
    valid: Rate = 1.0
    test: Rate = 1.0


class CompleteJourney(Section):
    """The Complete Journey: a year of grocery baskets and weekly promotions, from PyPI."""

    source: Literal["complete_journey"]
    path: str | None = Field(
        None, description="Folder of the Parquet files; null reads the installed package."
    )
    timezone: Zone = Field("America/New_York", description="Zone in which a week begins on Monday.")
    items: int = Field(100, ge=2, description="Items kept: the most widely bought in training.")
    history_weeks: int = Field(8, ge=1, description="First weeks, used for features only.")
    request_rate: RequestRate = RequestRate()


class Columns(Section):
    """The name that each canonical field has in the export; null when it has none."""

    user_id: str
    item_id: str
    kind: str = Field(description="Column with the kind of event.")
    at: str = Field(description="Column with the time of the event.")
    value: str | None = Field(None, description="Money paid or listed, in `currency`.")
    session_id: str | None = None
    event_id: str | None = Field(None, description="Unique id; duplicates of it are dropped.")
    place_id: str | None = Field(None, description="Store, site or channel.")


class Exposure(Section):
    """How impressions are known in an export that has none of its own.

    `views`: the first event of kind `event` of a user and item in a session is an impression.
    """

    rule: Literal["views"] = "views"
    event: str = Field("view", description="Canonical kind of event that is an impression.")


class EventLog(Section):
    """A shop's export with one event a row (CSV, TSV or Parquet), mapped without code."""

    source: Literal["events"]
    path: str = Field(description="File or glob; CSV and TSV may be gzipped.")
    columns: Columns
    kinds: dict[str, str] = Field(
        min_length=1, description="Kind in the export → canonical kind; others are an error."
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="Null: by the suffix, `,` or a tab."
    )
    header: list[str] | None = Field(
        None, min_length=1, description="Names, when the file has no header row."
    )
    time_format: str = Field(
        "iso", description="`iso`, `epoch_s`, `epoch_ms`, `epoch_us` or a strptime format."
    )
    timezone: Zone = Field("UTC", description="Zone of times that name none.")
    currency: str | None = None
    exposure: Exposure = Exposure()
    item_attributes: dict[str, str] = Field(
        default_factory=dict, description="Item attribute → column of the export."
    )
    user_attributes: dict[str, str] = Field(
        default_factory=dict, description="User attribute → column of the export."
    )
    max_bad_rows: int = Field(
        0, ge=0, description="Rows that may be unreadable; more is an error that shows them."
    )


Data = Annotated[CompleteJourney | EventLog | Simulator, Field(discriminator="source")]


class Attribution(Section):
    """Which events count as outcomes of an impression.

    `request`: events that carry the impression's request and item. `user_item`: events of the same
    user and item within the window after the impression; each is credited once, to the last one.
    """

    match: Literal["request", "user_item"] = "user_item"
    window_hours: float = Field(168.0, gt=0, le=87_600, description="Hours after the impression.")
