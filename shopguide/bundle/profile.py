"""What the training data looked like: defaults for serving, and a reference for drift."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import TrainPeriod


class InputProfile(Document):
    """Distribution of one input over the training rows.

    Args:
        null_rate: share of rows without a value.
        distinct: number of different values of a categorical.
        mean: of a numeric, or of a recency's age in days.
        quantiles: by name (`p01` … `p99`), same units.
        most_frequent: commonest value of a categorical, up to 20 with their shares.
        default: what serving may use for an unknown entity; null means "missing".
    """

    kind: Literal["categorical", "numeric", "recency"]
    null_rate: float
    distinct: int | None = None
    mean: float | None = None
    quantiles: dict[str, float] = Field(default_factory=dict)
    most_frequent: dict[str, float] = Field(default_factory=dict)
    default: str | float | None = None

    @model_validator(mode="after")
    def _default_is_a_value_of_the_kind(self) -> Self:
        if self.default is not None and isinstance(self.default, str) != (
            self.kind == "categorical"
        ):
            msg = f"default {self.default!r} is no value of a {self.kind} input"
            raise ValueError(msg)
        return self


class Profile(Document):
    """Profile of the training rows.

    Args:
        rows: impressions trained on.
        train_period: their period.
        log_end: time of the last impression of any split, the clock of a replayed service.
        label_rates: share of positive labels by task, over the training rows.
        inputs: profile by input, in the order of the manifest.
    """

    rows: int
    train_period: TrainPeriod
    log_end: datetime
    label_rates: dict[str, float]
    inputs: dict[str, InputProfile]
