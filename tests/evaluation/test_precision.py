"""Average precision against scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from shopguide.evaluation import average_precision

ROW = st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 4))


@given(st.lists(ROW, min_size=2, max_size=40))
def test_average_precision_equals_scikit_learn_with_ties_and_weights(
    rows: list[tuple[int, int, int]],
) -> None:
    labels, scores, weights = np.array(rows, dtype=float).T
    assume(labels @ weights > 0)
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert average_precision(labels, scores, weights) == pytest.approx(expected, abs=1e-12)
    if labels.any():
        plain = average_precision_score(labels, scores)
        assert average_precision(labels, scores) == pytest.approx(plain, abs=1e-12)


def test_without_a_positive_there_is_none() -> None:
    assert np.isnan(average_precision(np.zeros(3), np.arange(3.0)))
    assert np.isnan(average_precision(np.ones(3), np.arange(3.0), np.zeros(3)))
    assert np.isnan(average_precision(np.empty(0), np.empty(0)))
