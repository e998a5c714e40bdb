"""Chebyshev: the smallest of the largest weighted regrets."""

import numpy as np

from shopguide.objective.problem import Choice, Problem

_AUGMENTATION = 1e-3
"""Weight of the sum of regrets: decides between points whose largest regrets are all but equal."""


def chebyshev(problem: Problem) -> Choice:
    """Choose the point whose largest weighted regret to the ideal point is smallest.

        argmin_p max_k ω_k r_pk + ρ Σ_k ω_k r_pk,    r_pk = (z_k − F_pk) / (z_k − w_k)

    z is the ideal point, the best of each goal, and w the worst of each goal, over the points: a
    regret of 1 is the whole of what the front has to offer in that goal.

    Source: Steuer and Choo, "An Interactive Weighted Tchebycheff Procedure for Multiple Objective
    Programming", Mathematical Programming 26(3), 1983. Here: regrets scaled by the front's range.
    """
    ideal, worst = problem.values.max(axis=0), problem.values.min(axis=0)
    span = np.where(ideal > worst, ideal - worst, 1.0)
    regret = problem.weights * (ideal - problem.values) / span
    return Choice(int(np.argmin(regret.max(axis=1) + _AUGMENTATION * regret.sum(axis=1))))
