"""Whether large amounts are told from small ones, and whether their sum is right."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def spearman(outcomes: Floats, predictions: Floats) -> float:
    """Return Spearman's rank correlation, ties at their mean; NaN where a side is constant."""
    return _correlation(rankdata(outcomes), rankdata(predictions))


def spearman_within(outcomes: Floats, predictions: Floats, groups: NDArray[np.int64]) -> float:
    """Return the mean rank correlation within groups, weighted by their rows.

    Groups in which either side is constant are left out; NaN where that leaves none.

    Args:
        outcomes: [N].
        predictions: [N].
        groups: index of each row's group [N].
    """
    x, y = _ranks_within(outcomes, groups), _ranks_within(predictions, groups)
    sizes = np.bincount(groups).astype(np.float64)
    means = (sizes + 1) / 2
    dx, dy = x - means[groups], y - means[groups]
    covariance = np.bincount(groups, weights=dx * dy)
    spread = np.sqrt(np.bincount(groups, weights=dx * dx) * np.bincount(groups, weights=dy * dy))
    defined = spread > 0
    if not defined.any():
        return float("nan")
    return float(np.average(covariance[defined] / spread[defined], weights=sizes[defined]))


def normalised_gini(outcomes: Floats, predictions: Floats, weights: Floats) -> float:
    """Return the Gini of the outcomes ordered by prediction over that ordered by themselves.

    1 is the perfect order, 0 a random one. NaN where nothing was spent.

    Source: Wang et al., "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019,
    §4.2; equal predictions share their outcomes evenly.
    """
    best = _gini(outcomes, outcomes, weights)
    return _gini(outcomes, predictions, weights) / best if best > 0 else float("nan")


def _gini(outcomes: Floats, by: Floats, weights: Floats) -> float:
    order = np.argsort(-by, kind="stable")
    values, mass, sums = by[order], weights[order], (weights * outcomes)[order]
    if not sums.sum() > 0:
        return float("nan")
    last = np.flatnonzero(np.concatenate((np.diff(values) != 0, [True])))
    share = np.concatenate(([0.0], np.cumsum(mass)[last] / mass.sum()))
    gained = np.concatenate(([0.0], np.cumsum(sums)[last] / sums.sum()))
    return float(2 * np.trapezoid(gained, share) - 1)


def _correlation(x: Floats, y: Floats) -> float:
    dx, dy = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((dx @ dx) * (dy @ dy)))
    return float(dx @ dy) / spread if spread > 0 else float("nan")


def _ranks_within(values: Floats, groups: NDArray[np.int64]) -> Floats:
    """Rank within each group, from 1, ties at their mean."""
    order = np.lexsort((values, groups))
    group, value = groups[order], values[order]
    begin = np.flatnonzero(np.concatenate(([True], np.diff(group) != 0)))
    run = np.flatnonzero(np.concatenate(([True], (np.diff(group) != 0) | (np.diff(value) != 0))))
    lengths = np.diff(np.append(run, len(values)))
    first = run - begin[np.searchsorted(begin, run, side="right") - 1]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (lengths + 1) / 2, lengths)
    return ranks
