"""The periods of training, validation and test."""

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from shopguide.spec._section import Section, Zone


class Period(Section):
    """A half-open interval of time; times without a zone are UTC."""

    start: datetime
    end: datetime

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.start.tzinfo is None) != (self.end.tzinfo is None):
            msg = "start and end must both name a zone, or neither"
            raise ValueError(msg)
        if self.end <= self.start:
            msg = f"ends at {self.end}, before it starts at {self.start}"
            raise ValueError(msg)
        return self


class Split(Section):
    """Train, validation and test periods, in that order, without overlap.

    An impression belongs to the period of its `shown_at`, and only if its attribution window is
    over before the next period begins: the gap is as long as the window.
    """

    train: Period
    valid: Period
    test: Period
    timezone: Zone = Field("UTC", description="Zone of times that name none.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for earlier, later in (("train", "valid"), ("valid", "test")):
            first, second = getattr(self, earlier), getattr(self, later)
            if (first.end.tzinfo is None) != (second.start.tzinfo is None):
                msg = f"{earlier} and {later} must both name a zone, or neither"
                raise ValueError(msg)
            if second.start < first.end:
                msg = f"{later} starts at {second.start}, before {earlier} ends at {first.end}"
                raise ValueError(msg)
        return self
