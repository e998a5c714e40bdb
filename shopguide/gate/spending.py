"""α-spending: the error that one run of a champion may take.

A(t) is what the first runs may have spent together, t = n/N of a horizon of N runs, A(1) = α:

    bonferroni       A(t) = α·t
    pocock           A(t) = α·ln(1 + (e − 1)·t)
    obrien_fleming   A(t) = 2 − 2·Φ(Φ⁻¹(1 − α/2) / √t)
    harmonic         A_n  = α·n / (n + 1), without a horizon
    none             every run takes α

Run n takes A(n/N) less what the ledger says was spent. In a sequential trial every look is at the
same hypothesis, and the looks' dependence buys power; here each run judges another challenger, so
the levels are simply added up (Boole): Σ α_n ≤ α bounds the chance of any false promotion, however
the runs depend on each other.

Source: Lan and DeMets, "Discrete Sequential Boundaries for Clinical Trials", Biometrika 70, 1983;
harmonic: Foster and Stine, "α-investing", JRSS B 70, 2008, §2, as alpha-spending with γ_n ∝
1/(n(n + 1)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from shopguide.gate.ledger import Look
from shopguide.spec.gate import AlphaSpending, SpendingFunction

_NORMAL = NormalDist()
_LEAST = 1e-6  # an error below this has no quantile that replicates could show
_TAIL = 10  # replicates that a tail needs at least
_MOST = 100_000  # replicates that nothing needs more of


@dataclass(frozen=True, slots=True)
class Spending:
    """What one run spends of the error of its champion.

    Args:
        function: of `gate.alpha_spending`.
        horizon: runs that share the error; None where it has no horizon.
        look: number of this run among the champion's, from 1.
        budget: error that they share, one-sided: 1 − `gate.confidence`.
        spent: what earlier runs of the same horizon took.
        alpha: what this run takes; 0: nothing is left.
        repeated: whether the same comparison was made before: it takes what it took then.
    """

    function: SpendingFunction
    horizon: int | None
    look: int
    budget: float
    spent: float
    alpha: float
    repeated: bool


def spend(terms: AlphaSpending, budget: float, earlier: Sequence[Look], now: Look) -> Spending:
    """Return what a run may spend.

    Args:
        terms: function and horizon.
        budget: α, one-sided, in (0, 0.5).
        earlier: looks at the same champion, each comparison once, the earliest first.
        now: this run's look; its `alpha` is not read.
    """
    found = next((n for n, look in enumerate(earlier) if look.repeats(now)), None)
    before = earlier if found is None else earlier[:found]
    endless = terms.function in ("none", "harmonic")
    first = 0 if endless else len(before) // terms.horizon * terms.horizon
    spent = _short(math.fsum(look.alpha for look in before[first:]))
    number = len(before) + 1
    if found is not None:
        alpha = min(earlier[found].alpha, budget)
    elif terms.function == "none":
        alpha = budget
    else:
        alpha = max(_short(_cumulative(terms, budget, number - first) - spent), 0.0)
    return Spending(
        function=terms.function,
        horizon=None if endless else terms.horizon,
        look=number,
        budget=_short(budget),
        spent=spent,
        alpha=_short(alpha) if alpha >= _LEAST else 0.0,
        repeated=found is not None,
    )


def replicates_for(alpha: float, candidates: int, least: int) -> int:
    """Return how many replicates an error needs: ten beyond the least likely bound.

    Args:
        alpha: error of the run, in (0, 0.5).
        candidates: that share it.
        least: `gate.replicates`.
    """
    tail = math.ceil(_TAIL * max(candidates, 1) / alpha / 100) * 100
    return max(least, min(tail, _MOST))


def _cumulative(terms: AlphaSpending, budget: float, runs: int) -> float:
    """Return what the first runs of a horizon may have spent together."""
    share = runs / terms.horizon
    if terms.function == "harmonic":
        return budget * runs / (runs + 1)
    if terms.function == "pocock":
        return budget * math.log1p((math.e - 1) * share)
    if terms.function == "obrien_fleming":
        return 2 - 2 * _NORMAL.cdf(_NORMAL.inv_cdf(1 - budget / 2) / math.sqrt(share))
    return budget * share


def _short(value: float) -> float:
    """Return a level to ten significant digits: what sums of floats add is not error to spend."""
    return float(f"{value:.10g}")
