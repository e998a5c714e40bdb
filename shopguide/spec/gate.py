"""When a challenger replaces the champion."""

from typing import Literal

from pydantic import Field

from shopguide.spec._section import Fraction, Rate, Section

SpendingFunction = Literal[
    "none", "bonferroni", "pocock", "obrien_fleming", "harmonic", "confidence_sequence"
]


class Floor(Section):
    """Least value of a task's metric for a first champion."""

    auc: Fraction | None = None
    gauc: Fraction | None = None


class AlphaSpending(Section):
    """How the error 1 − confidence is spread over the runs that one champion sees.

    Each night's challenger on fresh data is a hypothesis of its own. What is controlled is the
    probability that one champion is ever replaced by a challenger that is no better, over a
    horizon of N runs: the levels α_1 … α_N sum to at most 1 − confidence, which holds however
    the runs depend on each other. After N runs the next horizon begins with a budget of its own,
    but for `harmonic`, whose budget lasts for ever.

    `confidence_sequence` asks another question: what have this champion's challengers brought on
    average? Its bound holds after every run at once, without an end, and every impression counts
    once. A promotion needs it, and the run's own bound at `confidence`.
    """

    function: SpendingFunction = Field(
        "bonferroni",
        description=(
            "none: 1 − confidence in every run, so a false promotion in 30 runs is likely; "
            "bonferroni: the same in each of N runs; pocock: a little more in the early ones; "
            "obrien_fleming: next to nothing at first, most in the last; harmonic: half at once, "
            "a sixth next, 1/(n(n + 1)) in run n, without an end; confidence_sequence: evidence "
            "of all runs of a champion is put together, by a bound that holds at all times."
        ),
    )
    horizon: int = Field(
        30,
        ge=1,
        le=1000,
        description=(
            "N: runs of one champion that share the error; of confidence_sequence, which has no "
            "end: the run at which its bound is tightest."
        ),
    )


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
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="One-sided, over all runs that share the error; see alpha_spending.",
    )
    alpha_spending: AlphaSpending = AlphaSpending()
    replicates: int = Field(
        2000,
        ge=200,
        le=1_000_000,
        description="Bootstrap replicates over users, at least; a small error takes more.",
    )
    min_users: int = Field(200, ge=2, description="Users the test period needs.")
    min_events: int = Field(100, ge=1, description="Positive outcomes each goal needs.")
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
    max_auc: float = Field(
        0.995,
        gt=0.5,
        le=1,
        description="An AUC at or above this is a leak, of the model or of one feature.",
    )
    waive_leaks: list[str] = Field(
        default_factory=list,
        description="Features that may tell the label all the same; say why in a comment.",
    )
