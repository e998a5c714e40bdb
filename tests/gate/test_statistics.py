"""Intervals against closed forms, a planted truth, and other implementations."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from shopguide.evaluation.interval import Spread
from shopguide.gate.arms import Arms
from shopguide.gate.delta import delta_errors, influences, values
from shopguide.gate.statistics import Comparison, compare, holm
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


def spread(found: Comparison, goal: int) -> Spread:
    kept = found.spreads[goal]
    assert kept is not None
    return kept


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
    spreads = [spread(found, goal).draws.std() for goal in (0, 1)]
    assert spreads == pytest.approx(each, rel=0.03)
    assert found.objective is not None
    # 1.645: the normal quantile at 95 %
    assert found.objective.estimate - found.objective.lower == pytest.approx(
        1.645 * together, rel=0.05
    )


def test_the_influences_are_the_derivative_in_a_users_weight() -> None:
    pair = arms(np.random.default_rng(2), users=40)
    analytic = influences(pair, values(pair.columns().sum(axis=0), TASKS, GOALS), GOALS)
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
        method="BCa",
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


def test_a_few_large_losses_do_not_fool_the_bound() -> None:
    """3 % of the users lose, on average, all that the others gain: no change in truth."""
    goals, runs, users = {"ctr": Goal(task="click", weight=1.0)}, 1000, 1000
    promoted = np.zeros(2)
    for run in range(runs):
        rng = np.random.default_rng([8, run])
        before = rng.gamma(2.0, 5.0, users)
        lost = np.where(rng.random(users) < 0.03, rng.gamma(2.0, 10.0, users), 0.0)
        pair = Arms(("click",), before[:, None], (before + 0.6 - lost)[:, None], np.ones(users))
        found = compare([pair], goals, confidence=0.95, replicates=400, seed=run)[0]
        assert found.changes[0] is not None
        plain = np.quantile(spread(found, 0).draws, 0.05)
        promoted += [found.changes[0].lower > 0, plain > 0]
    error = np.sqrt(0.05 * 0.95 / runs)
    assert promoted[0] / runs <= 0.05 + 3 * error  # 0.071
    assert promoted[1] > promoted[0]  # what the correction is for


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


def test_a_symmetric_spread_has_the_percentile_bounds() -> None:
    draws = np.random.default_rng(0).permutation(np.linspace(-1.0, 1.0, 2001))
    found = Spread.of(0.0, draws, influences=np.array([-1.0, 1.0]))
    assert (found.z0, found.a) == (0.0, 0.0)
    interval = found.interval(0.95)
    assert (interval.lower, interval.upper) == pytest.approx((-0.9, 0.9), abs=0.001)


def test_a_spread_above_its_estimate_is_shifted_back() -> None:
    draws = np.linspace(-0.9, 1.1, 2001)  # the replicates are 0.1 too high, so the estimate is too
    found = Spread.of(0.0, draws, influences=np.array([-1.0, 1.0]))
    # z0 = Φ⁻¹(.45) = −.1257; the 5 % bound is at Φ(2·z0 − 1.645) = 2.89 % of [−.9, 1.1]
    assert found.z0 == pytest.approx(-0.1257, abs=1e-3)
    assert found.interval(0.95).lower == pytest.approx(-0.9 + 2 * 0.0289, abs=2e-3)


@pytest.mark.parametrize("margin", [-0.02, 0.0, 0.03, 0.05])
def test_the_p_value_is_the_level_at_which_the_bound_meets_the_margin(margin: float) -> None:
    draws = np.sort(np.random.default_rng(6).normal(0.01, 0.04, 50_000))
    found = Spread(0.0, draws, z0=-0.25, a=0.1)
    p = found.p_value_of_loss(margin)
    assert 0 < p < 1
    assert found.bound(p) == pytest.approx(-margin, abs=1e-4)


def test_the_p_value_is_never_zero() -> None:
    found = Spread.of(0.0, np.linspace(-1, 1, 101), influences=np.array([-1.0, 1.0]))
    assert found.p_value_of_loss(5.0) == pytest.approx(1 / 102)
