"""Egalitarian: every goal gains the same percentage over the champion."""

import numpy as np

from shopguide.objective.problem import Choice, Problem, leximin
from shopguide.objective.solvers.bargaining import rational, smallest_loss


def egalitarian(problem: Problem) -> Choice:
    """Choose the point whose smallest weighted relative gain is largest.

        argmax_p min_k (F_pk − d_k) / (ω_k F_k(reference))    over the points with F_p ≥ d

    Goals with ω = 0 may not lose but claim no gain. On a tie the next smallest gain decides.

    Fallback: if every point loses some goal against d, the smallest loss in any goal.

    Source: Kalai, "Proportional Solutions to Bargaining Situations: Interpersonal Utility
    Comparisons", Econometrica 45(7), 1977. Here: the comparison between goals is in percent of the
    reference, which frees it of units.
    """
    agreeable = np.flatnonzero(rational(problem))
    if not len(agreeable):
        return smallest_loss(problem, "every λ loses a goal against the disagreement point")
    counted = problem.weights > 0
    gains = (problem.values[agreeable] - problem.disagreement) / problem.reference
    return Choice(int(agreeable[leximin(gains[:, counted] / problem.weights[counted])]))
