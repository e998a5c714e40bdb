"""The decision as data: `decision.json`, enough to understand a verdict and to reach it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from shopguide.gate.ledger import Ledger, Look
from shopguide.gate.reasons import Verdict
from shopguide.gate.sequence import GainSequence
from shopguide.gate.spending import Spending
from shopguide.gate.trade_off import Optimism, TradeOff

SCHEMA = "shopguide.decision/3"

Rule = Literal["at_least", "at_most", "below", "equal", "after", "waived"]


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open interval of time, ISO 8601 with a zone."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that was compared.

    Args:
        version: its version in the registry (champion), or of its bundle (challenger).
        checksum: of the bundle, all files.
        tasks: what it predicts.
        fusion: λ by task.
        chosen_from: how many models were trained, of which this one did best on the validation
            period; itself included.
    """

    version: str
    checksum: str
    feature_service: str
    tasks: tuple[str, ...]
    fusion: Mapping[str, float]
    chosen_from: int


@dataclass(frozen=True, slots=True)
class ObjectiveChange:
    """J − 1: the challenger's weighted relative gain over the champion.

    Args:
        lower: one-sided lower bound at `confidence`.
        upper: one-sided upper bound at `confidence`.
        min_gain: what `lower` must exceed; None: the spec sets none.
    """

    estimate: float
    lower: float
    upper: float
    min_gain: float | None
    passes: bool


@dataclass(frozen=True, slots=True)
class GoalChange:
    """One goal: values per request in the goal's unit, changes relative to the champion.

    Args:
        champion: None without a champion, and so is all that is relative to it.
        margin: loss that is tolerated; `lower` must stay above −margin.
    """

    title: str
    weight: float
    champion: float | None
    challenger: float
    change: float | None
    lower: float | None
    upper: float | None
    margin: float
    passes: bool | None


@dataclass(frozen=True, slots=True)
class SliceChange:
    """One goal within one slice.

    Args:
        users: users with an impression in the slice.
        p: one-sided p-value of "it loses the margin or more".
        p_holm: the same, adjusted over all judged slices and goals (Holm 1979).
        passes: None where the slice is too small to be judged.
    """

    column: str
    value: str
    goal: str
    users: int
    change: float | None
    lower: float | None
    upper: float | None
    margin: float
    p: float | None
    p_holm: float | None
    passes: bool | None


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition beside the gains.

    Args:
        value: what was found; None where it is not defined.
        limit: what it is held against, in the same unit.
        rule: how: value `at_least`, `at_most` or `below` the limit, or `equal` to it, or a
            period `after` another; `waived`: the spec lets it pass though it is not below.
    """

    name: str
    value: float | str | None
    limit: float | str
    rule: Rule
    passes: bool


@dataclass(frozen=True, slots=True)
class BaselineGoal:
    """One goal against the baseline's ranking."""

    baseline: float
    challenger: float
    change: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """J − 1 with a feature's ranking in the champion's place."""

    feature: str
    estimate: float
    lower: float
    upper: float
    min_gain: float
    passes: bool
    goals: Mapping[str, BaselineGoal]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Impressions of similar prediction: mean prediction, mean outcome, Σ of their weights."""

    predicted: float
    observed: float
    weight: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one model predicts one task on the test period.

    Args:
        metrics: those of `shopguide.evaluation.evaluate`; None where not defined.
        reliability: by rising prediction.
    """

    metrics: Mapping[str, float | None]
    reliability: tuple[ReliabilityBin, ...]

    def metric(self, name: str) -> float | None:
        """Return a metric, None where it is not defined for the task or on these rows."""
        return self.metrics.get(name)


@dataclass(frozen=True, slots=True)
class TaskQuality:
    """One task's prediction quality, for information and guards."""

    title: str
    kind: Literal["binary", "amount"]
    unit: str
    challenger: Quality
    champion: Quality | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the test period holds."""

    users: int
    requests: int
    impressions: int
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the challengers that were judged together, with its bounds adjusted for all of them.

    Args:
        objective: J − 1; None without a champion, or where it cannot be compared.
        baseline: J − 1 against the baseline's ranking; None where there is a champion.
        goals: each goal's change.
        reasons: what stands against it; none: it could be promoted.
        because: the same in words.
        latency_p99_ms: measured here; None where it is not guarded.
        chosen: whether the decision is about it: the best of those that could be promoted, else
            the one with the highest lower bound.
    """

    model: ModelEntry
    objective: ObjectiveChange | None
    baseline: BaselineChange | None
    goals: Mapping[str, GoalChange]
    reasons: tuple[str, ...]
    because: tuple[str, ...]
    latency_p99_ms: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict on a challenger, with every number that led to it.

    Args:
        reasons: codes of `shopguide.gate.reasons`; empty for a promotion.
        because: the same in words, with their numbers.
        objective: None without a champion, or where the two cannot be compared.
        baseline: the comparison with popularity; None where there is a champion.
        champion: None when there is none.
        challenger: the candidate that this is about.
        candidates: all that were judged, in the order in which they were given.
        tried: how many were compared on this test period, those that are not shown here included.
        periods: `test`, and what each model learnt from (`challenger`, `champion`).
        confidence: of every bound, one-sided: what is left after spending and candidates.
        spending: of the champion's error; None without a champion.
        sequence: what the champion's runs showed together, this one included; None where the
            spec's α-spending is no confidence sequence, or nothing was compared.
        look: this run's entry for the ledger; None where nothing was compared.
        trade_off: the challenger's Pareto front on validation; None where it has none.
        optimism: J on validation beside J on the test period; None where one is missing.
        terms: the spec's sections `objective` and `gate` as they were applied.
        notes: limits of the data that a reader must know.
        warnings: what a reader should look at, though it decides nothing.
        ledger: earlier looks at this champion, and the history of decisions.
        fingerprint: SHA-256 of what follows from the inputs: equal inputs, equal fingerprint.
        checksum: SHA-256 of everything but itself: an edited decision is found out.
    """

    schema: str
    verdict: Verdict
    reasons: tuple[str, ...]
    because: tuple[str, ...]
    title: str
    objective: ObjectiveChange | None
    goals: Mapping[str, GoalChange]
    slices: tuple[SliceChange, ...]
    guards: tuple[Guard, ...]
    baseline: BaselineChange | None
    tasks: Mapping[str, TaskQuality]
    champion: ModelEntry | None
    challenger: ModelEntry
    candidates: tuple[Candidate, ...]
    tried: int
    test_set: str
    periods: Mapping[str, Period]
    counts: Counts
    confidence: float
    spending: Spending | None
    look: Look | None
    replicates: int
    seed: int
    trade_off: TradeOff | None
    optimism: Optimism | None
    terms: Mapping[str, object]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    versions: Mapping[str, str]
    ledger: Ledger
    sequence: GainSequence | None = None
    fingerprint: str = ""
    checksum: str = ""

    @property
    def promote(self) -> bool:
        """True iff every criterion of the gate holds."""
        return self.verdict == "promote"

    def guard(self, name: str) -> Guard | None:
        """Return the guard of that name, None where it was not set."""
        return next((guard for guard in self.guards if guard.name == name), None)

    def to_json(self) -> dict[str, object]:
        """Return the content of decision.json."""
        content: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return content
