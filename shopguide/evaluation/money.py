"""Whether large amounts are told from small ones, and whether their sum is right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.ordering import order_within, rising

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DecileChart:
    """Parts of equal weight by falling prediction, the most promising first; D of them.

    Equal predictions share their outcomes evenly between the parts that they fall in: the value
    expected if their order were drawn at random.

    Args:
        predicted: mean prediction of each part [D].
        observed: mean outcome of each part [D].
        share: part of all outcomes that lies in it [D], Σ = 1; NaN where nothing was observed.
    """

    predicted: Floats
    observed: Floats
    share: Floats


def spearman(outcomes: Floats, predictions: Floats, weights: Floats | None = None) -> float:
    """Return Spearman's rank correlation, ties at their mean rank.

    A weight counts as so many equal rows.

    Args:
        outcomes: [N].
        predictions: [N].
        weights: ≥ 0 [N]; None: 1 each.

    Returns:
        NaN where a side is constant or there is no weight.

    Source: Spearman, "The Proof and Measurement of Association between Two Things", 1904.
    """
    return spearman_within(outcomes, predictions, np.zeros(len(outcomes), np.int64), weights)


def spearman_within(
    outcomes: Floats, predictions: Floats, groups: Groups, weights: Floats | None = None
) -> float:
    """Return the mean rank correlation within groups, weighted by their rows.

    Groups in which either side is constant are left out; NaN where that leaves none.

    Args:
        outcomes: [N].
        predictions: [N].
        groups: index of each row's group [N].
        weights: ≥ 0 [N]; a weight counts as so many equal rows; None: 1 each.
    """
    if not len(outcomes):
        return float("nan")
    w = np.ones(len(outcomes)) if weights is None else weights
    x, y = _middle_ranks(outcomes, groups, w), _middle_ranks(predictions, groups, w)
    mass = np.bincount(groups, weights=w)
    middle = mass[groups] / 2
    dx, dy = x - middle, y - middle
    covariance = np.bincount(groups, weights=w * dx * dy)
    spread = np.sqrt(
        np.bincount(groups, weights=w * dx * dx) * np.bincount(groups, weights=w * dy * dy)
    )
    defined = spread > 0
    if not defined.any():
        return float("nan")
    return float(np.average(covariance[defined] / spread[defined], weights=mass[defined]))


def normalised_gini(
    outcomes: Floats, predictions: Floats, weights: Floats, *, order: Groups | None = None
) -> float:
    """Return the Gini of the outcomes ordered by prediction over that ordered by themselves.

    1 is the perfect order, 0 a random one. NaN where nothing was spent.

    Args:
        outcomes: money ≥ 0 [N].
        predictions: [N].
        weights: ≥ 0 [N].
        order: the rows by rising prediction, if they were sorted already [N].

    Source: Wang et al., "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019,
    §4.2; equal predictions share their outcomes evenly.
    """
    best = _gini(outcomes, outcomes, weights, None)
    return _gini(outcomes, predictions, weights, order) / best if best > 0 else float("nan")


def deciles(
    outcomes: Floats,
    predictions: Floats,
    weights: Floats,
    *,
    parts: int = 10,
    order: Groups | None = None,
) -> DecileChart:
    """Return the decile chart: what the rows with the largest predictions brought.

    Args:
        outcomes: money ≥ 0 [N].
        predictions: expected money [N].
        weights: ≥ 0, not all 0 [N]; a row may lie in two parts, in proportion.
        parts: D of them.
        order: the rows by rising prediction, if they were sorted already [N].

    Source: Wang et al. 2019, §4.2 (decile charts); ties after McSherry and Najork, "Computing
    Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores", 2008.
    """
    falling, last = _falling(predictions, order)
    at = np.arange(parts + 1) / parts
    place = np.concatenate(([0.0], np.cumsum(weights[falling])[last]))
    total = place[-1]

    def sums(values: Floats) -> Floats:
        reached = np.concatenate(([0.0], np.cumsum((weights * values)[falling])[last]))
        return np.diff(np.interp(at * total, place, reached))

    gained = sums(outcomes)
    everything = float(gained.sum())
    share = gained / everything if everything > 0 else np.full(parts, np.nan)
    return DecileChart(sums(predictions) / total * parts, gained / total * parts, share)


def _gini(outcomes: Floats, by: Floats, weights: Floats, order: Groups | None) -> float:
    falling, last = _falling(by, order)
    mass, sums = weights[falling], (weights * outcomes)[falling]
    if not sums.sum() > 0:
        return float("nan")
    share = np.concatenate(([0.0], np.cumsum(mass)[last] / mass.sum()))
    gained = np.concatenate(([0.0], np.cumsum(sums)[last] / sums.sum()))
    return float(2 * np.trapezoid(gained, share) - 1)


def _falling(values: Floats, order: Groups | None) -> tuple[Groups, Groups]:
    """Return the rows by falling value [N], and where each run of equal values ends."""
    falling = (rising(values) if order is None else order)[::-1]
    last = np.flatnonzero(np.concatenate((np.diff(values[falling]) != 0, [True])))
    return falling, last


def _middle_ranks(values: Floats, groups: Groups, weights: Floats) -> Floats:
    """Return the weight below each row in its group, and half of that of its equals [N]."""
    order = order_within(groups, values)
    group, value, weight = groups[order], values[order], weights[order]
    starts_group = np.concatenate(([True], np.diff(group) != 0))
    starts_run = starts_group | np.concatenate(([True], np.diff(value) != 0))
    begin, run = np.flatnonzero(starts_group), np.flatnonzero(starts_run)
    group_mass = np.add.reduceat(weight, begin)
    run_mass = np.add.reduceat(weight, run)
    before_group = np.cumsum(group_mass) - group_mass
    group_of_run = np.searchsorted(begin, run, side="right") - 1
    middle = np.cumsum(run_mass) - run_mass / 2 - before_group[group_of_run]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(middle, np.diff(np.append(run, len(values))))
    return ranks
