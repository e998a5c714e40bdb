"""Families of comparisons that share an error: the rates are those that closed forms give."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from shopguide.gate.arms import Arms
from shopguide.gate.families import _alike, _exchanged, _far, estimates, nightly, several
from shopguide.gate.statistics import compare
from shopguide.spec.gate import Gate
from shopguide.spec.objective import Goal

GATE = Gate(min_gain=0.0, replicates=400, margins={"ctr": 0.5, "aov": 0.5})
GOALS = {
    "ctr": Goal(task="click", weight=0.7),
    "aov": Goal(task="money", per="order", weight=0.3),
}
ERROR = 4  # Monte Carlo standard errors of a rate


def arms(users: int = 400) -> Arms:
    rng = np.random.default_rng(0)

    def outcomes() -> np.ndarray:
        orders = 1 + rng.poisson(1.0, users)
        return np.column_stack([rng.poisson(5.0, users), 10.0 * rng.gamma(orders), orders])

    return Arms(("click", "money", "order"), outcomes(), outcomes(), np.full(users, 2.0))


def within(rate: float, truth: float, runs: int) -> bool:
    return abs(rate - truth) <= ERROR * np.sqrt(truth * (1 - truth) / runs)


def test_estimates_are_those_of_the_gate() -> None:
    pair = arms()
    exchanged = np.random.default_rng(1).random((3, 400)) < 0.5
    judged = compare(
        [pair.swapped(users) for users in exchanged],
        GOALS,
        confidence=0.95,
        replicates=200,
        seed=0,
    )
    truth = [one.objective.estimate for one in judged if one.objective]
    assert estimates(pair, GOALS, exchanged) == pytest.approx(truth, abs=1e-12)


def test_challengers_and_champion_are_drawn_from_the_two_rankings_alike() -> None:
    pair = arms()
    family = list(_alike(pair, 3, np.random.SeedSequence(0)))
    sides = [family[0].reference, *(one.challenger for one in family)]
    assert all((one.reference == family[0].reference).all() for one in family)
    for side in sides:
        first, second = (side == pair.reference).all(axis=1), (side == pair.challenger).all(axis=1)
        assert (first | second).all()
        assert within(first.mean(), 0.5, 400)
    agree = (sides[0] == sides[1]).all(axis=1).mean()
    assert within(agree, 0.5, 400)  # coins of their own


def test_several_challengers_share_the_error_and_uncorrected_they_do_not() -> None:
    runs = 600
    found = several(arms(), GOALS, GATE, challengers=5, runs=runs, seed=0)
    assert found.promoted.mean() <= 0.05 + ERROR * np.sqrt(0.05 * 0.95 / runs)
    assert (found.uncorrected >= found.promoted).all()
    # all share the champion's coin: the differences are normal with correlation 1/2
    covariance = np.full((5, 5), 0.5) + 0.5 * np.eye(5)
    truth = 1 - multivariate_normal(cov=covariance).cdf(np.full(5, norm.ppf(0.95)))
    assert within(found.uncorrected.mean(), truth, runs)


def test_one_challenger_has_the_whole_error() -> None:
    found = several(arms(), GOALS, GATE, challengers=1, runs=400, seed=0)
    assert (found.promoted == found.uncorrected).all()
    assert within(found.promoted.mean(), 0.05, 400)


def test_nights_share_the_error_and_uncorrected_they_do_not() -> None:
    runs, nights = 300, 30
    alphas, replicates = [0.05 / nights] * nights, [3000] * nights
    found = nightly(arms(), GOALS, GATE, alphas=alphas, replicates=replicates, runs=runs, seed=0)
    assert found.promoted.mean() <= 0.05 + ERROR * np.sqrt(0.05 * 0.95 / runs)
    assert found.promoted.mean() > 0  # and the error is spent
    assert within(found.uncorrected.mean(), 1 - 0.95**nights, runs)


def test_a_night_without_error_left_promotes_nothing() -> None:
    alphas, replicates = [0.0, 0.05, 0.0], [400] * 3
    some = nightly(arms(), GOALS, GATE, alphas=alphas, replicates=replicates, runs=200, seed=0)
    none = nightly(arms(), GOALS, GATE, alphas=[0.0] * 3, replicates=replicates, runs=200, seed=0)
    assert within(some.promoted.mean(), 0.05, 200)
    assert not none.promoted.any()
    assert (none.uncorrected == some.uncorrected).all()


def test_nights_refused_without_a_bootstrap_would_be_refused_with_one() -> None:
    pair, nights, runs = arms(), 20, 20
    far = set(_far(pair, GOALS, GATE, nights=nights, runs=runs, seed=3))
    assert 0.05 < len(far) / (nights * runs) < 0.16  # a tenth, with the whole error doubled
    near = [(r, n) for r in range(runs) for n in range(nights) if (r, n) not in far]
    judged = compare(
        [pair.swapped(_exchanged(pair, 3, *member)) for member in near],
        GOALS,
        confidence=0.95,
        replicates=1000,
        seed=0,
    )
    assert all(one.objective is not None and one.objective.lower <= 0 for one in judged)


def test_equal_seeds_give_equal_families() -> None:
    one, two = (several(arms(), GOALS, GATE, challengers=3, runs=40, seed=s) for s in (1, 1))
    assert (one.uncorrected == two.uncorrected).all()
    other = several(arms(), GOALS, GATE, challengers=3, runs=40, seed=2)
    assert (other.uncorrected != one.uncorrected).any()
