"""The few metrics that training reports; the gate has its own, on the test period."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from shopguide.training.reading import WEIGHT
from shopguide.training.samples import as_floats


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
    predictions: Mapping[str, NDArray[np.float64]], table: pa.Table, tasks: Iterable[str]
) -> dict[str, float]:
    """Return the rank correlation of each amount with its prediction, among rows that have one.

    0 where it is not defined: fewer than two such rows, or all alike.
    """
    found: dict[str, float] = {}
    for name in tasks:
        label = as_floats(table, name)
        positive = label > 0
        pair = label[positive], predictions[name][positive]
        defined = all(len(values) > 1 and np.ptp(values) > 0 for values in pair)
        found[name] = float(spearmanr(*pair).statistic) if defined else 0.0
    return found
