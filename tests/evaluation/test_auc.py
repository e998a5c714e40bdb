"""AUC and GAUC against scikit-learn, with ties and weights."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shopguide.evaluation import auc, gauc, grouped_auc


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    groups = np.sort(generator.integers(0, 40, 2_000))
    scores = generator.integers(0, 12, 2_000) / 12.0  # many ties
    labels = (generator.random(2_000) < 0.2 + 0.3 * scores).astype(float)
    return labels, scores, groups, generator.gamma(1.0, 1.0, 2_000)


def test_auc_equals_scikit_learn_with_ties_and_weights(rows: tuple[np.ndarray, ...]) -> None:
    labels, scores, _, weights = rows
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    assert auc(labels, scores, weights) == pytest.approx(expected, abs=1e-12)


def test_gauc_is_the_mean_of_the_groups_auc_by_their_weight(rows: tuple[np.ndarray, ...]) -> None:
    labels, scores, groups, weights = rows
    labels[groups == 7] = 0.0  # one class: left out
    labels[groups == 8] = 1.0
    found = grouped_auc(labels, scores, groups, weights)
    total = mass = 0.0
    for group in range(40):
        here = groups == group
        assert found.weight[group] == pytest.approx(weights[here].sum())
        if group in (7, 8):
            assert np.isnan(found.auc[group])
            continue
        value = roc_auc_score(labels[here], scores[here], sample_weight=weights[here])
        assert found.auc[group] == pytest.approx(value, abs=1e-12)
        total += value * weights[here].sum()
        mass += weights[here].sum()
    assert gauc(labels, scores, groups, weights) == pytest.approx(total / mass, abs=1e-12)


def test_rows_may_come_in_any_order(rows: tuple[np.ndarray, ...]) -> None:
    labels, scores, groups, weights = rows
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = gauc(labels[order], scores[order], groups[order], weights[order])
    assert shuffled == pytest.approx(gauc(labels, scores, groups, weights), abs=1e-12)


def test_one_class_alone_has_no_auc() -> None:
    ones = np.ones(5)
    assert np.isnan(auc(ones, np.arange(5.0)))
    assert np.isnan(gauc(ones, np.arange(5.0), np.zeros(5, dtype=np.int64)))
