"""How good predictions are: one metric of each name, with weights and exact ties.

Example:
    >>> import numpy as np
    >>> from shopguide.evaluation import auc
    >>> auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.9, 0.4, 0.4]))
    0.875
"""

from shopguide.evaluation.auc import GroupedAuc, auc, gauc, grouped_auc
from shopguide.evaluation.calibration import Reliability, pcoc, reliability
from shopguide.evaluation.evaluate import TaskMetrics, evaluate
from shopguide.evaluation.likelihood import log_loss, normalised_entropy
from shopguide.evaluation.money import normalised_gini, spearman, spearman_within

__all__ = [
    "GroupedAuc",
    "Reliability",
    "TaskMetrics",
    "auc",
    "evaluate",
    "gauc",
    "grouped_auc",
    "log_loss",
    "normalised_entropy",
    "normalised_gini",
    "pcoc",
    "reliability",
    "spearman",
    "spearman_within",
]
