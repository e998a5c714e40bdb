"""Every task's metrics of one set of predictions."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from shopguide.evaluation.auc import auc, gauc
from shopguide.evaluation.calibration import Reliability, pcoc, reliability
from shopguide.evaluation.likelihood import log_loss, normalised_entropy
from shopguide.evaluation.money import normalised_gini, spearman, spearman_within
from shopguide.objective import Requests
from shopguide.spec import Spec
from shopguide.spec.tasks import BinaryTask

Floats = NDArray[np.float64]

_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """The metrics of one task.

    Args:
        kind: binary or amount.
        metrics: by name; one that is not defined on these rows is NaN.
        reliability: the calibration curve.
        positives: rows with a positive outcome.
    """

    kind: str
    metrics: Mapping[str, float]
    reliability: Reliability
    positives: int

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them: NaN as null, arrays as lists."""
        curve = {name: values.tolist() for name, values in asdict(self.reliability).items()}
        shown = {n: None if math.isnan(v) else v for n, v in self.metrics.items()}
        return {
            "kind": self.kind,
            "positives": self.positives,
            "metrics": shown,
            "reliability": curve,
        }


def evaluate(
    requests: Requests, predictions: Mapping[str, Floats], spec: Spec
) -> dict[str, TaskMetrics]:
    """Return the metrics of every task.

    Binary: auc, gauc (within users), pr_auc, log_loss, normalised_entropy, pcoc, ece. Amount: pcoc
    (predicted over observed money), ece, normalised_gini over all impressions; spearman and
    spearman_within (users) among the rows where something was paid, of the amount given that.

    Args:
        requests: logged outcomes, weights and users.
        predictions: expected outcome by task [N].
        spec: reads the tasks.
    """
    user = requests.user[requests.request]
    found = {}
    for name, task in spec.tasks.items():
        outcomes, predicted = requests.outcomes[name], predictions[name]
        if isinstance(task, BinaryTask):
            metrics = _binary(outcomes, predicted, requests.weight, user)
        else:
            given = predictions[task.after] if task.after else np.ones(len(predicted))
            metrics = _amount(outcomes, predicted, predicted / np.maximum(given, _LEAST), requests)
        curve = reliability(outcomes, predicted, requests.weight)
        metrics |= {"pcoc": pcoc(outcomes, predicted, requests.weight), "ece": curve.ece}
        found[name] = TaskMetrics(task.kind, metrics, curve, int((outcomes > 0).sum()))
    return found


def _binary(
    labels: Floats, probabilities: Floats, weights: Floats, user: NDArray[np.int64]
) -> dict[str, float]:
    both = 0 < labels.sum() < len(labels)
    precision = average_precision_score(labels, probabilities, sample_weight=weights) if both else 0
    return {
        "auc": auc(labels, probabilities, weights),
        "gauc": gauc(labels, probabilities, user, weights),
        "pr_auc": float(precision) if both else float("nan"),
        "log_loss": log_loss(labels, probabilities, weights),
        "normalised_entropy": normalised_entropy(labels, probabilities, weights),
    }


def _amount(
    outcomes: Floats, expected: Floats, given_paid: Floats, requests: Requests
) -> dict[str, float]:
    paid = outcomes > 0
    user = requests.user[requests.request][paid]
    _, dense = np.unique(user, return_inverse=True)
    enough = int(paid.sum()) > 1
    return {
        "normalised_gini": normalised_gini(outcomes, expected, requests.weight),
        "spearman": spearman(outcomes[paid], given_paid[paid]) if enough else float("nan"),
        "spearman_within": spearman_within(outcomes[paid], given_paid[paid], dense)
        if enough
        else float("nan"),
    }
