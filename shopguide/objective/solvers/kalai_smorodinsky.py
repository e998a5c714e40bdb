"""Kalai–Smorodinsky: every goal gets the same share of the most it could gain."""

import numpy as np

from shopguide.objective.problem import Choice, Problem, leximin
from shopguide.objective.solvers.bargaining import rational, smallest_loss


def kalai_smorodinsky(problem: Problem) -> Choice:
    """Choose the point whose smallest weighted share of the ideal gain is largest.

        argmax_p min_k (F_pk − d_k) / (ω_k (b_k − d_k)),    b_k = max F_k over the points ≥ d

    Free of the goals' units; with equal weights, the original solution. Goals with ω = 0, and goals
    in which no point gains, may not lose but claim no share. On a tie the next smallest decides.

    Fallback: if every point loses some goal against d, the smallest loss in any goal.

    Source: Kalai and Smorodinsky, "Other Solutions to Nash's Bargaining Problem", Econometrica
    43(3), 1975; lexicographic: Imai, Econometrica 51(2), 1983; weighted: Dubra, "An Asymmetric
    Kalai–Smorodinsky Solution", Economics Letters 73(2), 2001.
    """
    agreeable = np.flatnonzero(rational(problem))
    if not len(agreeable):
        return smallest_loss(problem, "every λ loses a goal against the disagreement point")
    gains = problem.values[agreeable] - problem.disagreement
    ideal = gains.max(axis=0)
    counted = (problem.weights > 0) & (ideal > 0)
    if not counted.any():
        return Choice(int(agreeable[0]))
    shares = gains[:, counted] / (ideal * problem.weights)[counted]
    return Choice(int(agreeable[leximin(shares)]))
