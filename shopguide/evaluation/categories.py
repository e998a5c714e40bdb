"""How well a class is told from the others: accuracy, log-loss, F1 and who is taken for whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.lists import sums
from shopguide.evaluation.task_metrics import finite

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_LEAST = 1e-12
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class CategoryMetrics:
    """The metrics of one category task; C classes.

    Args:
        classes: names, by code.
        metrics: accuracy, macro_f1, log_loss (nats) and normalised_entropy (the log-loss over that
            of always predicting the shares; 1 says nothing was learnt).
        confusion: weight of rows of class i taken for class j [C, C]; a tie is shared.
        rows: all rows.
        reasons: by name of a metric that is NaN, why.
    """

    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    confusion: Floats
    rows: int
    reasons: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        return {
            "kind": "category",
            "rows": self.rows,
            "classes": list(self.classes),
            "metrics": {name: finite(value) for name, value in self.metrics.items()},
            "reasons": dict(self.reasons),
            "confusion": self.confusion.tolist(),
        }


def category_metrics(
    codes: Indices, probabilities: Floats, weights: Floats, classes: tuple[str, ...]
) -> CategoryMetrics:
    """Return the metrics of a category task.

    Macro F1 is the mean of 2·TP / (2·TP + FP + FN) over the classes that occur or are predicted.

    Args:
        codes: true class of each row [N], 0 … C − 1.
        probabilities: of each class [N, C], Σ = 1.
        weights: ≥ 0 [N].
        classes: names, by code.
    """
    rows, mass, number = len(codes), float(weights.sum()), len(classes)
    names = ("accuracy", "macro_f1", "log_loss", "normalised_entropy")
    if not mass > 0:
        why = dict.fromkeys(names, "all weights are 0")
        empty = np.zeros((number, number))
        return CategoryMetrics(classes, dict.fromkeys(names, _NAN), empty, rows, why)
    best = probabilities == probabilities.max(axis=1, keepdims=True)
    taken = best / best.sum(axis=1, keepdims=True) * weights[:, None]
    confusion = np.column_stack([sums(codes, taken[:, j], number) for j in range(number)])
    hit, occur, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    seen = occur + predicted > 0
    of_truth = np.clip(probabilities[np.arange(rows), codes], _LEAST, 1.0)
    loss = float(weights @ -np.log(of_truth)) / mass
    shares = occur[occur > 0] / mass
    entropy = float(-shares @ np.log(shares))
    reasons = {} if entropy > 0 else {"normalised_entropy": "there is one class only"}
    metrics = {
        "accuracy": float(hit.sum()) / mass,
        "macro_f1": float(np.mean(2 * hit[seen] / (occur + predicted)[seen])),
        "log_loss": loss,
        "normalised_entropy": loss / entropy if entropy > 0 else _NAN,
    }
    return CategoryMetrics(classes, metrics, confusion, rows, reasons)
