"""How good predictions are: one metric of each name, with weights and exact ties.

Example:
    >>> import numpy as np
    >>> from shopguide.evaluation import auc
    >>> auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.9, 0.4, 0.4]))
    0.875
"""

from shopguide.evaluation.auc import GroupedAuc, auc, gauc, grouped_auc
from shopguide.evaluation.calibration import Reliability, pcoc, reliability
from shopguide.evaluation.catalogue import CatalogueMetrics, catalogue_metrics, gini
from shopguide.evaluation.categories import CategoryMetrics, category_metrics
from shopguide.evaluation.evaluate import evaluate
from shopguide.evaluation.likelihood import log_loss, normalised_entropy
from shopguide.evaluation.lists import ListMetrics, RankedLists, list_metrics
from shopguide.evaluation.money import (
    DecileChart,
    deciles,
    normalised_gini,
    spearman,
    spearman_within,
)
from shopguide.evaluation.precision import average_precision
from shopguide.evaluation.slices import SliceMetrics, evaluate_slices
from shopguide.evaluation.task_metrics import TaskMetrics

__all__ = [
    "CatalogueMetrics",
    "CategoryMetrics",
    "DecileChart",
    "GroupedAuc",
    "ListMetrics",
    "RankedLists",
    "Reliability",
    "SliceMetrics",
    "TaskMetrics",
    "auc",
    "average_precision",
    "catalogue_metrics",
    "category_metrics",
    "deciles",
    "evaluate",
    "evaluate_slices",
    "gauc",
    "gini",
    "grouped_auc",
    "list_metrics",
    "log_loss",
    "normalised_entropy",
    "normalised_gini",
    "pcoc",
    "reliability",
    "spearman",
    "spearman_within",
]
