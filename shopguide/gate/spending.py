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

A horizon that is over is followed by another with a budget of its own, as long as the terms stay
what they were. Once they change (function, horizon, confidence), all that the champion's runs ever
spent counts, against the least budget that any of them promised: whoever changes the terms until
a challenger passes gains nothing by it.

A `confidence_sequence` is not added up: one sequence holds its error over all runs of a champion
together (`shopguide.gate.uniform_bound`). Whoever changes what is asked of the data, or the terms,
begins another; sequence k takes budget/(k(k + 1)), or what is left, so that together they keep it.

Source: Lan and DeMets, "Discrete Sequential Boundaries for Clinical Trials", Biometrika 70, 1983;
harmonic: Foster and Stine, "α-investing", JRSS B 70, 2008, §2, as alpha-spending with γ_n ∝
1/(n(n + 1)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from shopguide.gate.ledger import Look, SpendingTerms
from shopguide.spec.gate import AlphaSpending, SpendingFunction

_NORMAL = NormalDist()
_LEAST = 1e-6  # an error below this has no quantile that replicates could show
_TAIL = 10  # replicates that a tail needs at least
_MOST = 100_000  # replicates that no error is worth more of


@dataclass(frozen=True, slots=True)
class Spending:
    """What one run spends of the error of its champion.

    Args:
        function: of `gate.alpha_spending`.
        horizon: runs that share the error; None where it has no horizon.
        look: number of this run among the champion's, from 1.
        budget: error that they share, one-sided: 1 − `gate.confidence`, or what an earlier run
            promised by other terms, where that is less.
        spent: what earlier runs of the same horizon took; by changed terms, all earlier runs.
        alpha: what this run takes; 0: nothing is left.
        repeated: whether the same comparison was made before: it takes what it took then.
        former: other terms by which earlier runs took error, in words; empty: they never changed.
        sequence: number of the champion's confidence sequence, from 1; None where there is none.
            `alpha` is its error then, which its first run took.
        continued: whether an earlier run began it.
    """

    function: SpendingFunction
    horizon: int | None
    look: int
    budget: float
    spent: float
    alpha: float
    repeated: bool
    former: tuple[str, ...] = ()
    sequence: int | None = None
    continued: bool = False

    @property
    def taken(self) -> float:
        """Error that this run adds to what its champion's runs took."""
        return 0.0 if self.continued else self.alpha


def spending_terms(terms: AlphaSpending, budget: float) -> SpendingTerms:
    """Return the terms as a look records them.

    Args:
        terms: function and horizon.
        budget: α, one-sided, in (0, 0.5).
    """
    endless = terms.function in ("none", "harmonic")
    return SpendingTerms(terms.function, None if endless else terms.horizon, _short(budget))


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
    asked = spending_terms(terms, budget)
    others = _other_terms(before, asked)
    first = 0
    horizons = asked.horizon is not None and asked.function != "confidence_sequence"
    if not others and horizons and asked.horizon is not None:
        first = len(before) // asked.horizon * asked.horizon
    most = min([asked.budget, *(one.budget for one in others if one is not None)])
    spent = _short(math.fsum(look.alpha for look in before[first:]))
    number, begun = None, None
    if asked.function == "confidence_sequence":
        number, begun = _sequence(before, now, asked)
    if begun is not None:
        alpha = min(begun, budget)
    elif number is not None:
        alpha = max(min(_short(most / (number * (number + 1))), _short(most - spent)), 0.0)
    elif found is not None:
        alpha = min(earlier[found].alpha, budget)
    elif asked.function == "none":
        alpha = max(_short(most - spent), 0.0) if others else budget
    else:
        alpha = max(_short(_cumulative(terms, most, len(before) + 1 - first) - spent), 0.0)
    return Spending(
        function=asked.function,
        horizon=asked.horizon,
        look=len(before) + 1,
        budget=most,
        spent=spent,
        alpha=_short(alpha) if alpha >= _LEAST else 0.0,
        repeated=found is not None,
        former=tuple("terms that were not recorded" if o is None else o.text for o in others),
        sequence=number,
        continued=begun is not None,
    )


def _sequence(before: Sequence[Look], now: Look, asked: SpendingTerms) -> tuple[int, float | None]:
    """Return the number of a run's confidence sequence, and its error if it was begun before."""
    began = [
        look
        for look in before
        if look.alpha > 0 and look.spending and look.spending.function == asked.function
    ]
    for number, look in enumerate(began, start=1):
        if look.terms == now.terms and look.spending == asked:
            return number, look.alpha
    return len(began) + 1, None


def _other_terms(before: Sequence[Look], asked: SpendingTerms) -> list[SpendingTerms | None]:
    """Return the other terms by which error was taken, once each; None: nobody recorded them."""
    found = dict.fromkeys(look.spending for look in before if look.alpha > 0)
    return [terms for terms in found if terms != asked]


def error_of(spending: Spending | None, confidence: float, here: int, tried: int) -> float:
    """Return the error of the candidates of one run: those tried elsewhere keep their share.

    Args:
        spending: of the champion's error; None without a champion. With nothing to spend, bounds
            are shown only, at `confidence`; of a confidence sequence they are the run's own.
        confidence: `gate.confidence`.
        here: candidates that are judged.
        tried: candidates that were compared on the test period, these included.
    """
    shared = spending is not None and spending.alpha > 0 and spending.sequence is None
    alpha = spending.alpha if spending is not None and shared else 1 - confidence
    return alpha * here / tried if tried > here else alpha


def replicates_for(alpha: float, candidates: int, least: int) -> int:
    """Return how many replicates an error gets: ten beyond the least likely bound, or the most.

    Args:
        alpha: error of the run, in (0, 0.5).
        candidates: that share it.
        least: `gate.replicates`; more than the most is taken too.
    """
    return max(least, min(_needed(alpha, candidates), _MOST))


def can_show(alpha: float, replicates: int, candidates: int) -> bool:
    """Return whether replicates can show the bounds of a run's error; arguments as below."""
    return alpha >= least_error(replicates, candidates) * (1 - 1e-9)


def least_error(replicates: int, candidates: int) -> float:
    """Return the least error of a run whose bounds the replicates can show.

    A bound at a smaller one would be read off fewer than ten replicates, or off none: it would
    not be low enough, and nothing would say so.

    Args:
        replicates: of the bootstrap.
        candidates: that share the error.
    """
    return _TAIL * max(candidates, 1) / replicates


def _needed(alpha: float, candidates: int) -> int:
    return math.ceil(_TAIL * max(candidates, 1) / alpha / 100) * 100


def _cumulative(terms: AlphaSpending, budget: float, runs: int) -> float:
    """Return what the first runs of a horizon may have spent together."""
    share = min(runs / terms.horizon, 1.0)
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
