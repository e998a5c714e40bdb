"""The knee of the Pareto front: where giving up a little of one goal stops paying in others."""

import numpy as np

from shopguide.objective.problem import Choice, Problem


def pareto(problem: Problem) -> Choice:
    """Choose the knee: the point farthest above the plane through the front's extreme points.

        argmax_p Σ_k u_pk,    u_pk = (F_pk − w_k) / (z_k − w_k)

    z and w are the best and the worst of each goal over the points; in u the extreme points of two
    goals are (1, 0) and (0, 1), and the distance to the line through them is (Σ_k u_pk − 1) / √2.
    The goals' weights are not used. A front that is straight or bends inwards has no knee, and one
    of its extreme points is chosen; whoever owns the goals may rather choose from the plot.

    Source: Das, "On Characterizing the 'Knee' of the Pareto Curve Based on Normal-Boundary
    Intersection", Structural Optimization 18(2–3), 1999. Here: for three and more goals too, the
    plane is Σ_k u_k = 1.
    """
    ideal, worst = problem.values.max(axis=0), problem.values.min(axis=0)
    span = np.where(ideal > worst, ideal - worst, 1.0)
    return Choice(int(np.argmax(((problem.values - worst) / span).sum(axis=1))))
