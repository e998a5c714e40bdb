"""Intervals against closed forms, a planted truth, and other implementations."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from shopguide.gate.arms import Arms
from shopguide.gate.delta import delta_errors, influences
from shopguide.gate.statistics import compare, holm, loss_p_value, values
from shopguide.spec.objective import Goal

GOALS: Mapping[str, Goal] = {
    "ctr": Goal(task="click", weight=0.5),
    "aov": Goal(task="money", per="order", weight=0.5),
}
TASKS = ("click", "money", "order")


def arms(rng: np.random.Generator, users: int, gain: float = 0.0) -> Arms:
    """Users with a taste of their own; the challenger's outcomes are `gain` more on average.

    E[click] is 3 a user, E[money] 40, E[order] 2: the ratio's truth is 20, and 20·(1 + gain).
    """
    taste = rng.gamma(4.0, 0.25, users)  # mean 1, shared by both arms: a paired design

    def outcomes(more: float) -> NDArray[np.float64]:
        orders = rng.poisson(2 * taste)
        clicks = rng.poisson(3 * (1 + more) * taste)
        money = 20 * (1 + more) * rng.gamma(4.0 * np.maximum(orders, 1e-9), 0.25)
        return np.column_stack([clicks, money, orders]).astype(np.float64)

    return Arms(TASKS, outcomes(0.0), outcomes(gain), np.full(users, 2.0))


def test_goals_are_means_over_requests_and_ratios() -> None:
    pair = arms(np.random.default_rng(0), users=100)
    found = compare([pair], GOALS, confidence=0.95, replicates=200, seed=0)[0]
    assert found.reference[0] == pytest.approx(pair.reference[:, 0].sum() / 200)
    assert found.challenger[1] == pytest.approx(
        pair.challenger[:, 1].sum() / pair.challenger[:, 2].sum()
    )


def test_the_standard_error_is_the_delta_methods() -> None:
    pair = arms(np.random.default_rng(1), users=3000, gain=0.05)
    found = compare([pair], GOALS, confidence=0.95, replicates=10_000, seed=0)[0]
    each, together = delta_errors(pair, GOALS)
    # MC error of a standard deviation 1/√(2R) = 0.7 %; second-order terms are O(1/users)
    assert found.draws.std(axis=0) == pytest.approx(each, rel=0.03)
    j = found.draws @ np.array([0.5, 0.5])
    assert j.std() == pytest.approx(together, rel=0.03)
    assert found.objective is not None
    # 1.645: the normal quantile at 95 %
    assert found.objective.estimate - found.objective.lower == pytest.approx(
        1.645 * together, rel=0.05
    )


def test_the_influences_are_the_derivative_in_a_users_weight() -> None:
    pair = arms(np.random.default_rng(2), users=40)
    analytic = influences(pair, GOALS)
    step = 1e-6
    for user in (0, 17, 39):
        weights = np.ones(40)
        weights[user] += step
        moved = values(weights @ pair.columns(), TASKS, GOALS)
        still = values(np.ones(40) @ pair.columns(), TASKS, GOALS)
        slope = (moved[1] / moved[0] - still[1] / still[0]) / step
        assert analytic[user] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_the_bounds_agree_with_scipys_bootstrap() -> None:
    pair = arms(np.random.default_rng(3), users=400, gain=0.1)
    ours = compare([pair], GOALS, confidence=0.95, replicates=10_000, seed=0)[0].changes[0]
    assert ours is not None

    def change(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(b.sum(axis=axis) / a.sum(axis=axis) - 1)

    theirs = bootstrap(
        (pair.reference[:, 0], pair.challenger[:, 0]),
        change,
        paired=True,
        n_resamples=10_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(0),
        batch=500,
    ).confidence_interval
    width = ours.upper - ours.lower
    assert ours.lower == pytest.approx(theirs.low, abs=0.03 * width)
    assert ours.upper == pytest.approx(theirs.high, abs=0.03 * width)


@pytest.mark.parametrize("gain", [0.0, 0.08])
def test_a_bound_is_missed_as_often_as_it_says(gain: float) -> None:
    runs, missed, above = 1200, np.zeros(3), np.zeros(3)
    truth = np.array([gain, gain, gain])
    for run in range(runs):
        pair = arms(np.random.default_rng([5, run]), users=300, gain=gain)
        found = compare([pair], GOALS, confidence=0.95, replicates=600, seed=run)[0]
        intervals = [*found.changes, found.objective]
        missed += [i is not None and i.lower > t for i, t in zip(intervals, truth, strict=True)]
        above += [i is not None and i.upper < t for i, t in zip(intervals, truth, strict=True)]
    # 5 % ± 3.5 Monte Carlo errors (0.63 points each) and 0.6 points for 300 skewed users
    assert missed / runs == pytest.approx(0.05, abs=0.028)
    assert above / runs == pytest.approx(0.05, abs=0.028)


def test_a_goal_without_outcomes_has_no_interval() -> None:
    pair = arms(np.random.default_rng(4), users=50)
    pair.reference[:, 0] = 0.0
    found = compare([pair], GOALS, confidence=0.95, replicates=200, seed=0)[0]
    assert found.changes[0] is None
    assert found.changes[1] is not None
    assert found.objective is None


def test_a_goal_that_one_user_alone_reaches_has_no_interval() -> None:
    pair = arms(np.random.default_rng(4), users=50)
    pair.reference[1:, 0] = 0.0  # a third of the replicates leave this user out
    pair.reference[0, 0] = 5.0
    assert compare([pair], GOALS, confidence=0.95, replicates=200, seed=0)[0].changes[0] is None


def test_equal_arms_change_nothing() -> None:
    pair = arms(np.random.default_rng(5), users=50)
    equal = Arms(TASKS, pair.reference, pair.reference, pair.requests)
    found = compare([equal], GOALS, confidence=0.95, replicates=200, seed=0)[0]
    assert found.objective is not None
    assert (found.objective.lower, found.objective.estimate, found.objective.upper) == (0, 0, 0)


def test_holm_adjusts_as_in_the_textbook() -> None:
    # sorted .01 .03 .04 .20 times 4 3 2 1: .04 .09 .08 → .09 (never falls) .20
    assert holm([0.04, 0.01, 0.20, 0.03]) == pytest.approx([0.09, 0.04, 0.20, 0.09])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_p_value_counts_the_replicates_beyond_the_margin() -> None:
    draws = np.array([-0.05, -0.02, 0.0, 0.01])
    assert loss_p_value(draws, margin=0.02) == pytest.approx(3 / 5)
    assert loss_p_value(draws, margin=0.5) == pytest.approx(1 / 5)  # never zero
