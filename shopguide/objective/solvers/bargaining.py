"""What the three bargaining solutions share: who is at the table, and what if nothing is agreed."""

import numpy as np
from numpy.typing import NDArray

from shopguide.objective.problem import Choice, Problem, leximin


def rational(problem: Problem) -> NDArray[np.bool_]:
    """Return the points that lose no goal against the disagreement point [P]."""
    return np.asarray((problem.values >= problem.disagreement).all(axis=1))


def smallest_loss(problem: Problem, why: str) -> Choice:
    """Choose the point whose largest relative loss is smallest: the fallback of all three.

    Args:
        problem: of which no point meets the solution's terms.
        why: no point does, in words.
    """
    return Choice(
        leximin(problem.relative), f"{why}; the λ with the smallest loss in any goal was chosen"
    )
