"""Several candidates are held to one error: exact where a closed form is known, then simulated."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm

from shopguide.gate.arms import Arms
from shopguide.gate.simultaneous import simultaneous_level
from shopguide.gate.statistics import compare, compare_candidates
from shopguide.spec.objective import Goal

ALPHA = 0.05
REPLICATES = 40_000
NOISE = 4 * math.sqrt(ALPHA * (1 - ALPHA) / REPLICATES)  # four standard errors of a share near α


def correlated(rho: float, candidates: int, seed: int = 1) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=REPLICATES)
    own = rng.normal(size=(candidates, REPLICATES))
    return list(math.sqrt(rho) * common + math.sqrt(1 - rho) * own)


def test_one_candidate_has_the_whole_level() -> None:
    draws = correlated(0.0, 1)
    assert simultaneous_level(draws, ALPHA) == ALPHA
    assert simultaneous_level([], ALPHA) == ALPHA


def test_candidates_that_move_as_one_cost_as_much_as_one() -> None:
    draws = correlated(0.0, 1)[0]
    assert simultaneous_level([draws, draws, 3 * draws + 1], ALPHA) == pytest.approx(
        ALPHA, abs=1e-4
    )


def test_a_candidate_without_spread_costs_nothing() -> None:
    draws = [correlated(0.0, 1)[0], np.zeros(REPLICATES)]
    assert simultaneous_level(draws, ALPHA) == pytest.approx(ALPHA, abs=1e-4)


@pytest.mark.parametrize("candidates", [2, 5])
def test_independent_candidates_cost_what_sidak_says(candidates: int) -> None:
    level = simultaneous_level(correlated(0.0, candidates), ALPHA)
    assert level == pytest.approx(1 - (1 - ALPHA) ** (1 / candidates), abs=NOISE / candidates)


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_correlated_candidates_cost_what_the_normal_orthant_says(rho: float) -> None:
    level = simultaneous_level(correlated(rho, 3), ALPHA)
    covariance = np.full((3, 3), rho) + (1 - rho) * np.eye(3)
    z = norm.ppf(1 - level)
    together = 1 - multivariate_normal(cov=covariance).cdf(np.full(3, z))
    assert together == pytest.approx(ALPHA, abs=NOISE)


def test_the_level_stays_between_bonferroni_and_the_whole() -> None:
    rng = np.random.default_rng(0)
    draws = list(rng.normal(size=(5, 200)))
    assert ALPHA / 5 <= simultaneous_level(draws, ALPHA) <= ALPHA


def candidates_without_gain(seed: int, candidates: int, users: int = 400) -> list[Arms]:
    """Draw candidates that bring each user as much as the champion does, in the mean."""
    rng = np.random.default_rng(seed)
    champion = rng.gamma(2.0, size=(users, 1))
    shared = rng.normal(scale=0.5, size=(users, 1))
    requests = np.ones(users)
    return [
        Arms(
            ("click",),
            champion,
            champion + shared + rng.normal(scale=0.7, size=(users, 1)),
            requests,
        )
        for _ in range(candidates)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("candidates", [1, 5])
def test_no_better_candidates_are_promoted_as_rarely_as_promised(candidates: int) -> None:
    runs, goals = 2000, {"ctr": Goal(task="click", weight=1.0)}
    promoted = uncorrected = 0
    for run in range(runs):
        arms = candidates_without_gain(run, candidates)
        found, single = compare_candidates(arms, goals, confidence=0.95, replicates=1000, seed=run)
        assert 0.95 <= single <= 0.99
        promoted += any(one.objective is not None and one.objective.lower > 0 for one in found)
        alone = compare(arms, goals, confidence=0.95, replicates=1000, seed=run)
        uncorrected += any(one.objective is not None and one.objective.lower > 0 for one in alone)
    error = math.sqrt(0.05 * 0.95 / runs)
    assert promoted / runs <= 0.05 + 2 * error
    if candidates == 5:
        assert promoted / runs >= 0.05 - 4 * error  # and it does not give power away
        assert uncorrected / runs > 0.1
