"""Ranked lists: NDCG, hit rate, recall, MRR and precision at K, with exact ties.

Equal scores have no order. Each metric is its expected value if the order of equal scores were
drawn at random, so neither the order of the rows nor a hash can move it.

Source: McSherry and Najork, "Computing Information Retrieval Performance Measures Efficiently in
the Presence of Tied Scores", ECIR 2008.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shopguide.evaluation.ordering import order_within

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RankedLists:
    """Rows by request and falling score, in runs of equal score. N rows, R requests, T runs.

    Args:
        order: the rows, request by request, by falling score [N].
        run: run of each row of `order` [N], rising.
        request: of each run [T].
        above: rows of the same request ranked above each run [T].
        size: rows of each run [T].
        requests: R.
    """

    order: Indices
    run: Indices
    request: Indices
    above: Indices
    size: Indices
    requests: int

    @classmethod
    def of(cls, request: Indices, scores: Floats) -> Self:
        """Rank the rows of each request.

        Args:
            request: index of each row's request [N], 0 … R − 1, each of which occurs.
            scores: finite [N].
        """
        order = order_within(request, -scores)
        listed, score = request[order], scores[order]
        starts_list = np.concatenate(([True], listed[1:] != listed[:-1]))
        starts_run = starts_list | np.concatenate(([True], score[1:] != score[:-1]))
        first = np.flatnonzero(starts_run)
        list_of_run = listed[first]
        above = first - np.flatnonzero(starts_list)[list_of_run]
        size = np.diff(np.append(first, len(order)))
        number = int(list_of_run[-1]) + 1
        return cls(order, np.cumsum(starts_run) - 1, list_of_run, above, size, number)

    def expected(self, worth: Floats) -> Floats:
        """Return the expected worth of a row of each run [T].

        Args:
            worth: of rank 1 … K [K]; 0 beyond.
        """
        reached = np.concatenate(([0.0], np.cumsum(worth)))
        below = np.minimum(self.above + self.size, len(worth))
        expected: Floats = reached[below] - reached[np.minimum(self.above, len(worth))]
        return expected / self.size

    def by_run(self, values: Floats) -> Floats:
        """Return Σ of the rows' values of each run [T]."""
        return sums(self.run, values[self.order], len(self.size))

    def by_request(self, values: Floats) -> Floats:
        """Return Σ of the runs' values of each request [R]."""
        return sums(self.request, values, self.requests)


@dataclass(frozen=True, slots=True)
class ListMetrics:
    """How well lists put outcomes on top; means over the requests that have an outcome.

    Args:
        k: ranks looked at.
        requests: all of them.
        judged: those with an outcome and a weight; the others say nothing about an order.
        ndcg: DCG over the best possible, gains as given, discount 1/log2(1 + rank).
        hit: probability that one of the first k has an outcome.
        recall: share of a request's outcomes among the first k.
        mrr: 1/rank of the first row with an outcome, 0 beyond k.
        precision: share of the first k places with an outcome; a short list leaves places empty.
    """

    k: int
    requests: int
    judged: int
    ndcg: float
    hit: float
    recall: float
    mrr: float
    precision: float


def list_metrics(
    lists: RankedLists, gains: Floats, *, k: int, weights: Floats | None = None
) -> ListMetrics:
    """Return the metrics of ranked lists; NaN where no request has an outcome.

    Args:
        lists: the ranking.
        gains: outcome of each row [N], ≥ 0; a row with a gain is relevant.
        k: ranks that count, ≥ 1.
        weights: of each request [R], ≥ 0; None: 1 each.

    Source: Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002.
    """
    weight = np.ones(lists.requests) if weights is None else weights
    relevant = lists.by_run((gains > 0).astype(np.float64))
    total = lists.by_request(relevant)
    judged = (total > 0) & (weight > 0)
    if not judged.any():
        return ListMetrics(k, lists.requests, 0, *[float("nan")] * 5)
    discount = 1 / np.log2(np.arange(2, k + 2))
    found = lists.by_request(relevant * lists.expected(np.ones(k)))
    gained = lists.by_request(lists.by_run(gains) * lists.expected(discount))
    best = _best(lists, gains, discount)
    hit, reciprocal = _first_relevant(lists, relevant, k)

    def mean(values: Floats) -> float:
        return float(np.average(values[judged], weights=weight[judged]))

    below = np.where(judged, total, 1.0)
    return ListMetrics(
        k=k,
        requests=lists.requests,
        judged=int(judged.sum()),
        ndcg=mean(gained / np.where(judged, best, 1.0)),
        hit=mean(hit),
        recall=mean(found / below),
        mrr=mean(reciprocal),
        precision=mean(found / k),
    )


def sums(index: Indices, values: Floats, size: int) -> Floats:
    """Return Σ of the values of each index 0 … size − 1."""
    return np.bincount(index, weights=values, minlength=size).astype(np.float64, copy=False)


def _best(lists: RankedLists, gains: Floats, discount: Floats) -> Floats:
    """Return the DCG of each request's best order [R]."""
    request = np.empty(len(gains), dtype=np.int64)
    request[lists.order] = lists.request[lists.run]
    rows = np.flatnonzero(gains > 0)
    rows = rows[np.lexsort((-gains[rows], request[rows]))]
    listed = request[rows]
    first = np.concatenate(([True], listed[1:] != listed[:-1]))
    place = np.arange(len(rows)) - np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    worth = np.append(discount, 0.0)[np.minimum(place, len(discount))]
    return sums(listed, gains[rows] * worth, lists.requests)


def _first_relevant(lists: RankedLists, relevant: Floats, k: int) -> tuple[Floats, Floats]:
    """Return P(first relevant rank ≤ k) and E[1/rank, 0 beyond k] of each request [R].

    It lies in the first run that has a relevant row. With n rows of which r are relevant, it is
    their j-th with probability p_1 = r/n, p_{j+1} = p_j · (n − j − r + 1) / (n − j).
    """
    runs = np.flatnonzero(relevant > 0)
    runs = runs[np.concatenate(([True], np.diff(lists.request[runs]) != 0))]
    n, r, above = lists.size[runs].astype(np.float64), relevant[runs], lists.above[runs]
    chance = r / n
    hit, reciprocal = np.zeros(len(runs)), np.zeros(len(runs))
    for j in range(1, k + 1):
        inside = np.where(above + j <= k, chance, 0.0)
        hit += inside
        reciprocal += inside / (above + j)
        chance = chance * np.maximum(n - j - r + 1, 0) / np.maximum(n - j, 1)
    found = np.zeros((2, lists.requests))
    found[:, lists.request[runs]] = hit, reciprocal
    return found[0], found[1]
