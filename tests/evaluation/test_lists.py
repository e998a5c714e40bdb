"""Metrics of ranked lists against scikit-learn and against every order that ties allow."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from shopguide.evaluation import RankedLists, catalogue_metrics, gini, list_metrics

LIST = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=5)


def enumerated(scores: np.ndarray, gains: np.ndarray, k: int) -> dict[str, float]:
    """Mean over all orders of the rows that the scores allow."""
    orders = [
        list(order)
        for order in itertools.permutations(range(len(scores)))
        if (np.diff(scores[list(order)]) <= 0).all()
    ]
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.sort(gains)[::-1][:k]
    found: dict[str, list[float]] = {n: [] for n in ("ndcg", "hit", "recall", "mrr", "precision")}
    for order in orders:
        top = gains[order][:k]
        places = np.flatnonzero(top > 0)
        found["ndcg"].append(top @ discount[: len(top)] / (best @ discount[: len(best)]))
        found["hit"].append(float(len(places) > 0))
        found["recall"].append(len(places) / np.count_nonzero(gains))
        found["mrr"].append(1 / (places[0] + 1) if len(places) else 0.0)
        found["precision"].append(len(places) / k)
    return {name: float(np.mean(values)) for name, values in found.items()}


@settings(max_examples=60)
@given(st.lists(LIST, min_size=1, max_size=4), st.integers(1, 6), st.randoms(use_true_random=False))
def test_metrics_are_the_mean_over_every_order_that_ties_allow(
    lists: list[list[tuple[int, int]]], k: int, shuffle: object
) -> None:
    request = np.concatenate([np.full(len(rows), r) for r, rows in enumerate(lists)])
    gains, scores = np.array([row for rows in lists for row in rows], dtype=float).T
    weights = np.arange(1.0, len(lists) + 1)
    judged = [r for r in range(len(lists)) if gains[request == r].any()]
    order = list(range(len(request)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]  # a random.Random
    ranked = RankedLists.of(request[order], scores[order])
    found = list_metrics(ranked, gains[order], k=k, weights=weights)
    assert (found.requests, found.judged) == (len(lists), len(judged))
    each = [enumerated(scores[request == r], gains[request == r], k) for r in judged]
    for name in ("ndcg", "hit", "recall", "mrr", "precision"):
        value = getattr(found, name)
        if not judged:
            assert np.isnan(value)
            continue
        expected = np.average([one[name] for one in each], weights=weights[judged])
        assert value == pytest.approx(expected, abs=1e-12)


def test_ndcg_equals_scikit_learn_with_ties() -> None:
    generator = np.random.default_rng(4)
    gains = generator.integers(0, 4, (200, 12)).astype(float)
    scores = generator.integers(0, 5, (200, 12)).astype(float)
    ranked = RankedLists.of(np.repeat(np.arange(200), 12), scores.ravel())
    found = list_metrics(ranked, gains.ravel(), k=5)
    assert found.ndcg == pytest.approx(ndcg_score(gains, scores, k=5), abs=1e-12)


def test_a_perfect_order_of_money_scores_one() -> None:
    gains = np.array([0.0, 12.5, 3.0, 0.0, 7.0])
    ranked = RankedLists.of(np.array([0, 0, 0, 1, 1]), gains)
    found = list_metrics(ranked, gains, k=2)
    assert (found.ndcg, found.hit, found.mrr) == (1.0, 1.0, 1.0)
    assert found.recall == 1.0
    assert found.precision == pytest.approx((2 / 2 + 1 / 2) / 2)


def test_requests_without_an_outcome_or_a_weight_are_not_judged() -> None:
    ranked = RankedLists.of(np.array([0, 0, 1, 1]), np.array([2.0, 1.0, 1.0, 2.0]))
    gains = np.array([1.0, 0.0, 1.0, 0.0])
    assert list_metrics(ranked, gains, k=1, weights=np.array([1.0, 0.0])).hit == 1.0
    assert list_metrics(ranked, gains, k=1, weights=np.zeros(2)).judged == 0
    assert np.isnan(list_metrics(ranked, np.zeros(4), k=1).ndcg)


def test_coverage_and_exposure_are_expected_over_ties() -> None:
    # request 0 ties items 0 and 1 for its one place, request 1 ties 1, 2 and 3
    request, item = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 3])
    found = catalogue_metrics(
        RankedLists.of(request, np.zeros(5)), item, items=5, k=1, popularity=np.full(5, 0.2)
    )
    shown = [1 / 2, 1 - (1 / 2) * (2 / 3), 1 / 3, 1 / 3, 0]
    assert found.coverage == pytest.approx(sum(shown) / 5)
    assert found.novelty == pytest.approx(np.log2(5))
    exposure = np.array([1 / 2, 1 / 2 + 1 / 3, 1 / 3, 1 / 3, 0])
    assert found.exposure_gini == pytest.approx(pairwise_gini(exposure))


def test_novelty_is_the_mean_information_of_what_is_shown() -> None:
    ranked = RankedLists.of(np.array([0, 0, 1]), np.array([2.0, 1.0, 1.0]))
    popularity = np.array([0.5, 0.25, 0.25])
    found = catalogue_metrics(
        ranked, np.array([0, 1, 2]), items=3, k=1, popularity=popularity, weights=np.array([1, 3])
    )
    assert found.novelty == pytest.approx((1 * 1 + 3 * 2) / 4)
    assert np.isnan(catalogue_metrics(ranked, np.array([0, 1, 2]), items=3, k=1).novelty)


def pairwise_gini(x: np.ndarray) -> float:
    return float(np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean()))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any))
def test_gini_is_half_the_relative_mean_difference(amounts: list[int]) -> None:
    x = np.array(amounts, dtype=float)
    assert gini(x) == pytest.approx(pairwise_gini(x), abs=1e-12)
    assert np.isnan(gini(np.zeros(3)))


def test_a_million_impressions_take_seconds() -> None:
    generator = np.random.default_rng(0)
    request = np.sort(generator.integers(0, 40_000, 1_000_000))
    _, request = np.unique(request, return_inverse=True)
    scores = generator.random(1_000_000)
    gains = (generator.random(1_000_000) < 0.03).astype(float)
    started = time.process_time()
    ranked = RankedLists.of(request, scores)
    list_metrics(ranked, gains, k=10)
    catalogue_metrics(ranked, generator.integers(0, 300, 1_000_000), items=300, k=10)
    assert time.process_time() - started < 4  # about 0.6 s on an idle core; here others run beside
