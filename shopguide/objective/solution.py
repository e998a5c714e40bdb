"""`solution.json`: what solving found on the validation period, beside the bundle's λ.

Whoever reads a bundle can show the trade-offs that were open and the one that was taken, and hold
what was promised on validation against what the test period says. Nothing of the test period is
in it.
"""

from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from shopguide.bundle.document import Document
from shopguide.bundle.manifest import SOLUTION
from shopguide.spec.objective import Objective


class FrontPoint(Document):
    """A ranking that no other one of the same model beats in every goal.

    Args:
        weights: λ by task, ≥ 0, Σ λ = 1.
        goals: F by goal on the validation period, in the goal's own unit.
        objective: J on the validation period; the reference scores 1.
    """

    weights: dict[str, float]
    goals: dict[str, float]
    objective: float


class ChampionPoint(Document):
    """Where the bundle in production stands on the same validation period.

    Args:
        version: the bundle's own, first 12 hexadecimal digits of its checksum.
        checksum: of the whole bundle.
        goals: F by goal on the validation period.
    """

    version: str
    checksum: str
    goals: dict[str, float]


class SolvedOn(Document):
    """The impressions that λ was chosen on, as they were read.

    Args:
        start: time of the earliest.
        end: time of the latest.
        rows: how many.
    """

    start: datetime
    end: datetime
    rows: int = Field(ge=1)


class Solution(Document):
    """The Pareto front of one model on the validation period, and the point that was chosen.

    Args:
        format: version of the document's layout; another one is refused.
        solver: name of the solver that chose; "owner": a person did, from the front.
        objective: the objective that was solved for; with `--set` it may differ from the spec that
            the bundle was trained with.
        reference: what J and the hypervolume are relative to.
        reference_goals: F by goal of the reference, > 0.
        champion: None where there was none, or none that could be compared.
        front: the non-dominated points, by λ in lexicographic order.
        chosen: place in `front` of the point whose λ the bundle carries.
        hypervolume: volume that the front dominates over the volume that the reference alone
            dominates, both above zero; 1: the front is no better than the reference.
        evaluated: how many λ were tried.
        fallback: why the solver could not keep its terms, and what it chose by instead; None: it
            kept them.
        solved_on: what it was solved on, whatever the spec calls that period; None: an earlier
            version did not record it.
    """

    format: Literal[1] = 1
    solver: str
    objective: Objective
    reference: Literal["champion", "equal weights"]
    reference_goals: dict[str, float]
    champion: ChampionPoint | None
    front: list[FrontPoint] = Field(min_length=1)
    chosen: int = Field(ge=0)
    hypervolume: float = Field(ge=0)
    evaluated: int = Field(ge=1)
    fallback: str | None = None
    solved_on: SolvedOn | None = None

    @model_validator(mode="after")
    def _chosen_is_on_the_front(self) -> Self:
        if self.chosen >= len(self.front):
            msg = f"chosen is {self.chosen}, and the front has {len(self.front)} points"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _every_goal_has_a_value(self) -> Self:
        points = {"reference_goals": self.reference_goals}
        points |= {f"front.{place}": point.goals for place, point in enumerate(self.front)}
        if self.champion is not None:
            points["champion"] = self.champion.goals
        for name, goals in points.items():
            if set(goals) != set(self.objective.goals) or not all(map(isfinite, goals.values())):
                msg = f"{name} does not hold a number for each of {', '.join(self.objective.goals)}"
                raise ValueError(msg)
        return self

    @property
    def point(self) -> FrontPoint:
        """The chosen point."""
        return self.front[self.chosen]


def read_solution(bundle: str | Path) -> Solution | None:
    """Read a bundle's solution; None where it was never solved, or by an earlier version.

    Args:
        bundle: directory of the bundle; its checksums are verified by `load_bundle`.

    Raises:
        ShopguideError: the document is not one of this version.
    """
    path = Path(bundle) / SOLUTION
    return Solution.read(path) if path.is_file() else None
