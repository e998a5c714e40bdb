"""AUC, overall and within groups, with weights and exact ties."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.ordering import order_within

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GroupedAuc:
    """AUC of each group, and what it weighs.

    Args:
        auc: of each group [G]; NaN where it has one class only.
        weight: Σ of the rows' weights of each group [G].
    """

    auc: Floats
    weight: Floats

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Which groups have both classes [G]."""
        return np.isfinite(self.auc)


def auc(
    labels: Floats, scores: Floats, weights: Floats | None = None, *, order: Indices | None = None
) -> float:
    """Return the probability that a positive row is scored above a negative one.

        AUC = Σ_{i∈P, j∈N} w_i w_j (1[s_i > s_j] + ½ 1[s_i = s_j]) / (Σ_P w · Σ_N w)

    Args:
        labels: 0 or 1 [N].
        scores: finite [N].
        weights: ≥ 0 [N]; None: 1 each.
        order: the rows by rising score, if they were sorted already [N].

    Returns:
        NaN where there is one class only.
    """
    if not len(labels):
        return float("nan")
    groups = np.zeros(len(labels), dtype=np.int64)
    return float(grouped_auc(labels, scores, groups, weights, order=order).auc[0])


def gauc(
    labels: Floats,
    scores: Floats,
    groups: Indices,
    weights: Floats | None = None,
    *,
    order: Indices | None = None,
) -> float:
    """Return the mean AUC within groups, weighted by their impressions.

        GAUC = Σ_g n_g · AUC_g / Σ_g n_g    over the groups with both classes

    Args:
        labels: 0 or 1 [N].
        scores: finite [N].
        groups: index of each row's group, such as its user [N].
        weights: ≥ 0 [N]; n_g is their sum; None: 1 each.
        order: the rows by rising score, if they were sorted already [N].

    Returns:
        NaN where no group has both classes.

    Source: Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, §6.3.
    """
    found = grouped_auc(labels, scores, groups, weights, order=order)
    defined = found.defined
    total = found.weight[defined].sum()
    if total == 0:
        return float("nan")
    return float((found.auc[defined] * found.weight[defined]).sum() / total)


def grouped_auc(
    labels: Floats,
    scores: Floats,
    groups: Indices,
    weights: Floats | None = None,
    *,
    order: Indices | None = None,
) -> GroupedAuc:
    """Return the AUC within each group, all in one sort.

    Args:
        labels: 0 or 1 [N].
        scores: finite [N].
        groups: index of each row's group, 0 … G − 1, each of which occurs [N].
        weights: ≥ 0 [N]; None: 1 each.
        order: the rows by rising score, if they were sorted already [N].
    """
    weight = np.ones(len(labels)) if weights is None else weights
    order = order_within(groups, scores, order)
    group, score = groups[order], scores[order]
    positive = (weight * (labels > 0))[order]
    negative = (weight * (labels <= 0))[order]
    run = _starts(np.concatenate(([True], (np.diff(group) != 0) | (np.diff(score) != 0))))
    begin = _starts(np.concatenate(([True], np.diff(group) != 0)))
    p_run, n_run = np.add.reduceat(positive, run), np.add.reduceat(negative, run)
    p_group, n_group = np.add.reduceat(positive, begin), np.add.reduceat(negative, begin)
    below_all = np.cumsum(n_run) - n_run  # negatives in earlier runs, of any group
    run_of_group = np.searchsorted(run, begin)
    group_of_run = group[run] - group[0]
    below = below_all - below_all[run_of_group][group_of_run]
    wins = np.add.reduceat(p_run * (below + 0.5 * n_run), run_of_group)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = wins / (p_group * n_group)
    found[(p_group == 0) | (n_group == 0)] = np.nan
    return GroupedAuc(found, p_group + n_group)


def _starts(is_start: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(is_start).astype(np.int64)
