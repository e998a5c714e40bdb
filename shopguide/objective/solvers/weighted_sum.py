"""The weighted sum: the largest J, unless it gives a goal of the champion away."""

import numpy as np

from shopguide.objective.problem import Choice, Problem


def weighted_sum(problem: Problem) -> Choice:
    """Choose the point with the largest objective; the first on a tie.

        argmax_p Σ_k ω_k · F_pk / F_k(reference) − c · Σ_k max(0, 1 − F_pk / d_k)

    With c = 0 this is J. With a champion, c > 0: the gate asks for no loss beyond a margin in any
    goal, so a λ that loses 1 % of one has to gain c % of J elsewhere.

    Source: Zadeh, "Optimality and Non-Scalar-Valued Performance Criteria", IEEE TAC 8(1), 1963; the
    penalty is exact for c large enough (Zangwill, Management Science 13(5), 1967). Here: over a
    set of points, so non-convex parts of their front are seen too.
    """
    worth = problem.relative @ problem.weights
    if problem.loss_penalty > 0:
        lost = np.maximum(0.0, 1.0 - problem.values / problem.disagreement).sum(axis=1)
        worth = worth - problem.loss_penalty * lost
    return Choice(int(np.argmax(worth)))
