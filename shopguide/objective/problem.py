"""A choice between rankings: what each would bring, and what the owner wants."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shopguide.spec.objective import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Problem:
    """P points to choose from, in K goals; larger is better in each.

    Args:
        goals: K names.
        values: F [P, K], ≥ 0.
        weights: ω [K], ≥ 0, Σ ω = 1.
        reference: F of what the goals are relative to [K], > 0.
        disagreement: d [K]: what remains if no point is agreed on; the champion's values, or with
            no champion the worst of each goal on the front.
        maximise: goal to maximise under floors.
        floors: least F / F(reference) of each goal [K]; 0 asks for nothing.
        loss_penalty: cost of a loss against d, in units of J; 0 where there is no champion.
    """

    goals: tuple[str, ...]
    values: Floats
    weights: Floats
    reference: Floats
    disagreement: Floats
    maximise: int
    floors: Floats
    loss_penalty: float

    @classmethod
    def of(
        cls, values: Floats, objective: Objective, reference: Floats, champion: Floats | None
    ) -> Self:
        """State the choice that a spec's objective asks for.

        Args:
            values: F of the non-dominated points [P, K].
            objective: weights, floors, penalty; K goals.
            reference: F of the reference [K].
            champion: F of the champion [K]; None: there is none.
        """
        names = list(objective.goals)
        weights = np.array([goal.weight for goal in objective.goals.values()])
        heaviest = names[int(np.argmax(weights))]
        maximise = objective.maximise or heaviest
        unnamed = {name: 0.0 if name == maximise else 1.0 for name in names}
        return cls(
            goals=tuple(names),
            values=values,
            weights=weights,
            reference=reference,
            disagreement=values.min(axis=0) if champion is None else champion,
            maximise=names.index(maximise),
            floors=np.array([objective.floors.get(name, unnamed[name]) for name in names]),
            loss_penalty=0.0 if champion is None else objective.loss_penalty,
        )

    @property
    def relative(self) -> Floats:
        """F / F(reference) [P, K]: free of units."""
        return self.values / self.reference

    def only(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Problem":
        """Return the choice between some of the points."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, slots=True)
class Choice:
    """A point, and whether the solver could keep its terms.

    Args:
        index: of the point.
        fallback: why no point meets the terms, and what it was chosen by instead; None: one does.
    """

    index: int
    fallback: str | None = None


def leximin(utilities: Floats) -> int:
    """Return the row whose smallest entry is largest; on a tie the next smallest decides.

    The first row on a full tie. A dominated row is never returned.

    Args:
        utilities: [P, K], comparable between the columns.

    Source: Imai, "Individual Monotonicity and Lexicographic Maxmin Solution", Econometrica 51(2),
    1983.
    """
    rising = np.sort(utilities, axis=1)
    order = np.lexsort(-rising.T[::-1])  # lexsort's last key decides first
    return int(order[0])
