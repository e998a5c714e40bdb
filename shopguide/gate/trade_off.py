"""What the challenger's solver saw on validation, as the decision holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopguide.bundle import Bundle
from shopguide.objective.solution import Solution, read_solution
from shopguide.spec.objective import Objective

_MOST = 400  # points that a plot of a page has room for


@dataclass(frozen=True, slots=True)
class TradeOff:
    """The Pareto front of the challenger on the validation period.

    Args:
        solver: what chose from it; "owner": a person did.
        reference: what J is relative to.
        reference_goals: F of each goal of the reference there, > 0.
        objective: J of the chosen point on validation; the reference scores 1.
        front: F of each goal by name [P]; goals in the order of the spec.
        chosen: place of the chosen point in `front`.
        champion: F of each goal of the champion there; None where it was not compared.
        hypervolume: of the front, relative to that of the reference.
        evaluated: how many λ were tried.
        fallback: why the solver could not keep its terms; None: it kept them.
    """

    solver: str
    reference: str
    reference_goals: Mapping[str, float]
    objective: float
    front: tuple[Mapping[str, float], ...]
    chosen: int
    champion: Mapping[str, float] | None
    hypervolume: float
    evaluated: int
    fallback: str | None


@dataclass(frozen=True, slots=True)
class Optimism:
    """J where λ was chosen beside J where it is judged: what choosing made look too good.

    Args:
        validation: J on the validation period.
        test: J on the test period.
        difference: validation − test.
    """

    validation: float
    test: float
    difference: float


def trade_off(bundle: Bundle) -> TradeOff | None:
    """Return a bundle's front and the point that was chosen; None where it carries none.

    Raises:
        ShopguideError: its solution is of another version.
    """
    found = read_solution(Path(bundle.path))
    if found is None:
        return None
    kept, chosen = thinned(found)
    return TradeOff(
        solver=found.solver,
        reference=found.reference,
        reference_goals=dict(found.reference_goals),
        objective=found.point.objective,
        front=tuple(dict(found.front[place].goals) for place in kept),
        chosen=chosen,
        champion=dict(found.champion.goals) if found.champion else None,
        hypervolume=found.hypervolume,
        evaluated=found.evaluated,
        fallback=found.fallback,
    )


def optimism(
    bundle: Bundle, objective: Objective, champion: Bundle | None, gain: float | None
) -> Optimism | None:
    """Return how much better λ looked on validation than it is on the test period.

    None unless both values of J are relative to the same champion and mean the same goals.

    Args:
        bundle: the challenger.
        objective: what is judged by.
        champion: what the challenger is compared with.
        gain: J − 1 on the test period.
    """
    found = read_solution(Path(bundle.path))
    if found is None or champion is None or gain is None or found.champion is None:
        return None
    same_goals = found.objective.goals == objective.goals
    same_lists = found.objective.discount == objective.discount
    if found.champion.checksum != champion.manifest.checksum or not (same_goals and same_lists):
        return None
    validation = found.point.objective
    return Optimism(validation, 1 + gain, validation - (1 + gain))


def thinned(found: Solution) -> tuple[list[int], int]:
    """Return the places of a long front to keep, the chosen one among them, and its new place."""
    step = -(-len(found.front) // _MOST)
    kept = sorted({*range(0, len(found.front), step), found.chosen})
    return kept, kept.index(found.chosen)
