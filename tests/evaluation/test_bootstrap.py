"""The bootstrap's weights are Poisson(1), and its totals are theirs, exactly and on any machine."""

import numpy as np
import pytest
from scipy.stats import poisson

from shopguide.evaluation.bootstrap import (
    POISSON_COUNTS,
    bootstrap_totals,
    grid_totals,
    poisson_weights,
)


def test_the_table_has_the_moments_of_a_poisson_variable() -> None:
    counts = np.array(POISSON_COUNTS)
    k = np.arange(len(counts))
    assert counts.sum() == 2**16
    assert (k * counts).sum() == 2**16  # mean exactly 1
    assert (k**2 * counts).sum() == 2 * 2**16  # variance exactly 1
    share = counts / 2**16
    for power, moment in ((3, 5), (4, 15)):  # Bell numbers
        assert (k**power * share).sum() == pytest.approx(moment, abs=1e-4)
    beyond = poisson.sf(k[-1], 1)
    assert (np.abs(share - poisson.pmf(k, 1)).sum() + beyond) / 2 < 4e-5


def test_the_weights_are_drawn_from_the_table() -> None:
    weights = poisson_weights(seed=5, block=0, users=20_000)
    found = np.bincount(weights.ravel(), minlength=9) / weights.size
    share = np.array(POISSON_COUNTS) / 2**16
    error = np.sqrt(share * (1 - share) / weights.size)
    assert (np.abs(found - share) < 5 * error).all()
    halves = np.corrcoef(weights[0], weights[1])[0, 1]  # replicates are independent
    assert abs(halves) < 5 / np.sqrt(20_000)


@pytest.mark.parametrize("users", [1, 3, 999, 1000, 1001, 2500])
def test_the_totals_are_the_weighted_sums(users: int) -> None:
    sums = np.random.default_rng(0).normal(size=(users, 3)) * [1e-6, 1.0, 1e9]
    totals = bootstrap_totals(sums, replicates=150, seed=7)
    weights = np.concatenate([poisson_weights(7, block, users) for block in (0, 1)])[:150]
    size = np.abs(sums).sum(axis=0)  # tolerance: users · 2^-48 of the absolute sum, weights ≤ 8
    assert (np.abs(totals - weights @ sums) <= 8 * (users + 8) * 2.0**-48 * size).all()
    assert grid_totals(sums) == pytest.approx(sums.sum(axis=0), abs=users * 2.0**-47 * size.max())


def test_threads_do_not_change_a_bit() -> None:
    sums = np.random.default_rng(1).lognormal(size=(3000, 5))
    one = bootstrap_totals(sums, replicates=700, seed=3, threads=1)
    four = bootstrap_totals(sums, replicates=700, seed=3, threads=4)
    assert (one == four).all()


def test_columns_do_not_change_each_other() -> None:
    sums = np.random.default_rng(2).lognormal(size=(1500, 4))
    together = bootstrap_totals(sums, replicates=200, seed=3)
    apart = [bootstrap_totals(sums[:, [k]], replicates=200, seed=3) for k in range(4)]
    assert (together == np.concatenate(apart, axis=1)).all()


def test_more_replicates_begin_with_the_same_ones() -> None:
    sums = np.random.default_rng(3).lognormal(size=(500, 2))
    few = bootstrap_totals(sums, replicates=130, seed=9)
    many = bootstrap_totals(sums, replicates=450, seed=9)
    assert (many[:130] == few).all()


def test_another_seed_gives_other_replicates() -> None:
    sums = np.ones((500, 1))
    one, two = (bootstrap_totals(sums, replicates=200, seed=seed) for seed in (0, 1))
    assert (one != two).mean() > 0.9


def test_the_spread_is_that_of_a_sum_of_independent_users() -> None:
    sums = np.random.default_rng(4).lognormal(size=(2000, 2))
    totals = bootstrap_totals(sums, replicates=20_000, seed=0)
    truth = np.sqrt((sums**2).sum(axis=0))  # Var Σ w·x = Σ x², as Var w = 1
    # the standard error of a standard deviation from R draws is about 1/√(2R)
    assert totals.std(axis=0) == pytest.approx(truth, rel=4 / np.sqrt(2 * 20_000))
    assert totals.mean(axis=0) == pytest.approx(sums.sum(axis=0), abs=4 * truth.max() / 141)


def test_sums_of_any_size_are_held() -> None:
    for scale in (1e-300, 1e-30, 1e30, 1e290, 0.0):
        totals = bootstrap_totals(np.full((50, 1), scale), replicates=100, seed=0)
        assert np.isfinite(totals).all()
        weights = poisson_weights(0, 0, 50).sum(axis=1)
        assert totals[:, 0] == pytest.approx(scale * weights)
