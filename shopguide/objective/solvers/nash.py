"""Nash bargaining: the largest product of the goals' gains over the champion."""

import numpy as np

from shopguide.objective.problem import Choice, Problem
from shopguide.objective.solvers.bargaining import rational, smallest_loss


def nash(problem: Problem) -> Choice:
    """Choose the point with the largest weighted Nash product; the first on a tie.

        argmax_p Σ_k ω_k · log(F_pk − d_k)    over the points with F_p > d in every weighted goal

    Free of the goals' units, and of any comparison between goals. Goals with ω = 0 may not lose.

    Fallback: if no point gains in every weighted goal, the smallest loss in any goal.

    Source: Nash, "The Bargaining Problem", Econometrica 18(2), 1950; weighted: Kalai, "Nonsymmetric
    Nash Solutions and Replications of 2-Person Bargaining", Int. J. of Game Theory 6(3), 1977.
    """
    counted = problem.weights > 0
    gains = (problem.values - problem.disagreement)[:, counted]
    agreeable = rational(problem) & (gains > 0).all(axis=1)
    if not agreeable.any():
        return smallest_loss(problem, "no λ gains in every goal over the disagreement point")
    unit = problem.reference[counted]  # of the logarithm's argument; shifts every point alike
    product = np.log(gains[agreeable] / unit) @ problem.weights[counted]
    return Choice(int(np.flatnonzero(agreeable)[np.argmax(product)]))
