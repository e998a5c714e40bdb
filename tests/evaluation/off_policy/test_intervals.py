"""Intervals cover the truth as often as they say, on a closed-form bandit and on the simulator."""

from typing import Literal

import numpy as np
import pytest

from shopguide.evaluation.off_policy import (
    Logged,
    doubly_robust,
    estimate,
    intervals,
    ips,
    ranking_target,
    snips,
)
from shopguide.logs.simulator import Shop, simulate
from shopguide.spec.simulator import Simulator
from tests.evaluation.off_policy.bandit import bandit

REPETITIONS = 600
SLACK = 2 * np.sqrt(0.95 * 0.05 / REPETITIONS)
"""Two standard errors of a share of 95 % in 600 repetitions: .018."""

Method = Literal["bootstrap", "delta"]


@pytest.mark.parametrize("method", ["bootstrap", "delta"])
def test_intervals_cover_the_closed_form_value(method: Method) -> None:
    shop, generator = bandit(), np.random.default_rng(3)
    covered: dict[str, int] = {"ips": 0, "snips": 0, "dr": 0}
    for repetition in range(REPETITIONS):
        logged, seen = shop.draw(generator, 1_000)
        model = shop.model(seen, 0.9 * shop.reward)
        found = intervals(
            {"ips": ips(logged), "snips": snips(logged), "dr": doubly_robust(logged, model)},
            logged.unit,
            method=method,
            replicates=600,
            seed=repetition,
        )
        for name in covered:
            covered[name] += found[name].lower < shop.truth < found[name].upper
    for name, count in covered.items():
        assert abs(count / REPETITIONS - 0.95) < 0.02 + SLACK, (name, count / REPETITIONS)


def logged_of(shop: Shop, policy: np.ndarray) -> Logged:
    """The clicks of a shop's log, users as units."""
    length = shop.parameters.list_length
    return Logged.of(
        reward=shop.drawn.of("click").ravel().astype(float),
        propensity=shop.lists.propensity.ravel(),
        target=shop.logged_probability(policy).ravel(),
        unit=np.repeat(shop.lists.user, length),
    )


def test_intervals_over_users_cover_the_simulators_truth() -> None:
    covered = {"bootstrap": {"ips": 0, "snips": 0}, "delta": {"ips": 0, "snips": 0}}
    parameters = Simulator(
        source="simulator", users=300, items=40, list_length=5, requests_per_user=8, days=7
    )
    for repetition in range(REPETITIONS):
        shop = simulate(parameters, seed=repetition)
        policy = -shop.items.price[shop.lists.item]  # the cheapest first
        truth = shop.true_value(policy, "click") / parameters.list_length
        logged = logged_of(shop, policy)
        for method, counts in covered.items():
            found = intervals(
                {"ips": ips(logged), "snips": snips(logged)},
                logged.unit,
                method=method,  # type: ignore[arg-type]
                replicates=600,
                seed=repetition,
            )
            for name in counts:
                counts[name] += found[name].lower < truth < found[name].upper
    for method, counts in covered.items():
        for name, count in counts.items():
            assert abs(count / REPETITIONS - 0.95) < 0.02 + SLACK, (method, name, count)


def test_the_probability_of_a_ranking_is_that_of_the_simulator() -> None:
    parameters = Simulator(source="simulator", users=50, items=20, list_length=4, days=7)
    shop = simulate(parameters)
    scores = np.round(np.random.default_rng(0).normal(size=shop.lists.item.shape))  # many ties
    requests, length = scores.shape
    shuffled = np.random.default_rng(1).permutation(scores.size)
    found = ranking_target(
        np.repeat(np.arange(requests), length)[shuffled],
        np.tile(np.arange(1, length + 1), requests)[shuffled],
        scores.ravel()[shuffled],
        "log",
    )
    expected = shop.logged_probability(scores).ravel()[shuffled]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bootstrap_and_delta_agree_on_many_rows() -> None:
    shop = bandit()
    logged, seen = shop.draw(np.random.default_rng(5), 20_000)
    model = shop.model(seen, shop.reward)
    by_draws = estimate(logged, model, replicates=4_000).estimates
    by_formula = estimate(logged, model, method="delta").estimates
    for name, found in by_draws.items():
        assert found.value == by_formula[name].value
        # a bound from 4,000 replicates has a Monte Carlo error of about 4 % of a standard error
        room = 0.15 * by_formula[name].standard_error
        assert found.lower == pytest.approx(by_formula[name].lower, abs=room)
        assert found.upper == pytest.approx(by_formula[name].upper, abs=room)


def test_rows_of_one_unit_count_once() -> None:
    shop = bandit()
    logged, _ = shop.draw(np.random.default_rng(6), 500)
    nine = np.repeat(np.arange(500), 9)
    copied = Logged.of(
        reward=logged.reward[nine], propensity=logged.propensity[nine],
        target=logged.target[nine], unit=nine,
    )  # fmt: skip
    once = estimate(logged, method="delta").estimates["ips"]
    again = estimate(copied, method="delta").estimates["ips"]
    assert (again.lower, again.upper) == pytest.approx((once.lower, once.upper))
    apart = Logged.of(reward=copied.reward, propensity=copied.propensity, target=copied.target)
    narrower = estimate(apart, method="delta").estimates["ips"]
    assert narrower.standard_error == pytest.approx(once.standard_error / 3, rel=0.01)


def test_an_estimate_that_one_unit_carries_has_no_interval() -> None:
    logged = Logged.of(
        reward=np.ones(3), propensity=np.full(3, 0.5), target=np.array([1.0, 0.0, 0.0])
    )
    assert np.isnan(estimate(logged).estimates["snips"].lower)
    nothing = Logged.of(reward=np.ones(3), propensity=np.full(3, 0.5), target=np.zeros(3))
    assert np.isnan(estimate(nothing).estimates["snips"].value)
    assert estimate(nothing).reasons[0].code == "no_overlap"
