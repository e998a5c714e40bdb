"""What lists do to the catalogue: coverage, novelty, and how concentrated exposure is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.lists import RankedLists, sums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CatalogueMetrics:
    """What the first k places show; expected values where scores are equal.

    Args:
        k: places looked at.
        items: I, items of the catalogue.
        coverage: share of the items that some list shows.
        novelty: mean −log2 of the popularity of what is shown, in bits; NaN without popularity.
        exposure_gini: Gini of the items' expected exposures: 0 all alike, near 1 a few have all.
    """

    k: int
    items: int
    coverage: float
    novelty: float
    exposure_gini: float


def catalogue_metrics(
    lists: RankedLists,
    item: NDArray[np.int64],
    *,
    items: int,
    k: int,
    weights: Floats | None = None,
    popularity: Floats | None = None,
) -> CatalogueMetrics:
    """Return coverage, novelty and concentration of ranked lists.

    An item is exposed as often as lists show it in their first k places: a list of equal scores
    shows each in proportion. A list shows an item once at most.

    Args:
        lists: the ranking.
        item: index of each row's item [N], 0 … I − 1.
        items: I ≥ 1, with those that no list has.
        k: places, ≥ 1.
        weights: of each request [R], ≥ 0, for novelty and exposure; None: 1 each.
        popularity: of each item [I], in (0, 1], as known before the lists.

    Source: novelty: Vargas and Castells, "Rank and Relevance in Novelty and Diversity Metrics",
    RecSys 2011, §3 (free discovery); exposure: Diaz et al., "Evaluating Stochastic Rankings with
    Expected Exposure", CIKM 2020.
    """
    weight = np.ones(lists.requests) if weights is None else weights
    shown = lists.expected(np.ones(k))[lists.run]  # P(in the first k), by row of `order`
    of_row = item[lists.order]
    with np.errstate(divide="ignore"):
        unseen = sums(of_row, np.log1p(-shown), items)
    listed = weight[lists.request[lists.run]]
    exposure = sums(of_row, listed * shown, items)
    novelty = float("nan")
    if popularity is not None and exposure.sum() > 0:
        novelty = float(exposure @ -np.log2(popularity) / exposure.sum())
    return CatalogueMetrics(
        k=k,
        items=items,
        coverage=float(-np.expm1(unseen).sum() / items),
        novelty=novelty,
        exposure_gini=gini(exposure),
    )


def gini(amounts: Floats) -> float:
    """Return the Gini coefficient of amounts ≥ 0 [I]; NaN where all are 0.

    G = Σ_i (2i − I − 1) · x_(i) / (I · Σ x)    x_(1) ≤ … ≤ x_(I)
    """
    count, total = len(amounts), float(amounts.sum())
    if not total > 0:
        return float("nan")
    place = 2 * np.arange(1, count + 1) - count - 1
    return float(place @ np.sort(amounts) / (count * total))
