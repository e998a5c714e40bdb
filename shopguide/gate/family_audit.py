"""The audit of families: several challengers at once, and the nights of one champion."""

from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

from shopguide.gate.audit_result import Audit, Family, Nightly
from shopguide.gate.audited import Audited
from shopguide.gate.families import Families, nightly, several
from shopguide.gate.ledger import Look
from shopguide.gate.power import days_needed, detectable, exact_interval, season_curve
from shopguide.gate.relabelling import relabel
from shopguide.gate.seasons import draw_seasons
from shopguide.gate.spending import can_show, replicates_for, spend, spending_terms
from shopguide.gate.uniform_bound import first_quantile
from shopguide.spec import Spec
from shopguide.spec.gate import Gate

Progress = Callable[[str, int, int], None]
"""Told the kind of run, how many of them are done, and how many there are."""


def audit_several(
    spec: Spec, audited: Audited, challengers: int, runs: int, tell: Progress
) -> Family:
    """Audit several challengers at once.

    Args:
        spec: reads `objective.goals`, `gate` and `seed`.
        audited: the two rankings.
        challengers: of a family.
        runs: families.
        tell: told what is done.
    """
    gate = spec.gate
    number = replicates_for(1 - gate.confidence, challengers, gate.replicates)
    found = several(
        audited.arms,
        spec.objective.goals,
        gate.model_copy(update={"replicates": number}),
        challengers=challengers,
        runs=runs,
        seed=spec.seed,
        progress=progress_of(f"{challengers} challengers at once", runs, tell),
    )
    return Family(challengers, *_rates(found))


def audit_nights(spec: Spec, audited: Audited, nights: int, one: Audit, tell: Progress) -> Nightly:
    """Audit a champion's nights: their error as the spec shares it, and what the first one sees.

    Args:
        spec: reads `objective.goals`, `gate` and `seed`.
        audited: the two rankings.
        nights: of one champion.
        one: the audit of one comparison, of as many runs.
        tell: told what is done.
    """
    gate, goals, terms = spec.gate, spec.objective.goals, spec.gate.alpha_spending
    if terms.function == "confidence_sequence":
        return _audit_sequence(spec, audited, nights, one, tell)
    spent, least = spent_by_night(gate, nights), gate.replicates
    numbers = [replicates_for(alpha, 1, least) if alpha > 0 else least for alpha in spent]
    alphas = [
        alpha if can_show(alpha, number, 1) else 0.0
        for alpha, number in zip(spent, numbers, strict=True)
    ]
    found = nightly(
        *(audited.arms, goals, gate),
        alphas=alphas,
        replicates=numbers,
        runs=one.runs,
        seed=spec.seed,
        progress=progress_of(f"{nights} nights", one.runs, tell),
    )
    least_gain = days = None
    if alphas[0] > 0:
        first = gate.model_copy(update={"confidence": 1 - alphas[0], "replicates": numbers[0]})
        told = progress_of("the first night's power", one.runs, tell)
        alone = relabel(*(audited.arms, goals, first), runs=one.runs, seed=spec.seed, progress=told)
        least_gain = detectable(alone.promotion_needed)
        days = days_needed(audited.days, first, one.standard_error, one.wished_gain)
    rates = _rates(found)
    return Nightly(nights, *rates, terms.function, alphas[0], least_gain, days)


def _audit_sequence(
    spec: Spec, audited: Audited, nights: int, one: Audit, tell: Progress
) -> Nightly:
    """Audit the nights of a champion whose runs are put together by a confidence sequence."""
    gate, terms = spec.gate, spec.gate.alpha_spending
    alpha = spent_by_night(gate, 1)[0]
    seasons = draw_seasons(
        *(audited.arms, spec.objective.goals, gate),
        nights=nights,
        runs=one.runs,
        seed=spec.seed,
        progress=progress_of(f"{nights} nights", one.runs, tell),
    )
    promoted = seasons.by_sequence(alpha, terms.horizon) < nights
    alone = seasons.by_night([1 - gate.confidence] * nights) < nights
    quantile = first_quantile(alpha, terms.horizon)
    first = gate.model_copy(update={"confidence": NormalDist().cdf(quantile)})
    return Nightly(
        nights,
        *_rates(Families(promoted, alone)),
        terms.function,
        alpha,
        detectable(seasons.needed(1 - gate.confidence, quantile)),
        days_needed(audited.days, first, one.standard_error, one.wished_gain),
        season_curve(seasons, gate, alpha, one.standard_error),
    )


def spent_by_night(gate: Gate, nights: int) -> list[float]:
    """Return the error that each of a champion's nights may take, each on fresh data.

    Args:
        gate: reads `confidence` and `alpha_spending`.
        nights: how many.
    """
    looks: list[Look] = []
    budget = 1 - gate.confidence
    terms = spending_terms(gate.alpha_spending, budget)
    for night in range(nights):
        test_set = f"test set {night}"
        now = Look("champion", (f"challenger {night}",), test_set, alpha=0.0, spending=terms)
        spending = spend(gate.alpha_spending, budget, looks, now)
        looks.append(replace(now, alpha=spending.alpha))
    return [look.alpha for look in looks]


def progress_of(kind: str, runs: int, tell: Progress) -> Callable[[int], None]:
    """Return what tells of one kind of run, given the number that are done."""
    return lambda done: tell(kind, done, runs)


def _rates(families: Families) -> tuple[int, float, tuple[float, float], float]:
    runs, promoted = len(families.promoted), int(families.promoted.sum())
    uncorrected = float(families.uncorrected.mean())
    return runs, promoted / runs, exact_interval(promoted, runs), uncorrected
