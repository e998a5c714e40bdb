"""Money metrics against scipy and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from shopguide.evaluation import deciles, normalised_gini, spearman, spearman_within


@pytest.fixture
def amounts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    outcomes = generator.integers(0, 9, 600).astype(float)
    predictions = np.round(outcomes + generator.normal(0, 3, 600))
    return outcomes, predictions, generator.integers(0, 25, 600)


def test_spearman_equals_scipy_with_ties(amounts: tuple[np.ndarray, ...]) -> None:
    outcomes, predictions, _ = amounts
    expected = spearmanr(outcomes, predictions).statistic
    assert spearman(outcomes, predictions) == pytest.approx(expected, abs=1e-12)


def test_spearman_within_is_the_mean_over_groups(amounts: tuple[np.ndarray, ...]) -> None:
    outcomes, predictions, groups = amounts
    predictions[groups == 3] = 1.0  # constant: left out
    total = mass = 0.0
    for group in range(25):
        here = groups == group
        if group == 3:
            continue
        total += spearmanr(outcomes[here], predictions[here]).statistic * here.sum()
        mass += here.sum()
    found = spearman_within(outcomes, predictions, groups)
    assert found == pytest.approx(total / mass, abs=1e-12)


def test_gini_of_the_perfect_the_reverse_and_no_order() -> None:
    outcomes, weights = np.array([0.0, 1.0, 2.0, 5.0]), np.ones(4)
    assert normalised_gini(outcomes, outcomes, weights) == pytest.approx(1.0)
    assert normalised_gini(outcomes, -outcomes, weights) == pytest.approx(-1.0)
    assert normalised_gini(outcomes, np.zeros(4), weights) == pytest.approx(0.0)


def test_gini_counts_a_weight_as_so_many_rows() -> None:
    outcomes, by = np.array([0.0, 3.0, 1.0]), np.array([1.0, 2.0, 3.0])
    weights = np.array([2.0, 1.0, 3.0])
    repeated = normalised_gini(np.repeat(outcomes, [2, 1, 3]), np.repeat(by, [2, 1, 3]), np.ones(6))
    assert normalised_gini(outcomes, by, weights) == pytest.approx(repeated)


def test_nothing_spent_has_no_gini() -> None:
    assert np.isnan(normalised_gini(np.zeros(3), np.arange(3.0), np.ones(3)))


ROW = st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(1, 3), st.integers(0, 2))


@given(st.lists(ROW, min_size=1, max_size=25))
def test_a_weight_is_so_many_rows(rows: list[tuple[int, int, int, int]]) -> None:
    outcomes, predictions, weights, groups = np.array(rows).T
    repeated = [np.repeat(values, weights) for values in (outcomes, predictions, groups)]
    wide = spearman(*(values.astype(float) for values in repeated[:2]))
    found = spearman(outcomes.astype(float), predictions.astype(float), weights.astype(float))
    assert found == pytest.approx(wide, abs=1e-9, nan_ok=True)
    within = spearman_within(outcomes.astype(float), predictions, groups, weights.astype(float))
    expected = spearman_within(repeated[0].astype(float), repeated[1], repeated[2])
    assert within == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_deciles_share_ties_and_cut_weights() -> None:
    outcomes, predictions = np.array([8.0, 0.0, 2.0, 0.0]), np.array([2.0, 1.0, 1.0, 1.0])
    found = deciles(outcomes, predictions, np.ones(4), parts=2)
    # the first half is the first row and a third of each of the three that are equal
    assert found.observed.tolist() == pytest.approx([(8 + 2 / 3) / 2, (4 / 3) / 2])
    assert found.predicted.tolist() == pytest.approx([1.5, 1.0])
    assert found.share.tolist() == pytest.approx([(8 + 2 / 3) / 10, (4 / 3) / 10])
    heavy = deciles(outcomes, predictions, np.array([3.0, 1.0, 1.0, 1.0]), parts=2)
    assert heavy.observed.tolist() == pytest.approx([8.0, 2 / 3])


@given(st.lists(ROW, min_size=1, max_size=25), st.integers(1, 10))
def test_deciles_are_the_mean_over_orders_of_equal_rows(
    rows: list[tuple[int, int, int, int]], parts: int
) -> None:
    outcomes, predictions, weights, _ = np.array(rows, dtype=float).T
    found = deciles(outcomes, predictions, weights, parts=parts)
    mean = np.average(outcomes, weights=weights)
    assert found.observed.mean() == pytest.approx(mean)
    assert found.predicted.mean() == pytest.approx(np.average(predictions, weights=weights))
    assert (np.diff(found.predicted) <= 1e-9).all()
    tied = deciles(outcomes, np.zeros(len(rows)), weights, parts=parts)
    assert tied.observed.tolist() == pytest.approx([mean] * parts)


def test_the_share_of_nothing_is_not_defined() -> None:
    assert np.isnan(deciles(np.zeros(3), np.arange(3.0), np.ones(3)).share).all()
