"""What all runs of one champion showed together, by a bound that holds at all times."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from shopguide.gate.ledger import Evidence, Look, Shown
from shopguide.gate.spending import Spending
from shopguide.gate.uniform_bound import lower_bounds
from shopguide.spec.gate import Gate


@dataclass(frozen=True, slots=True)
class MeanBound:
    """The mean relative change that a champion's challengers brought, weighted by users.

    Args:
        estimate: geometric mean of the ratios, less 1.
        lower: its bound, which holds after every run at once.
        least: what `lower` must exceed; None: the spec sets none.
    """

    estimate: float
    lower: float
    least: float | None
    passes: bool


@dataclass(frozen=True, slots=True)
class GainSequence:
    """The state of a confidence sequence after one run.

    Args:
        runs: that brought evidence, this one included.
        users: of all of them, each counted in every run that saw it.
        fresh: those of this run; 0: it brought none.
        alpha: error over all runs together, one-sided.
        objective: J − 1; None while no run brought evidence.
        goals: those that have a value.
    """

    runs: int
    users: int
    fresh: int
    alpha: float
    objective: MeanBound | None
    goals: Mapping[str, MeanBound]


def earlier_evidence(looks: Sequence[Look], now: Look) -> list[Evidence]:
    """Return what the earlier runs of a look's sequence brought, the earliest first.

    Args:
        looks: at the same champion, each comparison once, the earliest first.
        now: a look; what came after it, where it was made before, does not count.
    """
    found = []
    for look in looks:
        if look.repeats(now):
            break
        same = look.terms == now.terms and look.spending == now.spending
        if same and look.evidence is not None:
            found.append(look.evidence)
    return found


def last_seen(earlier: Sequence[Evidence]) -> datetime | None:
    """Return the time of the last impression that counted; None: none did."""
    return max((datetime.fromisoformat(one.until) for one in earlier), default=None)


def follow(
    earlier: Sequence[Evidence], now: Evidence | None, spending: Spending, gate: Gate
) -> GainSequence:
    """Return the state of a confidence sequence.

    Args:
        earlier: evidence of the runs before.
        now: of this run; None: it brought none.
        spending: of this run, in a sequence.
        gate: reads `min_gain` and `margins`.
    """
    found = [*earlier, *([now] if now is not None else [])]
    names = dict.fromkeys(name for one in found for name in one.goals)
    tightest = spending.horizon or 1

    def bound(pairs: list[tuple[int, Shown]], least: float | None) -> MeanBound:
        users = np.array([float(number) for number, _ in pairs])
        changes = np.array([shown.change for _, shown in pairs])
        errors = np.array([shown.error for _, shown in pairs])
        limits = lower_bounds(changes, errors, users, alpha=spending.alpha, tightest=tightest)
        lower = math.expm1(limits[-1])
        mean = math.expm1(float(users @ changes / users.sum()))
        return MeanBound(mean, lower, least, least is not None and lower > least)

    return GainSequence(
        runs=len(found),
        users=sum(one.users for one in found),
        fresh=now.users if now is not None else 0,
        alpha=spending.alpha,
        objective=bound([(o.users, o.objective) for o in found], gate.min_gain) if found else None,
        goals={
            name: bound(
                [(one.users, one.goals[name]) for one in found if name in one.goals],
                -gate.margins.get(name, 0.0),
            )
            for name in names
        },
    )


def sequence_of(
    gate: Gate, looks: Sequence[Look], look: Look | None, spending: Spending | None
) -> GainSequence | None:
    """Return what the champion's runs showed together; None: it is not asked, or none compared.

    Args:
        gate: reads `min_gain` and `margins`.
        looks: at this champion before, each comparison once, the earliest first.
        look: this run's.
        spending: likewise.
    """
    if look is None or spending is None or not (spending.sequence and spending.alpha > 0):
        return None
    return follow(earlier_evidence(looks, look), look.evidence, spending, gate)
