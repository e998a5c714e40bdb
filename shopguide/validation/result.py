"""What a check found, whoever made it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from shopguide.validation.histograms import Histogram
from shopguide.validation.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation and what became of it.

    Args:
        code: kind of check, such as `not_null` or `funnel_order`.
        where: table and column.
        expected: what must hold, as a sentence.
        found: what was found.
        fix: what to do if it does not hold.
        severity: a failed error stops the pipeline, a failed warning is shown.
        passes: whether it holds.
    """

    code: str
    where: str
    expected: str
    found: str
    fix: str
    severity: Literal["error", "warning"]
    passes: bool


@dataclass(frozen=True, slots=True)
class InputProfile:
    """An input of the model in the training and the test period.

    Args:
        null_train: share of nulls in training.
        null_test: share of nulls in test.
        psi: population stability index between the two; None for times.
        histogram: of the three periods; None for times and sequences, and without values.
    """

    name: str
    kind: str
    null_train: float
    null_test: float
    psi: float | None
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Every check of one log and training set.

    Args:
        checks: in the order in which they were made.
        rows: rows of each table.
        label_means: mean of each task's label by split.
        inputs: the model's inputs, train against test.
        left_out: rows of the export that are not in the log, by reason.
        log_notes: how impressions are known, and what is odd about the export.
        timeline: impressions and label means over time; None where they cannot be read.
    """

    checks: Sequence[Check]
    rows: Mapping[str, int]
    label_means: Mapping[str, Mapping[str, float]]
    inputs: Sequence[InputProfile]
    left_out: Mapping[str, int] = field(default_factory=dict)
    log_notes: Sequence[str] = ()
    timeline: Timeline | None = None

    @property
    def passes(self) -> bool:
        """Whether no error was found."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The errors that were found."""
        return [check for check in self.checks if not check.passes and check.severity == "error"]

    @property
    def warnings(self) -> list[Check]:
        """The warnings that were found."""
        return [check for check in self.checks if not check.passes and check.severity == "warning"]

    def first_failures(self, most: int = 3) -> str:
        """Say in one line what failed: the first few errors, and how many more there are."""
        texts = [f"{c.where}: {c.found}, expected: {c.expected}" for c in self.failures]
        more = [f"and {len(texts) - most} more"] if len(texts) > most else []
        return "; ".join([*texts[:most], *more])

    def to_dict(self) -> dict[str, object]:
        """Return everything for `--json`."""
        return {"passes": self.passes, **asdict(self)}
