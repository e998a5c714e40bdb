"""Calibration metrics on predictions whose calibration is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.evaluation import log_loss, normalised_entropy, pcoc, reliability


def test_pcoc_is_predicted_over_observed() -> None:
    weights = np.array([1.0, 1.0, 2.0])
    assert pcoc(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.25]), weights) == pytest.approx(
        1.5 / 3
    )
    assert np.isnan(pcoc(np.zeros(3), np.ones(3), weights))


def test_calibrated_predictions_have_an_error_within_sampling_noise() -> None:
    generator = np.random.default_rng(11)
    p = generator.uniform(0.05, 0.6, 200_000)
    y = (generator.random(200_000) < p).astype(float)
    curve = reliability(y, p, np.ones(len(p)))
    assert curve.weight.tolist() == [20_000.0] * 10
    # a bin's observed mean has a standard deviation of at most sqrt(1/4 / 20,000) = 0.0035; the
    # mean absolute deviation of ten of them stays below 0.0035 with probability > 1 - 1e-3
    assert curve.ece < 0.0035
    assert np.abs(curve.predicted - curve.observed).max() < 5 * 0.0035


def test_a_known_bias_is_the_error() -> None:
    generator = np.random.default_rng(5)
    p = generator.uniform(0.1, 0.4, 1_000)
    curve = reliability(p + 0.05, p, np.ones(1_000))
    assert curve.ece == pytest.approx(0.05, abs=1e-12)


def test_equal_predictions_share_a_bin() -> None:
    curve = reliability(np.array([0.0, 1.0, 1.0, 0.0]), np.full(4, 0.5), np.ones(4))
    assert curve.predicted.tolist() == [0.5]
    assert curve.observed.tolist() == [0.5]


def test_predicting_the_mean_leaves_all_of_the_entropy() -> None:
    y = np.array([1.0, 0.0, 0.0, 0.0])
    weights = np.array([1.0, 2.0, 1.0, 1.0])
    mean = np.full(4, 0.2)
    assert normalised_entropy(y, mean, weights) == pytest.approx(1.0)
    assert log_loss(y, mean, weights) == pytest.approx(-(0.2 * np.log(0.2) + 0.8 * np.log(0.8)))
    assert np.isnan(normalised_entropy(np.ones(4), mean, weights))


ROW = st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(0, 3))


@given(st.lists(ROW, min_size=1, max_size=40), st.integers(1, 6))
def test_bins_are_those_of_a_walk_along_the_rows(
    rows: list[tuple[int, int, int]], bins: int
) -> None:
    y, p, w = np.array(rows, dtype=float).T
    curve = reliability(y, p, w, bins=bins)
    if not w.sum() > 0:
        assert len(curve.weight) == 0
        assert np.isnan(curve.ece)
        return
    # slow: a run of equal predictions goes to the bin where the weight before it lies
    cells: dict[int, list[np.ndarray]] = {}
    for value in np.unique(p):
        here = p == value
        cell = min(int(w[p < value].sum() / w.sum() * bins), bins - 1)
        cells.setdefault(cell, []).append(
            np.array([(w * p)[here].sum(), (w * y)[here].sum(), w[here].sum()])
        )
    sums = [np.sum(parts, axis=0) for _, parts in sorted(cells.items())]
    expected = np.array([total for total in sums if total[2] > 0]).T
    np.testing.assert_allclose(curve.weight, expected[2])
    np.testing.assert_allclose(curve.predicted, expected[0] / expected[2])
    np.testing.assert_allclose(curve.observed, expected[1] / expected[2])
