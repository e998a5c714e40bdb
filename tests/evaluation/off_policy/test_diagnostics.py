"""What the logs cannot answer is said, and why."""

import numpy as np
import pytest

from shopguide.errors import InvalidDataError
from shopguide.evaluation.off_policy import (
    Logged,
    diagnose,
    estimate,
    frequency_policy,
    ranking_target,
    unsupported_share,
)
from tests.evaluation.off_policy.bandit import bandit


def codes(logged: Logged, unsupported: float | None = None) -> list[str]:
    return [reason.code for reason in diagnose(logged, unsupported=unsupported).reasons()]


def test_a_log_that_answers_says_so() -> None:
    logged, _ = bandit().draw(np.random.default_rng(0), 2_000)
    found = estimate(logged)
    assert found.answers
    assert found.statement == "The logs can say what the target policy would have brought."
    w = logged.target / logged.propensity
    assert found.diagnostics.ess == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert found.diagnostics.mean_weight == pytest.approx(w.mean())
    assert found.diagnostics.mean_weight_error == pytest.approx(w.std(ddof=1) / np.sqrt(2_000))
    assert found.diagnostics.counts.sum() == 2_000
    assert (found.diagnostics.edges[0] <= np.log10(w.min())) & (
        found.diagnostics.edges[-1] >= np.log10(w.max())
    )


def test_one_tiny_propensity_leaves_no_sample() -> None:
    # as in a campaign whose smallest propensity makes a weight of 21,739: ESS 2 of 10,000
    propensity = np.full(10_000, 1 / 46)
    propensity[123] = 1 / 46 / 21_739
    logged = Logged.of(
        reward=np.zeros(10_000), propensity=propensity, target=np.full(10_000, 1 / 46)
    )
    found = diagnose(logged)
    assert found.ess < 3
    assert found.largest_weight == pytest.approx(21_739)
    assert codes(logged) == ["small_sample"]
    text = found.reasons()[0].text
    assert "the largest weight is 21,739 and one unit carries 68% of all" in text
    statement = estimate(logged).statement
    assert statement.startswith("The logs cannot say what the target policy would have brought: ")


def test_propensities_of_another_policy_are_noticed() -> None:
    shop = bandit()
    logged, _ = shop.draw(np.random.default_rng(1), 4_000)
    wrong = Logged.of(reward=logged.reward, propensity=np.full(4_000, 1 / 5), target=logged.target)
    mean = (shop.logging * shop.target * 5).sum(axis=1).mean()  # its expectation
    found = diagnose(wrong)
    assert found.mean_weight == pytest.approx(mean, abs=4 * found.mean_weight_error)
    assert codes(wrong) == ["weights_off"]


def test_the_test_of_the_mean_weight_is_seldom_wrong() -> None:
    shop, generator = bandit(), np.random.default_rng(2)
    p = [diagnose(shop.draw(generator, 500)[0]).mean_weight_p for _ in range(1_000)]
    # uniform p-values: 50 below .05 with a standard deviation of 7
    assert 25 < np.sum(np.array(p) < 0.05) < 80


def test_a_target_that_does_what_was_never_logged_is_unsupported() -> None:
    policy, share = frequency_policy(
        np.array([0, 0, 0, 1]), np.array([0, 1, 1, 2]), contexts=2, actions=3
    )
    assert policy.tolist() == [[1 / 3, 2 / 3, 0], [0, 0, 1]]
    assert share.tolist() == [0.75, 0.25]
    # the log has both contexts alike, but action 2 only in context 0
    missing = unsupported_share(policy, np.array([0, 0, 1, 1]), np.array([0, 2, 0, 1]))
    assert missing == pytest.approx(0.5 * 2 / 3 + 0.5 * 1)
    half = np.full(400, 0.5)
    logged = Logged.of(reward=half, propensity=half, target=half)
    assert codes(logged, unsupported=missing) == ["unsupported"]
    assert codes(logged, unsupported=0.001) == []


def test_equal_weights_other_than_one_are_off_without_a_spread() -> None:
    half = np.full(400, 0.5)
    assert codes(Logged.of(reward=half, propensity=half, target=half / 2)) == ["weights_off"]


def test_a_list_that_is_not_whole_is_refused() -> None:
    request = np.array([0, 0, 1, 1])
    with pytest.raises(InvalidDataError, match="row 4: is 3, and 2 is missing in its list"):
        ranking_target(request, np.array([1, 2, 1, 3]), np.zeros(4), "log")
    twice = np.array([1, 1, 1, 2])
    with pytest.raises(InvalidDataError, match="row 2: is 1, and 2 is missing"):
        ranking_target(request, twice, np.zeros(4), "log")
