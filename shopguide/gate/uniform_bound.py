"""A lower bound of a running mean that holds at all times at once: a confidence sequence.

Night t brings an estimate x_t with standard error e_t, from n_t users. What is bounded is the mean
of what the nights truly brought, μ̃_t = Σ n_i·μ_i / Σ n_i, with a μ_i for every night:

    S_t = Σ n_i·x_i          V_t = Σ (n_i·e_i)²
    u(v) = √(2·(v + r)·log(1 + √((v + r)/r) / (2α)))
    P(there is a t with (S_t − u(V_t)) / Σ n_i > μ̃_t) ≤ α        as the n_i grow

u is the boundary that the one-sided normal mixture 2·√(r/(v + r))·exp(s²/(2(v + r)))·Φ(s/√(v + r)),
a martingale of mean 1, reaches 1/α at, in closed form and a little above it. r says where it is
tightest, and is set for run N of the first run's size: r = N·V_1 / (−2·log 2α + log(1 − 2·log 2α)).

The sums of a night are near to normal (hundreds of users), so the process is near to a Brownian
motion at the times V_t; V is estimated. Weights are numbers of users, known before any outcome: by
1/e² a night with few rare losses would weigh more, and push the mean of skewed outcomes up.

Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52, 2024 (arXiv 2103.06476), §2 on means that
move, and the appendix on one side; the mixture and r: Howard, Ramdas, McAuliffe, Sekhon,
"Time-uniform, nonparametric, nonasymptotic confidence sequences", same journal 49, 2021, §3.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def lower_bounds(
    changes: Array, errors: Array, users: Array, *, alpha: float, tightest: int
) -> Array:
    """Return the lower bound of the mean so far after each night [..., T]; −∞ without a spread.

    Args:
        changes: x of each night [..., T], in any unit.
        errors: standard error of each [..., T], ≥ 0, in the same unit.
        users: of each night [T], > 0.
        alpha: error over all nights together, one-sided, in (0, 0.5).
        tightest: N, number of nights like the first after which the bound is tightest.
    """
    spread = np.cumsum((users * errors) ** 2, axis=-1)
    first = np.min(np.where(spread > 0, spread, np.inf), axis=-1, keepdims=True)
    mixture = tightest * first / _optimum(alpha)
    with np.errstate(invalid="ignore"):  # no spread at all: ∞ / ∞
        wide = _boundary(spread, mixture, alpha)
    bounds = (np.cumsum(users * changes, axis=-1) - wide) / np.cumsum(users)
    found: Array = np.where(spread > 0, bounds, -np.inf)
    return found


def first_quantile(alpha: float, tightest: int) -> float:
    """Return how many standard errors the first night's bound lies below its estimate."""
    mixture = np.array([tightest / _optimum(alpha)])
    return float(_boundary(np.ones(1), mixture, alpha)[0])


def _boundary(spread: Array, mixture: Array, alpha: float) -> Array:
    whole = spread + mixture
    found: Array = np.sqrt(2 * whole * np.log1p(np.sqrt(whole / mixture) / (2 * alpha)))
    return found


def _optimum(alpha: float) -> float:
    two_sided = -2 * math.log(2 * alpha)
    return two_sided + math.log1p(two_sided)
