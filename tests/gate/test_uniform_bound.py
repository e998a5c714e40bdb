"""The bound that holds at all times: against the exact mixture, then its coverage by simulation."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from shopguide.gate.uniform_bound import first_quantile, lower_bounds

ALPHA = 0.05
RUNS = 1000
MOST = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
"""Three standard errors above the error that is promised: a right bound fails once in 700 times."""


def mixture(s: float, v: float, r: float) -> float:
    """Return the one-sided normal mixture, whose mean is 1 for a Brownian motion at time v."""
    whole = v + r
    return 2 * math.sqrt(r / whole) * math.exp(s**2 / (2 * whole)) * float(norm.cdf(s / whole**0.5))


def boundary(v: float, tightest: int, alpha: float = ALPHA) -> float:
    """Return u(v) where the first night has a spread of 1: nights like it, with no change."""
    nights = int(v)
    bounds = lower_bounds(
        np.zeros(nights), np.ones(nights), np.ones(nights), alpha=alpha, tightest=tightest
    )
    return float(-bounds[-1] * nights)


@pytest.mark.parametrize("v", [1, 5, 30, 365, 5000])
@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_the_boundary_is_a_little_above_where_the_mixture_reaches_its_limit(
    v: int, alpha: float
) -> None:
    log_alpha = -2 * math.log(2 * alpha)
    r = 30 / (log_alpha + math.log1p(log_alpha))
    found = boundary(v, 30, alpha)
    assert mixture(found, v, r) >= 1 / alpha  # never below the exact boundary
    assert mixture(0.96 * found, v, r) < 1 / alpha  # nor more than 4 % above it


def test_it_is_tightest_where_it_was_told_to_be() -> None:
    here = {tightest: boundary(100, tightest) for tightest in (3, 30, 100, 300, 3000)}
    assert min(here, key=lambda tightest: here[tightest]) == 100


def test_the_first_nights_bound_is_so_many_errors_away() -> None:
    assert first_quantile(ALPHA, 30) == pytest.approx(boundary(1, 30))
    assert first_quantile(ALPHA, 30) > norm.ppf(1 - ALPHA)


def test_nothing_is_shown_without_a_spread_and_such_nights_cost_nothing() -> None:
    changes, errors = np.array([0.0, 0.5, 0.0]), np.array([0.0, 0.1, 0.0])
    found = lower_bounds(changes, errors, np.array([5.0, 5.0, 5.0]), alpha=ALPHA, tightest=1)
    alone = lower_bounds(changes[1:2], errors[1:2], np.array([5.0]), alpha=ALPHA, tightest=1)
    assert found[0] == -np.inf
    assert found[1] == pytest.approx(alone[0] / 2)  # the mean of two nights
    assert found[2] == pytest.approx(alone[0] / 3)


@pytest.mark.parametrize("skewed", [False, True])
def test_the_running_mean_is_below_the_bound_at_any_time_as_seldom_as_promised(
    skewed: bool,
) -> None:
    """Sixty nights whose true changes move, users that differ in number, losses rare and large."""
    rng, nights = np.random.default_rng(5), 60
    truth = 0.1 * np.sin(np.arange(nights))
    users = rng.integers(200, 600, nights)
    changes, errors = np.empty((RUNS, nights)), np.empty((RUNS, nights))
    for night in range(nights):
        noise = rng.normal(size=(RUNS, users[night]))
        if skewed:  # a twentieth of the users lose what the others gain: a skewness of about −4
            noise = 0.3 - 6.0 * (rng.random(noise.shape) < 0.05)
        seen = truth[night] + noise
        changes[:, night] = seen.mean(axis=1)
        errors[:, night] = seen.std(axis=1, ddof=1) / math.sqrt(users[night])
    weight = users.astype(float)
    found = lower_bounds(changes, errors, weight, alpha=ALPHA, tightest=20)
    mean = np.cumsum(weight * truth) / np.cumsum(weight)
    missed = (found > mean).any(axis=1).mean()
    assert missed <= MOST
    fixed = changes - norm.ppf(1 - ALPHA) * errors  # what is promised for one night alone
    assert (fixed > truth).any(axis=1).mean() > 0.5


def test_the_bound_comes_to_the_mean_as_nights_go_on() -> None:
    rng, nights = np.random.default_rng(1), 4000
    changes = 0.3 + rng.normal(size=nights)
    found = lower_bounds(changes, np.ones(nights), np.ones(nights), alpha=ALPHA, tightest=100)
    assert 0.2 < found[-1] < 0.3
    assert found[0] < -1
