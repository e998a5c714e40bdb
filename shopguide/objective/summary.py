"""What a person or a pipeline is told about a solved bundle; the whole of it is `solution.json`."""

from collections.abc import Mapping
from dataclasses import dataclass

from shopguide.objective.solution import Solution


@dataclass(frozen=True, slots=True)
class SolveSummary:
    """The chosen trade-off, as it looks on the validation period.

    Args:
        solver: that chose.
        weights: λ by task.
        means: mean expected outcome by task: what λ is relative to.
        objective: J on validation; the reference scores 1.
        reference: what J is relative to: the champion, or equal weights if there is none.
        reference_goals: value of each goal of the reference, on validation.
        goals: value of each goal on validation.
        front: number of points on the Pareto front.
        hypervolume: of the front, in units of the reference's.
        evaluated: how many λ were tried.
        fallback: why the solver could not keep its terms; None: it kept them.
    """

    solver: str
    weights: Mapping[str, float]
    means: Mapping[str, float]
    objective: float
    reference: str
    reference_goals: Mapping[str, float]
    goals: Mapping[str, float]
    front: int
    hypervolume: float
    evaluated: int
    fallback: str | None

    def metrics(self) -> dict[str, float]:
        """Return what a run's page shows: λ by task, J on validation, and the hypervolume."""
        chosen = {f"lambda_{task}": weight for task, weight in self.weights.items()}
        return chosen | {"objective": self.objective, "hypervolume": self.hypervolume}


def summarise(solution: Solution, means: Mapping[str, float]) -> SolveSummary:
    """Return a solution without its front.

    Args:
        solution: of the bundle.
        means: what λ is relative to, by task.
    """
    return SolveSummary(
        solver=solution.solver,
        weights=solution.point.weights,
        means=means,
        objective=solution.point.objective,
        reference=solution.reference,
        reference_goals=solution.reference_goals,
        goals=solution.point.goals,
        front=len(solution.front),
        hypervolume=solution.hypervolume,
        evaluated=solution.evaluated,
        fallback=solution.fallback,
    )
