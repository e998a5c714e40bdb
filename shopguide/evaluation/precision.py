"""Average precision: the area under the precision-recall curve, with weights and exact ties."""

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.ordering import rising

Floats = NDArray[np.float64]


def average_precision(
    labels: Floats,
    scores: Floats,
    weights: Floats | None = None,
    *,
    order: NDArray[np.int64] | None = None,
) -> float:
    """Return the mean precision at each new score, weighted by the recall that it adds.

        AP = Σ_t (R_t − R_{t−1}) · P_t    over the distinct scores t, falling

    Rows of equal score enter together, so no order among them is favoured.

    Args:
        labels: 0 or 1 [N].
        scores: finite [N].
        weights: ≥ 0 [N]; None: 1 each.
        order: the rows by rising score, if they were sorted already [N].

    Returns:
        NaN where there is no positive weight of positives.

    Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval", 2008, §8.4; no
    interpolation.
    """
    if not len(labels):
        return float("nan")
    weight = np.ones(len(labels)) if weights is None else weights
    falling = (rising(scores) if order is None else order)[::-1]
    last = np.flatnonzero(np.concatenate((np.diff(scores[falling]) != 0, [True])))
    hits = np.cumsum((weight * (labels > 0))[falling])[last]
    seen = np.cumsum(weight[falling])[last]
    if not hits[-1] > 0:
        return float("nan")
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return float(np.diff(hits, prepend=0.0) @ precision / hits[-1])
