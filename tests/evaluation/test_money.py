"""Money metrics against scipy and closed forms."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from shopguide.evaluation import normalised_gini, spearman, spearman_within


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
