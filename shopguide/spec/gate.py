"""When a challenger replaces the champion."""

from pydantic import Field

from shopguide.spec._section import Fraction, Rate, Section


class Floor(Section):
    """Least value of a task's metric for a first champion."""

    auc: Fraction | None = None
    gauc: Fraction | None = None


class Gate(Section):
    """Statistics and guards of a promotion. No thresholds given: nothing is promoted."""

    min_gain: float | None = Field(
        None, ge=0, description="Lower bound that J − 1 must exceed; null: never promote."
    )
    margins: dict[str, Fraction] = Field(
        default_factory=dict,
        description="Goal → relative loss tolerated; 0 where none is given.",
    )
    slices: list[str] = Field(
        default_factory=list,
        description=(
            "Columns of the test set whose values may not lose; Holm over all of them. A slice "
            "with few users needs a wide margin."
        ),
    )
    slice_margin: Fraction | None = Field(
        None, description="Relative loss tolerated within a slice; null: the goal's margin."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided, of every bound.")
    replicates: int = Field(2000, ge=200, description="Bootstrap replicates over users.")
    min_users: int = Field(200, ge=2, description="Users the test period needs.")
    min_events: int = Field(100, ge=1, description="Positive outcomes each binary goal needs.")
    floors: dict[str, Floor] = Field(
        default_factory=dict, description="Task → floors, used while there is no champion."
    )
    baseline: str | None = Field(
        None, description="Feature whose ranking a first champion must beat (popularity)."
    )
    calibration: Rate | None = Field(
        0.3, description="Most |predicted/observed − 1| of any goal's task; null: not guarded."
    )
    max_latency_ms: float | None = Field(
        200.0, gt=0, description="Most p99 of scoring 200 rows with the bundle; null: not guarded."
    )
    max_auc: float = Field(0.995, gt=0.5, le=1, description="An AUC at or above this is a leak.")
