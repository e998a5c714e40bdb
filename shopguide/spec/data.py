"""Where the raw logs are and how they become the canonical log."""

from typing import Annotated, Literal

from pydantic import Field

from shopguide.spec._section import Rate, Section, Zone
from shopguide.spec.event_log import EventLog
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


Data = Annotated[CompleteJourney | EventLog | Simulator, Field(discriminator="source")]


class Attribution(Section):
    """Which events count as outcomes of an impression.

    `request`: events that carry the impression's request and item. `user_item`: events of the same
    user and item within the window after the impression; each is credited once, to the last one
    before it, or with `touch: first` to the first one whose window it is in.
    """

    match: Literal["request", "user_item"] = "user_item"
    window_hours: float = Field(168.0, gt=0, le=87_600, description="Hours after the impression.")
    touch: Literal["last", "first"] = Field(
        "last", description="user_item: which of several impressions is credited."
    )
