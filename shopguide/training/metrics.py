"""The few metrics that training reports; the gate has its own, on the test period."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from shopguide.spec.tasks import AmountTask
from shopguide.training.reading import WEIGHT
from shopguide.training.samples import as_floats

_LEAST_P = 1e-12


def valid_auc(
    predictions: Mapping[str, NDArray[np.float64]], table: pa.Table, tasks: Iterable[str]
) -> dict[str, float]:
    """Return the AUC of each binary task, rows weighted by `sample_weight`."""
    weight = as_floats(table, WEIGHT)
    return {
        name: float(roc_auc_score(as_floats(table, name), predictions[name], sample_weight=weight))
        for name in tasks
    }


def valid_spearman(
    predictions: Mapping[str, NDArray[np.float64]],
    table: pa.Table,
    tasks: Mapping[str, AmountTask],
) -> dict[str, float]:
    """Return the rank correlation of each amount with its expectation, among positive rows.

    The expectation is that of a positive row, E[y] / p, where p is another task's. 0 where the
    correlation is not defined: fewer than two such rows, or all alike.
    """
    found: dict[str, float] = {}
    for name, task in tasks.items():
        label = as_floats(table, name)
        positive = label > 0
        expected = predictions[name][positive]
        if task.after is not None:
            expected = expected / np.maximum(predictions[task.after][positive], _LEAST_P)
        pair = label[positive], expected
        defined = all(len(values) > 1 and np.ptp(values) > 0 for values in pair)
        found[name] = float(spearmanr(*pair).statistic) if defined else 0.0
    return found
