"""A question to a log, and what the log says."""

from dataclasses import asdict, dataclass
from typing import Literal

from shopguide.evaluation.off_policy.diagnostics import Reason, statement
from shopguide.evaluation.off_policy.estimate import OffPolicy
from shopguide.evaluation.off_policy.intervals import Method
from shopguide.evaluation.task_metrics import as_lists, finite

FORMAT = 1
"""Version of off_policy.json."""

Unit = Literal["user", "row"]


@dataclass(frozen=True, slots=True)
class Question:
    """How the question is put.

    Args:
        unit: what is independent.
        clip: bound of the weights of the clipped estimators.
        threshold: weight above which SWITCH-DR trusts the model alone.
        method: of the intervals.
        confidence: of the intervals, two-sided.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """

    unit: Unit = "user"
    clip: float = 10.0
    threshold: float = 10.0
    method: Method = "bootstrap"
    confidence: float = 0.95
    replicates: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the log says.

    Args:
        title: of the shop.
        target: name of the policy that is asked about.
        bundle: version, where the target is a bundle's.
        where: what was read.
        rows: decisions.
        requests: of the log.
        question: of the question.
        titles: of the tasks.
        tasks: estimates by task; empty where there are no propensities.
        reasons: why the logs cannot answer.
        assumptions: what must hold beside the propensities.
        notes: limits of the data.
    """

    title: str
    target: str
    bundle: str | None
    where: str
    rows: int
    requests: int
    question: Question
    titles: dict[str, str]
    tasks: dict[str, OffPolicy]
    reasons: tuple[Reason, ...]
    assumptions: tuple[str, ...]
    notes: list[str]

    @property
    def answers(self) -> bool:
        """Whether the log can answer."""
        return not self.reasons

    @property
    def statement(self) -> str:
        """One plain sentence."""
        return statement(self.reasons)

    def to_json(self) -> dict[str, object]:
        """Return off_policy.json: numbers that are not defined are null."""
        first = next(iter(self.tasks.values()), None)
        return {
            "format": FORMAT,
            "title": self.title,
            "target": self.target,
            "bundle": self.bundle,
            "data": {"path": self.where, "rows": self.rows, "requests": self.requests},
            "question": asdict(self.question),
            "answers": self.answers,
            "statement": self.statement,
            "reasons": [asdict(reason) for reason in self.reasons],
            "diagnostics": None if first is None else _diagnostics(first),
            "tasks": {name: _estimates(found) for name, found in self.tasks.items()},
            "assumptions": list(self.assumptions),
            "notes": self.notes,
        }


def _estimates(found: OffPolicy) -> dict[str, object]:
    every = found.estimates | {"logged": found.logged_value, "gain": found.gain}
    return {
        name: {field: finite(value) for field, value in asdict(one).items()}
        for name, one in every.items()
    }


def _diagnostics(found: OffPolicy) -> dict[str, object]:
    fields = asdict(found.diagnostics)
    histogram = {name: fields.pop(name) for name in ("edges", "counts")}
    shown = {n: finite(v) if isinstance(v, float) else v for n, v in fields.items()}
    return shown | {"ess_share": found.diagnostics.ess_share, "histogram": as_lists(histogram)}
