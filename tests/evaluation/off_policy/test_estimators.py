"""Estimators on a bandit with closed-form values."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopguide.errors import InvalidDataError, ShopguideError
from shopguide.evaluation.off_policy import (
    Logged,
    action_means,
    clipped_ips,
    cross_fitted,
    doubly_robust,
    estimate,
    ips,
    snips,
    switch_dr,
)
from tests.evaluation.off_policy.bandit import ACTIONS, CONTEXTS, Bandit, bandit

ROWS, REPETITIONS = 400, 2_000


@pytest.fixture(scope="module")
def shop() -> Bandit:
    return bandit()


def policy_at(shop: Bandit, seen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: shop.target[seen[rows, 0]]


@pytest.fixture(scope="module")
def draws(shop: Bandit) -> dict[str, np.ndarray]:
    """Estimates over repetitions; the wrong model is off by a third, the other way round."""
    generator = np.random.default_rng(0)
    wrong = 0.6 - 1.3 * shop.reward
    found: dict[str, list[float]] = {}
    for _ in range(REPETITIONS):
        logged, seen = shop.draw(generator, ROWS)
        good, bad = shop.model(seen, shop.reward), shop.model(seen, wrong)
        action = seen[:, 1]
        fitted = cross_fitted(
            logged, action, policy_at(shop, seen), action_means(logged, action, ACTIONS)
        )
        for name, terms in {
            "ips": ips(logged),
            "snips": snips(logged),
            "clipped": clipped_ips(logged, clip=2),
            "dr": doubly_robust(logged, good),
            "dr_wrong": doubly_robust(logged, bad),
            "dr_fitted": doubly_robust(logged, fitted),
            "switch_wrong": switch_dr(logged, bad, threshold=2),
        }.items():
            found.setdefault(name, []).append(terms.value)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("name", ["ips", "dr", "dr_wrong", "dr_fitted"])
def test_estimators_without_bias_have_none(
    draws: dict[str, np.ndarray], shop: Bandit, name: str
) -> None:
    error = draws[name].std() / np.sqrt(REPETITIONS)
    assert abs(draws[name].mean() - shop.truth) < 4 * error


def test_snips_has_a_bias_of_the_order_of_one_over_n(
    draws: dict[str, np.ndarray], shop: Bandit
) -> None:
    # first order: −Cov(w r − V w, w) / N, here below 2 / N
    error = draws["snips"].std() / np.sqrt(REPETITIONS)
    assert abs(draws["snips"].mean() - shop.truth) < 2 / ROWS + 4 * error


def test_a_good_model_lowers_the_variance_as_much_as_it_should(
    draws: dict[str, np.ndarray], shop: Bandit
) -> None:
    second = shop.target**2 / shop.logging / CONTEXTS  # E[w²; context, action]
    by_context = (shop.target * shop.reward).sum(axis=1)
    of_ips = (second * shop.reward).sum() - shop.truth**2  # r² = r
    of_dr = by_context.var() + (second * shop.reward * (1 - shop.reward)).sum()
    assert of_dr < 0.85 * of_ips
    # a variance of 2,000 draws has a relative standard error of √(2/2000) = 3.2 %
    assert draws["ips"].var() * ROWS == pytest.approx(of_ips, rel=4 * 0.032)
    assert draws["dr"].var() * ROWS == pytest.approx(of_dr, rel=4 * 0.032)
    assert draws["dr_fitted"].var() < 0.95 * draws["ips"].var()


def test_clipping_understates_and_calms(draws: dict[str, np.ndarray], shop: Bandit) -> None:
    expected = (shop.logging * np.minimum(shop.target / shop.logging, 2) * shop.reward).sum(axis=1)
    error = draws["clipped"].std() / np.sqrt(REPETITIONS)
    assert abs(draws["clipped"].mean() - expected.mean()) < 4 * error
    assert expected.mean() < shop.truth
    assert draws["clipped"].var() < draws["ips"].var()


def test_switching_takes_on_the_models_bias_where_weights_are_large(
    draws: dict[str, np.ndarray], shop: Bandit
) -> None:
    trusted = shop.target / shop.logging > 2
    wrong = 0.6 - 1.3 * shop.reward
    bias = (shop.target * trusted * (wrong - shop.reward)).sum(axis=1).mean()
    error = draws["switch_wrong"].std() / np.sqrt(REPETITIONS)
    assert abs(bias) > 20 * error  # the test can see it
    assert abs(draws["switch_wrong"].mean() - shop.truth - bias) < 4 * error


def test_the_ends_of_switching_are_the_model_and_the_doubly_robust_estimator(shop: Bandit) -> None:
    logged, seen = shop.draw(np.random.default_rng(1), 100)
    model = shop.model(seen, shop.reward)
    everything = switch_dr(logged, model, threshold=np.inf)
    assert everything.value == doubly_robust(logged, model).value
    assert switch_dr(logged, model, threshold=0).value == pytest.approx(model.target.mean())


def test_the_gain_is_of_the_same_rows(shop: Bandit) -> None:
    logged, seen = shop.draw(np.random.default_rng(1), 4_000)
    same = replace(logged, target=logged.propensity)
    found = estimate(same)
    assert found.gain.value == pytest.approx(0, abs=1e-12)
    model = shop.model(seen, shop.reward)
    other = estimate(logged, model)
    assert other.gain.value == pytest.approx(other.estimates["dr"].value - logged.reward.mean())
    wanted = shop.truth - (shop.logging * shop.reward).sum(axis=1).mean()
    assert other.gain.lower < wanted < other.gain.upper


def test_the_logging_policy_itself_gets_its_own_mean(shop: Bandit) -> None:
    logged, _ = shop.draw(np.random.default_rng(1), 100)
    same = Logged.of(reward=logged.reward, propensity=logged.propensity, target=logged.propensity)
    for terms in (ips(same), snips(same), clipped_ips(same, clip=1)):
        assert terms.value == pytest.approx(logged.reward.mean())


@given(st.lists(st.integers(1, 4), min_size=30, max_size=30))
def test_a_weight_is_so_many_rows(weights: list[int]) -> None:
    shop = bandit()
    logged, seen = shop.draw(np.random.default_rng(2), 30)
    weighted = Logged.of(
        reward=logged.reward, propensity=logged.propensity, target=logged.target,
        weight=np.array(weights, float),
    )  # fmt: skip
    repeated = Logged.of(
        reward=np.repeat(logged.reward, weights),
        propensity=np.repeat(logged.propensity, weights),
        target=np.repeat(logged.target, weights),
    )
    once, many = (
        shop.model(rows, shop.reward) for rows in (seen, np.repeat(seen, weights, axis=0))
    )
    for estimator in (ips, snips):
        assert estimator(weighted).value == pytest.approx(estimator(repeated).value)
    found = doubly_robust(weighted, once).value
    assert found == pytest.approx(doubly_robust(repeated, many).value)


def test_a_cross_fitted_model_never_sees_the_unit_that_it_predicts() -> None:
    reward = np.zeros(40)
    reward[7] = 1.0  # an outlier that its own row must not learn from
    logged = Logged.of(
        reward=reward, propensity=np.full(40, 0.5), target=np.full(40, 0.5),
        unit=np.arange(40) // 2,
    )  # fmt: skip
    action = np.zeros(40, np.int64)
    fit = action_means(logged, action, 1)
    model = cross_fitted(logged, action, lambda rows: np.ones((len(rows), 1)), fit, folds=4)
    assert model.logged[6] == model.logged[7] == 0  # rows 6 and 7 are one unit
    assert model.logged.max() > 0


@pytest.mark.parametrize(
    ("column", "bad", "shown"),
    [
        ("propensity", 0.0, "is 0, must be a probability above 0"),
        ("propensity", -0.5, "is -0.5"),
        ("propensity", 1.5, "is 1.5"),
        ("propensity", np.nan, "is nan"),
        ("target", -0.1, "is -0.1, must be a probability"),
        ("target", 1.01, "is 1.01"),
        ("reward", np.inf, "is inf, must be a finite number"),
        ("reward", np.nan, "is nan"),
        ("weight", -1.0, "is -1, must be finite, not negative"),
    ],
)
def test_values_that_cannot_be_are_refused_by_row_and_column(
    column: str, bad: float, shown: str
) -> None:
    columns = {name: np.full(5, 0.5) for name in ("reward", "propensity", "target", "weight")}
    columns[column][3] = bad
    with pytest.raises(InvalidDataError) as raised:
        Logged.of(**columns, where="week 3")
    name = "sample_weight" if column == "weight" else column
    assert raised.value.where == f"week 3, column {name}, row 4"
    assert shown in raised.value.what


def test_no_rows_and_no_weight_are_refused() -> None:
    empty = np.empty(0)
    with pytest.raises(InvalidDataError, match="holds no decision"):
        Logged.of(reward=empty, propensity=empty, target=empty)
    half = np.full(3, 0.5)
    with pytest.raises(InvalidDataError, match="all weights are 0"):
        Logged.of(reward=half, propensity=half, target=half, weight=np.zeros(3))


def test_bounds_that_are_none_are_refused(shop: Bandit) -> None:
    logged, seen = shop.draw(np.random.default_rng(1), 10)
    with pytest.raises(ShopguideError, match="clip: is 0, must be above 0"):
        clipped_ips(logged, clip=0)
    with pytest.raises(ShopguideError, match="threshold: is -1, must be 0 or more"):
        switch_dr(logged, shop.model(seen, shop.reward), threshold=-1)
