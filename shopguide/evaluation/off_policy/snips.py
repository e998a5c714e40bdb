"""Self-normalised inverse propensity scoring."""

from shopguide.evaluation.off_policy.logged import Logged
from shopguide.evaluation.off_policy.terms import Terms


def snips(logged: Logged) -> Terms:
    """Divide by the weights that were drawn instead of by their expectation.

        V = Σ s_i · w_i · r_i / Σ s_i · w_i

    Never outside the range of the outcomes, and unchanged when a constant is added to them;
    biased by the order of 1/N.

    Args:
        logged: decisions.

    Source: Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning",
    NeurIPS 2015.
    """
    weight = logged.weight * logged.ratio
    return Terms(weight * logged.reward, weight)
