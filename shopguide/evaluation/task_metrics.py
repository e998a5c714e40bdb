"""The metrics of one task, and why one is missing."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.auc import auc, gauc
from shopguide.evaluation.calibration import Reliability, pcoc, reliability
from shopguide.evaluation.likelihood import log_loss, normalised_entropy
from shopguide.evaluation.money import (
    DecileChart,
    deciles,
    normalised_gini,
    spearman,
    spearman_within,
)
from shopguide.evaluation.ordering import rising
from shopguide.evaluation.precision import average_precision

Floats = NDArray[np.float64]
_NAN = float("nan")

BINARY = ("auc", "gauc", "pr_auc", "log_loss", "normalised_entropy", "pcoc", "ece")
AMOUNT = ("normalised_gini", "spearman", "spearman_within", "pcoc", "bias", "ece")


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """The metrics of one task.

    Args:
        kind: binary or amount.
        metrics: by name; one that is not defined on these rows is NaN.
        reliability: the calibration curve; empty where there is no weight.
        positives: rows with a positive outcome.
        rows: all rows.
        deciles: of an amount, where there is weight.
        reasons: by name of a metric that is NaN, why.
    """

    kind: str
    metrics: Mapping[str, float]
    reliability: Reliability
    positives: int
    rows: int
    deciles: DecileChart | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them: NaN as null, arrays as lists."""
        shown: dict[str, object] = {
            "kind": self.kind,
            "rows": self.rows,
            "positives": self.positives,
            "metrics": {n: finite(v) for n, v in self.metrics.items()},
            "reasons": dict(self.reasons),
            "reliability": as_lists(asdict(self.reliability)),
        }
        if self.deciles is not None:
            shown["deciles"] = as_lists(asdict(self.deciles))
        return shown


def binary_metrics(
    labels: Floats, probabilities: Floats, weights: Floats, user: NDArray[np.int64]
) -> TaskMetrics:
    """Return the metrics of a binary task.

    Args:
        labels: 0 or 1 [N].
        probabilities: predicted, 0 … 1 [N].
        weights: ≥ 0 [N].
        user: index of each row's user, 0 … U − 1 [N].
    """
    positives = int((labels > 0).sum())
    if not weights.sum() > 0:
        return _without_weight("binary", BINARY, positives, len(labels))
    _, dense = np.unique(user, return_inverse=True)
    order = rising(probabilities)
    curve = reliability(labels, probabilities, weights, order=order)
    metrics = {
        "auc": auc(labels, probabilities, weights, order=order),
        "gauc": gauc(labels, probabilities, dense, weights, order=order),
        "pr_auc": average_precision(labels, probabilities, weights, order=order),
        "log_loss": log_loss(labels, probabilities, weights),
        "normalised_entropy": normalised_entropy(labels, probabilities, weights),
        "pcoc": pcoc(labels, probabilities, weights),
        "ece": curve.ece,
    }
    reasons = {}
    observed = float(weights @ labels)
    if math.isnan(metrics["auc"]):
        metrics["pr_auc"] = _NAN  # 0 or 1 by convention, and says nothing
        why = "no outcome is 1" if observed == 0 else "every outcome is 1"
        reasons = {name: why for name, value in metrics.items() if math.isnan(value)}
    elif math.isnan(metrics["gauc"]):
        reasons = {"gauc": "no user has both a 0 and a 1"}
    return TaskMetrics("binary", metrics, curve, positives, len(labels), None, reasons)


def amount_metrics(
    outcomes: Floats,
    expected: Floats,
    given_paid: Floats,
    weights: Floats,
    user: NDArray[np.int64],
) -> TaskMetrics:
    """Return the metrics of an amount of money.

    Args:
        outcomes: money ≥ 0 [N].
        expected: predicted money of an impression [N].
        given_paid: predicted money where something is paid [N]; ranks the rows that paid.
        weights: ≥ 0 [N].
        user: index of each row's user [N].
    """
    paid = outcomes > 0
    positives = int(paid.sum())
    if not weights.sum() > 0:
        return _without_weight("amount", AMOUNT, positives, len(outcomes))
    _, dense = np.unique(user[paid], return_inverse=True)
    pair, mass = (outcomes[paid], given_paid[paid]), weights[paid]
    order = rising(expected)
    curve = reliability(outcomes, expected, weights, order=order)
    ratio = pcoc(outcomes, expected, weights)
    metrics = {
        "normalised_gini": normalised_gini(outcomes, expected, weights, order=order),
        "spearman": spearman(*pair, mass),
        "spearman_within": spearman_within(*pair, dense, mass),
        "pcoc": ratio,
        "bias": ratio - 1,
        "ece": curve.ece,
    }
    nothing = not float(weights @ outcomes) > 0
    why = "nothing was paid" if nothing else "the rows that paid are too few or all alike"
    reasons = {name: why for name, value in metrics.items() if math.isnan(value)}
    if "spearman_within" in reasons and "spearman" not in reasons:
        reasons["spearman_within"] = "no user has two amounts that differ"
    chart = deciles(outcomes, expected, weights, order=order)
    return TaskMetrics("amount", metrics, curve, positives, len(outcomes), chart, reasons)


def finite(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def as_lists(arrays: Mapping[str, Floats]) -> dict[str, list[float | None]]:
    """Return arrays as lists of finite numbers or None."""
    return {name: [finite(v) for v in values.tolist()] for name, values in arrays.items()}


def _without_weight(kind: str, names: tuple[str, ...], positives: int, rows: int) -> TaskMetrics:
    empty = np.empty(0)
    return TaskMetrics(
        kind,
        dict.fromkeys(names, _NAN),
        Reliability(empty, empty, empty),
        positives,
        rows,
        None,
        dict.fromkeys(names, "all weights are 0"),
    )
