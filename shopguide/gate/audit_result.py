"""What an audit found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """How often a planted gain is promoted.

    Args:
        gain: of every goal alike, relative.
        power: share of the runs that promote, margins of the goals included.
        by_gain: share of the runs whose bound of J − 1 exceeds `min_gain`.
        oracle: the same for the test that knows the variance: Φ(log((1 + g)/(1 + min_gain))/σ − z).
    """

    gain: float
    power: float
    by_gain: float
    oracle: float


@dataclass(frozen=True, slots=True)
class GoalPoint:
    """How often a gain planted in one goal is seen in that goal.

    Args:
        gain: relative.
        power: share of the runs in which the goal's own bound exceeds zero.
        oracle: the same for the test that knows the variance: Φ(log(1 + g)/σ_k − z).
    """

    gain: float
    power: float
    oracle: float


@dataclass(frozen=True, slots=True)
class Family:
    """False promotions in families of comparisons that share one error, no member being better.

    Args:
        members: comparisons of a family.
        runs: families.
        false_promotion: share of them in which any member is promoted.
        false_promotion_ci: its exact 95 % interval.
        uncorrected: the same share if each member had the whole error.
    """

    members: int
    runs: int
    false_promotion: float
    false_promotion_ci: tuple[float, float]
    uncorrected: float


@dataclass(frozen=True, slots=True)
class SeasonPoint:
    """How often a gain that every challenger of a season has is promoted within the season.

    Args:
        gain: of every goal alike, relative.
        sequence: share of the seasons that the confidence sequence promotes in.
        night: median night on which it does, from 1; None where it does in less than half of them.
        spending: the same share where each night is judged for itself at its share of the error
            (bonferroni over the season).
        fixed: the same for one test of all nights together after the last of them, at the same
            error: what no rule that may stop at any night can beat by much.
    """

    gain: float
    sequence: float
    night: float | None
    spending: float
    fixed: float


@dataclass(frozen=True, slots=True)
class Nightly(Family):
    """A champion's many nights, a challenger each: what they share by `gate.alpha_spending`.

    Args:
        function: of α-spending.
        alpha: error that the first night may take, one-sided.
        minimum_detectable_gain: that the first night promotes with power 0.8; None: out of reach.
        days_needed: length of a test period that would show `wished_gain` to it; None where it
            does not exceed `min_gain` or the first night may take nothing.
        season: of a confidence sequence, rising gains; else empty.
    """

    function: str
    alpha: float
    minimum_detectable_gain: float | None
    days_needed: float | None
    season: tuple[SeasonPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """The error rates of the gate on one test period, for one comparison with the whole error.

    Args:
        runs: A/A relabellings.
        false_promotion: share of them that promote.
        false_promotion_ci: its exact 95 % interval (Clopper and Pearson, Biometrika 1934).
        false_gain: share whose bound of J − 1 exceeds `min_gain`: at most about 1 − `confidence`.
        false_by_estimate: share whose estimate does: what a gate without statistics promotes.
        standard_error: of J − 1: its spread over the relabellings.
        power: rising gains.
        minimum_detectable_gain: of every goal alike, promoted with power 0.8; None: out of reach.
        goals: gain of each goal that its own bound shows to be above zero with power 0.8.
        goal_power: likewise, rising gains of each goal alone.
        wished_gain: gain that the user asked about.
        days: length of the test period.
        days_needed: length that would show `wished_gain` with power 0.8 at this traffic; None where
            it does not exceed `min_gain`.
        against: what the challenger was compared with: "champion", or the baseline feature.
        several: challengers judged at once on one test period, their error shared by max-T; None
            where it was not asked for.
        nightly: runs of one champion, one after the other; None likewise.
    """

    runs: int
    false_promotion: float
    false_promotion_ci: tuple[float, float]
    false_gain: float
    false_by_estimate: float
    standard_error: float
    power: tuple[PowerPoint, ...]
    minimum_detectable_gain: float | None
    goals: Mapping[str, float | None]
    goal_power: Mapping[str, tuple[GoalPoint, ...]]
    wished_gain: float
    days: float
    days_needed: float | None
    users: int
    requests: int
    against: str
    confidence: float
    min_gain: float
    replicates: int
    seed: int
    several: Family | None = None
    nightly: Nightly | None = None

    def to_json(self) -> dict[str, object]:
        """Return the content of audit.json."""
        return asdict(self)
